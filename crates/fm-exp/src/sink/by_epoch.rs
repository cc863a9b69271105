//! `predictions_by_epoch.npz`, whole after every epoch.

use std::path::PathBuf;

use fm_report::{ByEpoch, Predicted};
use fm_run::{files, store};
use fm_train::{Event, Sink};

use super::Context;
use crate::commands::compare::failed;
use crate::error::{Error, Kind, Result};

/// Writes what every epoch predicts.
#[derive(Debug)]
pub struct PredictionsByEpoch {
    path: PathBuf,
    so_far: ByEpoch,
}

impl PredictionsByEpoch {
    pub(super) fn of(context: &Context<'_>) -> Self {
        let plan = context.record.plan;
        let so_far = ByEpoch {
            val: Predicted::of(&plan.val_rows),
            test: Predicted::of(&plan.test_rows),
            ..ByEpoch::default()
        };
        Self { path: context.dir.join(files::PREDICTIONS_BY_EPOCH), so_far }
    }

    /// Takes what an earlier process has written, up to the epoch from which this one goes on.
    fn resume(&mut self, epochs_done: u32, first: u32) -> Result<()> {
        if epochs_done < first {
            return Ok(());
        }
        let read = || {
            let mut there =
                ByEpoch::decode(&self.path, &store::read(&self.path, store::MAX_TABLE)?).map_err(failed)?;
            there.truncate(epochs_done);
            let whole = there.epochs.len() as u32 == epochs_done + 1 - first;
            let same = there.val.rows == self.so_far.val.rows && there.test.rows == self.so_far.test.rows;
            if whole && same {
                return Ok(there);
            }
            let text = format!("{} lacks epochs up to {epochs_done}", self.path.display());
            Err(Error::new(Kind::Mismatch, text))
        };
        self.so_far = read().map_err(|error: Error| {
            error.help("train from the beginning with --overwrite, or leave --predictions-by-epoch out")
        })?;
        Ok(())
    }
}

impl Sink for PredictionsByEpoch {
    fn name(&self) -> &'static str {
        files::PREDICTIONS_BY_EPOCH
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Started { plan, epochs_done } => {
                let other = plan.phases.iter().filter(|phase| phase.network != plan.last().network);
                self.resume(*epochs_done, 1 + other.map(|phase| phase.epochs).sum::<u32>())
            }
            Event::Predicted { epoch, val, test } => {
                self.so_far.push(*epoch, val, test);
                store::write(&self.path, &self.so_far.encode().map_err(failed)?)
            }
            _ => Ok(()),
        }
    }
}
