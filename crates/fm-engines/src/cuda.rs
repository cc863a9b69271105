//! The engine of this project's CUDA kernels, for the networks that they cover.
//!
//! Images lie on the device as bytes. Steps are only noted down; they are queued together, and what they leave is read
//! once an epoch. Results are the same bits in every run on a chip.

use std::sync::Arc;

use fm_cuda::driver::DriverError;
use fm_cuda::{Data, Error as CudaError, Gpu, Images, Mixed, Trainer, Tuning};
use fm_images::{Dataset, Labelled};
use fm_net::{NamedTensor, Network, Scope};
use fm_run::error::{Error, Kind, Result};
use fm_run::spec::Optimizer;
use fm_train::engine::{Device, Engine, Input, Machine, Setup, Source, State, Step, Totals, Want, no_data};
use fm_train::plan::Phase;

use crate::chain::chain;
use crate::flat::{self, flat, named};
use crate::parts::same_encoder;

/// Steps that are noted down before they are queued, where each brings images from the host: so many that launches
/// cost little, so few that the device does not wait for the first of them.
const QUEUED: usize = 64;
/// The only seed of an engine of its own.
const SEAT: usize = 0;

/// `fm-cuda` and the data that it trains on.
pub struct Cuda {
    trainer: Trainer,
    files: Option<Files>,
    network: Network,
    so_far: Totals,
    momentum: bool,
    average: bool,
    frozen: bool,
}

/// Both files of a data set, on the device.
struct Files {
    train: Arc<Data>,
    test: Arc<Data>,
}

/// Whether the kernels compute this network on this machine; if not, what stands in the way.
pub(crate) fn covers(network: &Network, machine: Machine) -> Result<(), String> {
    if !matches!(machine.device, Device::Cuda(_)) {
        return Err("it computes on CUDA devices alone".to_owned());
    }
    machine.in_fp32()?;
    Trainer::covers(&chain(network)?).map_err(|e| e.to_string())
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
    /// Opens the device and puts weights and data there.
    ///
    /// # Errors
    /// When the kernels do not cover the network (named), or the device cannot be used or has no room.
    pub fn new(network: &Network, weights: &[NamedTensor], setup: Setup<'_>) -> Result<Self> {
        let Setup { data, machine, batch_size, .. } = setup;
        fm_net::check(network, weights).map_err(|e| Error::new(Kind::Mismatch, e.to_string()))?;
        let uncovered = |why: String| Error::usage(format!("--engine cuda: not covered: {why}"));
        let chain = chain(network).map_err(uncovered)?;
        let Device::Cuda(index) = machine.device else {
            return Err(uncovered("it computes on CUDA devices alone".to_owned()));
        };
        let gpu = Gpu::open(index).map_err(failed)?;
        let mut trainer = Trainer::new(&gpu, &chain, 1, batch_size, Tuning::for_seeds(1)).map_err(failed)?;
        trainer.set_params(SEAT, &flat(network, weights)).map_err(failed)?;
        let files = data.map(|data| Files::of(&gpu, data)).transpose()?;
        let (momentum, average, frozen) = (false, false, false);
        let so_far = Totals::default();
        Ok(Self { trainer, files, network: network.clone(), so_far, momentum, average, frozen })
    }

    fn files(&self) -> Result<&Files> {
        self.files.as_ref().ok_or_else(no_data)
    }
}

impl Files {
    fn of(gpu: &Gpu, data: &Dataset) -> Result<Self> {
        let file = |file: &Labelled| {
            Data::new(gpu, &file.images, &file.labels, file.shape().len(), data.classes).map_err(failed)
        };
        Ok(Self { train: file(&data.train)?, test: file(&data.test)? })
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
        "cuda"
    }

    fn begin_phase(&mut self, _index: usize, phase: &Phase) -> Result<()> {
        let recipe = flat::recipe(phase)?;
        (self.momentum, self.average) = (phase.update.optimizer == Optimizer::Sgd, phase.ema.is_some());
        self.frozen = phase.scope == Scope::Head;
        self.trainer.begin(recipe).map_err(failed)
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        let train = Arc::clone(&self.files()?.train);
        if self.frozen && !self.trainer.encoded(SEAT) {
            self.trainer.encode(SEAT, &train).map_err(failed)?;
        }
        self.so_far = so_far;
        self.trainer.begin_epoch(SEAT, &train, order).map_err(failed)
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
        self.trainer.push(SEAT, begin, count, rates, mixed).map_err(failed)?;
        if mixed.is_some() && self.trainer.pending(SEAT) >= QUEUED {
            self.trainer.flush().map_err(failed)?;
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<Totals> {
        let sums = self.trainer.drain(SEAT).map_err(failed)?;
        let mut totals = self.so_far;
        totals.images += self.trainer.images(SEAT);
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
        let held;
        let images = match input {
            Input::Rows(source, rows) => {
                let files = self.files()?;
                if source == Source::Train && want == Want::Output && self.trainer.encoded(SEAT) {
                    Images::Codes(rows)
                } else {
                    held = Arc::clone(if source == Source::Train { &files.train } else { &files.test });
                    Images::Rows(&held, rows)
                }
            }
            Input::Images(pixels) => Images::Bytes(pixels),
        };
        match want {
            Want::Output => self.trainer.scores(SEAT, images),
            Want::Codes => self.trainer.codes(SEAT, images),
        }
        .map_err(failed)
    }

    fn weights(&mut self) -> Result<Vec<NamedTensor>> {
        Ok(named(&self.network, &self.trainer.params(SEAT).map_err(failed)?))
    }

    fn average(&mut self) -> Result<Vec<NamedTensor>> {
        Ok(named(&self.network, &self.trainer.average(SEAT).map_err(failed)?))
    }

    fn load(&mut self, weights: &[NamedTensor]) -> Result<()> {
        fm_net::check(&self.network, weights).map_err(|e| Error::new(Kind::Mismatch, e.to_string()))?;
        // Codes are those of one encoder.
        if self.trainer.encoded(SEAT) && !same_encoder(&self.weights()?, weights) {
            self.trainer.forget_codes(SEAT);
        }
        self.trainer.set_params(SEAT, &flat(&self.network, weights)).map_err(failed)
    }

    fn state(&mut self) -> Result<State> {
        let (weights, moments) = (self.weights()?, self.trainer.moments(SEAT).map_err(failed)?);
        let average = if self.average { Some(self.average()?) } else { None };
        Ok(flat::state(&self.network, weights, moments, average, self.momentum))
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let moments = flat::moments(&self.network, state, self.momentum)?;
        self.load(state.weights())?;
        if self.average {
            let average = flat::average(&self.network, state)?;
            self.trainer.set_average(SEAT, &average).map_err(failed)?;
        }
        self.trainer.set_moments(SEAT, &moments).map_err(failed)
    }
}
