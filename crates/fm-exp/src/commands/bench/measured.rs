//! What `fm-exp bench` says of each lane: seconds per epoch, and what follows from them.

use std::fmt::Write;

use serde_json::json;

use super::Lane;

/// What a lane's samples say.
pub(super) struct Measured {
    engine: &'static str,
    recipe: String,
    samples: Vec<f64>,
    median: f64,
    min: f64,
    max: f64,
    steps_per_second: f64,
    images_per_second: f64,
    share: Option<f64>,
}

impl Measured {
    /// `at_peak` is how long an epoch's dense products would take at the machine's peak, where that is known.
    pub(super) fn new(lane: &Lane<'_>, images: usize, steps: usize, at_peak: Option<f64>) -> Self {
        let mut sorted = lane.samples.clone();
        sorted.sort_by(f64::total_cmp);
        let median = f64::midpoint(sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Self {
            engine: lane.engine.name(),
            recipe: lane.recipe.clone(),
            samples: lane.samples.clone(),
            median,
            min: sorted[0],
            max: sorted[sorted.len() - 1],
            steps_per_second: steps as f64 / median,
            images_per_second: images as f64 / median,
            share: at_peak.map(|at_peak| at_peak / median),
        }
    }

    pub(super) fn json(&self) -> serde_json::Value {
        json!({
            "engine": self.engine, "recipe": self.recipe, "seconds_per_epoch": self.median, "min": self.min, "max": self.max,
            "samples": self.samples, "steps_per_second": self.steps_per_second,
            "images_per_second": self.images_per_second, "share_of_peak": self.share,
        })
    }
}

/// A line for each lane.
pub(super) fn table(results: &[Measured]) -> String {
    let mut out = format!(
        "{:<8} {:>11} {:>17} {:>9} {:>10} {:>14}  recipe\n",
        "engine", "s/epoch", "min to max", "steps/s", "images/s", "share of peak"
    );
    for m in results {
        let range = format!("{:.3} to {:.3}", m.min, m.max);
        let _ = writeln!(
            out,
            "{:<8} {:>11.3} {range:>17} {:>9.0} {:>10.0} {:>14}  {}",
            m.engine,
            m.median,
            m.steps_per_second,
            m.images_per_second,
            m.share.map_or_else(|| "-".to_owned(), |share| format!("{share:.2}")),
            m.recipe
        );
    }
    if results.iter().any(|m| m.share.is_some_and(|share| share > 1.0)) {
        out += "a share above 1: the engine leaves out products that a plain implementation computes, such as those \
                of pixels that nothing depends on\n";
    }
    out
}
