//! Two models compared: their runs → every statistic → [a sentence](Comparison::verdict).

use std::collections::BTreeSet;

use thiserror::Error;

use super::bootstrap::{Bootstrap, REPLICATES, bootstrap};
use super::crossed::{Crossed, crossed};
use super::mcnemar::{McNemar, mcnemar};
use super::outcomes::{Outcomes, OutcomesError};
use super::power::Needed;
use super::summary::{Interval, Summary, summarize};
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
    /// The two-way bootstrap.
    pub bootstrap: Bootstrap,
    /// Crossed random effects; none with one seed.
    pub crossed: Option<Crossed>,
}

impl Comparison {
    /// Compares `second` with `first`; pairs by seed if both have the same seeds. `seed` is the bootstrap's.
    ///
    /// # Errors
    /// When a model has no runs or two with the same seed, or runs were tested on different items.
    pub fn new(first: &Group, second: &Group, seed: u64) -> Result<Self, CompareError> {
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
            bootstrap: bootstrap(&outcomes, REPLICATES, seed),
            crossed: crossed(&outcomes),
        })
    }

    /// The second's accuracy less the first's, a share of 1.
    pub fn difference(&self) -> f64 {
        self.bootstrap.difference
    }

    /// The interval that the verdict quotes, a share of 1: what the two-way bootstrap's and the crossed
    /// effects' cover together; with one seed the bootstrap's, which then sees test items alone.
    pub fn interval(&self) -> Interval {
        let bootstrap = self.bootstrap.interval;
        self.crossed.as_ref().map_or(bootstrap, |crossed| bootstrap.hull(crossed.test.interval))
    }

    /// The p that the verdict quotes: the larger of the two.
    pub fn p(&self) -> f64 {
        self.crossed.as_ref().map_or(self.bootstrap.p, |crossed| crossed.test.p.max(self.bootstrap.p))
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
