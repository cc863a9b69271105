//! The two trainers of `fm-kernels` behind one face: the one for chains of valid convolutions and pools, which
//! is faster where it can be had, and the one for any network.

use fm_kernels::{Error, GraphTrainer, Moments, Options, Recipe, StageReport, Targets, Totals, Trainer};
use fm_net::{Draws, Network};
use fm_train::engine::Stage;

use crate::chain::kernel_network;

/// Whichever trainer computes a network.
pub(crate) enum Kernels {
    Chain(Box<Trainer>),
    Graph(Box<GraphTrainer>),
}

/// The chain that a network is, if the trainer for chains takes it.
fn chain(network: &Network) -> Option<fm_kernels::Network> {
    kernel_network(network).ok().filter(|chain| chain.check().is_ok())
}

macro_rules! either {
    ($self:ident, $trainer:ident => $call:expr) => {
        match $self {
            Kernels::Chain($trainer) => $call,
            Kernels::Graph($trainer) => $call,
        }
    };
}

impl Kernels {
    /// Whether either computes the network.
    pub(crate) fn covers(network: &Network) -> Result<(), Error> {
        if chain(network).is_some() { Ok(()) } else { GraphTrainer::covers(network) }
    }

    /// The faster one that does, with these tensors.
    pub(crate) fn new(network: &Network, options: Options, tensors: &[f32]) -> Result<Self, Error> {
        match chain(network) {
            Some(chain) => Trainer::new(&chain, options, tensors).map(|t| Self::Chain(Box::new(t))),
            None => GraphTrainer::new(network, options, tensors).map(|t| Self::Graph(Box::new(t))),
        }
    }

    /// Whether codes are in (row, column, channel) order, not (channel, row, column).
    pub(crate) fn channels_last(&self) -> bool {
        matches!(self, Self::Chain(_))
    }

    pub(crate) fn begin(&mut self, recipe: Recipe) -> Result<(), Error> {
        either!(self, trainer => trainer.begin(recipe))
    }

    pub(crate) fn set_rates(&mut self, encoder: f64, head: f64) -> Result<(), Error> {
        either!(self, trainer => trainer.set_rates(encoder, head))
    }

    pub(crate) fn step(
        &mut self,
        images: &[u8],
        targets: Targets<'_>,
        rows: &[u32],
        draws: &Draws,
    ) -> Result<(), Error> {
        match self {
            Self::Chain(trainer) => trainer.step(images, targets, rows),
            Self::Graph(trainer) => trainer.step(images, targets, rows, draws),
        }
    }

    pub(crate) fn step_codes(
        &mut self,
        codes: &[f32],
        labels: &[u8],
        rows: &[u32],
        draws: &Draws,
    ) -> Result<(), Error> {
        match self {
            Self::Chain(trainer) => trainer.step_codes(codes, labels, rows),
            Self::Graph(trainer) => trainer.step_codes(codes, labels, rows, draws),
        }
    }

    pub(crate) fn drain(&mut self) -> Totals {
        either!(self, trainer => trainer.drain())
    }

    pub(crate) fn evaluate(&mut self, images: &[u8], rows: &[u32], out: &mut [f32]) -> Result<(), Error> {
        either!(self, trainer => trainer.evaluate(images, rows, out))
    }

    pub(crate) fn evaluate_codes(
        &mut self,
        codes: &[f32],
        rows: &[u32],
        out: &mut [f32],
    ) -> Result<(), Error> {
        either!(self, trainer => trainer.evaluate_codes(codes, rows, out))
    }

    pub(crate) fn encode(&mut self, images: &[u8], rows: &[u32], out: &mut [f32]) -> Result<(), Error> {
        either!(self, trainer => trainer.encode(images, rows, out))
    }

    /// Stages, where the trainer has any: in that for chains half a step is one.
    pub(crate) fn stages(&self) -> Vec<Stage> {
        let Self::Graph(trainer) = self else { return Vec::new() };
        let stage = |stage: StageReport| {
            let StageReport { name, kernel, output, forward, step, seconds } = stage;
            Stage { name, kernel, output: Some(output), operations: [forward, step - forward], seconds }
        };
        let rest = Stage {
            name: "the rest".to_owned(),
            kernel: "images, loss, optimizer, weights in the kernels' order".to_owned(),
            output: None,
            operations: [0, 0],
            seconds: [0.0, trainer.seconds_between()],
        };
        trainer.explain().into_iter().map(stage).chain([rest]).collect()
    }

    /// Values of one output.
    pub(crate) fn output_len(&self) -> usize {
        match self {
            Self::Chain(trainer) => trainer.network().classes(),
            Self::Graph(trainer) => trainer.output_len(),
        }
    }

    pub(crate) fn params(&mut self) -> Vec<f32> {
        either!(self, trainer => trainer.params())
    }

    pub(crate) fn set_params(&mut self, tensors: &[f32]) -> Result<(), Error> {
        either!(self, trainer => trainer.set_params(tensors))
    }

    pub(crate) fn moments(&mut self) -> Moments {
        either!(self, trainer => trainer.moments())
    }

    pub(crate) fn average(&mut self) -> Vec<f32> {
        either!(self, trainer => trainer.average())
    }

    pub(crate) fn set_average(&mut self, tensors: &[f32]) -> Result<(), Error> {
        either!(self, trainer => trainer.set_average(tensors))
    }

    pub(crate) fn set_moments(&mut self, moments: &Moments) -> Result<(), Error> {
        either!(self, trainer => trainer.set_moments(moments))
    }
}
