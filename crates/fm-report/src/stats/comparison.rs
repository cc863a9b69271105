//! Two models compared: their runs → every statistic → [a verdict](Comparison::judge).

use std::collections::BTreeSet;

use thiserror::Error;

use super::crossed::{Crossed, crossed, items_alone};
use super::mcnemar::{McNemar, mcnemar};
use super::outcomes::{Outcomes, OutcomesError};
use super::power::Needed;
use super::summary::{Summary, summarize};
use super::t_test::{TTest, paired_t, welch};

/// A model's runs, one for each seed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What to call it.
    pub name: String,
    /// Its runs.
    pub runs: Vec<Run>,
}

/// One run's answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The seed.
    pub seed: u64,
    /// For each test item whether it was classified correctly.
    pub correct: Vec<bool>,
}

/// Runs that cannot be compared.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CompareError {
    /// Two runs of one model with the same seed are one run.
    #[error("{name} has two runs with seed {seed}")]
    SameSeed {
        /// The model.
        name: String,
        /// The seed.
        seed: u64,
    },
    /// See there.
    #[error(transparent)]
    Outcomes(#[from] OutcomesError),
}

/// Everything that is known of the difference of two models' accuracies, in shares of 1, second less first.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// The models' names.
    pub names: [String; 2],
    /// Their accuracies over seeds.
    pub accuracies: [Summary; 2],
    /// Whether both have the same seeds, and are paired by them.
    pub paired: bool,
    /// The paired t test over seeds; none if they are not paired or there is one only.
    pub paired_t: Option<TTest>,
    /// Welch's t test over seeds, which pairs nothing.
    pub welch: Option<TTest>,
    /// By seed McNemar's test of the two runs; empty if they are not paired.
    pub mcnemar: Vec<(u64, McNemar)>,
    /// Crossed random effects: other seeds and other test items; none with one seed.
    pub crossed: Option<Crossed>,
    /// Other test items alone, these seeds taken as given.
    pub items: TTest,
}

impl Comparison {
    /// Compares `second` with `first`; pairs by seed if both have the same seeds, otherwise takes all runs of both.
    ///
    /// # Errors
    /// When a model has no runs or two with the same seed, or runs were tested on different items.
    pub fn new(first: &Group, second: &Group) -> Result<Self, CompareError> {
        let groups = [sorted(first)?, sorted(second)?];
        let seeds = groups.each_ref().map(|runs| runs.iter().map(|run| run.seed).collect::<Vec<_>>());
        let rows = groups.each_ref().map(|runs| runs.iter().map(|run| &run.correct[..]).collect::<Vec<_>>());
        let paired = seeds[0] == seeds[1];
        let outcomes = if paired { Outcomes::paired } else { Outcomes::unpaired }(&rows[0], &rows[1])?;
        let accuracies = rows.each_ref().map(|rows| rows.iter().map(|row| share(row)).collect::<Vec<_>>());
        let [Some(a), Some(b)] = accuracies.each_ref().map(|values| summarize(values)) else {
            return Err(OutcomesError::Empty.into());
        };
        let tests = rows[0].iter().zip(&rows[1]).map(|(a, b)| mcnemar(a, b));
        Ok(Self {
            names: [first.name.clone(), second.name.clone()],
            accuracies: [a, b],
            paired,
            paired_t: if paired { paired_t(&accuracies[0], &accuracies[1]) } else { None },
            welch: welch(&accuracies[0], &accuracies[1]),
            mcnemar: if paired { seeds[0].iter().copied().zip(tests).collect() } else { Vec::new() },
            crossed: crossed(&outcomes),
            items: items_alone(&outcomes),
        })
    }

    /// What the verdict rests on: crossed random effects; with one seed the noise of test items alone.
    pub fn test(&self) -> TTest {
        self.crossed.as_ref().map_or(self.items, |crossed| crossed.test)
    }

    /// The second's accuracy less the first's, a share of 1.
    pub fn difference(&self) -> f64 {
        self.items.difference
    }

    /// How many seeds of each model would tell; none with one seed, which says nothing of others.
    pub fn seeds_needed(&self) -> Option<Needed> {
        self.crossed.as_ref().map(Crossed::seeds_needed)
    }
}

fn sorted(group: &Group) -> Result<Vec<&Run>, CompareError> {
    let mut seen = BTreeSet::new();
    if let Some(run) = group.runs.iter().find(|run| !seen.insert(run.seed)) {
        return Err(CompareError::SameSeed { name: group.name.clone(), seed: run.seed });
    }
    let mut runs: Vec<&Run> = group.runs.iter().collect();
    runs.sort_by_key(|run| run.seed);
    Ok(runs)
}

fn share(correct: &[bool]) -> f64 {
    correct.iter().filter(|&&right| right).count() as f64 / correct.len() as f64
}
