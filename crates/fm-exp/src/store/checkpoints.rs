//! Checkpoint files of a run directory: two generations, the newest that can be read wins.

use std::fs;
use std::path::{Path, PathBuf};

use fm_models::Network;

use super::write;
use crate::checkpoint::{self, Checkpoint, Identity, Read};
use crate::error::{Error, Kind, Result};

/// How many are kept.
const GENERATIONS: usize = 2;

/// A checkpoint that was read, and what there is to say about it.
#[derive(Debug)]
pub struct Found {
    /// The newest that can be read.
    pub checkpoint: Checkpoint,
    /// Who wrote it.
    pub identity: Identity,
    /// How long `epochs.csv` was.
    pub epochs_csv_bytes: u64,
    /// Why newer ones were passed over.
    pub warnings: Vec<String>,
}

fn dir(run: &Path) -> PathBuf {
    run.join("checkpoint")
}

/// The numbers of the checkpoints in `dir`, the newest first.
fn generations(dir: &Path) -> Vec<u64> {
    let Ok(entries) = fs::read_dir(dir) else { return Vec::new() };
    let number = |name: std::ffi::OsString| name.to_str()?.strip_suffix(".json")?.parse().ok();
    let mut found: Vec<u64> = entries.flatten().filter_map(|entry| number(entry.file_name())).collect();
    found.sort_unstable_by(|a, b| b.cmp(a));
    found
}

/// Writes a checkpoint as the newest and removes all but the one before it.
///
/// # Errors
/// When it cannot be written; the ones that are there stay.
pub fn save(run: &Path, checkpoint: &Checkpoint, identity: &Identity, epochs_csv_bytes: u64) -> Result<()> {
    let dir = dir(run);
    fs::create_dir_all(&dir).map_err(|e| Error::io("create", &dir, &e))?;
    let old = generations(&dir);
    let next = old.first().map_or(1, |n| n + 1);
    let (tensors, meta) = checkpoint::encode(checkpoint, identity, epochs_csv_bytes)?;
    let keep =
        |e: Error| e.note(if old.is_empty() { "no checkpoint yet" } else { "previous checkpoint intact" });
    // The JSON last: a checkpoint exists when it does.
    write(&dir.join(format!("{next}.safetensors")), &tensors).map_err(keep)?;
    write(&dir.join(format!("{next}.json")), &meta).map_err(keep)?;
    for stale in old.iter().skip(GENERATIONS - 1) {
        // The JSON first: what is left without it is no checkpoint.
        for suffix in ["json", "safetensors"] {
            let _ = fs::remove_file(dir.join(format!("{stale}.{suffix}")));
        }
    }
    Ok(())
}

/// The newest checkpoint that can be read; none when there is none at all.
///
/// # Errors
/// [`Kind::Mismatch`] when there are some and none can be read.
pub fn load(run: &Path, run_id: &str, network: &Network) -> Result<Option<Found>> {
    let dir = dir(run);
    let csv_len = fs::metadata(run.join("epochs.csv")).map_or(0, |m| m.len());
    let mut warnings: Vec<String> = Vec::new();
    for number in generations(&dir) {
        let path = dir.join(format!("{number}.json"));
        let read = |path: &Path| fs::read(path).map_err(|e| Error::io("read", path, &e));
        let decoded = read(&path).and_then(|meta| {
            let tensors = read(&dir.join(format!("{number}.safetensors")))?;
            checkpoint::decode(&tensors, &meta, run_id, network)
        });
        match decoded {
            // A machine that lost power may have kept the checkpoint and not the rows.
            Ok(read) if csv_len < read.epochs_csv_bytes => {
                let expected = read.epochs_csv_bytes;
                warnings.push(format!("{}: epochs.csv has {csv_len} of {expected} bytes", path.display()));
            }
            Ok(read) => {
                let Read { checkpoint, identity, epochs_csv_bytes } = read;
                return Ok(Some(Found { checkpoint, identity, epochs_csv_bytes, warnings }));
            }
            Err(error) => warnings.push(format!("{}: {error}", path.display())),
        }
    }
    let Some(first) = warnings.first() else { return Ok(None) };
    let error =
        Error::new(Kind::Mismatch, format!("no checkpoint in {} can be read: {first}", dir.display()));
    let error = warnings.iter().skip(1).cloned().fold(error, Error::note);
    Err(error.help("start again with --overwrite"))
}
