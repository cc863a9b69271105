//! Crossed random effects: the variance of a mean over seeds and test items, or of a difference of two, split into what
//! other seeds and what other test items would change, and a t interval from it.
//!
//! By the method of moments: the variance of the seeds' means divided by `S` seeds, plus that of the items' means divided
//! by `N` items, minus the residual variance divided by `S N`, which both contain. Each of the first two is at least the
//! residual's share. Degrees of freedom are Satterthwaite's.

use super::outcomes::{Arm, Outcomes};
use super::summary::{mean, variance};
use super::t_test::{TTest, satterthwaite};

/// Crossed random effects of a mean or of a difference, in its unit: of accuracies in shares of 1.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossed {
    /// Difference, standard error, p and 95 % interval.
    pub test: TTest,
    /// For each arm the variance of its seeds' means, and how many seeds it has.
    pub seed_variances: Vec<(f64, usize)>,
    /// What of the difference's variance remains however many seeds there are.
    pub item_variance: f64,
    /// How many test items.
    pub items: usize,
}

/// Computes it; none when a model has fewer than two seeds or there are fewer than two items.
pub fn crossed(outcomes: &Outcomes) -> Option<Crossed> {
    let sums: Vec<Sums> = outcomes.arms.iter().map(|arm| Sums::of(arm, outcomes.items)).collect();
    of_sums(&sums.iter().collect::<Vec<_>>())
}

/// The same from each arm's sums.
pub(crate) fn of_sums(arms: &[&Sums]) -> Option<Crossed> {
    let items = arms.first()?.columns.len();
    let n = items as f64;
    let (mut item_means, mut seed_variances) = (vec![0.0; items], Vec::new());
    let (mut shared, mut difference) = (0.0, 0.0);
    for arm in arms {
        let Variances { seeds, remainder, .. } = arm.variances()?;
        shared += remainder / (arm.rows.len() as f64 * n);
        seed_variances.push((seeds.max(remainder / n), arm.rows.len()));
        item_means.iter_mut().zip(arm.item_means()).for_each(|(total, mean)| *total += mean);
        difference += mean(&arm.rows);
    }
    let item_variance = (variance(&item_means) / n - shared).max(0.0);
    let test = t_test(difference, &seed_variances, item_variance, n);
    Some(Crossed { test, seed_variances, item_variance, items })
}

/// The same of any numbers: by arm, by seed and by item. The mean is that of the arms' sum.
#[must_use]
pub fn crossed_values(arms: &[Vec<Vec<f64>>]) -> Option<Crossed> {
    let items = arms.first()?.first()?.len();
    let sums = |arm: &Vec<Vec<f64>>| {
        let mut sums = Sums::new(items);
        for row in arm {
            sums.push(row.iter().copied());
        }
        sums
    };
    let sums: Vec<Sums> = arms.iter().map(sums).collect();
    of_sums(&sums.iter().collect::<Vec<_>>())
}

/// What the analysis of variance needs of an arm's entries; seeds can be added.
#[derive(Debug, Clone)]
pub(crate) struct Sums {
    /// By seed the mean over items.
    pub(crate) rows: Vec<f64>,
    /// By item the sum over seeds.
    columns: Vec<f64>,
    /// Sum of the entries' squares.
    squares: f64,
}

/// Mean squares of an arm's two-way analysis of variance, each as a variance.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Variances {
    /// Of seeds' means over items.
    pub(crate) seeds: f64,
    /// Of items' means over seeds.
    pub(crate) items: f64,
    /// Of what seed and item leave unexplained of an entry.
    pub(crate) remainder: f64,
}

impl Sums {
    pub(crate) fn new(items: usize) -> Self {
        Self { rows: Vec::new(), columns: vec![0.0; items], squares: 0.0 }
    }

    fn of(arm: &Arm, items: usize) -> Self {
        let mut sums = Self::new(items);
        for row in arm {
            sums.push(row.iter().copied().map(f64::from));
        }
        sums
    }

    /// Adds a seed's entries, one for each item.
    pub(crate) fn push(&mut self, row: impl Iterator<Item = f64>) {
        let mut sum = 0.0;
        for (column, entry) in self.columns.iter_mut().zip(row) {
            *column += entry;
            sum += entry;
            self.squares += entry * entry;
        }
        self.rows.push(sum / self.columns.len() as f64);
    }

    fn item_means(&self) -> impl Iterator<Item = f64> {
        let seeds = self.rows.len() as f64;
        self.columns.iter().map(move |&sum| sum / seeds)
    }

    /// None with fewer than two seeds or items.
    pub(crate) fn variances(&self) -> Option<Variances> {
        let (s, n) = (self.rows.len() as f64, self.columns.len() as f64);
        if s < 2.0 || n < 2.0 {
            return None;
        }
        let (seeds, items) = (variance(&self.rows), variance(&self.item_means().collect::<Vec<_>>()));
        // Sums of squares: total = seeds + items + rest.
        let total = self.squares - n * s * mean(&self.rows).powi(2);
        let rest = total - n * (s - 1.0) * seeds - s * (n - 1.0) * items;
        Some(Variances { seeds, items, remainder: (rest / ((s - 1.0) * (n - 1.0))).max(0.0) })
    }
}

/// A t test of the difference over test items alone, the seeds taken as given.
pub fn items_alone(outcomes: &Outcomes) -> TTest {
    let mut differences = vec![0.0; outcomes.items];
    for arm in &outcomes.arms {
        let sums = Sums::of(arm, outcomes.items);
        differences.iter_mut().zip(sums.item_means()).for_each(|(sum, mean)| *sum += mean);
    }
    let n = outcomes.items as f64;
    let spread = if outcomes.items > 1 { variance(&differences) } else { f64::INFINITY };
    TTest::new(outcomes.difference(), (spread / n).sqrt(), (n - 1.0).max(1.0))
}

fn t_test(difference: f64, seed_variances: &[(f64, usize)], item_variance: f64, items: f64) -> TTest {
    let seeds = seed_variances.iter().map(|&(variance, n)| (variance / n as f64, n as f64 - 1.0));
    let parts: Vec<(f64, f64)> = seeds.chain([(item_variance, items - 1.0)]).collect();
    let variance: f64 = parts.iter().map(|part| part.0).sum();
    TTest::new(difference, variance.sqrt(), satterthwaite(&parts))
}

impl Crossed {
    /// Standard error and degrees of freedom if there were `seeds` of each model and variances over seeds were `factor`
    /// times as large, as far as these data tell.
    pub(crate) fn with_seeds(&self, seeds: u32, factor: f64) -> (f64, f64) {
        let variances: Vec<_> =
            self.seed_variances.iter().map(|&(variance, _)| (factor * variance, seeds as usize)).collect();
        let test = t_test(self.test.difference, &variances, self.item_variance, self.items as f64);
        (test.standard_error, test.df)
    }
}
