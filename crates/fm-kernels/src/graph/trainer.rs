//! The public trainer of any network of the notation.

use std::time::Instant;

use fm_net::{Draws, Network, Scope};

use super::explain::StageReport;
use super::forward::Place;
use super::kernels::Kernels;
use super::lower::lower;
use super::plan::{Kind, Plan};
use super::program::Back;
use super::state::{Mode, PIECES, State, piece};
use super::update::Share;
use crate::buffer::Parts;
use crate::kernels::Kernels as Base;
use crate::pool::Pool;
use crate::worker::{Deal, Towards, Use};
use crate::{Error, Isa, Moments, Options, Recipe, Targets, Totals};

/// A network of the notation in training.
///
/// Tensors, moments and gradients cross this edge as one flat vector: every tensor of
/// [`Network::tensors`], buffers included, in that order and PyTorch's layout. Results are bit-identical
/// for any number of threads.
pub struct GraphTrainer {
    state: State,
    base: &'static Base,
    pool: Pool,
    shares: Vec<Share>,
    max_batch: usize,
    isa: Isa,
    recipe: Recipe,
    step: u64,
    totals: Totals,
    /// Folded weights are up to date.
    folded: bool,
    /// Seconds of each stage since the phase began, forward and backward; and of all else.
    seconds: (Vec<[f64; 2]>, f64),
}

/// Where a batch's inputs come from.
#[derive(Clone, Copy)]
enum Source<'a> {
    Images(&'a [u8]),
    Codes(&'a [f32]),
}

impl GraphTrainer {
    /// Whether the kernels compute `network`.
    ///
    /// # Errors
    /// [`Error::Unsupported`] names the first operator that they have no code for.
    pub fn covers(network: &Network) -> Result<(), Error> {
        lower(network, 16).map(|_| ())
    }

    /// A trainer that starts a phase of [`Recipe::default`] from the given tensors.
    ///
    /// # Errors
    /// When the network is not covered, the tensors have the wrong length, the instruction set is
    /// missing, or a thread cannot be started.
    pub fn new(network: &Network, options: Options, params: &[f32]) -> Result<Self, Error> {
        let isa = options.isa.unwrap_or_else(Isa::detect);
        let (kernels, lanes) = Kernels::of(isa).ok_or(Error::Isa(isa))?;
        let base = Base::of(isa).ok_or(Error::Isa(isa))?;
        let plan = lower(network, lanes)?;
        if options.max_batch == 0 {
            return Err(Error::Batch { got: 0, max: 0 });
        }
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let pool = Pool::new(threads)?;
        let state = State::new(plan, kernels, options.max_batch, pool.workers())?;
        let (recipe, totals) = (Recipe::default(), Totals::default());
        let shares = state.shares();
        let max_batch = options.max_batch;
        let mut trainer = Self {
            state,
            base,
            pool,
            shares,
            max_batch,
            isa,
            recipe,
            step: 0,
            totals,
            folded: false,
            seconds: Default::default(),
        };
        trainer.set_params(params)?;
        trainer.begin(recipe)?;
        Ok(trainer)
    }

    /// The code path in use.
    #[must_use]
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Threads in use, the caller's included.
    #[must_use]
    pub fn threads(&self) -> usize {
        self.pool.workers()
    }

    /// Values of one code.
    #[must_use]
    pub fn code_len(&self) -> usize {
        self.state.plan.code_len()
    }

    /// Values of one output: logits, or a reconstruction.
    #[must_use]
    pub fn output_len(&self) -> usize {
        self.state.plan.output_len()
    }

    /// What computes each stage, its work, and the seconds that steps have spent in it since the phase began.
    #[must_use]
    pub fn explain(&self) -> Vec<StageReport> {
        super::explain::explain(&self.state.plan, &self.seconds.0)
    }

    /// Seconds that steps have spent outside all stages since the phase began: reading images, the loss, and
    /// from gradients to packed weights.
    #[must_use]
    pub fn seconds_between(&self) -> f64 {
        self.seconds.1
    }

    /// Begins a new phase: fresh moments, step zero, fresh totals.
    ///
    /// # Errors
    /// [`Error::Recipe`] for settings that are no usable numbers.
    pub fn begin(&mut self, recipe: Recipe) -> Result<(), Error> {
        recipe.check()?;
        self.recipe = recipe;
        self.step = 0;
        self.totals = Totals::default();
        for flat in [&mut self.state.m, &mut self.state.v, &mut self.state.grad] {
            flat.all().fill(0.0);
        }
        // Of what does not move, the average is what it is.
        if recipe.average.is_some() {
            self.state.average.all().copy_from_slice(self.state.params.all());
        }
        self.state.prepare(scope(recipe.scope))?;
        self.seconds = (vec![[0.0; 2]; self.state.plan.stages.len()], 0.0);
        Ok(())
    }

    /// Changes the learning rates within a phase (a schedule); moments and step stay.
    ///
    /// # Errors
    /// [`Error::Recipe`] for a rate that is no usable number.
    pub fn set_rates(&mut self, lr_encoder: f64, lr_head: f64) -> Result<(), Error> {
        let recipe = Recipe { lr_encoder, lr_head, ..self.recipe };
        recipe.check()?;
        self.recipe = recipe;
        Ok(())
    }

    /// One optimizer step on some rows of a resident set of `[N, channels, height, width]` bytes and `[N]`
    /// labels (which a reconstruction does not look at). `draws` says what dropout draws from.
    ///
    /// # Errors
    /// When a length, row or label does not fit; nothing has changed then.
    pub fn step<'a>(
        &mut self,
        images: &[u8],
        targets: impl Into<Targets<'a>>,
        rows: &[u32],
        draws: &Draws,
    ) -> Result<(), Error> {
        let targets = targets.into();
        let count = self.check_images(images)?;
        self.check_batch(rows, count, targets)?;
        self.train(Source::Images(images), targets, rows, draws);
        Ok(())
    }

    /// One optimizer step of the head on some rows of codes, `[N, code length]` as from
    /// [`GraphTrainer::encode`].
    ///
    /// # Errors
    /// When a length, row or label does not fit, or the scope is not the head.
    pub fn step_codes(
        &mut self,
        codes: &[f32],
        labels: &[u8],
        rows: &[u32],
        draws: &Draws,
    ) -> Result<(), Error> {
        if self.state.scope != Scope::Head || self.state.plan.classes.is_none() {
            return Err(Error::Scope);
        }
        let count = self.check_codes(codes)?;
        self.check_batch(rows, count, labels.into())?;
        self.train(Source::Codes(codes), labels.into(), rows, draws);
        Ok(())
    }

    /// What training has seen since the last call, or since the phase began.
    pub fn drain(&mut self) -> Totals {
        std::mem::take(&mut self.totals)
    }

    /// Outputs of some rows in inference mode: `[rows, classes]`, or reconstructions
    /// `[rows, channels, height, width]`.
    ///
    /// # Errors
    /// When a length or row does not fit.
    pub fn evaluate(&mut self, images: &[u8], rows: &[u32], out: &mut [f32]) -> Result<(), Error> {
        let count = self.check_images(images)?;
        let (from, to) = ((0, 0), (self.state.plan.stages.len(), self.state.plan.output));
        self.infer(Source::Images(images), count, rows, (from.0, to.0), to.1, out)
    }

    /// Outputs of some rows of codes.
    ///
    /// # Errors
    /// When a length or row does not fit.
    pub fn evaluate_codes(&mut self, codes: &[f32], rows: &[u32], out: &mut [f32]) -> Result<(), Error> {
        let count = self.check_codes(codes)?;
        let stages = (self.state.plan.code.1, self.state.plan.stages.len());
        self.infer(Source::Codes(codes), count, rows, stages, self.state.plan.output, out)
    }

    /// Codes of some rows in inference mode, `[rows, code length]` in (channel, row, column) order.
    ///
    /// # Errors
    /// When a length or row does not fit.
    pub fn encode(&mut self, images: &[u8], rows: &[u32], out: &mut [f32]) -> Result<(), Error> {
        let count = self.check_images(images)?;
        let (value, end) = self.state.plan.code;
        self.infer(Source::Images(images), count, rows, (0, end), value, out)
    }

    /// Mean loss and its gradient on some rows; nothing is updated. Meant for tests.
    ///
    /// # Errors
    /// When a length, row or label does not fit.
    pub fn gradients(
        &mut self,
        images: &[u8],
        labels: &[u8],
        rows: &[u32],
        draws: &Draws,
    ) -> Result<(f64, Vec<f32>), Error> {
        let count = self.check_images(images)?;
        self.check_batch(rows, count, labels.into())?;
        self.state.grad.all().fill(0.0);
        self.derivatives(Source::Images(images), labels.into(), rows, draws, false);
        let losses = &self.state.losses.all()[..rows.len()];
        let loss = losses.iter().map(|&loss| f64::from(loss)).sum::<f64>() / rows.len() as f64;
        Ok((loss, collect(&self.state.plan, self.state.grad.all())))
    }

    /// Every tensor.
    pub fn params(&mut self) -> Vec<f32> {
        collect(&self.state.plan, self.state.params.all())
    }

    /// Replaces every tensor; moments and step stay.
    ///
    /// # Errors
    /// [`Error::Length`] when there are too few or too many values.
    pub fn set_params(&mut self, params: &[f32]) -> Result<(), Error> {
        spread("parameters", &self.state.plan, params, self.state.params.all())?;
        self.folded = false;
        self.derive();
        Ok(())
    }

    /// The tensors' moving average: as [`Recipe::average`] has it, or the tensors when the phase began.
    pub fn average(&mut self) -> Vec<f32> {
        collect(&self.state.plan, self.state.average.all())
    }

    /// Replaces the moving average: resumes a phase.
    ///
    /// # Errors
    /// [`Error::Length`] when there are too few or too many values.
    pub fn set_average(&mut self, average: &[f32]) -> Result<(), Error> {
        spread("averages", &self.state.plan, average, self.state.average.all())
    }

    /// The optimizer's moments and step count.
    pub fn moments(&mut self) -> Moments {
        Moments {
            m: collect(&self.state.plan, self.state.m.all()),
            v: collect(&self.state.plan, self.state.v.all()),
            step: self.step,
        }
    }

    /// Replaces the optimizer's moments and step count: resumes a phase.
    ///
    /// # Errors
    /// [`Error::Length`] when there are too few or too many values.
    pub fn set_moments(&mut self, moments: &Moments) -> Result<(), Error> {
        let count = self.state.plan.tensors.iter().map(|tensor| tensor.len).sum();
        length("second moments", moments.v.len(), count)?;
        spread("first moments", &self.state.plan, &moments.m, self.state.m.all())?;
        spread("second moments", &self.state.plan, &moments.v, self.state.v.all())?;
        self.step = moments.step;
        Ok(())
    }

    fn train(&mut self, source: Source<'_>, targets: Targets<'_>, rows: &[u32], draws: &Draws) {
        self.step += 1;
        self.derivatives(source, targets, rows, draws, true);
        let start = Instant::now();
        if let Use::Update { encoder, head } = self.recipe.rules(self.step) {
            let (state, base, shares) = (&self.state, self.base, &self.shares);
            // SAFETY: each share is one task's.
            round(&mut self.pool, shares.len(), &|_, task| unsafe {
                state.step(&shares[task], base, encoder, head);
            });
        }
        if let Some(fresh) = self.recipe.fresh(self.step) {
            self.state.average_buffers(fresh);
        }
        self.derive();
        let scope = self.state.scope;
        if scope != Scope::Head || self.state.plan.norms.iter().any(|norm| scope.contains(norm.part)) {
            self.folded = false;
        }
        self.seconds.1 += start.elapsed().as_secs_f64();
        // In the batch's order, whoever computed them.
        let count = rows.len();
        let sum = self.state.losses.all()[..count].iter().map(|&loss| f64::from(loss)).sum::<f64>();
        self.totals.loss += sum;
        self.totals.correct += self.state.hits.all()[..count].iter().map(|&hit| u64::from(hit)).sum::<u64>();
        self.totals.images += count as u64;
        self.totals.non_finite |= !sum.is_finite();
    }

    /// Forward, loss, backward: every gradient is in `State::grad` then.
    fn derivatives(
        &mut self,
        source: Source<'_>,
        targets: Targets<'_>,
        rows: &[u32],
        draws: &Draws,
        moves: bool,
    ) {
        let towards = Towards { targets, smoothing: self.recipe.smoothing as f32 };
        let mut start = Instant::now();
        let mut lap = || {
            let now = Instant::now();
            (now - std::mem::replace(&mut start, now)).as_secs_f64()
        };
        if self.state.scope != Scope::All {
            self.fold();
        }
        let lanes = self.state.plan.lanes;
        let slots = rows.len().div_ceil(lanes);
        for (image, mask) in self.state.mask.all().iter_mut().enumerate() {
            *mask = f32::from(u8::from(image < rows.len()));
        }
        let first = match source {
            Source::Images(_) => 0,
            Source::Codes(_) => self.state.plan.code.1,
        };
        let state = &self.state;
        // SAFETY: each slot is one task's.
        round(&mut self.pool, slots, &|_, slot| unsafe {
            let rows = &rows[slot * lanes..rows.len().min((slot + 1) * lanes)];
            match source {
                Source::Images(images) => state.load_images(slot, images, rows),
                Source::Codes(codes) => state.load_codes(slot, codes, rows),
            }
        });
        self.seconds.1 += lap();
        for index in first..state.plan.stages.len() {
            forward(&mut self.pool, state, index, rows.len(), draws, moves);
            self.seconds.0[index][0] += lap();
        }
        let scale = 1.0 / rows.len() as f32;
        // SAFETY: each slot is one task's; the output is done.
        round(&mut self.pool, slots, &|_, slot| unsafe {
            let rows = &rows[slot * lanes..rows.len().min((slot + 1) * lanes)];
            match state.plan.classes {
                Some(_) => state.classify(slot, rows, towards, scale),
                None => state.reconstruct(slot, rows.len(), scale),
            }
        });
        self.seconds.1 += lap();
        for (back, stage) in &state.program.list {
            backward(&mut self.pool, state, back, rows.len());
            self.seconds.0[*stage][1] += lap();
        }
        let shares = &self.shares;
        // SAFETY: each share is one task's; the partial sums are done.
        round(&mut self.pool, shares.len(), &|_, task| unsafe { state.reduce(&shares[task], slots) });
        if state.plan.layers.iter().any(|layer| layer.standardised) {
            // SAFETY: each layer is one task's.
            round(&mut self.pool, state.plan.layers.len(), &|_, task| unsafe { state.unstandardise(task) });
        }
        self.seconds.1 += lap();
    }

    /// Packs all weights after a change.
    fn derive(&mut self) {
        let state = &self.state;
        if state.plan.layers.iter().any(|layer| layer.standardised) {
            // SAFETY: each layer is one task's.
            round(&mut self.pool, state.plan.layers.len(), &|_, task| unsafe { state.standardise(task) });
        }
        let packs = &state.plan.packs;
        // SAFETY: each pass is one task's.
        round(&mut self.pool, packs.len(), &|_, task| unsafe { state.pack(packs[task].0, packs[task].1) });
    }

    /// Folds norms into layers for inference, unless they are.
    fn fold(&mut self) {
        if std::mem::replace(&mut self.folded, true) {
            return;
        }
        let state = &self.state;
        // SAFETY: no worker is running.
        unsafe { state.norm_running() };
        // SAFETY: each layer is one task's.
        round(&mut self.pool, state.plan.layers.len(), &|_, task| unsafe { state.fold(task) });
    }

    /// Runs some stages in inference mode, each slot by itself, and reads a value.
    fn infer(
        &mut self,
        source: Source<'_>,
        count: usize,
        rows: &[u32],
        (start, end): (usize, usize),
        value: usize,
        out: &mut [f32],
    ) -> Result<(), Error> {
        if let Some(&row) = rows.iter().find(|&&row| row as usize >= count) {
            return Err(Error::Row { row, rows: count });
        }
        let map = self.state.plan.map(value);
        let size = map.channels * map.pixels();
        length("outputs", out.len(), rows.len() * size)?;
        self.fold();
        let (state, lanes) = (&self.state, self.state.plan.lanes);
        let out = Parts::new(out);
        round(&mut self.pool, rows.len().div_ceil(lanes), &|worker, task| {
            let range = task * lanes..rows.len().min((task + 1) * lanes);
            let rows = &rows[range.clone()];
            let at = Place { task: 0, worker, images: rows.len() };
            // SAFETY: each worker has a slot of its own; tasks' outputs are disjoint.
            unsafe {
                match source {
                    Source::Images(images) => state.load_images(worker, images, rows),
                    Source::Codes(codes) => state.load_codes(worker, codes, rows),
                }
                for index in start..end {
                    state.forward(index, worker, 0..state.units(index), Mode::Infer, at);
                }
                state.unload(value, worker, out.get_mut(range.start * size..range.end * size));
            }
        });
        Ok(())
    }

    fn check_images(&self, images: &[u8]) -> Result<usize, Error> {
        let size = self.state.plan.image.iter().product::<usize>();
        length("images (bytes)", images.len(), images.len() / size * size)?;
        Ok(images.len() / size)
    }

    fn check_codes(&self, codes: &[f32]) -> Result<usize, Error> {
        let len = self.state.plan.code_len();
        length("codes", codes.len(), codes.len() / len * len)?;
        Ok(codes.len() / len)
    }

    /// Rows within the set, the batch's size, labels, and a norm with but one value.
    fn check_batch(&self, rows: &[u32], count: usize, targets: Targets<'_>) -> Result<(), Error> {
        if let Some(&row) = rows.iter().find(|&&row| row as usize >= count) {
            return Err(Error::Row { row, rows: count });
        }
        if rows.is_empty() || rows.len() > self.max_batch {
            return Err(Error::Batch { got: rows.len(), max: self.max_batch });
        }
        let plan = &self.state.plan;
        let alone = |stage: &&super::plan::Stage| match &stage.kind {
            Kind::Point { terms, .. } => {
                terms.iter().any(|term| term.norm.is_some() && plan.map(term.value).pixels() == 1)
            }
            _ => false,
        };
        if rows.len() == 1 {
            let trains = |stage: &&super::plan::Stage| self.state.scope.contains(stage.part);
            if let Some(stage) = plan.stages.iter().filter(trains).find(alone) {
                return Err(Error::OneValue(stage.name.clone()));
            }
        }
        let Some(classes) = plan.classes else { return Ok(()) };
        targets.check(rows, count, classes)
    }
}

/// Runs tasks, each on whichever worker takes it: `work(worker, task)`.
fn round(pool: &mut Pool, tasks: usize, work: &(dyn Fn(usize, usize) + Sync)) {
    let deal = Deal::new(tasks);
    pool.run(&|worker| {
        while let Some(task) = deal.take() {
            work(worker, task);
        }
    });
}

/// One stage over a training batch.
fn forward(pool: &mut Pool, state: &State, index: usize, images: usize, draws: &Draws, moves: bool) {
    let lanes = state.plan.lanes;
    let slots = images.div_ceil(lanes);
    let stage = &state.plan.stages[index];
    let mode = state.mode(stage.part);
    let place = |task: usize, worker: usize, slot: usize| Place {
        task,
        worker,
        images: (images - slot * lanes).min(lanes),
    };
    if matches!(stage.kind, Kind::Dropout { .. }) && mode == Mode::Train {
        // SAFETY: each slot is one task's.
        round(pool, slots, &|worker, slot| unsafe {
            state.draw(index, slot, draws, place(slot, worker, slot));
        });
    }
    let norm = match &stage.kind {
        Kind::Moments(norm) => Some(*norm),
        Kind::Layer(layer) => state.plan.layers[*layer].norm,
        _ => None,
    };
    if matches!(stage.kind, Kind::Moments(_)) && mode != Mode::Train {
        return;
    }
    let units = state.units(index);
    let pieces = units.min(PIECES);
    if let Kind::Layer(layer) = stage.kind
        && state.plan.layers[layer].flat
    {
        // SAFETY: each piece's output channels are one task's.
        round(pool, pieces, &|worker, task| unsafe {
            state.layer(layer, 0, slots, piece(task, pieces, units), mode, place(task, worker, 0));
        });
        return;
    }
    let tasks = slots * pieces;
    // SAFETY: each piece of a slot is one task's; the stages before are done.
    round(pool, tasks, &|worker, task| unsafe {
        let slot = task / pieces;
        let part = piece(task % pieces, pieces, units);
        state.forward(index, slot, part, mode, place(task, worker, slot));
    });
    if let (Some(norm), Mode::Train) = (norm, mode) {
        // SAFETY: no worker is running.
        unsafe { state.norm_forward(norm, tasks, images, moves) };
    }
}

/// One operation of the backward pass over a batch.
fn backward(pool: &mut Pool, state: &State, back: &Back, images: usize) {
    let lanes = state.plan.lanes;
    let slots = images.div_ceil(lanes);
    if let Back::Norm { norm, frozen: true, .. } = back {
        // SAFETY: no worker is running.
        unsafe { state.norm_frozen(*norm) };
    }
    let tasks = state.tasks(back, slots);
    // SAFETY: each task is taken once; the operations before are done.
    round(pool, tasks, &|worker, index| unsafe {
        let task = state.task(back, index, slots);
        let slot = if let super::backward::Task::Part { slot, .. } = &task { *slot } else { 0 };
        let at = Place { task: index, worker, images: (images - slot * lanes).min(lanes) };
        state.back(back, task, slots, at);
    });
    // SAFETY: no worker is running.
    unsafe {
        match back {
            Back::Act { stage, .. } => {
                if let Kind::Point { terms, .. } = &state.plan.stages[*stage].kind
                    && state.mode(state.plan.stages[*stage].part) == Mode::Train
                {
                    for (kind, term) in terms.iter().enumerate() {
                        if let Some(norm) = term.norm {
                            state.norm_backward(norm, 1 + kind, tasks, images);
                        }
                    }
                }
            }
            Back::Stage { stage, .. } if state.scope.contains(state.plan.stages[*stage].part) => {
                state.group_gradients(*stage, slots);
            }
            _ => {}
        }
    }
}

fn scope(scope: crate::Scope) -> Scope {
    match scope {
        crate::Scope::All => Scope::All,
        crate::Scope::Encoder => Scope::Encoder,
        crate::Scope::Head => Scope::Head,
    }
}

/// A flat vector without the padding between tensors.
fn collect(plan: &Plan, flat: &[f32]) -> Vec<f32> {
    plan.tensors.iter().flat_map(|tensor| &flat[tensor.at..tensor.at + tensor.len]).copied().collect()
}

/// The inverse of [`collect`]; the padding is zeroed.
fn spread(what: &'static str, plan: &Plan, values: &[f32], flat: &mut [f32]) -> Result<(), Error> {
    length(what, values.len(), plan.tensors.iter().map(|tensor| tensor.len).sum())?;
    flat.fill(0.0);
    let mut rest = values;
    for tensor in &plan.tensors {
        let (own, behind) = rest.split_at(tensor.len);
        flat[tensor.at..tensor.at + tensor.len].copy_from_slice(own);
        rest = behind;
    }
    Ok(())
}

fn length(what: &'static str, got: usize, want: usize) -> Result<(), Error> {
    if got == want { Ok(()) } else { Err(Error::Length { what, got, want }) }
}
