//! `fm-exp bench`: how fast each engine trains on this machine.
//!
//! Engines take turns, an epoch each, so that a machine whose speed drifts drifts for all of them. The
//! first epoch of each is warm-up; data loading, set-up and evaluation are outside the clock.

use std::time::{Duration, Instant};

use clap::Args;
use fm_engines::ENGINES;
use fm_images::{Augment, Dataset, batches, epoch_order};
use fm_net::{Network, Operator as _, Scope};
use fm_run::RunSpec;
use fm_run::spec::AUTO;
use fm_train::engine::{self, CodeStore, Device, Engine, EngineDef, Setup, Step, Totals};
use fm_train::{Ahead, Machine, Making, Phase, Plan, per_phase, recipe};
use serde_json::json;
use tch::{Kind as TensorKind, TchError, Tensor};

mod measured;
mod stages;

use self::measured::{Measured, table};
use self::stages::Explained;
use crate::args::RunArgs;
use crate::config::RunConfig;
use crate::error::{Error, Result};
use crate::{inputs, provenance};

/// Flags of `bench`: those of a run, and how much to measure.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
    #[command(flatten)]
    run: RunArgs,

    /// Steps of an epoch to time; the seconds are scaled to a whole epoch [default: all]
    #[arg(long, help_heading = "Benchmark")]
    steps: Option<usize>,

    /// Epochs to time for each engine, after one that is not counted; --epochs is ignored
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

/// One engine's turns.
struct Lane<'a> {
    engine: Box<dyn Engine + 'a>,
    /// How it trains.
    phase: Phase,
    augment: Augment,
    recipe: String,
    /// Seconds for a whole epoch, one for each counted turn.
    samples: Vec<f64>,
}

/// What a lane does in its turn.
struct Turn<'a> {
    data: &'a Dataset,
    /// Of the training file, all of which train.
    rows: &'a [u32],
    order: &'a [u32],
    spec: &'a RunSpec,
    round: usize,
    /// Steps that it takes.
    timed: usize,
}

impl Lane<'_> {
    /// Takes the steps of a turn, and gives their seconds.
    fn turn(&mut self, turn: &Turn<'_>) -> Result<f64> {
        let RunSpec { batch_size, seed, .. } = *turn.spec;
        let steps = turn.order.len().div_ceil(batch_size) as u64;
        let epoch = turn.round as u32;
        let making =
            Making { augment: &self.augment, file: &turn.data.train, training: turn.rows, seed, epoch };
        let timed = batches(turn.order.len(), batch_size).take(turn.timed);
        let rows = timed.clone().map(|batch| &turn.order[batch]);
        let augments = !making.augment.is_none();
        let start = Instant::now();
        self.engine.begin_epoch(turn.order, Totals::default())?;
        std::thread::scope(|scope| -> Result<()> {
            let start = || Ahead::start(scope, making, batch_size, rows);
            let mut ahead = augments.then(start).transpose()?;
            for (number, batch) in timed.enumerate() {
                let number = turn.round as u64 * steps + number as u64;
                let prepared = ahead.as_mut().map(Ahead::take);
                let rates = self.phase.rates(number, steps);
                self.engine.step(&Step { batch, prepared: prepared.as_ref(), number, rates })?;
                if let (Some(ahead), Some(batch)) = (&mut ahead, prepared) {
                    ahead.reuse(batch);
                }
            }
            Ok(())
        })?;
        self.engine.drain()?;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// Seconds of an epoch of a phase, by as many of its steps as take about `budget`.
///
/// # Errors
/// What the engine says.
pub(crate) fn epoch_seconds(
    def: &EngineDef,
    phase: &Phase,
    spec: &RunSpec,
    plan: &Plan,
    data: &Dataset,
    machine: Machine,
    budget: Duration,
) -> Result<f64> {
    let weights = per_phase::start(&phase.network, plan.seeds.init, &[]);
    let scratch = std::env::temp_dir();
    let codes = CodeStore { limit: spec.code_memory.saturating_mul(1 << 20), dir: &scratch };
    let (batch_size, seed) = (plan.batch_size, plan.seeds.order);
    let setup = Setup { data: Some(data), machine, batch_size, seed, codes };
    let mut engine = (def.build)(&phase.network, &weights, setup)?;
    engine.begin_phase(0, phase)?;
    let (phase, augment) = (phase.clone(), plan.augment.clone());
    let mut lane = Lane { engine, phase, augment, recipe: String::new(), samples: Vec::new() };
    let order = epoch_order(&plan.train_rows, seed, 1);
    let steps = order.len().div_ceil(batch_size);
    let mut timed = 2.min(steps);
    let mut seconds = f64::INFINITY;
    // The first steps are slower; the second look says how many fit.
    for _ in 0..3 {
        let turn = Turn { data, rows: &plan.train_rows, order: &order, spec, round: 0, timed };
        let each = lane.turn(&turn)? / timed as f64;
        seconds = each * steps as f64;
        timed = ((budget.as_secs_f64() / each.max(1e-9)) as usize).clamp(2.min(steps), steps);
    }
    Ok(seconds)
}

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
            let mut engine = (def.build)(&network, &weights, setup)?;
            let phase = last(spec)?;
            engine.begin_phase(0, &phase)?;
            let (augment, recipe) = (spec.augment.clone(), spec.recipe());
            lanes.push(Lane { engine, phase, augment, recipe, samples: Vec::new() });
        }
    }

    let rows_of_file: Vec<u32> = (0..data.train.len() as u32).collect();
    let rows = &rows_of_file;
    let steps = rows.len().div_ceil(spec.batch_size);
    let timed = args.steps.unwrap_or(steps).min(steps);
    for round in 0..=args.rounds {
        let order = epoch_order(rows, spec.seeds().order, round as u32 + 1);
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
    // The turn that is not counted is in an engine's seconds too.
    let taken = (args.rounds + 1) * timed;
    let explained = lanes.iter().filter(|_| args.explain);
    let explained: Vec<_> =
        explained.map(|lane| Explained::new(lane, taken, spec.batch_size, peak)).collect();
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

/// Billions of operations in the matrix products of training on one image: forward, weight gradient and
/// data gradient (none for the first layer that trains), dense, on the part of the image that the network
/// sees. A frozen encoder costs nothing: its codes are cached.
pub(crate) fn training_gflop(network: &Network, scope: Scope) -> f64 {
    let (h, w) = network.seen();
    let classes = network.classes.unwrap_or(1);
    let seen = network.arch.with_size(h, w, network.arch.channels);
    let seen = seen.and_then(|arch| Network::new(&arch, classes)).unwrap_or_else(|_| network.clone());
    let (mut first, mut sum) = (true, 0);
    for node in seen.nodes.iter().filter(|node| scope.contains(node.part)) {
        let products = node.op.macs(&seen.inputs(node));
        if products > 0 {
            sum += products * if first { 2 } else { 3 };
            first = false;
        }
    }
    2.0 * sum as f64 / 1e9
}

/// What the device reaches in a large 32-bit matrix product of libtorch's, the best of several; none on a GPU that
/// libtorch cannot use.
fn peak_gflops(device: Device) -> Result<Option<f64>> {
    let Ok(device) = fm_engines::to_tch(device) else { return Ok(None) };
    product_gflops(device).map(Some).map_err(|e| fm_engines::failed(&e))
}

fn product_gflops(device: tch::Device) -> Result<f64, TchError> {
    // A GPU is only filled by a large product, and each wait for it costs as much as a small one.
    let (n, products) = if device == tch::Device::Cpu { (2048, 1) } else { (8192, 8) };
    let _guard = tch::no_grad_guard();
    // Zeros and ones would take less power, and so run at a higher clock.
    let x = Tensor::f_rand([n, n], (TensorKind::Float, device))?;
    let mut best = f64::INFINITY;
    for _ in 0..5 {
        let start = Instant::now();
        let mut last = x.f_matmul(&x)?;
        for _ in 1..products {
            last = x.f_matmul(&x)?;
        }
        // Reading a value waits for the device.
        let _ = f64::try_from(last.f_select(0, 0)?.f_select(0, 0)?)?;
        best = best.min(start.elapsed().as_secs_f64() / f64::from(products));
    }
    Ok(2.0 * (n * n * n) as f64 / best / 1e9)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_what_the_layers_multiply() {
        // cnn on its 22×22: conv1 20·20·9·32, conv2 8·8·9·32·64, conv3 2·2·9·64·64, dense 64·128 + 128·10.
        let layers = [2 * 115_200, 3 * 1_179_648, 3 * 147_456, 3 * 8_192, 3 * 1_280];
        let network = Network::new(&"cnn".parse().unwrap(), 10).unwrap();
        let expected = 2.0 * f64::from(layers.iter().sum::<i32>()) / 1e9;
        assert!((training_gflop(&network, Scope::All) - expected).abs() < 1e-12);
        let network = Network::new(&"encoder-mlp".parse().unwrap(), 10).unwrap();
        let head = 2.0 * f64::from(2 * 1600 * 64 + 3 * (64 * 32 + 32 * 10)) / 1e9;
        assert!((training_gflop(&network, Scope::Head) - head).abs() < 1e-12);
    }
}
