//! Training of one network by several seeds side by side.

use std::sync::Arc;

use fm_kernels::{Method, Recipe, Scope};

use crate::args::{Args, Feed, Now, Part, Step, Sums};
use crate::data::Data;
use crate::driver::{Buffer, DeviceInfo, Graph};
use crate::error::{Error, below};
use crate::gpu::Gpu;
use crate::inference::Inference;
use crate::memory::{Slots, Steps, Weights};
use crate::network::Network;
use crate::plan::{Launch, Plan};
use crate::seat::{Mixed, Seat};
use crate::tuning::Tuning;

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

/// What the launches of a step depend on beside the network: seats that agree in it share them.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Kind {
    scope: Scope,
    method: Method,
    smoothing: f64,
    averages: bool,
}

impl Kind {
    fn of(recipe: &Recipe) -> Self {
        let Recipe { scope, method, smoothing, average, .. } = *recipe;
        Self { scope, method, smoothing, averages: average.is_some() }
    }
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

    /// Adds a step of a seat: `count` images from position `begin` of the epoch's order on, with the parts' learning
    /// rates. `mixed` are images that stand for them. It is done by the next [`Trainer::flush`] or
    /// [`Trainer::drain`], or before.
    ///
    /// # Errors
    /// When the batch is empty, too large or beyond the epoch, or the device fails.
    pub fn push(
        &mut self,
        seat: usize,
        begin: usize,
        count: usize,
        rates: (f64, f64),
        mixed: Option<Mixed<'_>>,
    ) -> Result<(), Error> {
        let most = self.plan.batch;
        if count == 0 || count > most {
            return Err(Error::Range { what: "batch of", got: count as u64, count: most as u64 });
        }
        let (size, classes) = (self.network.pixels(), self.network.classes());
        let place = &mut self.seats[seat];
        let recipe = Recipe { lr_encoder: rates.0, lr_head: rates.1, ..place.recipe };
        if begin + count > place.rows {
            return Err(Error::Range {
                what: "position",
                got: (begin + count) as u64,
                count: place.rows as u64,
            });
        }
        if let Some(mixed) = mixed {
            place.mix(&self.gpu.stream, begin, count, size, classes, mixed)?;
        }
        place.taken += 1;
        place.images += count as u64;
        let [encoder, head] = recipe.moves(place.taken).map(|m| Part {
            rate: m.rate,
            keep_weight: m.keep_weight,
            keep_bias: m.keep_bias,
            eps: m.eps,
        });
        let fresh = recipe.fresh(place.taken).unwrap_or(0.0);
        let step = Step { begin: begin as i32, count: count as i32, encoder, head, fresh };
        place.pending.push(step);
        Ok(())
    }

    /// Steps that a seat has been given and that are not done.
    #[must_use]
    pub fn pending(&self, seat: usize) -> usize {
        self.seats[seat].pending.len()
    }

    /// Lets all seats do what they have been given. Does not wait for the device.
    ///
    /// # Errors
    /// When the device fails.
    pub fn flush(&mut self) -> Result<(), Error> {
        while let Some((kind, steps)) = self.prepare_next()? {
            self.run(kind, steps)?;
        }
        Ok(())
    }

    /// Brings to the device the steps that the seats have been given which share launches with the first that has any;
    /// returns the most of one.
    ///
    /// # Errors
    /// When the device fails.
    pub fn prepare(&mut self) -> Result<usize, Error> {
        Ok(self.prepare_next()?.map_or(0, |(_, steps)| steps))
    }

    fn prepare_next(&mut self) -> Result<Option<(Kind, usize)>, Error> {
        let Some(first) = self.seats.iter().find(|seat| !seat.pending.is_empty()) else { return Ok(None) };
        let kind = Kind::of(&first.recipe);
        let ends = self.seats.iter().map(|seat| seat.done + seat.pending.len()).max().unwrap_or(0);
        self.make_room(ends)?;
        let stream = Arc::clone(&self.gpu.stream);
        let Some(steps) = &self.steps else { return Ok(None) };
        let (mut now, mut feeds, mut most) = (vec![], vec![], 0);
        for (i, seat) in self.seats.iter_mut().enumerate() {
            let mut step = Step::default();
            let index = seat.done;
            if !seat.pending.is_empty() && Kind::of(&seat.recipe) == kind {
                step = seat.pending[0];
                steps.steps.upload(&stream, i * steps.room + seat.done, &seat.pending)?;
                most = most.max(seat.pending.len());
                seat.done += seat.pending.len();
                seat.pending.clear();
            }
            // A step of no images is none: so are those of a seat behind its last.
            now.extend([Now { index: index as i32, step }; 2]);
            let mut feed = seat.feed();
            feed.steps = steps.steps.ptr() + (i * steps.room * size_of::<Step>()) as u64;
            feeds.push(feed);
        }
        self.slots.feeds.upload(&stream, 0, &feeds)?;
        self.slots.now.upload(&stream, 0, &now)?;
        Ok(Some((kind, most)))
    }

    /// Queues so many steps, most of them as graphs.
    fn run(&mut self, kind: Kind, steps: usize) -> Result<(), Error> {
        let (args, launches) = (self.args_of(kind), self.plan.step(kind.scope));
        let each = self.tuning.graph.max(1);
        let (graphs, rest) = (steps / each, steps % each);
        if graphs > 0 && self.graph.as_ref().is_none_or(|(of, _)| *of != kind) {
            let work = || (0..each).try_for_each(|_| self.step(&args, &launches));
            self.graph = Some((kind, self.gpu.stream.capture(work)?));
        }
        if let Some((_, graph)) = self.graph.as_ref().filter(|_| graphs > 0) {
            for _ in 0..graphs {
                // SAFETY: what it was recorded with lives as long as `self`, which drops it when memory moves.
                unsafe { self.gpu.stream.launch_graph(graph)? };
            }
        }
        (0..rest).try_for_each(|_| self.step(&args, &launches))
    }

    pub(crate) fn step(&self, args: &Args, launches: &[Launch]) -> Result<(), Error> {
        for launch in launches {
            // SAFETY: the plan made the memory for these launches.
            unsafe { self.gpu.launch(launch, args, self.seats.len())? };
        }
        Ok(())
    }

    /// The launches of a step of the first seat.
    pub(crate) fn launches(&self) -> Vec<Launch> {
        self.plan.step(self.seats[0].recipe.scope)
    }

    /// All that a kernel is given when the first seat trains.
    pub(crate) fn args(&self) -> Args {
        self.args_of(Kind::of(&self.seats[0].recipe))
    }

    fn args_of(&self, kind: Kind) -> Args {
        let mut args = self.plan.args();
        self.weights.place(&mut args, 0, kind.averages);
        self.slots.place(&mut args);
        if let Some(steps) = &self.steps {
            (args.sums, args.steps) = (steps.sums.ptr(), steps.room as i32);
        }
        args.encoder_moves = i32::from(kind.scope != Scope::Head);
        args.head_moves = i32::from(kind.scope != Scope::Encoder);
        match kind.method {
            Method::Adam(betas) | Method::AdamW(betas) => {
                (args.fresh1, args.fresh2) = ((1.0 - betas.beta1) as f32, (1.0 - betas.beta2) as f32);
            }
            Method::Sgd { momentum } => (args.method, args.momentum) = (1, momentum as f32),
            // Refused when a phase begins.
            Method::Muon { .. } => {}
        }
        args.smoothing = kind.smoothing as f32;
        args
    }

    /// Does what all seats have been given, waits, and reads what a seat's steps since
    /// [`Trainer::begin_epoch`] have left.
    ///
    /// # Errors
    /// When the device fails.
    pub fn drain(&mut self, seat: usize) -> Result<Vec<StepSums>, Error> {
        self.flush()?;
        self.sums(seat)
    }

    /// What a seat's steps since [`Trainer::begin_epoch`] have left, of those that were flushed; waits for them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sums(&self, seat: usize) -> Result<Vec<StepSums>, Error> {
        let mut sums = vec![Sums::default(); self.seats[seat].done];
        if let Some(steps) = &self.steps {
            steps.sums.download(&self.gpu.stream, seat * steps.room, &mut sums)?;
        }
        Ok(sums.iter().map(|s| StepSums { loss: s.loss, correct: s.correct as u64 }).collect())
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
