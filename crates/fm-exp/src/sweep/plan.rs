//! `fm-exp sweep plan`: the canonical list of a sweep's runs.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use fm_data::Dataset;
use serde::{Deserialize, Serialize};
use tch::Device;
use toml::{Table, Value};

use super::grid;
use crate::commands::train;
use crate::config::{Resolved, RunConfig};
use crate::device::{self, DeviceRequest};
use crate::engine;
use crate::error::{Error, Kind, Result};

/// Flags of `sweep plan`. Lists are separated by commas.
#[derive(Debug, Args)]
pub(crate) struct PlanArgs {
    /// TOML file: keys of `train` with a value or a list each, and [[arm]] tables
    grid: Option<PathBuf>,

    /// Networks
    #[arg(long, value_delimiter = ',')]
    arch: Vec<String>,

    /// Lengths of runs
    #[arg(long, value_delimiter = ',')]
    epochs: Vec<u32>,

    /// Seeds: 0..9, or 0,3,5..7
    #[arg(long)]
    seeds: Option<String>,

    /// Learning rates
    #[arg(long, value_delimiter = ',')]
    lr: Vec<f64>,

    /// Images in a step
    #[arg(long, value_delimiter = ',')]
    batch_size: Vec<u32>,

    /// Whether encoder-mlp's encoder trains: frozen, unfrozen
    #[arg(long, value_delimiter = ',')]
    encoder: Vec<String>,

    /// What trains the encoder first
    #[arg(long, value_delimiter = ',')]
    pretrain: Vec<String>,

    /// How the data set is divided
    #[arg(long, value_delimiter = ',')]
    protocol: Vec<String>,

    /// Any other key of `train`, such as --set engine=eager
    #[arg(long, value_name = "KEY=VALUE")]
    set: Vec<String>,

    /// Data set
    #[arg(long, env = "FM_DATASET", value_name = "NAME|DIR")]
    dataset: Option<PathBuf>,

    /// Directory that holds its files (environment: FM_DATA_DIR)
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// A sweep, canonical: the same grid gives the same bytes, in whatever order it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepPlan {
    format: u32,
    /// Of the data set that all runs train on.
    pub(crate) data_sha256: String,
    /// How runs of several lengths are had.
    note: String,
    pub(crate) runs: Vec<PlannedRun>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedRun {
    /// Of the directory.
    pub(crate) name: String,
    pub(crate) run_id: String,
    /// Keys of `train`.
    pub(crate) flags: Table,
}

const FORMAT: u32 = 1;

impl SweepPlan {
    /// Reads `plan.json`.
    ///
    /// # Errors
    /// When it cannot be read or is no plan.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, &e))?;
        let bad = |text: String| {
            Error::new(Kind::Mismatch, format!("{} is no plan: {text}", path.display()))
                .help("make one with fm-exp sweep plan")
        };
        let plan: Self = serde_json::from_slice(&bytes).map_err(|e| bad(e.to_string()))?;
        if plan.format > FORMAT {
            return Err(bad(format!("format {}, this build reads up to {FORMAT}", plan.format)));
        }
        Ok(plan)
    }
}

impl PlannedRun {
    /// What is different in the run that the text of a `config.toml` tells of: no line if it is this one.
    /// What it scores on the way makes no other run.
    pub(crate) fn differences(&self, text: &str) -> Option<Vec<String>> {
        let there: Table = text.parse().ok()?;
        let id = there.get("provenance")?.get("run-id")?.as_str()?;
        if id == self.run_id {
            return Some(Vec::new());
        }
        let decides = |key: &&String| !["score-at", "threads", "data-dir"].contains(&key.as_str());
        let keys = self.flags.keys().filter(decides).filter(|key| there.get(*key) != self.flags.get(*key));
        let show = |value: Option<&Value>| value.map_or("unset".to_owned(), ToString::to_string);
        let line = |key: &String| {
            format!("{key}: there {}, planned {}", show(there.get(key)), show(self.flags.get(key)))
        };
        let ids = format!("run {id}, planned {}", self.run_id);
        Some([vec![ids], keys.map(line).collect()].concat())
    }

    /// Lengths that the run stands for: those that are scored on the way, and its own.
    pub(crate) fn lengths(&self) -> Vec<u32> {
        let integer = |v: &Value| v.as_integer().and_then(|n| u32::try_from(n).ok());
        let at = self.flags.get("score-at").and_then(Value::as_array);
        let mut lengths: Vec<u32> = at.into_iter().flatten().filter_map(integer).collect();
        lengths.extend(self.flags.get("epochs").and_then(integer));
        lengths
    }
}

/// The run as it will be on that device, and the names of its engines.
fn resolved(config: &RunConfig, data: &Dataset, device: Device) -> Result<(Resolved, String)> {
    let network = train::network(config, data)?;
    let plan = train::plan(config, &network, data)?;
    let engine = engine::names(config.engine, device, &plan)?;
    let given = config.composition.load(&network)?;
    let name = device::name(device);
    Ok((config.resolve(&name, &engine, &data.sha256, given.as_ref(), Table::new()), engine))
}

/// The device that runs will have. A GPU need not be in this machine; `auto` is what is here.
fn device_of(request: DeviceRequest) -> Result<Device> {
    match request {
        DeviceRequest::Cpu => Ok(Device::Cpu),
        DeviceRequest::Cuda(index) => Ok(Device::Cuda(index.unwrap_or(0))),
        DeviceRequest::Auto => request.resolve(),
    }
}

pub(super) fn run(args: PlanArgs) -> Result<String> {
    let plan = make(args)?;
    let lines: Vec<u32> = plan.runs.iter().flat_map(PlannedRun::lengths).collect();
    tracing::info!("{} runs for {} rows; {}", plan.runs.len(), lines.len(), plan.note);
    let text = serde_json::to_string_pretty(&plan).map_err(|e| Error::new(Kind::Other, e.to_string()))?;
    Ok(format!("{text}\n"))
}

fn make(args: PlanArgs) -> Result<SweepPlan> {
    let grid = with_flags(args)?;
    let mut runs = Vec::new();
    let mut data: Option<(PathBuf, Dataset)> = None;
    for (mut flags, lengths) in by_length(grid::combinations(grid)?) {
        let longest = lengths.last().copied();
        if let Some(longest) = longest {
            flags.insert("epochs".to_owned(), longest.into());
        }
        let on_the_way: Vec<Value> = lengths.iter().rev().skip(1).rev().map(|&n| Value::from(n)).collect();
        if !on_the_way.is_empty() {
            flags.insert("score-at".to_owned(), Value::Array(on_the_way));
        }
        let config = RunConfig::check(grid::args(&flags)?)?;
        for &shorter in lengths.iter().rev().skip(1) {
            let mut flags = flags.clone();
            flags.insert("epochs".to_owned(), shorter.into());
            flags.remove("score-at");
            RunConfig::check(grid::args(&flags)?)?;
        }
        // All have one data set: a grid over data sets would be compared with itself.
        let key = PathBuf::from(config.dataset.to_string());
        if data.as_ref().is_some_and(|(of, _)| *of != key) {
            return Err(Error::usage("a sweep has one data set; make a plan for each"));
        }
        let (_, loaded) = match &mut data {
            Some(loaded) => loaded,
            none => none.insert((key, train::load(&config, false)?)),
        };
        let device = device_of(config.device)?;
        let (resolved, engines) = resolved(&config, loaded, device)?;
        flags.insert("device".to_owned(), device::name(device).into());
        // libtorch's sums depend on the number of threads: what a plan gives must not depend on --jobs.
        if device == Device::Cpu && engines.contains("eager") && config.threads.is_none() {
            flags.insert("threads".to_owned(), 1.into());
        }
        flags.entry("epochs").or_insert(config.epochs.into());
        runs.push(PlannedRun { name: config.name, run_id: resolved.run_id(), flags });
    }
    name_apart(&mut runs);
    // By what a reader looks for first, then by whatever else differs.
    runs.sort_by_key(|run| {
        let text = |key: &str| run.flags.get(key).map(ToString::to_string).unwrap_or_default();
        let seed = run.flags.get("seed").and_then(Value::as_integer).unwrap_or(0);
        (text("arch"), text("encoder"), text("pretrain"), text("lr"), seed, run.run_id.clone())
    });
    let Some((_, data)) = data else { return Err(Error::usage("the grid is empty")) };
    let note = "with a constant learning rate a run is the beginning of a longer one: each is trained once, to its \
                largest number of epochs, and its weights are scored at the smaller ones; with patience each is \
                trained for itself";
    Ok(SweepPlan { format: FORMAT, data_sha256: data.sha256, note: note.to_owned(), runs })
}

/// The grid of the file, with the flags in place of its keys.
fn with_flags(args: PlanArgs) -> Result<Table> {
    let mut grid = Table::new();
    if let Some(path) = &args.grid {
        let text = std::fs::read_to_string(path).map_err(|e| Error::io("read", path, &e))?;
        let bad =
            |e: toml::de::Error| Error::usage(format!("{} is no grid: {}", path.display(), e.message()));
        grid = text.parse().map_err(bad)?;
    }
    let mut set = |key: &str, values: Vec<Value>| {
        if !values.is_empty() {
            grid.insert(key.to_owned(), Value::Array(values));
        }
    };
    let texts = |list: Vec<String>| list.into_iter().map(Value::from).collect::<Vec<_>>();
    set("arch", texts(args.arch));
    set("epochs", args.epochs.into_iter().map(Value::from).collect());
    set("lr", args.lr.into_iter().map(Value::from).collect());
    set("batch-size", args.batch_size.into_iter().map(Value::from).collect());
    set("encoder", texts(args.encoder));
    set("pretrain", texts(args.pretrain));
    set("protocol", texts(args.protocol));
    let path = |path: Option<PathBuf>| path.map(|p| Value::from(p.to_string_lossy().into_owned()));
    set("dataset", path(args.dataset).into_iter().collect());
    set("data-dir", path(args.data_dir).into_iter().collect());
    if let Some(seeds) = args.seeds {
        grid.remove("seed");
        grid.insert("seeds".to_owned(), seeds.into());
    }
    for pair in args.set {
        let (key, value) = pair
            .split_once('=')
            .ok_or_else(|| Error::usage(format!("--set takes KEY=VALUE, got '{pair}'")))?;
        // A number or a truth where it reads as one, text otherwise.
        let read = format!("v = {value}").parse::<Table>().ok().and_then(|mut t| t.remove("v"));
        grid.insert(key.to_owned(), read.unwrap_or_else(|| value.into()));
    }
    Ok(grid)
}

/// Runs that differ by their epochs alone become one, with its lengths in rising order.
fn by_length(runs: Vec<Table>) -> Vec<(Table, Vec<u32>)> {
    let mut groups: BTreeMap<String, (Table, Vec<u32>)> = BTreeMap::new();
    for mut run in runs {
        let untrained = run.get("epochs").and_then(Value::as_integer) == Some(0);
        let separate = untrained || run.contains_key("patience") || run.contains_key("fast-dev-run");
        let own = if separate { run.to_string() } else { String::new() };
        let epochs = run.remove("epochs").and_then(|v| v.as_integer()).and_then(|n| u32::try_from(n).ok());
        let group = groups.entry(format!("{run}{own}")).or_insert((run, Vec::new()));
        group.1.extend(epochs);
    }
    let sorted = |(run, mut lengths): (Table, Vec<u32>)| {
        lengths.sort_unstable();
        lengths.dedup();
        (run, lengths)
    };
    groups.into_values().map(sorted).collect()
}

/// Adds what their names leave out to runs of one name.
fn name_apart(runs: &mut [PlannedRun]) {
    let mut count: BTreeMap<String, usize> = BTreeMap::new();
    for run in &*runs {
        *count.entry(run.name.clone()).or_default() += 1;
    }
    let varied = |key: &str| {
        let values: std::collections::BTreeSet<String> =
            runs.iter().map(|r| r.flags.get(key).map(ToString::to_string).unwrap_or_default()).collect();
        values.len() > 1
    };
    let axes: Vec<&str> =
        ["lr", "batch-size", "patience", "engine"].into_iter().filter(|key| varied(key)).collect();
    for run in runs.iter_mut().filter(|run| count[&run.name] > 1) {
        for key in &axes {
            if let Some(value) = run.flags.get(*key) {
                let value = match value {
                    // Debug writes 1e30 as that, not with thirty zeros.
                    Value::Float(f) => format!("{f:?}"),
                    other => other.to_string(),
                };
                let _ = write!(run.name, "-{key}{}", value.trim_matches('"'));
            }
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    for run in runs {
        if !seen.insert(run.name.clone()) {
            run.name = format!("{}-{}", run.name, &run.run_id[..8]);
        }
    }
}
