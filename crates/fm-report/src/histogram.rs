//! How often values of a group occur, with the normal curve of the same mean and standard deviation.

use crate::axis::{Scale, round_ticks};
use crate::chart::{SMALL, WIDTH, group_color, least, most};
use crate::color::{AXIS, GRID, INK, MUTED};
use crate::font;
use crate::svg::{Anchor, Point, Stroke, Svg, Text};

const LEFT: f64 = 50.0;
const RIGHT: f64 = 16.0;
const HEIGHT: f64 = 170.0;
const TOP: f64 = 62.0;

/// Draws a histogram of `values` (at least two that differ) as SVG. Bins are as wide as Freedman and Diaconis (1981) have
/// them, from 5 to 60.
#[must_use]
pub(crate) fn histogram(title: &str, values: &[f64], axis: &str) -> String {
    let mut svg = Svg::new(WIDTH, TOP + HEIGHT + 50.0, title);
    svg.text(&Text::new((12.0, 24.0), &font::fit(title, 15.0, 0.92 * WIDTH), 15.0).bold(true));
    let (mean, sd) = crate::stats::summarize(values).map_or((0.0, 0.0), |s| (s.mean, s.sd.unwrap_or(0.0)));
    let note = format!("{} runs; line: normal, mean {mean:.2}, standard deviation {sd:.2}", values.len());
    svg.text(&Text::new((12.0, 44.0), &note, SMALL).color(MUTED));
    let (low, high) = (least(values), most(values));
    if values.len() < 2 || high <= low {
        return svg.finish();
    }
    let count = bins(values, high - low);
    let width = (high - low) / count as f64;
    let mut counts = vec![0_u32; count];
    for value in values {
        counts[(((value - low) / width) as usize).min(count - 1)] += 1;
    }
    let (ticks, decimals) = round_ticks(low, high, 5);
    let x = Scale { from: (ticks[0], ticks[ticks.len() - 1]), to: (LEFT, WIDTH - RIGHT) };
    let normal =
        |v: f64| (-0.5 * ((v - mean) / sd).powi(2)).exp() / (sd * (2.0 * std::f64::consts::PI).sqrt());
    let scale = values.len() as f64 * width;
    let tallest = counts.iter().map(|&n| f64::from(n)).fold(scale * normal(mean), f64::max);
    let (heights, _) = round_ticks(0.0, tallest, 4);
    let bottom = TOP + HEIGHT;
    let y = Scale { from: (0.0, heights[heights.len() - 1]), to: (bottom, TOP) };
    for &tick in &heights {
        svg.polyline(&[(LEFT, y.at(tick)), (WIDTH - RIGHT, y.at(tick))], Stroke::solid(GRID, 1.0));
        let at = (LEFT - 8.0, y.at(tick));
        svg.text(&Text::new(at, &format!("{tick:.0}"), SMALL).anchor(Anchor::End).color(MUTED).centered());
    }
    for (bin, &n) in counts.iter().enumerate().filter(|(_, n)| **n > 0) {
        let (from, to) = (x.at(low + bin as f64 * width), x.at(low + (bin + 1) as f64 * width));
        let top = y.at(f64::from(n));
        svg.rect((from, top), ((to - from - 1.0).max(0.5), bottom - top), group_color(0), None);
    }
    let curve: Vec<Point> = (0..=100)
        .map(|i| x.from.0 + (x.from.1 - x.from.0) * f64::from(i) / 100.0)
        .map(|v| (x.at(v), y.at(scale * normal(v))))
        .collect();
    svg.polyline(&curve, Stroke::solid(INK, 1.5));
    for &tick in &ticks {
        svg.polyline(&[(x.at(tick), bottom), (x.at(tick), bottom + 4.0)], Stroke::solid(AXIS, 1.0));
        let at = (x.at(tick), bottom + 18.0);
        svg.text(&Text::new(at, &format!("{tick:.decimals$}"), SMALL).anchor(Anchor::Middle).color(MUTED));
    }
    svg.polyline(&[(LEFT, bottom), (WIDTH - RIGHT, bottom)], Stroke::solid(AXIS, 1.0));
    let at = (f64::midpoint(LEFT, WIDTH - RIGHT), bottom + 38.0);
    svg.text(&Text::new(at, axis, SMALL).anchor(Anchor::Middle).color(MUTED));
    svg.finish()
}

fn bins(values: &[f64], range: f64) -> usize {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let at = |share: f64| sorted[(share * (sorted.len() - 1) as f64) as usize];
    let width = 2.0 * (at(0.75) - at(0.25)) / (values.len() as f64).cbrt();
    if width > 0.0 { ((range / width).ceil() as usize).clamp(5, 60) } else { 5 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_is_in_a_bar_and_equal_ones_have_none() {
        let values: Vec<f64> = (0..200).map(|i| f64::from(i % 20) / 10.0).collect();
        let svg = histogram("a<b", &values, "accuracy, %");
        let document = roxmltree::Document::parse(&svg).unwrap();
        let bars = document.descendants().filter(|n| n.attribute("fill") == Some(group_color(0))).count();
        assert!(bars >= 5, "{bars}");
        assert!(svg.contains("200 runs"));
        assert!(!histogram("same", &[1.0; 9], "x").contains(group_color(0)));
    }
}
