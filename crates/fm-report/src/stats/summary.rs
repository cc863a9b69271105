//! Mean, spread and interval of one group of numbers.

use super::LEVEL;
use super::dist::t_quantile;

/// From low to high, in the unit of what it is an interval of.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// Lower end.
    pub low: f64,
    /// Upper end.
    pub high: f64,
}

impl Interval {
    /// Equally far to both sides of `middle`.
    pub(crate) fn around(middle: f64, half: f64) -> Self {
        Self { low: middle - half, high: middle + half }
    }

    /// The part of it that lies within another.
    pub(crate) fn within(self, other: Self) -> Self {
        Self { low: self.low.max(other.low), high: self.high.min(other.high) }
    }
}

/// A group of numbers in short.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Summary {
    /// How many.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation (n - 1); none for one number.
    pub sd: Option<f64>,
    /// 95 % interval of the mean by Student's t; none for one number.
    pub interval: Option<Interval>,
    /// The least.
    pub min: f64,
    /// The greatest.
    pub max: f64,
}

/// Summarises `values`; none if there are none.
pub fn summarize(values: &[f64]) -> Option<Summary> {
    let n = values.len();
    if n == 0 {
        return None;
    }
    let mean = mean(values);
    let sd = (n > 1).then(|| variance(values).sqrt());
    let interval = sd.map(|sd| {
        let t = t_quantile(f64::midpoint(1.0, LEVEL), (n - 1) as f64);
        Interval::around(mean, t * sd / (n as f64).sqrt())
    });
    let min = values.iter().copied().fold(f64::INFINITY, f64::min);
    let max = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    Some(Summary { n, mean, sd, interval, min, max })
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// Sample variance (n - 1), by deviations from the mean: accuracies differ in their third digit.
pub(crate) fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (values.len() as f64 - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_number_has_no_spread_and_none_has_nothing() {
        assert_eq!(summarize(&[]), None);
        let one = summarize(&[0.9]).unwrap();
        assert_eq!((one.n, one.mean, one.sd, one.interval), (1, 0.9, None, None));
    }

    #[test]
    fn equal_numbers_have_an_interval_of_no_width() {
        let equal = summarize(&[0.5, 0.5, 0.5]).unwrap();
        assert_eq!((equal.sd, equal.interval), (Some(0.0), Some(Interval { low: 0.5, high: 0.5 })));
    }
}
