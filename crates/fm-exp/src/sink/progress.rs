//! How far a run is: a bar on a terminal, a line an epoch elsewhere. Both on stderr.

use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use fm_train::Sink;
use fm_train::event::{Beside, Epoch, Event};

use crate::error::Result;

/// Shows progress.
#[derive(Debug)]
pub struct Progress {
    /// The terminal's bars, when there is a terminal.
    bars: Option<MultiProgress>,
    bar: ProgressBar,
    epochs: u32,
    /// Whether there is more than one phase to tell apart.
    several: bool,
}

impl Progress {
    /// On `bars` when given, in log lines otherwise.
    #[must_use]
    pub fn new(bars: Option<MultiProgress>) -> Self {
        Self { bars, bar: ProgressBar::hidden(), epochs: 0, several: false }
    }

    fn start(&mut self, images: u64) {
        let Some(bars) = &self.bars else { return };
        let template = "{prefix} {wide_bar} {percent}%  {per_sec}  eta {eta}  {msg}";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("per_sec", |state: &indicatif::ProgressState, out: &mut dyn std::fmt::Write| {
                let _ = write!(out, "{:.0} images/s", state.per_sec());
            });
        self.bar = bars.add(ProgressBar::new(images).with_style(style));
        self.bar.enable_steady_tick(Duration::from_millis(250));
    }
}

/// An epoch in a line.
fn line(e: &Epoch) -> String {
    let mut val = e.val_loss.map_or(String::new(), |loss| format!("  val loss {loss:.4}"));
    val += &e.val_acc.map_or(String::new(), |acc| format!("  val acc {acc:.4}"));
    let acc = e.train_acc.map_or(String::new(), |acc| format!("  acc {acc:.4}"));
    format!("epoch {}/{}  loss {:.4}{acc}{val}", e.epoch, e.epochs, e.train_loss)
}

impl Sink for Progress {
    fn name(&self) -> &'static str {
        "progress"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Started { plan, epochs_done } => {
                self.epochs = plan.epochs();
                self.several = plan.phases.len() > 1;
                let images = plan.train_rows.len() as u64;
                self.start(u64::from(self.epochs) * images);
                self.bar.set_position(u64::from(*epochs_done) * images);
                self.bar.reset_eta();
                self.bar.set_prefix(format!("epoch {}/{}", (epochs_done + 1).min(self.epochs), self.epochs));
            }
            Event::PhaseStarted { phase, trainable, frozen } => {
                let text = format!("phase {}: {trainable} parameters train, {frozen} are frozen", phase.name);
                if self.several || *frozen > 0 { tracing::info!("{text}") } else { tracing::debug!("{text}") }
            }
            Event::Checkpoint(at) => tracing::trace!("checkpoint after epoch {}", at.position.epochs),
            Event::Stepped { images, .. } => self.bar.inc(*images as u64),
            Event::EpochEnded(e) => {
                let text = line(e);
                if self.bars.is_some() {
                    self.bar.set_prefix(format!("epoch {}/{}", (e.epoch + 1).min(self.epochs), self.epochs));
                    self.bar.set_message(text.split_once("  ").map_or("", |(_, rest)| rest).to_owned());
                    tracing::debug!("{text}");
                } else {
                    tracing::info!("{text}  {:.1} s  {:.0} images/s", e.train_seconds, e.images_per_second);
                }
            }
            Event::Scored { beside, outcome, .. } => {
                let what = match beside {
                    Beside::Length(epochs) => format!("after {epochs} epochs"),
                    Beside::Weights(weights) => format!("weights {weights}"),
                };
                tracing::info!("{what}: test accuracy {:.4}", outcome.test.accuracy);
            }
            Event::Reconstructed(_) => {}
            Event::Finished { .. } => self.bar.finish_and_clear(),
        }
        Ok(())
    }
}
