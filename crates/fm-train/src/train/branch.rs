//! Branch and cool: where the learning rate only falls at the end, a run of fewer epochs is the beginning of a longer
//! one and a cool-down of its own.
//!
//! ```text
//! ── stable ──┬── stable ──┬── stable ──── cool-down ▸ the run
//!             └ cool-down ▸ └ cool-down ▸              the lengths of `score_at`
//! ```
//!
//! A branch starts from the run's exact state and ends with the bits that a run of that length would have; then the
//! state is put back. It writes no checkpoint: a run that stops within a branch resumes from where it left the trunk,
//! and cools down again.

use fm_run::error::Result;
use fm_run::spec::Shorter;

use super::Trainer;
use crate::plan::Phase;

impl Trainer<'_> {
    /// Cools down to every length that branches off at this epoch.
    pub(super) fn branches(&mut self, index: usize, phase: &Phase) -> Result<()> {
        let plan = self.run.plan;
        if phase.network != plan.last().network
            || phase.scope != plan.last().scope
            || self.at.partial.is_some()
        {
            return Ok(());
        }
        for &length in &plan.score_at {
            let Some(epochs) = length.checked_sub(phase.order_start) else { continue };
            if phase.schedule.shorter(epochs) == (Shorter::Branch { from: self.at.phase_epochs }) {
                self.branch(index, phase, &Phase { epochs, ..phase.clone() }, length)?;
            }
        }
        Ok(())
    }

    /// Cools down along a phase of the length's epochs, scores it, and comes back.
    fn branch(&mut self, index: usize, phase: &Phase, short: &Phase, length: u32) -> Result<()> {
        if self.saved != Some(self.at.epochs) && self.at.epochs > 0 {
            self.checkpoint()?;
        }
        let (trunk, at) = (self.engine.state()?, self.at.clone());
        self.branch = Some(length);
        while self.at.phase_epochs < short.epochs {
            let row = self.epoch(short)?;
            tracing::info!(
                "cooling down to {length} epochs: epoch {}, loss {:.4}",
                row.epoch,
                row.train_loss
            );
        }
        self.score_on_the_way(short)?;
        (self.branch, self.at) = (None, at);
        self.engine.begin_phase(index, phase)?;
        self.engine.restore(&trunk)
    }
}
