//! Bytes of a table → rows of text → checked values.

use std::path::Path;
use std::str::FromStr;

use csv::StringRecord;

use super::ReadError;
use crate::store::unguarded;

/// Header and records; every record has the header's length.
pub(super) fn table(path: &Path, bytes: &[u8]) -> Result<(StringRecord, Vec<StringRecord>), ReadError> {
    let mut reader = csv::Reader::from_reader(bytes);
    let plain = |record: StringRecord| record.iter().map(unguarded).collect::<StringRecord>();
    let header = reader.headers().cloned().map(plain);
    let records = header
        .and_then(|header| Ok((header, reader.records().map(|r| r.map(plain)).collect::<csv::Result<_>>()?)));
    records.map_err(|error| csv_error(path, error))
}

fn csv_error(path: &Path, error: csv::Error) -> ReadError {
    let path = path.to_owned();
    // The position is a record's: the header is record 0.
    let row = error.position().map_or(1, |position| position.record() + 1);
    match error.into_kind() {
        csv::ErrorKind::Io(source) => ReadError::Unreadable { path, source },
        csv::ErrorKind::Utf8 { .. } => ReadError::Malformed { path, row, what: "not UTF-8".to_owned() },
        csv::ErrorKind::UnequalLengths { expected_len, len, .. } => {
            ReadError::Malformed { path, row, what: format!("{len} cells, expected {expected_len}") }
        }
        other => ReadError::Malformed { path, row, what: format!("{other:?}") },
    }
}

/// The value of a cell.
pub(super) fn parse<T: FromStr>(
    path: &Path,
    row: u64,
    column: &str,
    found: &str,
    expected: &'static str,
) -> Result<T, ReadError> {
    found.parse().map_err(|_| ReadError::Value {
        path: path.to_owned(),
        row,
        column: column.to_owned(),
        found: found.to_owned(),
        expected,
    })
}

/// A row whose cells are asked for by column.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    path: &'a Path,
    header: &'a StringRecord,
    record: &'a StringRecord,
    /// As a spreadsheet counts it.
    row: u64,
}

impl<'a> Cells<'a> {
    pub(super) fn new(
        path: &'a Path,
        header: &'a StringRecord,
        record: &'a StringRecord,
        index: usize,
    ) -> Self {
        Self { path, header, record, row: index as u64 + 2 }
    }

    /// An error about the row.
    #[must_use]
    pub fn malformed(&self, what: String) -> ReadError {
        ReadError::Malformed { path: self.path.to_owned(), row: self.row, what }
    }

    /// A cell as it is.
    ///
    /// # Errors
    /// When there is no such column.
    pub fn text(&self, column: &'static str) -> Result<&'a str, ReadError> {
        let index = self.header.iter().position(|name| name == column);
        index
            .and_then(|index| self.record.get(index))
            .ok_or_else(|| ReadError::MissingColumn { path: self.path.to_owned(), column })
    }

    /// The value of a cell, which is `expected`: `a number`.
    ///
    /// # Errors
    /// When there is no such column, or the cell holds something else.
    pub fn value<T: FromStr>(&self, column: &'static str, expected: &'static str) -> Result<T, ReadError> {
        parse(self.path, self.row, column, self.text(column)?, expected)
    }

    /// A number of a column that earlier versions did not write; none where the cell is empty or there is no such
    /// column.
    ///
    /// # Errors
    /// When the cell holds something else.
    pub fn newer(&self, column: &'static str) -> Result<Option<f64>, ReadError> {
        if self.header.iter().any(|name| name == column) { self.optional(column) } else { Ok(None) }
    }

    /// A number; none where the cell is empty.
    ///
    /// # Errors
    /// As for [`Cells::value`].
    pub fn optional(&self, column: &'static str) -> Result<Option<f64>, ReadError> {
        if self.text(column)?.is_empty() { Ok(None) } else { self.value(column, "a number").map(Some) }
    }
}
