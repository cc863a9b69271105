//! The difference of two groups' confusion matrices as a heat map.

use crate::color::{AXIS, INK, MUTED, hex};
use crate::font;
use crate::svg::{Anchor, Stroke, Svg, Text};

const SMALL: f64 = 13.0;
const BETTER: [f64; 3] = [120.0, 178.0, 224.0];
const WORSE: [f64; 3] = [246.0, 166.0, 100.0];

/// How far a cell of the second matrix is above the first's, in images per 1,000 of the true class.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Change {
    pub(crate) value: f64,
    /// Whether it is more than seeds alone make it, by twice its standard error.
    pub(crate) clear: bool,
}

/// Draws changes by true class (rows) and predicted class: blue where the second is better, which is more on the
/// diagonal and fewer elsewhere, and orange where it is worse. Numbers that are not clear are pale.
pub(crate) fn difference_heatmap(title: &str, classes: &[String], changes: &[Vec<Change>]) -> String {
    let n = classes.len();
    let cell = (560.0 / n.max(1) as f64).clamp(14.0, 50.0);
    let names: Vec<String> = classes.iter().map(|name| font::fit(name, SMALL.min(cell), 130.0)).collect();
    let size = SMALL.min(0.9 * cell);
    let widest = names.iter().map(|name| 1.1 * font::width(name, size, false)).fold(30.0, f64::max);
    let (left, top) = (48.0 + widest + 8.0, 104.0);
    let side = cell * n as f64;
    let width = (left + side + 24.0).max(560.0);
    let mut svg = Svg::new(width, top + side + widest * 0.75 + 62.0, title);
    svg.text(&Text::new((24.0, 30.0), &font::fit(title, 16.0, 0.9 * (width - 48.0)), 16.0).bold(true));
    let note = "images per 1,000 of the true class; pale numbers: within two standard errors of the seeds";
    svg.text(&Text::new((24.0, 50.0), &font::fit(note, SMALL, width - 40.0), SMALL).color(MUTED));
    let largest = changes.iter().flatten().map(|c| c.value.abs()).fold(1.0, f64::max);
    scale(&mut svg, largest);
    let number = (0.9 * (cell - 4.0) / font::width("+99.9", 1.0, true)).min(SMALL);
    for (row, changes) in changes.iter().enumerate() {
        for (column, change) in changes.iter().enumerate() {
            let at = (left + column as f64 * cell, top + row as f64 * cell);
            let better = if row == column { change.value } else { -change.value };
            let color = hex(colored((better / largest).clamp(-1.0, 1.0)));
            let tooltip = format!("{}, predicted {}: {:+.1}", classes[row], classes[column], change.value);
            svg.rect(at, (cell, cell), &color, Some(&tooltip));
            if change.value.abs() >= 0.05 && number >= 7.0 {
                let text = format!("{:+.1}", change.value);
                let text = Text::new((at.0 + cell / 2.0, at.1 + cell / 2.0), &text, number);
                let ink = if change.clear { INK } else { "#8c959f" };
                svg.text(
                    &text.anchor(Anchor::Middle).color(ink).centered().bold(row == column && change.clear),
                );
            }
        }
        let middle = (row as f64 + 0.5) * cell;
        svg.text(&Text::new((left - 8.0, top + middle), &names[row], size).anchor(Anchor::End).centered());
        let below = (left + middle + 4.0, top + side + 14.0);
        svg.text(&Text::new(below, &names[row], size).anchor(Anchor::End).rotated(-45.0));
    }
    svg.frame((left, top), (side, side), Stroke::solid(AXIS, 1.0));
    let below = (left + side / 2.0, top + side + widest * 0.75 + 46.0);
    svg.text(&Text::new(below, "predicted class", SMALL).anchor(Anchor::Middle).color(MUTED));
    let beside = (28.0, top + side / 2.0);
    svg.text(&Text::new(beside, "true class", SMALL).anchor(Anchor::Middle).color(MUTED).rotated(-90.0));
    svg.finish()
}

/// What colours mean, from the largest for the worse to the largest for the better.
fn scale(svg: &mut Svg, largest: f64) {
    const STEPS: i32 = 10;
    let worse = format!("worse by {largest:.1}");
    let (height, left) = (76.0, 24.0 + 1.15 * font::width(&worse, SMALL, false) + 8.0);
    svg.text(&Text::new((24.0, height), &worse, SMALL).centered());
    for step in -STEPS..=STEPS {
        let at = (left + 10.0 * f64::from(step + STEPS), height - 7.0);
        svg.rect(at, (10.0, 14.0), &hex(colored(f64::from(step) / f64::from(STEPS))), None);
    }
    let wide = 10.0 * f64::from(2 * STEPS + 1);
    svg.frame((left, height - 7.0), (wide, 14.0), Stroke::solid(AXIS, 1.0));
    let better = format!("better by {largest:.1}");
    svg.text(&Text::new((left + wide + 8.0, height), &better, SMALL).centered());
}

/// White in the middle, light enough at both ends for dark text: blue for better, orange for worse.
fn colored(share: f64) -> [u8; 3] {
    let end = if share < 0.0 { WORSE } else { BETTER };
    end.map(|v| (255.0 + (v - 255.0) * share.abs()).round() as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blue_is_better_on_the_diagonal_and_off_it() {
        let classes = ["a", "b<"].map(str::to_owned);
        let change = |value| Change { value, clear: true };
        let rows = [vec![change(10.0), change(10.0)], vec![change(-10.0), change(0.0)]];
        let svg = difference_heatmap("t", &classes, &rows);
        let document = roxmltree::Document::parse(&svg).unwrap();
        let texts: Vec<&str> = document.descendants().filter_map(|n| n.text()).collect();
        assert!(texts.contains(&"+10.0") && texts.contains(&"-10.0") && texts.contains(&"b<"), "{texts:?}");
        assert!(texts.contains(&"predicted class") && texts.contains(&"better by 10.0"), "{texts:?}");
        let fills: Vec<&str> = (document.descendants())
            .filter(|n| n.first_child().is_some_and(|child| child.has_tag_name("title")))
            .filter_map(|n| n.attribute("fill"))
            .collect();
        let (better, worse) = (hex(colored(1.0)), hex(colored(-1.0)));
        assert_eq!(fills, [better.as_str(), worse.as_str(), better.as_str(), "#ffffff"]);
    }
}
