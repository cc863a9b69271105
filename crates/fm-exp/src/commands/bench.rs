//! `fm-exp bench`: how fast each engine trains on this machine.
//!
//! Engines take turns, some seconds of an epoch each, so that a machine whose speed drifts drifts for all of them. The
//! first turn of each is warm-up; data loading, set-up and evaluation are outside the clock.

use std::time::Duration;

use clap::Args;
use fm_engines::ENGINES;
use fm_images::epoch_order;
use fm_run::RunSpec;
use fm_run::spec::AUTO;
use fm_train::engine::{self, CodeStore, EngineDef, Setup};
use fm_train::{Machine, Phase, per_phase, recipe};
use serde_json::json;

mod lane;
mod measured;
mod stages;
mod work;

pub(crate) use self::lane::epoch_seconds;
use self::lane::{Lane, Turn, fitting};
use self::measured::{Measured, table};
use self::stages::Explained;
use self::work::peak_gflops;
pub(crate) use self::work::training_gflop;
use crate::args::RunArgs;
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::{inputs, provenance};

/// What a turn takes with the slowest engine, unless --steps says otherwise.
const TURN: Duration = Duration::from_secs(5);

/// Flags of `bench`: those of a run, and how much to measure.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    run: RunArgs,

    /// Steps of an epoch to time; the seconds are scaled to a whole epoch [default: as many as take five seconds with the
    /// slowest engine]
    #[arg(long, help_heading = "Benchmark")]
    steps: Option<usize>,

    /// Turns for each engine, after one that is not counted; --epochs is ignored
    #[arg(long, default_value_t = 5, help_heading = "Benchmark")]
    rounds: usize,

    /// Print stage by stage what computes it, its work, its time and its share of the machine's peak
    #[arg(long, help_heading = "Benchmark")]
    explain: bool,
}

/// Flags of a run that mean nothing here.
pub(crate) const REFUSED: [&str; 11] = [
    "resume",
    "overwrite",
    "dry-run",
    "fast-dev-run",
    "patience",
    "score-at",
    "average",
    "name",
    "tensorboard",
    "predictions-by-epoch",
    "checkpoint-every",
];

/// Refuses what makes no sense for a benchmark.
fn check(args: &BenchArgs) -> Result<()> {
    if args.rounds == 0 || args.steps == Some(0) {
        return Err(Error::usage("--rounds and --steps must be at least 1"));
    }
    let process = &args.run.process;
    let given = |flag: &&&str| match **flag {
        "resume" => process.resume,
        "dry-run" => process.dry_run,
        key => args.run.keys.table.contains_key(key),
    };
    match REFUSED.iter().find(given) {
        None => Ok(()),
        Some(flag) => Err(Error::usage(format!("bench trains nothing that is kept: it takes no --{flag}"))),
    }
}

pub(crate) fn run(args: BenchArgs, as_json: bool) -> Result<String> {
    check(&args)?;
    let spec = RunConfig::check(args.run)?.spec;
    let machine = inputs::machine(&spec)?;
    let data = inputs::load(&spec, false)?;
    let network = recipe::network(&spec.arch, &data)?;
    let given = recipe::given_encoder(&spec, &network)?.map_or(Vec::new(), |given| given.weights);
    let weights = per_phase::start(&network, spec.seeds().init, &given);
    // The phase that most epochs are spent in; pretraining is another network's matter.
    let last = |spec: &RunSpec| -> Result<Phase> {
        let phases = recipe::phases(spec, &network)?;
        Ok(phases.into_iter().next_back().unwrap_or_else(|| unreachable!("there is a last phase")))
    };
    spec.augment.check(data.shape()).map_err(|e| Error::usage(format!("--augment: {e}")))?;
    let scratch = std::env::temp_dir();
    let codes = CodeStore { limit: spec.code_memory.saturating_mul(1 << 20), dir: &scratch };
    let (batch_size, seed) = (spec.batch_size, spec.seeds().order);
    let mut lanes = Vec::new();
    // What a recipe costs is seen beside the same without it.
    let plain = spec.without_recipe();
    let specs = if plain == spec { vec![&spec] } else { vec![&plain, &spec] };
    let trained = last(&spec)?;
    let scope = trained.scope;
    let (machine, engines) = choices(&spec, &trained, machine)?;
    for def in engines {
        for &spec in &specs {
            let setup = Setup { data: Some(&data), machine, batch_size, seed, codes };
            let recipe = (spec.augment.clone(), spec.recipe());
            lanes.push(Lane::new(def, last(spec)?, (&weights, setup), recipe)?);
        }
    }

    let rows_of_file: Vec<u32> = (0..data.train.len() as u32).collect();
    let rows = &rows_of_file;
    let steps = rows.len().div_ceil(spec.batch_size);
    let timed = if let Some(given) = args.steps {
        given.min(steps)
    } else {
        let order = epoch_order(rows, seed, 1);
        let turn = Turn { data: &data, rows, order: &order, spec: &spec, round: 0, timed: steps };
        let paces = lanes.iter_mut().map(|lane| lane.pace(&turn, TURN / 10));
        let slowest = paces.collect::<Result<Vec<_>>>()?.into_iter().fold(0.0, f64::max);
        fitting(TURN, slowest).clamp(1, steps)
    };
    tracing::info!("{timed} of {steps} steps a turn, {} rounds of {} turns", args.rounds + 1, lanes.len());
    for round in 0..=args.rounds {
        let order = epoch_order(rows, seed, round as u32 + 1);
        for lane in &mut lanes {
            let turn = Turn { data: &data, rows, order: &order, spec: &spec, round, timed };
            let seconds = lane.turn(&turn)?;
            if round > 0 {
                lane.samples.push(seconds * steps as f64 / timed as f64);
            }
        }
    }

    let peak = peak_gflops(machine.device)?;
    let work = training_gflop(&network, scope) * rows.len() as f64;
    let threads = spec.threads.unwrap_or_else(|| tch::get_num_threads() as usize);
    let results: Vec<_> = lanes
        .iter()
        .map(|lane| Measured::new(lane, rows.len(), steps, peak.map(|peak| work / peak)))
        .collect();
    let explained = lanes.iter().filter(|_| args.explain);
    let explained: Vec<_> = explained.map(|lane| Explained::new(lane, spec.batch_size, peak)).collect();
    let name = spec.arch.to_string();
    let arm = spec.arm();
    if as_json {
        let mut results: Vec<_> = results.iter().map(Measured::json).collect();
        for (result, explained) in results.iter_mut().zip(&explained) {
            result["stages"] = explained.json();
        }
        let report = json!({
            "arch": name, "arm": arm, "device": machine.device.to_string(), "processor": provenance::device_name(machine.device),
            "revision": provenance::REVISION, "sources_changed": provenance::sources_changed(),
            "threads": threads, "batch_size": spec.batch_size, "steps_timed": timed, "steps": steps,
            "peak_gflops": peak, "gflop_per_epoch": work, "results": results,
        });
        return Ok(format!("{report:#}\n"));
    }
    let mut out = format!(
        "{name} ({arm}) on {} ({threads} threads), batch {}, {timed} of {steps} steps per epoch timed\n\
         large fp32 matrix product: {}; an epoch's dense products: {work:.0} GFLOP\n\n",
        provenance::device_name(machine.device),
        spec.batch_size,
        peak.map_or_else(|| "not measured without libtorch".to_owned(), |peak| format!("{peak:.0} GFLOP/s")),
    );
    out += &table(&results);
    out.extend(explained.iter().map(Explained::text));
    Ok(out)
}

/// One engine when asked for one, otherwise all that cover the network, the slowest first; and the machine for them.
fn choices(spec: &RunSpec, phase: &Phase, machine: Machine) -> Result<(Machine, Vec<&'static EngineDef>)> {
    let choose = |machine| engine::choose_for(ENGINES, &spec.engine, phase, machine);
    let name = |machine| choose(machine).map(|def| def.name.to_owned());
    let (machine, _) = inputs::settled(spec.device, machine, name)?;
    let chosen = choose(machine)?;
    if spec.engine != AUTO {
        return Ok((machine, vec![chosen]));
    }
    // Beside an engine that needs no libtorch on a GPU, one that does is left out where libtorch cannot.
    let runs = |def: &EngineDef| {
        if def.name != "eager" || def.name == chosen.name {
            return true;
        }
        fm_engines::to_tch(machine.device).map_err(|e| tracing::warn!("eager is left out: {e}")).is_ok()
    };
    let able = |def: &&EngineDef| {
        (def.covers)(&phase.network, machine).is_ok() && (def.trains)(phase).is_ok() && runs(def)
    };
    Ok((machine, ENGINES.iter().rev().filter(able).collect()))
}
