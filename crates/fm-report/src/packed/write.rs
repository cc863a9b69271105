//! Runs → `runs.npz`.

use std::path::{Path, PathBuf};

use super::arrays::Writing;
use super::{FORMAT, INDEX, Index, IndexedRun, IndexedScores, LOSS, NO_LOSS, Scored};
use crate::error::{Error, Result};
use crate::source::Source;

/// The bytes of a packed file of these runs.
///
/// # Errors
/// [`Error::OtherTest`] when runs were scored on different test sets, and when one cannot be read.
pub fn pack(runs: &[Source]) -> Result<Vec<u8>> {
    let mut packing = Packing::default();
    for run in runs {
        let left = run.left()?;
        let scored = left.scored.iter().map(|scored| packing.add(&run.dir, scored)).collect::<Result<_>>()?;
        let (name, config, epochs) = (left.name.clone(), left.config.clone(), left.epochs.clone());
        packing.runs.push(IndexedRun { name, config, epochs, scored });
    }
    packing.archive().map_err(Error::Pack)
}

/// What the runs so far give together.
#[derive(Default)]
struct Packing {
    runs: Vec<IndexedRun>,
    /// What all must share, with the run that it is from.
    test: Option<(PathBuf, Test)>,
    /// Of the test set, with the first run that has predictions.
    labels: Option<(PathBuf, Vec<u8>)>,
    rows: usize,
    predictions: usize,
    confusion: Vec<u32>,
    predicted: Vec<u8>,
    p_true: Vec<f32>,
    p_predicted: Vec<f32>,
    loss: Vec<u32>,
}

/// A loss as whole millionths.
fn millionths(loss: Option<f64>) -> u32 {
    loss.map_or(NO_LOSS, |loss| ((1e6 * loss).round() as u32).min(NO_LOSS - 1))
}

/// What a run was scored on.
#[derive(PartialEq)]
struct Test {
    data_sha256: String,
    classes: Vec<String>,
}

/// The first to come decides; another must be the same.
fn same<T: PartialEq>(first: &mut Option<(PathBuf, T)>, dir: &Path, value: T) -> Result<()> {
    match first {
        None => *first = Some((dir.to_owned(), value)),
        Some((_, of_first)) if *of_first == value => {}
        Some((first, _)) => {
            return Err(Error::OtherTest { first: first.clone(), second: dir.to_owned() });
        }
    }
    Ok(())
}

impl Packing {
    /// Adds the scores of a run at one of its lengths.
    fn add(&mut self, dir: &Path, scored: &Scored) -> Result<IndexedScores> {
        let Scored { at, summary, confusion, predictions } = scored;
        let data_sha256 = summary["data_sha256"].as_str().unwrap_or_default().to_owned();
        same(&mut self.test, dir, Test { data_sha256, classes: confusion.classes().to_vec() })?;
        self.confusion.extend(confusion.rows().iter().flatten().map(|&count| count as u32));
        let row = self.rows;
        self.rows += 1;
        let mut kept = None;
        if !predictions.is_empty() {
            same(&mut self.labels, dir, predictions.iter().map(|p| p.label).collect())?;
            self.predicted.extend(predictions.iter().map(|p| p.predicted));
            self.p_true.extend(predictions.iter().map(|p| p.p_true as f32));
            self.p_predicted.extend(predictions.iter().map(|p| p.p_predicted as f32));
            self.loss.extend(predictions.iter().map(|p| millionths(p.loss)));
            kept = Some(self.predictions);
            self.predictions += 1;
        }
        Ok(IndexedScores { at: *at, summary: summary.clone(), row, predictions: kept })
    }

    fn archive(self) -> std::io::Result<Vec<u8>> {
        let classes = self.test.map_or(Vec::new(), |(_, test)| test.classes);
        let labels = self.labels.map_or(Vec::new(), |(_, labels)| labels);
        let (n, said) = (classes.len(), [self.predictions, labels.len()]);
        let mut archive = Writing::new(9);
        let index = Index { format: FORMAT, classes, runs: self.runs };
        archive.add(INDEX, &serde_json::to_vec_pretty(&index)?)?;
        archive.add_array("confusion", &[self.rows, n, n], &self.confusion)?;
        archive.add_array("true", &[labels.len()], &labels)?;
        archive.add_array("predicted", &said, &self.predicted)?;
        archive.add_array("p_true", &said, &self.p_true)?;
        archive.add_array("p_predicted", &said, &self.p_predicted)?;
        archive.add_array(LOSS, &said, &self.loss)?;
        archive.finish()
    }
}
