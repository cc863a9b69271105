//! Finished runs on disk → results, grouped.

use std::path::PathBuf;

use fm_run::tables::{Confusion, Prediction};
use fm_run::{Identified, files, read_config};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::groups::{RunGroup, group};
use crate::source::{Source, sources};
use crate::validation::Validation;

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
    /// Names and values: accuracy, loss, macro-F1, validation accuracy and loss, each class's recall, training seconds.
    pub measures: Vec<(String, f64)>,
    /// On the validation images, where there were any.
    pub validation: Option<Validation>,
    /// Of the test set.
    pub confusion: Confusion,
    /// By test image; empty where they were not kept.
    pub predictions: Vec<Prediction>,
    /// Where its other files are.
    pub(crate) source: Source,
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

/// Groups finished runs, each at the length of so many epochs (none: its own).
///
/// # Errors
/// When a file cannot be read, a run was not scored at that length, or one seed would stand twice in a group.
pub fn scored(runs: impl IntoIterator<Item = (Source, Option<u32>)>) -> Result<Vec<RunGroup>> {
    let read = |(source, epochs): (Source, Option<u32>)| {
        let path = source.dir.clone();
        Ok((0, read_run(source, epochs)?.ok_or(Error::Nothing { path, epochs })?))
    };
    group(&[], runs.into_iter().map(read).collect::<Result<_>>()?)
}

/// Finds the finished runs in `places`, see [`sources`](crate::sources()), and groups them. With `epochs`, runs of that length alone: longer ones count where they were scored on the way.
///
/// # Errors
/// When a place holds no run, a file cannot be read, or one seed would stand twice in a group.
pub fn collect(places: &[PathBuf], epochs: Option<u32>) -> Result<Found> {
    let mut runs: Vec<(usize, RunResult)> = Vec::new();
    let mut unfinished = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let before = runs.len() + unfinished.len();
        for source in sources(place)? {
            if !source.done() {
                unfinished.push(source.dir);
            } else if let Some(run) = read_run(source, epochs)? {
                runs.push((index, run));
            }
        }
        if runs.len() + unfinished.len() == before {
            return Err(Error::Nothing { path: place.clone(), epochs });
        }
    }
    Ok(Found { groups: group(places, runs)?, unfinished })
}

/// A finished run, or none if it is of another length.
fn read_run(source: Source, epochs: Option<u32>) -> Result<Option<RunResult>> {
    let config = source.config()?;
    let mut run = read_config(&config)
        .map_err(|e| Error::File { path: source.dir.join(files::CONFIG), what: e.message().to_owned() })?;
    let at = epochs.filter(|&wanted| wanted != run.spec.epochs);
    let Some(summary) = source.summary(at)? else { return Ok(None) };
    if let Some(shorter) = at {
        run = run.of_epochs(shorter);
    }
    let path = source.place(at).join(files::SUMMARY);
    let number = |value: &Value, what: &str| {
        let lacking = || Error::File { path: path.clone(), what: format!("no {what}") };
        value.as_f64().ok_or_else(lacking)
    };
    let (confusion, predictions) = source.tables(at)?;
    let test = &summary["test"];
    let mut measures = vec![
        ("accuracy".to_owned(), number(&test["accuracy"], "accuracy")?),
        ("loss".to_owned(), number(&test["loss"], "loss")?),
        ("macro F1".to_owned(), number(&test["macro_f1"], "macro_f1")?),
    ];
    let validation = source.validation(&summary)?;
    measures.extend(validation.iter().flat_map(|v| {
        [("validation accuracy", v.accuracy), ("validation loss", v.loss)]
            .map(|(name, v)| (name.to_owned(), v))
    }));
    for (class, scores) in confusion.classes().iter().zip(confusion.per_class()) {
        measures.extend(scores.recall.map(|recall| (format!("recall {class}"), recall)));
    }
    measures.push(("training seconds".to_owned(), number(&summary["train_seconds"], "train_seconds")?));
    let name = summary["name"].as_str().unwrap_or_default().to_owned();
    Ok(Some(RunResult {
        dir: source.dir.clone(),
        name,
        run,
        config,
        measures,
        validation,
        confusion,
        predictions,
        source,
    }))
}

/// A run's lengths: epochs, test accuracy and training seconds, of those scored on the way and its own.
///
/// # Errors
/// When a summary cannot be read.
pub(crate) fn lengths(run: &Source) -> Result<Vec<(u64, f64, f64)>> {
    let mut found = Vec::new();
    for at in run.lengths()? {
        let Some(summary) = run.summary(at)? else { continue };
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let epochs = summary["epochs"].as_u64().unwrap_or(0);
        found.push((epochs, number(&summary["test"]["accuracy"]), number(&summary["train_seconds"])));
    }
    Ok(found)
}
