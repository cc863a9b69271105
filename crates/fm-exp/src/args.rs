//! What a user may say of a run: the same keys as flags, as environment variables and in a file.
//!
//! Everything is optional and unchecked here; [`RunConfig::check`](crate::config::RunConfig::check) turns
//! it into what runs.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// How the data set is divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Protocol {
    /// One training image in twelve validates, drawn by class (Fashion-MNIST: 55,000 train, 5,000 validate); the test set is scored once, last
    Holdout,
    /// Every training image trains, nothing validates; the test set is scored once, last
    Notebook,
}

/// What to do when a published data set's files have other contents than published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum VerifyMode {
    /// Say so and go on
    Warn,
    /// Stop
    Strict,
}

/// What computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineChoice {
    /// Fused on the CPU where the kernels cover the network, eager otherwise
    Auto,
    /// libtorch, kernel by kernel, on any device
    Eager,
    /// The project's own CPU kernels
    Fused,
}

/// Whether the encoder trains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EncoderMode {
    /// The head alone trains, on codes that are computed once
    Frozen,
    /// Encoder and head train together
    Unfrozen,
}

/// Flags of `train`.
#[expect(clippy::struct_excessive_bools, reason = "flags are on or off")]
#[derive(Debug, Clone, Default, PartialEq, Args, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
#[command(next_help_heading = "Training")]
pub struct RunArgs {
    /// Network: cnn, encoder-mlp, or either for other image sizes, such as cnn@32x32 [default: cnn]
    #[arg(long, env = "FM_ARCH")]
    pub arch: Option<String>,

    /// Where to compute: auto, cpu, cuda or cuda:N; only auto may choose [default: auto]
    #[arg(long, env = "FM_DEVICE")]
    pub device: Option<String>,

    /// Passes over the training images; 0 scores the untrained model [default: 50]
    #[arg(long, env = "FM_EPOCHS")]
    pub epochs: Option<u32>,

    /// Images in a step [default: 32]
    #[arg(long, env = "FM_BATCH_SIZE")]
    pub batch_size: Option<usize>,

    /// Adam's learning rate [default: 0.001]
    #[arg(long, env = "FM_LR", allow_negative_numbers = true)]
    pub lr: Option<f64>,

    /// Seed of initial weights, split and batch order [default: 0]
    #[arg(long, env = "FM_SEED")]
    pub seed: Option<u64>,

    /// How the data set is divided [default: holdout]
    #[arg(long, env = "FM_PROTOCOL")]
    pub protocol: Option<Protocol>,

    /// Stop after N epochs without a better validation loss, and keep the best epoch's weights [default: off]
    #[arg(long, env = "FM_PATIENCE", value_name = "N")]
    pub patience: Option<u32>,

    /// Whether encoder-mlp's encoder trains [default: unfrozen]
    #[arg(long, env = "FM_ENCODER", help_heading = "Composition")]
    pub encoder: Option<EncoderMode>,

    /// What trains the encoder first: none, autoencoder, classifier, or the model.safetensors of an earlier run [default: none]
    #[arg(long, env = "FM_PRETRAIN", value_name = "HOW|FILE", help_heading = "Composition")]
    pub pretrain: Option<PathBuf>,

    /// Epochs of pretraining [default: 5]
    #[arg(long, env = "FM_PRETRAIN_EPOCHS", value_name = "N", help_heading = "Composition")]
    pub pretrain_epochs: Option<u32>,

    /// The encoder's own learning rate while it trains with the head [default: --lr]
    #[arg(
        long,
        env = "FM_ENCODER_LR",
        value_name = "LR",
        allow_negative_numbers = true,
        help_heading = "Composition"
    )]
    pub encoder_lr: Option<f64>,

    /// Train the head alone for so many epochs, then both [default: both from the start]
    #[arg(long, env = "FM_UNFREEZE_AT", value_name = "EPOCH", help_heading = "Composition")]
    pub unfreeze_at: Option<u32>,

    /// Memory for a frozen encoder's codes, in MiB; beyond it they go to the run's directory [default: 2048]
    #[arg(long, env = "FM_CODE_MEMORY", value_name = "MIB", help_heading = "Composition")]
    pub code_memory: Option<u64>,

    /// What computes: fused CPU kernels, libtorch's eager mode, or auto for the faster that applies [default: auto]
    #[arg(long, env = "FM_ENGINE")]
    pub engine: Option<EngineChoice>,

    /// CPU threads [default: one per core]
    #[arg(long, env = "FM_THREADS")]
    pub threads: Option<usize>,

    /// On CUDA: the same bits from every run, at some cost in speed; the CPU's are in any case
    #[arg(long)]
    #[serde(default)]
    pub deterministic: bool,

    /// Data set: fashion-mnist, mnist, kmnist, or a directory of four IDX files [default: fashion-mnist]
    #[arg(long, env = "FM_DATASET", value_name = "NAME|DIR", help_heading = "Data")]
    pub dataset: Option<PathBuf>,

    /// Directory that holds the files (environment: FM_DATA_DIR) [default: looked for, then downloaded]
    #[arg(long, value_name = "DIR", help_heading = "Data")]
    pub data_dir: Option<PathBuf>,

    /// When a published data set's files differ from the published ones [default: warn]
    #[arg(long, env = "FM_VERIFY", help_heading = "Data")]
    pub verify: Option<VerifyMode>,

    /// Directory of results [default: results]
    #[arg(long, env = "FM_OUT", value_name = "DIR", help_heading = "Results")]
    pub out: Option<PathBuf>,

    /// Also score the test set after these epochs, as runs of that length would; results in at-N/
    #[arg(long, value_name = "N,N", value_delimiter = ',', help_heading = "Results")]
    pub score_at: Option<Vec<u32>>,

    /// Leave out the row in runs.csv, such as where many machines write into one directory
    #[arg(long, help_heading = "Results")]
    #[serde(skip)]
    pub no_record: bool,

    /// Refuse to be another run than this; what a sweep starts its runs with.
    #[arg(long, hide = true)]
    #[serde(skip)]
    pub expect_run_id: Option<String>,

    /// Stop and save when standard input ends; what a sweep starts its runs with.
    #[arg(long, hide = true)]
    #[serde(skip)]
    pub stop_with_stdin: bool,

    /// Name of the run's directory [default: from architecture, protocol, epochs and seed]
    #[arg(long, env = "FM_NAME", help_heading = "Results")]
    pub name: Option<String>,

    /// Go on with an interrupted run of that name; starts one where there is none
    #[arg(long, conflicts_with = "overwrite", help_heading = "Results")]
    #[serde(skip)]
    pub resume: bool,

    /// Epochs between checkpoints [default: 1]
    #[arg(long, env = "FM_CHECKPOINT_EVERY", value_name = "N", help_heading = "Results")]
    pub checkpoint_every: Option<u32>,

    /// Replace an earlier run of that name
    #[arg(long, help_heading = "Results")]
    #[serde(default)]
    pub overwrite: bool,

    /// Read flags from a TOML file, such as a run's config.toml; flags and environment come first
    #[arg(long, value_name = "FILE", help_heading = "Results")]
    #[serde(skip)]
    pub config: Option<PathBuf>,

    /// A few steps on a few images, to see that all works
    #[arg(long, help_heading = "Results")]
    #[serde(default)]
    pub fast_dev_run: bool,

    /// Print what would run, and stop
    #[arg(long, help_heading = "Results")]
    #[serde(skip)]
    pub dry_run: bool,

    /// What a run's config.toml records besides its flags; not read.
    #[arg(skip)]
    pub provenance: Option<toml::Table>,
}

impl RunArgs {
    /// Fills what was not given from `--config`.
    ///
    /// # Errors
    /// When the file cannot be read, is not TOML, or has a key that is no flag.
    pub fn with_file(self) -> Result<Self> {
        let Some(path) = self.config.clone() else { return Ok(self) };
        let text = std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))?;
        let file: Self = toml::from_str(&text).map_err(|e| bad_file(&path, &e))?;
        Ok(Self {
            arch: self.arch.or(file.arch),
            device: self.device.or(file.device),
            epochs: self.epochs.or(file.epochs),
            batch_size: self.batch_size.or(file.batch_size),
            lr: self.lr.or(file.lr),
            seed: self.seed.or(file.seed),
            protocol: self.protocol.or(file.protocol),
            patience: self.patience.or(file.patience),
            encoder: self.encoder.or(file.encoder),
            pretrain: self.pretrain.or(file.pretrain),
            pretrain_epochs: self.pretrain_epochs.or(file.pretrain_epochs),
            encoder_lr: self.encoder_lr.or(file.encoder_lr),
            unfreeze_at: self.unfreeze_at.or(file.unfreeze_at),
            code_memory: self.code_memory.or(file.code_memory),
            engine: self.engine.or(file.engine),
            threads: self.threads.or(file.threads),
            deterministic: self.deterministic || file.deterministic,
            dataset: self.dataset.or(file.dataset),
            // The environment's directory is read where data are looked for; here it only goes first.
            data_dir: self.data_dir.or(file.data_dir.filter(|_| std::env::var_os("FM_DATA_DIR").is_none())),
            verify: self.verify.or(file.verify),
            out: self.out.or(file.out),
            score_at: self.score_at.or(file.score_at),
            no_record: self.no_record,
            expect_run_id: self.expect_run_id,
            stop_with_stdin: self.stop_with_stdin,
            name: self.name.or(file.name),
            resume: self.resume,
            checkpoint_every: self.checkpoint_every.or(file.checkpoint_every),
            overwrite: self.overwrite || file.overwrite,
            fast_dev_run: self.fast_dev_run || file.fast_dev_run,
            config: self.config,
            dry_run: self.dry_run,
            provenance: None,
        })
    }
}

fn bad_file(path: &Path, error: &toml::de::Error) -> Error {
    let at = error.to_string();
    let lines: Vec<&str> = at.lines().filter(|line| !line.trim().is_empty()).collect();
    let reason = error.message().lines().next().unwrap_or_default();
    let bad = Error::usage(format!("{} is not a configuration: {reason}", path.display()));
    lines.first().map_or(bad.clone(), |place| bad.note(place.to_lowercase()))
}
