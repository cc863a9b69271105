//! `fm-exp train`: one run from flags to results.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

use fm_data::{Dataset, LoadOptions, Verify};
use fm_models::{Network, Param, Part, Weights};
use serde_json::json;
use tch::Device;

use crate::args::{Protocol, RunArgs, VerifyMode};
use crate::checkpoint::Identity;
use crate::config::{self, Resolved, RunConfig, protocol_name};
use crate::device;
use crate::engine::{self, CodeStore, Engine, Phased};
use crate::error::{Error, Kind, Result};
use crate::event::Outcome;
use crate::logging::Console;
use crate::plan::{Phase, Plan};
use crate::provenance;
use crate::signals::Signals;
use crate::sink::{self, Checkpoints, EpochsCsv, Files, Plots, Progress, Reconstructions, Sinks};
use crate::store::checkpoints::Found;
use crate::store::{self, RunDir, RunRow};
use crate::train::{self, Truth};

/// Training steps of a `--fast-dev-run`, and images that it validates and tests on.
const FAST_STEPS: usize = 8;
const FAST_EVAL: usize = 200;

pub(crate) fn run(args: RunArgs, as_json: bool, console: &Console) -> Result<String> {
    let config = RunConfig::check(args)?;
    if config.deterministic {
        // Before the first question about CUDA.
        fm_torch::make_deterministic()?;
    }
    let device = config.device.resolve()?;
    if let Some(threads) = config.threads {
        tch::set_num_threads(threads as i32);
    }
    let data = load(&config, console.bars.is_some())?;
    let network = network(&config, &data)?;
    let plan = plan(&config, &network, &data)?;
    let engine_name = engine::names(config.engine, device, &plan)?;
    let given = config.composition.load(&network)?;
    let provenance = provenance::table(device);
    let resolved =
        config.resolve(&device::name(device), &engine_name, &data.sha256, given.as_ref(), provenance);
    if let Some(expected) = config.expect_run_id.as_ref().filter(|id| **id != resolved.run_id()) {
        let text = format!("this is run {}, the plan's is {expected}", resolved.run_id());
        return Err(Error::new(Kind::Mismatch, text)
            .note("data, device, engine or the version of results differ from what was planned")
            .help("make the plan again"));
    }
    if config.dry_run {
        return Ok(if as_json { resolved.to_json() } else { dry_run(&config, &network, &plan, &resolved) });
    }

    // Before anything on disk is touched: what cannot be built must not cost an earlier run.
    let run_dir = config.run_dir();
    let build = |phase: &Phase, weights: &[Weights]| {
        let codes = CodeStore { limit: config.code_memory, dir: &run_dir };
        let choice = engine::for_phase(config.engine, device, phase)?;
        choice.build(&phase.network, weights, &data, config.threads, plan.batch_size, codes)
    };
    let given = given.map_or(Vec::new(), |given| given.weights);
    let mut engine = Phased::new(&plan.phases[0], config.seed, &given, Box::new(build))?;
    let dir = RunDir::claim(&run_dir, &resolved, config.claim)?;
    let shorter =
        config.score_at.iter().map(|&epochs| (epochs, resolved.of_epochs(epochs).run_id())).collect();
    let run =
        Run { config: &config, data: &data, resolved: &resolved, device, engine: &engine_name, shorter };
    if dir.is_done() {
        tracing::info!("{} is finished already", dir.path().display());
        return if as_json { run.summary() } else { Ok(format!("results in {}\n", dir.path().display())) };
    }
    tracing::info!("{} on {}, results in {}", config.spec, device::name(device), dir.path().display());
    let found = if dir.resumed() {
        let networks: Vec<&Network> = plan.phases.iter().map(|p| &p.network).collect();
        store::checkpoints::load(dir.path(), &resolved.run_id(), &networks)?
    } else {
        None
    };
    if dir.resumed() {
        say_resumed(dir.path(), found.as_ref(), &run.identity());
    }
    let carried_out = carry_out(&run, &dir, &plan, &mut engine, found, console);
    let (row, outcome) = carried_out.map_err(|error| store::checkpoints::explain(dir.path(), error))?;
    if as_json { run.summary() } else { Ok(report(&config, &row, &outcome)) }
}

/// Trains, scores, and writes all that a run leaves.
fn carry_out(
    run: &Run<'_>,
    dir: &RunDir,
    plan: &Plan,
    engine: &mut dyn Engine,
    found: Option<Found>,
    console: &Console,
) -> Result<(RunRow, Outcome)> {
    let Run { config, data, .. } = *run;
    let mut sinks = run.sinks(dir, plan, console, found.as_ref().map(|f| f.epochs_csv_bytes))?;
    let signals = Signals::listen()?;
    if config.stop_with_stdin {
        signals.stop_with_stdin()?;
    }
    let given = train::Run {
        plan,
        truth: Truth { train: &data.train, test: &data.test },
        checkpoint_every: config.checkpoint_every,
        clock: &train::wall_clock(),
        stop: &|| signals.request(),
    };
    let outcome = train::run(given, engine, &mut sinks, found.map(|f| f.checkpoint))?;
    let row = run.row(&outcome);
    if config.record {
        store::record(&config.out, &row)?;
    }
    // Last: a run that is marked as done has left everything, its row in runs.csv too.
    dir.done(&run.resolved.run_id())?;
    Ok((row, outcome))
}

/// Says from where a run goes on, and what is lost.
fn say_resumed(dir: &Path, found: Option<&Found>, here: &Identity) {
    let Some(Found { checkpoint, warnings, identity, .. }) = found else {
        tracing::info!("no checkpoint yet, starting from the beginning");
        return;
    };
    for warning in warnings {
        tracing::warn!("{warning}, using the previous one");
    }
    for difference in identity.differences(here) {
        tracing::warn!("{difference}: results may differ in the last bits");
    }
    let at = &checkpoint.position;
    let epochs = at.epochs;
    if let Some(partial) = at.partial {
        tracing::info!("resuming within epoch {} after step {}", epochs + 1, partial.steps);
    } else if let Some((_, lost)) = sink::reached(dir).filter(|(epoch, _)| *epoch == epochs + 1) {
        tracing::info!("resuming after epoch {epochs}; {lost} steps of an unfinished epoch discarded");
    } else {
        tracing::info!("resuming after epoch {epochs}");
    }
}

/// The data set; `progress` draws a bar if it must be downloaded.
pub(crate) fn load(config: &RunConfig, progress: bool) -> Result<Dataset> {
    let verify = match config.verify {
        VerifyMode::Warn => Verify::Warn,
        VerifyMode::Strict => Verify::Strict,
    };
    let options =
        LoadOptions { data_dir: config.data_dir.clone(), verify, progress, ..LoadOptions::default() };
    let data = fm_data::load(&config.dataset, &options)?;
    for warning in &data.warnings {
        tracing::warn!("{warning}");
    }
    Ok(data)
}

/// The data set if it is on this machine.
pub(crate) fn load_local(config: &RunConfig) -> Result<Dataset> {
    let options =
        LoadOptions { data_dir: config.data_dir.clone(), download: false, ..LoadOptions::default() };
    Ok(fm_data::load(&config.dataset, &options)?)
}

/// The network for the data's number of classes; its image size must be the data's.
pub(crate) fn network(config: &RunConfig, data: &Dataset) -> Result<Network> {
    let spec = config.spec;
    if (data.height, data.width) != (spec.height, spec.width) {
        let (h, w) = (data.height, data.width);
        let message = format!("images are {h}x{w}, model {spec} expects {}x{}", spec.height, spec.width);
        let error = Error::new(Kind::Data, message).note(format!("data set {}", data.dir.display()));
        let fitting = format!("{}@{h}x{w}", spec.arch.name());
        return Err(match fitting.parse::<fm_models::ArchSpec>() {
            Ok(_) => error.help(format!("--arch {fitting} is the same network for such images")),
            Err(reason) => error.help(reason.to_string()),
        });
    }
    Ok(Network::new(spec, data.classes))
}

pub(crate) fn plan(config: &RunConfig, network: &Network, data: &Dataset) -> Result<Plan> {
    let n = data.train.len();
    let (mut train_rows, mut val_rows) = match config.protocol {
        Protocol::Notebook => ((0..n as u32).collect(), Vec::new()),
        Protocol::Holdout => {
            let split = fm_data::stratified(&data.train.labels, data.classes, n / 12, config.seed)?;
            (split.train, split.val)
        }
    };
    if config.patience.is_some() && val_rows.is_empty() {
        return Err(Error::usage(format!(
            "--patience needs validation images, and one in twelve of {n} is none"
        )));
    }
    let mut test_rows: Vec<u32> = (0..data.test.len() as u32).collect();
    if config.batch_size > train_rows.len() {
        let (got, most) = (config.batch_size, train_rows.len());
        return Err(Error::usage(format!(
            "--batch-size must be from 1 to {most} (the training images), got {got}"
        )));
    }
    if config.fast_dev_run {
        train_rows.truncate(FAST_STEPS * config.batch_size);
        val_rows.truncate(FAST_EVAL);
        test_rows.truncate(FAST_EVAL);
    }
    let phases = config.composition.phases(network, config.epochs, config.lr);
    let (seed, batch_size, patience) = (config.seed, config.batch_size, config.patience);
    let score_at = config.score_at.clone();
    let plan = Plan { seed, batch_size, phases, patience, score_at, train_rows, val_rows, test_rows };
    plan.check()?;
    Ok(plan)
}

/// What a run is, for its records.
struct Run<'a> {
    config: &'a RunConfig,
    data: &'a Dataset,
    resolved: &'a Resolved,
    device: Device,
    engine: &'a str,
    /// The run ids of runs that are this one's beginning, by their epochs.
    shorter: BTreeMap<u32, String>,
}

impl Run<'_> {
    /// The summary that a finished run has left.
    fn summary(&self) -> Result<String> {
        let path = self.config.run_dir().join("summary.json");
        std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))
    }

    /// All sinks; `epochs_csv_bytes` when a run goes on.
    fn sinks(
        &self,
        dir: &RunDir,
        plan: &Plan,
        console: &Console,
        epochs_csv_bytes: Option<u64>,
    ) -> Result<Sinks> {
        let (path, arch, run_id) =
            (dir.path().to_owned(), self.config.spec.to_string(), self.resolved.run_id());
        let mut sinks = Sinks::default();
        let seed = self.config.seed;
        let last = plan.phase(usize::MAX);
        sinks.push(match epochs_csv_bytes {
            None => EpochsCsv::create(&path, &run_id, &arch, seed)?,
            Some(len) => EpochsCsv::resume(&path, &run_id, &arch, seed, len)?,
        });
        sinks.push(Checkpoints::new(&path, self.identity())?);
        let identity = json!({
            "name": self.config.name,
            "run_id": run_id,
            "arch": arch,
            "arm": self.config.composition.arm(),
            "dataset": self.data.name.to_string(),
            "data_sha256": self.data.sha256,
            "protocol": protocol_name(self.config.protocol),
            "seed": self.config.seed,
            "epochs": self.config.epochs,
            "batch_size": self.config.batch_size,
            "lr": self.config.lr,
            "device": device::name(self.device),
            "engine": self.engine,
            "params": last.network.params().map(Param::count).sum::<usize>(),
            "trainable_params": last.scope.counts(&last.network).0,
        });
        let model_metadata = BTreeMap::from([
            ("arch".to_owned(), arch),
            ("run_id".to_owned(), run_id),
            ("classes".to_owned(), serde_json::to_string(&self.data.class_names).unwrap_or_default()),
            ("normalisation".to_owned(), "pixel / 255".to_owned()),
            ("layout".to_owned(), "PyTorch: conv [out, in, row, column], dense [out, in]".to_owned()),
        ]);
        sinks.push(Files {
            dir: path.clone(),
            class_names: self.data.class_names.clone(),
            identity: identity.as_object().cloned().unwrap_or_default(),
            model_metadata,
            shorter: self.shorter.clone(),
        });
        sinks.push(Reconstructions { dir: path.clone() });
        sinks.push(Plots { dir: path });
        sinks.push(Progress::new(console.bars.clone()));
        Ok(sinks)
    }

    /// What checkpoints say of the run.
    fn identity(&self) -> Identity {
        let version = |name: &str, version: String| (name.to_owned(), version);
        Identity {
            run_id: self.resolved.run_id(),
            engine: self.engine.to_owned(),
            device: device::name(self.device),
            threads: self.config.threads.unwrap_or_else(|| tch::get_num_threads() as usize),
            data_sha256: self.data.sha256.clone(),
            versions: BTreeMap::from([
                version("fm-exp", env!("CARGO_PKG_VERSION").to_owned()),
                version("libtorch", fm_torch::version()),
            ]),
        }
    }

    fn row(&self, outcome: &Outcome) -> RunRow {
        let weakest = outcome.test.weakest();
        RunRow {
            name: self.config.name.clone(),
            run_id: self.resolved.run_id(),
            arch: self.config.spec.to_string(),
            arm: self.config.composition.arm(),
            dataset: self.data.name.to_string(),
            protocol: protocol_name(self.config.protocol).to_owned(),
            seed: self.config.seed,
            epochs: self.config.epochs,
            batch_size: self.config.batch_size,
            lr: self.config.lr,
            device: device::name(self.device),
            engine: self.engine.to_owned(),
            test_loss: outcome.test.loss,
            test_acc: outcome.test.accuracy,
            macro_f1: outcome.test.macro_f1(),
            weakest_class: weakest.map(|(class, _)| self.data.class_names[class].clone()).unwrap_or_default(),
            weakest_recall: weakest.map(|(_, recall)| recall),
            train_seconds: outcome.train_seconds,
            finished: config::now(),
        }
    }
}

fn report(config: &RunConfig, row: &RunRow, outcome: &Outcome) -> String {
    let mut out = String::new();
    let RunRow { arch, arm, seed, protocol, device, .. } = row;
    let arm = if arm == "joint" { String::new() } else { format!(" {arm}") };
    let epochs =
        if outcome.epochs == 1 { "1 epoch".to_owned() } else { format!("{} epochs", outcome.epochs) };
    let _ = writeln!(out, "{arch}{arm}, seed {seed}, {protocol} protocol, {epochs} on {device}");
    if outcome.scored_epoch != outcome.epochs {
        let _ = writeln!(out, "  scored epoch    {} (the lowest validation loss)", outcome.scored_epoch);
    }
    let _ = writeln!(out, "  test loss       {:.4}", row.test_loss);
    let _ = writeln!(out, "  test accuracy   {:.4}", row.test_acc);
    let _ = writeln!(out, "  macro F1        {:.4}", row.macro_f1);
    if let Some(recall) = row.weakest_recall {
        let _ = writeln!(out, "  weakest class   {} (recall {recall:.3})", row.weakest_class);
    }
    if outcome.epochs > 0 {
        let per_epoch = row.train_seconds / f64::from(outcome.epochs);
        let _ = writeln!(out, "  training        {:.1} s ({per_epoch:.2} s an epoch)", row.train_seconds);
    }
    let _ = writeln!(out, "  results         {}", config.run_dir().display());
    out
}

fn dry_run(config: &RunConfig, network: &Network, plan: &Plan, resolved: &Resolved) -> String {
    let frozen: &[Part] = if config.composition.frozen { &[Part::Encoder] } else { &[] };
    let mut out = fm_models::summary::table(network, frozen);
    let _ = writeln!(out, "\n{}", resolved.to_toml().trim_end());
    let (train, val, test) = (plan.train_rows.len(), plan.val_rows.len(), plan.test_rows.len());
    let _ = writeln!(out, "\n{train} images train, {val} validate, {test} test");
    let steps = train.div_ceil(plan.batch_size);
    for phase in &plan.phases {
        let (trainable, frozen) = phase.scope.counts(&phase.network);
        let _ = writeln!(
            out,
            "phase {}: {} epochs of {steps} steps, {trainable} parameters train, {frozen} are frozen",
            phase.name, phase.epochs
        );
    }
    let _ = writeln!(out, "would write {}", config.run_dir().display());
    out
}

#[cfg(test)]
#[cfg(debug_assertions)]
#[path = "train_faults.rs"]
mod faults;
