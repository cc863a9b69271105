//! `runs.npz`: everything that comparisons and reports read of all runs of a directory, as one small file.
//!
//! It is an archive of NumPy arrays and one JSON file, so that Python reads it with `numpy.load` and `json.loads`;
//! `results/README.md` says what each member holds. [`Index`] is the JSON file: texts and summaries of the runs, and
//! which rows of the arrays are theirs. The arrays share one set of labels, since all runs have one test set.

pub(crate) mod arrays;
mod read;
mod write;

use fm_run::tables::{Confusion, Prediction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use read::decode;
pub use write::pack;

/// Counts changes to what the file contains.
const FORMAT: u32 = 1;
/// The member that is no array.
const INDEX: &str = "runs.json";

/// The array of each image's loss in millionths, which files of earlier versions lack.
const LOSS: &str = "loss_millionths";
/// Where a run kept no losses.
const NO_LOSS: u32 = u32::MAX;

/// What a finished run has left, as far as comparisons and reports read it.
#[derive(Debug, PartialEq)]
pub(crate) struct Left {
    /// Of its directory.
    pub(crate) name: String,
    /// The text of `config.toml`.
    pub(crate) config: String,
    /// The text of `epochs.csv`.
    pub(crate) epochs: String,
    /// By length; its own last.
    pub(crate) scored: Vec<Scored>,
}

/// The scores of a run at one of its lengths.
#[derive(Debug, PartialEq)]
pub(crate) struct Scored {
    /// Epochs; none for the run's own.
    pub(crate) at: Option<u32>,
    /// `summary.json`.
    pub(crate) summary: Value,
    /// `confusion.csv`.
    pub(crate) confusion: Confusion,
    /// `predictions.csv`; empty where it was not kept.
    pub(crate) predictions: Vec<Prediction>,
}

impl Left {
    /// The scores at a length.
    pub(crate) fn at(&self, at: Option<u32>) -> Option<&Scored> {
        self.scored.iter().find(|scored| scored.at == at)
    }
}

/// `runs.json`.
#[derive(Debug, Serialize, Deserialize)]
struct Index {
    format: u32,
    classes: Vec<String>,
    runs: Vec<IndexedRun>,
}

/// A run in `runs.json`.
#[derive(Debug, Serialize, Deserialize)]
struct IndexedRun {
    name: String,
    config: String,
    epochs: String,
    scored: Vec<IndexedScores>,
}

/// A length of a run in `runs.json`.
#[derive(Debug, Serialize, Deserialize)]
struct IndexedScores {
    at: Option<u32>,
    summary: Value,
    row: usize,
    predictions: Option<usize>,
}

#[cfg(test)]
mod tests;
