//! The fused engine: `fm-kernels` on the CPU, for the networks that it covers.
//!
//! Data stay on the host as bytes; a step runs on the kernels' own threads and is done when it returns.
//! Results are the same bits for any number of threads.

use std::ops::Range;

use fm_data::Dataset;
use fm_kernels::{Adam, Error as KernelError, Moments, Options, Trainer};
use fm_models::{Network, Op, Scope, Weights};

use super::spilled::Spilled;
use super::{CodeStore, Engine, Source, State, Totals};
use crate::error::{Error, Kind, Result};
use crate::plan::Phase;

/// `fm-kernels` and the data that it trains on.
pub struct Fused<'a> {
    trainer: Trainer,
    data: &'a Dataset,
    network: Network,
    order: Vec<u32>,
    totals: Totals,
    steps: usize,
    frozen: bool,
    store: CodeStore<'a>,
    codes: Option<Codes>,
}

/// What a frozen encoder makes of the training file's images, a row an image, in the kernels' order.
enum Codes {
    Memory(Vec<f32>),
    Disk(Spilled),
}

/// Images that are encoded at once.
const ENCODE_BATCH: usize = 1000;

impl<'a> Fused<'a> {
    /// Whether the kernels cover `network` on this machine.
    #[must_use]
    pub fn covers(network: &Network) -> bool {
        (2..=256).contains(&network.classes) && kernel_network(network).parameters().is_ok()
    }

    /// Puts `weights` where the kernels want them; `batch_size` is the most rows that a step may have.
    ///
    /// # Errors
    /// When the kernels do not cover `network`, or a thread cannot be started.
    pub fn new(
        network: &Network,
        weights: &[Weights],
        data: &'a Dataset,
        threads: Option<usize>,
        batch_size: usize,
        store: CodeStore<'a>,
    ) -> Result<Self> {
        fm_models::check(network, weights).map_err(|e| Error::new(Kind::Mismatch, e.to_string()))?;
        let options = Options { threads: threads.unwrap_or(0), isa: None, max_batch: batch_size };
        let trainer =
            Trainer::new(&kernel_network(network), options, &flat(network, weights)).map_err(failed)?;
        let (network, totals) = (network.clone(), Totals::default());
        let (order, steps, frozen, codes) = (Vec::new(), 0, false, None);
        Ok(Self { trainer, data, network, order, totals, steps, frozen, store, codes })
    }

    /// Encodes the training file, once.
    fn encode(&mut self) -> Result<Codes> {
        let (images, len) = (&self.data.train.images, self.network.code_len());
        let rows: Vec<u32> = (0..self.data.train.len() as u32).collect();
        if self.store.in_memory(rows.len(), len) {
            let mut codes = vec![0.0; rows.len() * len];
            self.trainer.encode(images, &rows, &mut codes).map_err(failed)?;
            return Ok(Codes::Memory(codes));
        }
        let spilled = Spilled::new(self.store.dir, len)?;
        let mut codes = vec![0.0; ENCODE_BATCH * len];
        for part in rows.chunks(ENCODE_BATCH) {
            let codes = &mut codes[..part.len() * len];
            self.trainer.encode(images, part, codes).map_err(failed)?;
            spilled.write(part[0] as usize, codes)?;
        }
        Ok(Codes::Disk(spilled))
    }
}

/// The network in the kernels' words.
#[must_use]
pub fn kernel_network(network: &Network) -> fm_kernels::Network {
    let ops = || network.layers.iter().map(|layer| layer.op);
    fm_kernels::Network {
        height: network.spec.height,
        width: network.spec.width,
        conv: ops()
            .filter_map(|op| if let Op::Conv { filters } = op { Some(filters) } else { None })
            .collect(),
        dense: ops()
            .filter_map(|op| if let Op::Dense { units, .. } = op { Some(units) } else { None })
            .collect(),
    }
}

/// Every parameter in canonical order, one after the other: the order that the kernels use too.
fn flat(network: &Network, weights: &[Weights]) -> Vec<f32> {
    let of = |name: &str| weights.iter().find(|w| w.name == name).map_or(&[][..], |w| &w.data);
    network.params().flat_map(|p| of(&p.name)).copied().collect()
}

/// The inverse of [`flat`].
fn named(network: &Network, mut values: &[f32]) -> Vec<Weights> {
    let take = |p: &fm_models::Param| {
        let (data, rest) = values.split_at(p.count());
        values = rest;
        Weights { name: p.name.clone(), shape: p.shape.clone(), data: data.to_vec() }
    };
    network.params().map(take).collect()
}

#[expect(clippy::needless_pass_by_value, reason = "it is what map_err hands over")]
fn failed(error: KernelError) -> Error {
    let kind = if matches!(error, KernelError::Unsupported(_)) { Kind::Usage } else { Kind::Other };
    let error = Error::new(kind, format!("--engine fused: {error}"));
    if kind == Kind::Usage { error.help("use --engine eager") } else { error }
}

impl Engine for Fused<'_> {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn begin_phase(&mut self, phase: &Phase) -> Result<()> {
        let scope = match phase.scope {
            Scope::All => fm_kernels::Scope::All,
            Scope::Encoder => fm_kernels::Scope::Encoder,
            Scope::Head => fm_kernels::Scope::Head,
        };
        let adam = Adam { lr_encoder: phase.encoder_lr, lr_head: phase.lr, scope, ..Adam::default() };
        (self.frozen, self.codes) = (phase.scope == Scope::Head, None);
        self.trainer.begin(adam).map_err(failed)
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        self.order = order.to_vec();
        (self.totals, self.steps) = (so_far, 0);
        if self.frozen && self.codes.is_none() {
            self.codes = Some(self.encode()?);
        }
        Ok(())
    }

    fn step(&mut self, batch: Range<usize>) -> Result<()> {
        let train = &self.data.train;
        let rows = &self.order[batch];
        match &self.codes {
            None => self.trainer.step(&train.images, &train.labels, rows),
            Some(Codes::Memory(codes)) => self.trainer.step_codes(codes, &train.labels, rows),
            Some(Codes::Disk(spilled)) => {
                let labels: Vec<u8> = rows.iter().map(|&row| train.labels[row as usize]).collect();
                let here: Vec<u32> = (0..rows.len() as u32).collect();
                self.trainer.step_codes(&spilled.read(rows)?, &labels, &here)
            }
        }
        .map_err(failed)?;
        let step = self.trainer.drain();
        self.totals.loss_sum += step.loss;
        self.totals.correct += step.correct;
        self.totals.images += step.images;
        if step.non_finite {
            self.totals.diverged_at.get_or_insert(self.steps);
        }
        self.steps += 1;
        Ok(())
    }

    fn drain(&mut self) -> Result<Totals> {
        Ok(self.totals)
    }

    fn evaluate(&mut self, source: Source, rows: &[u32]) -> Result<Vec<f32>> {
        let data = if source == Source::Train { &self.data.train } else { &self.data.test };
        let mut logits = vec![0.0; rows.len() * self.network.classes];
        match &self.codes {
            Some(Codes::Memory(codes)) if source == Source::Train => {
                self.trainer.evaluate_codes(codes, rows, &mut logits)
            }
            _ => self.trainer.evaluate(&data.images, rows, &mut logits),
        }
        .map_err(failed)?;
        Ok(logits)
    }

    fn weights(&mut self) -> Result<Vec<Weights>> {
        Ok(named(&self.network, &self.trainer.params()))
    }

    fn state(&mut self) -> Result<State> {
        let Moments { m, v, step } = self.trainer.moments();
        let (m, v) = (named(&self.network, &m), named(&self.network, &v));
        Ok(State { weights: self.weights()?, m, v, step })
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.load(&state.weights)?;
        let (m, v) = (flat(&self.network, &state.m), flat(&self.network, &state.v));
        self.trainer.set_moments(&Moments { m, v, step: state.step }).map_err(failed)
    }

    fn load(&mut self, weights: &[Weights]) -> Result<()> {
        // Other weights may be another encoder, whose codes these are not.
        self.codes = None;
        self.trainer.set_params(&flat(&self.network, weights)).map_err(failed)
    }
}
