//! The eager engine: libtorch kernel by kernel, for every architecture and device.
//!
//! Images live on the device as bytes and are gathered, cut and scaled there. Losses are written to a
//! vector on the device and read once an epoch, so that a GPU never waits for the host.

use std::ops::Range;

use fm_data::{Dataset, Resident};
use fm_models::{Net, Network, Scope, Weights};
use fm_torch::{Adam, AdamConfig};
use tch::{Device, Kind, Reduction, TchError, Tensor};

use super::{Engine, Source, State, Totals};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::plan::Phase;

/// Images in a forward pass outside training: large enough to keep a device busy, small enough that the
/// first layer's output stays in tens of megabytes.
const EVAL_BATCH: usize = 500;

/// libtorch, one kernel after the other.
#[derive(Debug)]
pub struct Eager {
    net: Net,
    train: Resident,
    test: Resident,
    crop: (i64, i64),
    device: Device,
    adam: Option<(Adam, f64)>,
    order: Tensor,
    losses: Tensor,
    correct: Tensor,
    batches: Vec<usize>,
    so_far: Totals,
    scope: Scope,
}

impl Eager {
    /// Puts data and model on `device`.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(network: &Network, weights: &[Weights], data: &Dataset, device: Device) -> Result<Self> {
        let (h, w) = network.seen();
        let net = Net::new(network, weights, device)?;
        for (_, tensor) in net.params(Scope::All) {
            if tensor.dim() == 4 {
                fm_torch::to_channels_last(&mut tensor.shallow_clone())?;
            }
        }
        Ok(Self {
            net,
            train: Resident::new(&data.train, device)?,
            test: Resident::new(&data.test, device)?,
            crop: (h as i64, w as i64),
            device,
            adam: None,
            order: Tensor::new(),
            losses: Tensor::new(),
            correct: Tensor::new(),
            batches: Vec::new(),
            so_far: Totals::default(),
            scope: Scope::All,
        })
    }

    fn rows(&self, rows: &[u32]) -> Result<Tensor, TchError> {
        let rows: Vec<i64> = rows.iter().copied().map(i64::from).collect();
        Tensor::f_from_slice(&rows)?.f_to_device(self.device)
    }
}

impl Engine for Eager {
    fn name(&self) -> &'static str {
        "eager"
    }

    fn begin_phase(&mut self, phase: &Phase) -> Result<()> {
        self.net.train_only(phase.scope);
        let mut params = Vec::new();
        for (_, tensor) in self.net.params(Scope::All) {
            fm_torch::drop_grad(&mut tensor.shallow_clone())?;
        }
        for (_, tensor) in self.net.params(phase.scope) {
            params.push(tensor.shallow_clone());
        }
        self.scope = phase.scope;
        self.adam = Some((Adam::new(AdamConfig::default(), params)?, phase.lr));
        Ok(())
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        self.so_far = so_far;
        self.order = self.rows(order)?;
        // As many steps as there are rows is the most there can be.
        self.losses = Tensor::f_zeros([order.len() as i64], (Kind::Float, self.device))?;
        self.correct = Tensor::f_zeros([] as [i64; 0], (Kind::Int64, self.device))?;
        self.batches.clear();
        Ok(())
    }

    fn step(&mut self, batch: Range<usize>) -> Result<()> {
        let Some((adam, lr)) = &mut self.adam else { unreachable!("begin_phase comes first") };
        let rows = self.order.f_narrow(0, batch.start as i64, batch.len() as i64)?;
        let (images, labels) = self.train.batch(&rows, self.crop)?;
        let logits = self.net.forward(&images)?;
        let loss = logits.f_cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, 0.0)?;
        loss.f_backward()?;
        adam.step(*lr)?;

        let _guard = tch::no_grad_guard();
        self.losses.f_narrow(0, self.batches.len() as i64, 1)?.f_copy_(&loss.f_detach()?.f_view(1)?)?;
        let hits = logits.f_argmax(1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Int64)?;
        let _ = self.correct.f_add_(&hits)?;
        self.batches.push(batch.len());
        Ok(())
    }

    fn drain(&mut self) -> Result<Totals> {
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

    fn evaluate(&mut self, source: Source, rows: &[u32]) -> Result<Vec<f32>> {
        let _guard = tch::no_grad_guard();
        let data = if source == Source::Train { &self.train } else { &self.test };
        let rows = self.rows(rows)?;
        let mut logits = Vec::new();
        for range in fm_data::batches(rows.size()[0] as usize, EVAL_BATCH) {
            let part = rows.f_narrow(0, range.start as i64, range.len() as i64)?;
            let (images, _) = data.batch(&part, self.crop)?;
            let out = self.net.forward(&images)?.f_to_device(Device::Cpu)?;
            logits.extend(Vec::<f32>::try_from(out.f_contiguous()?.f_view(-1)?)?);
        }
        Ok(logits)
    }

    fn weights(&mut self) -> Result<Vec<Weights>> {
        Ok(self.net.weights()?)
    }

    fn load(&mut self, weights: &[Weights]) -> Result<()> {
        Ok(self.net.load(weights)?)
    }

    fn state(&mut self) -> Result<State> {
        let Some((adam, _)) = &self.adam else { unreachable!("begin_phase comes first") };
        let (mut m, mut v) = (Vec::new(), Vec::new());
        for ((name, _), (first, second)) in self.net.params(self.scope).zip(adam.moments()) {
            m.push(fm_models::to_host(name, first)?);
            v.push(fm_models::to_host(name, second)?);
        }
        Ok(State { weights: self.net.weights()?, m, v, step: adam.steps() })
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.net.load(&state.weights)?;
        let names: Vec<&str> = self.net.params(self.scope).map(|(name, _)| name).collect();
        let of = |name: &str, group: &[Weights]| -> Result<Tensor> {
            let missing = || Error::new(ErrorKind::Mismatch, format!("no moments of {name}"));
            let found = group.iter().find(|w| w.name == name).ok_or_else(missing)?;
            let shape: Vec<i64> = found.shape.iter().map(|&n| n as i64).collect();
            Ok(Tensor::f_from_slice(&found.data)?.f_view(shape.as_slice())?)
        };
        let moments = names.iter().map(|name| Ok((of(name, &state.m)?, of(name, &state.v)?)));
        let moments = moments.collect::<Result<Vec<_>>>()?;
        let Some((adam, _)) = &mut self.adam else { unreachable!("begin_phase comes first") };
        Ok(adam.restore(state.step, &moments)?)
    }
}
