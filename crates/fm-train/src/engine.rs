//! Engines compute, [`train::run`](crate::train::run) decides.
//!
//! An engine holds a network's tensors and a data set. It is told which rows make a step and does not know
//! what an epoch is for; whatever it accumulates stays on its device until [`Engine::drain`].

use std::ops::Range;

use fm_images::Prepared;
use fm_net::{NamedTensor, Part};
use fm_run::error::{Error, Result};
use serde::{Deserialize, Serialize};

use crate::plan::Phase;
pub use crate::state::State;

mod def;
mod setup;

pub use def::{BuildEngine, EngineDef, choose, choose_for, names};
pub use setup::{CodeStore, Device, Machine, Setup, no_data};

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
    /// First step since [`Engine::begin_epoch`], from 0, whose loss was not finite.
    pub diverged_at: Option<usize>,
}

/// Learning rates of a step, by part.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rates {
    /// The encoder's.
    pub encoder: f64,
    /// That of what follows the encoder.
    pub head: f64,
}

impl Rates {
    /// The rate of a part.
    #[must_use]
    pub fn of(self, part: Part) -> f64 {
        if part == Part::Encoder { self.encoder } else { self.head }
    }
}

/// One optimizer step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<'a> {
    /// Which of the epoch's rows, as positions in the order that [`Engine::begin_epoch`] was given.
    pub batch: Range<usize>,
    /// Images and labels that stand for those rows, where they are augmented: a row for each position of `batch`. An
    /// engine that does not take them must refuse the step.
    pub prepared: Option<&'a Prepared>,
    /// Steps of this phase before this one, also those of earlier processes: what random draws are keyed by.
    pub number: u64,
    /// Learning rates of this step.
    pub rates: Rates,
}

/// Images to compute on outside training.
#[derive(Debug, Clone, Copy)]
pub enum Input<'a> {
    /// Rows of the engine's own data set.
    Rows(Source, &'a [u32]),
    /// Images from outside, `u8 [n, channels, height, width]`, of the network's size.
    Images(&'a [u8]),
}

/// What to compute on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Want {
    /// The network's output: logits `[n, classes]`, or reconstructions `[n, channels, height, width]` of the
    /// part of the image that the network sees, pixels from 0 to 1.
    Output,
    /// The encoder's codes, `[n, code length]`, in (channel, row, column) order where they are a flattened map.
    Codes,
}

/// A part of a training step, as an engine tells of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Stage {
    /// The layer that it ends with, such as `encoder.block1.conv1`.
    pub name: String,
    /// What computes it, in words.
    pub kernel: String,
    /// Channels, height and width of its output; none for what belongs to no layer.
    pub output: Option<[usize; 3]>,
    /// Floating-point operations for one image, two for each multiply-add of the plain algorithm: forward, backward.
    pub operations: [u64; 2],
    /// Seconds that steps have spent in it since the phase began: forward, backward.
    pub seconds: [f64; 2],
}

/// A network with its data on a device.
///
/// Call order: [`begin_phase`](Engine::begin_phase), then for each epoch
/// [`begin_epoch`](Engine::begin_epoch), [`step`](Engine::step)s and one [`drain`](Engine::drain).
/// [`restore`](Engine::restore) comes right after `begin_phase`. [`infer`](Engine::infer),
/// [`weights`](Engine::weights) and [`load`](Engine::load) may come at any time, [`state`](Engine::state) at any
/// time after `begin_phase`, but none of them between a step and its drain. An epoch may be drained before its
/// last step: then the state is taken and the engine dropped.
///
/// The same calls on the same machine give the same bits, and so do a state, and an engine that has restored it.
///
/// After an error the engine's tensors are undefined: the caller drops it, or calls `restore`.
pub trait Engine {
    /// Name for the records, such as `eager`.
    fn name(&self) -> &'static str;

    /// Starts the phase with this index of the plan. Its network is the one that the engine was built with
    /// ([`PerPhase`](crate::per_phase::PerPhase) sees to that). Exactly its scope trains, with a fresh optimizer
    /// and no gradient left from before; all other tensors, buffers included, keep every bit. Where the encoder
    /// does not train, its codes are computed once, in the first epoch.
    ///
    /// # Errors
    /// When memory is short, or something of the phase is not covered (named).
    fn begin_phase(&mut self, index: usize, phase: &Phase) -> Result<()>;

    /// Hands over an epoch's rows of the training file in their order. Sums continue from `so_far`, which is
    /// zero except for an epoch that was interrupted.
    ///
    /// # Errors
    /// When memory is short, codes cannot be written to the disk, or the engine was built without data.
    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()>;

    /// One optimizer step on the mean loss of the batch: at least one image, at most [`Setup::batch_size`].
    /// Batches follow each other without a gap; the first starts at 0, or where an interrupted epoch ended. It
    /// need not wait for the device; the step's loss is part of the next drain. A loss that is not finite is no
    /// error here.
    ///
    /// # Errors
    /// When memory is short, or the device fails. The step may have happened in part.
    fn step(&mut self, step: &Step<'_>) -> Result<()>;

    /// Waits for the device and reads the sums since [`Engine::begin_epoch`].
    ///
    /// # Errors
    /// When the device fails.
    fn drain(&mut self) -> Result<Totals>;

    /// The stages of a training step in their order, and what steps have spent in them since
    /// [`Engine::begin_phase`]; none from an engine that does not time them apart. At any time.
    fn stages(&self) -> Vec<Stage> {
        Vec::new()
    }

    /// Outputs or codes of images, row-major, in inference mode; nothing changes. What comes out for an image
    /// does not depend on where it came from: rows, and the same images from outside, give the same bits.
    ///
    /// # Errors
    /// When memory is short, the length of outside images is no multiple of an image's, or rows are asked of an
    /// engine that was built without data.
    fn infer(&mut self, input: Input<'_>, want: Want) -> Result<Vec<f32>>;

    /// Every tensor of the network, buffers included, in canonical order.
    ///
    /// # Errors
    /// When the device fails.
    fn weights(&mut self) -> Result<Vec<NamedTensor>>;

    /// The moving average of every tensor, buffers included, in canonical order, where the phase asks for one
    /// ([`Phase::ema`]): updated after each step, from the tensors after the first step on. Part of
    /// [`Engine::state`] as the group [`State::EMA`].
    ///
    /// # Errors
    /// When the device fails, or the engine keeps none.
    fn average(&mut self) -> Result<Vec<NamedTensor>> {
        let text = format!("--engine {}: not covered: a moving average of the weights", self.name());
        Err(Error::usage(text).help("leave out ema, or use --engine auto"))
    }

    /// Replaces every tensor of the network; the optimizer's state and a moving average stay.
    ///
    /// # Errors
    /// When a tensor is missing or has the wrong shape; then none is replaced.
    fn load(&mut self, weights: &[NamedTensor]) -> Result<()>;

    /// All that training changes.
    ///
    /// # Errors
    /// When the device fails.
    fn state(&mut self) -> Result<State>;

    /// Puts back what [`Engine::state`] gave, in the phase that has begun.
    ///
    /// # Errors
    /// When a group or a tensor is missing or has the wrong shape, or the state is another optimizer's.
    fn restore(&mut self, state: &State) -> Result<()>;
}
