//! Tables and JSON as every one of ours is written.

use std::borrow::Cow;
use std::path::Path;

use serde_json::Value;

use super::write;
use crate::error::{Error, Kind, Result};
use crate::identity::is_run_id;

/// Writes a CSV file by RFC 4180: comma, UTF-8, CRLF, a header.
///
/// # Errors
/// When it cannot be written.
pub fn write_table<'a>(
    path: &Path,
    header: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = impl AsRef<[u8]>> + 'a>,
) -> Result<()> {
    write(path, &csv_bytes(header, rows)?)
}

/// The bytes of [`write_table`].
///
/// # Errors
/// None that rows as long as the header can cause.
pub fn csv_bytes<'a>(
    header: &[&str],
    rows: impl IntoIterator<Item = impl IntoIterator<Item = impl AsRef<[u8]>> + 'a>,
) -> Result<Vec<u8>> {
    let mut writer = writer();
    write_row(&mut writer, header)?;
    for row in rows {
        write_row(&mut writer, row)?;
    }
    writer.into_inner().map_err(other)
}

/// The bytes of one row, without a header: for tables that grow.
///
/// # Errors
/// None that a row of cells can cause.
pub fn csv_row(cells: &[impl AsRef<[u8]>]) -> Result<Vec<u8>> {
    let mut writer = writer();
    write_row(&mut writer, cells)?;
    writer.into_inner().map_err(other)
}

fn write_row<T: AsRef<[u8]>>(
    writer: &mut csv::Writer<Vec<u8>>,
    cells: impl IntoIterator<Item = T>,
) -> Result<()> {
    for cell in cells {
        writer.write_field(guarded(cell.as_ref())).map_err(other)?;
    }
    writer.write_record(None::<&[u8]>).map_err(other)
}

/// A number as every table has it: as short as it reads back the same, but never with exactly three decimals, which
/// spreadsheets take for thousands where the decimal sign is a comma: 0.001 would become 1.
#[must_use]
pub fn number(value: impl std::fmt::Display) -> String {
    let mut text = value.to_string();
    if text.rsplit_once('.').is_some_and(|(_, decimals)| decimals.len() == 3) {
        text.push('0');
    }
    text
}

/// A number with so many decimals (four for three, see [`number`]); an empty cell where there is none.
#[must_use]
pub fn decimals(value: Option<f64>, digits: usize) -> String {
    let digits = if digits == 3 { 4 } else { digits };
    let text = value.map_or(String::new(), |v| format!("{v:.digits$}"));
    let is_zero = text.starts_with('-') && text.bytes().all(|byte| b"-0.".contains(&byte));
    if is_zero { text[1..].to_owned() } else { text }
}

/// Whether a spreadsheet takes a run's id for a number, and so loses digits of it.
fn is_numeric_id(text: &[u8]) -> bool {
    let digits_and_e = |text: &str| text.bytes().all(|b| b.is_ascii_digit() || b == b'e');
    std::str::from_utf8(text)
        .is_ok_and(|text| is_run_id(text) && digits_and_e(text) && text.parse::<f64>().is_ok())
}

/// Whether a spreadsheet takes the text, without the quotes before it, for a formula. A number is not one.
fn is_formula(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let number = |text: &[u8]| std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok());
    matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@')) && !number(text)
}

/// Whether a spreadsheet would change the text.
fn is_unsafe(text: &[u8]) -> bool {
    is_formula(text) || is_numeric_id(text)
}

fn without_quotes(cell: &[u8]) -> &[u8] {
    &cell[cell.iter().take_while(|&&byte| byte == b'\'').count()..]
}

/// The cell as text to a spreadsheet, which opens a file that somebody else has named the classes of: a quote goes
/// before what would be a formula, or a number in place of an id. [`unguarded`] is the inverse.
fn guarded(cell: &[u8]) -> Cow<'_, [u8]> {
    if is_unsafe(without_quotes(cell)) { Cow::Owned([b"'", cell].concat()) } else { Cow::Borrowed(cell) }
}

/// What was written: without the quote that [`guarded`] put before it.
pub(crate) fn unguarded(cell: &str) -> &str {
    let written = cell.strip_prefix('\'').filter(|_| is_unsafe(without_quotes(cell.as_bytes())));
    written.unwrap_or(cell)
}

fn writer() -> csv::Writer<Vec<u8>> {
    csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new())
}

/// Writes JSON, indented, with a line end.
///
/// # Errors
/// When it cannot be written.
pub fn write_json(path: &Path, value: &Value) -> Result<()> {
    write(path, format!("{value:#}\n").as_bytes())
}

fn other(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Other, error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_number_has_exactly_three_decimals() {
        let cases = [(0.001, "0.0010"), (0.25, "0.25"), (1.0, "1"), (-2.125, "-2.1250"), (1e-7, "0.0000001")];
        for (value, text) in cases {
            assert_eq!(number(value), text);
            assert_eq!(number(value).parse(), Ok(value));
        }
        assert_eq!(number(0.729_f32), "0.7290");
        assert_eq!(
            [decimals(Some(1.5), 3), decimals(Some(1.5), 2), decimals(None, 6)],
            ["1.5000", "1.50", ""]
        );
        assert_eq!([decimals(Some(-1e-9), 6), decimals(Some(-0.5), 6)], ["0.000000", "-0.500000"]);
    }

    #[test]
    fn ids_that_look_like_numbers_are_text_and_read_as_they_were() {
        let ids = [
            "12345678901234e5",
            "0123456789012345",
            "05c881bf5d501b7d",
            "e234567890123456",
            "1234567890123e4e",
        ];
        let text = String::from_utf8(csv_row(&ids).unwrap()).unwrap();
        assert_eq!(
            text.trim_end(),
            "'12345678901234e5,'0123456789012345,05c881bf5d501b7d,e234567890123456,1234567890123e4e"
        );
        assert!(text.trim_end().split(',').zip(ids).all(|(cell, id)| unguarded(cell) == id));
        // A seed or a count is a number.
        assert_eq!(csv_row(&["123456789", "1e5"]).unwrap(), b"123456789,1e5\r\n");
    }

    #[test]
    fn formulas_are_written_as_text_and_read_as_they_were() {
        let cells = [
            "=1+1",
            "=cmd|' /C calc'!A0",
            "@a",
            "+b",
            "-c",
            "'=x",
            "''=x",
            " =1",
            "\t=1",
            "a",
            "'a",
            "-1.5",
            "",
            "'",
        ];
        let text = String::from_utf8(csv_row(&cells).unwrap()).unwrap();
        let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
        let read = reader.records().next().unwrap().unwrap();
        for (cell, wrote) in cells.iter().zip(&read) {
            let safe = !wrote.trim_start().starts_with(['=', '+', '-', '@']) || wrote.parse::<f64>().is_ok();
            assert!(safe, "{wrote:?}");
            assert_eq!(unguarded(wrote), *cell);
        }
        assert!(text.starts_with("'=1+1,'=cmd") && text.contains(",-1.5,"), "{text}");
    }
}
