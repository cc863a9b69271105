//! Power: how likely a difference is to be found, and how many seeds it takes.

use super::LEVEL;
use super::crossed::Crossed;
use super::dist::{chi_squared_quantile, normal_cdf, t_quantile};
use super::t_test::satterthwaite;
use super::verdict::ALPHA;

/// The power that "would tell" means.
pub const POWER: f64 = 0.8;
/// Where the search for a number of seeds ends.
pub const MAX_SEEDS: u32 = 1_000;

/// How many seeds of each model would tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needed {
    /// This many in all.
    Seeds(u32),
    /// More than [`MAX_SEEDS`].
    TooMany,
    /// No number would: the test set is too small to show such a difference.
    Never,
}

/// A number of seeds to plan with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Plan {
    /// With the variances as estimated.
    pub seeds: Needed,
    /// With the variance over seeds at the lower end of its interval of level [`RANGE`].
    pub low: Needed,
    /// With that at the upper end: whoever takes this many has the power in 9 of 10 cases (Browne 1995, "On the use of a
    /// pilot sample for sample size determination", Statistics in Medicine 14:1933).
    pub high: Needed,
    /// The least difference that any number of seeds finds with these test images, a share of 1.
    pub floor: f64,
}

/// The level of the range of a number of seeds.
pub const RANGE: f64 = 0.8;

/// The power of a two-sided t test at 5 % when the true difference is `effect`, in the unit of its standard
/// error, with `df` degrees of freedom.
pub fn t_power(effect: f64, df: f64) -> f64 {
    power_at(effect, df, 1.0 - LEVEL)
}

/// The same at the level `alpha`.
///
/// The noncentral t distribution by its definition, a normal variable over the root of a chi-squared one:
/// the normal part in closed form, the other by the trapezoidal rule over its logarithm.
fn power_at(effect: f64, df: f64, alpha: f64) -> f64 {
    const STEPS: u32 = 2_000;
    let critical = t_quantile(1.0 - alpha / 2.0, df);
    // Beyond these the density is below e^-45 of its peak, at 0.
    let (low, high) = (-(45.0 / df + (45.0 / df).sqrt()), (45.0 / df).sqrt());
    let step = (high - low) / f64::from(STEPS);
    let (mut sum, mut weights) = (0.0, 0.0);
    for i in 0..=STEPS {
        let x = low + f64::from(i) * step;
        // ln s = x: the density of s times s, as a share of its peak.
        let weight = (df * (x - f64::midpoint((2.0 * x).exp(), -1.0))).exp();
        let bound = critical * x.exp();
        sum += weight * (normal_cdf(effect - bound) + normal_cdf(-effect - bound));
        weights += weight;
    }
    sum / weights
}

/// The least true difference that a two-sided t test at the level `alpha` finds with power 0.8, in the unit of the
/// standard error.
pub fn detectable(standard_error: f64, df: f64, alpha: f64) -> f64 {
    let lacks = |effect: f64| POWER - power_at(effect, df, alpha);
    let critical = t_quantile(1.0 - alpha / 2.0, df);
    let (mut low, mut high) = ((0.0, POWER - alpha), (2.0 * critical + 10.0, POWER - 1.0));
    // The rule of false position in the Illinois form: an end that stays counts half.
    for _ in 0..100 {
        let effect = (low.0 * high.1 - high.0 * low.1) / (high.1 - low.1);
        let here = (effect, lacks(effect));
        if here.1.abs() < 1e-12 || (high.0 - low.0) < 1e-13 * high.0 {
            return effect * standard_error;
        }
        if here.1 > 0.0 {
            (low, high.1) = (here, high.1 / 2.0);
        } else {
            (high, low.1) = (here, low.1 / 2.0);
        }
    }
    f64::midpoint(low.0, high.0) * standard_error
}

/// The power of the paired t test over `n` seeds whose differences have standard deviation `sd` around
/// `effect`.
pub fn paired_t_power(effect: f64, sd: f64, n: u32) -> f64 {
    t_power(effect.abs() * f64::from(n).sqrt() / sd, f64::from(n) - 1.0)
}

/// How many seeds a paired t test needs for power 0.8, the test set taken as given.
pub fn seeds_for(effect: f64, sd: f64) -> Needed {
    search(|n| paired_t_power(effect, sd, n))
}

impl Crossed {
    /// How many seeds of each model would tell with power 0.8, were the true difference the one observed and
    /// the variances as estimated. Rough: both are uncertain where the question is asked. More seeds do not
    /// help against a test set that is too small.
    pub fn seeds_needed(&self) -> Needed {
        self.needed(self.test.difference.abs(), ALPHA, 1.0)
    }

    /// How many seeds of each model would find a true difference of `effect` (a share of 1) at the level `alpha` with
    /// power 0.8, as far as these runs tell.
    pub fn plan(&self, effect: f64, alpha: f64) -> Plan {
        let parts: Vec<(f64, f64)> =
            self.seed_variances.iter().map(|&(variance, n)| (variance, n as f64 - 1.0)).collect();
        let df = satterthwaite(&parts);
        // What the variance over seeds may be: as far above and below as their number leaves open.
        let factor = |p: f64| df / chi_squared_quantile(p, df);
        let tail = (1.0 - RANGE) / 2.0;
        Plan {
            seeds: self.needed(effect, alpha, 1.0),
            low: self.needed(effect, alpha, factor(1.0 - tail)),
            high: self.needed(effect, alpha, factor(tail)),
            floor: detectable(self.item_variance.sqrt(), self.items as f64 - 1.0, alpha),
        }
    }

    /// The seeds that it takes, were the variance over seeds `factor` times as large as estimated.
    fn needed(&self, effect: f64, alpha: f64, factor: f64) -> Needed {
        let power = |standard_error: f64, df| match effect {
            0.0 => 0.0,
            _ if standard_error > 0.0 => power_at(effect / standard_error, df, alpha),
            _ => 1.0,
        };
        if power(self.item_variance.sqrt(), self.items as f64 - 1.0) < POWER {
            return Needed::Never;
        }
        search(|seeds| {
            let (standard_error, df) = self.with_seeds(seeds, factor);
            power(standard_error, df)
        })
    }
}

/// The least number from 2 at which the power, which grows, is enough.
fn search(power: impl Fn(u32) -> f64) -> Needed {
    let enough = |n: u32| power(n) >= POWER;
    let mut high = 2;
    while !enough(high) {
        if high >= MAX_SEEDS {
            return Needed::TooMany;
        }
        high = (high * 2).min(MAX_SEEDS);
    }
    let mut low = (high / 2).max(1);
    while high - low > 1 {
        let middle = u32::midpoint(low, high);
        if enough(middle) { high = middle } else { low = middle }
    }
    Needed::Seeds(high)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::TTest;

    #[test]
    fn power_without_effect_is_the_level() {
        for df in [1.0, 1.3, 9.0, 5_000.0] {
            assert!((t_power(0.0, df) - 0.05).abs() < 1e-9, "{df}");
        }
        assert!(t_power(40.0, 3.0) > 0.999_999);
    }

    #[test]
    fn seeds_help_against_the_noise_of_seeds_alone() {
        let needed = |difference: f64, seed_sd: f64, item_sd: f64| {
            let test = TTest::new(difference, 0.01, 2.0);
            let (seed_variances, item_variance) = (vec![(seed_sd * seed_sd, 3)], item_sd * item_sd);
            Crossed { test, seed_variances, item_variance, items: 10_000 }.seeds_needed()
        };
        // Without the noise of items it is the paired t test.
        assert_eq!(needed(0.002, 0.003, 0.0), seeds_for(0.002, 0.003));
        let (Needed::Seeds(without), Needed::Seeds(with)) =
            (needed(0.006, 0.003, 0.0), needed(0.006, 0.003, 0.002))
        else {
            panic!("both are within reach");
        };
        assert!(with > without, "{with} {without}");
        // 2.8 standard errors are needed; the items alone leave 2.5.
        assert_eq!(needed(0.005, 0.003, 0.002), Needed::Never);
        assert_eq!(needed(0.0001, 0.003, 0.0), Needed::TooMany);
        assert_eq!(needed(0.0, 0.003, 0.0), Needed::Never);
    }

    #[test]
    fn fewer_seeds_leave_a_wider_range_and_images_set_a_floor() {
        let plan = |seeds: usize, item_sd: f64, effect: f64| {
            let test = TTest::new(0.001, 0.01, 2.0);
            let seed_variances = vec![(0.005 * 0.005, seeds)];
            Crossed { test, seed_variances, item_variance: item_sd * item_sd, items: 10_000 }
                .plan(effect, 0.05)
        };
        let number = |needed| if let Needed::Seeds(n) = needed { n } else { panic!("{needed:?}") };
        let (few, many) = (plan(3, 0.0, 0.005), plan(30, 0.0, 0.005));
        assert_eq!((few.seeds, many.seeds), (seeds_for(0.005, 0.005), seeds_for(0.005, 0.005)));
        assert!(number(few.low) < number(many.low) && number(many.low) < number(many.seeds));
        assert!(number(few.high) > number(many.high) && number(many.high) > number(many.seeds));
        let floor = plan(10, 0.001, 0.0029).floor;
        assert!((floor - 0.0028).abs() < 1e-5, "{floor}");
        assert!(matches!(plan(10, 0.001, 0.0029).seeds, Needed::Seeds(_)));
        assert_eq!(plan(10, 0.001, 0.0027).high, Needed::Never);
    }

    #[test]
    fn what_is_detectable_is_found_with_that_power() {
        for (df, alpha) in [(1.3, 0.05), (2.0, 0.005), (9.0, 0.05), (5_000.0, 0.05)] {
            let effect = detectable(2.0, df, alpha) / 2.0;
            assert!((power_at(effect, df, alpha) - POWER).abs() < 1e-9, "{df}");
        }
        // Of a normal variable: the quantiles of 0.975 and 0.8.
        assert!((detectable(1.0, 1e6, 0.05) - 2.801_585).abs() < 1e-4);
    }

    #[test]
    fn no_effect_needs_too_many() {
        assert_eq!(seeds_for(0.0, 1.0), Needed::TooMany);
        assert_eq!(seeds_for(100.0, 1.0), Needed::Seeds(2));
    }
}
