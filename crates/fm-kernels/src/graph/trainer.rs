//! The public trainer of any network of the notation.

use fm_net::{Draws, Network, Scope};

use super::explain::StageReport;
use super::flat::{collect, length, spread};
use super::kernels::Kernels;
use super::lower::lower;
use super::state::State;
use super::steps::Source;
use super::update::Share;
use crate::kernels::Kernels as Base;
use crate::muon::Muon;
use crate::pool::Pool;
use crate::{Error, Isa, Moments, Options, Recipe, Targets, Totals};

/// A network of the notation in training.
///
/// Tensors, moments and gradients cross this edge as one flat vector: every tensor of
/// [`Network::tensors`], buffers included, in that order and PyTorch's layout. Results are bit-identical
/// for any number of threads.
pub struct GraphTrainer {
    pub(super) state: State,
    pub(super) base: &'static Base,
    pub(super) pool: Pool,
    pub(super) shares: Vec<Share>,
    pub(super) max_batch: usize,
    pub(super) isa: Isa,
    pub(super) recipe: Recipe,
    /// Where the phase's optimizer is one of matrices.
    pub(super) muon: Option<Muon>,
    pub(super) step: u64,
    pub(super) totals: Totals,
    /// Folded weights are up to date.
    pub(super) folded: bool,
    /// Seconds of each stage since the phase began, forward and backward; and of all else.
    pub(super) seconds: (Vec<[f64; 2]>, f64),
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
            muon: None,
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
        self.muon = recipe.muon(self.pool.workers(), || self.state.matrices())?;
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
}

fn scope(scope: crate::Scope) -> Scope {
    match scope {
        crate::Scope::All => Scope::All,
        crate::Scope::Encoder => Scope::Encoder,
        crate::Scope::Head => Scope::Head,
    }
}
