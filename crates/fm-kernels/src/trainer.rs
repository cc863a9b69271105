//! The public trainer.

use crate::kernels::Kernels;
use crate::layout::{collect, map};
use crate::muon::{Flat, Muon};
use crate::plan::{GROUP, Plan};
use crate::pool::Pool;
use crate::weights::State;
use crate::worker::{Batch, Group, Moving, Source, Towards, Use, round};
use crate::{Error, Isa, Network, Options, Recipe, Scope, Targets, Totals};

mod parameters;
mod scores;

/// Rows are numbered by 32 bits; far above what memory holds, and far below where a size could overflow.
const MAX_BATCH: usize = 1 << 31;

/// A network in training.
///
/// Parameters, moments and gradients cross this edge as one flat vector in PyTorch's order: for each
/// convolution `weight [out, in, 3, 3]` and `bias [out]`, then for each dense layer
/// `weight [out, in]` and `bias [out]`; the first dense layer's input is `(channel, y, x)`.
pub struct Trainer {
    state: State,
    pool: Pool,
    /// Internal index of each parameter.
    map: Vec<u32>,
    max_batch: usize,
    isa: Isa,
    recipe: Recipe,
    /// Where the phase's optimizer is one of matrices.
    muon: Option<Muon>,
    step: u64,
    /// Whether a moment may be other than zero. Those that never are take no memory.
    moved: bool,
    totals: Totals,
}

impl Trainer {
    /// A trainer that starts a phase of [`Recipe::default`] from the given parameters.
    ///
    /// # Errors
    /// When the network is impossible or not covered, the parameters have the wrong length, the
    /// instruction set is missing, a thread cannot be started, or memory does not suffice.
    pub fn new(network: &Network, options: Options, params: &[f32]) -> Result<Self, Error> {
        let plan = Plan::new(network)?;
        let isa = options.isa.unwrap_or_else(Isa::detect);
        let kernels = Kernels::of(isa).ok_or(Error::Isa(isa))?;
        if !(1..=MAX_BATCH).contains(&options.max_batch) {
            return Err(Error::Batch { got: options.max_batch, max: MAX_BATCH });
        }
        let map = map(&plan)?;
        length("parameters", params.len(), map.len())?;
        let threads = match options.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            threads => threads,
        };
        let pool = Pool::new(threads)?;
        let state = State::new(plan, kernels, options.max_batch, pool.workers())?;
        let max_batch = options.max_batch;
        let (recipe, totals) = (Recipe::default(), Totals::default());
        let mut trainer =
            Self { state, pool, map, max_batch, isa, recipe, muon: None, step: 0, moved: false, totals };
        trainer.set_params(params)?;
        Ok(trainer)
    }

    /// The network.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.state.plan.network
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

    /// Begins a new phase: fresh moments, step zero, fresh totals.
    ///
    /// # Errors
    /// [`Error::Recipe`] for settings that are no usable numbers.
    pub fn begin(&mut self, recipe: Recipe) -> Result<(), Error> {
        recipe.check()?;
        self.recipe = recipe;
        self.step = 0;
        self.totals = Totals::default();
        if std::mem::take(&mut self.moved) {
            self.state.m.all().fill(0.0);
            self.state.v.all().fill(0.0);
        }
        // Of what does not move, the average is what it is.
        if recipe.average.is_some() {
            self.state.average.all().copy_from_slice(self.state.params.all());
        }
        self.muon = recipe.muon(self.pool.workers(), || self.state.plan.matrices(recipe.moving()))?;
        // A frozen encoder leaves part of the derived weights behind.
        self.state.derive();
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

    /// One step on some rows of a resident set of `[N, height, width]` bytes and `[N]` labels.
    ///
    /// # Errors
    /// When a length, row or label does not fit; nothing has changed then.
    pub fn step<'a>(
        &mut self,
        images: &[u8],
        targets: impl Into<Targets<'a>>,
        rows: &[u32],
    ) -> Result<(), Error> {
        let targets = targets.into();
        self.check_images(images)?;
        let pixels = self.network().height * self.network().width;
        self.check_rows(rows, images.len() / pixels, Some(targets))?;
        self.train(Batch { source: Source::Images(images), rows }, targets);
        Ok(())
    }

    /// One step of the head on some rows of cached codes, `[N, features]` as from
    /// [`Trainer::encode`].
    ///
    /// # Errors
    /// When a length, row or label does not fit, or the scope is not [`Scope::Head`].
    pub fn step_codes(&mut self, codes: &[f32], labels: &[u8], rows: &[u32]) -> Result<(), Error> {
        if self.recipe.scope != Scope::Head {
            return Err(Error::Scope);
        }
        let count = self.check_codes(codes)?;
        let targets = labels.into();
        self.check_rows(rows, count, Some(targets))?;
        self.train(Batch { source: Source::Codes(codes), rows }, targets);
        Ok(())
    }

    /// What training has seen since the last call, or since the phase began.
    pub fn drain(&mut self) -> Totals {
        std::mem::take(&mut self.totals)
    }

    /// Mean loss and its gradient on some rows; nothing is updated. Meant for tests.
    ///
    /// # Errors
    /// When a length, row or label does not fit.
    pub fn gradients<'a>(
        &mut self,
        images: &[u8],
        targets: impl Into<Targets<'a>>,
        rows: &[u32],
    ) -> Result<(f64, Vec<f32>), Error> {
        let targets = targets.into();
        self.check_images(images)?;
        let pixels = self.network().height * self.network().width;
        self.check_rows(rows, images.len() / pixels, Some(targets))?;
        self.state.grad.all().fill(0.0);
        let moving = self.recipe.moving();
        self.halves(Batch { source: Source::Images(images), rows }, targets, moving, Use::Keep);
        let loss = self.state.losses.all()[..rows.len()].iter().map(|&loss| f64::from(loss)).sum::<f64>();
        Ok((loss / rows.len() as f64, collect(&self.map, self.state.grad.all())))
    }

    fn train(&mut self, batch: Batch<'_>, targets: Targets<'_>) {
        (self.step, self.moved) = (self.step + 1, true);
        let (moving, rules) = (self.recipe.moving(), self.recipe.rules(self.step));
        // Of a matrix the whole gradient comes before any update.
        let with = if self.muon.is_some() { Use::Keep } else { rules };
        self.halves(batch, targets, moving, with);
        if let Some(muon) = &self.muon {
            let (state, pool) = (&self.state, &mut self.pool);
            let flat = Flat { m: &state.m, grad: &state.grad, gemm: state.kernels.gemm };
            muon.run(pool, &flat);
            let tasks = &state.plan.tasks;
            // SAFETY: each task has its own parameters.
            round(pool, tasks.len(), &|_, task| unsafe { state.move_task(tasks[task], moving, rules) });
        }
        // In slot order, whoever computed them.
        let count = batch.rows.len();
        let sum = self.state.losses.all()[..count].iter().map(|&loss| f64::from(loss)).sum::<f64>();
        self.totals.loss += sum;
        self.totals.correct += self.state.hits.all()[..count].iter().map(|&hit| u64::from(hit)).sum::<u64>();
        self.totals.images += count as u64;
        self.totals.non_finite |= !sum.is_finite();
    }

    /// Both halves of a step.
    fn halves(&mut self, batch: Batch<'_>, targets: Targets<'_>, moving: Moving, with: Use) {
        let towards = Towards { targets, smoothing: self.recipe.smoothing as f32 };
        let state = &self.state;
        let count = batch.rows.len();
        let scale = 1.0 / count as f32;
        round(&mut self.pool, count.div_ceil(GROUP), &|worker, index| {
            let group = Group::of_batch(index, count);
            // SAFETY: each group has its own slots and each worker its own scratch; parameters
            // are only read in this half.
            unsafe {
                state.forward(worker, batch, &group);
                state.loss(towards, batch, &group, scale);
                state.backward(worker, &group, moving);
            }
        });
        let tasks = &state.plan.tasks;
        // SAFETY: each task has its own parameters and each worker its own scratch; the slots
        // are only read in this half.
        round(&mut self.pool, tasks.len(), &|worker, index| unsafe {
            state.task(worker, tasks[index], count, moving, with);
        });
    }

    fn check_images(&self, images: &[u8]) -> Result<(), Error> {
        let pixels = self.network().height * self.network().width;
        length("images (bytes)", images.len(), images.len() / pixels * pixels)
    }

    fn check_codes(&self, codes: &[f32]) -> Result<usize, Error> {
        let features = self.network().features()?;
        let count = codes.len() / features;
        length("codes", codes.len(), count * features)?;
        Ok(count)
    }

    /// Rows within the set; for training also the batch's size and the labels.
    fn check_rows(&self, rows: &[u32], count: usize, targets: Option<Targets<'_>>) -> Result<(), Error> {
        if let Some(&row) = rows.iter().find(|&&row| row as usize >= count) {
            return Err(Error::Row { row, rows: count });
        }
        let Some(targets) = targets else { return Ok(()) };
        if rows.is_empty() || rows.len() > self.max_batch {
            return Err(Error::Batch { got: rows.len(), max: self.max_batch });
        }
        targets.check(rows, count, self.network().classes())
    }
}

fn length(what: &'static str, got: usize, want: usize) -> Result<(), Error> {
    if got == want { Ok(()) } else { Err(Error::Length { what, got, want }) }
}
