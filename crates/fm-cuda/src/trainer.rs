//! Training of one network by several seeds side by side.

use std::sync::Arc;

use fm_kernels::{Method, Recipe, Scope};

use crate::args::{Feed, Step, Sums};
use crate::data::Data;
use crate::driver::{Buffer, DeviceInfo, Graph};
use crate::error::{Error, below};
use crate::gpu::Gpu;
use crate::inference::Inference;
use crate::memory::{Slots, Steps, Weights};
use crate::network::Network;
use crate::plan::Plan;
use crate::seat::Seat;
use crate::tuning::Tuning;

mod launches;
mod queue;

use self::launches::Kind;

/// What a seed keeps on the device beside the data that all train on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// Nothing.
    Nothing,
    /// An epoch's augmented images.
    Images,
    /// The codes of a frozen encoder.
    Codes,
}

/// What a step left for the records, of the weights before it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct StepSums {
    /// Sum over the images of their losses.
    pub loss: f32,
    /// Images whose first highest score was their label's.
    pub correct: u64,
}

/// Parameters, optimizer state and batch memory of several seeds of a network on one device.
///
/// Call order, for each seat: [`begin`](Trainer::begin), then for each epoch
/// [`begin_epoch`](Trainer::begin_epoch), [`push`](Trainer::push)es and a [`drain`](Trainer::drain). Seats do not know
/// of each other: each gets the bits that it would get alone, wherever the others are. Those that train in the same way
/// share launches; a seat that has nothing to do takes part in none.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) plan: Plan,
    pub(crate) network: Network,
    tuning: Tuning,
    pub(crate) weights: Weights,
    slots: Slots,
    steps: Option<Steps>,
    pub(crate) seats: Vec<Seat>,
    graph: Option<(Kind, Graph)>,
    pub(crate) inference: Option<Inference>,
}

impl Trainer {
    /// Memory for `seats` seeds in batches of at most `batch` images; parameters are zero.
    ///
    /// # Errors
    /// When the kernels do not compute the network, or the device has no room.
    pub fn new(
        gpu: &Arc<Gpu>,
        network: &Network,
        seats: usize,
        batch: usize,
        tuning: Tuning,
    ) -> Result<Self, Error> {
        let plan = Plan::new(network, batch, &tuning)?;
        let stream = &gpu.stream;
        Ok(Self {
            gpu: Arc::clone(gpu),
            network: network.clone(),
            tuning,
            weights: Weights::new(stream, &plan, seats)?,
            slots: Slots::new(stream, &plan, seats)?,
            steps: None,
            seats: (0..seats).map(|_| Seat::default()).collect(),
            graph: None,
            inference: None,
            plan,
        })
    }

    /// Whether the kernels compute the network.
    ///
    /// # Errors
    /// Why not.
    pub fn covers(network: &Network) -> Result<(), Error> {
        Plan::new(network, 1, &Tuning::for_seeds(1)).map(drop)
    }

    /// How many seeds it trains side by side.
    #[must_use]
    pub fn seats(&self) -> usize {
        self.seats.len()
    }

    /// Images in a seat's steps since [`Trainer::begin_epoch`].
    #[must_use]
    pub fn images(&self, seat: usize) -> u64 {
        self.seats[seat].images
    }

    /// The device.
    #[must_use]
    pub fn gpu(&self) -> &Arc<Gpu> {
        &self.gpu
    }

    /// Seeds of a network that fill a device side by side, in epochs of `rows` images: more make little faster. At
    /// least one; together they take half of the device's memory at most. `kept` says whether a seed keeps images or
    /// codes of its own.
    ///
    /// # Errors
    /// When the kernels do not compute the network.
    pub fn filling(
        device: &DeviceInfo,
        network: &Network,
        batch: usize,
        rows: usize,
        kept: Kept,
    ) -> Result<usize, Error> {
        /// Blocks for each multiprocessor in the launch that has the fewest: two run at a time, so that as many wait.
        const BLOCKS: usize = 4;
        let plan = Plan::new(network, batch, &Tuning::for_seeds(usize::MAX))?;
        let launches = plan.step(Scope::All);
        let fewest = launches.iter().map(|launch| launch.blocks.0 * launch.blocks.1).min().unwrap_or(1);
        let kept = match kept {
            Kept::Nothing => 0,
            Kept::Images => network.pixels(),
            Kept::Codes => plan.features * size_of::<f32>(),
        };
        let steps = rows.div_ceil(batch) * (size_of::<Step>() + size_of::<Sums>());
        let each = Weights::bytes(&plan) + Slots::bytes(&plan) + steps + rows * (size_of::<i32>() + kept);
        let room = device.memory as usize / 2 / each;
        Ok((BLOCKS * device.multiprocessors as usize).div_ceil(fewest).min(room).max(1))
    }

    /// Starts a phase of a seat: fresh moments, steps counted from 1. With `Scope::Head` the features come from the
    /// codes that [`Trainer::encode`] leaves afterwards.
    ///
    /// # Errors
    /// When the recipe's method is one that the kernels do not have, or the device fails.
    pub fn begin(&mut self, seat: usize, recipe: Recipe) -> Result<(), Error> {
        if matches!(recipe.method, Method::Muon { .. }) {
            return Err(Error::Unsupported("the optimizer Muon".to_owned()));
        }
        let row = self.plan.shape.parameters as usize;
        for part in [&self.weights.m, &self.weights.v, &self.weights.average] {
            part.zero_part(&self.gpu.stream, seat * row, row)?;
        }
        self.seats[seat] = Seat::of(recipe);
        Ok(())
    }

    /// Gives a seat up: what it was to do is not done, and its images and codes are freed.
    pub fn leave(&mut self, seat: usize) {
        self.seats[seat] = Seat::default();
    }

    /// Starts an epoch of a seat on `data`: `order` has its rows.
    ///
    /// # Errors
    /// When a row is not there, or the device fails.
    pub fn begin_epoch(&mut self, seat: usize, data: &Arc<Data>, order: &[u32]) -> Result<(), Error> {
        below("row", order, data.rows())?;
        let place = &self.seats[seat];
        if place.recipe.scope == Scope::Head && place.codes.is_none() {
            return Err(Error::Order("a frozen encoder's codes come before the epoch"));
        }
        let stream = &self.gpu.stream;
        self.seats[seat].begin(stream, data, order)?;
        // Of smaller batches there are more: `prepare` makes room for those.
        self.make_room(order.len().div_ceil(self.plan.batch))
    }

    /// Makes room for `room` steps a seat.
    fn make_room(&mut self, room: usize) -> Result<(), Error> {
        let stream = &self.gpu.stream;
        let had = self.steps.as_ref().map_or(0, |steps| steps.room);
        if room <= had {
            return Ok(());
        }
        let new = Steps::new(stream, self.seats.len(), room)?;
        if let Some(old) = &self.steps {
            for seat in 0..self.seats.len() {
                new.sums.copy_from(stream, seat * room, &old.sums, seat * had, had)?;
            }
            stream.synchronize()?;
        }
        (self.steps, self.graph) = (Some(new), None);
        Ok(())
    }

    /// Computes the codes of all of `data` with a seat's encoder, for steps that leave it as it is.
    ///
    /// # Errors
    /// When the device fails or has no room.
    pub fn encode(&mut self, seat: usize, data: &Data) -> Result<(), Error> {
        let codes = Buffer::zeroed(&self.gpu.stream, data.rows() * self.plan.features)?;
        self.with_inference(|trainer, inference| inference.encode(trainer, seat, data, &codes))?;
        self.seats[seat].codes = Some(codes);
        Ok(())
    }

    /// Whether a seat's codes are there.
    #[must_use]
    pub fn encoded(&self, seat: usize) -> bool {
        self.seats[seat].codes.is_some()
    }

    pub(crate) fn kept_codes(&self, seat: usize) -> Option<&Buffer<f32>> {
        self.seats[seat].codes.as_ref()
    }

    /// Forgets a seat's codes.
    pub fn forget_codes(&mut self, seat: usize) {
        self.seats[seat].codes = None;
    }
}

/// A feed without steps.
pub(crate) fn feed(data: &Data) -> Feed {
    Feed { images: data.images.ptr(), labels: data.labels.ptr(), ..Feed::default() }
}
