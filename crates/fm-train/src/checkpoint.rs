//! A checkpoint: all that a run needs to resume as if it had not stopped.
//!
//! In memory it is a [`Position`] in the plan and an engine's [`State`]. On disk it is two files: tensors as
//! safetensors, and everything else as JSON with the tensors' SHA-256 and its own, so that a pair that does
//! not belong together, or a damaged one, is seen.

use std::collections::{BTreeMap, VecDeque};

use fm_net::{NamedTensor, Network, check};
use fm_run::error::{Error, Kind, Result};
use fm_run::memory;
use fm_run::{model_file, sha256};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};

use crate::engine::{State, Totals};

/// The newest format that this build writes and reads. The first had Adam's step as `optimizer_step` in place
/// of named counters.
pub const FORMAT: u32 = 2;

/// The group of the best epoch's tensors, beside those of the engine's state.
pub(crate) const BEST: &str = "best";
/// What the groups of the last epochs' tensors begin with; a number follows, 0 for the oldest.
pub(crate) const RECENT: &str = "recent-";

/// Where in its plan a run is.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Position {
    /// Index of the phase.
    pub phase: usize,
    /// Whole epochs of that phase.
    pub phase_epochs: u32,
    /// Whole epochs of the run.
    pub epochs: u32,
    /// Training seconds of those.
    pub seconds: f64,
    /// The phase's best epoch so far, where patience watches.
    pub best: Option<Best>,
    /// Weights after each of the phase's last epochs, the oldest first, where their mean is scored.
    pub recent: VecDeque<Vec<NamedTensor>>,
    /// The epoch that was interrupted on request, where one was.
    pub partial: Option<Partial>,
}

/// The best epoch of a phase so far.
#[derive(Debug, Clone, PartialEq)]
pub struct Best {
    /// Which, counted over the run.
    pub epoch: u32,
    /// Its validation loss.
    pub loss: f64,
    /// Its weights.
    pub weights: Vec<NamedTensor>,
}

/// The first steps of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Partial {
    /// How many.
    pub steps: usize,
    /// Their sums.
    pub totals: Totals,
    /// Their seconds.
    pub seconds: f64,
}

/// A position and the engine's state there.
#[derive(Debug, Clone, PartialEq)]
pub struct Checkpoint {
    /// Where in the plan.
    pub position: Position,
    /// Weights and optimizer.
    pub state: State,
}

/// What the run says of itself beside its tensors.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Identity {
    /// Configuration, seed, data and results format.
    pub run_id: String,
    /// The engine's name.
    pub engine: String,
    /// The device.
    pub device: String,
    /// CPU threads.
    pub threads: usize,
    /// The data set.
    pub data_sha256: String,
    /// Versions of this program and libtorch.
    pub versions: BTreeMap<String, String>,
}

impl Identity {
    /// What is different here from where the checkpoint was written, as far as it can change a bit.
    #[must_use]
    pub fn differences(&self, here: &Self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut compare = |what: &str, there: &str, here: &str| {
            if there != here {
                lines.push(format!("saved with {what} {there}, now {here}"));
            }
        };
        compare("device", &self.device, &here.device);
        for (name, version) in &here.versions {
            compare(name, self.versions.get(name).map_or("unknown", String::as_str), version);
        }
        // The fused engine computes the same bits with any number.
        if self.engine != "fused" {
            compare("threads", &self.threads.to_string(), &here.threads.to_string());
        }
        lines
    }
}

/// A checkpoint as read.
#[derive(Debug, Clone, PartialEq)]
pub struct Read {
    /// Position and state.
    pub checkpoint: Checkpoint,
    /// Who wrote it.
    pub identity: Identity,
    /// How long `epochs.csv` was.
    pub epochs_csv_bytes: u64,
}

/// The JSON half.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Meta {
    format: u32,
    identity: Identity,
    phase: usize,
    phase_epochs: u32,
    epochs: u32,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    optimizer_step: Option<u64>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    counters: BTreeMap<String, u64>,
    train_seconds: f64,
    best: Option<(u32, f64)>,
    partial: Option<Partial>,
    epochs_csv_bytes: u64,
    tensors_sha256: String,
    /// Of all the above.
    sha256: String,
}

impl Meta {
    /// The SHA-256 of what it says, whatever its layout as text.
    fn digest(&self) -> Result<String> {
        let unsigned = Self { sha256: String::new(), ..self.clone() };
        let text = serde_json::to_vec(&unsigned).map_err(|e| Error::new(Kind::Other, e.to_string()))?;
        Ok(sha256(&text))
    }
}

/// Only the version, so that a newer format is not taken for a damaged file.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Tensors and JSON of a checkpoint.
///
/// # Errors
/// [`Kind::Device`] when there is no memory for it.
pub fn encode(
    checkpoint: &Checkpoint,
    identity: &Identity,
    epochs_csv_bytes: u64,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let Checkpoint { position, state } = checkpoint;
    let best = position.best.iter().map(|best| (BEST.to_owned(), &best.weights));
    let recent =
        (0..).zip(&position.recent).map(|(age, weights): (usize, _)| (format!("{RECENT}{age}"), weights));
    let values = |tensors: &[NamedTensor]| tensors.iter().map(|t| t.data.len() as u64).sum::<u64>();
    let all: u64 = state.groups.values().map(|group| values(group)).sum::<u64>()
        + position.best.as_ref().map_or(0, |best| values(&best.weights))
        + position.recent.iter().map(|weights| values(weights)).sum::<u64>();
    // The tensors under their names here, as bytes, and the file twice.
    memory::room_for(4 * 4 * all, "a checkpoint")?;
    let tensors: Vec<NamedTensor> = (state.groups.iter().map(|(group, tensors)| (group.clone(), tensors)))
        .chain(best)
        .chain(recent)
        .flat_map(|(group, tensors)| {
            tensors
                .iter()
                .map(move |t| NamedTensor { name: format!("{group}.{}", t.name), ..t.clone() })
                .collect::<Vec<_>>()
        })
        .collect();
    let tensors = model_file::encode(&tensors, &BTreeMap::new())?;
    let mut meta = Meta {
        format: FORMAT,
        identity: identity.clone(),
        phase: position.phase,
        phase_epochs: position.phase_epochs,
        epochs: position.epochs,
        optimizer_step: None,
        counters: state.counters.clone(),
        train_seconds: position.seconds,
        best: position.best.as_ref().map(|best| (best.epoch, best.loss)),
        partial: position.partial,
        epochs_csv_bytes,
        tensors_sha256: sha256(&tensors),
        sha256: String::new(),
    };
    meta.sha256 = meta.digest()?;
    let meta = serde_json::to_vec_pretty(&meta).map_err(|e| Error::new(Kind::Other, e.to_string()))?;
    Ok((tensors, meta))
}

/// Reads a checkpoint from its two files; `networks` are those of the plan's phases.
///
/// # Errors
/// [`Kind::Mismatch`]: damaged, of a newer format, or of another run or network.
pub fn decode(tensors: &[u8], meta: &[u8], run_id: &str, networks: &[&Network]) -> Result<Read> {
    let bad = |text: String| Error::new(Kind::Mismatch, text);
    let version: Version = serde_json::from_slice(meta).map_err(|e| bad(format!("not a checkpoint: {e}")))?;
    if version.format > FORMAT {
        return Err(bad(format!("format {}, this build reads up to {FORMAT}", version.format)));
    }
    let meta: Meta = serde_json::from_slice(meta).map_err(|e| bad(format!("not a checkpoint: {e}")))?;
    if meta.digest()? != meta.sha256 || sha256(tensors) != meta.tensors_sha256 {
        return Err(bad("checksum mismatch".to_owned()));
    }
    // A phase index beyond the plan means a different run; check the tensors first, because their mismatch says
    // more.
    let Some(network) = networks.get(meta.phase).or(networks.last()) else {
        return Err(bad("the plan has no phases".to_owned()));
    };
    let file = SafeTensors::deserialize(tensors).map_err(|e| bad(format!("not safetensors: {e}")))?;
    let mut groups = groups(&file)?;
    // The library sorts tensors by name.
    for tensors in groups.values_mut() {
        tensors.sort_by_key(|w| network.tensors().position(|t| t.name == w.name));
    }
    let best_tensors = groups.remove(BEST);
    let recent: VecDeque<_> =
        (0..).map_while(|age: usize| groups.remove(&format!("{RECENT}{age}"))).collect();
    let mut counters = meta.counters;
    counters.extend(meta.optimizer_step.map(|step| ("step".to_owned(), step)));
    let state = State { groups, counters };
    check(network, state.weights()).map_err(|e| bad(e.to_string()))?;
    check_groups(network, &state)?;
    if meta.identity.run_id != run_id {
        return Err(bad(format!("belongs to run {}, not {run_id}", meta.identity.run_id)));
    }
    for weights in &recent {
        check(network, weights).map_err(|e| bad(e.to_string()))?;
    }
    if meta.phase >= networks.len() {
        return Err(bad(format!("is in phase {}, and the plan has {}", meta.phase + 1, networks.len())));
    }
    let best = meta.best.map(|(epoch, loss)| {
        let weights = best_tensors.unwrap_or_default();
        Best { epoch, loss, weights }
    });
    if let Some(best) = &best {
        if best.epoch > meta.epochs {
            let text = format!("its best epoch is {}, of {} trained", best.epoch, meta.epochs);
            return Err(bad(text));
        }
        check(network, &best.weights).map_err(|e| bad(e.to_string()))?;
    }
    let position = Position {
        phase: meta.phase,
        phase_epochs: meta.phase_epochs,
        epochs: meta.epochs,
        seconds: meta.train_seconds,
        best,
        recent,
        partial: meta.partial,
    };
    let (identity, epochs_csv_bytes) = (meta.identity, meta.epochs_csv_bytes);
    Ok(Read { checkpoint: Checkpoint { position, state }, identity, epochs_csv_bytes })
}

/// Tensors by group: what stands before the first dot of a name, and the rest of it.
fn groups(file: &SafeTensors<'_>) -> Result<BTreeMap<String, Vec<NamedTensor>>> {
    let mut groups: BTreeMap<String, Vec<NamedTensor>> = BTreeMap::new();
    for tensor in model_file::tensors(file, "")? {
        let Some((group, name)) = tensor.name.split_once('.') else {
            let text = format!("tensor {} belongs to no group", tensor.name);
            return Err(Error::new(Kind::Mismatch, text));
        };
        let named = NamedTensor { name: name.to_owned(), ..tensor.clone() };
        groups.entry(group.to_owned()).or_default().push(named);
    }
    Ok(groups)
}

/// What an optimizer keeps belongs to the network's tensors; those that do not train may be left out.
fn check_groups(network: &Network, state: &State) -> Result<()> {
    for (group, tensors) in state.groups.iter().filter(|(group, _)| *group != State::WEIGHTS) {
        for tensor in tensors {
            if !network.tensors().any(|t| t.name == tensor.name && t.shape == tensor.shape) {
                let (name, shape) = (&tensor.name, &tensor.shape);
                let text = format!("{group} of {name} {shape:?} belongs to no tensor of the network");
                return Err(Error::new(Kind::Mismatch, text));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
