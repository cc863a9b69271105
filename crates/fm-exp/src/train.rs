//! Training: the only control flow there is, whatever the engine and whoever listens.
//!
//! For each phase and epoch: draw the order, step through it, drain the sums, validate, tell the sinks.
//! At the end the test set is scored, once.

use std::time::Instant;

use fm_data::{batches, epoch_order};
use fm_models::{Network, Part, Weights};

use crate::engine::{Engine, Source};
use crate::error::{Error, Kind, Result};
use crate::event::{Epoch, Event, Outcome};
use crate::metrics::Scores;
use crate::plan::{Phase, Plan};
use crate::sink::Sinks;

/// True classes of both files' rows.
#[derive(Debug, Clone, Copy)]
pub struct Labels<'a> {
    /// Of the training file.
    pub train: &'a [u8],
    /// Of the test file.
    pub test: &'a [u8],
}

/// Seconds since some moment; tests bring their own.
pub type Clock<'a> = &'a dyn Fn() -> f64;

/// A clock that starts now.
pub fn wall_clock() -> impl Fn() -> f64 {
    let start = Instant::now();
    move || start.elapsed().as_secs_f64()
}

/// Carries out `plan` on `engine` and tells `sinks`.
///
/// # Errors
/// What the engine or a sink says, and [`Kind::Diverged`] as soon as an epoch's loss is not finite.
pub fn run(
    plan: &Plan,
    network: &Network,
    labels: Labels<'_>,
    engine: &mut dyn Engine,
    sinks: &mut Sinks,
    clock: Clock<'_>,
) -> Result<Outcome> {
    sinks.emit(&Event::Started(plan));
    let mut trainer = Trainer { plan, network, labels, engine, sinks, clock, epoch: 0, seconds: 0.0 };
    let mut scored_epoch = 0;
    let mut stopped_early = false;
    for phase in &plan.phases {
        (scored_epoch, stopped_early) = trainer.phase(phase)?;
    }
    let (epochs, train_seconds) = (trainer.epoch, trainer.seconds);

    let start = clock();
    let test = trainer.score(Source::Test, &plan.test_rows)?;
    let test_seconds = clock() - start;
    let weights = engine.weights()?;
    let outcome = Outcome { test, epochs, scored_epoch, stopped_early, train_seconds, test_seconds };
    sinks.emit(&Event::Finished { outcome: &outcome, weights: &weights });
    sinks.result().map(|()| outcome)
}

struct Trainer<'a> {
    plan: &'a Plan,
    network: &'a Network,
    labels: Labels<'a>,
    engine: &'a mut dyn Engine,
    sinks: &'a mut Sinks,
    clock: Clock<'a>,
    /// Epochs of the run so far.
    epoch: u32,
    /// Training seconds so far.
    seconds: f64,
}

/// The best epoch of a phase so far.
struct Best {
    epoch: u32,
    loss: f64,
    weights: Vec<Weights>,
}

impl Trainer<'_> {
    /// Runs one phase; says which epoch's weights it leaves, and whether patience ended it.
    fn phase(&mut self, phase: &Phase) -> Result<(u32, bool)> {
        self.engine.begin_phase(phase)?;
        let of = |part| self.network.param_count(part);
        let trainable =
            [Part::Encoder, Part::Head].into_iter().filter(|&p| phase.scope.contains(p)).map(of).sum();
        let frozen = of(Part::Encoder) + of(Part::Head) - trainable;
        self.sinks.emit(&Event::PhaseStarted { phase, trainable, frozen });

        let mut best: Option<Best> = None;
        for _ in 0..phase.epochs {
            let val_loss = self.epoch(phase, trainable)?;
            let (Some(patience), Some(loss)) = (self.plan.patience, val_loss) else { continue };
            match &best {
                Some(best) if loss >= best.loss => {
                    if self.epoch - best.epoch >= patience {
                        break;
                    }
                }
                _ => best = Some(Best { epoch: self.epoch, loss, weights: self.engine.weights()? }),
            }
        }
        let Some(best) = best else { return Ok((self.epoch, false)) };
        if best.epoch < self.epoch {
            self.engine.load(&best.weights)?;
        }
        let planned: u32 = self.plan.phases.iter().map(|p| p.epochs).sum();
        Ok((best.epoch, self.epoch < planned))
    }

    /// Trains and validates one epoch; returns the validation loss.
    fn epoch(&mut self, phase: &Phase, trainable_params: usize) -> Result<Option<f64>> {
        self.epoch += 1;
        let order = epoch_order(&self.plan.train_rows, self.plan.seed, self.epoch);
        let steps = order.len().div_ceil(self.plan.batch_size);
        let start = (self.clock)();
        self.engine.begin_epoch(&order)?;
        for (step, batch) in batches(order.len(), self.plan.batch_size).enumerate() {
            let images = batch.len();
            self.engine.step(batch).map_err(|error| self.at_step(error, step))?;
            self.sinks.emit(&Event::Stepped { epoch: self.epoch, step: step + 1, steps, images });
        }
        let totals = self.engine.drain()?;
        let train_seconds = (self.clock)() - start;
        self.seconds += train_seconds;
        if let Some(step) = totals.diverged_at {
            return Err(Error::new(
                Kind::Diverged,
                format!("loss became NaN or infinite at epoch {} (step {})", self.epoch, step + 1),
            )
            .help(format!("use a smaller --lr; this was {}", phase.lr)));
        }

        let images = totals.images as f64;
        let (mut val, mut eval_seconds) = (None, None);
        if !self.plan.val_rows.is_empty() {
            let start = (self.clock)();
            val = Some(self.score(Source::Train, &self.plan.val_rows)?);
            eval_seconds = Some((self.clock)() - start);
        }
        let row = Epoch {
            phase: phase.name.clone(),
            epoch: self.epoch,
            epochs: self.plan.phases.iter().map(|p| p.epochs).sum(),
            train_loss: totals.loss_sum / images,
            train_acc: totals.correct as f64 / images,
            val_loss: val.as_ref().map(|v| v.loss),
            val_acc: val.as_ref().map(|v| v.accuracy),
            lr: phase.lr,
            trainable_params,
            train_seconds,
            eval_seconds,
            images_per_second: images / train_seconds,
        };
        self.sinks.emit(&Event::EpochEnded(&row));
        self.sinks.result()?;
        Ok(row.val_loss)
    }

    fn score(&mut self, source: Source, rows: &[u32]) -> Result<Scores> {
        let all = if source == Source::Train { self.labels.train } else { self.labels.test };
        let labels: Vec<u8> = rows.iter().map(|&row| all[row as usize]).collect();
        let logits = self.engine.evaluate(source, rows)?;
        Ok(Scores::new(&logits, &labels, logits.len() / rows.len()))
    }

    /// Says where in training an engine failed.
    fn at_step(&self, error: Error, step: usize) -> Error {
        let (epoch, batch) = (self.epoch, self.plan.batch_size);
        error.note(format!("at epoch {epoch} step {} (batch {batch})", step + 1))
    }
}

#[cfg(test)]
mod tests;
