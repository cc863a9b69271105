//! Training of one network by several seeds side by side.

use std::sync::Arc;

use fm_kernels::{Method, Moments, Recipe, Scope};

use crate::args::{Args, Feed, Now, Part, Step, Sums};
use crate::data::Data;
use crate::driver::{Buffer, Graph};
use crate::error::{Error, length};
use crate::gpu::Gpu;
use crate::inference::Inference;
use crate::memory::{Slots, Steps, Weights};
use crate::network::Network;
use crate::plan::{Launch, Plan};
use crate::seat::{Mixed, Seat};
use crate::tuning::Tuning;

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
/// Call order, for each seat: [`begin`](Trainer::begin) (all seats together), then for each epoch
/// [`begin_epoch`](Trainer::begin_epoch), [`push`](Trainer::push)es and a [`drain`](Trainer::drain). Seats do not know
/// of each other: each gets the bits that it would get alone.
#[derive(Debug)]
pub struct Trainer {
    pub(crate) gpu: Arc<Gpu>,
    pub(crate) plan: Plan,
    pub(crate) network: Network,
    tuning: Tuning,
    pub(crate) weights: Weights,
    slots: Slots,
    steps: Option<Steps>,
    recipe: Recipe,
    /// Whether features come from codes.
    frozen: bool,
    seats: Vec<Seat>,
    graph: Option<Graph>,
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
            recipe: Recipe::default(),
            frozen: false,
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

    /// Starts a phase for all seats: fresh moments, steps counted from 1. With `Scope::Head` the features come from
    /// the codes that [`Trainer::encode`] has left.
    ///
    /// # Errors
    /// When the device fails.
    pub fn begin(&mut self, recipe: Recipe) -> Result<(), Error> {
        (self.recipe, self.frozen, self.graph) = (recipe, recipe.scope == Scope::Head, None);
        for part in [&self.weights.m, &self.weights.v, &self.weights.average] {
            part.zero(&self.gpu.stream)?;
        }
        for seat in &mut self.seats {
            *seat = Seat::default();
        }
        Ok(())
    }

    /// Starts an epoch of a seat on `data`: `order` has its rows.
    ///
    /// # Errors
    /// When a row is not there, or the device fails.
    pub fn begin_epoch(&mut self, seat: usize, data: &Arc<Data>, order: &[u32]) -> Result<(), Error> {
        let rows = data.rows() as u64;
        if let Some(&row) = order.iter().find(|&&row| u64::from(row) >= rows) {
            return Err(Error::Range { what: "row", got: row.into(), count: rows });
        }
        if self.frozen && self.seats[seat].codes.is_none() {
            return Err(Error::Order("a frozen encoder's codes come before the epoch"));
        }
        let stream = &self.gpu.stream;
        self.seats[seat].begin(stream, data, order)?;
        let room = order.len().div_ceil(self.plan.batch);
        // Batches may be smaller than the largest one: as many steps as there are images at most.
        self.make_room(room)
    }

    /// Makes room for so many steps of each seat.
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
        let recipe = Recipe { lr_encoder: rates.0, lr_head: rates.1, ..self.recipe };
        let size = self.network.channels * self.network.height * self.network.width;
        let classes = self.network.classes();
        let place = &mut self.seats[seat];
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
        match self.prepare()? {
            0 => Ok(()),
            steps => self.run(steps),
        }
    }

    /// Brings the steps that all seats have been given to the device; returns the most of one.
    ///
    /// # Errors
    /// When the device fails.
    pub fn prepare(&mut self) -> Result<usize, Error> {
        let most = self.seats.iter().map(|seat| seat.pending.len()).max().unwrap_or(0);
        if most == 0 {
            return Ok(0);
        }
        let ends = self.seats.iter().map(|seat| seat.done + seat.pending.len()).max().unwrap_or(0);
        self.make_room(ends)?;
        let stream = Arc::clone(&self.gpu.stream);
        let Some(steps) = &self.steps else { return Ok(0) };
        let (mut now, mut feeds) = (vec![], vec![]);
        for (i, seat) in self.seats.iter_mut().enumerate() {
            let first = seat.pending.first().copied().unwrap_or_default();
            now.extend([Now { index: seat.done as i32, step: first }; 2]);
            if !seat.pending.is_empty() {
                steps.steps.upload(&stream, i * steps.room + seat.done, &seat.pending)?;
            }
            seat.done += seat.pending.len();
            seat.pending.clear();
            let mut feed = seat.feed();
            feed.steps = steps.steps.ptr() + (i * steps.room * size_of::<Step>()) as u64;
            feeds.push(feed);
        }
        self.slots.feeds.upload(&stream, 0, &feeds)?;
        self.slots.now.upload(&stream, 0, &now)?;
        Ok(most)
    }

    /// Queues so many steps, most of them as graphs.
    fn run(&mut self, steps: usize) -> Result<(), Error> {
        let (args, launches) = (self.args(), self.launches());
        let each = self.tuning.graph.max(1);
        let (graphs, rest) = (steps / each, steps % each);
        if graphs > 0 && self.graph.is_none() {
            let gpu = Arc::clone(&self.gpu);
            gpu.stream.begin_capture()?;
            let queued = (0..each).try_for_each(|_| self.step(&args, &launches));
            let graph = gpu.stream.end_capture();
            queued?;
            self.graph = Some(graph?);
        }
        if let Some(graph) = &self.graph {
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

    /// The launches of a step.
    pub(crate) fn launches(&self) -> Vec<Launch> {
        let plan = &self.plan;
        let (encoder, head) = (self.recipe.scope != Scope::Head, self.recipe.scope != Scope::Encoder);
        let mut launches = if self.frozen { vec![plan.gather()] } else { plan.encode.clone() };
        let mut back = plan.back.as_slice();
        match &plan.middle {
            Some(middle) if !self.frozen => {
                // In place of the last block and all up to its backward pass.
                launches.pop();
                launches.push(middle.clone());
                back = back.get(1..).unwrap_or_default();
            }
            _ => {
                launches.extend(plan.head.iter().cloned());
                if encoder {
                    launches.extend(plan.head_back.iter().cloned());
                }
            }
        }
        if encoder {
            launches.extend(back.iter().cloned());
        }
        launches.push(plan.update(encoder, head));
        launches
    }

    /// All that a kernel is given in training.
    pub(crate) fn args(&self) -> Args {
        let mut args = self.plan.args();
        self.weights.place(&mut args, 0, self.recipe.average.is_some());
        self.slots.place(&mut args);
        if let Some(steps) = &self.steps {
            (args.sums, args.steps) = (steps.sums.ptr(), steps.room as i32);
        }
        args.encoder_moves = i32::from(self.recipe.scope != Scope::Head);
        args.head_moves = i32::from(self.recipe.scope != Scope::Encoder);
        match self.recipe.method {
            Method::Adam(betas) | Method::AdamW(betas) => {
                (args.fresh1, args.fresh2) = ((1.0 - betas.beta1) as f32, (1.0 - betas.beta2) as f32);
            }
            Method::Sgd { momentum } => (args.method, args.momentum) = (1, momentum as f32),
        }
        args.smoothing = self.recipe.smoothing as f32;
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

    /// Parameters of a seat, in PyTorch's order.
    ///
    /// # Errors
    /// When the device fails.
    pub fn params(&self, seat: usize) -> Result<Vec<f32>, Error> {
        self.collect(seat, &self.weights.weights)
    }

    /// Replaces them; moments, average and the number of steps stay.
    ///
    /// # Errors
    /// When there are too few or too many, or the device fails.
    pub fn set_params(&mut self, seat: usize, params: &[f32]) -> Result<(), Error> {
        self.spread(seat, &self.weights.weights, "parameters", params)?;
        let convs = self.plan.shape.convs as usize;
        if convs > 1 {
            let mut args = self.plan.args();
            self.weights.place(&mut args, seat, false);
            let launch = Plan::any("derive", (32, convs - 1));
            // SAFETY: the weights are there.
            unsafe { self.gpu.launch(&launch, &args, 1)? };
        }
        Ok(())
    }

    /// What the optimizer keeps for a seat, and its number of steps.
    ///
    /// # Errors
    /// When the device fails.
    pub fn moments(&self, seat: usize) -> Result<Moments, Error> {
        let (m, v) = (self.collect(seat, &self.weights.m)?, self.collect(seat, &self.weights.v)?);
        Ok(Moments { m, v, step: self.seats[seat].taken })
    }

    /// Replaces it.
    ///
    /// # Errors
    /// As [`Trainer::set_params`].
    pub fn set_moments(&mut self, seat: usize, moments: &Moments) -> Result<(), Error> {
        self.spread(seat, &self.weights.m, "first moments", &moments.m)?;
        self.spread(seat, &self.weights.v, "second moments", &moments.v)?;
        self.seats[seat].taken = moments.step;
        Ok(())
    }

    /// The moving average of a seat's parameters.
    ///
    /// # Errors
    /// When the device fails.
    pub fn average(&self, seat: usize) -> Result<Vec<f32>, Error> {
        self.collect(seat, &self.weights.average)
    }

    /// Replaces it.
    ///
    /// # Errors
    /// As [`Trainer::set_params`].
    pub fn set_average(&mut self, seat: usize, average: &[f32]) -> Result<(), Error> {
        self.spread(seat, &self.weights.average, "averages", average)
    }

    fn collect(&self, seat: usize, from: &Buffer<f32>) -> Result<Vec<f32>, Error> {
        let row = self.plan.shape.parameters as usize;
        let mut values = vec![0.0; row];
        from.download(&self.gpu.stream, seat * row, &mut values)?;
        Ok(self.plan.map.iter().map(|&at| values[at as usize]).collect())
    }

    fn spread(&self, seat: usize, to: &Buffer<f32>, what: &'static str, values: &[f32]) -> Result<(), Error> {
        length(what, values.len(), self.plan.map.len())?;
        let mut row = vec![0.0; self.plan.shape.parameters as usize];
        for (&at, &value) in self.plan.map.iter().zip(values) {
            row[at as usize] = value;
        }
        to.upload(&self.gpu.stream, seat * row.len(), &row)?;
        Ok(())
    }
}

impl Weights {
    /// Writes the addresses, of the seeds from `seat` on.
    pub(crate) fn place(&self, args: &mut Args, seat: usize, averages: bool) {
        let at = (seat * args.shape.parameters as usize * size_of::<f32>()) as u64;
        args.weights = self.weights.ptr() + at;
        args.m = self.m.ptr() + at;
        args.v = self.v.ptr() + at;
        args.average = if averages { self.average.ptr() + at } else { 0 };
        args.turned = self.turned.ptr() + (seat * args.shape.turned_size as usize * size_of::<f32>()) as u64;
    }
}

/// A feed without steps.
pub(crate) fn feed(data: &Data) -> Feed {
    Feed { images: data.images.ptr(), labels: data.labels.ptr(), ..Feed::default() }
}
