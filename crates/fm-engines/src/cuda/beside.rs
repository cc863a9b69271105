//! Runs of one process that train side by side on one device.
//!
//! Each run goes through [`train::run`](fm_train::train::run) on a thread of its own, as it would alone, with an engine
//! that has a seat here. Steps are only noted down by it. Once every run that is still there has come to the end of an
//! epoch (or of as many steps as are noted down at a time), the last to come queues the steps of all of them at once:
//!
//! ```text
//! run 0 ─ step step step … drain ┐              ┌ sums ─ validation, checkpoint ─ step …
//! run 1 ─ step step … drain ─────┼─ launches ───┼ sums ─ …
//! run 2 ─ step step step step … ─┘              └ …
//! ```
//! A run that ends, for whatever reason, gives up its seat, and the others continue without it. Runs may be at different
//! epochs, steps and phases: those that train in the same way share launches.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use fm_cuda::driver::{DeviceInfo, DriverError};
use fm_cuda::{Data, Error as CudaError, Gpu, Kept, Network, Trainer, Tuning};
use fm_images::{Dataset, Labelled};
use fm_net::{NamedTensor, Network as Whole, Scope};
use fm_run::error::{Error, Kind, Result};
use fm_train::Plan;
use fm_train::engine::{Engine, Setup};

use super::{Cuda, failed};
use crate::chain::chain;

/// A run's place on the device. The run has it from its beginning to its end, through all phases: the others wait for
/// it. Dropped, it is given up.
#[derive(Debug)]
pub struct Seat {
    number: usize,
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    seats: usize,
    state: Mutex<State>,
    /// The runs have met.
    met: Condvar,
}

#[derive(Debug)]
struct State {
    device: Option<Device>,
    trainers: Vec<Held>,
    /// Seats that are not given up, and those of them that wait for the others.
    live: usize,
    waiting: usize,
    /// How often they have met, and what came of it the last time.
    round: u64,
    queued: Result<(), CudaError>,
}

/// The device, and the data that is there.
#[derive(Debug)]
struct Device {
    index: usize,
    gpu: Arc<Gpu>,
    files: Option<(String, Files)>,
}

/// A trainer and how many seats use it: phases with networks of their own have trainers of their own.
#[derive(Debug)]
struct Held {
    network: Network,
    batch: usize,
    trainer: Trainer,
    users: usize,
}

/// Both files of a data set, on the device.
#[derive(Debug, Clone)]
pub(super) struct Files {
    pub(super) train: Arc<Data>,
    pub(super) test: Arc<Data>,
}

impl Seat {
    /// The seats of so many runs, which wait for each other from now on.
    #[must_use]
    pub fn beside(seats: usize) -> Vec<Arc<Self>> {
        let state =
            State { device: None, trainers: vec![], live: seats, waiting: 0, round: 0, queued: Ok(()) };
        let shared = Arc::new(Shared { seats, state: Mutex::new(state), met: Condvar::new() });
        (0..seats).map(|number| Arc::new(Self { number, shared: Arc::clone(&shared) })).collect()
    }

    /// The seat of a run by itself.
    pub(super) fn alone() -> Arc<Self> {
        Self::beside(1).remove(0)
    }

    /// Builds the engine `cuda` on this seat; as [`EngineDef::build`](fm_train::EngineDef::build).
    ///
    /// # Errors
    /// As [`Cuda::new`], and where the runs have other data or another device.
    pub fn build<'a>(
        self: &Arc<Self>,
        network: &Whole,
        weights: &[NamedTensor],
        setup: Setup<'_>,
    ) -> Result<Box<dyn Engine + 'a>> {
        Ok(Box::new(Cuda::on(Arc::clone(self), network, weights, setup)?))
    }

    /// How many runs there are beside this one.
    #[must_use]
    pub fn others(&self) -> usize {
        self.shared.seats - 1
    }

    /// Its number among the seats of a trainer.
    pub(super) fn number(&self) -> usize {
        self.number
    }

    /// Takes a place on the trainer for a network, and brings the data to the device.
    pub(super) fn join(
        &self,
        index: usize,
        network: &Network,
        batch: usize,
        data: Option<&Dataset>,
    ) -> Result<Option<Files>> {
        let mut state = self.shared.state();
        let joined = state.join(self.shared.seats, index, network, batch, data);
        joined.map_err(|error| self.explain(error))
    }

    /// Gives the place on a trainer up, and frees it where nobody has one any more.
    pub(super) fn part(&self, network: &Network, batch: usize) {
        let mut state = self.shared.state();
        if let Some(at) = state.at(network, batch) {
            state.trainers[at].trainer.leave(self.number);
            state.trainers[at].users -= 1;
            if state.trainers[at].users == 0 {
                state.trainers.remove(at);
            }
        }
    }

    /// Does something with the trainer of a network.
    pub(super) fn with<T>(
        &self,
        network: &Network,
        batch: usize,
        work: impl FnOnce(&mut Trainer) -> Result<T, CudaError>,
    ) -> Result<T> {
        let mut state = self.shared.state();
        let Some(at) = state.at(network, batch) else { unreachable!("it has joined") };
        work(&mut state.trainers[at].trainer).map_err(failed)
    }

    /// Waits until every run that is still there waits here too; then what all were given is queued.
    pub(super) fn meet(&self) -> Result<()> {
        let mut state = self.shared.state();
        state.waiting += 1;
        if state.waiting == state.live {
            self.shared.queue(&mut state);
        } else {
            let round = state.round;
            while state.round == round {
                state = self.shared.met.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
        }
        state.queued.clone().map_err(failed)
    }

    /// What else helps where several runs share a device.
    pub(super) fn explain(&self, error: Error) -> Error {
        if self.shared.seats > 1 && error.kind() == Kind::Device && error.message().starts_with("out of ") {
            return error.help("or let fewer runs train side by side: --beside");
        }
        error
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut state = self.shared.state();
        state.live -= 1;
        if state.live > 0 && state.waiting == state.live {
            self.shared.queue(&mut state);
        }
    }
}

impl Shared {
    /// A run that has panicked has ended, and its trainer's seat is the only thing that may be wrong.
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues what all were given, and lets them go on.
    fn queue(&self, state: &mut State) {
        state.queued = state.trainers.iter_mut().try_for_each(|held| held.trainer.flush());
        (state.waiting, state.round) = (0, state.round + 1);
        self.met.notify_all();
    }
}

impl State {
    fn at(&self, network: &Network, batch: usize) -> Option<usize> {
        self.trainers.iter().position(|held| held.batch == batch && held.network == *network)
    }

    fn join(
        &mut self,
        seats: usize,
        index: usize,
        network: &Network,
        batch: usize,
        data: Option<&Dataset>,
    ) -> Result<Option<Files>> {
        let device = match &mut self.device {
            Some(device) if device.index == index => device,
            Some(_) => return Err(Error::new(Kind::Other, "runs side by side on different devices")),
            none => none.insert(Device { index, gpu: Gpu::open(index).map_err(failed)?, files: None }),
        };
        let gpu = Arc::clone(&device.gpu);
        // The first network's memory before the data's: it is what a smaller batch makes smaller.
        if let Some(at) = self.at(network, batch) {
            self.trainers[at].users += 1;
        } else {
            let tuning = Tuning::for_seeds(seats);
            let trainer = Trainer::new(&gpu, network, seats, batch, tuning).map_err(failed)?;
            self.trainers.push(Held { network: network.clone(), batch, trainer, users: 1 });
        }
        let Some(data) = data else { return Ok(None) };
        let files = self.device.as_mut().map_or(Ok(None), |device| device.files_of(data).map(Some));
        if files.is_err() {
            // Nobody else counts on it.
            let at = self.at(network, batch);
            if let Some(held) = at.map(|at| &mut self.trainers[at]) {
                held.users -= 1;
            }
            self.trainers.retain(|held| held.users > 0);
        }
        files
    }
}

impl Device {
    fn files_of(&mut self, data: &Dataset) -> Result<Files> {
        let file = |file: &Labelled| {
            Data::new(&self.gpu, &file.images, &file.labels, file.shape().len(), data.classes).map_err(failed)
        };
        match &self.files {
            Some((of, files)) if *of == data.sha256 => Ok(files.clone()),
            Some(_) => Err(Error::new(Kind::Other, "runs side by side on different data sets")),
            None => {
                let files = Files { train: file(&data.train)?, test: file(&data.test)? };
                self.files = Some((data.sha256.clone(), files.clone()));
                Ok(files)
            }
        }
    }
}

/// How many runs of a plan fill CUDA device `index` side by side.
///
/// # Errors
/// When the kernels do not compute one of its networks, or there is no such device.
pub fn filling(index: usize, plan: &Plan) -> Result<usize> {
    let devices = crate::cuda_devices().map_err(|error| super::device_failed(&error))?;
    let count = devices.len();
    let device: Option<&DeviceInfo> = devices.get(index);
    let device = device.ok_or_else(|| super::device_failed(&DriverError::NoSuchDevice { index, count }))?;
    let mut least = usize::MAX;
    for phase in &plan.phases {
        let network = chain(&phase.network).map_err(Error::usage)?;
        let kept = match phase.scope {
            Scope::Head => Kept::Codes,
            _ if plan.augment.is_none() => Kept::Nothing,
            _ => Kept::Images,
        };
        let rows = plan.train_rows.len();
        let seats = Trainer::filling(device, &network, plan.batch_size, rows, kept).map_err(failed)?;
        least = least.min(seats);
    }
    Ok(least)
}
