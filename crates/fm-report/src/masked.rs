//! The same runs scored on some of the test images: what a mask leaves out is left out of every measure.

use std::collections::BTreeSet;

use fm_run::tables::{Confusion, Prediction, macro_f1};

use crate::collect::{RunResult, recalls};
use crate::error::{Error, Result};
use crate::groups::RunGroup;
use crate::measures::CALIBRATION_ERROR;
use crate::stats::calibration_error;

/// Groups with accuracy, loss, macro F1, calibration error and recalls of the test images that are not left out, by what
/// each run predicted; measures that its predictions do not give are not there.
///
/// # Errors
/// [`Error::NoPredictions`] where a run has kept none, [`Error::NothingLeft`] where no image is left.
pub fn masked(groups: &[RunGroup], left_out: &BTreeSet<usize>) -> Result<Vec<RunGroup>> {
    let group = |group: &RunGroup| {
        let runs = group.runs.iter().map(|run| without(run, left_out)).collect::<Result<_>>()?;
        Ok(RunGroup { runs, ..group.clone() })
    };
    groups.iter().map(group).collect()
}

fn without(run: &RunResult, left_out: &BTreeSet<usize>) -> Result<RunResult> {
    if run.predictions.is_empty() {
        return Err(Error::NoPredictions { path: run.dir.clone(), epochs: run.run.spec.epochs });
    }
    let kept = run.predictions.iter().enumerate().filter(|(row, _)| !left_out.contains(row));
    let predictions: Vec<Prediction> = kept.map(|(_, prediction)| *prediction).collect();
    if predictions.is_empty() {
        return Err(Error::NothingLeft);
    }
    let classes = run.confusion.classes().to_vec();
    let mut counts = vec![vec![0; classes.len()]; classes.len()];
    for said in &predictions {
        counts[usize::from(said.label)][usize::from(said.predicted)] += 1;
    }
    let bad = |e: fm_run::tables::NotSquare| Error::File { path: run.dir.clone(), what: e.to_string() };
    let confusion = Confusion::new(classes, counts).map_err(bad)?;
    let n = predictions.len() as f64;
    // Tables of earlier versions have no losses, and a probability of 0.000000 does not give one back.
    let losses: Option<Vec<f64>> = predictions.iter().map(|said| said.loss).collect();
    let said: Vec<(f64, bool)> = predictions.iter().map(Prediction::certainty).collect();
    let mut measures: Vec<(String, f64)> =
        confusion.accuracy().map(|share| ("accuracy".to_owned(), share)).into_iter().collect();
    measures.extend(losses.map(|losses| ("loss".to_owned(), losses.iter().sum::<f64>() / n)));
    measures.extend([
        ("macro F1".to_owned(), macro_f1(&confusion.per_class())),
        (CALIBRATION_ERROR.to_owned(), calibration_error(&said)),
    ]);
    measures.extend(recalls(&confusion));
    Ok(RunResult { measures, confusion, predictions, ..run.clone() })
}
