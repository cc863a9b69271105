//! `fm-exp train`: one run from flags to results.

use std::fmt::Write;
use std::path::Path;
use std::sync::{Arc, OnceLock};

use fm_data::Dataset;
use fm_engines::{ENGINES, Seat};
use fm_net::{NamedTensor, Network, Part};
use fm_run::spec::EncoderMode;
use fm_run::store::{Claim, Row, RunDir, Runs};
use fm_run::terminal::{counted, shell_word};
use fm_run::{Facts, Identified, files};
use fm_train::checkpoint::Identity;
use fm_train::engine::{self, CodeStore, Engine, Setup};
use fm_train::event::Outcome;
use fm_train::per_phase::PerPhase;
use fm_train::train::{self, Truth};
use fm_train::{Phase, Plan, recipe};
use toml::Value;

use crate::args::RunArgs;
use crate::checkpoint_files::{self, Found};
use crate::config::RunConfig;
use crate::error::{Error, Kind, Result};
use crate::logging::Console;
use crate::record::Record;
use crate::signals::Signals;
use crate::{epoch_rows, inputs, naming, prolong, provenance, sink};

/// What a run shares with the process that it is in.
#[derive(Default)]
pub(crate) struct Process<'a> {
    /// The command that trains it alone, where that is not this process's.
    pub(crate) command: Option<Vec<String>>,
    /// Its place on the device, where others train beside it.
    pub(crate) seat: Option<Arc<Seat>>,
    /// The data set of them all.
    pub(crate) data: Option<&'a OnceLock<Result<Dataset>>>,
    /// Who listens for requests to stop.
    pub(crate) signals: Option<&'a Signals>,
}

impl Process<'_> {
    /// The command, word by word.
    fn words(&self) -> Vec<String> {
        let own = || std::env::args_os().map(|arg| arg.to_string_lossy().into_owned()).collect();
        self.command.clone().unwrap_or_else(own)
    }
}

pub(crate) fn run(args: RunArgs, as_json: bool, console: &Console) -> Result<String> {
    run_in(&Process::default(), args, as_json, console)
}

/// Trains a run in a process that may have others.
///
/// # Errors
/// What ends the run before its end.
pub(crate) fn run_in(
    process: &Process<'_>,
    args: RunArgs,
    as_json: bool,
    console: &Console,
) -> Result<String> {
    let mut config = RunConfig::check(args)?;
    let claim = config.claim();
    let spec = &config.spec;
    let machine = inputs::machine(spec)?;
    let load = || inputs::load(spec, console.bars.is_some());
    let own = OnceLock::new();
    let data = process.data.unwrap_or(&own).get_or_init(load).as_ref().map_err(Clone::clone)?;
    let network = recipe::network(&spec.arch, data)?;
    let plan = recipe::plan(spec, &network, data)?;
    let given = recipe::given_encoder(spec, &network)?;
    let names = |machine| engine::names(ENGINES, &spec.engine, &plan, machine);
    let (machine, engine) = inputs::settled(spec.device, machine, names)?;
    let facts = Facts {
        device: machine.device.to_string(),
        engine,
        data_sha256: data.sha256.clone(),
        pretrain_sha256: given.as_ref().map(|given| given.sha256.clone()),
    };
    let mut provenance = provenance::table(machine.device, &facts.engine, machine.threads, &process.words());
    if let Some(seat) = &process.seat {
        // Whoever reads the run's seconds should know.
        provenance.insert("beside".to_owned(), Value::from(seat.others() as i64));
    }
    let mut run = Identified { spec: spec.clone(), facts, provenance };
    expected(&config, &run)?;
    let is_named = spec.name.is_some();
    run.spec.name = Some(naming::of(&run, &plan, data));
    config.spec.name.clone_from(&run.spec.name);
    let spec = &config.spec;
    if config.process.dry_run {
        return Ok(if as_json { run.to_json() } else { dry_run(&config, &network, &plan, &run) });
    }

    // Before anything on disk is touched: a run that cannot be built must not cost an earlier one.
    let run_dir = config.run_dir();
    let build = |phase: &Phase, weights: &[NamedTensor]| {
        let codes = CodeStore { limit: spec.code_memory.saturating_mul(1 << 20), dir: &run_dir };
        let network = &phase.network;
        let def = engine::choose_for(ENGINES, &spec.engine, phase, machine)?;
        let (batch_size, seed) = (plan.batch_size, plan.seeds.order);
        let setup = Setup { data: Some(data), machine, batch_size, seed, codes };
        match &process.seat {
            Some(seat) if def.name == fm_engines::Cuda::NAME => seat.build(network, weights, setup),
            _ => (def.build)(network, weights, setup),
        }
    };
    let given = given.map_or(Vec::new(), |given| given.weights);
    let mut engine = PerPhase::new(&plan.phases[0], plan.seeds.init, &given, Box::new(build))?;
    let runs = (!config.process.no_record).then(|| Runs::open(&spec.out)).transpose();
    if claim != Claim::Resume {
        runs.clone()?;
    }
    let dir = RunDir::claim(&run_dir, &run, claim)?;
    if dir.is_done() {
        tracing::info!("{} is finished already", dir.path().display());
        return if as_json {
            summary(dir.path())
        } else {
            Ok(format!("results in {}\n", dir.path().display()))
        };
    }
    let runs = runs?;
    let record = Record { run: &run, data, plan: &plan, machine };
    announce(&record, &dir);
    let mut found = match dir.beginning() {
        Some(there) => Some(prolong::in_place(&dir, there, &record)?),
        None if dir.resumed() => resume(dir.path(), &record)?,
        None => None,
    };
    if found.is_none() && claim == Claim::Resume && !is_named {
        found = prolong::beside(&dir, &spec.out, &record)?;
    }
    if dir.resumed() || found.is_some() {
        log_resumed(dir.path(), found.as_ref(), &record.identity());
    }
    let listening;
    let signals = if let Some(signals) = process.signals {
        signals
    } else {
        listening = Signals::listen()?;
        if config.process.stop_with_stdin {
            listening.stop_with_stdin()?;
        }
        &listening
    };
    let given = Given { config: &config, record, dir: &dir, runs: runs.as_ref(), signals, console };
    let carried_out = carry_out(given, &mut engine, found);
    let (row, outcome) = carried_out.map_err(|error| match error.kind() {
        Kind::Stopped | Kind::Interrupted => {
            error.help(format!("resume with: {}", resuming(&process.words())))
        }
        _ => checkpoint_files::explain(dir.path(), error),
    })?;
    warn_of_chance(data, &outcome);
    if as_json { summary(dir.path()) } else { Ok(report(&config, &row, &outcome)) }
}

/// Says what is about to happen.
fn announce(record: &Record<'_>, dir: &RunDir) {
    let Record { run, data, plan, machine } = record;
    let spec = &run.spec;
    let [train, val, test] = [&plan.train_rows, &plan.val_rows, &plan.test_rows].map(Vec::len);
    let epochs = counted(plan.epochs(), "epoch");
    let (seed, engine, device) = (spec.seed, &run.facts.engine, machine.device);
    tracing::info!("{} on {}: {epochs}, seed {seed}, {engine} engine on {device}", spec.arch, data.name);
    tracing::info!("{train} images train, {val} validate, {test} test, in batches of {}", spec.batch_size);
    tracing::info!("results in {}", dir.path().display());
    if std::env::args_os().len() == 1 {
        tracing::info!(
            "this is the default run; fm-exp --help lists what else there is, Ctrl-C saves and stops"
        );
    }
}

/// The command that resumes what this one does.
fn resuming(command: &[String]) -> String {
    let mut words: Vec<String> = command.iter().map(|word| shell_word(word)).collect();
    words.retain(|word| !["--overwrite", "--overwrite=true", "--resume"].contains(&word.as_str()));
    words.push("--resume".to_owned());
    words.join(" ")
}

/// Says that a network is no better than naming one class whatever it sees.
fn warn_of_chance(data: &Dataset, outcome: &Outcome) {
    let total = outcome.test.predictions.len() as f64;
    let counts = (0..data.classes)
        .map(|class| outcome.test.predictions.iter().filter(|p| usize::from(p.label) == class).count());
    let largest = counts.max().unwrap_or(0) as f64 / total;
    // Two standard errors of a guess.
    let chance = largest + 2.0 * (largest * (1.0 - largest) / total).sqrt();
    if outcome.epochs > 0 && largest < 1.0 && outcome.test.accuracy <= chance {
        tracing::warn!(
            "test accuracy {:.4} is no better than chance, by which always naming the most frequent class ({largest:.4}) \
             may come to {chance:.4}: the network has learned nothing; try a smaller --lr or more --epochs",
            outcome.test.accuracy
        );
    }
}

/// Sees that this is the run that a sweep planned.
fn expected(config: &RunConfig, run: &Identified) -> Result<()> {
    match &config.process.expect_run_id {
        Some(expected) if *expected != run.run_id() => {
            let text = format!("this is run {}, the plan's is {expected}", run.run_id());
            Err(Error::new(Kind::Mismatch, text)
                .note("data, device, engine or the version of results differ from what was planned")
                .help("make the plan again"))
        }
        _ => Ok(()),
    }
}

/// The newest checkpoint that can be read.
fn resume(dir: &Path, record: &Record<'_>) -> Result<Option<Found>> {
    let networks: Vec<&Network> = record.plan.phases.iter().map(|p| &p.network).collect();
    checkpoint_files::load(dir, &record.run.run_id(), &networks)
}

/// What a run needs besides an engine and a place to begin at.
#[derive(Clone, Copy)]
struct Given<'a> {
    config: &'a RunConfig,
    record: Record<'a>,
    dir: &'a RunDir,
    runs: Option<&'a Runs>,
    signals: &'a Signals,
    console: &'a Console,
}

/// Trains, scores, and writes all that a run leaves.
fn carry_out(given: Given<'_>, engine: &mut dyn Engine, found: Option<Found>) -> Result<(Row, Outcome)> {
    let Given { config, record, dir, runs, signals, console } = given;
    let rows = found.as_ref().map(|f| f.rows.as_slice());
    let context = sink::Context { dir: dir.path(), record, rows, bars: console.bars.as_ref() };
    let mut sinks = sink::all(&context)?;
    let given = train::Run {
        checkpoint_every: config.spec.checkpoint_every,
        stop: &|| signals.request(),
        stop_after: config.process.stop_after,
        ..train::Run::new(record.plan, Truth::of(record.data))
    };
    let outcome = train::run(given, engine, &mut sinks, found.map(|f| f.checkpoint))?;
    let best = epoch_rows::best(dir.path(), &outcome, config.spec.patience.is_some())?;
    let row = record.row(&outcome, best);
    runs.map_or(Ok(()), |runs| runs.record(&row))?;
    // Last: a run that is marked as done has left everything, its row in runs.csv too.
    dir.done()?;
    Ok((row, outcome))
}

/// Logs from where a run resumes, and what is lost.
fn log_resumed(dir: &Path, found: Option<&Found>, here: &Identity) {
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
    } else if let Some(reached) = sink::reached(dir).filter(|reached| reached.epoch == epochs + 1) {
        let lost = reached.step;
        tracing::info!("resuming after epoch {epochs}; {lost} steps of an unfinished epoch discarded");
    } else {
        tracing::info!("resuming after epoch {epochs}");
    }
}

/// The summary that a finished run has left.
fn summary(dir: &Path) -> Result<String> {
    let path = dir.join(files::SUMMARY);
    std::fs::read_to_string(&path).map_err(|e| Error::io("read", &path, &e))
}

fn report(config: &RunConfig, row: &Row, outcome: &Outcome) -> String {
    let mut out = String::new();
    let spec = &config.spec;
    let arm = spec.arm();
    let arm = if arm == "joint" { String::new() } else { format!(" {arm}") };
    let recipe = spec.recipe();
    let epochs = counted(outcome.epochs, "epoch");
    let (protocol, device) = (spec.protocol.name(), row.get("device"));
    let _ =
        writeln!(out, "{}{arm}, seed {}, {protocol} protocol, {epochs} on {device}", spec.arch, spec.seed);
    let _ = writeln!(out, "  recipe          {recipe}");
    if outcome.scored_epoch != outcome.epochs {
        let _ = writeln!(out, "  scored epoch    {} (the lowest validation loss)", outcome.scored_epoch);
    }
    if let Some((loss, accuracy)) = outcome.val {
        let _ = writeln!(out, "  validation      loss {loss:.4}, accuracy {accuracy:.4}");
    }
    let scores = &outcome.test;
    let _ = writeln!(out, "  test loss       {:.4}", scores.loss);
    let _ = writeln!(out, "  test accuracy   {:.4}", scores.accuracy);
    let _ = writeln!(out, "  macro F1        {:.4}", scores.macro_f1());
    for other in &outcome.others {
        let _ = writeln!(out, "  with {:<10} test accuracy {:.4}", other.weights, other.test.accuracy);
    }
    if let Some((_, recall)) = scores.weakest() {
        let _ = writeln!(out, "  weakest class   {} (recall {recall:.3})", row.get("weakest_class"));
    }
    if outcome.epochs > 0 {
        let seconds = outcome.train_seconds;
        let per_epoch = seconds / f64::from(outcome.epochs);
        let _ = writeln!(out, "  training        {seconds:.1} s ({per_epoch:.2} s per epoch)");
    }
    let _ = writeln!(out, "  results         {}", config.run_dir().display());
    out
}

fn dry_run(config: &RunConfig, network: &Network, plan: &Plan, run: &Identified) -> String {
    let frozen: &[Part] = if run.spec.encoder == EncoderMode::Frozen { &[Part::Encoder] } else { &[] };
    let mut out = fm_net::summary::table(network, frozen);
    let _ = writeln!(out, "\n{}", run.to_toml().trim_end());
    let (train, val, test) = (plan.train_rows.len(), plan.val_rows.len(), plan.test_rows.len());
    let _ = writeln!(out, "\nrecipe: {}", run.spec.recipe());
    let _ = writeln!(out, "{train} images train, {val} validate, {test} test");
    let steps = train.div_ceil(plan.batch_size);
    for phase in &plan.phases {
        let (trainable, frozen) = phase.scope.counts(&phase.network);
        let _ = writeln!(
            out,
            "phase {}: {} of {steps} steps, {trainable} parameters train, {frozen} are frozen",
            phase.name,
            counted(phase.epochs, "epoch")
        );
    }
    let _ = writeln!(out, "would write {}", config.run_dir().display());
    out
}

#[cfg(test)]
#[cfg(debug_assertions)]
#[path = "train_faults.rs"]
mod faults;
