//! Checkpoints of a run, and how far it is beyond the last.

use std::path::{Path, PathBuf};
use std::time::Duration;

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

/// How far a run has come, however it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reached {
    /// Counted over all phases, from 1.
    pub epoch: u32,
    /// Steps of it that were taken.
    pub step: usize,
    /// Steps of an epoch, where the run says it; earlier versions did not.
    pub steps: Option<usize>,
    /// How long ago.
    pub age: Duration,
}

/// How far the run in `dir` has come; none where it has not taken a step.
#[must_use]
pub fn reached(dir: &Path) -> Option<Reached> {
    let path = progress_path(dir);
    let text = std::fs::read_to_string(&path).ok()?;
    let changed = std::fs::metadata(&path).and_then(|file| file.modified()).ok();
    // A clock that was set back is no reason to say nothing.
    let age = changed.and_then(|time| time.elapsed().ok()).unwrap_or_default();
    let mut numbers = text.split_ascii_whitespace();
    let (epoch, step) = (numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    Some(Reached { epoch, step, steps: numbers.next().and_then(|steps| steps.parse().ok()), age })
}

impl Sink for Checkpoints {
    fn name(&self) -> &'static str {
        "checkpoint"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Stepped { epoch, step, steps, .. } => {
                self.progress.note(format!("{epoch:>10} {step:>10} {steps:>10}\n").as_bytes())
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
