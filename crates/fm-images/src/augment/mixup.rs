//! `mixupA`: a weighted mean with another training image, the weight from Beta(A, A).

use std::f64::consts::TAU;

use super::draws::Draws;
use super::operation::{ONE, Operation, Takes};

/// Zhang et al. 2018, <https://arxiv.org/abs/1710.09412>, with a weight and a partner of each image's own.
#[derive(Debug)]
pub(super) struct Mixup;

impl Operation for Mixup {
    fn word(&self) -> &'static str {
        "mixup"
    }

    fn help(&self) -> &'static str {
        "mixed with another training image, the share from Beta(A, A)"
    }

    fn takes(&self) -> Takes {
        Takes::Positive
    }

    fn mixes(&self) -> bool {
        true
    }

    /// Two words behind the partner's.
    fn share(&self, number: f64, draws: &mut Draws) -> u32 {
        let (u, v) = (draws.unit(), draws.unit());
        (beta(number, u, v) * f64::from(ONE)).round() as u32
    }
}

/// Beta(`a`, `a`) out of two uniform numbers, without rejection: with T of Student's distribution with 2a
/// degrees of freedom, from Bailey's polar method (1994, Mathematics of Computation 62, 779), it is
/// (1 + T/√(2a + T²)) / 2 (Devroye 1996, "Random variate generation in one line of code").
///
/// Power and cosine come from Rust code, not from the system's C library, whose versions differ in the last bit.
fn beta(a: f64, u: f64, v: f64) -> f64 {
    let cosine = libm::cos(TAU * v);
    let t_squared_by_2a = (libm::pow(u, -1.0 / a) - 1.0) * cosine * cosine;
    0.5 + 0.5 * (1.0 / (1.0 + 1.0 / t_squared_by_2a).sqrt()).copysign(cosine)
}

#[cfg(test)]
mod tests {
    use rand_chacha::rand_core::Rng;

    use super::*;
    use crate::order::Stream;

    /// Mean 1/2, variance 1 / (4 (2a + 1)), fourth central moment 3 / (16 (2a + 1)(2a + 3)), and no side is
    /// preferred: within five standard errors.
    #[test]
    fn moments_of_the_distribution() {
        let mut generator = Stream::Split.generator(5);
        let mut unit = || (f64::from(generator.next_u32()) + 0.5) / 4_294_967_296.0;
        for a in [0.05, 0.2, 0.5, 1.0, 2.0, 8.0] {
            let n = 200_000;
            let sample: Vec<f64> = (0..n).map(|_| beta(a, unit(), unit()) - 0.5).collect();
            assert!(sample.iter().all(|x| x.abs() <= 0.5));
            let moment = |k: i32| sample.iter().map(|x| x.powi(k)).sum::<f64>() / f64::from(n);
            let (second, fourth) = (0.25 / (2.0 * a + 1.0), 0.1875 / ((2.0 * a + 1.0) * (2.0 * a + 3.0)));
            let error = |variance: f64| 5.0 * (variance / f64::from(n)).sqrt();
            assert!(moment(1).abs() < error(second), "{a}: mean");
            assert!((moment(2) - second).abs() < error(fourth - second * second), "{a}: variance");
            assert!((moment(4) - fourth).abs() < error(fourth / 16.0), "{a}: fourth moment");
        }
    }

    /// Beta(1, 1) is uniform, and Beta(1/2, 1/2) the arcsine distribution.
    #[test]
    fn known_distribution_functions() {
        let mut generator = Stream::Split.generator(6);
        let mut unit = || (f64::from(generator.next_u32()) + 0.5) / 4_294_967_296.0;
        let n = 100_000;
        for a in [1.0, 0.5] {
            let mut sample: Vec<f64> = (0..n).map(|_| beta(a, unit(), unit())).collect();
            sample.sort_by(f64::total_cmp);
            let below = |x: f64| if a < 1.0 { 2.0 / std::f64::consts::PI * x.sqrt().asin() } else { x };
            let distance =
                sample.iter().enumerate().map(|(i, &x)| (below(x) - i as f64 / f64::from(n)).abs());
            // Kolmogorov and Smirnov at one in a thousand is 1.95 / √n.
            assert!(distance.fold(0.0, f64::max) < 1.95 / f64::from(n).sqrt(), "{a}");
        }
    }

    #[test]
    fn extreme_numbers_give_shares() {
        for a in [1e-300, 1e-3, 1.0, 1e3, 1e300] {
            for u in [0.5 / 4_294_967_296.0, 0.5, 1.0 - 0.5 / 4_294_967_296.0] {
                for v in [0.5 / 4_294_967_296.0, 0.25, 0.4, 0.75, 1.0 - 0.5 / 4_294_967_296.0] {
                    let x = beta(a, u, v);
                    assert!((0.0..=1.0).contains(&x), "{a}, {u}, {v}: {x}");
                }
            }
        }
    }
}
