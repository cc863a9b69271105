//! What can be wrong with result files and with pictures of them. A message is one line in lower case; it
//! names the file, the row as a spreadsheet counts it (the header is row 1) and the column.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// Why nothing could be read or drawn.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error("cannot read {}: {}", path.display(), reason(source))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("{}, row {row}: {what}", path.display())]
    Malformed { path: PathBuf, row: u64, what: String },
    #[error("{}: no column {column}", path.display())]
    MissingColumn { path: PathBuf, column: &'static str },
    #[error("{}, row {row}, column {column}: {found:?} is not {expected}", path.display())]
    Value { path: PathBuf, row: u64, column: String, found: String, expected: &'static str },
    #[error("{}: {what}", path.display())]
    Statement { path: PathBuf, what: String },
    #[error("no finished run{} in {}", epochs.map_or(String::new(), |n| format!(" of {n} epochs")), path.display())]
    Nothing { path: PathBuf, epochs: Option<u32> },
    #[error("{name} has two runs with seed {seed}: {} and {}", dirs[0].display(), dirs[1].display())]
    SameSeed { name: String, seed: u64, dirs: [PathBuf; 2] },
    #[error("{} and {} were scored on different test sets", first.display(), second.display())]
    OtherTest { first: PathBuf, second: PathBuf },
    #[error("{} has no predictions.csv for what is asked", path.display())]
    NoPredictions { path: PathBuf },
    #[error("{0}")]
    Compare(#[from] crate::stats::CompareError),
    #[error("cannot draw: {0}")]
    Picture(String),
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// An I/O error in lower case and without the operating system's number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}
