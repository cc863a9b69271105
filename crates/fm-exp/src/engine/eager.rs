//! The eager engine: libtorch kernel by kernel, for every architecture and device.
//!
//! Images live on the device as bytes and are gathered, cut and scaled there. Losses are written to a
//! vector on the device and read once an epoch, so that a GPU never waits for the host.

use std::ops::Range;

use fm_data::{Dataset, Resident};
use fm_models::{Net, Network, Scope, Weights};
use fm_torch::{Adam, AdamConfig};
use tch::{Device, Kind, Reduction, TchError, Tensor};

use super::spilled::Spilled;
use super::{CodeStore, Engine, Source, State, Totals};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::plan::{Objective, Phase};

/// Images in a forward pass outside training: large enough to keep a device busy, small enough that the
/// first layer's output stays in tens of megabytes.
const EVAL_BATCH: usize = 500;

/// libtorch, one kernel after the other.
#[derive(Debug)]
pub struct Eager<'a> {
    net: Net,
    train: Resident,
    test: Resident,
    crop: (i64, i64),
    device: Device,
    /// Of the encoder and of what follows it, as far as they train, with their rates.
    adams: Vec<(Scope, Adam, f64)>,
    order: Tensor,
    losses: Tensor,
    correct: Tensor,
    batches: Vec<usize>,
    so_far: Totals,
    scope: Scope,
    objective: Objective,
    store: CodeStore<'a>,
    codes: Option<Codes>,
}

/// What a frozen encoder makes of the training file's images, a row an image.
#[derive(Debug)]
enum Codes {
    Device(Tensor),
    Disk(Spilled),
}

impl<'a> Eager<'a> {
    /// Puts data and model on `device`.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(
        network: &Network,
        weights: &[Weights],
        data: &Dataset,
        device: Device,
        store: CodeStore<'a>,
    ) -> Result<Self> {
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
            adams: Vec::new(),
            order: Tensor::new(),
            losses: Tensor::new(),
            correct: Tensor::new(),
            batches: Vec::new(),
            so_far: Totals::default(),
            scope: Scope::All,
            objective: Objective::Classify,
            store,
            codes: None,
        })
    }

    /// Encodes the training file, once.
    fn encode(&self) -> Result<Codes> {
        let _guard = tch::no_grad_guard();
        let (n, len) = (self.train.len(), self.net.network().code_len());
        let codes = if self.store.in_memory(n, len) {
            Codes::Device(Tensor::f_empty([n as i64, len as i64], (Kind::Float, self.device))?)
        } else {
            Codes::Disk(Spilled::new(self.store.dir, len)?)
        };
        for part in fm_data::batches(n, EVAL_BATCH) {
            let (first, count) = (part.start, part.len() as i64);
            let rows: Vec<u32> = (part.start as u32..part.end as u32).collect();
            let (images, _) = self.train.batch(&self.rows(&rows)?, self.crop)?;
            let values = self.net.encode(&images)?;
            match &codes {
                Codes::Device(all) => all.f_narrow(0, first as i64, count)?.f_copy_(&values)?,
                Codes::Disk(spilled) => spilled.write(first, &fm_models::to_host("codes", &values)?.data)?,
            }
        }
        Ok(codes)
    }

    /// Codes of `rows`, `[rows, code_len]` on the device.
    fn codes_of(&self, codes: &Codes, rows: &Tensor) -> Result<Tensor> {
        match codes {
            Codes::Device(all) => Ok(all.f_index_select(0, rows)?),
            Codes::Disk(spilled) => {
                let rows = Vec::<i64>::try_from(rows.f_to_device(Device::Cpu)?)?;
                let rows: Vec<u32> = rows.into_iter().map(|row| row as u32).collect();
                let values = Tensor::f_from_slice(&spilled.read(&rows)?)?;
                Ok(values.f_view([rows.len() as i64, -1])?.f_to_device(self.device)?)
            }
        }
    }

    /// Output for `rows` of `data`, the images and their labels.
    fn forward(&self, data: &Resident, rows: &Tensor) -> Result<(Tensor, Tensor, Tensor)> {
        match &self.codes {
            Some(codes) if std::ptr::eq(data, &raw const self.train) => {
                let labels = data.labels().f_index_select(0, rows)?;
                Ok((self.net.decode(&self.codes_of(codes, rows)?)?, Tensor::new(), labels))
            }
            _ => {
                let (images, labels) = data.batch(rows, self.crop)?;
                Ok((self.net.forward(&images)?, images, labels))
            }
        }
    }

    fn rows(&self, rows: &[u32]) -> Result<Tensor, TchError> {
        let rows: Vec<i64> = rows.iter().copied().map(i64::from).collect();
        Tensor::f_from_slice(&rows)?.f_to_device(self.device)
    }
}

impl Engine for Eager<'_> {
    fn name(&self) -> &'static str {
        "eager"
    }

    fn begin_phase(&mut self, phase: &Phase) -> Result<()> {
        self.net.train_only(phase.scope);
        for (_, tensor) in self.net.params(Scope::All) {
            fm_torch::drop_grad(&mut tensor.shallow_clone())?;
        }
        self.adams.clear();
        for (part, rate) in [(Scope::Encoder, phase.encoder_lr), (Scope::Head, phase.lr)] {
            if phase.scope == Scope::All || phase.scope == part {
                let params = self.net.params(part).map(|(_, tensor)| tensor.shallow_clone()).collect();
                self.adams.push((part, Adam::new(AdamConfig::default(), params)?, rate));
            }
        }
        (self.scope, self.objective, self.codes) = (phase.scope, phase.objective, None);
        Ok(())
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        self.so_far = so_far;
        self.order = self.rows(order)?;
        // As many steps as there are rows is the most there can be.
        self.losses = Tensor::f_zeros([order.len() as i64], (Kind::Float, self.device))?;
        self.correct = Tensor::f_zeros([] as [i64; 0], (Kind::Int64, self.device))?;
        self.batches.clear();
        if self.scope == Scope::Head && self.codes.is_none() {
            self.codes = Some(self.encode()?);
        }
        Ok(())
    }

    fn step(&mut self, batch: Range<usize>) -> Result<()> {
        let rows = self.order.f_narrow(0, batch.start as i64, batch.len() as i64)?;
        let (output, images, labels) = self.forward(&self.train, &rows)?;
        let loss = match self.objective {
            Objective::Classify => {
                output.f_cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, 0.0)?
            }
            Objective::Reconstruct => output.f_mse_loss(&images, Reduction::Mean)?,
        };
        loss.f_backward()?;
        for (_, adam, rate) in &mut self.adams {
            adam.step(*rate)?;
        }

        let _guard = tch::no_grad_guard();
        self.losses.f_narrow(0, self.batches.len() as i64, 1)?.f_copy_(&loss.f_detach()?.f_view(1)?)?;
        if self.objective == Objective::Classify {
            let hits = output.f_argmax(1, false)?.f_eq_tensor(&labels)?.f_sum(Kind::Int64)?;
            let _ = self.correct.f_add_(&hits)?;
        }
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
            let out = self.forward(data, &part)?.0.f_to_device(Device::Cpu)?;
            logits.extend(Vec::<f32>::try_from(out.f_contiguous()?.f_view(-1)?)?);
        }
        Ok(logits)
    }

    fn weights(&mut self) -> Result<Vec<Weights>> {
        Ok(self.net.weights()?)
    }

    fn load(&mut self, weights: &[Weights]) -> Result<()> {
        // Other weights may be another encoder, whose codes these are not.
        self.codes = None;
        Ok(self.net.load(weights)?)
    }

    fn state(&mut self) -> Result<State> {
        let (mut m, mut v, mut step) = (Vec::new(), Vec::new(), 0);
        for (part, adam, _) in &self.adams {
            for ((name, _), (first, second)) in self.net.params(*part).zip(adam.moments()) {
                m.push(fm_models::to_host(name, first)?);
                v.push(fm_models::to_host(name, second)?);
            }
            step = adam.steps();
        }
        Ok(State { weights: self.net.weights()?, m, v, step })
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.load(&state.weights)?;
        let of = |name: &str, group: &[Weights]| -> Result<Tensor> {
            let missing = || Error::new(ErrorKind::Mismatch, format!("no moments of {name}"));
            let found = group.iter().find(|w| w.name == name).ok_or_else(missing)?;
            let shape: Vec<i64> = found.shape.iter().map(|&n| n as i64).collect();
            Ok(Tensor::f_from_slice(&found.data)?.f_view(shape.as_slice())?)
        };
        for (part, adam, _) in &mut self.adams {
            let names = self.net.params(*part).map(|(name, _)| name);
            let moments = names.map(|name| Ok((of(name, &state.m)?, of(name, &state.v)?)));
            adam.restore(state.step, &moments.collect::<Result<Vec<_>>>()?)?;
        }
        Ok(())
    }
}
