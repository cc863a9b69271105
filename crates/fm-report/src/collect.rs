//! Finished runs on disk → results, grouped.

use std::path::{Path, PathBuf};

use fm_run::tables::{self, Confusion, Prediction, ReadError};
use fm_run::{Identified, files, read_config};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::groups::{RunGroup, group};

/// What a finished run has left.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// Its directory; for a shorter length, the run's own.
    pub dir: PathBuf,
    /// Its name.
    pub name: String,
    /// What it is, at the length that was scored.
    pub run: Identified,
    /// The text of its `config.toml`.
    pub config: String,
    /// Names and values: accuracy, loss, macro-F1, each class's recall, training seconds.
    pub measures: Vec<(String, f64)>,
    /// Of the test set.
    pub confusion: Confusion,
    /// By test image; empty where they were not kept.
    pub predictions: Vec<Prediction>,
}

impl RunResult {
    /// The seed.
    pub fn seed(&self) -> u64 {
        self.run.spec.seed
    }

    /// Identifies the data.
    pub fn data_sha256(&self) -> &str {
        &self.run.facts.data_sha256
    }
}

/// Runs found, and what was passed over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// By what they are, see [`RunGroup`].
    pub groups: Vec<RunGroup>,
    /// Directories of runs that are not finished.
    pub unfinished: Vec<PathBuf>,
}

/// Finds the finished runs in `places`, each a run's directory or one that holds runs, and groups them. With
/// `epochs`, runs of that length alone: longer ones count where they were scored on the way.
///
/// # Errors
/// When a place holds no run, a file cannot be read, or one seed would stand twice in a group.
pub fn collect(places: &[PathBuf], epochs: Option<u32>) -> Result<Found> {
    let mut runs: Vec<(usize, RunResult)> = Vec::new();
    let mut unfinished = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let before = runs.len() + unfinished.len();
        for dir in candidates(place)? {
            if !dir.join(files::DONE).exists() {
                unfinished.push(dir);
            } else if let Some(run) = read_run(&dir, epochs)? {
                runs.push((index, run));
            }
        }
        if runs.len() + unfinished.len() == before {
            return Err(Error::Nothing { path: place.clone(), epochs });
        }
    }
    Ok(Found { groups: group(places, runs)?, unfinished })
}

/// Directories of runs: the place itself, or those right in it.
fn candidates(place: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| ReadError::Unreadable { path: place.to_owned(), source };
    if place.join(files::CONFIG).exists() {
        return Ok(vec![place.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join(files::CONFIG).exists() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A finished run, or none if it is of another length.
fn read_run(dir: &Path, epochs: Option<u32>) -> Result<Option<RunResult>> {
    let path = dir.join(files::CONFIG);
    let config = std::fs::read_to_string(&path)
        .map_err(|source| ReadError::Unreadable { path: path.clone(), source })?;
    let mut run = read_config(&config)
        .map_err(|e| Error::Statement { path: path.clone(), what: e.message().to_owned() })?;
    let mut place = dir.to_owned();
    if let Some(wanted) = epochs.filter(|&wanted| wanted != run.spec.epochs) {
        place = dir.join(files::scores_at(wanted));
        if !place.join(files::SUMMARY).exists() {
            return Ok(None);
        }
        run = run.of_epochs(wanted);
    }
    let path = place.join(files::SUMMARY);
    let summary = tables::read_json(&path)?;
    let number = |value: &Value, what: &str| {
        let lacking = || ReadError::Malformed { path: path.clone(), row: 1, what: format!("no {what}") };
        value.as_f64().ok_or_else(lacking).map_err(Error::from)
    };
    let confusion = Confusion::read(&place.join(files::CONFUSION))?;
    let test = &summary["test"];
    let mut measures = vec![
        ("accuracy".to_owned(), number(&test["accuracy"], "accuracy")?),
        ("loss".to_owned(), number(&test["loss"], "loss")?),
        ("macro F1".to_owned(), number(&test["macro_f1"], "macro_f1")?),
    ];
    for (class, scores) in confusion.classes().iter().zip(confusion.per_class()) {
        measures.extend(scores.recall.map(|recall| (format!("recall {class}"), recall)));
    }
    measures.push(("training seconds".to_owned(), number(&summary["train_seconds"], "train_seconds")?));
    let predictions = place.join(files::PREDICTIONS);
    Ok(Some(RunResult {
        dir: dir.to_owned(),
        name: summary["name"].as_str().unwrap_or_default().to_owned(),
        run,
        config,
        measures,
        confusion,
        predictions: if predictions.exists() { tables::read(&predictions)? } else { Vec::new() },
    }))
}

/// A run's lengths: epochs, test accuracy and training seconds, of those scored on the way and its own.
///
/// # Errors
/// When a summary cannot be read.
pub(crate) fn lengths(dir: &Path) -> Result<Vec<(u64, f64, f64)>> {
    let unreadable = |source| ReadError::Unreadable { path: dir.to_owned(), source };
    let mut places = vec![dir.to_owned()];
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if files::epochs_of(&path).is_some() && path.join(files::SUMMARY).exists() {
            places.push(path);
        }
    }
    let mut found = Vec::new();
    for place in places {
        let summary = tables::read_json(&place.join(files::SUMMARY))?;
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let epochs = summary["epochs"].as_u64().unwrap_or(0);
        found.push((epochs, number(&summary["test"]["accuracy"]), number(&summary["train_seconds"])));
    }
    Ok(found)
}
