//! What a sweep shows while it runs: a live table on a terminal, a line an event elsewhere.

use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use super::child::Child;
use super::run::clock;
use super::work::Tally;
use crate::logging::Console;

/// Runs that have a row on a terminal.
const MOST: usize = 20;

/// The display.
pub(super) struct Table {
    total: usize,
    /// Runs that ended, in this process or before.
    settled: usize,
    /// Of those, the ones that this process had nothing to do for.
    before: usize,
    started: Instant,
    bars: Option<indicatif::MultiProgress>,
    head: ProgressBar,
    rows: Vec<ProgressBar>,
}

impl Table {
    pub(super) fn new(total: usize, console: &Console) -> Self {
        let bars = console.bars.clone();
        let head = ProgressBar::hidden();
        let head = bars.as_ref().map_or(head.clone(), |bars| bars.add(head));
        head.set_style(style("{wide_msg}"));
        Self { total, settled: 0, before: 0, started: Instant::now(), bars, head, rows: Vec::new() }
    }

    /// A run that needs nothing.
    pub(super) fn skipped(&mut self) {
        self.settled += 1;
        self.before += 1;
    }

    /// A run has ended.
    pub(super) fn ended(&mut self, text: &str) {
        self.settled += 1;
        tracing::info!("[{}/{}] {text}", self.settled, self.total);
    }

    /// Redraws it.
    pub(super) fn show(&mut self, running: &[Child], tally: &Tally) {
        let Some(bars) = &self.bars else { return };
        let left = self.total - self.settled;
        let here = self.settled - self.before;
        let eta = if here == 0 {
            "unknown".to_owned()
        } else {
            let seconds = self.started.elapsed().as_secs_f64() / here as f64 * left as f64;
            format!("{}:{:02}", seconds as u64 / 60, seconds as u64 % 60)
        };
        let failed =
            if tally.failed.is_empty() { String::new() } else { format!("  {} failed", tally.failed.len()) };
        self.head.set_message(format!(
            "{} of {} runs done{failed}  {} running  elapsed {}  time left: {eta}",
            self.settled,
            self.total,
            running.len(),
            clock(self.started)
        ));
        while self.rows.len() < running.len().min(MOST) {
            let row = bars.add(ProgressBar::new(1));
            row.set_style(style("  {wide_msg}"));
            self.rows.push(row);
        }
        for (index, row) in self.rows.iter().enumerate() {
            let Some(child) = running.get(index) else {
                row.set_message("");
                continue;
            };
            row.set_message(format!("{}  {}  {}", child.name, child.at(), clock(child.started)));
        }
    }

    pub(super) fn finish(&self) {
        self.rows.iter().for_each(ProgressBar::finish_and_clear);
        self.head.finish_and_clear();
    }
}

pub(super) fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
