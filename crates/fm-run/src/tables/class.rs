//! Scores of each class from a matrix of counts, and `per_class.csv`.

use super::{Cells, ReadError, Record};
use crate::store::decimals;

/// The scores of a class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClassScores {
    /// Of those predicted to be of the class, the share that are; none if none was predicted.
    pub precision: Option<f64>,
    /// Of those of the class, the share found; none if the class has no image.
    pub recall: Option<f64>,
    /// Harmonic mean of the two; none if the class neither occurs nor is predicted.
    pub f1: Option<f64>,
    /// Images of the class.
    pub support: u64,
}

/// The scores of each class from counts `[true][predicted]`, square.
#[must_use]
pub fn class_scores<R: AsRef<[u64]>>(counts: &[R]) -> Vec<ClassScores> {
    let scores = |(class, row): (usize, &R)| {
        let row = row.as_ref();
        let (hits, support) = (row[class], row.iter().sum());
        let predicted: u64 = counts.iter().map(|row| row.as_ref()[class]).sum();
        let f1 = share(2 * hits, support + predicted);
        ClassScores { precision: share(hits, predicted), recall: share(hits, support), f1, support }
    };
    counts.iter().enumerate().map(scores).collect()
}

/// Mean F1 over the classes that have one; not a number where none has.
#[must_use]
pub fn macro_f1(classes: &[ClassScores]) -> f64 {
    let f1: Vec<f64> = classes.iter().filter_map(|class| class.f1).collect();
    f1.iter().sum::<f64>() / f1.len() as f64
}

/// A part of a whole; none of nothing.
pub(super) fn share(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

/// A row of `per_class.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassRow {
    /// The class's name.
    pub class: String,
    /// Its scores.
    pub scores: ClassScores,
}

impl Record for ClassRow {
    const HEADER: &'static [&'static str] = &["class", "precision", "recall", "f1", "support"];

    fn cells(&self, _: usize) -> Vec<String> {
        let ClassScores { precision, recall, f1, support } = self.scores;
        let mut cells = vec![self.class.clone()];
        cells.extend([precision, recall, f1].map(|share| decimals(share, 6)));
        cells.push(support.to_string());
        cells
    }

    fn of(cells: &Cells<'_>, _: usize) -> Result<Self, ReadError> {
        let scores = ClassScores {
            precision: cells.optional("precision")?,
            recall: cells.optional("recall")?,
            f1: cells.optional("f1")?,
            support: cells.value("support", "a count")?,
        };
        Ok(Self { class: cells.text("class")?.to_owned(), scores })
    }
}
