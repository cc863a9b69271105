//! How encoder and head come together: pretrained or not, frozen or not, as phases of a plan.
//!
//! ```text
//! --pretrain autoencoder │ classifier │ FILE │ none     --encoder frozen │ unfrozen [--unfreeze-at E]
//! ── phase pretrain ──────────────────────────────▸ ── phase head ──▸ ── phase train ─────────────▸
//! ```
//!
//! Recipes of one seed share their split, batch order, and the initial weights of encoder and head: they
//! differ by what their names say and by nothing else.

use std::fmt::Write as _;

use fm_images::{Dataset, ImageShape, Split};
use fm_net::{Arch, ArchError, NamedTensor, Network, Part, Scope};
use fm_run::error::{Error, Kind, Result};
use fm_run::sha256;
use fm_run::spec::{EncoderMode, Pretrain, Protocol, RunSpec, Weights};
use fm_run::trained::ModelFile;

use crate::plan::{Objective, Phase, Plan, Update};

/// Training steps of a `--fast-dev-run`, and images that it validates and tests on.
const FAST_STEPS: usize = 8;
const FAST_EVAL: usize = 200;

/// An encoder that was trained elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Its tensors.
    pub weights: Vec<NamedTensor>,
    /// Of the file that they came from.
    pub sha256: String,
}

/// The network of a run on a data set: the spec's architecture with an output for each class.
///
/// # Errors
/// [`Kind::Data`] when the images are not of the architecture's size, with the architecture that fits.
pub fn network(arch: &Arch, data: &Dataset) -> Result<Network> {
    let Arch { height, width, channels, .. } = *arch;
    let wanted = ImageShape { channels, height, width };
    let found = data.shape();
    if found != wanted {
        let message = format!("images are {found}, model {arch} expects {wanted}");
        let error = Error::new(Kind::Data, message).note(format!("data set {}", data.dir.display()));
        let fitting = arch.with_size(found.height, found.width, found.channels);
        return Err(match fitting {
            Ok(arch) => error.help(format!("--arch {arch} is the same network for such images")),
            Err(reason) => error.help(reason.to_string()),
        });
    }
    Network::new(arch, data.classes).map_err(|e| Error::usage(format!("{arch}: {e}")))
}

/// The rows of the training file that a run trains on, and those that it validates on; each ascending.
///
/// # Errors
/// When there are too few images to hold any out.
pub fn split(spec: &RunSpec, data: &Dataset) -> Result<Split> {
    let n = data.train.len();
    match spec.protocol {
        Protocol::Notebook => Ok(Split { train: (0..n as u32).collect(), val: Vec::new() }),
        Protocol::Holdout => {
            let held_out = spec.holdout_share.map_or(n / 12, |share| (share * n as f64).round() as usize);
            fm_images::stratified(&data.train.labels, data.classes, held_out, spec.seed)
                .map_err(|e| Error::new(Kind::Data, e.to_string()))
        }
    }
}

/// The rows that a run validates on: fewer in a `--fast-dev-run`.
///
/// # Errors
/// As for [`split`].
pub fn validation_rows(spec: &RunSpec, data: &Dataset) -> Result<Vec<u32>> {
    let mut rows = split(spec, data)?.val;
    if spec.fast_dev_run {
        rows.truncate(FAST_EVAL);
    }
    Ok(rows)
}

/// The plan of a run on a data set.
///
/// # Errors
/// A usage error: a batch larger than the training images, no images to validate on, or phases that cannot run one
/// after another.
pub fn plan(spec: &RunSpec, network: &Network, data: &Dataset) -> Result<Plan> {
    let n = data.train.len();
    let mut train_rows = split(spec, data)?.train;
    let val_rows = validation_rows(spec, data)?;
    if spec.patience.is_some() && val_rows.is_empty() {
        let share =
            spec.holdout_share.map_or("one in twelve".to_owned(), |share| format!("a share of {share}"));
        return Err(Error::usage(format!("--patience needs validation images, and {share} of {n} is none")));
    }
    let mut test_rows: Vec<u32> = (0..data.test.len() as u32).collect();
    if spec.batch_size > train_rows.len() {
        let (got, most) = (spec.batch_size, train_rows.len());
        return Err(Error::usage(format!(
            "--batch-size must be from 1 to {most} (the training images), got {got}"
        )));
    }
    spec.augment.check(data.shape()).map_err(|e| Error::usage(format!("--augment: {e}")))?;
    if spec.fast_dev_run {
        train_rows.truncate(FAST_STEPS * spec.batch_size);
        test_rows.truncate(FAST_EVAL);
    }
    let phases = phases(spec, network)?;
    let RunSpec { batch_size, patience, .. } = *spec;
    let (score_at, predictions_by_epoch) = (spec.score_at.clone(), spec.predictions_by_epoch);
    let (weights, augment) = (spec.scored(), spec.augment.clone());
    let plan = Plan {
        seeds: spec.seeds(),
        batch_size,
        phases,
        patience,
        score_at,
        predictions_by_epoch,
        weights,
        augment,
        train_rows,
        val_rows,
        test_rows,
    };
    plan.check()?;
    Ok(plan)
}

/// The phases of a run, the last of which trains `network` (or its head alone).
///
/// # Errors
/// A usage error when the network has no encoder to freeze or pretrain, or pretraining does not cover it.
pub fn phases(spec: &RunSpec, network: &Network) -> Result<Vec<Phase>> {
    check_parts(spec, network)?;
    let frozen = spec.encoder == EncoderMode::Frozen;
    let phase = |name: &str, scope, epochs| Phase::classify(name, network, scope, epochs, spec.lr);
    let mut phases = Vec::new();
    if spec.pretrain.trains() {
        phases.push(pretraining(spec, network)?);
    }
    if frozen {
        phases.push(phase("head", Scope::Head, spec.epochs));
        return Ok(with_recipe(spec, phases));
    }
    let head_first = spec.unfreeze_at.unwrap_or(0).min(spec.epochs);
    if head_first > 0 {
        phases.push(phase("head", Scope::Head, head_first));
    }
    phases.push(Phase {
        order_start: head_first,
        encoder_lr: spec.encoder_lr.unwrap_or(spec.lr),
        ..phase("train", Scope::All, spec.epochs - head_first)
    });
    Ok(with_recipe(spec, phases))
}

/// The phases, trained as the statement says; averages are of the last.
fn with_recipe(spec: &RunSpec, mut phases: Vec<Phase>) -> Vec<Phase> {
    for phase in &mut phases {
        phase.schedule = spec.schedule.clone();
        phase.warmup = spec.warmup;
        phase.update = Update::of(spec);
        phase.label_smoothing = spec.label_smoothing;
    }
    let ema = spec.scored().into_iter().find_map(|weights| match weights {
        Weights::Ema(decay) => Some(decay),
        Weights::Last | Weights::Mean(_) => None,
    });
    if let Some(last) = phases.last_mut() {
        last.ema = ema;
    }
    phases
}

/// Composition needs an encoder that has something to train, freeze or read.
fn check_parts(spec: &RunSpec, network: &Network) -> Result<()> {
    let default = RunSpec::default();
    let composition = RunSpec::fields().iter().filter(|f| f.heading == "Composition" && f.role.decides());
    let mut given = composition.filter(|field| spec.get(&field.key) != default.get(&field.key));
    match given.next() {
        Some(field) if network.param_count(Part::Encoder) == 0 => {
            let text =
                format!("--{} needs an encoder with parameters, and {} has none", field.key, network.label());
            Err(Error::usage(text).help("put convolutions before the head, such as 32C3-MP2--64"))
        }
        _ => Ok(()),
    }
}

/// The phase that trains the encoder first.
fn pretraining(spec: &RunSpec, network: &Network) -> Result<Phase> {
    let epochs = spec.pretrain_epochs.unwrap_or(0);
    let refused = |why: String| Error::usage(format!("--pretrain {}: {why}", spec.pretrain));
    if spec.pretrain == Pretrain::Autoencoder {
        let mirror = Network::autoencoder(&network.arch).map_err(|e| refused(e.to_string()))?;
        return Ok(Phase {
            network: mirror,
            objective: Objective::Reconstruct,
            ..Phase::classify("pretrain-autoencoder", network, Scope::All, epochs, spec.lr)
        });
    }
    let Arch { height, width, channels, .. } = network.arch;
    let cnn: Arch = "cnn".parse().map_err(|e: ArchError| refused(e.to_string()))?;
    let cnn = cnn.with_size(height, width, channels);
    let cnn = cnn.and_then(|arch| Network::new(&arch, network.classes.unwrap_or(0)));
    let cnn = cnn.map_err(|e| refused(format!("trains a cnn: {e}")))?;
    let missing = network.tensors().find(|t| {
        Part::Encoder.owns(&t.name) && !cnn.tensors().any(|c| c.name == t.name && c.shape == t.shape)
    });
    if let Some(tensor) = missing {
        let (name, shape) = (&tensor.name, &tensor.shape);
        return Err(refused(format!("trains a cnn, whose encoder has no {name} {shape:?}"))
            .help("train a network with this encoder first, and give its model.safetensors to --pretrain"));
    }
    Ok(Phase::classify("pretrain-classifier", &cnn, Scope::All, epochs, spec.lr))
}

/// Reads the encoder that `--pretrain FILE` names: a model file, or a run's directory.
///
/// # Errors
/// When it cannot be read, is no such file, or does not hold `network`'s encoder: every missing or wrongly
/// shaped tensor at once.
pub fn given_encoder(spec: &RunSpec, network: &Network) -> Result<Option<Given>> {
    let Pretrain::File(path) = &spec.pretrain else { return Ok(None) };
    let help = "--pretrain takes none, autoencoder, classifier, or an earlier run's model.safetensors";
    let file = ModelFile::read(path).map_err(|e| match e.kind() {
        _ if !path.exists() => Error::new(Kind::Data, e.message().to_owned()).help(help),
        _ => e,
    })?;
    encoder_of(&file, network).map(Some)
}

/// The tensors of `network`'s encoder from a model file's bytes.
fn encoder_of(file: &ModelFile, network: &Network) -> Result<Given> {
    let found = file.contents()?;
    let mut weights = Vec::new();
    let mut differences = String::new();
    for spec in network.tensors().filter(|t| Part::Encoder.owns(&t.name)) {
        match found.tensors.iter().find(|w| w.name == spec.name) {
            Some(w) if w.shape == spec.shape => weights.push(w.clone()),
            Some(w) => {
                let _ = write!(differences, "\n  {} is {:?}, expected {:?}", w.name, w.shape, spec.shape);
            }
            None => {
                let _ = write!(differences, "\n  missing {} {:?}", spec.name, spec.shape);
            }
        }
    }
    for line in found.types.iter().filter(|line| Part::Encoder.owns(line)) {
        let _ = write!(differences, "\n  {line}");
    }
    if !differences.is_empty() {
        return Err(file.mismatch(format!("its encoder does not fit {}:{differences}", network.label())));
    }
    file.check_finite(&weights)?;
    Ok(Given { weights, sha256: sha256(&file.bytes) })
}

#[cfg(test)]
#[path = "recipe_tests.rs"]
mod tests;
