//! A checkpoint: all that a run needs to go on as if it had not stopped.
//!
//! In memory it is a [`Position`] in the plan and an engine's [`State`]. On disk it is two files: tensors as
//! safetensors, and everything else as JSON with the tensors' SHA-256, so that a pair that does not belong
//! together, or a damaged one, is seen.

use std::collections::BTreeMap;

use fm_models::{Network, Weights, check};
use safetensors::SafeTensors;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::{State, Totals};
use crate::error::{Error, Kind, Result};
use crate::model_file;

/// The newest format that this build writes and reads.
pub const FORMAT: u32 = 1;

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
    pub weights: Vec<Weights>,
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
#[derive(Debug, Serialize, Deserialize)]
struct Meta {
    format: u32,
    identity: Identity,
    phase: usize,
    phase_epochs: u32,
    epochs: u32,
    optimizer_step: u64,
    train_seconds: f64,
    best: Option<(u32, f64)>,
    partial: Option<Partial>,
    epochs_csv_bytes: u64,
    tensors_sha256: String,
}

/// Only the version, so that a newer format can be told from a damaged file.
#[derive(Deserialize)]
struct Version {
    format: u32,
}

/// Tensors and JSON of a checkpoint.
///
/// # Errors
/// None that a running engine can cause.
pub fn encode(
    checkpoint: &Checkpoint,
    identity: &Identity,
    epochs_csv_bytes: u64,
) -> Result<(Vec<u8>, Vec<u8>)> {
    let Checkpoint { position, state } = checkpoint;
    let groups = [("weights", &state.weights), ("m", &state.m), ("v", &state.v)];
    let best = position.best.iter().map(|best| ("best", &best.weights));
    let tensors: Vec<Weights> = groups
        .into_iter()
        .chain(best)
        .flat_map(|(group, tensors)| {
            tensors.iter().map(move |t| Weights { name: format!("{group}.{}", t.name), ..t.clone() })
        })
        .collect();
    let tensors = model_file::encode(&tensors, &BTreeMap::new())?;
    let meta = Meta {
        format: FORMAT,
        identity: identity.clone(),
        phase: position.phase,
        phase_epochs: position.phase_epochs,
        epochs: position.epochs,
        optimizer_step: state.step,
        train_seconds: position.seconds,
        best: position.best.as_ref().map(|best| (best.epoch, best.loss)),
        partial: position.partial,
        epochs_csv_bytes,
        tensors_sha256: sha256(&tensors),
    };
    let meta = serde_json::to_vec_pretty(&meta).map_err(|e| Error::new(Kind::Other, e.to_string()))?;
    Ok((tensors, meta))
}

/// Reads a checkpoint from its two files.
///
/// # Errors
/// [`Kind::Mismatch`]: damaged, of a newer format, or of another run or network.
pub fn decode(tensors: &[u8], meta: &[u8], run_id: &str, network: &Network) -> Result<Read> {
    let bad = |text: String| Error::new(Kind::Mismatch, text);
    let version: Version = serde_json::from_slice(meta).map_err(|e| bad(format!("not a checkpoint: {e}")))?;
    if version.format > FORMAT {
        return Err(bad(format!("format {}, this build reads up to {FORMAT}", version.format)));
    }
    let meta: Meta = serde_json::from_slice(meta).map_err(|e| bad(format!("not a checkpoint: {e}")))?;
    if sha256(tensors) != meta.tensors_sha256 {
        return Err(bad("checksum mismatch".to_owned()));
    }
    let file = SafeTensors::deserialize(tensors).map_err(|e| bad(format!("not safetensors: {e}")))?;
    let group = |name: &str| -> Result<Vec<Weights>> {
        let mut found = model_file::tensors(&file, &format!("{name}."))?;
        // The library sorts tensors by name.
        found.sort_by_key(|w| network.params().position(|p| p.name == w.name));
        Ok(found)
    };
    let state =
        State { weights: group("weights")?, m: group("m")?, v: group("v")?, step: meta.optimizer_step };
    check(network, &state.weights).map_err(|e| bad(e.to_string()))?;
    if meta.identity.run_id != run_id {
        return Err(bad(format!("belongs to run {}, not {run_id}", meta.identity.run_id)));
    }
    let best = match meta.best {
        Some((epoch, loss)) => Some(Best { epoch, loss, weights: group("best")? }),
        None => None,
    };
    if let Some(best) = &best {
        check(network, &best.weights).map_err(|e| bad(e.to_string()))?;
    }
    let position = Position {
        phase: meta.phase,
        phase_epochs: meta.phase_epochs,
        epochs: meta.epochs,
        seconds: meta.train_seconds,
        best,
        partial: meta.partial,
    };
    let (identity, epochs_csv_bytes) = (meta.identity, meta.epochs_csv_bytes);
    Ok(Read { checkpoint: Checkpoint { position, state }, identity, epochs_csv_bytes })
}

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network() -> Network {
        Network::new("encoder-mlp@10x10".parse().unwrap(), 3)
    }

    fn checkpoint() -> Checkpoint {
        let weights = fm_models::init::initial(&network(), 1);
        let zeros = |w: &Weights| Weights { data: vec![0.0; w.data.len()], ..w.clone() };
        let m: Vec<Weights> = weights.iter().map(zeros).collect();
        let best = Best { epoch: 2, loss: 0.25, weights: fm_models::init::initial(&network(), 2) };
        let totals = Totals { loss_sum: 0.1 + 0.2, correct: 3, images: 4, diverged_at: None };
        let partial = Some(Partial { steps: 7, totals, seconds: 0.5 });
        let position =
            Position { phase: 1, phase_epochs: 2, epochs: 3, seconds: 1.0 / 3.0, best: Some(best), partial };
        Checkpoint { position, state: State { weights, v: m.clone(), m, step: 99 } }
    }

    fn identity() -> Identity {
        Identity {
            run_id: "0123456789abcdef".to_owned(),
            engine: "fused".to_owned(),
            device: "cpu".to_owned(),
            threads: 2,
            data_sha256: "abc".to_owned(),
            versions: BTreeMap::new(),
        }
    }

    #[test]
    fn reads_back_to_the_last_bit() {
        let (tensors, meta) = encode(&checkpoint(), &identity(), 1234).unwrap();
        let read = decode(&tensors, &meta, "0123456789abcdef", &network()).unwrap();
        assert_eq!(read, Read { checkpoint: checkpoint(), identity: identity(), epochs_csv_bytes: 1234 });
    }

    #[test]
    fn numbers_survive_json_to_the_last_bit() {
        // Decimal fractions that a careless parser rounds the wrong way are about one in ten.
        for i in 1..5000_u32 {
            let loss_sum = f64::from(i) * 0.123_456_789 + 1.0 / f64::from(i);
            let totals = Totals { loss_sum, ..Totals::default() };
            let text = serde_json::to_string(&totals).unwrap();
            assert_eq!(
                serde_json::from_str::<Totals>(&text).unwrap().loss_sum.to_bits(),
                loss_sum.to_bits(),
                "{text}"
            );
        }
    }

    #[test]
    fn another_machine_is_told() {
        let here = Identity { device: "cuda:0".to_owned(), threads: 8, ..identity() };
        assert_eq!(identity().differences(&here), ["saved with device cpu, now cuda:0"]);
        let eager = Identity { engine: "eager".to_owned(), ..identity() };
        assert_eq!(eager.differences(&here).len(), 2);
    }

    #[test]
    fn says_what_is_wrong() {
        let (tensors, meta) = encode(&checkpoint(), &identity(), 0).unwrap();
        let message = |tensors: &[u8], meta: &[u8], run_id: &str, network: &Network| {
            let error = decode(tensors, meta, run_id, network).unwrap_err();
            assert_eq!(error.exit_code(), 7);
            error.to_string()
        };
        let id = "0123456789abcdef";
        let mut damaged = tensors.clone();
        *damaged.last_mut().unwrap() ^= 1;
        assert_eq!(message(&damaged, &meta, id, &network()), "checksum mismatch");
        assert_eq!(message(&tensors[..100], &meta, id, &network()), "checksum mismatch");
        let newer = String::from_utf8(meta.clone()).unwrap().replace("\"format\": 1", "\"format\": 3");
        assert_eq!(message(&tensors, newer.as_bytes(), id, &network()), "format 3, this build reads up to 1");
        assert!(message(&tensors, &meta[..50], id, &network()).starts_with("not a checkpoint"));
        assert!(message(&tensors, &meta, "x", &network()).contains("belongs to run 0123456789abcdef"));
        let cnn = Network::new("cnn".parse().unwrap(), 10);
        let text = message(&tensors, &meta, id, &cnn);
        for piece in
            ["missing encoder.conv3.weight", "head.dense1.weight is [64, 64]", "unexpected head.dense3.bias"]
        {
            assert!(text.contains(piece), "{piece} in {text}");
        }
    }
}
