//! One engine after the other: each phase's network gets an engine of its own, and what they share is
//! handed on.

use std::ops::Range;

use fm_models::{Network, Weights, init};

use super::{Engine, Source, State, Totals};
use crate::error::Result;
use crate::plan::Phase;

/// Builds an engine for a phase's network, with these weights.
pub(super) type Build<'a> = Box<dyn Fn(&Phase, &[Weights]) -> Result<Box<dyn Engine + 'a>> + 'a>;

/// The engine of the present phase.
pub struct Phased<'a> {
    seed: u64,
    build: Build<'a>,
    network: Network,
    engine: Option<Box<dyn Engine + 'a>>,
}

/// Initial weights of `network` for `seed`, but the encoder's where `from` has it.
#[must_use]
pub fn start(network: &Network, seed: u64, from: &[Weights]) -> Vec<Weights> {
    let mut weights = init::initial(network, seed);
    for tensor in weights.iter_mut().filter(|w| w.name.starts_with("encoder.")) {
        if let Some(given) = from.iter().find(|w| w.name == tensor.name && w.shape == tensor.shape) {
            tensor.data.clone_from(&given.data);
        }
    }
    weights
}

impl<'a> Phased<'a> {
    /// Builds the engine of the first phase, whose encoder starts from `given` where there is one.
    ///
    /// # Errors
    /// What the engine says.
    pub fn new(first: &Phase, seed: u64, given: &[Weights], build: Build<'a>) -> Result<Self> {
        let network = first.network.clone();
        let engine = Some(build(first, &start(&network, seed, given))?);
        Ok(Self { seed, build, network, engine })
    }

    fn now(&mut self) -> &mut (dyn Engine + 'a) {
        let Some(engine) = &mut self.engine else { unreachable!("there is one but while it is replaced") };
        engine.as_mut()
    }
}

impl Engine for Phased<'_> {
    fn name(&self) -> &'static str {
        self.engine.as_ref().map_or("none", |engine| engine.name())
    }

    fn begin_phase(&mut self, phase: &Phase) -> Result<()> {
        if phase.network != self.network {
            let weights = start(&phase.network, self.seed, &self.now().weights()?);
            // Given back before the next is built: there may not be room for two.
            self.engine = None;
            self.engine = Some((self.build)(phase, &weights)?);
            self.network = phase.network.clone();
        }
        self.now().begin_phase(phase)
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        self.now().begin_epoch(order, so_far)
    }

    fn step(&mut self, batch: Range<usize>) -> Result<()> {
        self.now().step(batch)
    }

    fn drain(&mut self) -> Result<Totals> {
        self.now().drain()
    }

    fn evaluate(&mut self, source: Source, rows: &[u32]) -> Result<Vec<f32>> {
        self.now().evaluate(source, rows)
    }

    fn weights(&mut self) -> Result<Vec<Weights>> {
        self.now().weights()
    }

    fn load(&mut self, weights: &[Weights]) -> Result<()> {
        self.now().load(weights)
    }

    fn state(&mut self) -> Result<State> {
        self.now().state()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.now().restore(state)
    }
}
