//! The answer to a comparison: better, equivalent within a margin, or undecided.
//!
//! Interval, p and test of equivalence come from one standard error, that of [crossed random effects](super::crossed),
//! which counts both the noise of seeds and that of the test images. Where several comparisons are made together they
//! are a family: each is made at the level 0.05 / their number (Bonferroni), so that in at most 5 % of families anything
//! false is said, and interval and p never contradict each other. Equivalence is two one-sided tests (Schuirmann 1987).
//!
//! With two seeds of each the variances rest on one degree of freedom: intervals are wide and almost nothing is ever
//! decided, which is the safe side. With one seed nothing is known of others: the sentence says so and nothing beats
//! anything.
//!
//! `examples/calibration.rs` has how often this is wrong; docs/comparing.md has its table.

use super::comparison::Comparison;
use super::power::detectable;
use super::summary::Interval;
use super::t_test::TTest;

/// The probability, at most, that anything false is said in a family of comparisons.
pub const ALPHA: f64 = 0.05;

/// Comparisons that are made together.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Family {
    /// How many, at least 1.
    pub comparisons: usize,
    /// Differences of accuracy up to this do not matter, a share of 1.
    pub margin: f64,
}

impl Family {
    /// A comparison by itself, with a margin of 0.3 points.
    pub const ONE: Self = Self { comparisons: 1, margin: 0.003 };

    /// The level of each comparison.
    fn alpha(self) -> f64 {
        ALPHA / self.comparisons as f64
    }

    fn adjusted(self, p: f64) -> f64 {
        (p * self.comparisons as f64).min(1.0)
    }
}

/// What can be said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// One is better.
    Better,
    /// They differ by less than the margin.
    Equivalent,
    /// Neither can be said.
    Undecided,
}

impl Answer {
    /// As programs read it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Better => "better",
            Self::Equivalent => "equivalent",
            Self::Undecided => "undecided",
        }
    }
}

/// The answer without words, and without what undecided comparisons would have found.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Decision {
    /// The answer.
    pub answer: Answer,
    /// See [`Verdict::equivalent`].
    pub equivalent: bool,
    /// See [`Verdict::interval`].
    pub interval: Interval,
    /// See [`Verdict::p`].
    pub p: f64,
    /// See [`Verdict::p_equivalence`].
    pub p_equivalence: f64,
}

/// The answer, and the numbers that carry it. Accuracies are shares of 1, the second's minus the first's.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    /// The answer.
    pub answer: Answer,
    /// Whether they differ by less than the margin, also where one is better.
    pub equivalent: bool,
    /// The 95 % interval of the difference, which holds for the whole family.
    pub interval: Interval,
    /// Of no difference, two-sided, for the whole family.
    pub p: f64,
    /// Of a difference of the margin or more, the larger of two one-sided ones, for the whole family.
    pub p_equivalence: f64,
    /// The least true difference that these seeds and images would find in 80 % of cases; none with one seed.
    pub detectable: Option<f64>,
    /// What it is one of.
    pub family: Family,
    /// The answer in a sentence.
    pub sentence: String,
}

impl Comparison {
    /// Decides the comparison as one of a family.
    pub fn decide(&self, family: Family) -> Decision {
        let test = self.test();
        let interval = test.interval_at(1.0 - family.alpha());
        let (p, p_equivalence) =
            (family.adjusted(test.p), family.adjusted(test.p_equivalence(family.margin)));
        let seeds = self.crossed.is_some();
        let equivalent = seeds && p_equivalence < ALPHA;
        let answer = match () {
            () if seeds && p < ALPHA => Answer::Better,
            () if equivalent => Answer::Equivalent,
            () => Answer::Undecided,
        };
        Decision { answer, equivalent, interval, p, p_equivalence }
    }

    /// The same with everything that is said of it.
    pub fn judge(&self, family: Family) -> Verdict {
        let Decision { answer, equivalent, interval, p, p_equivalence } = self.decide(family);
        let test = self.test();
        let detectable =
            self.crossed.as_ref().map(|_| detectable(test.standard_error, test.df, family.alpha()));
        let sentence = String::new();
        let verdict =
            Verdict { answer, equivalent, interval, p, p_equivalence, detectable, family, sentence };
        Verdict { sentence: self.sentence(&verdict, &test), ..verdict }
    }

    fn sentence(&self, verdict: &Verdict, test: &TTest) -> String {
        let [first, second] = &self.names;
        // The better one first, so that points are positive.
        let ahead = test.difference > 0.0;
        let (better, worse) = if ahead { (second, first) } else { (first, second) };
        let Interval { low, high } = verdict.interval;
        let interval = if ahead { Interval { low, high } } else { Interval { low: -high, high: -low } };
        let points = Points::new(test.difference.abs(), interval);
        let family = match verdict.family.comparisons {
            1 => String::new(),
            n => format!(", both for {n} comparisons together"),
        };
        let (shown, seeds, p) = (&points.interval, self.seeds(), p_equation(verdict.p));
        let evidence = format!("95 % interval {shown}, {p}{family}; {seeds}");
        let margin = verdict.family.margin * 100.0;
        if self.crossed.is_none() {
            return format!(
                "{better} is {} above {worse} for these seeds ({evidence}, for other test images only); two or more \
                 seeds of each would show whether others agree",
                points.difference
            );
        }
        match verdict.answer {
            Answer::Better if verdict.equivalent => format!(
                "{better} beats {worse} by {} ({evidence}), by less than the margin of {margin} points",
                points.difference
            ),
            Answer::Better => format!("{better} beats {worse} by {} ({evidence})", points.difference),
            Answer::Equivalent => format!(
                "{first} and {second} are equivalent within {margin} points: {better} is {} above ({evidence}; \
                 {} against a larger difference)",
                points.difference,
                p_equation(verdict.p_equivalence)
            ),
            Answer::Undecided => format!(
                "{first} and {second}: undecided; {better} is {} above ({evidence}), and a difference of {} points \
                 would be found in 80 % of cases",
                points.difference,
                verdict.detectable.map_or_else(String::new, |share| significant(100.0 * share))
            ),
        }
    }

    fn seeds(&self) -> String {
        match self.accuracies.map(|summary| summary.n) {
            [1, 1] if self.paired => "1 seed".to_owned(),
            [n, _] if self.paired => format!("{n} seeds, paired"),
            [a, b] => format!("{a} and {b} seeds"),
        }
    }
}

/// Percentage points in words.
struct Points {
    difference: String,
    interval: String,
}

impl Points {
    fn new(difference: f64, Interval { low, high }: Interval) -> Self {
        let values = [difference, low, high].map(|share| 100.0 * share);
        // One decimal, two where that would hide a sign or a digit.
        let decimals = if values.iter().all(|v| v.abs() >= 0.1) { 1 } else { 2 };
        let [difference, low, high] = values.map(|v| {
            let text = format!("{v:.decimals$}");
            if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) {
                text.replace('-', "")
            } else {
                text
            }
        });
        Self { difference: format!("{difference} points"), interval: format!("{low} to {high}") }
    }
}

/// To two digits: it is an estimate.
fn significant(points: f64) -> String {
    match points {
        points if points >= 10.0 => format!("{points:.0}"),
        points if points >= 1.0 => format!("{points:.1}"),
        points => format!("{points:.2}"),
    }
}

/// A p value in a sentence: `p = 0.043`.
#[must_use]
pub fn p_equation(p: f64) -> String {
    match p {
        p if p < 0.001 => "p < 0.001".to_owned(),
        p if p < 0.1 => format!("p = {p:.3}"),
        p => format!("p = {p:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_sign_and_no_false_digits() {
        let points = |difference, low, high| {
            let points = Points::new(difference, Interval { low, high });
            format!("{}, {}", points.difference, points.interval)
        };
        assert_eq!(points(0.011, 0.008, 0.014), "1.1 points, 0.8 to 1.4");
        assert_eq!(points(0.001, -0.0024, 0.0041), "0.1 points, -0.2 to 0.4");
        assert_eq!(points(0.003, 0.0002, 0.006), "0.30 points, 0.02 to 0.60");
        assert_eq!(points(0.002, -0.000_01, 0.004), "0.20 points, 0.00 to 0.40");
        assert_eq!(
            [p_equation(0.0004), p_equation(0.0432), p_equation(0.43)],
            ["p < 0.001", "p = 0.043", "p = 0.43"]
        );
        assert_eq!([0.084, 0.42, 1.44, 31.4].map(significant), ["0.08", "0.42", "1.4", "31"]);
    }
}
