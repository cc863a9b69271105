//! Checkpoint files of a run directory: two generations, the newest that can be read wins.

use std::fs;
use std::path::{Path, PathBuf};

use fm_net::Network;
use fm_run::files;
use fm_run::store::{create_dir, write};
use fm_train::checkpoint::{self, Checkpoint, Identity, Read};

use crate::epoch_rows;
use crate::error::{Error, Kind, Result};

/// How many are kept.
const GENERATIONS: usize = 2;

/// A checkpoint that was read, and what there is to say about it.
#[derive(Debug)]
pub(crate) struct Found {
    /// The newest that can be read.
    pub(crate) checkpoint: Checkpoint,
    /// Who wrote it.
    pub(crate) identity: Identity,
    /// `epochs.csv` as it was.
    pub(crate) rows: Vec<u8>,
    /// Why newer ones were passed over.
    pub(crate) warnings: Vec<String>,
}

fn dir(run: &Path) -> PathBuf {
    run.join(files::CHECKPOINTS)
}

/// The numbers of the files in `dir` that are called `NUMBER.suffix`.
fn numbers(dir: &Path, suffix: &str) -> impl Iterator<Item = u64> {
    let number = move |name: &Path| {
        let stem = name.file_stem()?.to_str().filter(|_| name.extension().is_some_and(|e| e == suffix))?;
        // As we write them, and so that there is a next one.
        stem.parse().ok().filter(|n: &u64| n.to_string() == stem && *n < u64::MAX)
    };
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    entries.filter_map(move |entry| number(Path::new(&entry.file_name())))
}

/// The numbers of the checkpoints in `dir`, the newest first.
fn generations(dir: &Path) -> Vec<u64> {
    let mut found: Vec<u64> = numbers(dir, "json").collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

/// Writes a checkpoint as the newest and removes all but the one before it.
///
/// # Errors
/// When it cannot be written; the ones that are there stay.
pub(crate) fn save(
    run: &Path,
    checkpoint: &Checkpoint,
    identity: &Identity,
    epochs_csv_bytes: u64,
) -> Result<()> {
    let dir = dir(run);
    create_dir(&dir)?;
    let old = generations(&dir);
    let next = old.first().map_or(1, |n| n + 1);
    let (tensors, meta) = checkpoint::encode(checkpoint, identity, epochs_csv_bytes)?;
    // The JSON last: a checkpoint exists when it does.
    write(&dir.join(format!("{next}.safetensors")), &tensors)?;
    write(&dir.join(format!("{next}.json")), &meta)?;
    prune(&dir);
    Ok(())
}

/// Removes all but the newest checkpoints.
fn prune(dir: &Path) {
    let kept = generations(dir);
    let oldest = kept.get(GENERATIONS - 1).copied().unwrap_or(0);
    // The JSON first: what is left without it is no checkpoint.
    for suffix in ["json", "safetensors"] {
        for stale in numbers(dir, suffix).filter(|n| *n < oldest) {
            let _ = fs::remove_file(dir.join(format!("{stale}.{suffix}")));
        }
    }
}

/// Adds to a write failure what is left to resume from.
#[must_use]
pub(crate) fn explain(run: &Path, error: Error) -> Error {
    if error.kind() != Kind::Io {
        return error;
    }
    let is_there = !generations(&dir(run)).is_empty();
    let error = error.note(if is_there { "previous checkpoint intact" } else { "no checkpoint yet" });
    error.help("then resume with --resume")
}

/// The newest checkpoint that can be read; none when there is none at all. `networks` are those of the plan's
/// phases.
///
/// # Errors
/// [`Kind::Mismatch`] when there are some and none can be read.
pub(crate) fn load(run: &Path, run_id: &str, networks: &[&Network]) -> Result<Option<Found>> {
    let dir = dir(run);
    let mut warnings: Vec<String> = Vec::new();
    // With the epochs that have no row.
    let mut without_rows: Option<(u32, Found)> = None;
    for number in generations(&dir) {
        let path = dir.join(format!("{number}.json"));
        let read = |path: &Path| fs::read(path).map_err(|e| Error::io("read", path, &e));
        let decoded = read(&path).and_then(|meta| {
            let tensors = read(&dir.join(format!("{number}.safetensors")))?;
            checkpoint::decode(&tensors, &meta, run_id, networks)
        });
        let Read { checkpoint, identity, epochs_csv_bytes } = match decoded {
            Ok(read) => read,
            Err(error) => {
                warnings.push(format!("{}: {error}", path.display()));
                continue;
            }
        };
        let rows = epoch_rows::found(run, checkpoint.position.epochs, epochs_csv_bytes);
        let found = Found { checkpoint, identity, rows: rows.bytes, warnings: warnings.clone() };
        if rows.missing == 0 {
            // A run that failed right after saving has one more than it keeps.
            if warnings.is_empty() {
                prune(&dir);
            }
            return Ok(Some(found));
        }
        // A machine that lost power may have kept the checkpoint and not the rows.
        let epochs = found.checkpoint.position.epochs;
        warnings.push(format!(
            "{}: epochs.csv has no row for {} of {epochs} epochs",
            path.display(),
            rows.missing
        ));
        without_rows.get_or_insert((rows.missing, found));
    }
    // Rows are worth less than training: without them the run still goes on.
    if let Some((missing, found)) = without_rows {
        tracing::warn!(
            "epochs.csv and its copy in {} lack {missing} epochs: their rows are lost",
            dir.display()
        );
        return Ok(Some(found));
    }
    let Some(first) = warnings.first() else { return Ok(None) };
    let error =
        Error::new(Kind::Mismatch, format!("no checkpoint in {} can be read: {first}", dir.display()));
    let error = warnings.iter().skip(1).cloned().fold(error, Error::note);
    Err(error.help("start again with --overwrite"))
}
