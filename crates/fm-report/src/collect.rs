//! Finished runs on disk → results, grouped.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fm_run::tables::{Confusion, Prediction};
use fm_run::{Identified, files};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::groups::{RunGroup, group};
use crate::lengths::{self, Choice};
use crate::measures::{BRIER, CALIBRATION_ERROR, SECONDS, TEMPERATURE};
use crate::source::{self, Source};
use crate::stats::calibration_error;
use crate::validation::Validation;
use crate::wanted::{Length, Wanted, meets};

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
    /// Names and values: accuracy, loss, macro F1, calibration error, validation accuracy and loss, each class's recall,
    /// training seconds; Brier score and what temperature scaling makes of the run, where its summary has them.
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
        let (run, config) = source.run()?;
        let at = epochs.and_then(|epochs| at(&run, epochs));
        Ok((0, read_run(&FoundRun { place: 0, source, run, config }, at)?))
    };
    group(&[], runs.into_iter().map(read).collect::<Result<_>>()?)
}

/// A finished run that was found.
#[derive(Debug, Clone)]
pub(crate) struct FoundRun {
    /// The number of its place.
    pub(crate) place: usize,
    pub(crate) source: Source,
    /// What it is, at its own length.
    pub(crate) run: Identified,
    config: String,
}

/// Finds the finished runs in `places`, see [`sources`](crate::sources()), and groups those that are wanted.
///
/// # Errors
/// When a place holds no run that is wanted, a file cannot be read, one seed would stand twice in a group, or lengths are to
/// be chosen by validation scores and there are none.
pub fn collect(places: &[PathBuf], wanted: &Wanted) -> Result<Found> {
    let (mut finished, mut unfinished) = (Vec::new(), Vec::new());
    let epochs = if let Length::Epochs(epochs) = wanted.length { Some(epochs) } else { None };
    for (place, path) in places.iter().enumerate() {
        let before = (finished.len(), unfinished.len());
        let (done, others) = source::finished(path)?;
        unfinished.extend(others);
        for source in done {
            let (run, config) = source.run()?;
            let there = epochs.is_none_or(|wanted| at(&run, wanted).is_none_or(|at| source.scored_at(at)));
            if there && meets(&wanted.conditions, &source, &run) {
                finished.push(FoundRun { place, source, run, config });
            }
        }
        // A condition may leave out a whole place.
        if (finished.len(), unfinished.len()) == before && wanted.conditions.is_empty() {
            return Err(Error::Nothing { path: path.clone(), epochs });
        }
    }
    if finished.is_empty() && unfinished.is_empty() {
        return Err(Error::NoneSo { path: places.first().cloned().unwrap_or_default() });
    }
    let Choice { taken, lengths } = if wanted.length == Length::BestValidation {
        lengths::best(&finished)?
    } else {
        let at = |run: &Identified| epochs.and_then(|epochs| at(run, epochs));
        let taken = finished.iter().map(|found| (found, at(&found.run))).collect();
        Choice { taken, lengths: BTreeMap::new() }
    };
    let read = |(found, at): (&FoundRun, Option<u32>)| Ok((found.place, read_run(found, at)?));
    let mut groups = group(places, taken.iter().copied().map(read).collect::<Result<_>>()?)?;
    let keys: BTreeMap<&Path, String> =
        taken.iter().map(|(found, _)| (&*found.source.dir, lengths::key(found))).collect();
    for group in &mut groups {
        let key = group.runs.first().and_then(|run| keys.get(&*run.dir));
        group.chosen = key.and_then(|key| lengths.get(key)).cloned();
    }
    Ok(Found { groups, unfinished })
}

/// Where a run of so many epochs is found in a run: its own scores (`None`), or those on the way.
fn at(run: &Identified, epochs: u32) -> Option<u32> {
    Some(epochs).filter(|&wanted| wanted != run.spec.epochs)
}

/// A finished run at a length at which it was scored.
fn read_run(found: &FoundRun, at: Option<u32>) -> Result<RunResult> {
    let FoundRun { source, config, .. } = found;
    let run = at.map_or_else(|| found.run.clone(), |shorter| found.run.of_epochs(shorter));
    let lacking = || Error::Nothing { path: source.dir.clone(), epochs: at };
    let summary = source.summary(at)?.ok_or_else(lacking)?;
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
    if !predictions.is_empty() {
        let said: Vec<(f64, bool)> = predictions.iter().map(Prediction::certainty).collect();
        measures.push((CALIBRATION_ERROR.to_owned(), calibration_error(&said)));
    }
    let validation = source.validation(&summary)?;
    measures.extend(validation.iter().flat_map(|v| {
        [("validation accuracy", v.accuracy), ("validation loss", v.loss)]
            .map(|(name, v)| (name.to_owned(), v))
    }));
    measures.extend(recalls(&confusion));
    measures.push((SECONDS.to_owned(), number(&summary["train_seconds"], "train_seconds")?));
    // Last: earlier versions wrote none of them.
    let scaled = &summary["temperature_scaled"];
    let newer = [test["brier"].as_f64()].into_iter().zip([BRIER]);
    let fitted = ["temperature", "loss", "calibration_error"].map(|key| scaled[key].as_f64());
    for (value, name) in newer.chain(fitted.into_iter().zip(TEMPERATURE)) {
        measures.extend(value.map(|value| (name.to_owned(), value)));
    }
    let name = summary["name"].as_str().unwrap_or_default().to_owned();
    Ok(RunResult {
        dir: source.dir.clone(),
        name,
        run,
        config: config.clone(),
        measures,
        validation,
        confusion,
        predictions,
        source: source.clone(),
    })
}

/// Each class's recall, as a measure.
pub(crate) fn recalls(confusion: &Confusion) -> impl Iterator<Item = (String, f64)> {
    let named = confusion.classes().iter().zip(confusion.per_class());
    named.filter_map(|(class, scores)| Some((format!("recall {class}"), scores.recall?)))
}

/// A run's scores on the test set at one of its lengths.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ScoredAt {
    pub(crate) epochs: u64,
    /// A share of 1.
    pub(crate) accuracy: f64,
    pub(crate) loss: f64,
    /// Of training until then.
    pub(crate) seconds: f64,
}

/// A run's lengths: those scored on the way and its own.
///
/// # Errors
/// When a summary cannot be read.
pub(crate) fn lengths(run: &Source) -> Result<Vec<ScoredAt>> {
    let mut found = Vec::new();
    for at in run.lengths()? {
        let Some(summary) = run.summary(at)? else { continue };
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        found.push(ScoredAt {
            epochs: summary["epochs"].as_u64().unwrap_or(0),
            accuracy: number(&summary["test"]["accuracy"]),
            loss: number(&summary["test"]["loss"]),
            seconds: number(&summary["train_seconds"]),
        });
    }
    Ok(found)
}
