//! A comparison that may be read after every seed: a confidence sequence, which holds for all numbers of seeds at once.
//!
//! Seeds are paired, and their differences taken for normal. On the given test images the mean difference lies within
//! the sequence of Student's t with a normal mixture: with prior `N(0, g σ²)` on the mean and Jeffreys' `1/σ`, the Bayes
//! factor
//!
//! ```text
//! e(n) = k^(-1/2) ((1 + u) / (1 + u / k))^(n / 2),   k = 1 + n g,   u = t² / (n - 1)
//! ```
//!
//! is a nonnegative martingale where the mean is what it is tested against, so that it ever reaches `1/α` with
//! probability `α` at most (Ville 1939; Lai 1976; Pérez-Ortiz, Lardy, de Heide & Grünwald 2024,
//! <https://arxiv.org/abs/2208.07610>; Wang & Ramdas 2025, <https://arxiv.org/abs/2310.03722>). The means that it
//! does not reject are an interval in closed form.
//!
//! The choice of test images is one draw that no seed repeats. Its part of the difference is normal (10,000 images)
//! with the variance of [crossed effects](super::crossed), so another interval covers it at all numbers of seeds. A
//! fifth of the level is spent on it, the rest on seeds; the half-widths add.

use super::crossed::{Sums, of_sums};
use super::dist::normal_quantile;
use super::summary::{Interval, mean};

/// Prior variance of the mean difference, in variances of a seed's difference: best for differences of about two
/// standard deviations, and hardly worse for others.
const G: f64 = 4.0;
/// The share of the level that is spent on the choice of test images.
const IMAGES: f64 = 0.2;

/// What is to be settled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Settle {
    /// Differences of accuracy below this do not matter, a share of 1.
    pub margin: f64,
    /// The probability, at most, that anything false is ever said.
    pub alpha: f64,
}

/// How a comparison ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// One is better: the interval excludes zero.
    Better,
    /// The interval lies within the margin.
    Smaller,
}

/// What can be said after a number of seeds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Look {
    /// How many seeds.
    pub seeds: usize,
    /// The second's accuracy less the first's, a share of 1.
    pub difference: f64,
    /// Half the width of the interval on these test images; infinite for few seeds.
    pub seeds_half: f64,
    /// What the choice of test images adds to it.
    pub images_half: f64,
    /// Both together: it holds at all numbers of seeds.
    pub interval: Interval,
    /// Whether the matter is settled.
    pub ending: Option<Ending>,
}

/// Seeds of two models, added one by one.
#[derive(Debug, Clone)]
pub struct Sequence {
    settle: Settle,
    sums: Sums,
}

impl Sequence {
    /// None yet, for tests with that many items.
    pub fn new(settle: Settle, items: usize) -> Self {
        Self { settle, sums: Sums::new(items) }
    }

    /// Adds a seed, by what each model got right, and looks.
    ///
    /// # Panics
    /// When there are more or fewer items: a bug of the caller.
    pub fn push(&mut self, first: &[bool], second: &[bool]) -> Look {
        assert_eq!(first.len(), second.len(), "the same items");
        self.sums.push(first.iter().zip(second).map(|(&a, &b)| f64::from(i8::from(b) - i8::from(a))));
        let (seeds, difference) = (self.sums.rows.len(), mean(&self.sums.rows));
        let Settle { margin, alpha } = self.settle;
        let (seeds_half, images_half) =
            of_sums(&[&self.sums]).map_or((f64::INFINITY, f64::INFINITY), |crossed| {
                // No less than the flicker of answers, so that seeds that happen to agree settle nothing.
                let sd = crossed.seed_variances[0].0.sqrt();
                let images = normal_quantile(1.0 - IMAGES * alpha / 2.0) * crossed.item_variance.sqrt();
                (half_width(sd, seeds, (1.0 - IMAGES) * alpha), images)
            });
        let interval = Interval::around(difference, seeds_half + images_half);
        let ending = match interval {
            Interval { low, high } if low > 0.0 || high < 0.0 => Some(Ending::Better),
            Interval { low, high } if low > -margin && high < margin => Some(Ending::Smaller),
            _ => None,
        };
        Look { seeds, difference, seeds_half, images_half, interval, ending }
    }
}

/// Half the width, after `n` seeds, of the sequence that ever misses the mean with probability `alpha` at most, where
/// `sd` is the sample standard deviation (n - 1); infinite where no mean can be rejected yet.
pub fn half_width(sd: f64, n: usize, alpha: f64) -> f64 {
    let n = n as f64;
    let k = 1.0 + n * G;
    // e(n) = 1/α, solved for u.
    let q = (k / (alpha * alpha)).powf(1.0 / n);
    if n < 2.0 || q >= k {
        return f64::INFINITY;
    }
    let u = (q - 1.0) / (1.0 - q / k);
    sd * (u * (n - 1.0) / n).sqrt()
}

/// The e-value against a mean of which the t statistic of `n` seeds is `t`.
pub fn e_value(t: f64, n: usize) -> f64 {
    let n = n as f64;
    let (k, u) = (1.0 + n * G, t * t / (n - 1.0));
    k.powf(-0.5) * ((1.0 + u) / (1.0 + u / k)).powf(n / 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ends_of_the_interval_are_what_is_just_rejected() {
        for (n, alpha) in [(4, 0.05), (7, 0.04), (100, 0.01)] {
            let half = half_width(0.3, n, alpha);
            let t = half / (0.3 / (n as f64).sqrt());
            assert!((e_value(t, n) * alpha - 1.0).abs() < 1e-9, "{n}");
        }
        assert!(half_width(0.3, 2, 0.05).is_infinite(), "two seeds reject nothing");
    }

    #[test]
    fn seeds_that_agree_to_the_image_settle_nothing_at_once() {
        let settle = Settle { margin: 0.1, alpha: 0.05 };
        let mut sequence = Sequence::new(settle, 100);
        let right: Vec<bool> = (0..100).map(|i| i % 10 != 0).collect();
        let wrong: Vec<bool> = (0..100).map(|i| i % 5 != 0).collect();
        let looks: Vec<Look> = (0..4).map(|_| sequence.push(&wrong, &right)).collect();
        assert_eq!((looks[0].ending, looks[1].ending, looks[2].ending), (None, None, None));
        assert!((looks[3].difference - 0.1).abs() < 1e-12 && looks[3].images_half > 0.05);
    }
}
