//! The difference of two groups' confusion matrices as a heat map.

use crate::color::{AXIS, INK, MUTED, hex};
use crate::font;
use crate::svg::{Anchor, Stroke, Svg, Text};

const CELL: f64 = 50.0;
const SMALL: f64 = 12.0;

/// Draws `second` less `first`, mean counts by true (rows) and predicted class: orange where the second has
/// more, blue where the first has. On the diagonal more is better, elsewhere worse.
pub(crate) fn difference_heatmap(
    title: &str,
    note: &str,
    classes: &[String],
    first: &[Vec<f64>],
    second: &[Vec<f64>],
) -> String {
    let n = classes.len();
    let names: Vec<String> = classes.iter().map(|name| font::fit(name, SMALL, 130.0)).collect();
    let widest = names.iter().map(|name| 1.1 * font::width(name, SMALL, false)).fold(30.0, f64::max);
    let (left, top) = (24.0 + widest + 8.0, 74.0);
    let side = CELL * n as f64;
    let mut svg = Svg::new(
        (left + side + 24.0).max(560.0),
        top + side + widest * 0.75 + 40.0,
        &format!("{title}. {note}"),
    );
    svg.text(&Text::new((24.0, 30.0), &font::fit(title, 16.0, 0.9 * (left + side)), 16.0).bold(true));
    svg.text(&Text::new((24.0, 52.0), note, SMALL).color(MUTED));
    let largest =
        first.iter().flatten().zip(second.iter().flatten()).map(|(a, b)| (b - a).abs()).fold(1.0, f64::max);
    for row in 0..n {
        for column in 0..n {
            let value = second[row][column] - first[row][column];
            let at = (left + column as f64 * CELL, top + row as f64 * CELL);
            let share = (value / largest).clamp(-1.0, 1.0);
            let tooltip = format!("{}, predicted {}: {value:+.1}", classes[row], classes[column]);
            svg.rect(at, (CELL, CELL), &hex(diverging(share)), Some(&tooltip));
            if value.abs() >= 0.05 {
                let text = format!("{value:+.1}");
                let middle = (at.0 + CELL / 2.0, at.1 + CELL / 2.0);
                svg.text(
                    &Text::new(middle, &text, SMALL)
                        .anchor(Anchor::Middle)
                        .color(INK)
                        .centered()
                        .bold(row == column),
                );
            }
        }
        let middle = top + (row as f64 + 0.5) * CELL;
        svg.text(&Text::new((left - 8.0, middle), &names[row], SMALL).anchor(Anchor::End).centered());
        let below = (left + (row as f64 + 0.5) * CELL + 4.0, top + side + 14.0);
        svg.text(&Text::new(below, &names[row], SMALL).anchor(Anchor::End).rotated(-45.0));
    }
    svg.frame((left, top), (side, side), Stroke::solid(AXIS, 1.0));
    svg.finish()
}

/// White in the middle, light enough at both ends for dark text: blue for less, orange for more.
fn diverging(share: f64) -> [u8; 3] {
    let end: [f64; 3] = if share < 0.0 { [120.0, 178.0, 224.0] } else { [246.0, 166.0, 100.0] };
    end.map(|v| (255.0 + (v - 255.0) * share.abs()).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_and_classes_show() {
        let classes = ["a", "b<"].map(str::to_owned);
        let svg = difference_heatmap(
            "t",
            "n",
            &classes,
            &[vec![5.0, 1.0], vec![2.0, 4.0]],
            &[vec![7.5, 1.0], vec![0.0, 4.0]],
        );
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document.descendants().filter_map(|n| n.text()).collect();
        assert!(texts.contains(&"+2.5") && texts.contains(&"-2.0") && texts.contains(&"b<"), "{texts:?}");
        assert_eq!((diverging(0.0), diverging(-1.0)), ([255; 3], [120, 178, 224]));
    }
}
