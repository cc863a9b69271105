//! Checkpoints of a run, and how far it is beyond the last.

use std::path::{Path, PathBuf};

use fm_run::files;
use fm_run::store::{self, Growing};
use fm_train::checkpoint::Identity;
use fm_train::{Event, Sink};

use crate::checkpoint_files;
use crate::epoch_rows;
use crate::error::{Error, Result};

/// Writes checkpoints as they come, and a few bytes at every step: after a crash they tell how many steps
/// are lost.
#[derive(Debug)]
pub struct Checkpoints {
    dir: PathBuf,
    identity: Identity,
    progress: Growing,
}

/// The file that counts steps.
fn progress_path(dir: &Path) -> PathBuf {
    dir.join(files::PROGRESS)
}

impl Checkpoints {
    /// Writes into the run directory `dir`.
    ///
    /// # Errors
    /// When it cannot.
    pub fn new(dir: &Path, identity: Identity) -> Result<Self> {
        Ok(Self { dir: dir.to_owned(), identity, progress: store::create(&progress_path(dir))? })
    }
}

/// Epoch and step that a run in `dir` had reached when it ended, however it ended.
#[must_use]
pub fn reached(dir: &Path) -> Option<(u32, usize)> {
    let text = std::fs::read_to_string(progress_path(dir)).ok()?;
    let (epoch, step) = text.trim().split_once(' ')?;
    Some((epoch.parse().ok()?, step.trim().parse().ok()?))
}

impl Sink for Checkpoints {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Stepped { epoch, step, .. } => {
                self.progress.note(format!("{epoch:>10} {step:>10}\n").as_bytes())
            }
            Event::Checkpoint(checkpoint) => {
                let csv = epoch_rows::copy(&self.dir);
                let len = std::fs::metadata(&csv).map_err(|e| Error::io("read", &csv, &e))?.len();
                checkpoint_files::save(&self.dir, checkpoint, &self.identity, len)
            }
            _ => Ok(()),
        }
    }
}
