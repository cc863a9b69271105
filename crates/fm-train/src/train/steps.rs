//! The steps of an epoch, and a request to stop among them.

use fm_images::batches;
use fm_run::error::{Error, Kind, Result};
use fm_run::fault;

use super::{Run, Trainer};
use crate::ahead::Ahead;
use crate::checkpoint::Partial;
use crate::engine::Step;
use crate::event::Event;
use crate::plan::Phase;

/// An epoch's steps.
pub(super) struct Turn<'a> {
    pub(super) phase: &'a Phase,
    pub(super) order: &'a [u32],
    /// Of a whole epoch.
    pub(super) steps: usize,
    /// Steps that an earlier process did.
    pub(super) before: usize,
    /// When the epoch began, by the clock; earlier processes' seconds are taken off.
    pub(super) start: f64,
}

impl Trainer<'_> {
    /// Takes the steps of an epoch, or the rest of them; returns the last rate of the head.
    pub(super) fn steps(&mut self, turn: &Turn<'_>, mut ahead: Option<Ahead>) -> Result<f64> {
        let Run { plan, clock, stop, .. } = self.run;
        let Turn { phase, order, steps, before, start, .. } = *turn;
        let epoch = self.at.epochs + 1;
        let mut lr = phase.lr;
        for (step, batch) in batches(order.len(), plan.batch_size).enumerate().skip(before) {
            let images = batch.len();
            let number = u64::from(self.at.phase_epochs) * steps as u64 + step as u64;
            let rates = phase.rates(number, steps as u64);
            lr = rates.head;
            let prepared = ahead.as_mut().map(Ahead::take);
            let now = Step { batch, prepared: prepared.as_ref(), number, rates };
            let stepped = fault::device().and_then(|()| self.engine.step(&now));
            stepped.map_err(|error| self.at_step(error, step))?;
            if let (Some(ahead), Some(batch)) = (&mut ahead, prepared) {
                ahead.reuse(batch);
            }
            self.sinks.emit(&Event::Stepped { epoch, step: step + 1, steps, images });
            if let Some(request) = stop() {
                return Err(self.stop(request, before, step + 1, clock() - start)?);
            }
        }
        Ok(lr)
    }

    /// Saves within an epoch, after so many steps of which an earlier process did the first `before`, and says how
    /// the process is to end.
    fn stop(
        &mut self,
        (kind, name): (Kind, &str),
        before: usize,
        steps: usize,
        seconds: f64,
    ) -> Result<Error> {
        let totals = self.engine.drain()?;
        let epoch = self.at.epochs + 1;
        if let Some(length) = self.branch {
            let saved = self.saved.unwrap_or(0);
            let text = format!(
                "{} while cooling down to {length} epochs; the checkpoint after epoch {saved} is kept",
                stopped(kind, name)
            );
            return Ok(Error::new(kind, text));
        }
        if let Some(step) = totals.diverged_at {
            return Err(self.diverged(epoch, Some(before + step)));
        }
        self.at.partial = Some(Partial { steps, totals, seconds });
        self.checkpoint()?;
        Ok(Error::new(kind, format!("{} in epoch {epoch}, step {steps}; saved", stopped(kind, name))))
    }

    /// Says where in training an engine failed.
    fn at_step(&self, error: Error, step: usize) -> Error {
        let (epoch, batch) = (self.at.epochs + 1, self.run.plan.batch_size);
        error.at(&format!("epoch {epoch} step {} (batch {batch})", step + 1))
    }
}

/// What has happened to the run, in words.
fn stopped(kind: Kind, name: &str) -> String {
    if kind == Kind::Interrupted { "interrupted".to_owned() } else { format!("stopped by {name}") }
}
