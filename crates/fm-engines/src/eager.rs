//! The eager engine: libtorch kernel by kernel, for every network and device.
//!
//! Images live on the device as bytes and are gathered, cut and scaled there. Losses are written to a
//! vector on the device and read once an epoch, so that a GPU never waits for the host.

mod average;
mod codes;
mod engine;
mod infer;

use fm_data::Resident;
use fm_images::{ImageShape, Labelled, Prepared};
use fm_models::{Mode, Net, NetError};
use fm_net::draws::Draws;
use fm_net::{Arch, NamedTensor, Network, Part, Scope};
use fm_run::error::{Error, Kind as ErrorKind};
use fm_run::spec::Precision;
use fm_train::engine::{CodeStore, Engine, Machine, Setup, Source, State, Step, Totals, no_data};
use fm_train::plan::{Objective, Phase};
use tch::{Device, Kind, Reduction, TchError, Tensor};

use crate::device::to_tch;
use crate::optimizer::{Optimizer, OptimizerDef, Param, asked};
use crate::parts::Parts;
use crate::torch::TorchError;
use average::Average;
use codes::Codes;
use infer::pass;

type Result<T, E = TorchError> = std::result::Result<T, E>;

/// libtorch, one kernel after the other.
#[derive(Debug)]
pub struct Eager<'a> {
    net: Net,
    /// The training file and the test file, where there is a data set.
    data: Option<(Resident, Resident)>,
    crop: (i64, i64),
    device: Device,
    /// Images in a forward pass outside training.
    pass: usize,
    /// The optimizer from outside, where there is one.
    given: Option<OptimizerDef>,
    /// The present phase's.
    optimizer: Option<(OptimizerDef, Box<dyn Optimizer>)>,
    average: Option<Average>,
    smoothing: f64,
    order: Tensor,
    losses: Tensor,
    correct: Tensor,
    batches: Vec<usize>,
    so_far: Totals,
    seed: u64,
    phase: u32,
    scope: Scope,
    objective: Objective,
    store: CodeStore<'a>,
    codes: Option<Codes>,
}

/// Whether libtorch computes this network here: every operator but those from outside.
pub(crate) fn covers(network: &Network, machine: Machine) -> Result<(), String> {
    if machine.device == fm_train::engine::Device::Cpu {
        machine.in_fp32()?;
    }
    Parts::default().covers(network)
}

/// Builds the engine, as the list of engines has it.
pub(crate) fn build<'a>(
    network: &Network,
    weights: &[NamedTensor],
    setup: Setup<'a>,
) -> Result<Box<dyn Engine + 'a>, Error> {
    Ok(Box::new(Eager::new(network, weights, setup)?))
}

impl<'a> Eager<'a> {
    /// Puts data and model on the device.
    ///
    /// # Errors
    /// When the device has no room, or an operator is not covered (named).
    pub fn new(network: &Network, weights: &[NamedTensor], setup: Setup<'a>) -> Result<Self> {
        Self::with(network, weights, setup, &Parts::default())
    }

    /// [`Eager::new`] with operators and an optimizer from outside.
    ///
    /// # Errors
    /// As for [`Eager::new`].
    pub fn with(network: &Network, weights: &[NamedTensor], setup: Setup<'a>, parts: &Parts) -> Result<Self> {
        let Setup { data, machine, seed, codes: store, .. } = setup;
        fm_torch::flush_denormals();
        crate::threads::set_threads(machine.threads)?;
        fm_torch::allow_tf32(machine.precision == Precision::Tf32)?;
        let device = to_tch(machine.device)?;
        let (h, w) = network.seen();
        let net = Net::with_ops(network, weights, device, &parts.ops).map_err(|e| match e {
            NetError::NotCovered(_) => {
                let why = parts.covers(network).err().unwrap_or_default();
                Error::usage(format!("--engine eager: not covered: {why}"))
            }
            NetError::Torch(e) => crate::torch::failed(&e),
        })?;
        for (_, tensor) in net.params(Scope::All) {
            if tensor.dim() == 4 {
                fm_torch::to_channels_last(&mut tensor.shallow_clone())?;
            }
        }
        Ok(Self {
            net,
            data: match data {
                Some(data) => Some((Resident::new(&data.train, device)?, Resident::new(&data.test, device)?)),
                None => None,
            },
            crop: (h as i64, w as i64),
            device,
            pass: pass(network, device),
            given: parts.optimizer,
            optimizer: None,
            average: None,
            smoothing: 0.0,
            order: Tensor::new(),
            losses: Tensor::new(),
            correct: Tensor::new(),
            batches: Vec::new(),
            so_far: Totals::default(),
            seed,
            phase: 0,
            scope: Scope::All,
            objective: Objective::Classify,
            store,
            codes: None,
        })
    }

    /// What helps where memory runs out that does not depend on the size of a batch.
    fn room(&self) -> &'static str {
        if self.device == Device::Cpu {
            "use a machine with more memory, or raise the limit (ulimit -v)"
        } else {
            "see with nvidia-smi what else uses the device and close it, use one with more memory, or --device cpu"
        }
    }

    fn data(&self, source: Source) -> Result<&Resident> {
        let (train, test) = self.data.as_ref().ok_or_else(no_data)?;
        Ok(if source == Source::Train { train } else { test })
    }

    /// Output for `rows` of a file, the images (none where codes stand for them) and their labels.
    fn forward(&self, source: Source, rows: &Tensor, mode: Mode<'_>) -> Result<(Tensor, Tensor, Tensor)> {
        let data = self.data(source)?;
        match &self.codes {
            Some(codes) if source == Source::Train => {
                let labels = data.labels().f_index_select(0, rows)?;
                Ok((self.net.decode(&codes.of(rows)?, mode)?, Tensor::new(), labels))
            }
            _ => {
                let (images, labels) = data.batch(rows, self.crop)?;
                Ok((self.net.forward(&images, mode)?, images, labels))
            }
        }
    }

    /// Output for images that were augmented on the host, the images and their labels.
    fn forward_prepared(&self, prepared: &Prepared, mode: Mode<'_>) -> Result<(Tensor, Tensor, Tensor)> {
        let Arch { height, width, channels, .. } = self.net.network().arch;
        let shape = ImageShape { channels, height, width };
        let file = Labelled::new(prepared.pixels.clone(), prepared.labels.clone(), shape);
        let batch = Resident::new(&file, self.device)?;
        let rows = Tensor::f_arange(batch.len() as i64, (Kind::Int64, self.device))?;
        let (images, labels) = batch.batch(&rows, self.crop)?;
        Ok((self.net.forward(&images, mode)?, images, labels))
    }

    /// Each image's share of its own class and of its partner's, `[n, classes]`.
    fn mixed(&self, labels: &Tensor, prepared: &Prepared, output: &Tensor) -> Result<Tensor> {
        let host = |tensor: Tensor| tensor.f_to_device(self.device)?.f_view([-1, 1]);
        let partners = host(Tensor::f_from_slice(&prepared.partners)?.f_to_kind(Kind::Int64)?)?;
        let share = host(Tensor::f_from_slice(&prepared.lambda)?)?;
        let rest = share.f_neg()?.f_add_scalar(1.0)?;
        let own = output.f_detach()?.f_zeros_like()?.f_scatter_add(1, &labels.f_view([-1, 1])?, &share)?;
        Ok(own.f_scatter_add(1, &partners, &rest)?)
    }

    fn rows(&self, rows: &[u32]) -> Result<Tensor, TchError> {
        let rows: Vec<i64> = rows.iter().copied().map(i64::from).collect();
        Tensor::f_from_slice(&rows)?.f_to_device(self.device)
    }

    fn try_begin_phase(&mut self, index: usize, phase: &Phase) -> Result<()> {
        self.net.train_only(phase.scope);
        for (_, tensor) in self.net.params(Scope::All) {
            fm_torch::drop_grad(&mut tensor.shallow_clone())?;
        }
        // Dropped before the next is built: there may not be room for two.
        self.optimizer = None;
        let params = self.net.params(phase.scope).map(|(name, tensor)| Param {
            name: name.to_owned(),
            part: Part::ALL.into_iter().find(|part| part.owns(name)).unwrap_or(Part::Head),
            tensor: tensor.shallow_clone(),
        });
        let def = self.given.unwrap_or_else(|| asked(&phase.update));
        self.optimizer = Some((def, (def.build)(params.collect(), &phase.update)?));
        self.average = phase.ema.map(|decay| Average::new(decay, &self.net)).transpose()?;
        self.smoothing = phase.label_smoothing;
        self.phase = index as u32;
        (self.scope, self.objective, self.codes) = (phase.scope, phase.objective, None);
        Ok(())
    }

    fn try_begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        self.so_far = so_far;
        self.order = self.rows(order)?;
        // As many steps as there are rows is the most there can be.
        self.losses = Tensor::f_zeros([order.len() as i64], (Kind::Float, self.device))?;
        self.correct = Tensor::f_zeros([] as [i64; 0], (Kind::Int64, self.device))?;
        self.batches.clear();
        if self.scope == Scope::Head && self.codes.is_none() {
            let train = self.data(Source::Train)?;
            self.codes = Some(Codes::new(&self.net, train, self.crop, self.device, self.pass, self.store)?);
        }
        Ok(())
    }

    fn try_step(&mut self, step: &Step<'_>) -> Result<()> {
        let (start, len) = (step.batch.start as i64, step.batch.len());
        let rows = self.order.f_narrow(0, start, len as i64)?;
        let draws = Draws { seed: self.seed, phase: self.phase, step: step.number };
        let mode = Mode::Train(&draws);
        let (output, images, labels) = match step.prepared {
            Some(prepared) => self.forward_prepared(prepared, mode)?,
            None => self.forward(Source::Train, &rows, mode)?,
        };
        let loss = match self.objective {
            Objective::Classify => {
                let targets = match step.prepared {
                    Some(prepared) if !prepared.lambda.is_empty() => {
                        self.mixed(&labels, prepared, &output)?
                    }
                    _ => labels.shallow_clone(),
                };
                output.f_cross_entropy_loss::<Tensor>(
                    &targets,
                    None,
                    Reduction::Mean,
                    -100,
                    self.smoothing,
                )?
            }
            Objective::Reconstruct => output.f_mse_loss(&images, Reduction::Mean)?,
        };
        loss.f_backward()?;
        if let Some((_, optimizer)) = &mut self.optimizer {
            optimizer.step(step.rates)?;
        }
        if let Some(average) = &mut self.average {
            average.update(&self.net)?;
        }

        let _guard = tch::no_grad_guard();
        self.losses.f_narrow(0, self.batches.len() as i64, 1)?.f_copy_(&loss.f_detach()?.f_view(1)?)?;
        if self.objective == Objective::Classify {
            let hits = output.f_argmax(1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Int64)?;
            let _ = self.correct.f_add_(&hits)?;
        }
        self.batches.push(len);
        Ok(())
    }

    fn try_drain(&mut self) -> Result<Totals> {
        let losses = self.losses.f_narrow(0, 0, self.batches.len() as i64)?.f_to_device(Device::Cpu)?;
        let losses = Vec::<f32>::try_from(losses)?;
        let correct = i64::try_from(&self.correct.f_to_device(Device::Cpu)?)?;
        let means = losses.iter().map(|&loss| f64::from(loss));
        // Added one by one to what went before, so that an interrupted epoch ends with the same bits.
        let add = |sum: f64, (mean, &n): (f64, &usize)| sum + mean * n as f64;
        Ok(Totals {
            loss_sum: means.zip(&self.batches).fold(self.so_far.loss_sum, add),
            correct: self.so_far.correct + u64::try_from(correct).unwrap_or(0),
            images: self.so_far.images + self.batches.iter().map(|&n| n as u64).sum::<u64>(),
            diverged_at: losses.iter().position(|loss| !loss.is_finite()),
        })
    }

    fn try_state(&mut self) -> Result<State> {
        let weights = State::of(self.net.tensors()?);
        let state = match &self.optimizer {
            Some((_, optimizer)) => weights.join(optimizer.state()?)?,
            None => weights,
        };
        self.average.iter().try_fold(state, |state, average| average.state(state))
    }

    fn try_restore(&mut self, state: &State) -> Result<()> {
        self.load(state.weights())?;
        let Some((def, optimizer)) = &mut self.optimizer else {
            return Err(Error::new(ErrorKind::Other, "a state was restored before a phase began").into());
        };
        optimizer.restore(state)?;
        let own = optimizer.state()?;
        state.kept_by(def.name, |group| own.groups.contains_key(group))?;
        self.average.iter_mut().try_for_each(|average| average.restore(state))
    }
}
