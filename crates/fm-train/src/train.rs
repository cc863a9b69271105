//! Training: the only control flow there is, whatever the engine and whoever listens.
//!
//! For each phase and epoch: draw the order, step through it, drain the sums, validate, tell the sinks,
//! save. At the end the test set is scored, once. A run that starts from a checkpoint passes through the
//! same code from where it was.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::thread;
use std::time::Instant;

use fm_images::{Dataset, Labelled, batches, epoch_order};
use fm_net::NamedTensor;
use fm_run::error::{Error, Kind, Result};

mod branch;
mod scoring;
mod steps;

use crate::ahead::{Ahead, Making};
use crate::checkpoint::{Best, Checkpoint, Position};
use crate::engine::{Engine, Input, Source, State, Want};
use crate::event::{Epoch, Event, Outcome, Reconstructed};
use crate::metrics::seen_pixels;
use crate::plan::{Objective, Phase, Plan};
use crate::sink::Sinks;
use steps::Turn;

/// What outputs are held against: classes, and pixels for reconstructions.
#[derive(Debug, Clone, Copy)]
pub struct Truth<'a> {
    /// The training file.
    pub train: &'a Labelled,
    /// The test file.
    pub test: &'a Labelled,
}

impl<'a> Truth<'a> {
    /// Both files of a data set.
    #[must_use]
    pub fn of(data: &'a Dataset) -> Self {
        Self { train: &data.train, test: &data.test }
    }
}

/// Images whose reconstructions are shown after a phase that reconstructs.
const SHOWN: usize = 10;

/// Seconds since some moment; tests bring their own.
pub type Clock<'a> = &'a dyn Fn() -> f64;

/// The process's own clock: seconds since it was first looked at.
pub fn wall_clock() -> f64 {
    static START: LazyLock<Instant> = LazyLock::new(Instant::now);
    START.elapsed().as_secs_f64()
}

/// A request to stop: what to end with, and its name.
pub type Stop<'a> = &'a dyn Fn() -> Option<(Kind, &'static str)>;

/// What a run is given besides engine and sinks.
#[derive(Clone, Copy)]
pub struct Run<'a> {
    /// What to do.
    pub plan: &'a Plan,
    /// What outputs are held against.
    pub truth: Truth<'a>,
    /// Epochs between checkpoints, at least 1.
    pub checkpoint_every: u32,
    /// The time.
    pub clock: Clock<'a>,
    /// Looked at after every step.
    pub stop: Stop<'a>,
    /// Save and stop after so many epochs, counted over all phases, if the run goes on beyond them.
    pub stop_after: Option<u32>,
}

impl<'a> Run<'a> {
    /// A run by the wall clock, with a checkpoint after every epoch, that nobody stops. Another run differs in
    /// the fields that it says: `Run { stop, ..Run::new(plan, truth) }`.
    #[must_use]
    pub fn new(plan: &'a Plan, truth: Truth<'a>) -> Self {
        Self { plan, truth, checkpoint_every: 1, clock: &wall_clock, stop: &|| None, stop_after: None }
    }
}

/// Carries out a plan on `engine`, from the beginning or from a checkpoint, and tells `sinks`.
///
/// # Errors
/// What the engine or a sink says; [`Kind::Diverged`] when an epoch's loss is not finite; what a request to
/// stop says, after a checkpoint.
pub fn run(
    run: Run<'_>,
    engine: &mut dyn Engine,
    sinks: &mut Sinks,
    from: Option<Checkpoint>,
) -> Result<Outcome> {
    let saved = from.as_ref().map(|c| c.position.epochs);
    let (at, mut state) = from.map_or((Position::default(), None), |c| (c.position, Some(c.state)));
    sinks.emit(&Event::Started { plan: run.plan, epochs_done: at.epochs });
    let mut trainer = Trainer { run, engine, sinks, at, saved, branch: None };
    let mut last = Ended { scored_epoch: trainer.at.epochs, stopped_early: false };
    for (index, phase) in run.plan.phases.iter().enumerate().skip(trainer.at.phase) {
        if index > trainer.at.phase {
            (trainer.at.phase, trainer.at.phase_epochs) = (index, 0);
            (trainer.at.best, trainer.at.recent) = (None, VecDeque::new());
        }
        last = trainer.phase(index, phase, state.take())?;
    }
    trainer.finish(&last)
}

struct Trainer<'a> {
    run: Run<'a>,
    engine: &'a mut dyn Engine,
    sinks: &'a mut Sinks,
    at: Position,
    /// The epoch after which the last checkpoint was saved.
    saved: Option<u32>,
    /// The length towards which the run cools down on a branch, where it does.
    branch: Option<u32>,
}

/// How a phase ended.
struct Ended {
    /// The epoch whose weights it leaves.
    scored_epoch: u32,
    /// Whether patience ended it.
    stopped_early: bool,
}

impl Trainer<'_> {
    /// Runs one phase, from where the position says.
    fn phase(&mut self, index: usize, phase: &Phase, state: Option<State>) -> Result<Ended> {
        self.engine.begin_phase(index, phase)?;
        if let Some(state) = state {
            self.engine.restore(&state)?;
        }
        let (trainable, frozen) = phase.scope.counts(&phase.network);
        self.sinks.emit(&Event::PhaseStarted { phase, trainable, frozen });

        while self.at.phase_epochs < phase.epochs && !self.out_of_patience() {
            self.stop_between_epochs()?;
            self.branches(index, phase)?;
            let row = self.epoch(phase)?;
            self.remember_best(row.val_loss)?;
            self.score_on_the_way(phase)?;
            let last = self.at.phase_epochs == phase.epochs || self.out_of_patience();
            if last || self.at.phase_epochs.is_multiple_of(self.run.checkpoint_every) {
                self.checkpoint()?;
            }
        }
        let epochs = self.at.epochs;
        let mut ended = Ended { scored_epoch: epochs, stopped_early: false };
        if let Some(best) = &self.at.best {
            if best.epoch < epochs {
                self.engine.load(&best.weights)?;
            }
            let stopped_early = self.at.phase_epochs < phase.epochs;
            ended = Ended { scored_epoch: best.epoch, stopped_early };
        }
        if phase.objective == Objective::Reconstruct {
            self.show(phase)?;
        }
        Ok(ended)
    }

    /// Gives a few images back, held out ones where there are any.
    fn show(&mut self, phase: &Phase) -> Result<()> {
        let Run { plan, truth, .. } = self.run;
        let from = if plan.val_rows.is_empty() { &plan.train_rows } else { &plan.val_rows };
        let rows = &from[..SHOWN.min(from.len())];
        let size = phase.network.seen();
        let reconstructions = self.engine.infer(Input::Rows(Source::Train, rows), Want::Output)?;
        let originals = rows.iter().flat_map(|&row| seen_pixels(truth.train, row, size)).collect();
        let shown = Reconstructed { phase: &phase.name, rows, size, originals, reconstructions };
        self.sinks.emit(&Event::Reconstructed(&shown));
        self.sinks.result()
    }

    fn out_of_patience(&self) -> bool {
        let waited = |best: &Best| self.at.epochs - best.epoch;
        self.run.plan.patience.zip(self.at.best.as_ref()).is_some_and(|(most, best)| waited(best) >= most)
    }

    fn remember_best(&mut self, val_loss: Option<f64>) -> Result<()> {
        let (Some(_), Some(loss)) = (self.run.plan.patience, val_loss) else { return Ok(()) };
        if self.at.best.as_ref().is_none_or(|best| loss < best.loss) {
            self.at.best = Some(Best { epoch: self.at.epochs, loss, weights: self.engine.weights()? });
        }
        Ok(())
    }

    fn checkpoint(&mut self) -> Result<()> {
        let checkpoint = Checkpoint { position: self.at.clone(), state: self.engine.state()? };
        // The loss is that of before each update: the last one of the epoch shows in the weights alone.
        let finite = |w: &NamedTensor| w.data.iter().all(|v| v.is_finite());
        if !checkpoint.state.weights().iter().all(finite) {
            return Err(self.diverged(self.at.epochs, None));
        }
        self.sinks.emit(&Event::Checkpoint(&checkpoint));
        self.sinks.result()?;
        self.saved = Some(self.at.epochs);
        Ok(())
    }

    /// Trains and validates one epoch, or the rest of one; returns its row.
    fn epoch(&mut self, phase: &Phase) -> Result<Epoch> {
        let Run { plan, truth, clock, .. } = self.run;
        let epoch = self.at.epochs + 1;
        let turn = phase.order_start + self.at.phase_epochs + 1;
        let order = epoch_order(&plan.train_rows, plan.seeds.order, turn);
        let steps = plan.steps() as usize;
        let partial = self.at.partial.take().unwrap_or_default();
        let start = clock() - partial.seconds;
        self.engine.begin_epoch(&order, partial.totals)?;
        let these = Turn { phase, order: &order, steps, before: partial.steps, start };
        let lr = thread::scope(|scope| {
            let rows = batches(order.len(), plan.batch_size).skip(partial.steps).map(|batch| &order[batch]);
            let Plan { augment, train_rows: training, seeds, .. } = plan;
            let making = Making { augment, file: truth.train, training, seed: seeds.augment, epoch: turn };
            let start = || Ahead::start(scope, making, plan.batch_size, rows);
            self.steps(&these, (!augment.is_none()).then(start).transpose()?)
        })?;
        let totals = self.engine.drain()?;
        let train_seconds = clock() - start;
        let is_good = totals.diverged_at.is_none();
        if is_good {
            self.at.epochs = epoch;
            self.at.phase_epochs += 1;
            self.at.seconds += train_seconds;
            self.remember()?;
        }

        let images = totals.images as f64;
        let (mut val, mut averages, mut eval_seconds) = (None, Vec::new(), None);
        if is_good && !plan.val_rows.is_empty() {
            let start = clock();
            let (loss, scores) = self.validate(phase)?;
            if !loss.is_finite() {
                return Err(self.diverged(epoch, None));
            }
            val = Some((loss, scores));
            averages = self.validate_averages(phase)?;
            eval_seconds = Some(clock() - start);
        }
        let scores = val.as_ref().and_then(|(_, scores)| scores.as_ref());
        if is_good {
            self.predicted(phase, scores)?;
        }
        let row = Epoch {
            phase: phase.name.clone(),
            epoch,
            epochs: plan.epochs(),
            train_loss: totals.loss_sum / images,
            train_acc: (phase.objective == Objective::Classify).then(|| totals.correct as f64 / images),
            val_loss: val.as_ref().map(|(loss, _)| *loss),
            val_acc: scores.map(|scores| scores.accuracy),
            averages,
            lr,
            trainable_params: phase.scope.counts(&phase.network).0,
            train_seconds,
            eval_seconds,
            images_per_second: images / train_seconds,
        };
        if self.branch.is_none() {
            self.sinks.emit(&Event::EpochEnded(&row));
            self.sinks.result()?;
        }
        match totals.diverged_at {
            Some(step) => Err(self.diverged(epoch, Some(partial.steps + step))),
            None => Ok(row),
        }
    }

    /// Saves and stops before the next epoch, where the run is to go no farther.
    fn stop_between_epochs(&mut self) -> Result<()> {
        let epochs = self.at.epochs;
        if self.run.stop_after.is_none_or(|last| epochs < last) {
            return Ok(());
        }
        if self.saved != Some(epochs) {
            self.checkpoint()?;
        }
        Err(Error::new(Kind::Stopped, format!("stopped after epoch {epochs}, as asked; saved")))
    }

    /// The loss, or a weight, is no longer a number.
    fn diverged(&self, epoch: u32, step: Option<usize>) -> Error {
        let at = step.map_or(String::new(), |step| format!(" (step {})", step + 1));
        let mut error =
            Error::new(Kind::Diverged, format!("loss became NaN or infinite at epoch {epoch}{at}"));
        if let Some(saved) = self.saved {
            error = error.note(format!("the checkpoint after epoch {saved} is kept"));
        }
        let lr = self.run.plan.phases[self.at.phase].lr;
        // As it would be typed: 1e308 and not with 308 zeros.
        error.help(format!("use a smaller --lr; this was {lr:?}"))
    }
}

#[cfg(test)]
mod tests;
