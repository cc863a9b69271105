//! Everything that a program can add from outside, at work on made images: an [operator](low_rank), an
//! [optimizer](momentum), a [sink](losses), a [data format](pixels) and an [engine](softmax).
//!
//! ```text
//! cargo run -p extend
//! ```
//!
//! It checks what it does, and fails where that is not so.

mod losses;
mod low_rank;
mod made;
mod momentum;
mod pixels;
mod softmax;
#[cfg(test)]
mod tests;

use std::path::Path;
use std::process::ExitCode;

use fm_data::{DatasetName, LoadOptions};
use fm_engines::{ENGINES, Eager, OptimizerDef, Parts};
use fm_images::Dataset;
use fm_net::{NamedTensor, Network, Notation};
use fm_run::RunSpec;
use fm_run::error::{Error, Kind, Result};
use fm_train::checkpoint::Checkpoint;
use fm_train::engine::{self, Engine, EngineDef, Machine, Setup};
use fm_train::train::{self, Run, Truth};
use fm_train::{Plan, Sinks, recipe};

use losses::{Losses, Told};

/// One thread is enough for images of 8×8.
const MACHINE: Machine = Machine { threads: Some(1), ..Machine::CPU };

/// A network with the operator, and one without a hidden layer.
const LOW_RANK: &str = "6C3.same-MP2-LR2--12@8x8";
const LINEAR: &str = "AP2@8x8";

/// libtorch's eager mode with the operator and the optimizer.
const EXTENDED: EngineDef = EngineDef {
    name: "extended",
    about: "libtorch with low-rank mixing, trained by gradient descent with momentum",
    covers: |network, _| parts(momentum::MOMENTUM).covers(network),
    trains: |_| Ok(()),
    build: |network, weights, setup| {
        Ok(Box::new(Eager::with(network, weights, setup, &parts(momentum::MOMENTUM))?))
    },
};

fn parts(optimizer: OptimizerDef) -> Parts {
    Parts { ops: low_rank::torch(), optimizer: Some(optimizer) }
}

/// This program's engines: its own, and the project's. `auto` takes the first that covers a network.
fn engines() -> Vec<EngineDef> {
    [&[softmax::SOFTMAX], ENGINES, &[EXTENDED]].concat()
}

/// A data set in this program's format, or in one of the project's.
fn load(dir: &Path) -> Result<Dataset> {
    let mut options = LoadOptions::default();
    options.formats.push(&pixels::Pixels);
    fm_data::load(&DatasetName::Dir(dir.to_owned()), &options)
        .map_err(|e| Error::new(Kind::Data, e.to_string()))
}

/// Network and plan of a string in the notation with the operator, trained at the rate `lr`.
fn planned(arch: &str, lr: f64, data: &Dataset) -> Result<(Network, Plan)> {
    let notation = Notation::standard().with(low_rank::PREFIX, low_rank::make).map_err(Error::usage)?;
    let parsed = notation.parse(arch).map_err(|e| Error::usage(e.render(arch)))?;
    let spec = RunSpec { arch: parsed, epochs: 6, batch_size: 8, lr, ..RunSpec::default() }.check()?;
    let network = recipe::network(&spec.arch, data)?;
    let plan = recipe::plan(&spec, &network, data)?;
    Ok((network, plan))
}

/// Builds an engine with the initial tensors of the plan's seed.
fn built<'a>(
    def: &EngineDef,
    network: &Network,
    plan: &Plan,
    data: &'a Dataset,
) -> Result<Box<dyn Engine + 'a>> {
    let weights: Vec<NamedTensor> = fm_net::init::initial(network, plan.seeds.init);
    (def.build)(network, &weights, Setup::new(data, plan, MACHINE))
}

/// Trains from the beginning, or from a checkpoint; what the sink was told, and the test accuracy.
fn trained(
    engine: &mut dyn Engine,
    plan: &Plan,
    data: &Dataset,
    from: Option<Checkpoint>,
) -> Result<(Told, f64)> {
    let sink = Losses::default();
    let told = sink.0.clone();
    let mut sinks = Sinks::default();
    sinks.push(sink);
    let outcome = train::run(Run::new(plan, Truth::of(data)), engine, &mut sinks, from)?;
    Ok((told.take(), outcome.test.accuracy))
}

/// An error unless `holds`.
fn expect(holds: bool, what: &str) -> Result<()> {
    if holds { Ok(()) } else { Err(Error::new(Kind::Other, format!("expected that {what}"))) }
}

fn run() -> Result<()> {
    let dir = tempfile::tempdir().map_err(|e| Error::new(Kind::Io, e.to_string()))?;
    made::write(dir.path())?;
    let data = load(dir.path())?;
    for (arch, lr, expected) in [(LOW_RANK, 0.02, EXTENDED.name), (LINEAR, 0.5, softmax::SOFTMAX.name)] {
        let (network, plan) = planned(arch, lr, &data)?;
        let engines = engines();
        for def in &engines {
            if let Err(why) = (def.covers)(&network, MACHINE) {
                println!("{arch} on {}: not covered: {why}", def.name);
            }
        }
        let def = engine::choose(&engines, "auto", &network, MACHINE)?;
        expect(def.name == expected, "the engine from outside is the one that covers the network")?;
        let mut engine = built(def, &network, &plan, &data)?;
        let (told, accuracy) = trained(engine.as_mut(), &plan, &data, None)?;
        let losses = &told.losses;
        println!("{arch} on {}: losses {losses:.3?}, test accuracy {accuracy:.3}", def.name);
        expect(told.finished && losses.len() == plan.epochs() as usize, "the sink was told of every epoch")?;
        expect(losses.last() < losses.first(), "the loss falls")?;
        expect(accuracy > 0.8, "the network learns bands")?;
    }
    Ok(())
}

fn main() -> ExitCode {
    run().map_or_else(
        |error| {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    )
}
