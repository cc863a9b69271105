//! How encoder and head come together: pretrained or not, frozen or not, as phases of a plan.
//!
//! ```text
//! --pretrain autoencoder │ classifier │ FILE │ none     --encoder frozen │ unfrozen [--unfreeze-at E]
//! ── phase pretrain ──────────────────────────────▸ ── phase head ──▸ ── phase train ─────────────▸
//! ```
//!
//! For one seed all arms share split, batch order, and the initial weights of encoder and head: what
//! differs between them is what their names say.

use std::fmt::Write as _;
use std::path::PathBuf;

use fm_models::{Arch, ArchSpec, Network, Scope, Weights};
use toml::{Table, Value};

use crate::args::{EncoderMode, RunArgs};
use crate::checkpoint;
use crate::error::{Error, Kind, Result};
use crate::plan::{Objective, Phase};
use crate::trained::ModelFile;

/// Epochs of pretraining where nothing is said.
const PRETRAIN_EPOCHS: u32 = 5;

/// Where the encoder's weights come from before the run's own training.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pretrain {
    /// The seed's initial values: the control.
    None,
    /// The encoder of an autoencoder, trained first.
    Autoencoder,
    /// The encoder of a `cnn`, whose first two blocks are the same, trained first.
    Classifier,
    /// The encoder in an earlier run's `model.safetensors`.
    File(PathBuf),
}

/// What `--encoder`, `--pretrain` and their kin ask for.
#[derive(Debug, Clone, PartialEq)]
#[expect(missing_docs, reason = "the flags' own words stand in args.rs")]
pub struct Composition {
    pub pretrain: Pretrain,
    pub pretrain_epochs: u32,
    pub frozen: bool,
    pub encoder_lr: Option<f64>,
    pub unfreeze_at: Option<u32>,
}

/// An encoder that was trained elsewhere.
#[derive(Debug, Clone, PartialEq)]
pub struct Given {
    /// Its tensors.
    pub weights: Vec<Weights>,
    /// Of the file that they came from.
    pub sha256: String,
}

impl Composition {
    /// Checks the flags against each other and the architecture.
    ///
    /// # Errors
    /// A usage error that names the flag.
    pub fn check(args: &RunArgs, spec: ArchSpec, epochs: u32) -> Result<Self> {
        let frozen = args.encoder == Some(EncoderMode::Frozen);
        let given = [
            ("--encoder", args.encoder.is_some()),
            ("--pretrain", args.pretrain.is_some()),
            ("--pretrain-epochs", args.pretrain_epochs.is_some()),
            ("--encoder-lr", args.encoder_lr.is_some()),
            ("--unfreeze-at", args.unfreeze_at.is_some()),
        ];
        if let Some((flag, _)) = given.iter().find(|(_, given)| *given && spec.arch != Arch::EncoderMlp) {
            let text = format!("{flag} needs an architecture of encoder and head, and {spec} is one piece");
            return Err(Error::usage(text).help("use --arch encoder-mlp"));
        }
        let pretrain = match args.pretrain.as_deref() {
            None => Pretrain::None,
            Some(text) => match text.to_str() {
                Some("none") => Pretrain::None,
                Some("autoencoder") => Pretrain::Autoencoder,
                Some("classifier") => Pretrain::Classifier,
                _ => Pretrain::File(text.to_owned()),
            },
        };
        let trains_first = matches!(pretrain, Pretrain::Autoencoder | Pretrain::Classifier);
        match args.pretrain_epochs {
            Some(0) => return Err(Error::usage("--pretrain-epochs must be at least 1, got 0")),
            Some(_) if !trains_first => {
                return Err(Error::usage("--pretrain-epochs needs --pretrain autoencoder or classifier"));
            }
            _ => {}
        }
        if pretrain == Pretrain::Classifier {
            let cnn = format!("cnn@{}x{}", spec.height, spec.width).parse::<ArchSpec>();
            cnn.map_err(|e| Error::usage(format!("--pretrain classifier trains a cnn: {e}")))?;
        }
        match args.encoder_lr {
            Some(_) if frozen => {
                return Err(Error::usage("--encoder-lr: a frozen encoder has no learning rate"));
            }
            Some(lr) if !lr.is_finite() || lr <= 0.0 => {
                return Err(Error::usage(format!("--encoder-lr must be finite and > 0, got {lr}")));
            }
            _ => {}
        }
        match args.unfreeze_at {
            Some(_) if frozen => {
                return Err(Error::usage("--unfreeze-at: with --encoder frozen nothing is unfrozen"));
            }
            Some(at) if !args.fast_dev_run && !(1..epochs.max(1)).contains(&at) => {
                let text = format!("--unfreeze-at must be from 1 to below --epochs ({epochs}), got {at}");
                return Err(Error::usage(text));
            }
            _ => {}
        }
        Ok(Self {
            pretrain,
            pretrain_epochs: match args.pretrain_epochs {
                _ if args.fast_dev_run => 1,
                epochs => epochs.unwrap_or(PRETRAIN_EPOCHS),
            },
            frozen,
            encoder_lr: args.encoder_lr,
            unfreeze_at: args.unfreeze_at,
        })
    }

    /// What the arm is called in tables: `joint`, `frozen on autoencoder`, `fine-tuned from classifier` …
    #[must_use]
    pub fn arm(&self) -> String {
        let from = match &self.pretrain {
            Pretrain::None => "random".to_owned(),
            Pretrain::Autoencoder => "autoencoder".to_owned(),
            Pretrain::Classifier => "classifier".to_owned(),
            Pretrain::File(path) => path.display().to_string(),
        };
        let mut arm = match (self.frozen, &self.pretrain) {
            (true, _) => format!("frozen on {from}"),
            (false, Pretrain::None) => "joint".to_owned(),
            (false, _) => format!("fine-tuned from {from}"),
        };
        if let Some(epoch) = self.unfreeze_at {
            let _ = write!(arm, " (head first for {epoch})");
        }
        if let Some(lr) = self.encoder_lr {
            let _ = write!(arm, " (encoder lr {lr})");
        }
        arm
    }

    /// The arm as a piece of a directory's name, empty for the joint one.
    pub(crate) fn slug(&self) -> String {
        let mut arm = self.arm();
        if let Pretrain::File(path) = &self.pretrain {
            arm = arm.replace(&path.display().to_string(), "file");
        }
        let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
        let slug: String = arm.replace(['(', ')'], "").chars().map(plain).collect();
        if slug == "joint" { String::new() } else { format!("-{slug}") }
    }

    /// The keys of `config.toml`, those that are not the default.
    pub(crate) fn keys(&self) -> Table {
        let mut keys = Table::new();
        let mut set = |key: &str, value: Value| keys.insert(key.to_owned(), value);
        if self.frozen {
            set("encoder", "frozen".into());
        }
        match &self.pretrain {
            Pretrain::None => {}
            Pretrain::File(path) => {
                set("pretrain", path.to_string_lossy().into_owned().into());
            }
            trained => {
                let name = if *trained == Pretrain::Autoencoder { "autoencoder" } else { "classifier" };
                set("pretrain", name.into());
                set("pretrain-epochs", self.pretrain_epochs.into());
            }
        }
        if let Some(lr) = self.encoder_lr {
            set("encoder-lr", lr.into());
        }
        if let Some(at) = self.unfreeze_at {
            set("unfreeze-at", at.into());
        }
        keys
    }

    /// Phases that end with `network`, trained for `epochs`.
    #[must_use]
    pub fn phases(&self, network: &Network, epochs: u32, lr: f64) -> Vec<Phase> {
        let phase = |name: &str, scope, epochs| Phase::classify(name, network, scope, epochs, lr);
        let mut phases = Vec::new();
        match self.pretrain {
            Pretrain::Autoencoder => phases.push(Phase {
                network: Network::autoencoder(network.spec),
                objective: Objective::Reconstruct,
                ..phase("pretrain-autoencoder", Scope::All, self.pretrain_epochs)
            }),
            Pretrain::Classifier => phases.push(Phase {
                network: Network::new(ArchSpec { arch: Arch::Cnn, ..network.spec }, network.classes),
                ..phase("pretrain-classifier", Scope::All, self.pretrain_epochs)
            }),
            Pretrain::None | Pretrain::File(_) => {}
        }
        if self.frozen {
            phases.push(phase("head", Scope::Head, epochs));
            return phases;
        }
        let head_first = self.unfreeze_at.unwrap_or(0).min(epochs);
        if head_first > 0 {
            phases.push(phase("head", Scope::Head, head_first));
        }
        phases.push(Phase {
            order_start: head_first,
            encoder_lr: self.encoder_lr.unwrap_or(lr),
            ..phase("train", Scope::All, epochs - head_first)
        });
        phases
    }

    /// Reads the encoder that `--pretrain FILE` names: a model file, or a run's directory.
    ///
    /// # Errors
    /// When it cannot be read, is no such file, or does not hold `network`'s encoder: every missing or
    /// wrongly shaped tensor at once.
    pub fn load(&self, network: &Network) -> Result<Option<Given>> {
        let Pretrain::File(path) = &self.pretrain else { return Ok(None) };
        let help = "--pretrain takes none, autoencoder, classifier, or an earlier run's model.safetensors";
        let file = ModelFile::read(path).map_err(|e| match e.kind() {
            _ if !path.exists() => Error::new(Kind::Data, e.message().to_owned()).help(help),
            _ => e,
        })?;
        encoder_of(&file, network).map(Some)
    }
}

/// The tensors of `network`'s encoder from a model file's bytes.
fn encoder_of(file: &ModelFile, network: &Network) -> Result<Given> {
    let found = file.contents()?;
    let mut weights = Vec::new();
    let mut differences = String::new();
    for param in network.params().filter(|p| p.name.starts_with("encoder.")) {
        match found.tensors.iter().find(|w| w.name == param.name) {
            Some(w) if w.shape == param.shape => weights.push(w.clone()),
            Some(w) => {
                let _ = write!(differences, "\n  {} is {:?}, expected {:?}", w.name, w.shape, param.shape);
            }
            None => {
                let _ = write!(differences, "\n  missing {} {:?}", param.name, param.shape);
            }
        }
    }
    for line in found.types.iter().filter(|line| line.starts_with("encoder.")) {
        let _ = write!(differences, "\n  {line}");
    }
    if differences.is_empty() {
        let sha256 = checkpoint::sha256(&file.bytes);
        Ok(Given { weights, sha256 })
    } else {
        Err(file.mismatch(format!("its encoder does not fit {}:{differences}", network.spec)))
    }
}

#[cfg(test)]
#[path = "composition_tests.rs"]
mod tests;
