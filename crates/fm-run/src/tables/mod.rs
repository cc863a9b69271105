//! The tables of a run: one type for each, which writes it and reads it.
//!
//! | file | type |
//! |---|---|
//! | `epochs.csv` | [`EpochRow`] |
//! | `confusion.csv`, `confusion_normalized.csv` | [`Confusion`] |
//! | `per_class.csv` | [`ClassRow`] |
//! | `predictions.csv` | [`Prediction`] |
//!
//! Columns are found by their name, so a table that a spreadsheet has saved again, with columns moved or added,
//! still reads. What the columns mean to a user is in `results/README.md`.

mod cells;
mod class;
mod confusion;
mod epoch;
mod error;
mod mask;
mod prediction;

use std::path::Path;

pub use cells::Cells;
pub use class::{ClassRow, ClassScores, class_scores, macro_f1};
pub use confusion::{CORNER, Confusion, NotSquare};
pub use epoch::{EpochRow, best_epoch};
pub use error::ReadError;
pub use mask::Mask;
pub use prediction::Prediction;

use crate::store;

/// A row of a table of columns.
pub trait Record: Sized {
    /// The columns, in the order in which they are written.
    const HEADER: &'static [&'static str];

    /// The cells of the row that is the `index`th of its table, counted from 0.
    fn cells(&self, index: usize) -> Vec<String>;

    /// The row from its cells.
    ///
    /// # Errors
    /// When a column is missing or a cell does not hold what it should.
    fn of(cells: &Cells<'_>, index: usize) -> Result<Self, ReadError>;
}

/// Writes a table.
///
/// # Errors
/// When it cannot be written.
pub fn write<R: Record>(path: &Path, rows: &[R]) -> crate::error::Result<()> {
    store::write_table(path, R::HEADER, rows.iter().enumerate().map(|(index, row)| row.cells(index)))
}

/// Reads a table; no rows is no error.
///
/// # Errors
/// When the file cannot be read, a column is missing or a cell does not hold what it should.
pub fn read<R: Record>(path: &Path) -> Result<Vec<R>, ReadError> {
    parse(path, &ReadError::bytes(path)?)
}

/// Reads the bytes of a table that comes from `path`.
///
/// # Errors
/// As for [`read`].
pub fn parse<R: Record>(path: &Path, bytes: &[u8]) -> Result<Vec<R>, ReadError> {
    let (header, records) = cells::table(path, bytes)?;
    let rows = records.iter().enumerate();
    rows.map(|(index, record)| R::of(&Cells::new(path, &header, record, index), index)).collect()
}

/// Reads JSON, such as `summary.json`.
///
/// # Errors
/// When the file cannot be read or is no JSON.
pub fn read_json(path: &Path) -> Result<serde_json::Value, ReadError> {
    let bad = |e: serde_json::Error| ReadError::Malformed {
        path: path.to_owned(),
        row: e.line() as u64,
        what: e.to_string(),
    };
    serde_json::from_slice(&ReadError::bytes(path)?).map_err(bad)
}

#[cfg(test)]
mod tests;
