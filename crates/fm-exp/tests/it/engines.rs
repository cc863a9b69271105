//! Engines for tests: built on a data set, stepped by hand.

use std::ops::Range;

use fm_data::Dataset;
use fm_engines::{Eager, Fused};
use fm_net::{NamedTensor, Network};
use fm_train::Phase;
use fm_train::engine::{CodeStore, Engine, Input, Machine, Setup, Source, Step, Want};

/// On two CPU threads, with batches of eight.
pub(crate) fn setup<'a>(data: &'a Dataset, codes: CodeStore<'a>) -> Setup<'a> {
    let machine = Machine { threads: Some(2), ..Machine::CPU };
    Setup { data: Some(data), machine, batch_size: 8, seed: 0, codes }
}

pub(crate) fn network(arch: &str, classes: usize) -> Network {
    Network::new(&arch.parse().unwrap(), classes).unwrap()
}

pub(crate) fn eager<'a>(
    network: &Network,
    weights: &[NamedTensor],
    data: &'a Dataset,
    codes: CodeStore<'a>,
) -> Eager<'a> {
    Eager::new(network, weights, setup(data, codes)).map_err(fm_train_error).unwrap()
}

fn fm_train_error(error: fm_engines::TorchError) -> fm_run::error::Error {
    error.into()
}

pub(crate) fn fused<'a>(
    network: &Network,
    weights: &[NamedTensor],
    data: &'a Dataset,
    codes: CodeStore<'a>,
) -> Fused<'a> {
    Fused::new(network, weights, setup(data, codes)).unwrap()
}

/// The step on these positions of the epoch's order, with the phase's rates.
pub(crate) fn step(phase: &Phase, batch: Range<usize>, number: u64) -> Step<'static> {
    Step { batch, number, prepared: None, rates: phase.rates(number, 1) }
}

pub(crate) fn outputs(engine: &mut dyn Engine, source: Source, rows: &[u32]) -> Vec<f32> {
    engine.infer(Input::Rows(source, rows), Want::Output).unwrap()
}
