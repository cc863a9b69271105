//! Points of several classes in a plane.

use crate::axis::{Scale, round_ticks};
use crate::color::{AXIS, GRID, MUTED};
use crate::font;
use crate::svg::{Anchor, Stroke, Svg, Text};

/// Paul Tol's "muted" scheme, told apart by colour-blind readers too, and a grey; repeated beyond ten.
const COLORS: [&str; 10] = [
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499",
    "#777777",
];

const MARGIN: f64 = 24.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 60.0;
const SIDE: f64 = 620.0;
const SMALL: f64 = 12.0;
const LEGEND: f64 = 190.0;

/// Draws `points` (x, y, class) as SVG, with the classes' names beside and the axes' below and at the left.
/// Points lie above each other in their order; what is no number is left out.
pub fn scatter(points: &[(f64, f64, u8)], classes: &[String], axes: [&str; 2], title: &str) -> String {
    let width = LEFT + SIDE + MARGIN + LEGEND;
    let mut svg = Svg::new(width, TOP + SIDE + 64.0, &format!("{title}: {} points", points.len()));
    svg.text(
        &Text::new((MARGIN, 34.0), &font::fit(title, 18.0, 0.9 * (width - 2.0 * MARGIN)), 18.0).bold(true),
    );
    let finite: Vec<&(f64, f64, u8)> = points.iter().filter(|p| p.0.is_finite() && p.1.is_finite()).collect();
    let x = scale(finite.iter().map(|p| p.0), (LEFT, LEFT + SIDE));
    let y = scale(finite.iter().map(|p| p.1), (TOP + SIDE, TOP));
    for (scale, along_x) in [(&x, true), (&y, false)] {
        let (ticks, decimals) = round_ticks(scale.from.0, scale.from.1, 6);
        for &tick in ticks.iter().filter(|&&tick| (scale.from.0..=scale.from.1).contains(&tick)) {
            let at = scale.at(tick);
            let line = if along_x { [(at, TOP), (at, TOP + SIDE)] } else { [(LEFT, at), (LEFT + SIDE, at)] };
            svg.polyline(&line, Stroke::solid(GRID, 1.0));
            let label = format!("{tick:.decimals$}");
            let place = if along_x { (at, TOP + SIDE + 18.0) } else { (LEFT - 8.0, at) };
            let text = Text::new(place, &label, SMALL).color(MUTED);
            svg.text(&if along_x {
                text.anchor(Anchor::Middle)
            } else {
                text.anchor(Anchor::End).centered()
            });
        }
    }
    svg.frame((LEFT, TOP), (SIDE, SIDE), Stroke::solid(AXIS, 1.0));
    let dots = finite.iter().map(|&&(a, b, class)| ((x.at(a), y.at(b)), color(class)));
    svg.cloud(dots, if points.len() > 2000 { 1.8 } else { 3.0 });
    let middle = (LEFT + SIDE / 2.0, TOP + SIDE + 44.0);
    svg.text(&Text::new(middle, axes[0], SMALL + 1.0).anchor(Anchor::Middle).color(MUTED));
    let beside = (MARGIN - 4.0, TOP + SIDE / 2.0);
    svg.text(
        &Text::new(beside, axes[1], SMALL + 1.0)
            .anchor(Anchor::Middle)
            .color(MUTED)
            .centered()
            .rotated(-90.0),
    );
    for (class, name) in classes.iter().enumerate().take(28) {
        let at = (LEFT + SIDE + MARGIN, TOP + 10.0 + 22.0 * class as f64);
        svg.dot(at, 6.0, color(class as u8));
        let name = font::fit(name, SMALL + 1.0, LEGEND - 40.0);
        svg.text(&Text::new((at.0 + 14.0, at.1), &name, SMALL + 1.0).centered());
    }
    svg.finish()
}

fn color(class: u8) -> &'static str {
    COLORS[usize::from(class) % COLORS.len()]
}

/// From the values' range, with a little room.
fn scale(values: impl Iterator<Item = f64>, to: (f64, f64)) -> Scale {
    let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), v| (a.min(v), b.max(v)));
    let (low, high) = if low <= high { (low, high) } else { (0.0, 1.0) };
    let room = if high > low { 0.04 * (high - low) } else { 1.0 };
    Scale { from: (low - room, high + room), to }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_point_is_within_the_frame_and_every_class_in_the_legend() {
        let points: Vec<(f64, f64, u8)> = (0..50)
            .map(|i| (f64::from(i) * 1e6, -f64::from(i % 7), (i % 3) as u8))
            .chain([(f64::NAN, 0.0, 0)])
            .collect();
        let names = ["a<b", "Bag", "Coat"].map(str::to_owned);
        let svg = scatter(&points, &names, ["x", "y"], "t");
        let document = roxmltree::Document::parse(&svg).unwrap();
        let dots: Vec<_> = document.descendants().filter(|n| n.has_tag_name("circle")).collect();
        assert_eq!(dots.len(), 50 + 3);
        for dot in &dots[..50] {
            let at = |name: &str| dot.attribute(name).unwrap().parse::<f64>().unwrap();
            assert!((LEFT..=LEFT + SIDE).contains(&at("cx")) && (TOP..=TOP + SIDE).contains(&at("cy")));
        }
        let texts: Vec<&str> = document.descendants().filter_map(|n| n.text()).collect();
        assert!(texts.contains(&"a<b") && texts.contains(&"Coat"));
        assert!(crate::rasterize(&scatter(&[], &names, ["x", "y"], "none"), 1.0).is_ok());
    }
}
