//! Crossed random effects: the variance of a difference of accuracies, split into what other seeds and what
//! other test items would change, and a t interval from it.
//!
//! By the method of moments: the variance of seeds' means over `S` seeds, plus that of items' means over `N`
//! items, less that of what remains over `S N`, which both contain; neither can be less than that remainder
//! makes it. Degrees of freedom are Satterthwaite's.

use super::outcomes::{Arm, Outcomes, sum};
use super::summary::{mean, variance};
use super::t_test::{TTest, satterthwaite};

/// Crossed random effects of a difference of accuracies, in shares of 1.
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
    let n = outcomes.items as f64;
    if outcomes.items < 2 || outcomes.arms.iter().any(|arm| arm.len() < 2) {
        return None;
    }
    let mut item_means = vec![0.0; outcomes.items];
    let (mut seed_variances, mut shared) = (Vec::new(), 0.0);
    for arm in &outcomes.arms {
        let seeds = arm.len() as f64;
        let rows: Vec<f64> = arm.iter().map(|row| sum(row.iter()) as f64 / n).collect();
        let columns = columns(arm, outcomes.items);
        let (by_seed, by_item) = (variance(&rows), variance(&columns));
        // Sums of squares: total = seeds + items + rest.
        let middle = mean(&rows);
        // Entries are -1, 0 or 1: the sum of their squares is the number of those that are not 0.
        let counted: usize = arm.iter().map(|row| row.iter().filter(|entry| **entry != 0).count()).sum();
        let total = counted as f64 - n * seeds * middle * middle;
        let rest = total - n * (seeds - 1.0) * by_seed - seeds * (n - 1.0) * by_item;
        let remainder = (rest / ((seeds - 1.0) * (n - 1.0))).max(0.0);
        shared += remainder / (seeds * n);
        seed_variances.push((by_seed.max(remainder / n), arm.len()));
        item_means.iter_mut().zip(columns).for_each(|(total, mean)| *total += mean);
    }
    let item_variance = (variance(&item_means) / n - shared).max(0.0);
    let test = t_test(outcomes.difference(), &seed_variances, item_variance, n);
    Some(Crossed { test, seed_variances, item_variance, items: outcomes.items })
}

/// The mean over seeds of each item, row by row: columns lie far apart in memory.
fn columns(arm: &Arm, items: usize) -> Vec<f64> {
    let mut sums = vec![0_i32; items];
    for row in arm {
        sums.iter_mut().zip(row).for_each(|(sum, &entry)| *sum += i32::from(entry));
    }
    sums.into_iter().map(|sum| f64::from(sum) / arm.len() as f64).collect()
}

/// A t test of the difference over test items alone, the seeds taken as given.
pub fn items_alone(outcomes: &Outcomes) -> TTest {
    let mut differences = vec![0.0; outcomes.items];
    for arm in &outcomes.arms {
        differences.iter_mut().zip(columns(arm, outcomes.items)).for_each(|(sum, mean)| *sum += mean);
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
    /// Standard error and degrees of freedom if there were `seeds` of each model, as far as these data tell.
    pub(crate) fn with_seeds(&self, seeds: u32) -> (f64, f64) {
        let variances: Vec<_> =
            self.seed_variances.iter().map(|&(variance, _)| (variance, seeds as usize)).collect();
        let test = t_test(self.test.difference, &variances, self.item_variance, self.items as f64);
        (test.standard_error, test.df)
    }
}
