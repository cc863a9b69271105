//! Pictures of what is observed.

use super::Observed;
use crate::chart::{Axes, Sample, Series, lines};
use crate::histogram::histogram;

/// Names of files without their ending, and SVG: a histogram for each configuration, and one chart of all votes.
#[must_use]
pub fn observed_pictures(observed: &[Observed]) -> Vec<(String, String)> {
    let spreads = || observed.iter().filter_map(|o| Some((o, o.spread.as_ref()?)));
    let mut pictures: Vec<(String, String)> = spreads()
        .enumerate()
        .map(|(at, (o, spread))| {
            let values: Vec<f64> = spread.accuracies.iter().map(|&(_, share)| 100.0 * share).collect();
            (format!("accuracies-{}", at + 1), histogram(&o.name, &values, "test accuracy, %"))
        })
        .collect();
    let series: Vec<Series> = spreads()
        .map(|(o, spread)| {
            let sample = |vote: &crate::stats::Vote| {
                let (y, sd) = (100.0 * vote.mean, 100.0 * vote.sd.unwrap_or(0.0));
                Sample { x: vote.runs as f64, y, low: y - sd, high: y + sd, across: None }
            };
            let samples = spread.votes.iter().map(sample).collect();
            Series { name: o.name.clone(), samples, scored: Vec::new() }
        })
        .collect();
    if !series.is_empty() {
        let title = "test accuracy of a vote";
        let axes = Axes { title, x: "runs that vote", unit: " %", whole: true, band: true };
        pictures.push(("votes".to_owned(), lines(axes, &series)));
    }
    pictures
}
