//! The fused engine: `fm-kernels` on the CPU, for the networks that it covers.
//!
//! Data stay on the host as bytes; a step runs on the kernels' own threads and is done when it returns.
//! Results are the same bits for any number of threads.

use fm_images::{Dataset, Prepared};
use fm_kernels::{Error as KernelError, Options, Targets};
use fm_net::{Arch, Draws, NamedTensor, Network, Op, Scope};
use fm_run::error::{Error, Kind, Result};
use fm_run::memory;
use fm_run::spec::Optimizer;
use fm_train::engine::{
    CodeStore, Device, Engine, Input, Machine, Setup, Source, Stage, State, Step, Totals, Want, no_data,
};
use fm_train::plan::Phase;

use crate::flat::{self, flat, named, values};
use crate::kernels::Kernels;
use crate::parts::same_encoder;
use crate::spilled::Spilled;

/// `fm-kernels` and the data that it trains on.
pub struct Fused<'a> {
    trainer: Kernels,
    data: Option<&'a Dataset>,
    network: Network,
    order: Vec<u32>,
    /// Rows of a batch that is handed over as images.
    rows: Vec<u32>,
    totals: Totals,
    steps: usize,
    /// The phase's.
    optimizer: Optimizer,
    /// Whether the phase keeps a moving average.
    average: bool,
    frozen: bool,
    store: CodeStore<'a>,
    codes: Option<Codes>,
    seed: u64,
    phase: u32,
}

/// What a frozen encoder makes of the training file's images, a row an image, in the kernels' order.
enum Codes {
    Memory(Vec<f32>),
    Disk(Spilled),
}

/// Images that are encoded at once.
const ENCODE_BATCH: usize = 1000;

/// Whether the kernels compute this network here; if not, what stands in the way.
pub(crate) fn covers(network: &Network, machine: Machine) -> Result<(), String> {
    if machine.device != Device::Cpu {
        return Err("it computes on the CPU alone".to_owned());
    }
    machine.in_fp32()?;
    Kernels::covers(network).map_err(|e| match e {
        KernelError::Unsupported(why) => why,
        e => e.to_string(),
    })
}

/// Builds the engine, as the list of engines has it.
pub(crate) fn build<'a>(
    network: &Network,
    weights: &[NamedTensor],
    setup: Setup<'a>,
) -> Result<Box<dyn Engine + 'a>> {
    Ok(Box::new(Fused::new(network, weights, setup)?))
}

impl<'a> Fused<'a> {
    /// Puts the weights where the kernels want them.
    ///
    /// # Errors
    /// When the kernels do not cover the network (named), or a thread cannot be started.
    pub fn new(network: &Network, weights: &[NamedTensor], setup: Setup<'a>) -> Result<Self> {
        let Setup { data, machine, batch_size, codes: store, seed, .. } = setup;
        fm_net::check(network, weights).map_err(|e| Error::new(Kind::Mismatch, e.to_string()))?;
        let threads = machine.threads.unwrap_or(0);
        let options = Options { threads, isa: None, max_batch: batch_size };
        memory::room_for(4 * values(network), "a copy of the weights")?;
        let trainer = Kernels::new(network, options, &flat(network, weights)).map_err(failed)?;
        Ok(Self {
            trainer,
            data,
            network: network.clone(),
            order: Vec::new(),
            rows: Vec::new(),
            totals: Totals::default(),
            steps: 0,
            optimizer: Optimizer::Adam,
            average: false,
            frozen: false,
            store,
            codes: None,
            seed,
            phase: 0,
        })
    }

    /// Encodes the training file, once.
    fn encode(&mut self) -> Result<Codes> {
        let train = &self.data.ok_or_else(no_data)?.train;
        let (images, len) = (&train.images, self.network.code_len());
        let rows: Vec<u32> = (0..train.len() as u32).collect();
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

    /// Codes as the kernels have them, perhaps (row, column, channel), in (channel, row, column) order.
    fn channels_first(&self, codes: &[f32]) -> Vec<f32> {
        let len = self.network.code_len();
        if !self.trainer.channels_last() {
            return codes.to_vec();
        }
        let last = self.network.nodes.iter().rfind(|node| matches!(node.op, Op::Conv { .. }));
        let channels = last.map_or(1, |node| node.output.channels());
        let places = len / channels;
        let image = |code: &[f32]| -> Vec<f32> {
            (0..len).map(|i| code[(i % places) * channels + i / places]).collect()
        };
        codes.chunks_exact(len).flat_map(image).collect()
    }
}

fn failed(error: KernelError) -> Error {
    match error {
        KernelError::Unsupported(why) => {
            Error::usage(format!("--engine fused: not covered: {why}")).help("use --engine eager")
        }
        KernelError::Memory { .. } => memory::no_room(format!("--engine fused: {error}")),
        KernelError::Threads(_) => Error::new(Kind::Device, format!("--engine fused: {error}"))
            .help("use fewer --threads, or raise the limit on processes (ulimit -u)"),
        error => Error::new(Kind::Other, format!("--engine fused: {error}")),
    }
}

impl Engine for Fused<'_> {
    fn name(&self) -> &'static str {
        "fused"
    }

    fn begin_phase(&mut self, index: usize, phase: &Phase) -> Result<()> {
        (self.optimizer, self.average) = (phase.update.optimizer, phase.ema.is_some());
        // A reconstruction is compared with the image, so that codes alone do not do.
        let frozen = phase.scope == Scope::Head && !self.network.reconstructs();
        (self.phase, self.frozen, self.codes) = (index as u32, frozen, None);
        self.trainer.begin(flat::recipe(phase)).map_err(failed)
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        self.order = order.to_vec();
        (self.totals, self.steps) = (so_far, 0);
        if self.frozen && self.codes.is_none() {
            self.codes = Some(self.encode()?);
        }
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>) -> Result<()> {
        let train = &self.data.ok_or_else(no_data)?.train;
        let rows = &self.order[step.batch.clone()];
        self.trainer.set_rates(step.rates.encoder, step.rates.head).map_err(failed)?;
        let draws = Draws { seed: self.seed, phase: self.phase, step: step.number };
        match &self.codes {
            None => match step.prepared {
                Some(prepared) => {
                    let Prepared { pixels, labels, partners, lambda, .. } = prepared;
                    let mixed = (!lambda.is_empty()).then_some((partners.as_slice(), lambda.as_slice()));
                    self.rows.clear();
                    self.rows.extend(0..rows.len() as u32);
                    self.trainer.step(pixels, Targets { labels, mixed }, &self.rows, &draws)
                }
                None => self.trainer.step(&train.images, (&train.labels).into(), rows, &draws),
            },
            Some(Codes::Memory(codes)) => self.trainer.step_codes(codes, &train.labels, rows, &draws),
            Some(Codes::Disk(spilled)) => {
                let labels: Vec<u8> = rows.iter().map(|&row| train.labels[row as usize]).collect();
                let here: Vec<u32> = (0..rows.len() as u32).collect();
                self.trainer.step_codes(&spilled.read(rows)?, &labels, &here, &draws)
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

    fn stages(&self) -> Vec<Stage> {
        self.trainer.stages()
    }

    fn infer(&mut self, input: Input<'_>, want: Want) -> Result<Vec<f32>> {
        let Arch { height, width, channels, .. } = self.network.arch;
        let all: Vec<u32>;
        let (images, rows, cached) = match input {
            Input::Rows(source, rows) => {
                let data = self.data.ok_or_else(no_data)?;
                let file = if source == Source::Train { &data.train } else { &data.test };
                (file.images.as_slice(), rows, source == Source::Train)
            }
            Input::Images(pixels) => {
                all = (0..(pixels.len() / (height * width * channels)) as u32).collect();
                (pixels, all.as_slice(), false)
            }
        };
        if want == Want::Codes {
            let mut codes = vec![0.0; rows.len() * self.network.code_len()];
            self.trainer.encode(images, rows, &mut codes).map_err(failed)?;
            return Ok(self.channels_first(&codes));
        }
        let mut logits = vec![0.0; rows.len() * self.trainer.output_len()];
        match &self.codes {
            Some(Codes::Memory(codes)) if cached => self.trainer.evaluate_codes(codes, rows, &mut logits),
            _ => self.trainer.evaluate(images, rows, &mut logits),
        }
        .map_err(failed)?;
        Ok(logits)
    }

    fn weights(&mut self) -> Result<Vec<NamedTensor>> {
        Ok(named(&self.network, &self.trainer.params()))
    }

    fn average(&mut self) -> Result<Vec<NamedTensor>> {
        Ok(named(&self.network, &self.trainer.average()))
    }

    fn load(&mut self, weights: &[NamedTensor]) -> Result<()> {
        fm_net::check(&self.network, weights).map_err(|e| Error::new(Kind::Mismatch, e.to_string()))?;
        // Codes are those of one encoder.
        if self.codes.is_some() && !same_encoder(&self.weights()?, weights) {
            self.codes = None;
        }
        self.trainer.set_params(&flat(&self.network, weights)).map_err(failed)
    }

    fn state(&mut self) -> Result<State> {
        memory::room_for(6 * 4 * values(&self.network), "the state of a checkpoint")?;
        let (weights, moments) = (self.weights()?, self.trainer.moments());
        let average = if self.average { Some(self.average()?) } else { None };
        Ok(flat::state(&self.network, weights, moments, average, self.optimizer))
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        let moments = flat::moments(&self.network, state, self.optimizer)?;
        self.load(state.weights())?;
        if self.average {
            let average = flat::average(&self.network, state)?;
            self.trainer.set_average(&average).map_err(failed)?;
        }
        self.trainer.set_moments(&moments).map_err(failed)
    }
}
