//! The two-way bootstrap: seeds and test items drawn anew together, with replacement (Owen 2007, "The
//! pigeonhole bootstrap", Annals of Applied Statistics 1:386-411).
//!
//! Outcomes → distinct columns → replicate by replicate: seeds drawn, each column's value under them, items
//! drawn → differences, sorted → interval and p.
//!
//! Its variance is too large by up to twice the part that seeds and items have together, so with many seeds
//! it errs to the safe side; with few it is too small by the factor 1 - 1/seeds for what seeds do alone.

use std::collections::HashMap;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::LEVEL;
use super::outcomes::Outcomes;
use super::summary::{Interval, mean, variance};

/// How many replicates a comparison draws.
pub const REPLICATES: usize = 10_000;

/// A bootstrap of a difference of accuracies, in shares of 1.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bootstrap {
    /// The second model's accuracy less the first's, in the data.
    pub difference: f64,
    /// Mean over the replicates.
    pub mean: f64,
    /// Standard deviation over the replicates.
    pub standard_error: f64,
    /// The 95 % percentile interval: order statistics 0.025 (B + 1) and 0.975 (B + 1) of B replicates.
    pub interval: Interval,
    /// Two-sided: twice the smaller share of replicates on the other side of zero, with one added to
    /// replicates and hits, so it is never zero; ties count.
    pub p: f64,
}

/// Draws `replicates` times with ChaCha8 from `seed`: the same numbers on every machine.
///
/// # Panics
/// When there are fewer than 39 replicates, too few for an interval.
pub fn bootstrap(outcomes: &Outcomes, replicates: usize, seed: u64) -> Bootstrap {
    assert!(replicates >= 39, "{replicates} replicates");
    let columns = Columns::new(outcomes);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut draws: Vec<f64> = (0..replicates).map(|_| columns.draw(&mut rng)).collect();
    draws.sort_by(f64::total_cmp);
    let side = |hits: usize| (hits + 1) as f64 / (replicates + 1) as f64;
    let (below, above) =
        (draws.partition_point(|&d| d <= 0.0), replicates - draws.partition_point(|&d| d < 0.0));
    // In exact arithmetic: 0.025 as a float times 10,001 may fall on either side of 250.
    let tail = (((replicates + 1) as f64 * (1.0 - LEVEL) / 2.0 + 1e-9).floor() as usize).max(1);
    Bootstrap {
        difference: outcomes.difference(),
        mean: mean(&draws),
        standard_error: variance(&draws).sqrt(),
        interval: Interval { low: draws[tail - 1], high: draws[replicates - tail] },
        p: (2.0 * side(below.min(above))).min(1.0),
    }
}

/// Items that every seed treats alike are one: a data set of 10,000 has a few hundred kinds.
struct Columns {
    /// For each kind its entries, arm by arm and seed by seed, times what brings the arms to one denominator:
    /// whole numbers, so that sums are exact and a tie is a tie.
    kinds: Vec<Vec<f64>>,
    /// Each item's kind.
    kind_of: Vec<u32>,
    /// Seeds of each arm.
    seeds: Vec<usize>,
    denominator: f64,
}

impl Columns {
    fn new(outcomes: &Outcomes) -> Self {
        let seeds: Vec<usize> = outcomes.arms.iter().map(Vec::len).collect();
        let product: usize = seeds.iter().product();
        let mut numbers: HashMap<Vec<i8>, u32> = HashMap::new();
        let mut kinds = Vec::new();
        let mut kind_of = Vec::with_capacity(outcomes.items);
        for item in 0..outcomes.items {
            let column: Vec<i8> = outcomes.arms.iter().flatten().map(|row| row[item]).collect();
            let kind = *numbers.entry(column).or_insert_with_key(|column| {
                let factors = seeds.iter().flat_map(|&s| std::iter::repeat_n((product / s) as f64, s));
                kinds.push(column.iter().zip(factors).map(|(&entry, f)| f64::from(entry) * f).collect());
                kinds.len() as u32 - 1
            });
            kind_of.push(kind);
        }
        Self { kinds, kind_of, seeds, denominator: (product * outcomes.items) as f64 }
    }

    /// One replicate's difference.
    fn draw(&self, rng: &mut ChaCha8Rng) -> f64 {
        let mut weights = vec![0.0; self.seeds.iter().sum()];
        let mut first = 0;
        for &seeds in &self.seeds {
            for _ in 0..seeds {
                weights[first + below(rng, seeds as u32) as usize] += 1.0;
            }
            first += seeds;
        }
        let dot = |kind: &Vec<f64>| kind.iter().zip(&weights).map(|(entry, weight)| entry * weight).sum();
        let values: Vec<f64> = self.kinds.iter().map(dot).collect();
        let items = self.kind_of.len();
        let drawn = |_| values[self.kind_of[below(rng, items as u32) as usize] as usize];
        (0..items).map(drawn).sum::<f64>() / self.denominator
    }
}

/// A whole number below `n`, each equally likely (Lemire 2019, "Fast random integer generation in an interval").
fn below(rng: &mut impl Rng, n: u32) -> u32 {
    loop {
        let product = u64::from(rng.next_u32()) * u64::from(n);
        let low = product as u32;
        if low >= n || low >= n.wrapping_neg() % n {
            return (product >> 32) as u32;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_are_drawn_equally_often() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut counts = [0_u32; 7];
        (0..70_000).for_each(|_| counts[below(&mut rng, 7) as usize] += 1);
        // Standard deviation 93.
        assert!(counts.iter().all(|&count| count.abs_diff(10_000) < 400), "{counts:?}");
    }

    #[test]
    fn one_seed_and_the_same_answers() {
        let right = [true, false, true, true];
        let outcomes = Outcomes::paired(&[&right], &[&right]).unwrap();
        let same = bootstrap(&outcomes, 1_000, 0);
        assert_eq!((same.difference, same.interval.low, same.interval.high, same.p), (0.0, 0.0, 0.0, 1.0));
    }

    #[test]
    fn the_seed_decides() {
        let first = [[true, false, true, false, true, true], [true, true, false, false, true, false]];
        let second = [[false, true, true, true, true, true], [true, true, true, false, true, true]];
        let [a, b] = [&first, &second].map(|rows| rows.iter().map(|row| &row[..]).collect::<Vec<_>>());
        let outcomes = Outcomes::paired(&a, &b).unwrap();
        assert_eq!(bootstrap(&outcomes, 500, 7), bootstrap(&outcomes, 500, 7));
        assert_ne!(bootstrap(&outcomes, 500, 7), bootstrap(&outcomes, 500, 8));
    }
}
