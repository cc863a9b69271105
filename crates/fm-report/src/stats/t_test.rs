//! Student's paired and Welch's t test: differences of means over seeds.
//!
//! Both take the test set as given: they speak of other seeds, not of other test items.

use super::LEVEL;
use super::dist::{t_quantile, two_sided_t};
use super::summary::{Interval, mean, variance};

/// A t test of a difference of means.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TTest {
    /// Mean of the second group less that of the first.
    pub difference: f64,
    /// Its standard error.
    pub standard_error: f64,
    /// Degrees of freedom.
    pub df: f64,
    /// The statistic. Infinite if all differences are equal and not zero, zero if they are all zero.
    pub t: f64,
    /// Two-sided.
    pub p: f64,
    /// 95 % interval of the difference.
    pub interval: Interval,
}

impl TTest {
    pub(crate) fn new(difference: f64, standard_error: f64, df: f64) -> Self {
        let t = if difference == 0.0 { 0.0 } else { difference / standard_error };
        let half = t_quantile(f64::midpoint(1.0, LEVEL), df) * standard_error;
        let interval = Interval::around(difference, half);
        Self { difference, standard_error, df, t, p: two_sided_t(t, df), interval }
    }

    /// The interval at another level, such as 0.99.
    pub fn interval_at(&self, level: f64) -> Interval {
        let half = t_quantile(f64::midpoint(1.0, level), self.df) * self.standard_error;
        Interval::around(self.difference, half)
    }

    /// p against a true difference of `margin` or more, either way: the larger of two one-sided tests (Schuirmann
    /// 1987). Below 0.05 the two are equivalent within the margin.
    pub fn p_equivalence(&self, margin: f64) -> f64 {
        let room = margin - self.difference.abs();
        let t = if room == 0.0 { 0.0 } else { room / self.standard_error };
        let tail = two_sided_t(t, self.df) / 2.0;
        if t > 0.0 { tail } else { 1.0 - tail }
    }
}

/// The paired t test of `second` less `first`; none for fewer than two pairs.
///
/// # Panics
/// When the two are not equally long: a bug of the caller.
pub fn paired_t(first: &[f64], second: &[f64]) -> Option<TTest> {
    assert_eq!(first.len(), second.len(), "pairs");
    let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| b - a).collect();
    let n = differences.len() as f64;
    (differences.len() > 1)
        .then(|| TTest::new(mean(&differences), (variance(&differences) / n).sqrt(), n - 1.0))
}

/// Welch's t test of `second` less `first`, for groups that may differ in size and spread, with Satterthwaite's
/// degrees of freedom; none when a group has fewer than two numbers.
pub fn welch(first: &[f64], second: &[f64]) -> Option<TTest> {
    if first.len() < 2 || second.len() < 2 {
        return None;
    }
    let [v1, v2] = [first, second].map(|group| variance(group) / group.len() as f64);
    let dfs = [first, second].map(|group| group.len() as f64 - 1.0);
    Some(TTest::new(
        mean(second) - mean(first),
        (v1 + v2).sqrt(),
        satterthwaite(&[(v1, dfs[0]), (v2, dfs[1])]),
    ))
}

/// Degrees of freedom of a sum of independent variances, each with its own (Satterthwaite 1946).
pub(crate) fn satterthwaite(parts: &[(f64, f64)]) -> f64 {
    let sum: f64 = parts.iter().map(|part| part.0).sum();
    let weighted: f64 = parts.iter().map(|(variance, df)| variance * variance / df).sum();
    if weighted > 0.0 { sum * sum / weighted } else { parts.iter().map(|part| part.1).sum() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_groups_differ_by_nothing_and_constant_differences_are_certain() {
        let same = paired_t(&[0.5, 0.75], &[0.5, 0.75]).unwrap();
        assert_eq!((same.difference, same.t, same.p), (0.0, 0.0, 1.0));
        let shifted = paired_t(&[0.25, 0.5], &[0.5, 0.75]).unwrap();
        assert_eq!((shifted.difference, shifted.p), (0.25, 0.0));
        assert!(welch(&[0.5, 0.5], &[0.5, 0.5]).is_some_and(|test| test.p >= 1.0));
    }

    #[test]
    fn too_few_numbers_are_no_test() {
        assert_eq!(paired_t(&[0.5], &[0.6]), None);
        assert_eq!(welch(&[0.5, 0.6], &[0.6]), None);
    }
}
