//! Tables → the bytes of an `.xlsx` file, whose numbers are numbers whatever sign a country writes decimals with.

use rust_xlsxwriter::{DocProperties, ExcelDateTime, Format, Workbook, XlsxError};

use crate::error::{Error, Result};

/// A sheet: a header and rows of cells, as the same table has them in CSV.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// On its tab: at most 31 characters, none of `[]:*?/\`.
    pub name: String,
    /// Names of the columns.
    pub header: Vec<String>,
    /// As long as the header; an empty cell where there is nothing.
    pub rows: Vec<Vec<String>>,
}

impl Sheet {
    /// A sheet of a table.
    pub fn new(name: &str, header: &[impl AsRef<str>], rows: Vec<Vec<String>>) -> Self {
        let header = header.iter().map(|column| column.as_ref().to_owned()).collect();
        Self { name: name.to_owned(), header, rows }
    }

    /// Whether a column holds numbers: each cell that is not empty reads as one. An id is a text.
    fn is_numeric(&self, column: usize) -> bool {
        let cells = self.rows.iter().filter_map(|row| row.get(column)).filter(|cell| !cell.is_empty());
        self.header[column] != "run_id" && cells.clone().all(|cell| cell.parse::<f64>().is_ok())
    }
}

/// The bytes of a workbook. The same sheets give the same bytes.
///
/// # Errors
/// When a sheet has a name that is not allowed, or more rows than fit.
pub fn workbook(sheets: &[Sheet]) -> Result<Vec<u8>> {
    written(sheets).map_err(|e| Error::Workbook(e.to_string()))
}

fn written(sheets: &[Sheet]) -> Result<Vec<u8>, XlsxError> {
    let mut book = Workbook::new();
    let made = ExcelDateTime::from_ymd(2000, 1, 1)?;
    book.set_properties(&DocProperties::new().set_creation_datetime(&made));
    let bold = Format::new().set_bold();
    for sheet in sheets {
        let page = book.add_worksheet();
        page.set_name(&sheet.name)?.set_freeze_panes(1, 0)?;
        for (column, name) in (0..).zip(&sheet.header) {
            page.write_string_with_format(0, column, name, &bold)?;
            let numeric = sheet.is_numeric(usize::from(column));
            for (row, cells) in (1..).zip(&sheet.rows) {
                let Some(cell) = cells.get(usize::from(column)).filter(|cell| !cell.is_empty()) else {
                    continue;
                };
                match cell.parse::<f64>() {
                    // What is no finite number has no cell of its own: it stays the text NaN or inf.
                    Ok(number) if numeric && number.is_finite() => page.write_number(row, column, number)?,
                    _ => page.write_string(row, column, cell)?,
                };
            }
        }
    }
    book.save_to_buffer()
}

#[cfg(test)]
mod tests {
    use std::io::{Cursor, Read as _};

    use super::*;

    #[test]
    fn numbers_are_numbers_and_ids_and_names_are_texts() {
        let row = |cells: [&str; 4]| cells.map(str::to_owned).to_vec();
        let rows = vec![
            row(["12345678901234e5", "0.0010", "Coat", "NaN"]),
            row(["05c881bf5d501b7d", "", "3", "0.5"]),
        ];
        let sheet = Sheet::new("runs", &["run_id", "lr", "class", "loss"], rows);
        let bytes = workbook(std::slice::from_ref(&sheet)).unwrap();
        assert_eq!(workbook(&[sheet]).unwrap(), bytes, "the same bytes each time");
        let mut archive = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let mut text = String::new();
        archive.by_name("xl/worksheets/sheet1.xml").unwrap().read_to_string(&mut text).unwrap();
        let document = roxmltree::Document::parse(&text).unwrap();
        let cell = |place: &str| {
            let cell = document
                .descendants()
                .find(|node| node.attribute("r") == Some(place) && node.has_tag_name("c"))?;
            let value = cell.descendants().find(|node| node.has_tag_name("v"))?.text()?;
            Some((cell.attribute("t").unwrap_or("n").to_owned(), value.to_owned()))
        };
        assert_eq!(cell("B2"), Some(("n".to_owned(), "0.001".to_owned())));
        assert_eq!(cell("B3"), None);
        assert_eq!(cell("D3"), Some(("n".to_owned(), "0.5".to_owned())));
        // Strings are in a table of their own.
        let is_text = |place: &str| cell(place).is_some_and(|(kind, _)| kind == "s");
        assert!(["A2", "A3", "C2", "C3", "D2"].into_iter().all(is_text), "{text}");
    }

    #[test]
    fn a_name_that_no_sheet_may_have_is_refused() {
        let sheet = Sheet::new("a/b", &["a"], Vec::new());
        assert!(workbook(&[sheet]).unwrap_err().to_string().starts_with("cannot write a workbook: "));
    }
}
