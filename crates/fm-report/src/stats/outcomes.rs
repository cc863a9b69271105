//! Right or wrong by seed and item, in the form that both two-way methods take.
//!
//! The difference of two models' accuracies is a sum of one or two *arms*. Seeds that pair (the same seeds
//! trained both models) make one arm: its entries are the differences by seed and item, -1, 0 or 1. Seeds
//! that do not make two: the second model's entries, 0 or 1, and the first's with a minus.

use thiserror::Error;

/// Entries by seed and item; the mean over both is the arm's part of the difference.
pub(crate) type Arm = Vec<Vec<i8>>;

/// Two models' results on the same items.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcomes {
    pub(crate) arms: Vec<Arm>,
    pub(crate) items: usize,
}

/// Results that cannot be compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum OutcomesError {
    /// A model without runs, or runs without items.
    #[error("no results to compare")]
    Empty,
    /// Runs that were tested on different items.
    #[error("runs were tested on {0} and on {1} items")]
    ItemsDiffer(usize, usize),
    /// Paired runs that are not equally many.
    #[error("{0} and {1} runs cannot be paired")]
    Unpaired(usize, usize),
}

impl Outcomes {
    /// Row by row, the two were trained with the same seed. `true` is right.
    ///
    /// # Errors
    /// When rows are missing or of different lengths.
    pub fn paired(first: &[&[bool]], second: &[&[bool]]) -> Result<Self, OutcomesError> {
        let items = check(first, second)?;
        if first.len() != second.len() {
            return Err(OutcomesError::Unpaired(first.len(), second.len()));
        }
        let row = |(a, b): (&&[bool], &&[bool])| {
            a.iter().zip(*b).map(|(&a, &b)| i8::from(b) - i8::from(a)).collect()
        };
        Ok(Self { arms: vec![first.iter().zip(second).map(row).collect()], items })
    }

    /// Any seeds on either side.
    ///
    /// # Errors
    /// When rows are missing or of different lengths.
    pub fn unpaired(first: &[&[bool]], second: &[&[bool]]) -> Result<Self, OutcomesError> {
        let items = check(first, second)?;
        let arm = |rows: &[&[bool]], sign: i8| {
            rows.iter().map(|row| row.iter().map(|&right| sign * i8::from(right)).collect()).collect()
        };
        Ok(Self { arms: vec![arm(first, -1), arm(second, 1)], items })
    }

    /// The second model's accuracy less the first's, a share of 1.
    pub fn difference(&self) -> f64 {
        let mean = |arm: &Arm| sum(arm.iter().flatten()) as f64 / (arm.len() * self.items) as f64;
        self.arms.iter().map(mean).sum()
    }
}

fn sum<'a>(entries: impl Iterator<Item = &'a i8>) -> i64 {
    entries.map(|&entry| i64::from(entry)).sum()
}

/// How many items every row has.
fn check(first: &[&[bool]], second: &[&[bool]]) -> Result<usize, OutcomesError> {
    let items = first.first().map_or(0, |row| row.len());
    if items == 0 || second.is_empty() {
        return Err(OutcomesError::Empty);
    }
    match first.iter().chain(second).find(|row| row.len() != items) {
        Some(other) => Err(OutcomesError::ItemsDiffer(items, other.len())),
        None => Ok(items),
    }
}
