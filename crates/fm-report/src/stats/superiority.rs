//! The probability that a single run of one model is ahead of a single run of another, on these test images.
//!
//! Every run of one is compared with every run of the other, and ties count half: Mann and Whitney's statistic over
//! their number, the "P(A > B)" of Bouthillier et al. (2021, <https://arxiv.org/abs/2103.03098>) and the "probability
//! of improvement" of Agarwal et al. (2021, <https://arxiv.org/abs/2108.13264>).
//!
//! The interval is the score interval of Newcombe (2006, "Confidence intervals for an effect size measure based on the
//! Mann-Whitney statistic, part 2", <https://doi.org/10.1002/sim.2324>, method 5), which stays within 0 and 1 and says
//! something even where all runs of one are ahead of all runs of the other; there the interval of Brunner and Munzel
//! has no width. It takes the two groups for independent. Runs with the same seed may be alike, which makes the
//! statistic vary less: for paired seeds the interval is no narrower than it must be.

use std::cmp::Ordering;

use super::LEVEL;
use super::dist::normal_quantile;
use super::summary::Interval;

/// How often a single run of the second group is ahead of a single run of the first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Superiority {
    /// The share of pairs, ties half.
    pub probability: f64,
    /// 95 % interval of the probability.
    pub interval: Interval,
}

/// Compares each run of `second` with each of `first`, by a score of which more is better; none where there are fewer
/// than two of either.
#[must_use]
pub fn superiority(first: &[f64], second: &[f64]) -> Option<Superiority> {
    if first.len() < 2 || second.len() < 2 {
        return None;
    }
    let pairs = (first.len() * second.len()) as f64;
    let ahead = |(a, b): (&f64, &f64)| match b.partial_cmp(a) {
        Some(Ordering::Greater) => 1.0,
        Some(Ordering::Equal) => 0.5,
        _ => 0.0,
    };
    let all = first.iter().flat_map(|a| second.iter().map(move |b| (a, b)));
    let probability = all.map(ahead).sum::<f64>() / pairs;
    let z = normal_quantile(f64::midpoint(1.0, LEVEL));
    let mean_size = f64::midpoint(first.len() as f64, second.len() as f64);
    // Negative where the estimate lies within z standard errors of the probability `p`.
    let beyond = |p: f64| {
        let shape = 1.0 + (mean_size - 1.0) * ((1.0 - p) / (2.0 - p) + p / (1.0 + p));
        (p - probability).powi(2) * pairs - z * z * p * (1.0 - p) * shape
    };
    let end = |mut outside: f64| {
        let mut inside = probability;
        for _ in 0..60 {
            let middle = f64::midpoint(inside, outside);
            *(if beyond(middle) <= 0.0 { &mut inside } else { &mut outside }) = middle;
        }
        inside
    };
    Some(Superiority { probability, interval: Interval { low: end(0.0), high: end(1.0) } })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the R package `SingleCaseES` (`NAP`, Pustejovsky), with its published interval by this method.
    #[test]
    fn equals_a_published_example() {
        let first = [20.0, 20.0, 26.0, 25.0, 22.0, 23.0];
        let second = [28.0, 25.0, 24.0, 27.0, 30.0, 30.0, 29.0];
        let found = superiority(&first, &second).unwrap();
        let close = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(close(found.probability, 0.916_666_666_666_666_6), "{found:?}");
        assert!(close(found.interval.low, 0.597_319_360_038_416_8), "{found:?}");
        assert!(close(found.interval.high, 0.985_997_689_370_378_8), "{found:?}");
        let back = superiority(&second, &first).unwrap();
        assert!(close(back.interval.low, 1.0 - found.interval.high), "{back:?}");
    }

    #[test]
    fn ties_count_half_and_separation_has_an_interval() {
        let equal = superiority(&[0.9, 0.9], &[0.9, 0.9]).unwrap();
        assert!((equal.probability - 0.5).abs() < 1e-12, "{equal:?}");
        let apart = superiority(&[0.1; 10], &[0.9; 10]).unwrap();
        assert!(apart.probability >= 1.0 && apart.interval.high >= 1.0, "{apart:?}");
        assert!((0.75..0.9).contains(&apart.interval.low), "{apart:?}");
        let few = superiority(&[0.1; 3], &[0.9; 3]).unwrap();
        assert!(few.interval.low < 0.6, "three runs of each say less: {few:?}");
        assert_eq!(superiority(&[0.1], &[0.9, 0.8]), None);
    }
}
