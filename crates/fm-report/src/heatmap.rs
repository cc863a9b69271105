//! A confusion matrix as a heat map: counts → layout by the number of classes and the room their names
//! need → cells, names, recall and colour bar.
//!
//! Rows are true classes, columns predicted ones. A cell's colour is its share of the row, so a row's
//! colours say where the images of a class went, however many there are; its number is the count, or for several
//! runs the mean of 1,000 images of the class.

use crate::color::{AXIS, MUTED, hex, ink_on, sequential};
use crate::font;
use crate::svg::{Anchor, Stroke, Svg, Text};
use fm_run::tables::Confusion;

const MARGIN: f64 = 24.0;
/// Height of title and score above the matrix, and of the heading of the recall column.
const HEAD: f64 = 96.0;
/// The widest class name; longer ones are cut.
const MAX_NAME: f64 = 170.0;
/// Between the matrix and what stands right of it.
const GAP: f64 = 14.0;
const RECALL: f64 = 62.0;
const BAR: f64 = 14.0;

/// What is drawn: of one run, or the mean of several.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Matrix<'a> {
    pub(crate) classes: &'a [String],
    /// Of the true class; none where it has no images.
    pub(crate) shares: Vec<Vec<Option<f64>>>,
    /// A cell's number; "0" where there is nothing.
    pub(crate) numbers: Vec<Vec<String>>,
    /// By class.
    pub(crate) recall: Vec<Option<f64>>,
    pub(crate) precision: Vec<Option<f64>>,
    /// The line below the title.
    pub(crate) score: String,
}

/// Draws the matrix as SVG: counts, coloured by share of the true class, with precision and recall by class and
/// accuracy.
///
/// Counts are left out where they no longer fit (they stay as tooltips); long names are cut.
pub fn confusion_heatmap(confusion: &Confusion, title: &str) -> String {
    let score = match confusion.accuracy() {
        Some(accuracy) => format!(
            "accuracy {:.2} %  ({} of {} images)",
            100.0 * accuracy,
            grouped(confusion.correct()),
            grouped(confusion.total())
        ),
        None => "no images".to_owned(),
    };
    let scores = confusion.per_class();
    let matrix = Matrix {
        classes: confusion.classes(),
        shares: confusion.shares(),
        numbers: confusion.rows().iter().map(|row| row.iter().map(u64::to_string).collect()).collect(),
        recall: scores.iter().map(|class| class.recall).collect(),
        precision: scores.iter().map(|class| class.precision).collect(),
        score,
    };
    heatmap(&matrix, title)
}

/// Draws a matrix.
pub(crate) fn heatmap(matrix: &Matrix<'_>, title: &str) -> String {
    let layout = Layout::new(matrix);
    let score = &matrix.score;
    let heading = font::width(title, 18.0, true).max(font::width(score, 14.0, false)) * 1.1 + 2.0 * MARGIN;
    let mut svg =
        Svg::new(layout.width().max(heading.min(900.0)), layout.height(), &format!("{title}, {score}"));
    let title = font::fit(title, 18.0, 0.9 * 900.0);
    svg.text(&Text::new((MARGIN, 34.0), &title, 18.0).bold(true));
    svg.text(&Text::new((MARGIN, 56.0), score, 14.0).color(MUTED));
    layout.draw_cells(&mut svg, matrix);
    layout.draw_names(&mut svg);
    layout.draw_recall(&mut svg, matrix);
    layout.draw_precision(&mut svg, matrix);
    layout.draw_color_bar(&mut svg);
    svg.finish()
}

/// How the names below the columns stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ColumnNames {
    /// Side by side, in one line or two.
    Level,
    /// Turned, rising to the right at this many degrees.
    Turned(u32),
}

struct Layout {
    names: Vec<String>,
    /// Side of a cell.
    cell: f64,
    name_size: f64,
    column_names: ColumnNames,
    /// Left and top of the matrix.
    left: f64,
    top: f64,
}

impl Layout {
    fn new(matrix: &Matrix<'_>) -> Self {
        let n = matrix.classes.len();
        let cell = (560.0 / n.max(1) as f64).clamp(13.0, 84.0);
        let name_size = (0.85 * cell).min(13.0);
        let names: Vec<String> =
            matrix.classes.iter().map(|name| font::fit(name, name_size, MAX_NAME)).collect();
        let fits =
            |line: &str| line.chars().count() <= 1 || 1.1 * font::width(line, name_size, false) <= cell - 3.0;
        let column_names = if names.iter().all(|name| split(name).iter().all(|line| fits(line))) {
            ColumnNames::Level
        } else if cell > 1.8 * name_size {
            ColumnNames::Turned(45)
        } else {
            ColumnNames::Turned(90)
        };
        let mut layout = Self { names, cell, name_size, column_names, left: 0.0, top: HEAD };
        layout.left = MARGIN + 26.0 + layout.longest_name() + 8.0;
        if column_names == ColumnNames::Turned(45) {
            // The first name leans out to the left.
            let lean = layout.turned_height(45) - layout.cell / 2.0 + MARGIN;
            layout.left = layout.left.max(lean);
        }
        layout
    }

    /// With a tenth to spare, for viewers with a wider typeface.
    fn longest_name(&self) -> f64 {
        self.names.iter().map(|name| 1.1 * font::width(name, self.name_size, false)).fold(0.0, f64::max)
    }

    fn turned_height(&self, degrees: u32) -> f64 {
        self.longest_name() * f64::from(degrees).to_radians().sin() + self.name_size
    }

    fn names_height(&self) -> f64 {
        match self.column_names {
            ColumnNames::Level => {
                let lines = self.names.iter().map(|name| split(name).len()).max().unwrap_or(1);
                (0.7 + 1.15 * lines as f64) * self.name_size
            }
            ColumnNames::Turned(degrees) => self.turned_height(degrees) + 4.0,
        }
    }

    fn side(&self) -> f64 {
        self.cell * self.names.len() as f64
    }

    fn width(&self) -> f64 {
        self.left + self.side() + GAP + RECALL + 2.0 * GAP + BAR + 70.0 + MARGIN
    }

    fn height(&self) -> f64 {
        self.top + self.side() + self.names_height() + 28.0 + MARGIN / 2.0
    }

    fn draw_cells(&self, svg: &mut Svg, matrix: &Matrix<'_>) {
        let side = (self.side(), self.side());
        // Zeros are most of the cells and all of one colour.
        svg.rect((self.left, self.top), side, &hex(sequential(0.0)), None);
        let size = self.number_size(matrix);
        let line = Stroke::solid("#ffffff", if self.cell > 20.0 { 1.5 } else { 0.75 });
        for (t, (numbers, shares)) in matrix.numbers.iter().zip(&matrix.shares).enumerate() {
            for (p, (number, share)) in numbers.iter().zip(shares).enumerate() {
                let at = (self.left + p as f64 * self.cell, self.top + t as f64 * self.cell);
                let share = share.unwrap_or(0.0);
                let color = sequential(share);
                if share > 0.0 {
                    let classes = matrix.classes;
                    let tooltip = format!(
                        "{}, predicted {}: {number} ({:.1} %)",
                        classes[t],
                        classes[p],
                        100.0 * share
                    );
                    svg.rect(at, (self.cell, self.cell), &hex(color), Some(&tooltip));
                }
                if let Some(size) = size {
                    let ink = if number == "0" { "#8c959f" } else { ink_on(color) };
                    let middle = (at.0 + self.cell / 2.0, at.1 + self.cell / 2.0);
                    let text = Text::new(middle, number, size).anchor(Anchor::Middle).color(ink).centered();
                    svg.text(&text.bold(t == p));
                }
            }
        }
        for i in 1..self.names.len() {
            let offset = i as f64 * self.cell;
            let (x, y) = (self.left + offset, self.top + offset);
            svg.polyline(&[(x, self.top), (x, self.top + side.1)], line);
            svg.polyline(&[(self.left, y), (self.left + side.0, y)], line);
        }
        svg.frame((self.left, self.top), side, Stroke::solid(AXIS, 1.0));
    }

    /// The size at which every number fits into a cell, if it can be read.
    fn number_size(&self, matrix: &Matrix<'_>) -> Option<f64> {
        let widest = matrix.numbers.iter().flatten().map(|number| font::width(number, 1.0, true));
        let widest = widest.fold(0.0, f64::max);
        let size = ((self.cell - 6.0) / (1.05 * widest)).min(0.36 * self.cell).min(16.0);
        (size >= 7.0).then_some(size)
    }

    fn draw_names(&self, svg: &mut Svg) {
        let size = self.name_size;
        let bottom = self.top + self.side();
        for (i, name) in self.names.iter().enumerate() {
            let middle = (i as f64 + 0.5) * self.cell;
            let beside = (self.left - 8.0, self.top + middle);
            svg.text(&Text::new(beside, name, size).anchor(Anchor::End).centered());
            let x = self.left + middle;
            match self.column_names {
                ColumnNames::Level => {
                    for (line, text) in split(name).iter().enumerate() {
                        let at = (x, bottom + (1.4 + 1.15 * line as f64) * size);
                        svg.text(&Text::new(at, text, size).anchor(Anchor::Middle));
                    }
                }
                ColumnNames::Turned(degrees) => {
                    let text = Text::new((x, bottom + 8.0), name, size).anchor(Anchor::End);
                    svg.text(&text.rotated(-f64::from(degrees)).centered());
                }
            }
        }
        let middle = self.side() / 2.0;
        let below = (self.left + middle, bottom + self.names_height() + 22.0);
        svg.text(&Text::new(below, "predicted class", 13.0).anchor(Anchor::Middle).color(MUTED));
        let beside = (MARGIN + 6.0, self.top + middle);
        svg.text(&Text::new(beside, "true class", 13.0).anchor(Anchor::Middle).color(MUTED).rotated(-90.0));
    }

    /// The recall of each class, the lowest in bold.
    fn draw_recall(&self, svg: &mut Svg, matrix: &Matrix<'_>) {
        let right = self.left + self.side() + GAP + RECALL - 8.0;
        svg.text(&Text::new((right, self.top - 10.0), "recall", 13.0).anchor(Anchor::End).color(MUTED));
        let recalls = &matrix.recall;
        let lowest = recalls.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        for (i, recall) in recalls.iter().enumerate() {
            let text = recall.map_or("–".to_owned(), |r| format!("{:.1} %", 100.0 * r));
            let at = (right, self.top + (i as f64 + 0.5) * self.cell);
            let weakest = recall.is_some_and(|r| r <= lowest);
            svg.text(&Text::new(at, &text, self.name_size).anchor(Anchor::End).centered().bold(weakest));
        }
    }

    /// The precision of each class above its column, the lowest in bold, where that can be read.
    fn draw_precision(&self, svg: &mut Svg, matrix: &Matrix<'_>) {
        let texts: Vec<String> = matrix
            .precision
            .iter()
            .map(|p| p.map_or("–".to_owned(), |p| format!("{:.1}", 100.0 * p)))
            .collect();
        let widest =
            texts.iter().map(|text| 1.1 * font::width(text, self.name_size, true)).fold(0.0, f64::max);
        if widest > self.cell - 3.0 {
            return;
        }
        let lowest = matrix.precision.iter().flatten().copied().fold(f64::INFINITY, f64::min);
        let height = self.top - 10.0;
        let label = Text::new((self.left - 8.0, height), "precision, %", 13.0_f64.min(self.name_size));
        svg.text(&label.anchor(Anchor::End).color(MUTED));
        for (i, (text, precision)) in texts.iter().zip(&matrix.precision).enumerate() {
            let at = (self.left + (i as f64 + 0.5) * self.cell, height);
            let weakest = precision.is_some_and(|p| p <= lowest);
            svg.text(&Text::new(at, text, self.name_size).anchor(Anchor::Middle).bold(weakest));
        }
    }

    fn draw_color_bar(&self, svg: &mut Svg) {
        let left = self.left + self.side() + GAP + RECALL + 2.0 * GAP;
        let height = self.side();
        let colors: Vec<String> = (0..=20).map(|i| hex(sequential(f64::from(i) / 20.0))).collect();
        svg.vertical_gradient((left, self.top), (BAR, height), &colors);
        svg.frame((left, self.top), (BAR, height), Stroke::solid(AXIS, 1.0));
        for percent in [0, 25, 50, 75, 100] {
            let y = self.top + height * (1.0 - f64::from(percent) / 100.0);
            svg.polyline(&[(left + BAR, y), (left + BAR + 4.0, y)], Stroke::solid(AXIS, 1.0));
            let label = format!("{percent} %");
            svg.text(&Text::new((left + BAR + 8.0, y), &label, 12.0).color(MUTED).centered());
        }
        let beside = (left + BAR + 62.0, self.top + height / 2.0);
        svg.text(
            &Text::new(beside, "share of the true class", 12.0)
                .anchor(Anchor::Middle)
                .color(MUTED)
                .rotated(-90.0),
        );
    }
}

/// A name in one or two lines, broken where the longer of them is shortest: after a space, a slash or a
/// hyphen.
fn split(name: &str) -> Vec<&str> {
    let breaks = name.char_indices().filter(|(_, c)| matches!(c, ' ' | '/' | '-')).map(|(i, _)| i + 1);
    let longer = |&at: &usize| name[..at].len().max(name.len() - at);
    match breaks.filter(|&at| at < name.len()).min_by_key(longer) {
        Some(at) => vec![name[..at].trim_end(), &name[at..]],
        None => vec![name],
    }
}

/// With commas between thousands.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
