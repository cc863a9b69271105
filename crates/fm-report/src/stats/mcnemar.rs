//! McNemar's test: two models on the same items, told apart by the items that only one gets right.
//!
//! It takes both models as given: it speaks of other test items, not of other seeds.

use statrs::function::gamma::ln_gamma;

/// McNemar's test of two predictions of the same items.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct McNemar {
    /// Items that only the first gets right.
    pub only_first: u64,
    /// Items that only the second gets right.
    pub only_second: u64,
    /// Two-sided p of the exact conditional test (binomial, one half): never too small, often too large.
    pub exact: f64,
    /// The mid-p of it, which is closer to its level (Fagerland, Lydersen & Laake 2013, "The McNemar test
    /// for binary matched-pairs data", BMC Medical Research Methodology 13:91).
    pub mid: f64,
}

/// Tests whether two models are right equally often; item by item, `true` is right.
///
/// # Panics
/// When the two are not equally long: a bug of the caller.
pub fn mcnemar(first: &[bool], second: &[bool]) -> McNemar {
    assert_eq!(first.len(), second.len(), "the same items");
    let pairs = || first.iter().zip(second);
    let only_first = pairs().filter(|(a, b)| **a && !**b).count() as u64;
    let only_second = pairs().filter(|(a, b)| !**a && **b).count() as u64;
    McNemar::from_counts(only_first, only_second)
}

impl McNemar {
    /// From the numbers of items that only one gets right.
    pub fn from_counts(only_first: u64, only_second: u64) -> Self {
        let (n, fewer) = (only_first + only_second, only_first.min(only_second));
        let point = half_binomial(n, fewer);
        let (exact, mid) = match (n, only_first == only_second) {
            (0, _) => (1.0, 1.0),
            (_, true) => (1.0, 1.0 - 0.5 * point),
            (_, false) => {
                let exact = 2.0 * half_binomial_below(n, fewer, point);
                (exact, exact - point)
            }
        };
        Self { only_first, only_second, exact, mid }
    }
}

/// The probability of `k` heads in `n` throws.
fn half_binomial(n: u64, k: u64) -> f64 {
    let (n, k) = (n as f64, k as f64);
    let ln_choose = ln_gamma(n + 1.0) - ln_gamma(k + 1.0) - ln_gamma(n - k + 1.0);
    (ln_choose - n * std::f64::consts::LN_2).exp()
}

/// The probability of at most `k`, whose own is `point`: terms fall from there, until they no longer count.
fn half_binomial_below(n: u64, k: u64, point: f64) -> f64 {
    let (mut sum, mut term) = (point, point);
    for i in (1..=k).rev() {
        term *= i as f64 / (n - i + 1) as f64;
        sum += term;
        if term < 1e-18 * sum {
            break;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_the_items_that_only_one_gets_right() {
        let first = [true, true, true, false, false, true];
        let second = [true, false, false, true, false, false];
        let test = mcnemar(&first, &second);
        assert_eq!((test.only_first, test.only_second), (3, 1));
        // 2 (1 + 4) / 16, and less 4 / 16.
        assert!((test.exact - 0.625).abs() < 1e-12 && (test.mid - 0.375).abs() < 1e-12, "{test:?}");
    }

    #[test]
    fn published_example_and_ties() {
        // Bentur et al. 2009, as in Fagerland's supplement: 1 and 7.
        let test = McNemar::from_counts(1, 7);
        assert!((test.exact - 0.0703).abs() < 5e-5 && (test.mid - 0.0391).abs() < 5e-5, "{test:?}");
        assert_eq!(
            McNemar::from_counts(0, 0),
            McNemar { only_first: 0, only_second: 0, exact: 1.0, mid: 1.0 }
        );
        // 1 - 6/16 / 2
        assert!((McNemar::from_counts(2, 2).mid - 0.8125).abs() < 1e-12);
    }
}
