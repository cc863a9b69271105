//! What can be wrong with result files and with pictures of them. A message is one line in lower case.

use std::path::PathBuf;

use fm_run::tables::ReadError;
use thiserror::Error;

/// Why nothing could be read or drawn.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum Error {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{}: {what}", path.display())]
    File { path: PathBuf, what: String },
    #[error("no finished run{} in {}", epochs.map_or(String::new(), |n| format!(" of {n} epochs")), path.display())]
    Nothing { path: PathBuf, epochs: Option<u32> },
    #[error("no run in {} meets every --where", path.display())]
    NoneSo { path: PathBuf },
    #[error("{} and the other seeds of its group were scored at no common length", path.display())]
    NoLength { path: PathBuf },
    #[error("{name} has two runs with seed {seed}: {} and {}", dirs[0].display(), dirs[1].display())]
    SameSeed { name: String, seed: u64, dirs: [PathBuf; 2] },
    #[error("{} and {} were scored on different test sets", first.display(), second.display())]
    OtherTest { first: PathBuf, second: PathBuf },
    #[error("there is no group '{name}': there are {}", known.join("; "))]
    NoGroup { name: String, known: Vec<String> },
    #[error("{} has no predictions.csv of {epochs} epochs", path.display())]
    NoPredictions { path: PathBuf, epochs: u32 },
    #[error("{} has no validation scores", path.display())]
    NoValidation { path: PathBuf },
    #[error("the seeds of {name} are not crossed: {what}")]
    Design { name: String, what: String },
    #[error("no run in {} has predictions_by_epoch.npz", path.display())]
    NoneByEpoch { path: PathBuf },
    #[error("{} and {} differ by more than their seed", first.display(), second.display())]
    OtherStatement { first: PathBuf, second: PathBuf },
    #[error("the mask leaves no test image")]
    NothingLeft,
    #[error("{name} has no runs")]
    Empty { name: String },
    #[error("{0}")]
    Compare(#[from] crate::stats::CompareError),
    #[error("cannot pack: {0}")]
    Pack(std::io::Error),
    #[error("cannot write a workbook: {0}")]
    Workbook(String),
    #[error("cannot draw: {0}")]
    Picture(String),
}

/// The crate's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;
