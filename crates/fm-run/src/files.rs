//! The name of every file of a run, once.

use std::path::Path;

use crate::spec::Weights;

/// The statement of the run, written before training.
pub const CONFIG: &str = "config.toml";
/// The run's id, written last: a directory without it is unfinished.
pub const DONE: &str = "DONE";
/// A row per epoch.
pub const EPOCHS: &str = "epochs.csv";
/// Counts by true and predicted class.
pub const CONFUSION: &str = "confusion.csv";
/// The same as shares of the row.
pub const CONFUSION_NORMALIZED: &str = "confusion_normalized.csv";
/// Precision, recall, F1 and support of each class.
pub const PER_CLASS: &str = "per_class.csv";
/// A row per test image.
pub const PREDICTIONS: &str = "predictions.csv";
/// What every epoch predicts for each validation and test image.
pub const PREDICTIONS_BY_EPOCH: &str = "predictions_by_epoch.npz";
/// The run and its scores, for programs.
pub const SUMMARY: &str = "summary.json";
/// The weights that were scored.
pub const MODEL: &str = "model.safetensors";
/// How far a run is, rewritten at every step.
pub const PROGRESS: &str = ".progress";
/// There while an earlier run is being removed.
pub const CLEARING: &str = ".clearing";
/// Which process has the directory.
pub const LOCK: &str = ".lock";
/// The directory of checkpoints.
pub const CHECKPOINTS: &str = "checkpoint";
/// The directory of TensorBoard's event files.
pub const TENSORBOARD: &str = "tensorboard";
/// The table of all runs in a directory of results.
pub const RUNS: &str = "runs.csv";
/// What a sweep is to run.
pub const PLAN: &str = "plan.json";
/// Seconds of a sweep's runs.
pub const TIMINGS: &str = "timings.csv";
/// Every rung of a successive halving.
pub const HALVING: &str = "halving.csv";
/// Every look of a sweep that ran until its comparison was settled.
pub const UNTIL: &str = "until.csv";
/// Everything that comparisons and reports read of all runs in a directory of results, as one file.
pub const PACKED: &str = "runs.npz";
/// Pictures, each as SVG and as PNG.
pub const PICTURES: [&str; 3] = ["curves", "confusion", "reconstructions"];

/// Every file that a run may leave in its directory; `--overwrite` removes these, [`CHECKPOINTS`],
/// [`TENSORBOARD`], [`scores_at`] and [`scores_of`] directories, and nothing else. [`DONE`] is first, so that half a removal leaves no finished
/// run.
pub const RUN_FILES: [&str; 17] = [
    DONE,
    CONFIG,
    EPOCHS,
    CONFUSION,
    CONFUSION_NORMALIZED,
    PER_CLASS,
    PREDICTIONS,
    PREDICTIONS_BY_EPOCH,
    SUMMARY,
    MODEL,
    "curves.svg",
    "curves.png",
    "confusion.svg",
    "confusion.png",
    "reconstructions.svg",
    "reconstructions.png",
    PROGRESS,
];

/// The directory for scores after so many epochs.
#[must_use]
pub fn scores_at(epochs: u32) -> String {
    format!("at-{epochs}")
}

/// The directory for scores of other weights than those that the run leaves, at its end.
#[must_use]
pub fn scores_of(weights: Weights) -> &'static str {
    weights.name()
}

/// Whether a path is a directory of scores beside a run's own.
#[must_use]
pub fn is_beside(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    epochs_of(path).is_some() || name.is_some_and(|name| BESIDE.contains(&name))
}

/// Names of [`scores_of`] directories.
const BESIDE: [&str; 3] = [Weights::Last.name(), Weights::Ema(0.0).name(), Weights::Mean(0).name()];

/// The epochs of a [`scores_at`] directory; none for another path.
#[must_use]
pub fn epochs_of(path: &Path) -> Option<u32> {
    path.file_name()?.to_str()?.strip_prefix("at-")?.parse().ok()
}
