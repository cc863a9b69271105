//! What `eval`, `predict` and `encode` share: a trained model, and images that it is shown.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use fm_data::Dataset;
use fm_models::{Network, Scope};

use super::train;
use crate::args::{EngineChoice, RunArgs, VerifyMode};
use crate::config::{RunConfig, parse_arch};
use crate::engine::{self, CodeStore, Engine, Source};
use crate::error::{Error, Kind, Result};
use crate::plan::Phase;
use crate::trained::{self, Trained};

/// Flags on the model and on what computes.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// A run's directory, or a model.safetensors
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,

    /// The model's network, where its file does not say
    #[arg(long)]
    arch: Option<String>,

    /// Where to compute: auto, cpu, cuda or cuda:N
    #[arg(long, env = "FM_DEVICE")]
    device: Option<String>,

    /// What computes
    #[arg(long, env = "FM_ENGINE")]
    engine: Option<EngineChoice>,

    /// CPU threads [default: one per core]
    #[arg(long, env = "FM_THREADS")]
    threads: Option<usize>,
}

/// Flags on a data set.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArgs {
    /// Data set: fashion-mnist, mnist, kmnist, or a directory of four IDX files [default: the run's]
    #[arg(long, env = "FM_DATASET", value_name = "NAME|DIR")]
    dataset: Option<PathBuf>,

    /// Directory that holds the files (environment: FM_DATA_DIR)
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,

    /// When a published data set's files differ from the published ones [default: warn]
    #[arg(long, env = "FM_VERIFY")]
    verify: Option<VerifyMode>,

    /// Which of its files
    #[arg(long, value_enum, default_value = "test")]
    pub(crate) split: Split,
}

/// A data set's two halves, as files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// The test file
    Test,
    /// The training file, validation images included
    Train,
}

impl Split {
    pub(crate) fn source(self) -> Source {
        if self == Self::Test { Source::Test } else { Source::Train }
    }

    pub(crate) fn name(self) -> &'static str {
        if self == Self::Test { "test" } else { "train" }
    }

    pub(crate) fn of(self, data: &Dataset) -> &fm_data::Labelled {
        if self == Self::Test { &data.test } else { &data.train }
    }
}

/// The model, and a checked configuration for computing with it.
pub(crate) fn model(args: &ModelArgs, data: Option<&DataArgs>) -> Result<(Trained, RunConfig)> {
    let arch = args.arch.as_deref().map(parse_arch).transpose()?;
    let trained = trained::load(&args.run, arch)?;
    let mut flags = RunArgs {
        arch: Some(trained.network.spec.to_string()),
        device: args.device.clone(),
        engine: args.engine,
        threads: args.threads,
        ..RunArgs::default()
    };
    if let Some(data) = data {
        (flags.dataset, flags.data_dir, flags.verify) =
            (data.dataset.clone(), data.data_dir.clone(), data.verify);
        if flags.dataset.is_none() && flags.data_dir.is_none() {
            (flags.dataset, flags.data_dir) = data_of(&trained.beside("config.toml"));
        }
    }
    Ok((trained, RunConfig::check(flags)?))
}

/// The data set that a run's configuration names, if there is one; a model file may lie anywhere.
fn data_of(config: &Path) -> (Option<PathBuf>, Option<PathBuf>) {
    let text = std::fs::read_to_string(config).unwrap_or_default();
    let run: RunArgs = toml::from_str(&text).unwrap_or_default();
    (run.dataset, run.data_dir)
}

/// The data set, whose images the model must take and whose classes it must know.
pub(crate) fn data(trained: &Trained, config: &RunConfig, progress: bool) -> Result<Dataset> {
    let data = train::load(config, progress)?;
    train::network(config, &data)?;
    let (found, known) = (data.classes, trained.network.classes);
    if found > known {
        return Err(Error::new(
            Kind::Data,
            format!("the data have {found} classes, the model knows {known}"),
        )
        .note(format!("data set {}", data.dir.display()))
        .note(format!("model {}", trained.path.display())));
    }
    if trained.class_names.as_ref().is_some_and(|names| !data.class_names.iter().all(|n| names.contains(n))) {
        tracing::warn!("the data's classes have other names than the model's; classes are matched by number");
    }
    Ok(data)
}

/// An engine with the model in it; only for evaluation.
pub(crate) fn engine<'a>(
    trained: &Trained,
    config: &RunConfig,
    data: &'a Dataset,
) -> Result<(Box<dyn Engine + 'a>, &'static str)> {
    let device = config.device.resolve()?;
    if let Some(threads) = config.threads {
        tch::set_num_threads(threads as i32);
    }
    let choice = engine::choose(config.engine, device, &trained.network)?;
    let network: &Network = &trained.network;
    let mut engine =
        choice.build(network, &trained.weights, data, config.threads, 32, CodeStore::unlimited())?;
    engine.begin_phase(&Phase::classify("evaluation", network, Scope::All, 0, config.lr))?;
    Ok((engine, choice.name()))
}
