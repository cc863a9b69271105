//! The sentence that answers a comparison.
//!
//! It quotes the difference of accuracies in percentage points, a 95 % interval and a two-sided p that count
//! both the noise of seeds and that of the test set. Two methods do: the two-way bootstrap and crossed random
//! effects. Each says "different" too often somewhere, the bootstrap above all where seeds are few and differ,
//! as they do here. So both must agree: the interval is what theirs cover together, p the larger of theirs.
//!
//! Where there is no difference, a method at 5 % should say "different" in 5 % of cases. These say it in so
//! many of 600 trials with normal differences on 500 items, give or take 1 % (`scripts/golden-stats`). The
//! first rows have the variances of four seeds of each architecture after 50 epochs on Fashion-MNIST, the
//! others exaggerate one of them:
//!
//! | what varies | seeds | verdict | bootstrap | crossed effects | t over seeds |
//! |---|--:|--:|--:|--:|--:|
//! | as measured | 3 | 3.8 % | 11.2 % | 3.8 % | 4.0 % |
//! | | 4 | 4.8 % | 8.5 % | 5.3 % | 5.3 % |
//! | | 5 | 5.3 % | 8.0 % | 6.2 % | 6.2 % |
//! | | 10 | 5.0 % | 5.7 % | 6.2 % | 7.8 % |
//! | seeds above all | 3 | 5.8 % | 24.7 % | 5.8 % | 4.7 % |
//! | | 4 | 5.8 % | 16.7 % | 5.8 % | 5.2 % |
//! | | 5 | 5.8 % | 14.5 % | 5.8 % | 5.3 % |
//! | | 10 | 6.5 % | 10.8 % | 6.5 % | 6.7 % |
//! | items above all | 3 | 1.8 % | 1.8 % | 2.3 % | 37.8 % |
//! | | 4 | 4.0 % | 4.2 % | 4.3 % | 53.0 % |
//! | | 5 | 4.0 % | 4.7 % | 4.3 % | 60.5 % |
//! | | 10 | 4.5 % | 4.8 % | 5.2 % | 76.0 % |
//! | both together above all | 3 | 0.7 % | 1.3 % | 1.0 % | 5.5 % |
//! | | 4 | 1.5 % | 1.8 % | 3.2 % | 9.8 % |
//! | | 5 | 1.7 % | 1.7 % | 3.2 % | 14.0 % |
//! | | 10 | 2.7 % | 2.7 % | 4.2 % | 27.7 % |
//!
//! One seed of each says nothing of others, and so nothing beats anything; the sentence says so.

use super::comparison::Comparison;
use super::power::{MAX_SEEDS, Needed};
use super::summary::Interval;

/// Below this p, two models are different.
const ALPHA: f64 = 0.05;

impl Comparison {
    /// The answer in a sentence. `adjusted` is [p](Comparison::p) after [Holm's correction](super::holm), if
    /// this is one comparison of several.
    pub fn verdict(&self, adjusted: Option<f64>) -> String {
        let [first, second] = &self.names;
        // The better one first, so that points are positive.
        let ahead = self.difference() > 0.0;
        let (better, worse) = if ahead { (second, first) } else { (first, second) };
        let Interval { low, high } = self.interval();
        let interval = if ahead { Interval { low, high } } else { Interval { low: -high, high: -low } };
        let points = Points::new(self.difference().abs(), interval);
        let p = adjusted.unwrap_or_else(|| self.p());
        let correction = if adjusted.is_some() { " after Holm's correction" } else { "" };
        let evidence =
            format!("95 % interval {}, {}, {}{correction}", points.interval, self.seeds(), p_text(p));
        if self.crossed.is_none() {
            return format!(
                "{better} is {} above {worse} with these seeds ({evidence}, for other test images alone); \
                 whether other seeds would agree takes at least two seeds of each",
                points.difference
            );
        }
        if p < ALPHA {
            return format!("{better} beats {worse} by {} ({evidence})", points.difference);
        }
        format!(
            "{first} and {second} are not distinguishable: {better} is {} above ({evidence}); {}",
            points.difference,
            self.outlook()
        )
    }

    fn seeds(&self) -> String {
        match self.accuracies.map(|summary| summary.n) {
            [1, 1] if self.paired => "1 seed".to_owned(),
            [n, _] if self.paired => format!("{n} seeds"),
            [a, b] => format!("{a} and {b} seeds"),
        }
    }

    /// What more seeds would do.
    fn outlook(&self) -> String {
        let most = self.accuracies.iter().map(|summary| summary.n).max().unwrap_or(0) as u32;
        match self.seeds_needed() {
            Some(Needed::Seeds(n)) => {
                // Fewer than there are: the data fell short of what they would usually show.
                let more = n.saturating_sub(most).max(1);
                let seeds = if more == 1 { "seed" } else { "seeds" };
                format!(
                    "about {} more {seeds} of each would tell, if the difference is of this size",
                    rough(more)
                )
            }
            Some(Needed::TooMany) => format!("more than {MAX_SEEDS} seeds would be needed for one so small"),
            _ => "no number of seeds would tell: the test set is too small for such a difference".to_owned(),
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

/// To two digits: it is a guess.
fn rough(number: u32) -> u32 {
    let unit = 10_u32.pow(number.max(1).ilog10().saturating_sub(1));
    (number + unit / 2) / unit * unit
}

fn p_text(p: f64) -> String {
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
        assert_eq!([p_text(0.0004), p_text(0.0432), p_text(0.43)], ["p < 0.001", "p = 0.043", "p = 0.43"]);
        assert_eq!([1, 20, 99, 104, 105, 4628].map(rough), [1, 20, 99, 100, 110, 4600]);
    }
}
