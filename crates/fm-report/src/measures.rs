//! What is measured of a run: names, what values are possible, and how they are shown.

use crate::stats::Interval;

/// The measure that other work on the machine changes.
pub(crate) const SECONDS: &str = "training seconds";
/// Expected calibration error, see [`stats::calibration_error`](crate::stats::calibration_error).
pub(crate) const CALIBRATION_ERROR: &str = "calibration error";
/// Mean squared distance of an image's probabilities from its class, from 0 to 2.
pub(crate) const BRIER: &str = "Brier score";
/// What logits are divided by, fitted on validation images; with the two measures that follow from it.
pub(crate) const TEMPERATURE: [&str; 3] = ["temperature", "scaled loss", "scaled calibration error"];

/// What values of a measure are possible.
pub(crate) fn possible(measure: &str) -> Interval {
    let high = match measure {
        BRIER => 2.0,
        _ if is_loss(measure) || measure == SECONDS || measure == TEMPERATURE[0] => f64::INFINITY,
        _ => 1.0,
    };
    Interval { low: 0.0, high }
}

fn is_loss(measure: &str) -> bool {
    ["loss", "validation loss", TEMPERATURE[1]].contains(&measure)
}

/// A p value.
#[must_use]
pub fn p_text(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}

/// How a measure is shown.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Unit {
    /// What it is multiplied with.
    pub factor: f64,
    /// Decimals.
    pub digits: usize,
    /// Written behind a value, with its space.
    pub of_value: &'static str,
    /// Written behind a difference.
    pub of_difference: &'static str,
}

/// The unit of a measure: percent unless it is no share.
#[must_use]
pub fn unit(measure: &str) -> Unit {
    let plain = |digits| Unit { factor: 1.0, digits, of_value: "", of_difference: "" };
    match measure {
        SECONDS => Unit { factor: 1.0, digits: 2, of_value: " s", of_difference: " s" },
        "best epoch" => plain(2),
        _ if is_loss(measure) || measure == BRIER => plain(4),
        _ if measure == TEMPERATURE[0] => plain(3),
        _ => Unit { factor: 100.0, digits: 2, of_value: " %", of_difference: " points" },
    }
}
