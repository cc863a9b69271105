//! Tables and JSON as every one of ours is written.

use std::borrow::Cow;
use std::path::Path;

use serde_json::Value;

use super::write;
use crate::error::{Error, Kind, Result};

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

/// Whether a spreadsheet takes the text, less the quotes before it, for a formula. Numbers are none.
fn is_formula(text: &[u8]) -> bool {
    let text = text.trim_ascii_start();
    let number = |text: &[u8]| std::str::from_utf8(text).is_ok_and(|text| text.parse::<f64>().is_ok());
    matches!(text.first(), Some(b'=' | b'+' | b'-' | b'@')) && !number(text)
}

fn without_quotes(cell: &[u8]) -> &[u8] {
    &cell[cell.iter().take_while(|&&byte| byte == b'\'').count()..]
}

/// The cell as text to a spreadsheet, which opens a file that somebody else has named the classes of: a quote goes
/// before what would be a formula. [`unguarded`] is the inverse.
fn guarded(cell: &[u8]) -> Cow<'_, [u8]> {
    if is_formula(without_quotes(cell)) { Cow::Owned([b"'", cell].concat()) } else { Cow::Borrowed(cell) }
}

/// What was written: without the quote before what would be a formula.
pub(crate) fn unguarded(cell: &str) -> &str {
    let written = cell.strip_prefix('\'').filter(|_| is_formula(without_quotes(cell.as_bytes())));
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
