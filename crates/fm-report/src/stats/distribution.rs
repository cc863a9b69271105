//! How the accuracies of one configuration's runs are distributed, and whether their spread is more than what single
//! images do, each for itself.

use super::LEVEL;
use super::dist::chi_squared_quantile;
use super::noise::Noise;
use super::summary::{Interval, mean, variance};

/// Shares of runs below which quantiles lie.
pub const QUANTILES: [f64; 7] = [0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99];

/// A distribution of numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Distribution {
    /// How many.
    pub n: usize,
    /// Arithmetic mean.
    pub mean: f64,
    /// Sample standard deviation, and its 95 % interval for normal numbers.
    pub sd: (f64, Interval),
    /// The least and the greatest.
    pub range: (f64, f64),
    /// By [`QUANTILES`], linear between neighbours (type 7 of Hyndman and Fan 1996, as NumPy has it).
    pub quantiles: [f64; QUANTILES.len()],
    /// Skewness of the population as estimated from a sample (`G1` of Joanes and Gill 1998), and its standard error for
    /// normal numbers.
    pub skewness: (f64, f64),
    /// Excess kurtosis likewise (`G2`).
    pub kurtosis: (f64, f64),
}

/// Describes at least four numbers that are not all equal; none otherwise.
#[must_use]
pub fn distribution(values: &[f64]) -> Option<Distribution> {
    let count = values.len();
    if count < 4 {
        return None;
    }
    let (n, middle) = (count as f64, mean(values));
    let sd = variance(values).sqrt();
    if sd == 0.0 {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let quantile = |p: f64| {
        let at = p * (n - 1.0);
        let low = (at as usize).min(count - 2);
        sorted[low] + (at - low as f64) * (sorted[low + 1] - sorted[low])
    };
    let moment = |power: i32| values.iter().map(|v| (v - middle).powi(power)).sum::<f64>() / n;
    let g1 = moment(3) / moment(2).powf(1.5);
    let g2 = moment(4) / moment(2).powi(2) - 3.0;
    let skewness = (n * (n - 1.0)).sqrt() / (n - 2.0) * g1;
    let kurtosis = (n - 1.0) / ((n - 2.0) * (n - 3.0)) * ((n + 1.0) * g2 + 6.0);
    let of_skewness = (6.0 * n * (n - 1.0) / ((n - 2.0) * (n + 1.0) * (n + 3.0))).sqrt();
    let of_kurtosis = 2.0 * of_skewness * ((n * n - 1.0) / ((n - 3.0) * (n + 5.0))).sqrt();
    Some(Distribution {
        n: count,
        mean: middle,
        sd: (sd, interval_of_sd(sd, n - 1.0)),
        range: (sorted[0], sorted[count - 1]),
        quantiles: QUANTILES.map(quantile),
        skewness: (skewness, of_skewness),
        kurtosis: (kurtosis, of_kurtosis),
    })
}

/// The interval of a standard deviation of normal numbers.
fn interval_of_sd(sd: f64, df: f64) -> Interval {
    let tail = (1.0 - LEVEL) / 2.0;
    let end = |p: f64| sd * (df / chi_squared_quantile(p, df)).sqrt();
    Interval { low: end(1.0 - tail), high: end(tail) }
}

/// The observed variance over runs, as a multiple of the one that they would have if every image were right or wrong
/// independently of all others, each with a chance of its own: 1 where the networks themselves do not differ (Jordan 2023,
/// <https://arxiv.org/abs/2304.01910>). With its 95 % interval for normal accuracies of so many runs; the expected
/// variance is taken for known, since it is a mean over all images.
#[must_use]
pub fn independence(noise: &Noise, runs: usize) -> (f64, Interval) {
    let ratio = (noise.seeds / noise.flicker).powi(2);
    let Interval { low, high } = interval_of_sd(1.0, runs as f64 - 1.0);
    (ratio, Interval { low: ratio * low.powi(2), high: ratio * high.powi(2) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn too_few_or_equal_numbers_have_none() {
        assert_eq!(distribution(&[1.0, 2.0, 3.0]), None);
        assert_eq!(distribution(&[1.0; 9]), None);
    }

    #[test]
    fn runs_that_differ_as_single_images_do_have_a_ratio_of_1() {
        let noise = Noise { seeds: 0.002, networks: 0.0, flicker: 0.002, images: 0.003 };
        let (ratio, Interval { low, high }) = independence(&noise, 100);
        assert!((ratio - 1.0).abs() < 1e-12 && low < 1.0 && high > 1.0);
        // 99 / quantiles of chi-squared with 99 degrees of freedom, R 4: qchisq(c(.975, .025), 99).
        assert!((low - 99.0 / 128.4220).abs() < 1e-5 && (high - 99.0 / 73.3611).abs() < 1e-5, "{low} {high}");
    }
}
