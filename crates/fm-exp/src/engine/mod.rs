//! Engines compute, [`train::run`](crate::train::run) decides.
//!
//! An engine holds the data set and a model. It is told which rows make a step and does not know what an
//! epoch is for; whatever it accumulates stays on its device until [`Engine::drain`].

mod eager;
mod fused;
mod phased;
pub mod scripted;
mod spilled;

use std::ops::Range;
use std::path::Path;

use fm_data::Dataset;
use fm_models::{Network, Weights};
use serde::{Deserialize, Serialize};
use tch::Device;

pub use eager::Eager;
pub use fused::{Fused, kernel_network};
pub use phased::{Phased, start};

use crate::args::EngineChoice;
use crate::error::{Error, Result};
use crate::plan::{Phase, Plan};

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

    /// Starts a phase on its network: exactly its scope trains, with a fresh optimizer and no gradient left
    /// from before. Where the encoder does not train, its codes are computed once, in the first epoch.
    fn begin_phase(&mut self, phase: &Phase) -> Result<()>;

    /// Hands over an epoch's rows of the training file in their order. Sums go on from `so_far`, which is
    /// zero but for an epoch that was interrupted.
    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()>;

    /// One optimizer step on a range of the order. Need not wait for the device.
    fn step(&mut self, batch: Range<usize>) -> Result<()>;

    /// Waits for the device and reads the sums since [`Engine::begin_epoch`].
    fn drain(&mut self) -> Result<Totals>;

    /// Logits of `rows`, row-major `[rows, classes]`; in a phase that reconstructs, the images as given back,
    /// `[rows, height, width]` of the part that the network sees.
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
        codes: CodeStore<'a>,
    ) -> Result<Box<dyn Engine + 'a>> {
        Ok(match self {
            Self::Eager(device) => Box::new(Eager::new(network, weights, data, device, codes)?),
            Self::Fused => Box::new(Fused::new(network, weights, data, threads, batch_size, codes)?),
        })
    }
}

/// Where codes of a frozen encoder are kept.
#[derive(Debug, Clone, Copy)]
pub struct CodeStore<'a> {
    /// Bytes of memory that they may take; beyond, they go to the disk.
    pub limit: u64,
    /// The directory for those that do.
    pub dir: &'a Path,
}

impl CodeStore<'_> {
    /// All codes in memory.
    #[must_use]
    pub fn unlimited() -> Self {
        Self { limit: u64::MAX, dir: Path::new(".") }
    }

    /// Whether the codes of `rows` images, `len` values each, stay in memory; says so to the user.
    fn in_memory(&self, rows: usize, len: usize) -> bool {
        let bytes = (rows * len * size_of::<f32>()) as u64;
        let fits = bytes <= self.limit;
        let place = if fits { "in memory".to_owned() } else { format!("on disk, in {}", self.dir.display()) };
        tracing::info!("codes of {rows} images, computed once: {} MB {place}", bytes / 1_000_000);
        fits
    }
}

/// The engine that computes a phase. The kernels do not cover decoders: an autoencoder trains on libtorch,
/// on the same device.
///
/// # Errors
/// As for [`choose`].
pub fn for_phase(choice: EngineChoice, device: Device, phase: &Phase) -> Result<Choice> {
    if phase.network.reconstructs() {
        Ok(Choice::Eager(device))
    } else {
        choose(choice, device, &phase.network)
    }
}

/// Names of the engines that a plan needs, such as `fused` or `eager+fused`.
///
/// # Errors
/// As for [`choose`].
pub fn names(choice: EngineChoice, device: Device, plan: &Plan) -> Result<String> {
    let mut names = Vec::new();
    for phase in &plan.phases {
        names.push(for_phase(choice, device, phase)?.name());
    }
    names.dedup();
    Ok(names.join("+"))
}
