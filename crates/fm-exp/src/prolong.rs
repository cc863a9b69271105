//! Prolonging: where a shorter run is the beginning of a longer one, the longer one resumes from its last checkpoint.
//!
//! What the shorter run has left becomes the longer run's: its checkpoint and its rows of `epochs.csv`, under the new
//! run's id. Each step leaves a directory that the same command, or the shorter run's, can continue from.

use std::path::{Path, PathBuf};

use fm_net::Network;
use fm_run::spec::Shorter;
use fm_run::store::{self, RunDir};
use fm_run::{Identified, files};

use crate::checkpoint_files::{self, Found};
use crate::epoch_rows;
use crate::error::{Error, Kind, Result};
use crate::record::Record;

/// The beginning of this run in its own directory, which holds a shorter one.
///
/// # Errors
/// When that has no checkpoint, or files cannot be written.
pub(crate) fn in_place(dir: &RunDir, there: &Identified, record: &Record<'_>) -> Result<Found> {
    let found = take(dir.path(), dir.path(), there, record)?;
    let found = found.ok_or_else(|| no_checkpoint(dir.path(), there))?;
    dir.becomes(record.run)?;
    Ok(found)
}

/// The beginning of this run in the directory of another that is finished, beside this one's; the longest.
///
/// # Errors
/// When files cannot be written.
pub(crate) fn beside(dir: &RunDir, out: &Path, record: &Record<'_>) -> Result<Option<Found>> {
    let config = |path: &Path| store::read_text(&path.join(files::CONFIG), store::MAX_KEYS).ok();
    let beginning = |path: PathBuf| {
        let (there, shorter) = record.run.shorter(&config(&path)?)?;
        let is_done = store::done(&path).is_some_and(|id| id == there.run_id());
        (is_done && shorter == Shorter::Beginning).then_some((there, path))
    };
    let all = std::fs::read_dir(out).into_iter().flatten().flatten();
    let mut found: Vec<_> = all.filter_map(|entry| beginning(entry.path())).collect();
    found.sort_by_key(|(there, _)| std::cmp::Reverse(there.spec.epochs));
    for (there, path) in found {
        if let Some(found) = take(dir.path(), &path, &there, record)? {
            tracing::info!("{} is the beginning of this run", path.display());
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// Makes the last checkpoint of the run `there` in `from` one of this run in `dir`.
fn take(dir: &Path, from: &Path, there: &Identified, record: &Record<'_>) -> Result<Option<Found>> {
    let networks: Vec<&Network> = record.plan.phases.iter().map(|phase| &phase.network).collect();
    let Some(mut found) = checkpoint_files::load(from, &there.run_id(), &networks)? else { return Ok(None) };
    found.rows = renamed(&found.rows, &there.run_id(), &record.run.run_id());
    let by_epoch = from.join(files::PREDICTIONS_BY_EPOCH);
    if from != dir && by_epoch.exists() {
        store::write(&dir.join(files::PREDICTIONS_BY_EPOCH), &store::read(&by_epoch, store::MAX_TABLE)?)?;
    }
    store::create_dir(&dir.join(files::CHECKPOINTS))?;
    store::write(&epoch_rows::copy(dir), &found.rows)?;
    checkpoint_files::save(dir, &found.checkpoint, &record.identity(), found.rows.len() as u64)?;
    Ok(Some(found))
}

/// Rows of `epochs.csv` under another run's id, which is the first cell of each.
fn renamed(rows: &[u8], from: &str, to: &str) -> Vec<u8> {
    let text = String::from_utf8_lossy(rows);
    text.replace(&format!("\n{from},"), &format!("\n{to},")).into_bytes()
}

fn no_checkpoint(dir: &Path, there: &Identified) -> Error {
    let epochs = fm_run::terminal::counted(there.spec.epochs, "epoch");
    let text = format!("{} holds a run of {epochs} without a checkpoint to prolong it from", dir.display());
    Error::new(Kind::Mismatch, text)
        .note("published runs are kept without checkpoints, and a run of 0 epochs has none")
        .help("train all epochs under another --name, or replace what is there with --overwrite")
}
