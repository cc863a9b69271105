//! A reliability diagram: how often a model is right by how sure it is, and how many images it is so sure of.

use crate::axis::Scale;
use crate::color::{AXIS, GRID, MUTED};
use crate::font;
use crate::stats::{BINS, Bin, normal_quantile};
use crate::svg::{Anchor, Point, Stroke, Svg, Text};

const COLORS: [&str; 2] = [crate::color::TRAIN, crate::color::VALIDATION];
const MARGIN: f64 = 24.0;
const LEFT: f64 = 84.0;
const TOP: f64 = 104.0;
const SIDE: f64 = 480.0;
/// Height of the bars below, and what is between.
const BARS: f64 = 110.0;
const GAP: f64 = 26.0;
const SMALL: f64 = 13.0;
/// Bins of fewer images say nothing of accuracy and have no dot.
const FEWEST: usize = 10;

/// Draws bins of one or two models, or of one before and after scaling, each with its name.
pub fn reliability_diagram(models: &[(String, Vec<Bin>)], title: &str) -> String {
    let width = LEFT + SIDE + MARGIN;
    let bottom = TOP + SIDE + GAP + BARS;
    let mut svg = Svg::new(width, bottom + 76.0, &format!("{title}: accuracy by confidence"));
    let title = font::fit(title, 18.0, 0.9 * (width - 2.0 * MARGIN));
    svg.text(&Text::new((MARGIN, 34.0), &title, 18.0).bold(true));
    for (number, ((name, _), color)) in models.iter().zip(COLORS).enumerate() {
        let at = (MARGIN + 6.0, 58.0 + 22.0 * number as f64);
        svg.dot(at, 5.0, color);
        let name = font::fit(name, SMALL, width - 2.0 * MARGIN - 20.0);
        svg.text(&Text::new((at.0 + 14.0, at.1), &name, SMALL).centered());
    }
    let x = Scale { from: (0.0, 1.0), to: (LEFT, LEFT + SIDE) };
    let y = Scale { from: (0.0, 1.0), to: (TOP + SIDE, TOP) };
    for tick in (0..=5).map(|i| f64::from(i) / 5.0) {
        svg.polyline(&[(x.at(tick), TOP), (x.at(tick), TOP + SIDE)], Stroke::solid(GRID, 1.0));
        svg.polyline(&[(LEFT, y.at(tick)), (LEFT + SIDE, y.at(tick))], Stroke::solid(GRID, 1.0));
        let label = format!("{:.0} %", 100.0 * tick);
        let beside = Text::new((LEFT - 8.0, y.at(tick)), &label, SMALL).anchor(Anchor::End).color(MUTED);
        svg.text(&beside.centered());
        let below = Text::new((x.at(tick), bottom + 18.0), &label, SMALL).anchor(Anchor::Middle);
        svg.text(&below.color(MUTED));
    }
    svg.polyline(&[(LEFT, TOP + SIDE), (LEFT + SIDE, TOP)], Stroke::dashed(AXIS, 1.5));
    svg.frame((LEFT, TOP), (SIDE, SIDE), Stroke::solid(AXIS, 1.0));
    let share = |bin: &Bin, bins: &[Bin]| {
        bin.images as f64 / bins.iter().map(|bin| bin.images).sum::<usize>().max(1) as f64
    };
    let most = models.iter().flat_map(|(_, bins)| bins.iter().map(|bin| share(bin, bins)));
    let most = most.fold(0.0, f64::max).max(1e-9);
    let count = models.len().clamp(1, COLORS.len());
    for (number, ((_, bins), color)) in models.iter().zip(COLORS).enumerate() {
        let mut line: Vec<Point> = Vec::new();
        for bin in bins {
            let (Some(confidence), Some(accuracy)) = (bin.confidence, bin.accuracy) else { continue };
            let (low, high) = wilson(accuracy, bin.images as f64);
            let at = (x.at(confidence), y.at(accuracy));
            if bin.images >= FEWEST {
                svg.polyline(&[(at.0, y.at(low)), (at.0, y.at(high))], Stroke::solid(color, 1.5));
                line.push(at);
            }
            let slot = SIDE / BINS as f64;
            let (left, wide) = (x.at(bin.low) + 2.0, (slot - 4.0) / count as f64);
            let height = BARS * share(bin, bins) / most;
            let tooltip = format!("{} images, {:.1} % right", bin.images, 100.0 * accuracy);
            let corner = (left + wide * number as f64, bottom - height);
            svg.rect(corner, (wide, height), color, Some(&tooltip));
        }
        if line.len() > 1 {
            svg.polyline(&line, Stroke::solid(color, 2.0));
        }
        for at in line {
            svg.dot(at, 4.0, color);
        }
    }
    svg.polyline(&[(LEFT, bottom), (LEFT + SIDE, bottom)], Stroke::solid(AXIS, 1.0));
    let label = format!("{:.0} %", 100.0 * most);
    let tallest = Text::new((LEFT - 8.0, bottom - BARS + 6.0), &label, SMALL).anchor(Anchor::End);
    svg.text(&tallest.color(MUTED).centered());
    let middle = LEFT + SIDE / 2.0;
    let confidence = "confidence: the predicted class's probability";
    svg.text(&Text::new((middle, bottom + 44.0), confidence, SMALL).anchor(Anchor::Middle).color(MUTED));
    let few = format!("bins of fewer than {FEWEST} images have no dot");
    svg.text(&Text::new((middle, bottom + 62.0), &few, SMALL).anchor(Anchor::Middle).color(MUTED));
    for (name, at) in [("accuracy", TOP + SIDE / 2.0), ("images", bottom - BARS / 2.0)] {
        let text = Text::new((MARGIN, at), name, SMALL).anchor(Anchor::Middle).color(MUTED);
        svg.text(&text.centered().rotated(-90.0));
    }
    svg.finish()
}

/// Wilson's 95 % interval of a share of `n`.
fn wilson(share: f64, n: f64) -> (f64, f64) {
    let z2 = normal_quantile(0.975).powi(2);
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = (z2 * (share * (1.0 - share) / n + z2 / (4.0 * n * n))).sqrt() / (1.0 + z2 / n);
    (middle - half, middle + half)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::reliability;

    #[test]
    fn a_dot_stands_where_its_bin_is_right_and_sure() {
        let said: Vec<(f64, bool)> = (0..400).map(|i| (0.95, i % 4 != 0)).chain([(0.35, true)]).collect();
        let said: Vec<_> = said.into_iter().chain((0..20).map(|_| (0.55, true))).collect();
        let models = [("as it is".to_owned(), reliability(&said))];
        let svg = reliability_diagram(&models, "a & b");
        let document = roxmltree::Document::parse(&svg).unwrap();
        let dots: Vec<(f64, f64)> = document
            .descendants()
            .filter(|node| node.has_tag_name("circle"))
            .map(|node| ["cx", "cy"].map(|name| node.attribute(name).unwrap().parse().unwrap()).into())
            .collect();
        // The legend's, and one for each of two bins; a third has one image.
        assert_eq!(dots.len(), 3);
        let expected = (LEFT + 0.95 * SIDE, TOP + 0.25 * SIDE);
        assert!((dots[2].0 - expected.0).abs() < 0.1 && (dots[2].1 - expected.1).abs() < 0.1, "{dots:?}");
        assert!(crate::rasterize(&reliability_diagram(&[], "none"), 1.0).is_ok());
        // R's prop.test(300, 400, correct = FALSE).
        let (low, high) = wilson(0.75, 400.0);
        assert!((low - 0.705_322_9).abs() < 1e-6 && (high - 0.789_921_0).abs() < 1e-6, "{low} {high}");
    }
}
