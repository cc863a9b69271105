//! Learning curves: rows of `epochs.csv` → phases and series → two panels, loss and accuracy.
//!
//! The score on the test set is a diamond at the epoch whose weights were scored.
//!
//! Everything that is written stands outside the plotting areas: values at the right, beside the curves'
//! ends; phases and the best epoch above. So no label ever covers a curve. Curves break between phases,
//! whose losses may be of different kinds.

use std::ops::RangeInclusive;

use crate::axis::{Scale, epoch_ticks, round_ticks};
use crate::chart::apart;
use crate::color::{AXIS, GRID, INK, MUTED, TRAIN, VALIDATION};
use crate::font;
use crate::svg::{Anchor, Point, Stroke, Svg, Text};
use fm_run::tables::{EpochRow, best_epoch};

const WIDTH: f64 = 1080.0;
const MARGIN: f64 = 24.0;
/// Of a panel, left and right of the plotting area: tick labels and values.
const LEFT: f64 = 48.0;
const RIGHT: f64 = 92.0;
const PLOT_HEIGHT: f64 = 270.0;
const SMALL: f64 = 12.0;
/// Height of a row of phase names.
const ROW: f64 = 17.0;
/// Height of a series' label: its name and its value.
const LABEL: f64 = 32.0;
/// Up to how many epochs are also drawn as dots.
const DOTS: usize = 15;

/// What a run got on the test set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Score {
    /// The epoch whose weights were scored, as in `epochs.csv`.
    pub epoch: u32,
    /// Mean cross-entropy.
    pub loss: f64,
    /// A share of 1.
    pub accuracy: f64,
}

/// Draws loss and accuracy by epoch as SVG, for training and, where it was measured, validation, and the score on the
/// test set.
///
/// A dashed line marks the epoch of the last phase with the lowest validation loss; several phases are
/// told apart by lines and names. Without rows the picture says "no epochs".
pub fn curves(rows: &[EpochRow], title: &str, score: Option<Score>) -> String {
    let phases = phases(rows);
    let flags = if phases.len() > 1 { flags(&phases, rows) } else { Vec::new() };
    let flag_rows = flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0);
    let best = best(rows, &phases);
    let top = if best.is_some() { 108.0 } else { 90.0 } + flag_rows as f64 * ROW;
    let mut svg = Svg::new(WIDTH, top + PLOT_HEIGHT + 56.0, title);
    svg.text(
        &Text::new((MARGIN, 34.0), &font::fit(title, 18.0, 0.9 * (WIDTH - 2.0 * MARGIN)), 18.0).bold(true),
    );
    if rows.is_empty() {
        let size = (WIDTH - 2.0 * MARGIN, PLOT_HEIGHT + 40.0);
        svg.frame((MARGIN, 60.0), size, Stroke::solid(AXIS, 1.0));
        let middle = (WIDTH / 2.0, 60.0 + size.1 / 2.0);
        svg.text(&Text::new(middle, "no epochs", 16.0).anchor(Anchor::Middle).color(MUTED).centered());
        return svg.finish();
    }
    if let Some(best) = best {
        let scope = if phases.len() > 1 { " of the last phase" } else { "" };
        let scored = score.map_or(String::new(), |s| {
            format!("; diamond: the test set, with the weights of epoch {}", s.epoch)
        });
        let note = format!("dashed: epoch {} has the lowest validation loss{scope}{scored}", best.epoch);
        svg.text(&Text::new((MARGIN, 55.0), &note, SMALL).color(MUTED));
    }
    for (index, measure) in [Measure::Loss, Measure::Accuracy].into_iter().enumerate() {
        let left = MARGIN + index as f64 * (WIDTH - MARGIN) / 2.0;
        Panel { measure, rows, phases: &phases, flags: &flags, best, score, left, top }.draw(&mut svg);
    }
    svg.finish()
}

/// Successive rows of one phase.
type Phase = RangeInclusive<usize>;

fn phases(rows: &[EpochRow]) -> Vec<Phase> {
    let mut phases: Vec<Phase> = Vec::new();
    for (i, row) in rows.iter().enumerate() {
        match phases.last_mut() {
            Some(phase) if rows[*phase.start()].phase == row.phase => *phase = *phase.start()..=i,
            _ => phases.push(i..=i),
        }
    }
    phases
}

/// The last phase's row with the lowest validation loss; none where there is nothing to choose from.
fn best<'a>(rows: &'a [EpochRow], phases: &[Phase]) -> Option<&'a EpochRow> {
    best_epoch(rows.get(phases.last()?.clone()).filter(|rows| rows.len() > 1)?)
}

/// A phase's name above the plotting area: a flag on the line where the phase starts.
struct Flag<'a> {
    text: &'a str,
    /// Where the phase starts, in epochs: between its first and the one before.
    epoch: f64,
    /// Row of names, from the lowest.
    row: usize,
}

/// Hoists each name above those further right that it would touch, so that no line crosses a name.
fn flags<'a>(phases: &[Phase], rows: &'a [EpochRow]) -> Vec<Flag<'a>> {
    let x = Panel::x_scale(0.0, rows);
    let mut flags: Vec<Flag<'a>> = Vec::new();
    for phase in phases.iter().rev() {
        let first = &rows[*phase.start()];
        let before = phase.start().checked_sub(1).map(|row| f64::from(rows[row].epoch));
        let epoch = before.map_or(x.from.0, |last| f64::midpoint(last, f64::from(first.epoch)));
        let end = x.at(epoch) + 1.15 * font::width(&first.phase, SMALL, false) + 8.0;
        let touched = flags.iter().filter(|flag| x.at(flag.epoch) < end);
        let row = touched.map(|flag| flag.row + 1).max().unwrap_or(0);
        flags.push(Flag { text: &first.phase, epoch, row });
    }
    flags
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Measure {
    Loss,
    Accuracy,
}

impl Measure {
    const fn title(self) -> &'static str {
        match self {
            Self::Loss => "loss",
            Self::Accuracy => "accuracy",
        }
    }

    /// The row's values in training and in validation; accuracies in per cent.
    fn values(self, row: &EpochRow) -> [Option<f64>; 2] {
        let values = match self {
            Self::Loss => [Some(row.train_loss), row.val_loss],
            Self::Accuracy => [row.train_acc, row.val_acc].map(|share| share.map(|s| 100.0 * s)),
        };
        values.map(|value| value.filter(|v| v.is_finite()))
    }

    fn format(self, value: f64) -> String {
        match self {
            Self::Loss => format!("{value:.4}"),
            Self::Accuracy => format!("{value:.2} %"),
        }
    }

    /// Ticks that enclose the values; losses from zero.
    fn ticks(self, values: &[f64]) -> (Vec<f64>, usize) {
        let low = values.iter().copied().fold(f64::INFINITY, f64::min);
        let high = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        match self {
            _ if values.is_empty() => round_ticks(0.0, 1.0, 5),
            Self::Loss => round_ticks(low.min(0.0), high, 6),
            Self::Accuracy if high - low < 1.0 => {
                // No drama over tenths of a point.
                let high = (high + 0.5).min(100.0);
                round_ticks(high - 1.5, high, 6)
            }
            Self::Accuracy => round_ticks(low, high, 6),
        }
    }
}

/// One measure over the epochs.
struct Panel<'a> {
    measure: Measure,
    rows: &'a [EpochRow],
    phases: &'a [Phase],
    flags: &'a [Flag<'a>],
    best: Option<&'a EpochRow>,
    score: Option<Score>,
    left: f64,
    /// Of the plotting area.
    top: f64,
}

impl Panel<'_> {
    const PLOT_WIDTH: f64 = (WIDTH - 3.0 * MARGIN) / 2.0 - LEFT - RIGHT;

    /// Epochs to pixels, for a panel that starts at `left`; a little room at both ends.
    fn x_scale(left: f64, rows: &[EpochRow]) -> Scale {
        let epochs = rows.iter().map(|row| f64::from(row.epoch));
        let (first, last) = epochs.fold((f64::MAX, f64::MIN), |(a, b), e| (a.min(e), b.max(e)));
        let room = (0.025 * (last - first)).max(if last > first { 0.1 } else { 0.5 });
        let start = left + LEFT;
        Scale { from: (first - room, last + room), to: (start, start + Self::PLOT_WIDTH) }
    }

    fn draw(&self, svg: &mut Svg) {
        let (bottom, start) = (self.top + PLOT_HEIGHT, self.left + LEFT);
        let end = start + Self::PLOT_WIDTH;
        let measured = self.rows.iter().flat_map(|row| self.measure.values(row)).flatten();
        let values: Vec<f64> = measured.chain(self.scored().map(|(_, value)| value)).collect();
        let (ticks, decimals) = self.measure.ticks(&values);
        let x = Self::x_scale(self.left, self.rows);
        let y = Scale { from: (ticks[0], ticks[ticks.len() - 1]), to: (bottom, self.top) };

        let heading =
            Text::new((self.left, self.top - 24.0 - self.flags_height()), self.measure.title(), 14.0);
        svg.text(&heading.bold(true));
        if ticks[0] > 0.0 {
            let note = format!("axis from {:.decimals$} %", ticks[0]);
            let left = self.left + 1.2 * font::width(self.measure.title(), 14.0, true) + 8.0;
            svg.text(&Text::new((left, self.top - 24.0 - self.flags_height()), &note, SMALL).color(MUTED));
        }
        for &tick in &ticks {
            let height = y.at(tick);
            svg.polyline(&[(start, height), (end, height)], Stroke::solid(GRID, 1.0));
            let unit = if self.measure == Measure::Accuracy { " %" } else { "" };
            let label = format!("{tick:.decimals$}{unit}");
            svg.text(
                &Text::new((start - 8.0, height), &label, SMALL).anchor(Anchor::End).color(MUTED).centered(),
            );
        }
        self.draw_flags(svg, &x);
        svg.polyline(&[(start, bottom), (end, bottom)], Stroke::solid(AXIS, 1.0));
        let (first, last) = (self.rows[0].epoch, self.rows[self.rows.len() - 1].epoch);
        for tick in epoch_ticks(first, last, 6) {
            let at = x.at(f64::from(tick));
            svg.polyline(&[(at, bottom), (at, bottom + 4.0)], Stroke::solid(AXIS, 1.0));
            let label = tick.to_string();
            svg.text(&Text::new((at, bottom + 18.0), &label, SMALL).anchor(Anchor::Middle).color(MUTED));
        }
        let below = (f64::midpoint(start, end), bottom + 38.0);
        svg.text(&Text::new(below, "epoch", SMALL).anchor(Anchor::Middle).color(MUTED));
        self.draw_series(svg, &x, &y);
        self.draw_best(svg, &x, &y);
        if values.is_empty() {
            let middle = (f64::midpoint(start, end), self.top + PLOT_HEIGHT / 2.0);
            svg.text(&Text::new(middle, "not measured", 14.0).anchor(Anchor::Middle).color(MUTED).centered());
        }
    }

    /// The epoch and the value of the test set.
    fn scored(&self) -> Option<(f64, f64)> {
        let score = self.score?;
        let value = match self.measure {
            Measure::Loss => score.loss,
            Measure::Accuracy => 100.0 * score.accuracy,
        };
        value.is_finite().then_some((f64::from(score.epoch), value))
    }

    fn flags_height(&self) -> f64 {
        self.flags.iter().map(|flag| flag.row + 1).max().unwrap_or(0) as f64 * ROW
    }

    fn draw_flags(&self, svg: &mut Svg, x: &Scale) {
        for flag in self.flags {
            let (at, top) = (x.at(flag.epoch), self.top - 22.0 - flag.row as f64 * ROW);
            svg.polyline(&[(at, top - 10.0), (at, self.top + PLOT_HEIGHT)], Stroke::solid(AXIS, 1.0));
            svg.text(&Text::new((at + 5.0, top), flag.text, SMALL).color(MUTED));
        }
    }

    /// The two curves, and beside their ends what they are and where they end.
    fn draw_series(&self, svg: &mut Svg, x: &Scale, y: &Scale) {
        let mut labels = Vec::new();
        for (series, (name, color)) in
            [("training", TRAIN), ("validation", VALIDATION)].into_iter().enumerate()
        {
            let value = |row: &EpochRow| self.measure.values(row)[series];
            let point = |row: &EpochRow| value(row).map(|v| (x.at(f64::from(row.epoch)), y.at(v)));
            for phase in self.phases {
                let rows = &self.rows[phase.clone()];
                // Where nothing was measured the curve has a gap.
                for run in rows.split(|row| value(row).is_none()) {
                    let points: Vec<Point> = run.iter().filter_map(point).collect();
                    if points.len() > 1 {
                        svg.polyline(&points, Stroke::solid(color, 2.0));
                    }
                    if self.rows.len() <= DOTS || points.len() == 1 {
                        for at in points {
                            svg.dot(at, 3.5, color);
                        }
                    }
                }
            }
            if let Some(last) = self.rows.iter().rev().find_map(value) {
                labels.push((y.at(last), name, self.measure.format(last), color));
            }
        }
        if let Some((epoch, value)) = self.scored() {
            svg.diamond((x.at(epoch), y.at(value)), 6.0, INK);
            labels.push((y.at(value), "test", self.measure.format(value), INK));
        }
        let within = (self.top + LABEL / 2.0, self.top + PLOT_HEIGHT - LABEL / 2.0);
        let heights = apart(labels.iter().map(|label| label.0).collect(), LABEL, within);
        for ((_, name, value, color), height) in labels.iter().zip(heights) {
            let left = self.left + LEFT + Self::PLOT_WIDTH + 10.0;
            svg.text(&Text::new((left, height - 3.0), name, SMALL + 1.0).color(color).bold(true));
            svg.text(&Text::new((left, height + 12.0), value, SMALL).color(color));
        }
    }

    fn draw_best(&self, svg: &mut Svg, x: &Scale, y: &Scale) {
        let Some(best) = self.best else { return };
        let at = x.at(f64::from(best.epoch));
        svg.polyline(&[(at, self.top), (at, self.top + PLOT_HEIGHT)], Stroke::dashed(MUTED, 1.0));
        let Some(value) = self.measure.values(best)[1] else { return };
        svg.dot((at, y.at(value)), 4.5, VALIDATION);
        let text = format!("epoch {}: {}", best.epoch, self.measure.format(value));
        // To the right of the line, where no phase starts; it may reach over the curves' labels.
        let rightmost = x.to.1 + RIGHT + MARGIN - 4.0 - 1.05 * font::width(&text, SMALL, false);
        svg.text(&Text::new(((at - 2.0).min(rightmost), self.top - 6.0), &text, SMALL).color(VALIDATION));
    }
}
