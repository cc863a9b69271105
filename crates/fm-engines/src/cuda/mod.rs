//! The engine of this project's CUDA kernels, for the networks that they cover.
//!
//! Images lie on the device as bytes. Steps are only noted down; they are queued together, and what they leave is read
//! once an epoch. Results are the same bits in every run on a chip, and for a run beside others ([`beside`]).

mod beside;

use std::sync::Arc;

use fm_cuda::driver::DriverError;
use fm_cuda::{Error as CudaError, Images, Mixed, Network as Chain, SCORED_AT_ONCE, Trainer};
use fm_net::{NamedTensor, Network, Scope};
use fm_run::error::{Error, Kind, Result};
use fm_run::spec::Optimizer;
use fm_train::engine::{Device, Engine, Input, Machine, Setup, Source, State, Step, Totals, Want, no_data};
use fm_train::plan::Phase;

use crate::chain::chain;
use crate::flat::{self, flat, named};
use crate::parts::same_encoder;
use beside::Files;
pub use beside::{Seat, filling};

/// Steps that are noted down before they are queued, where each brings images from the host: so many that launches
/// cost little, so few that the device does not wait for the first of them.
const QUEUED: usize = 64;

/// A seat on a trainer of `fm-cuda`, and the data that it trains on.
pub struct Cuda {
    seat: Arc<Seat>,
    chain: Chain,
    batch: usize,
    files: Option<Files>,
    network: Network,
    so_far: Totals,
    /// The phase's.
    optimizer: Optimizer,
    average: bool,
    frozen: bool,
}

/// Whether the kernels compute this network on this machine; if not, what stands in the way.
pub(crate) fn covers(network: &Network, machine: Machine) -> Result<(), String> {
    if !matches!(machine.device, Device::Cuda(_)) {
        return Err("it computes on CUDA devices alone".to_owned());
    }
    machine.in_fp32()?;
    Trainer::covers(&chain(network)?).map_err(|e| e.to_string())
}

/// Whether the kernels have the phase's optimizer.
pub(crate) fn trains(phase: &Phase) -> Result<(), String> {
    match phase.update.optimizer {
        Optimizer::Muon => Err(format!("--optimizer {}", phase.update.optimizer.name())),
        _ => Ok(()),
    }
}

/// Builds the engine, as the list of engines has it.
pub(crate) fn build<'a>(
    network: &Network,
    weights: &[NamedTensor],
    setup: Setup<'a>,
) -> Result<Box<dyn Engine + 'a>> {
    Ok(Box::new(Cuda::new(network, weights, setup)?))
}

impl Cuda {
    /// Its name in the list of engines.
    pub const NAME: &'static str = "cuda";

    /// Opens the device and puts weights and data there.
    ///
    /// # Errors
    /// When the kernels do not cover the network (named), or the device cannot be used or has no room.
    pub fn new(network: &Network, weights: &[NamedTensor], setup: Setup<'_>) -> Result<Self> {
        Self::on(Seat::alone(), network, weights, setup)
    }

    /// The same on a seat beside others.
    fn on(seat: Arc<Seat>, network: &Network, weights: &[NamedTensor], setup: Setup<'_>) -> Result<Self> {
        let Setup { data, machine, batch_size: batch, .. } = setup;
        fm_net::check(network, weights).map_err(|e| Error::new(Kind::Mismatch, e.to_string()))?;
        let uncovered = |why: String| Error::usage(format!("--engine cuda: not covered: {why}"));
        let chain = chain(network).map_err(uncovered)?;
        let Device::Cuda(index) = machine.device else {
            return Err(uncovered("it computes on CUDA devices alone".to_owned()));
        };
        let files = seat.join(index, &chain, batch, data)?;
        let (optimizer, average, frozen) = (Optimizer::Adam, false, false);
        let (network, so_far) = (network.clone(), Totals::default());
        let engine = Self { seat, chain, batch, files, network, so_far, optimizer, average, frozen };
        engine.set(weights)?;
        Ok(engine)
    }

    fn files(&self) -> Result<&Files> {
        self.files.as_ref().ok_or_else(no_data)
    }

    /// Does something with the trainer, which is given the number of the seat.
    fn with<T>(&self, work: impl FnOnce(&mut Trainer, usize) -> Result<T, CudaError>) -> Result<T> {
        let done = self.seat.with(&self.chain, self.batch, |trainer| work(trainer, self.seat.number()));
        done.map_err(|error| self.seat.explain(error))
    }

    /// Says what helps where memory ran out beside training, where the size of a batch changes nothing.
    fn short_of_memory(&self, error: Error, doing: &str, more: &[&str]) -> Error {
        const ROOM: &str = "see with nvidia-smi what else uses the device and close it, use one with more memory, or --device cpu";
        let doing = format!("{doing}, {SCORED_AT_ONCE} images at a time whatever --batch-size is");
        self.seat.explain(error.out_of_memory_in(&doing, &[&[ROOM], more].concat()))
    }

    fn set(&self, weights: &[NamedTensor]) -> Result<()> {
        let values = flat(&self.network, weights);
        self.with(|trainer, seat| trainer.set_params(seat, &values))
    }
}

impl Drop for Cuda {
    fn drop(&mut self) {
        self.seat.part(&self.chain, self.batch);
    }
}

fn failed(error: CudaError) -> Error {
    match error {
        CudaError::Driver(error) => device_failed(&error),
        CudaError::Unsupported(why) => Error::usage(format!("--engine cuda: not covered: {why}"))
            .help("use --engine auto, which takes the fastest engine that covers the network"),
        error => Error::new(Kind::Other, format!("--engine cuda: {error}")),
    }
}

/// What a device's error is to a user.
pub(crate) fn device_failed(error: &DriverError) -> Error {
    Error::new(Kind::Device, error.to_string()).help(error.help())
}

impl Engine for Cuda {
    fn name(&self) -> &'static str {
        Self::NAME
    }

    fn begin_phase(&mut self, _index: usize, phase: &Phase) -> Result<()> {
        let recipe = flat::recipe(phase);
        (self.optimizer, self.average) = (phase.update.optimizer, phase.ema.is_some());
        self.frozen = phase.scope == Scope::Head;
        self.with(|trainer, seat| trainer.begin(seat, recipe))
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        let train = Arc::clone(&self.files()?.train);
        self.so_far = so_far;
        if self.frozen && !self.with(|trainer, seat| Ok(trainer.encoded(seat)))? {
            let encoded = self.with(|trainer, seat| trainer.encode(seat, &train));
            let disk = "use --engine eager, which keeps codes beyond --code-memory on the disk";
            encoded.map_err(|e| self.short_of_memory(e, "computing a frozen encoder's codes", &[disk]))?;
        }
        self.with(|trainer, seat| trainer.begin_epoch(seat, &train, order))
    }

    fn step(&mut self, step: &Step<'_>) -> Result<()> {
        let mixed = step.prepared.map(|prepared| Mixed {
            images: &prepared.pixels,
            labels: &prepared.labels,
            partners: &prepared.partners,
            shares: &prepared.lambda,
        });
        let rates = (step.rates.encoder, step.rates.head);
        let (begin, count) = (step.batch.start, step.batch.len());
        let pending = self.with(|trainer, seat| {
            trainer.push(seat, begin, count, rates, mixed)?;
            Ok(trainer.pending(seat))
        })?;
        if mixed.is_some() && pending >= QUEUED { self.seat.meet() } else { Ok(()) }
    }

    fn drain(&mut self) -> Result<Totals> {
        self.seat.meet()?;
        let (sums, images) = self.with(|trainer, seat| Ok((trainer.sums(seat)?, trainer.images(seat))))?;
        let mut totals = self.so_far;
        totals.images += images;
        for (step, sum) in sums.iter().enumerate() {
            totals.loss_sum += f64::from(sum.loss);
            totals.correct += sum.correct;
            if !sum.loss.is_finite() {
                totals.diverged_at.get_or_insert(step);
            }
        }
        Ok(totals)
    }

    fn infer(&mut self, input: Input<'_>, want: Want) -> Result<Vec<f32>> {
        let files = match input {
            Input::Rows(..) => Some(self.files()?),
            Input::Images(_) => None,
        };
        let inferred = self.with(|trainer, seat| {
            let images = match (input, files) {
                (Input::Rows(Source::Train, rows), _) if want == Want::Output && trainer.encoded(seat) => {
                    Images::Codes(rows)
                }
                (Input::Rows(Source::Train, rows), Some(files)) => Images::Rows(&files.train, rows),
                (Input::Rows(Source::Test, rows), Some(files)) => Images::Rows(&files.test, rows),
                (Input::Rows(..), None) => unreachable!("they are there for rows"),
                (Input::Images(pixels), _) => Images::Bytes(pixels),
            };
            match want {
                Want::Output => trainer.scores(seat, images),
                Want::Codes => trainer.codes(seat, images),
            }
        });
        inferred.map_err(|error| self.short_of_memory(error, "scoring", &[]))
    }

    fn weights(&mut self) -> Result<Vec<NamedTensor>> {
        Ok(named(&self.network, &self.with(|trainer, seat| trainer.params(seat))?))
    }

    fn average(&mut self) -> Result<Vec<NamedTensor>> {
        Ok(named(&self.network, &self.with(|trainer, seat| trainer.average(seat))?))
    }

    fn load(&mut self, weights: &[NamedTensor]) -> Result<()> {
        fm_net::check(&self.network, weights).map_err(|e| Error::new(Kind::Mismatch, e.to_string()))?;
        // Codes are those of one encoder.
        let encoded = self.with(|trainer, seat| Ok(trainer.encoded(seat)))?;
        if encoded && !same_encoder(&self.weights()?, weights) {
            self.with(|trainer, seat| {
                trainer.forget_codes(seat);
                Ok(())
            })?;
        }
        self.set(weights)
    }

    fn state(&mut self) -> Result<State> {
        let weights = self.weights()?;
        let moments = self.with(|trainer, seat| trainer.moments(seat))?;
        let average = if self.average { Some(self.average()?) } else { None };
        Ok(flat::state(&self.network, weights, moments, average, self.optimizer))
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let moments = flat::moments(&self.network, state, self.optimizer)?;
        self.load(state.weights())?;
        if self.average {
            let average = flat::average(&self.network, state)?;
            self.with(|trainer, seat| trainer.set_average(seat, &average))?;
        }
        self.with(|trainer, seat| trainer.set_moments(seat, &moments))
    }
}
