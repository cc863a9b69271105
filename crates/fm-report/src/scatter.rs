//! Points of several classes in a plane.

use crate::axis::{Scale, round_ticks};
use crate::color::{AXIS, GRID, INK, MUTED};
use crate::font;
use crate::svg::{Anchor, Point, Stroke, Svg, Text};

/// Paul Tol's "muted" scheme, told apart by colour-blind readers too, and a grey; beyond ten they come again with
/// another mark.
const COLORS: [&str; 10] = [
    "#332288", "#88ccee", "#44aa99", "#117733", "#999933", "#ddcc77", "#cc6677", "#882255", "#aa4499",
    "#777777",
];

/// Marks of the first ten classes, of the next ten, and so on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Dot,
    Square,
    Triangle,
    Diamond,
    Cross,
    Bar,
}

const SHAPES: [Shape; 6] =
    [Shape::Dot, Shape::Square, Shape::Triangle, Shape::Diamond, Shape::Cross, Shape::Bar];

impl Shape {
    fn of(class: u8) -> Self {
        SHAPES[usize::from(class) / COLORS.len() % SHAPES.len()]
    }

    /// Corners around a middle, of the area of a dot with that radius; none for a dot.
    fn corners(self, (x, y): Point, radius: f64) -> Vec<Point> {
        let at = |points: &[Point], size: f64| -> Vec<Point> {
            points.iter().map(|(dx, dy)| (x + dx * size, y + dy * size)).collect()
        };
        match self {
            Self::Dot => Vec::new(),
            Self::Square => at(&[(-1.0, -1.0), (1.0, -1.0), (1.0, 1.0), (-1.0, 1.0)], 0.9 * radius),
            Self::Triangle => at(&[(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)], 1.2 * radius),
            Self::Diamond => at(&[(0.0, -1.0), (1.0, 0.0), (0.0, 1.0), (-1.0, 0.0)], 1.3 * radius),
            Self::Cross => at(
                &[
                    (-0.3, -1.0),
                    (0.3, -1.0),
                    (0.3, -0.3),
                    (1.0, -0.3),
                    (1.0, 0.3),
                    (0.3, 0.3),
                    (0.3, 1.0),
                    (-0.3, 1.0),
                    (-0.3, 0.3),
                    (-1.0, 0.3),
                    (-1.0, -0.3),
                    (-0.3, -0.3),
                ],
                1.3 * radius,
            ),
            Self::Bar => at(&[(-1.0, -0.35), (1.0, -0.35), (1.0, 0.35), (-1.0, 0.35)], 1.5 * radius),
        }
    }
}

const MARGIN: f64 = 24.0;
const LEFT: f64 = 70.0;
const TOP: f64 = 60.0;
const SIDE: f64 = 620.0;
const SMALL: f64 = 12.0;
/// Of a column of the legend, and how many names it has.
const LEGEND: f64 = 170.0;
const NAMES: usize = 28;
/// From so many classes on their names stand in the plot too.
const LABELLED: usize = 11;

/// Draws `points` (x, y, class) as SVG, with the classes' names beside and the axes' below and at the left.
/// Points lie above each other in their order; what is no number is left out. More than ten classes are told apart by
/// their marks too, and each has its name at its middle.
pub fn scatter(points: &[(f64, f64, u8)], classes: &[String], axes: [&str; 2], title: &str) -> String {
    let width = LEFT + SIDE + MARGIN + LEGEND * classes.len().div_ceil(NAMES).max(1) as f64;
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
    let radius = if points.len() > 2000 { 1.8 } else { 3.0 };
    svg.cloud(
        finite.iter().map(|&&(a, b, class)| {
            let at = (x.at(a), y.at(b));
            (at, Shape::of(class).corners(at, radius), color(class))
        }),
        radius,
    );
    if classes.len() >= LABELLED {
        label(&mut svg, classes, &finite, &x, &y);
    }
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
    for (class, name) in classes.iter().enumerate() {
        let left = LEFT + SIDE + MARGIN + LEGEND * (class / NAMES) as f64;
        let at = (left, TOP + 10.0 + 22.0 * (class % NAMES) as f64);
        let corners = Shape::of(class as u8).corners(at, 5.0);
        if corners.is_empty() {
            svg.dot(at, 6.0, color(class as u8));
        } else {
            svg.shape(&corners, color(class as u8));
        }
        let name = font::fit(name, SMALL + 1.0, LEGEND - 30.0);
        svg.text(&Text::new((at.0 + 14.0, at.1), &name, SMALL + 1.0).centered());
    }
    svg.finish()
}

/// Puts each class's name at the median of its points, moved down where another stands there.
fn label(svg: &mut Svg, classes: &[String], points: &[&(f64, f64, u8)], x: &Scale, y: &Scale) {
    let mut taken: Vec<(Point, f64)> = Vec::new();
    for (class, name) in classes.iter().enumerate() {
        let own: Vec<&&(f64, f64, u8)> = points.iter().filter(|p| usize::from(p.2) == class).collect();
        let median = |value: fn(&(f64, f64, u8)) -> f64| {
            let mut values: Vec<f64> = own.iter().map(|p| value(p)).collect();
            values.sort_by(f64::total_cmp);
            values.get(values.len() / 2).copied()
        };
        let (Some(a), Some(b)) = (median(|p| p.0), median(|p| p.1)) else { continue };
        let name = font::fit(name, SMALL, 90.0);
        let wide = 1.1 * font::width(&name, SMALL, true) + 4.0;
        let (middle, mut height) = (x.at(a).clamp(LEFT + wide / 2.0, LEFT + SIDE - wide / 2.0), y.at(b));
        let touches = |height: f64| {
            let near = |&((other, at), w): &(Point, f64)| {
                (at - height).abs() < SMALL + 2.0 && (other - middle).abs() < f64::midpoint(w, wide)
            };
            taken.iter().any(near)
        };
        for step in 1..80_i32 {
            // Down and up in turn, ever further.
            let moved = y.at(b) + f64::from(step / 2 * if step % 2 == 0 { 1 } else { -1 }) * 7.0;
            height = moved.clamp(TOP + 9.0, TOP + SIDE - 9.0);
            if !touches(height) {
                break;
            }
        }
        taken.push(((middle, height), wide));
        svg.tag((middle - wide / 2.0, height - 8.0), (wide, 16.0));
        let text = Text::new((middle, height), &name, SMALL).anchor(Anchor::Middle).bold(true);
        svg.text(&text.color(INK).centered());
    }
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
