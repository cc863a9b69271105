//! What `eval`, `predict` and `encode` share: a trained model, and images that it is shown.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use fm_data::{Dataset, ImageShape, Labelled};
use fm_engines::ENGINES;
use fm_net::Scope;
use fm_run::trained::Trained;
use fm_run::{RunSpec, files, read_config};
use fm_train::engine::{self, CodeStore, Engine, Input, Setup, Source, Want};
use fm_train::{Machine, Phase, recipe};
use toml::{Table, Value};

use super::weights;
use crate::args::{Computing, Data, KeysOf};
use crate::error::{Error, Kind, Result};
use crate::inputs;

/// Flags on the model and on what computes.
#[derive(Debug, Args)]
pub(crate) struct ModelArgs {
    /// A run's directory, or a model.safetensors
    #[arg(value_name = "RUN")]
    pub(crate) run: PathBuf,

    /// The model's network, where its file does not say
    #[arg(long, add = crate::completion::networks())]
    arch: Option<String>,

    #[command(flatten)]
    keys: KeysOf<Computing>,
}

impl ModelArgs {
    fn keys(&self) -> Table {
        self.keys.table.clone()
    }
}

/// Flags on a data set.
#[derive(Debug, Args)]
#[command(next_help_heading = "Data")]
pub(crate) struct DataArgs {
    #[command(flatten)]
    keys: KeysOf<Data>,

    /// Which of its images
    #[arg(long, value_enum, default_value = "test")]
    pub(crate) split: Split,
}

impl DataArgs {
    fn keys(&self) -> Table {
        self.keys.table.clone()
    }
}

/// Parts of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Split {
    /// The test file
    Test,
    /// The training file, validation images included
    Train,
    /// The images of the training file that the run held out
    Val,
}

/// Images of a split.
#[derive(Debug)]
pub(crate) struct Chosen<'a> {
    /// The file that they are in.
    pub(crate) file: &'a Labelled,
    /// Which of its rows they are, rising.
    pub(crate) rows: Vec<u32>,
    /// By row.
    pub(crate) labels: Vec<u8>,
    /// The file, to an engine.
    pub(crate) source: Source,
}

impl Split {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Test => "test",
            Self::Train => "train",
            Self::Val => "val",
        }
    }

    /// The images of a data set.
    ///
    /// # Errors
    /// When the model's run held none out, its configuration is not beside it, or it trained on other data.
    pub(crate) fn of<'a>(self, data: &'a Dataset, trained: &Trained) -> Result<Chosen<'a>> {
        let (file, source) =
            if self == Self::Test { (&data.test, Source::Test) } else { (&data.train, Source::Train) };
        let rows =
            if self == Self::Val { held_out(data, trained)? } else { (0..file.len() as u32).collect() };
        let labels = rows.iter().map(|&row| file.labels[row as usize]).collect();
        Ok(Chosen { file, rows, labels, source })
    }
}

/// The rows that a model's run validated on.
///
/// # Errors
/// When the run held none out, its configuration is not beside the model, or it trained on other data.
pub(super) fn held_out(data: &Dataset, trained: &Trained) -> Result<Vec<u32>> {
    let path = trained.beside(files::CONFIG);
    let config = fm_run::store::read_text(&path, fm_run::store::MAX_KEYS).and_then(|text| read_config(&text));
    let run = config.map_err(|error| {
        error.help("--split val is for a run's directory: which images it held out, its config.toml says")
    })?;
    if run.facts.data_sha256 != data.sha256 {
        let text = format!("{} held out images of other data than {}", path.display(), data.dir.display());
        return Err(Error::new(Kind::Mismatch, text).help("leave --dataset out, or take --split test"));
    }
    let rows = recipe::validation_rows(&run.spec, data)?;
    if rows.is_empty() {
        let text = format!("{} held out no images: --protocol {}", path.display(), run.spec.protocol.name());
        return Err(Error::new(Kind::Mismatch, text).help("take --split test or train"));
    }
    Ok(rows)
}

/// The model, and a checked statement for computing with it.
///
/// # Errors
/// When the model cannot be read, or a flag is out of range.
pub(crate) fn model(args: &ModelArgs, data: Option<&DataArgs>) -> Result<(Trained, RunSpec)> {
    let given = args.arch.as_deref().map(|text| RunSpec::read(&Table::from_iter([arch(text)])));
    let given = given.transpose()?.map(|spec| spec.arch);
    let trained = weights::load(&args.run, given.as_ref())?;
    let mut table = args.keys();
    table.extend([arch(&trained.network.arch.to_string())]);
    if let Some(data) = data {
        let keys = data.keys();
        if !keys.contains_key("dataset") && !keys.contains_key("data-dir") {
            table.extend(data_of(&trained.beside(files::CONFIG)));
        }
        table.extend(keys);
    }
    Ok((trained, RunSpec::read(&table)?.check()?))
}

fn arch(text: &str) -> (String, Value) {
    ("arch".to_owned(), text.into())
}

/// The keys of the data set that a run's configuration names, if there is one; a model file may lie anywhere.
fn data_of(config: &Path) -> Table {
    let text = fm_run::store::read_text(config, fm_run::store::MAX_KEYS).unwrap_or_default();
    let table: Table = text.parse().unwrap_or_default();
    table.into_iter().filter(|(key, _)| ["dataset", "data-dir"].contains(&key.as_str())).collect()
}

/// The data set, whose images the model must take and whose classes it must know.
///
/// # Errors
/// When it cannot be loaded, or does not fit the model.
pub(crate) fn data(trained: &Trained, spec: &RunSpec, progress: bool) -> Result<Dataset> {
    let data = inputs::load(spec, progress)?;
    let (wanted, found) = (&trained.network.arch, data.shape());
    let shape = ImageShape { channels: wanted.channels, height: wanted.height, width: wanted.width };
    if shape != found {
        return Err(Error::new(Kind::Data, format!("images are {found}, the model takes {shape}"))
            .note(format!("data set {}", data.dir.display()))
            .note(format!("model {}, {wanted}", trained.path.display()))
            .help(
                "train a network on such images, or bring them to the model's size with fm-exp import --size",
            ));
    }
    let (found, known) = (data.classes, trained.network.classes.unwrap_or(0));
    if found > known {
        return Err(Error::new(Kind::Data, format!("the data set has {found} classes, the model {known}"))
            .note(format!("data set {}", data.dir.display()))
            .note(format!("model {}", trained.path.display())));
    }
    if trained.class_names.as_ref().is_some_and(|names| !data.class_names.iter().all(|n| names.contains(n))) {
        tracing::warn!("class names differ from the model's; matching by label number");
    }
    Ok(data)
}

/// An engine with the model in it, for inference.
///
/// # Errors
/// When the device is not there, or the engine that was asked for does not cover the network.
pub(crate) fn engine<'a>(
    trained: &Trained,
    spec: &RunSpec,
    data: Option<&'a Dataset>,
) -> Result<(Box<dyn Engine + 'a>, Machine)> {
    let network = &trained.network;
    let names =
        |machine| engine::choose(ENGINES, &spec.engine, network, machine).map(|def| def.name.to_owned());
    let (machine, _) = inputs::settled(spec.device, inputs::machine(spec)?, names)?;
    let def = engine::choose(ENGINES, &spec.engine, network, machine)?;
    let setup = Setup { data, machine, batch_size: 32, seed: spec.seed, codes: CodeStore::unlimited() };
    let mut engine = (def.build)(network, &trained.weights, setup)?;
    engine.begin_phase(0, &Phase::classify("inference", network, Scope::All, 0, spec.lr))?;
    Ok((engine, machine))
}

/// The model's outputs or codes, all of them numbers.
///
/// # Errors
/// [`Kind::Mismatch`] when finite weights give something infinite; what the engine says.
pub(crate) fn infer(
    engine: &mut dyn Engine,
    trained: &Trained,
    input: Input<'_>,
    want: Want,
) -> Result<Vec<f32>> {
    let values = engine.infer(input, want)?;
    if values.iter().all(|value| value.is_finite()) {
        return Ok(values);
    }
    Err(Error::new(Kind::Mismatch, "the model computes values that are infinite or not a number")
        .note(format!("file {}", trained.path.display()))
        .help("its weights are too large for 32-bit numbers; take an earlier model, or train again with a smaller --lr"))
}

/// The error of results that cannot be written beside the model.
pub(crate) fn elsewhere(error: Error) -> Error {
    error.help("choose another directory with --out")
}
