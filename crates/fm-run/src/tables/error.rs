//! What can be wrong with a file that a run has left.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::error::reason;

/// Why a file cannot be read. A message is one line in lower case; it names the file, the row as a spreadsheet
/// counts it (the header is row 1) and the column.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ReadError {
    #[error("cannot read {}: {}", path.display(), reason(source))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}, row {row}: {what}", path.display())]
    Malformed { path: PathBuf, row: u64, what: String },
    #[error("{}: no column {column}", path.display())]
    MissingColumn { path: PathBuf, column: &'static str },
    #[error("{}, row {row}, column {column}: {found:?} is not {expected}", path.display())]
    Value { path: PathBuf, row: u64, column: String, found: String, expected: &'static str },
}

impl ReadError {
    /// The contents of a file.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn bytes(path: &Path) -> Result<Vec<u8>, Self> {
        crate::store::bytes(path, crate::store::MAX_TABLE)
            .map_err(|source| Self::Unreadable { path: path.to_owned(), source })
    }
}
