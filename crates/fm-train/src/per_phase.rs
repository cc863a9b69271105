//! An engine for each phase: when a phase has a network of its own, it gets an engine of its own, and what
//! both networks share is handed on.

use fm_net::{NamedTensor, Network, Part, init};
use fm_run::error::Result;
use fm_run::memory;

use crate::engine::{Engine, Input, Stage, State, Step, Totals, Want};
use crate::plan::Phase;

/// Builds an engine for a phase's network, with these tensors.
pub type Build<'a> = Box<dyn Fn(&Phase, &[NamedTensor]) -> Result<Box<dyn Engine + 'a>> + 'a>;

/// The engine of the present phase.
pub struct PerPhase<'a> {
    seed: u64,
    build: Build<'a>,
    network: Network,
    engine: Option<Box<dyn Engine + 'a>>,
}

/// [`start`], where there is room for its tensors and for the copy that an engine makes.
fn started(network: &Network, seed: u64, from: &[NamedTensor]) -> Result<Vec<NamedTensor>> {
    let values: u64 = network.tensors().map(|t| t.count() as u64).sum();
    memory::room_for(2 * 4 * values, "a network's initial weights")?;
    Ok(start(network, seed, from))
}

/// Initial tensors of `network` for `seed`, but the encoder's where `from` has it.
#[must_use]
pub fn start(network: &Network, seed: u64, from: &[NamedTensor]) -> Vec<NamedTensor> {
    let mut tensors = init::initial(network, seed);
    for tensor in tensors.iter_mut().filter(|t| Part::Encoder.owns(&t.name)) {
        if let Some(given) = from.iter().find(|w| w.name == tensor.name && w.shape == tensor.shape) {
            tensor.data.clone_from(&given.data);
        }
    }
    tensors
}

impl<'a> PerPhase<'a> {
    /// Builds the engine of the first phase, whose encoder starts from `given` where there is one.
    ///
    /// # Errors
    /// What the engine says.
    pub fn new(first: &Phase, seed: u64, given: &[NamedTensor], build: Build<'a>) -> Result<Self> {
        let network = first.network.clone();
        let engine = Some(build(first, &started(&network, seed, given)?)?);
        Ok(Self { seed, build, network, engine })
    }

    fn now(&mut self) -> &mut (dyn Engine + 'a) {
        let Some(engine) = &mut self.engine else { unreachable!("there is one but while it is replaced") };
        engine.as_mut()
    }
}

impl Engine for PerPhase<'_> {
    fn name(&self) -> &'static str {
        self.engine.as_ref().map_or("none", |engine| engine.name())
    }

    fn begin_phase(&mut self, index: usize, phase: &Phase) -> Result<()> {
        if phase.network != self.network {
            let weights = self.now().weights()?;
            let tensors = started(&phase.network, self.seed, &weights)?;
            // Dropped before the next is built: there may not be room for two.
            self.engine = None;
            self.engine = Some((self.build)(phase, &tensors)?);
            self.network = phase.network.clone();
        }
        self.now().begin_phase(index, phase)
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        self.now().begin_epoch(order, so_far)
    }

    fn step(&mut self, step: &Step<'_>) -> Result<()> {
        self.now().step(step)
    }

    fn drain(&mut self) -> Result<Totals> {
        self.now().drain()
    }

    fn stages(&self) -> Vec<Stage> {
        self.engine.as_ref().map_or_else(Vec::new, |engine| engine.stages())
    }

    fn infer(&mut self, input: Input<'_>, want: Want) -> Result<Vec<f32>> {
        self.now().infer(input, want)
    }

    fn weights(&mut self) -> Result<Vec<NamedTensor>> {
        self.now().weights()
    }

    fn average(&mut self) -> Result<Vec<NamedTensor>> {
        self.now().average()
    }

    fn load(&mut self, weights: &[NamedTensor]) -> Result<()> {
        self.now().load(weights)
    }

    fn state(&mut self) -> Result<State> {
        self.now().state()
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.now().restore(state)
    }
}
