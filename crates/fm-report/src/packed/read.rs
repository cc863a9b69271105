//! `runs.npz` → runs.

use std::path::Path;

use fm_run::tables::{Confusion, Prediction};

use super::arrays::Reading;
use super::{FORMAT, INDEX, Index, IndexedScores, LOSS, Left, NO_LOSS, Scored};
use crate::error::{Error, Result};

/// The runs in the bytes of a packed file.
///
/// # Errors
/// When it is none, is of a later format, or its parts do not fit together.
pub(crate) fn decode(path: &Path, bytes: &[u8]) -> Result<Vec<Left>> {
    runs(bytes).map_err(|what| Error::File { path: path.to_owned(), what })
}

fn runs(bytes: &[u8]) -> Result<Vec<Left>, String> {
    let mut archive = Reading::new(bytes)?;
    let index = archive.get(INDEX)?;
    let format: serde_json::Value = serde_json::from_slice(&index).map_err(|e| format!("{INDEX}: {e}"))?;
    if format["format"].as_u64().is_some_and(|format| format > u64::from(FORMAT)) {
        return Err(format!("format {}, this build reads up to {FORMAT}", format["format"]));
    }
    let index: Index = serde_json::from_value(format).map_err(|e| format!("{INDEX}: {e}"))?;
    let arrays = Arrays::read(&mut archive, index.classes)?;
    let run = |run: super::IndexedRun| {
        let scored = run.scored.into_iter().map(|scores| arrays.scored(scores)).collect::<Result<_, _>>()?;
        Ok(Left { name: run.name, config: run.config, epochs: run.epochs, scored })
    };
    index.runs.into_iter().map(run).collect()
}

/// What all runs have together.
struct Arrays {
    classes: Vec<String>,
    confusion: Vec<u32>,
    labels: Vec<u8>,
    predicted: Vec<u8>,
    p_true: Vec<f32>,
    p_predicted: Vec<f32>,
    /// Empty where the file has none.
    loss: Vec<u32>,
}

impl Arrays {
    fn read(archive: &mut Reading<'_>, classes: Vec<String>) -> Result<Self, String> {
        let n = classes.len();
        let (shape, confusion) = archive.array("confusion")?;
        expect("confusion", &shape, &[shape.first().copied().unwrap_or(0), n, n])?;
        let (shape, labels) = archive.array("true")?;
        expect("true", &shape, &[labels.len()])?;
        let (said, predicted) = archive.array("predicted")?;
        expect("predicted", &said, &[said.first().copied().unwrap_or(0), labels.len()])?;
        let mut shares = |name: &str| {
            let (shape, values) = archive.array(name)?;
            expect(name, &shape, &said).map(|()| values)
        };
        let (p_true, p_predicted) = (shares("p_true")?, shares("p_predicted")?);
        let mut loss = Vec::new();
        if archive.has(LOSS) {
            let (shape, values) = archive.array(LOSS)?;
            expect(LOSS, &shape, &said)?;
            loss = values;
        }
        Ok(Self { classes, confusion, labels, predicted, p_true, p_predicted, loss })
    }

    /// The scores of a length.
    fn scored(
        &self,
        IndexedScores { at, summary, row, predictions }: IndexedScores,
    ) -> Result<Scored, String> {
        let n = self.classes.len();
        let counts =
            part(&self.confusion, row, n * n).ok_or_else(|| format!("confusion has no row {row}"))?;
        let counts = counts.chunks(n.max(1)).map(|row| row.iter().map(|&count| u64::from(count)).collect());
        let confusion =
            Confusion::new(self.classes.clone(), counts.collect()).map_err(|e| format!("confusion: {e}"))?;
        let predictions = predictions.map(|row| self.predictions(row)).transpose()?.unwrap_or_default();
        Ok(Scored { at, summary, confusion, predictions })
    }

    fn predictions(&self, row: usize) -> Result<Vec<Prediction>, String> {
        let images = self.labels.len();
        let lacking = || format!("predicted has no row {row}");
        let predicted = part(&self.predicted, row, images).ok_or_else(lacking)?;
        let p_true = part(&self.p_true, row, images).ok_or_else(lacking)?;
        let p_predicted = part(&self.p_predicted, row, images).ok_or_else(lacking)?;
        let loss = part(&self.loss, row, images).unwrap_or_default();
        let prediction = |image: usize| Prediction {
            label: self.labels[image],
            predicted: predicted[image],
            p_true: decimal(p_true[image]),
            p_predicted: decimal(p_predicted[image]),
            loss: loss.get(image).filter(|loss| **loss != NO_LOSS).map(|&loss| f64::from(loss) / 1e6),
        };
        Ok((0..images).map(prediction).collect())
    }
}

/// A share of six decimals, of which a `float32` keeps every one.
fn decimal(share: f32) -> f64 {
    (f64::from(share) * 1e6).round() / 1e6
}

/// Row `row` of rows of a length.
fn part<T>(values: &[T], row: usize, length: usize) -> Option<&[T]> {
    let start = row.checked_mul(length)?;
    values.get(start..start.checked_add(length)?)
}

fn expect(name: &str, shape: &[usize], expected: &[usize]) -> Result<(), String> {
    if shape == expected { Ok(()) } else { Err(format!("{name} is {shape:?}, expected {expected:?}")) }
}
