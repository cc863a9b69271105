//! Charts of groups of runs: lines with bands, and points with intervals.

use crate::axis::{Scale, round_ticks};
use crate::color::{AXIS, GRID, MUTED};
use crate::font;
use crate::svg::{Anchor, Point, Stroke, Svg, Text};

/// Okabe and Ito's colours (2008), told apart by colour-blind readers, the darker ones first.
pub(crate) const GROUPS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b5b5b", "#8a6d00"];

/// A group's colour, by its place.
pub(crate) fn group_color(index: usize) -> &'static str {
    GROUPS[index % GROUPS.len()]
}

/// A point of a line, and from where to where its group's values lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// A line of a chart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    pub(crate) color: &'static str,
    /// In rising order of x.
    pub(crate) samples: Vec<Sample>,
    /// Whether the range is a band or, for few points, bars.
    pub(crate) band: bool,
}

/// What a chart shows along its axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axes<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    /// Written behind each value.
    pub(crate) unit: &'a str,
}

const WIDTH: f64 = 520.0;
const LEFT: f64 = 62.0;
const RIGHT: f64 = 18.0;
const HEIGHT: f64 = 230.0;
const SMALL: f64 = 12.5;
const ROW: f64 = 19.0;

/// Draws the series as SVG, their names above.
pub(crate) fn lines(axes: Axes<'_>, series: &[Series]) -> String {
    let top = 44.0 + ROW * legend_rows(series).last().map_or(0.0, |(row, _)| *row as f64 + 1.0);
    let description = format!("{}, by {}", axes.title, axes.x);
    let mut svg = Svg::new(WIDTH, top + HEIGHT + 52.0, &description);
    svg.text(&Text::new((14.0, 24.0), axes.title, 15.0).bold(true));
    legend(&mut svg, series);
    let finite = |s: &&Sample| s.x.is_finite() && s.y.is_finite();
    let all: Vec<&Sample> = series.iter().flat_map(|s| &s.samples).filter(finite).collect();
    let bottom = top + HEIGHT;
    if all.is_empty() {
        let middle = (WIDTH / 2.0, top + HEIGHT / 2.0);
        svg.text(&Text::new(middle, "not measured", 14.0).anchor(Anchor::Middle).color(MUTED));
        return svg.finish();
    }
    let (ticks, decimals) =
        round_ticks(least(all.iter().map(|s| s.low)), most(all.iter().map(|s| s.high)), 5);
    let y = Scale { from: (ticks[0], ticks[ticks.len() - 1]), to: (bottom, top) };
    for &tick in &ticks {
        let at = y.at(tick);
        svg.polyline(&[(LEFT, at), (WIDTH - RIGHT, at)], Stroke::solid(GRID, 1.0));
        let label = format!("{tick:.decimals$}{}", axes.unit);
        svg.text(&Text::new((LEFT - 8.0, at), &label, SMALL).anchor(Anchor::End).color(MUTED).centered());
    }
    let (first, last) = (least(all.iter().map(|s| s.x)), most(all.iter().map(|s| s.x)));
    let room = if last > first { 0.03 * (last - first) } else { 0.5 };
    let x = Scale { from: (first - room, last + room), to: (LEFT, WIDTH - RIGHT) };
    let (ticks, decimals) = round_ticks(first, last, 6);
    for &tick in ticks.iter().filter(|t| (x.from.0..=x.from.1).contains(*t)) {
        let at = x.at(tick);
        svg.polyline(&[(at, bottom), (at, bottom + 4.0)], Stroke::solid(AXIS, 1.0));
        let label = format!("{tick:.decimals$}");
        svg.text(&Text::new((at, bottom + 18.0), &label, SMALL).anchor(Anchor::Middle).color(MUTED));
    }
    svg.polyline(&[(LEFT, bottom), (WIDTH - RIGHT, bottom)], Stroke::solid(AXIS, 1.0));
    let below = (f64::midpoint(LEFT, WIDTH - RIGHT), bottom + 38.0);
    svg.text(&Text::new(below, axes.x, SMALL).anchor(Anchor::Middle).color(MUTED));
    for line in series {
        let samples: Vec<&Sample> = line.samples.iter().filter(finite).collect();
        let at = |value: fn(&Sample) -> f64| samples.iter().map(move |s| (x.at(s.x), y.at(value(s))));
        if line.band {
            let mut outline: Vec<Point> = at(|s| s.high).collect();
            let mut back: Vec<Point> = at(|s| s.low).collect();
            back.reverse();
            outline.extend(back);
            svg.area(&outline, line.color);
        } else {
            for (high, low) in at(|s| s.high).zip(at(|s| s.low)) {
                svg.polyline(&[high, low], Stroke::solid(line.color, 1.5));
            }
        }
        let points: Vec<Point> = at(|s| s.y).collect();
        svg.polyline(&points, Stroke::solid(line.color, 2.0));
        if !line.band || points.len() == 1 {
            for at in points {
                svg.dot(at, 4.0, line.color);
            }
        }
    }
    svg.finish()
}

fn least(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::INFINITY, f64::min)
}

fn most(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NEG_INFINITY, f64::max)
}

/// Row and left end of each name.
fn legend_rows(series: &[Series]) -> Vec<(usize, f64)> {
    let (mut row, mut left) = (0, 14.0);
    let mut places = Vec::new();
    for line in series {
        let width = 36.0 + 1.1 * font::width(&line.name, SMALL, false);
        if left + width > WIDTH - 10.0 && left > 14.0 {
            (row, left) = (row + 1, 14.0);
        }
        places.push((row, left));
        left += width;
    }
    places
}

fn legend(svg: &mut Svg, series: &[Series]) {
    for (line, (row, left)) in series.iter().zip(legend_rows(series)) {
        let height = 44.0 + ROW * row as f64;
        svg.polyline(&[(left, height), (left + 18.0, height)], Stroke::solid(line.color, 3.0));
        let name = font::fit(&line.name, SMALL, WIDTH - 60.0);
        svg.text(&Text::new((left + 24.0, height), &name, SMALL).centered());
    }
}

/// A value with its interval, in per cent.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Estimate {
    pub(crate) mean: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
}

/// Draws for each row (a class) each group's estimate as a dot with its interval.
pub(crate) fn estimates(title: &str, rows: &[String], groups: &[(String, Vec<Option<Estimate>>)]) -> String {
    let legend_of: Vec<Series> = groups
        .iter()
        .enumerate()
        .map(|(i, (name, _))| Series {
            name: name.clone(),
            color: group_color(i),
            samples: vec![],
            band: true,
        })
        .collect();
    let step = (11.0 * groups.len() as f64 + 14.0).max(28.0);
    let top = 44.0 + ROW * legend_rows(&legend_of).last().map_or(0.0, |(row, _)| *row as f64 + 1.0);
    let bottom = top + step * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 46.0, title);
    svg.text(&Text::new((14.0, 24.0), title, 15.0).bold(true));
    legend(&mut svg, &legend_of);
    let names = rows.iter().map(|name| font::width(name, SMALL, false) * 1.1).fold(40.0, f64::max).min(150.0);
    let left = 14.0 + names + 10.0;
    let all: Vec<&Estimate> = groups.iter().flat_map(|(_, values)| values.iter().flatten()).collect();
    let low = if all.is_empty() { 0.0 } else { least(all.iter().map(|e| e.low)) };
    let high = if all.is_empty() { 100.0 } else { most(all.iter().map(|e| e.high)).min(100.0) };
    let (ticks, decimals) = round_ticks(low, high, 5);
    let x = Scale { from: (ticks[0], ticks[ticks.len() - 1]), to: (left, WIDTH - RIGHT - 8.0) };
    for &tick in &ticks {
        let at = x.at(tick);
        svg.polyline(&[(at, top), (at, bottom)], Stroke::solid(GRID, 1.0));
        let label = format!("{tick:.decimals$} %");
        svg.text(&Text::new((at, bottom + 18.0), &label, SMALL).anchor(Anchor::Middle).color(MUTED));
    }
    for (row, name) in rows.iter().enumerate() {
        let middle = top + (row as f64 + 0.5) * step;
        let name = font::fit(name, SMALL, names);
        svg.text(&Text::new((left - 10.0, middle), &name, SMALL).anchor(Anchor::End).centered());
        for (index, (_, values)) in groups.iter().enumerate() {
            let Some(Some(e)) = values.get(row) else { continue };
            let height = middle + 11.0 * (index as f64 - (groups.len() as f64 - 1.0) / 2.0);
            let color = group_color(index);
            let end = |v: f64| x.at(v.clamp(x.from.0, x.from.1));
            svg.polyline(&[(end(e.low), height), (end(e.high), height)], Stroke::solid(color, 2.0));
            svg.dot((end(e.mean), height), 4.0, color);
        }
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn charts_hold_every_series_and_survive_having_none() {
        let sample = |x: f64| Sample { x, y: 2.0 * x, low: x, high: 3.0 * x };
        let series = |name: &str, band| Series {
            name: name.to_owned(),
            color: group_color(0),
            samples: (1..=4).map(|i| sample(f64::from(i))).collect(),
            band,
        };
        let axes = Axes { title: "loss", x: "epoch", unit: "" };
        let svg = lines(axes, &[series("a<b", true), series("another", false)]);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let count = |tag: &str| document.descendants().filter(|n| n.has_tag_name(tag)).count();
        assert_eq!((count("polygon"), count("circle")), (1, 4));
        assert!(document.descendants().any(|n| n.text() == Some("a<b")));
        assert!(crate::rasterize(&lines(axes, &[]), 1.0).is_ok());

        let e = Estimate { mean: 80.0, low: 70.0, high: 90.0 };
        let rows = ["Bag", "Coat"].map(str::to_owned);
        let svg = estimates(
            "recall",
            &rows,
            &[("a".to_owned(), vec![Some(e), None]), ("b".to_owned(), vec![Some(e), Some(e)])],
        );
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert_eq!(document.descendants().filter(|n| n.has_tag_name("circle")).count(), 3);
    }
}
