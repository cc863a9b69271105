//! Engines compute, [`train::run`](crate::train::run) decides.
//!
//! An engine holds the data set and a model. It is told which rows make a step and does not know what an
//! epoch is for; whatever it accumulates stays on its device until [`Engine::drain`].

mod eager;
mod fused;
pub mod scripted;

use std::ops::Range;

use fm_data::Dataset;
use fm_models::{Network, Weights};
use serde::{Deserialize, Serialize};
use tch::Device;

pub use eager::Eager;
pub use fused::Fused;

use crate::args::EngineChoice;
use crate::error::{Error, Result};
use crate::plan::Phase;

/// Which file's rows are meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// The training file: training and validation rows.
    Train,
    /// The test file.
    Test,
}

/// What an engine accumulated over the steps of an epoch.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct Totals {
    /// Sum over images of the loss before the step's update.
    pub loss_sum: f64,
    /// Images classified correctly before the step's update.
    pub correct: u64,
    /// Images seen.
    pub images: u64,
    /// First step, from 0, whose loss was not finite.
    pub diverged_at: Option<usize>,
}

/// All of an engine that training changes.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct State {
    /// Parameters, in canonical order.
    pub weights: Vec<Weights>,
    /// Adam's first moments, under the names of their parameters; those that do not train may be left out.
    pub m: Vec<Weights>,
    /// Adam's second moments, likewise.
    pub v: Vec<Weights>,
    /// Adam's steps in this phase.
    pub step: u64,
}

/// A model with its data on a device.
pub trait Engine {
    /// Name for the records, such as `eager`.
    fn name(&self) -> &'static str;

    /// Starts a phase: exactly its scope trains, with a fresh optimizer and no gradient left from before.
    fn begin_phase(&mut self, phase: &Phase) -> Result<()>;

    /// Hands over an epoch's rows of the training file in their order. Sums go on from `so_far`, which is
    /// zero but for an epoch that was interrupted.
    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()>;

    /// One optimizer step on a range of the order. Need not wait for the device.
    fn step(&mut self, batch: Range<usize>) -> Result<()>;

    /// Waits for the device and reads the sums since [`Engine::begin_epoch`].
    fn drain(&mut self) -> Result<Totals>;

    /// Logits of `rows`, row-major `[rows, classes]`.
    fn evaluate(&mut self, source: Source, rows: &[u32]) -> Result<Vec<f32>>;

    /// The model's weights, in canonical order.
    fn weights(&mut self) -> Result<Vec<Weights>>;

    /// Replaces the model's weights.
    fn load(&mut self, weights: &[Weights]) -> Result<()>;

    /// Weights and optimizer.
    fn state(&mut self) -> Result<State>;

    /// Puts back what [`Engine::state`] gave, in the phase that has begun.
    fn restore(&mut self, state: &State) -> Result<()>;
}

/// Which engine it will be: `--engine` and `--device` settled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Choice {
    /// libtorch on this device.
    Eager(Device),
    /// The project's CPU kernels.
    Fused,
}

/// Settles `choice` for `device`. Only `auto` may choose.
///
/// # Errors
/// When the fused kernels are asked for where they cannot compute.
pub fn choose(choice: EngineChoice, device: Device, network: &Network) -> Result<Choice> {
    match choice {
        EngineChoice::Auto if device == Device::Cpu && Fused::covers(network) => Ok(Choice::Fused),
        EngineChoice::Eager | EngineChoice::Auto => Ok(Choice::Eager(device)),
        EngineChoice::Fused if device == Device::Cpu => Ok(Choice::Fused),
        EngineChoice::Fused => {
            Err(Error::usage("--engine fused computes on the CPU alone").help("add --device cpu"))
        }
    }
}

impl Choice {
    /// Name for the records.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Eager(_) => "eager",
            Self::Fused => "fused",
        }
    }

    /// Builds the engine with data and weights in place.
    ///
    /// # Errors
    /// What the engine says: no memory, or a network that it does not cover.
    pub fn build<'a>(
        self,
        network: &Network,
        weights: &[Weights],
        data: &'a Dataset,
        threads: Option<usize>,
        batch_size: usize,
    ) -> Result<Box<dyn Engine + 'a>> {
        Ok(match self {
            Self::Eager(device) => Box::new(Eager::new(network, weights, data, device)?),
            Self::Fused => Box::new(Fused::new(network, weights, data, threads, batch_size)?),
        })
    }
}
