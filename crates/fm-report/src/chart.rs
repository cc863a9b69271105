//! Charts of groups of runs: lines with bands, and points with intervals. They are narrow, so that their text can be
//! read on a phone.

use crate::axis::{Scale, epoch_ticks, round_ticks};
use crate::color::{AXIS, GRID, MUTED};
use crate::font;
use crate::svg::{Anchor, Point, Stroke, Svg, Text};

/// Okabe and Ito's colours (2008), told apart by colour-blind readers, the darker ones first.
const GROUPS: [&str; 8] =
    ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#5b5b5b", "#8a6d00"];

/// A group's colour, by its place.
pub(crate) fn group_color(index: usize) -> &'static str {
    GROUPS[index % GROUPS.len()]
}

/// A group's line, by its place: dashed from the ninth on, whose colours come again.
fn group_stroke(index: usize, width: f64) -> Stroke<'static> {
    let color = group_color(index);
    if index < GROUPS.len() { Stroke::solid(color, width) } else { Stroke::dashed(color, width) }
}

/// A point of a line, and from where to where its group's values lie.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Sample {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) low: f64,
    pub(crate) high: f64,
    /// The same along x, where that is measured too.
    pub(crate) across: Option<(f64, f64)>,
}

/// A line of a chart: a group's, by its place.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Series {
    pub(crate) name: String,
    /// In rising order of x.
    pub(crate) samples: Vec<Sample>,
    /// Scores on the test set, as diamonds apart from the line.
    pub(crate) scored: Vec<Point>,
}

/// What a chart shows along its axes.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Axes<'a> {
    pub(crate) title: &'a str,
    pub(crate) x: &'a str,
    /// Written behind each value.
    pub(crate) unit: &'a str,
    /// Whether x counts something.
    pub(crate) whole: bool,
    /// Whether the range is a band or, for few points, bars.
    pub(crate) band: bool,
}

pub(crate) const WIDTH: f64 = 420.0;
pub(crate) const SMALL: f64 = 13.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = 16.0;
const HEIGHT: f64 = 200.0;
const ROW: f64 = 18.0;
/// Up to how many groups have their names in a legend and their ranges drawn; more are numbered.
pub(crate) const NAMED: usize = 4;

/// Draws the series as SVG, their names above; more than [`NAMED`] have their numbers beside their ends.
pub(crate) fn lines(axes: Axes<'_>, series: &[Series]) -> String {
    let numbered = series.len() > NAMED;
    let names: Vec<&str> = series.iter().map(|s| s.name.as_str()).filter(|_| !numbered).collect();
    let top = 58.0 + ROW * names.len() as f64;
    let right = WIDTH - RIGHT - if numbered { 26.0 } else { 0.0 };
    let description = format!("{}, by {}", axes.title, axes.x);
    let mut svg = Svg::new(WIDTH, top + HEIGHT + 50.0, &description);
    svg.text(&Text::new((12.0, 24.0), axes.title, 15.0).bold(true));
    legend(&mut svg, &names);
    let finite = |s: &&Sample| s.x.is_finite() && s.y.is_finite();
    let all: Vec<&Sample> = series.iter().flat_map(|s| &s.samples).filter(finite).collect();
    let scored = || series.iter().flat_map(|s| &s.scored).copied();
    let bottom = top + HEIGHT;
    if all.is_empty() {
        let middle = (WIDTH / 2.0, top + HEIGHT / 2.0);
        svg.text(&Text::new(middle, "not measured", 14.0).anchor(Anchor::Middle).color(MUTED));
        return svg.finish();
    }
    let range = |s: &&Sample| if numbered && axes.band { [s.y, s.y] } else { [s.low, s.high] };
    let heights: Vec<f64> = all.iter().flat_map(range).chain(scored().map(|p| p.1)).collect();
    let (ticks, decimals) = round_ticks(least(&heights), most(&heights), 5);
    let y = Scale { from: (ticks[0], ticks[ticks.len() - 1]), to: (bottom, top) };
    for &tick in &ticks {
        let at = y.at(tick);
        svg.polyline(&[(LEFT, at), (right, at)], Stroke::solid(GRID, 1.0));
        let label = format!("{tick:.decimals$}{}", axes.unit);
        svg.text(&Text::new((LEFT - 8.0, at), &label, SMALL).anchor(Anchor::End).color(MUTED).centered());
    }
    if ticks[0] > 0.0 {
        let note = format!("axis from {:.decimals$}{}", ticks[0], axes.unit);
        let at = (WIDTH - RIGHT, 24.0);
        svg.text(&Text::new(at, &note, SMALL - 1.0).anchor(Anchor::End).color(MUTED));
    }
    let x = x_axis(&mut svg, axes, &all, scored(), (LEFT, right), bottom);
    let mut ends = Vec::new();
    for (index, line) in series.iter().enumerate() {
        // Bars of several groups at one place stand beside each other.
        let aside = if axes.band { 0.0 } else { 7.0 * (index as f64 - (series.len() as f64 - 1.0) / 2.0) };
        let aside = if numbered { 0.0 } else { aside.clamp(-14.0, 14.0) };
        let samples: Vec<&Sample> = line.samples.iter().filter(finite).collect();
        let at = |value: fn(&Sample) -> f64| samples.iter().map(move |s| (x.at(s.x) + aside, y.at(value(s))));
        if axes.band && !numbered {
            let mut outline: Vec<Point> = at(|s| s.high).collect();
            let mut back: Vec<Point> = at(|s| s.low).collect();
            back.reverse();
            outline.extend(back);
            svg.area(&outline, group_color(index));
        }
        let points: Vec<Point> = at(|s| s.y).collect();
        svg.polyline(&points, group_stroke(index, 2.0));
        if !axes.band || points.len() == 1 {
            for &at in &points {
                svg.dot(at, 3.0, group_color(index));
            }
        }
        if !axes.band {
            let stroke = Stroke::solid(group_color(index), 1.5);
            for (high, low) in at(|s| s.high).zip(at(|s| s.low)).filter(|(high, low)| low.1 > high.1) {
                svg.interval(high, low, stroke);
            }
            for (s, at) in samples.iter().zip(&points) {
                if let Some((from, to)) = s.across.filter(|(from, to)| to > from) {
                    svg.interval((x.at(from), at.1), (x.at(to), at.1), stroke);
                }
            }
        }
        for &(epoch, score) in &line.scored {
            svg.diamond((x.at(epoch), y.at(score)), 5.5, group_color(index));
        }
        ends.extend(points.last().map(|end| (end.1, index)));
    }
    if numbered {
        let heights = apart(ends.iter().map(|end| end.0).collect(), 14.0, (top, bottom));
        for ((_, index), height) in ends.iter().zip(heights) {
            let text = (index + 1).to_string();
            let at = (right + 8.0, height);
            svg.text(&Text::new(at, &text, SMALL).color(group_color(*index)).bold(true).centered());
        }
    }
    svg.finish()
}

/// Draws the axis below and gives its scale.
fn x_axis(
    svg: &mut Svg,
    axes: Axes<'_>,
    all: &[&Sample],
    scored: impl Iterator<Item = Point>,
    (left, right): (f64, f64),
    bottom: f64,
) -> Scale {
    let across = all.iter().filter_map(|s| s.across).flat_map(|(from, to)| [from, to]);
    let places: Vec<f64> = all.iter().map(|s| s.x).chain(scored.map(|p| p.0)).chain(across).collect();
    let (first, last) = (least(&places), most(&places));
    let room = if last > first { 0.05 * (last - first) } else { 0.5 };
    let x = Scale { from: (first - room, last + room), to: (left, right) };
    let (ticks, decimals) = if axes.whole {
        (epoch_ticks(first as u32, last as u32, 5).into_iter().map(f64::from).collect(), 0)
    } else {
        round_ticks(first, last, 5)
    };
    for &tick in ticks.iter().filter(|t| (x.from.0..=x.from.1).contains(*t)) {
        let at = x.at(tick);
        svg.polyline(&[(at, bottom), (at, bottom + 4.0)], Stroke::solid(AXIS, 1.0));
        let label = format!("{tick:.decimals$}");
        svg.text(&Text::new((at, bottom + 18.0), &label, SMALL).anchor(Anchor::Middle).color(MUTED));
    }
    svg.polyline(&[(left, bottom), (right, bottom)], Stroke::solid(AXIS, 1.0));
    let below = (f64::midpoint(left, right), bottom + 38.0);
    svg.text(&Text::new(below, axes.x, SMALL).anchor(Anchor::Middle).color(MUTED));
    x
}

pub(crate) fn least(values: &[f64]) -> f64 {
    values.iter().copied().filter(|v| v.is_finite()).fold(f64::INFINITY, f64::min)
}

pub(crate) fn most(values: &[f64]) -> f64 {
    values.iter().copied().filter(|v| v.is_finite()).fold(f64::NEG_INFINITY, f64::max)
}

/// Heights moved apart until neighbours are `gap` from each other, from the top down, and all lie within.
pub(crate) fn apart(heights: Vec<f64>, gap: f64, (top, bottom): (f64, f64)) -> Vec<f64> {
    let mut order: Vec<usize> = (0..heights.len()).collect();
    order.sort_by(|&a, &b| heights[a].total_cmp(&heights[b]));
    let mut placed = heights;
    let mut free = top;
    for &i in &order {
        placed[i] = placed[i].max(free);
        free = placed[i] + gap;
    }
    let mut free = bottom;
    for &i in order.iter().rev() {
        placed[i] = placed[i].min(free);
        free = placed[i] - gap;
    }
    placed
}

fn legend(svg: &mut Svg, names: &[&str]) {
    for (index, name) in names.iter().enumerate() {
        let height = 44.0 + ROW * index as f64;
        svg.polyline(&[(12.0, height), (30.0, height)], group_stroke(index, 3.0));
        let name = font::fit(name, SMALL, WIDTH - 60.0);
        svg.text(&Text::new((36.0, height), &name, SMALL).centered());
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
    let step = (12.0 * groups.len() as f64 + 6.0).max(24.0);
    let top = 48.0 + ROW * groups.len() as f64;
    let bottom = top + step * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 30.0, title);
    svg.text(&Text::new((12.0, 24.0), title, 15.0).bold(true));
    legend(&mut svg, &groups.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>());
    let names = rows.iter().map(|name| font::width(name, SMALL, false) * 1.1).fold(40.0, f64::max).min(120.0);
    let left = 12.0 + names + 8.0;
    let all: Vec<&Estimate> = groups.iter().flat_map(|(_, values)| values.iter().flatten()).collect();
    let (low, high) = if all.is_empty() {
        (0.0, 100.0)
    } else {
        let ends: Vec<f64> = all.iter().flat_map(|e| [e.low, e.high]).collect();
        (least(&ends), most(&ends))
    };
    let (ticks, decimals) = round_ticks(low.max(0.0), high.min(100.0), 4);
    let x = Scale { from: (ticks[0], ticks[ticks.len() - 1]), to: (left, WIDTH - RIGHT - 12.0) };
    for &tick in &ticks {
        let at = x.at(tick);
        svg.polyline(&[(at, top), (at, bottom)], Stroke::solid(GRID, 1.0));
        let label = format!("{tick:.decimals$} %");
        svg.text(&Text::new((at, bottom + 18.0), &label, SMALL).anchor(Anchor::Middle).color(MUTED));
    }
    for (row, name) in rows.iter().enumerate() {
        let middle = top + (row as f64 + 0.5) * step;
        let name = font::fit(name, SMALL, names);
        svg.text(&Text::new((left - 8.0, middle), &name, SMALL).anchor(Anchor::End).centered());
        for (index, (_, values)) in groups.iter().enumerate() {
            let Some(Some(e)) = values.get(row) else { continue };
            let height = middle + 12.0 * (index as f64 - (groups.len() as f64 - 1.0) / 2.0);
            let end = |v: f64| x.at(v.clamp(x.from.0, x.from.1));
            svg.dot((end(e.mean), height), 3.0, group_color(index));
            if e.high > e.low {
                let stroke = Stroke::solid(group_color(index), 1.5);
                svg.interval((end(e.low), height), (end(e.high), height), stroke);
            }
        }
    }
    svg.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn count(svg: &str, tag: &str) -> usize {
        roxmltree::Document::parse(svg).unwrap().descendants().filter(|n| n.has_tag_name(tag)).count()
    }

    #[test]
    fn charts_hold_every_series_and_survive_having_none() {
        let sample = |x: f64| Sample { x, y: 2.0 * x, low: x, high: 3.0 * x, across: None };
        let series = |name: &str| Series {
            name: name.to_owned(),
            samples: (1..=4).map(|i| sample(f64::from(i))).collect(),
            scored: vec![(4.0, 9.0)],
        };
        let axes = Axes { title: "loss", x: "epoch", unit: "", whole: true, band: true };
        let svg = lines(axes, &[series("a<b"), series("another")]);
        // A band and a diamond each.
        assert_eq!((count(&svg, "polygon"), count(&svg, "circle")), (4, 0));
        let document = roxmltree::Document::parse(&svg).unwrap();
        assert!(document.descendants().any(|n| n.text() == Some("a<b")));
        assert_eq!(count(&lines(Axes { band: false, ..axes }, &[series("a")]), "circle"), 4);
        assert!(crate::rasterize(&lines(axes, &[]), 1.0).is_ok());
        // Many have numbers instead of names, and no bands.
        let many: Vec<Series> = (0..12).map(|i| series(&format!("group {i}"))).collect();
        let svg = lines(axes, &many);
        assert!(!svg.contains("group 3") && svg.contains(">12</text>"));
        assert_eq!(count(&svg, "polygon"), 12);

        let e = Estimate { mean: 80.0, low: 70.0, high: 90.0 };
        let rows = ["Bag", "Coat"].map(str::to_owned);
        let svg = estimates(
            "recall",
            &rows,
            &[("a".to_owned(), vec![Some(e), None]), ("b".to_owned(), vec![Some(e), Some(e)])],
        );
        assert_eq!(count(&svg, "circle"), 3);
    }

    #[test]
    fn labels_are_moved_apart_in_their_order() {
        assert_eq!(apart(vec![50.0, 51.0, 0.0], 10.0, (0.0, 100.0)), [50.0, 60.0, 0.0]);
        assert_eq!(apart(vec![99.0, 100.0], 10.0, (0.0, 100.0)), [90.0, 100.0]);
    }
}
