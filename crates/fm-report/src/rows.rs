//! Plots whose rows are named above them: a forest plot of differences, and accuracies of single seeds.

use crate::axis::{Scale, round_ticks};
use crate::chart::{Estimate, SMALL, WIDTH, group_color, least, most};
use crate::color::{AXIS, GRID, INK, MUTED};
use crate::font;
use crate::stats::Answer;
use crate::svg::{Anchor, Point, Stroke, Svg, Text};

const LEFT: f64 = 12.0;
const RIGHT: f64 = 12.0;
/// Of a row: its name and what is drawn below that.
const STEP: f64 = 42.0;

/// A difference in percentage points.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ForestRow {
    pub(crate) name: String,
    pub(crate) difference: Estimate,
    pub(crate) answer: Answer,
}

/// Draws differences with their intervals, a line at none, and a band of those that do not matter.
pub(crate) fn forest(title: &str, margin: f64, rows: &[ForestRow]) -> String {
    let top = 62.0;
    let bottom = top + STEP * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 66.0, title);
    svg.text(&Text::new((LEFT, 24.0), &font::fit(title, 15.0, 0.9 * WIDTH), 15.0).bold(true));
    let note = format!("shaded: within the margin of {margin} points");
    svg.text(&Text::new((LEFT, 44.0), &note, SMALL).color(MUTED));
    let ends = rows.iter().flat_map(|r| [r.difference.low, r.difference.high]);
    let ends: Vec<f64> = ends.chain([-margin, margin]).collect();
    let x = below(&mut svg, &ends, (top, bottom), "", "difference of accuracy in percentage points");
    let band = (x.at(-margin), x.at(margin));
    svg.area(&[(band.0, top), (band.1, top), (band.1, bottom), (band.0, bottom)], "#59636e");
    svg.polyline(&[(x.at(0.0), top), (x.at(0.0), bottom)], Stroke::solid(INK, 1.0));
    for (index, row) in rows.iter().enumerate() {
        let middle = top + STEP * index as f64 + 30.0;
        let Estimate { mean, low, high } = row.difference;
        let said = format!("{mean:+.2} ({low:.2} to {high:.2})");
        name(&mut svg, middle, &row.name, &said);
        let color = match row.answer {
            Answer::Better if mean > 0.0 => "#0072b2",
            Answer::Better => "#d55e00",
            _ => "#5b5b5b",
        };
        svg.interval((x.at(low), middle), (x.at(high), middle), Stroke::solid(color, 2.0));
        mark(&mut svg, (x.at(mean), middle), row.answer, color);
    }
    let mut left = LEFT + 6.0;
    for (kind, text) in
        [(Answer::Better, "better"), (Answer::Equivalent, "equivalent"), (Answer::Undecided, "undecided")]
    {
        mark(&mut svg, (left, bottom + 54.0), kind, "#5b5b5b");
        svg.text(&Text::new((left + 10.0, bottom + 54.0), text, SMALL).color(MUTED).centered());
        left += 34.0 + 1.1 * font::width(text, SMALL, false);
    }
    svg.finish()
}

fn mark(svg: &mut Svg, (x, y): Point, answer: Answer, color: &str) {
    let r = 4.5;
    match answer {
        Answer::Better => svg.dot((x, y), r + 0.5, color),
        Answer::Equivalent => {
            svg.shape(&[(x - r, y - r), (x + r, y - r), (x + r, y + r), (x - r, y + r)], color);
        }
        Answer::Undecided => svg.ring((x, y), r, color),
    }
}

/// A group's runs: accuracies in per cent, by rising seed, and their mean.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct SeedRow {
    pub(crate) name: String,
    pub(crate) values: Vec<f64>,
    /// With the interval of the mean.
    pub(crate) mean: Estimate,
}

/// Draws each run as a point, with the mean and its interval below; with `paired`, lines join runs of one seed.
pub(crate) fn seeds(title: &str, rows: &[SeedRow], paired: bool) -> String {
    let top = 36.0;
    let bottom = top + (STEP + 10.0) * rows.len() as f64;
    let mut svg = Svg::new(WIDTH, bottom + 44.0, title);
    svg.text(&Text::new((LEFT, 24.0), title, 15.0).bold(true));
    let all: Vec<f64> =
        rows.iter().flat_map(|r| r.values.iter().copied().chain([r.mean.low, r.mean.high])).collect();
    let x = below(&mut svg, &all, (top, bottom), " %", "test accuracy");
    let height = |index: usize| top + (STEP + 10.0) * index as f64 + 28.0;
    if paired {
        for (index, pair) in rows.windows(2).enumerate() {
            for (&a, &b) in pair[0].values.iter().zip(&pair[1].values) {
                let ends = [(x.at(a), height(index)), (x.at(b), height(index + 1))];
                svg.polyline(&ends, Stroke::solid(AXIS, 0.75));
            }
        }
    }
    for (index, row) in rows.iter().enumerate() {
        let (middle, color) = (height(index), group_color(index));
        name(&mut svg, middle, &row.name, &format!("{:.2} %", row.mean.mean));
        svg.cloud(row.values.iter().map(|&v| ((x.at(v), middle), Vec::new(), color)), 4.0);
        let (at, lower) = (x.at(row.mean.mean), middle + 12.0);
        if row.mean.high > row.mean.low {
            let ends = ((x.at(row.mean.low), lower), (x.at(row.mean.high), lower));
            svg.interval(ends.0, ends.1, Stroke::solid(INK, 1.5));
        }
        svg.diamond((at, lower), 4.5, INK);
    }
    svg.finish()
}

/// What stands above a row: its name, and its numbers at the right, on a ground that hides what crosses.
fn name(svg: &mut Svg, middle: f64, name: &str, said: &str) {
    let height = middle - 15.0;
    let room = WIDTH - LEFT - RIGHT - 1.1 * font::width(said, SMALL, false) - 12.0;
    let name = font::fit(name, SMALL, room);
    let wide = 1.05 * font::width(&name, SMALL, false);
    svg.rect((LEFT, height - 8.0), (wide, 16.0), "#ffffff", None);
    svg.text(&Text::new((LEFT, height), &name, SMALL).centered());
    let wide = 1.05 * font::width(said, SMALL, false);
    svg.rect((WIDTH - RIGHT - wide, height - 8.0), (wide, 16.0), "#ffffff", None);
    let at = (WIDTH - RIGHT, height);
    svg.text(&Text::new(at, said, SMALL).anchor(Anchor::End).color(MUTED).centered());
}

/// Draws the axis below and its lines, and gives its scale.
fn below(svg: &mut Svg, values: &[f64], (top, bottom): (f64, f64), unit: &str, axis: &str) -> Scale {
    let (ticks, decimals) = round_ticks(least(values), most(values), 5);
    let x = Scale { from: (ticks[0], ticks[ticks.len() - 1]), to: (LEFT + 22.0, WIDTH - RIGHT - 22.0) };
    for &tick in &ticks {
        let at = x.at(tick);
        svg.polyline(&[(at, top), (at, bottom)], Stroke::solid(GRID, 1.0));
        let label = format!("{tick:.decimals$}{unit}");
        svg.text(&Text::new((at, bottom + 16.0), &label, SMALL).anchor(Anchor::Middle).color(MUTED));
    }
    svg.polyline(&[(x.to.0, bottom), (x.to.1, bottom)], Stroke::solid(AXIS, 1.0));
    let middle = (WIDTH / 2.0, bottom + 34.0);
    svg.text(&Text::new(middle, axis, SMALL).anchor(Anchor::Middle).color(MUTED));
    x
}

#[cfg(test)]
mod tests {
    use super::*;

    fn marks(svg: &str, tag: &str) -> usize {
        roxmltree::Document::parse(svg).unwrap().descendants().filter(|n| n.has_tag_name(tag)).count()
    }

    #[test]
    fn every_difference_has_its_mark_and_its_numbers() {
        let row = |name: &str, mean: f64, answer| ForestRow {
            name: name.to_owned(),
            difference: Estimate { mean, low: mean - 0.4, high: mean + 0.4 },
            answer,
        };
        let rows = [
            row("a<b", 1.4, Answer::Better),
            row("c", -0.1, Answer::Undecided),
            row("d", 0.0, Answer::Equivalent),
        ];
        let svg = forest("differences", 0.3, &rows);
        // One in the plot and one in the legend; squares and the band are polygons.
        assert_eq!((marks(&svg, "circle"), marks(&svg, "polygon")), (4, 3));
        assert!(svg.contains("+1.40 (1.00 to 1.80)") && svg.contains("margin of 0.3 points"));
    }

    #[test]
    fn every_seed_is_a_point_and_pairs_are_joined() {
        let row = |name: &str| SeedRow {
            name: name.to_owned(),
            values: vec![88.0, 88.5, 89.25],
            mean: Estimate { mean: 88.6, low: 88.0, high: 89.2 },
        };
        let lines = |paired| marks(&seeds("seeds", &[row("a"), row("b")], paired), "polyline");
        assert_eq!(marks(&seeds("seeds", &[row("a"), row("b")], true), "circle"), 6);
        assert_eq!(lines(true) - lines(false), 3);
    }
}
