//! How far a run is: a line per epoch, and on a terminal a bar below them. Both on stderr.
//!
//! On a terminal, lines and bar fit into 80 columns.

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
    /// On `bars` when given, in log lines alone otherwise.
    #[must_use]
    pub fn new(bars: Option<MultiProgress>) -> Self {
        Self { bars, bar: ProgressBar::hidden(), epochs: 0, several: false }
    }

    fn start(&mut self, images: u64) {
        let Some(bars) = &self.bars else { return };
        // The message is about the last whole epoch, the share about all of the run's images.
        let style = ProgressStyle::with_template("{prefix} {wide_bar} {percent}% of run  eta {eta}{msg}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        self.bar = bars.add(ProgressBar::new(images).with_style(style));
        self.bar.enable_steady_tick(Duration::from_millis(250));
    }

    /// Says which epoch is under way after so many.
    fn under_way(&self, done: u32) {
        self.bar.set_prefix(format!("epoch {}/{}", (done + 1).min(self.epochs), self.epochs));
    }
}

/// An epoch in a line.
fn line(e: &Epoch) -> String {
    let mut val = e.val_loss.map_or(String::new(), |loss| format!("  val loss {loss:.4}"));
    val += &e.val_acc.map_or(String::new(), |acc| format!("  val acc {acc:.4}"));
    let acc = e.train_acc.map_or(String::new(), |acc| format!("  acc {acc:.4}"));
    format!("epoch {}/{}  loss {:.4}{acc}{val}  {:.1} s", e.epoch, e.epochs, e.train_loss, e.train_seconds)
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
                self.under_way(*epochs_done);
            }
            Event::PhaseStarted { phase, trainable, frozen } => {
                let text = format!("phase {}: {trainable} parameters train, {frozen} are frozen", phase.name);
                if self.several || *frozen > 0 { tracing::info!("{text}") } else { tracing::debug!("{text}") }
            }
            Event::Checkpoint(at) => tracing::trace!("checkpoint after epoch {}", at.position.epochs),
            Event::Stepped { images, .. } => self.bar.inc(*images as u64),
            Event::EpochEnded(e) => {
                let text = line(e);
                if let Some(bars) = &self.bars {
                    self.under_way(e.epoch);
                    self.bar.set_message(format!("  last epoch: loss {:.4}", e.train_loss));
                    // It stays on the screen, above the bar; without a level in front it fits.
                    let _ = bars.println(text);
                } else {
                    tracing::info!("{text}  {:.0} images/s", e.images_per_second);
                }
            }
            Event::Scored { beside, outcome, .. } => {
                let what = match beside {
                    Beside::Length(epochs) => {
                        format!("after {}", fm_run::terminal::counted(*epochs, "epoch"))
                    }
                    Beside::Weights(weights) => format!("weights {weights}"),
                };
                tracing::info!("{what}: test accuracy {:.4}", outcome.test.accuracy);
            }
            Event::Reconstructed(_) | Event::Predicted { .. } => {}
            Event::Finished { .. } => self.bar.finish_and_clear(),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_of_an_epoch_fits_into_80_columns() {
        let epoch = Epoch {
            phase: "train".to_owned(),
            epoch: 100,
            epochs: 100,
            train_loss: 0.646_21,
            train_acc: Some(0.7648),
            val_loss: Some(0.4842),
            val_acc: Some(0.823),
            averages: Vec::new(),
            lr: 1e-3,
            trainable_params: 10,
            train_seconds: 123.45,
            eval_seconds: Some(1.0),
            images_per_second: 1e4,
        };
        let text = line(&epoch);
        assert_eq!(text, "epoch 100/100  loss 0.6462  acc 0.7648  val loss 0.4842  val acc 0.8230  123.5 s");
        assert!(text.len() <= 80, "{}", text.len());
    }
}
