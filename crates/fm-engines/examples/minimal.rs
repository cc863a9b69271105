//! Trains a network, given as a string, for one epoch and prints its accuracy on the test images:
//!
//! ```text
//! cargo run -p fm-engines --example minimal [DIRECTORY WITH A DATA SET]
//! ```

use std::path::PathBuf;
use std::process::ExitCode;

use fm_data::{DatasetName, LoadOptions};
use fm_engines::ENGINES;
use fm_run::RunSpec;
use fm_train::engine::{self, Machine, Setup};
use fm_train::train::{self, Run, Truth};
use fm_train::{Sinks, recipe};

fn run() -> Result<(), Box<dyn std::error::Error>> {
    // What to train: layers, two dashes, the head. The layer of the classes follows from the data.
    let spec = RunSpec { arch: "32C3-MP2-64C3-MP2--64".parse()?, epochs: 1, ..RunSpec::default() }.check()?;

    // A directory with files that some format knows, or Fashion-MNIST, downloaded where it is nowhere.
    let dataset = std::env::args_os().nth(1).map_or(spec.dataset.clone(), PathBuf::from);
    let data = fm_data::load(&DatasetName::from(dataset), &LoadOptions::default())?;

    // The network for these images, and the plan: phases, and the rows that they train and are judged on.
    let arch = spec.arch.with_size(data.height, data.width, data.channels)?;
    let network = recipe::network(&arch, &data)?;
    let plan = recipe::plan(&spec, &network, &data)?;

    // The first engine that covers the network: the fused kernels here, libtorch where they do not.
    let engine = engine::choose(ENGINES, "auto", &network, Machine::CPU)?;
    println!(
        "{} on {} training images, by the {} engine",
        network.label(),
        plan.train_rows.len(),
        engine.name
    );
    let weights = fm_net::init::initial(&network, plan.seeds.init);
    let mut engine = (engine.build)(&network, &weights, Setup::new(&data, &plan, Machine::CPU))?;

    // Sinks would listen to what happens; without any, only the outcome is left.
    let run = Run::new(&plan, Truth::of(&data));
    let outcome = train::run(run, engine.as_mut(), &mut Sinks::default(), None)?;
    println!("test accuracy {:.4} after {} epoch", outcome.test.accuracy, outcome.epochs);
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
