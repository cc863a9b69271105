//! An engine: softmax regression in plain Rust, for networks without a hidden layer.
//!
//! It covers an average pool and the layer of the classes, such as `AP2`, and trains by gradient descent: its
//! optimizer keeps nothing, so its state is the weights.

use fm_images::{Dataset, Labelled, pixel};
use fm_net::{Arch, NamedTensor, Network, Op, Operator as _};
use fm_run::error::{Error, Kind, Result};
use fm_train::Phase;
use fm_train::engine::{
    Device, Engine, EngineDef, Input, Machine, Setup, Source, State, Step, Totals, Want, no_data,
};

/// The engine as a program lists it.
pub(crate) const SOFTMAX: EngineDef = EngineDef {
    name: "softmax",
    about: "softmax regression in plain Rust, for networks without a hidden layer",
    covers,
    trains: |_| Ok(()),
    build: |network, weights, setup| Ok(Box::new(Softmax::new(network, weights, setup)?)),
};

/// Whether the network is a pool and a layer; if not, what stands in the way.
fn covers(network: &Network, machine: Machine) -> Result<(), String> {
    if machine.device != Device::Cpu {
        return Err("it computes on the CPU alone".to_owned());
    }
    let expected = |at: usize, op: &Op| match (at, op) {
        (0, Op::AvgPool { size, stride }) => size == stride,
        (1, Op::Flatten) | (2, Op::Dense { .. }) => true,
        _ => false,
    };
    match network.nodes.iter().enumerate().find(|(at, node)| !expected(*at, &node.op)) {
        Some((_, node)) => Err(format!("{} ({})", node.name, node.op.describe())),
        None => Ok(()),
    }
}

struct Softmax<'a> {
    network: Network,
    data: Option<&'a Dataset>,
    /// Side of the pool.
    pool: usize,
    /// `[classes, features]` and `[classes]`.
    tensors: [NamedTensor; 2],
    order: Vec<u32>,
    totals: Totals,
    steps: usize,
}

impl<'a> Softmax<'a> {
    fn new(network: &Network, weights: &[NamedTensor], setup: Setup<'a>) -> Result<Self> {
        covers(network, setup.machine)
            .map_err(|why| Error::usage(format!("--engine softmax: not covered: {why}")))?;
        let pool = match network.nodes[0].op {
            Op::AvgPool { size, .. } => size,
            _ => 1,
        };
        Ok(Self {
            network: network.clone(),
            data: setup.data,
            pool,
            tensors: taken(network, weights)?,
            order: Vec::new(),
            totals: Totals::default(),
            steps: 0,
        })
    }

    /// The means of an image's squares, `[channels, rows, columns]`: the network's codes.
    fn features(&self, image: &[u8]) -> Vec<f64> {
        let Arch { height, width, channels, .. } = self.network.arch;
        let (pool, mut features) = (self.pool, Vec::with_capacity(self.network.code_len()));
        for plane in image.chunks_exact(height * width).take(channels) {
            for (top, left) in
                (0..height / pool).flat_map(|y| (0..width / pool).map(move |x| (y * pool, x * pool)))
            {
                let row = |y: usize| &plane[(top + y) * width + left..][..pool];
                let sum: f64 = (0..pool).flat_map(row).map(|&byte| f64::from(pixel(byte))).sum();
                features.push(sum / (pool * pool) as f64);
            }
        }
        features
    }

    fn logits(&self, features: &[f64]) -> Vec<f64> {
        let [weight, bias] = &self.tensors;
        let dot = |row: &[f32]| row.iter().zip(features).map(|(&w, x)| f64::from(w) * x).sum::<f64>();
        weight
            .data
            .chunks_exact(features.len())
            .zip(&bias.data)
            .map(|(row, &b)| dot(row) + f64::from(b))
            .collect()
    }

    /// Adds an image's gradient, `p - 1` for its class and `p` for the others times the features.
    fn add(&mut self, image: &[u8], label: usize, gradient: &mut [Vec<f64>; 2]) {
        let features = self.features(image);
        let logits = self.logits(&features);
        let (best, max) =
            logits.iter().copied().enumerate().rev().max_by(|a, b| a.1.total_cmp(&b.1)).unwrap_or((0, 0.0));
        let sum: f64 = logits.iter().map(|z| (z - max).exp()).sum();
        let loss = sum.ln() + max - logits[label];
        if !loss.is_finite() {
            self.totals.diverged_at.get_or_insert(self.steps);
        }
        self.totals.loss_sum += loss;
        self.totals.images += 1;
        self.totals.correct += u64::from(best == label);
        let [weight, bias] = gradient;
        for (class, (row, bias)) in weight.chunks_exact_mut(features.len()).zip(bias).enumerate() {
            let error = (logits[class] - max).exp() / sum - f64::from(u8::from(class == label));
            row.iter_mut().zip(&features).for_each(|(g, x)| *g += error * x);
            *bias += error;
        }
    }
}

/// Weight and bias of the one layer.
fn taken(network: &Network, weights: &[NamedTensor]) -> Result<[NamedTensor; 2]> {
    fm_net::check(network, weights).map_err(|e| Error::new(Kind::Mismatch, e.to_string()))?;
    let ordered = network.tensors().filter_map(|spec| weights.iter().find(|w| w.name == spec.name).cloned());
    let found: Vec<NamedTensor> = ordered.collect();
    found.try_into().map_err(|_| Error::new(Kind::Other, "a layer has a weight and a bias"))
}

impl Engine for Softmax<'_> {
    fn name(&self) -> &'static str {
        SOFTMAX.name
    }

    fn begin_phase(&mut self, _: usize, _: &Phase) -> Result<()> {
        // Nothing but the head has parameters, and the optimizer keeps nothing that would have to be forgotten.
        Ok(())
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        (self.order, self.totals, self.steps) = (order.to_vec(), so_far, 0);
        Ok(())
    }

    fn step(&mut self, step: &Step<'_>) -> Result<()> {
        if step.prepared.is_some() {
            let error = Error::usage("--engine softmax: not covered: --augment");
            return Err(error.help("leave out --augment, or use --engine eager"));
        }
        let train = &self.data.ok_or_else(no_data)?.train;
        let mut gradient = [0, 1].map(|i| vec![0.0; self.tensors[i].data.len()]);
        for at in step.batch.clone() {
            let row = self.order[at] as usize;
            self.add(train.image(row), usize::from(train.labels[row]), &mut gradient);
        }
        let rate = step.rates.head / step.batch.len() as f64;
        for (tensor, gradient) in self.tensors.iter_mut().zip(&gradient) {
            tensor.data.iter_mut().zip(gradient).for_each(|(w, g)| *w = (f64::from(*w) - rate * g) as f32);
        }
        self.steps += 1;
        Ok(())
    }

    fn drain(&mut self) -> Result<Totals> {
        Ok(self.totals)
    }

    fn infer(&mut self, input: Input<'_>, want: Want) -> Result<Vec<f32>> {
        let Arch { height, width, channels, .. } = self.network.arch;
        let size = height * width * channels;
        let images: Vec<&[u8]> = match input {
            Input::Rows(source, rows) => {
                let data = self.data.ok_or_else(no_data)?;
                let file: &Labelled = if source == Source::Train { &data.train } else { &data.test };
                rows.iter().map(|&row| file.image(row as usize)).collect()
            }
            Input::Images(bytes) if bytes.len().is_multiple_of(size) => bytes.chunks_exact(size).collect(),
            Input::Images(bytes) => {
                let text = format!("{} bytes are no whole images of {height}x{width}", bytes.len());
                return Err(Error::new(Kind::Data, text));
            }
        };
        let one = |image: &[u8]| {
            let features = self.features(image);
            if want == Want::Codes { features } else { self.logits(&features) }
        };
        Ok(images.into_iter().flat_map(one).map(|v| v as f32).collect())
    }

    fn weights(&mut self) -> Result<Vec<NamedTensor>> {
        Ok(self.tensors.to_vec())
    }

    fn load(&mut self, weights: &[NamedTensor]) -> Result<()> {
        self.tensors = taken(&self.network, weights)?;
        Ok(())
    }

    fn state(&mut self) -> Result<State> {
        Ok(State::of(self.weights()?))
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        state.kept_by(SOFTMAX.name, |_| false)?;
        self.load(state.weights())
    }
}
