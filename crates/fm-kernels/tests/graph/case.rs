//! Networks with tensors and images.

use fm_kernels::{GraphTrainer, Isa, Options};
use fm_net::{Draws, Network, Scope, arbitrary::Draw, init};

use crate::reference::{self, Answer};

pub(crate) const CLASSES: usize = 4;
pub(crate) const DRAWS: Draws = Draws { seed: 11, phase: 1, step: 5 };

pub(crate) struct Case {
    pub(crate) network: Network,
    pub(crate) params: Vec<f32>,
    pub(crate) images: Vec<u8>,
    pub(crate) labels: Vec<u8>,
}

/// Images in the set of every case.
pub(crate) const SET: usize = 80;

impl Case {
    pub(crate) fn new(arch: &str) -> Self {
        Self::of(Network::new(&arch.parse().unwrap(), CLASSES).unwrap())
    }

    pub(crate) fn mirror(arch: &str) -> Self {
        Self::of(Network::autoencoder(&arch.parse().unwrap()).unwrap())
    }

    pub(crate) fn of(network: Network) -> Self {
        let mut draw = Draw::new(7);
        let mut params = Vec::new();
        for tensor in init::initial(&network, 3) {
            let shift = tensor.name.ends_with("bias") || tensor.name.contains("norm");
            let noise = |draw: &mut Draw| 0.2 * (draw.below(1000) as f32 / 1000.0 - 0.5);
            params.extend(tensor.data.iter().map(|v| if shift { v + noise(&mut draw) } else { *v }));
        }
        let arch = &network.arch;
        let pixels = arch.height * arch.width * arch.channels;
        let images = (0..SET * pixels).map(|_| draw.below(256) as u8).collect();
        let labels = (0..SET).map(|_| draw.below(CLASSES) as u8).collect();
        Self { network, params, images, labels }
    }

    pub(crate) fn trainer(&self, isa: Isa, threads: usize) -> GraphTrainer {
        let options = Options { threads, isa: Some(isa), max_batch: SET };
        GraphTrainer::new(&self.network, options, &self.params).unwrap()
    }

    pub(crate) fn reference(&self, rows: &[u32], scope: Option<Scope>) -> Answer {
        let pixels = self.images.len() / SET;
        let image = |&row: &u32| {
            self.images[row as usize * pixels..][..pixels].iter().map(|&v| f64::from(fm_images::pixel(v)))
        };
        let images: Vec<f64> = rows.iter().flat_map(image).collect();
        let labels: Vec<u8> = rows.iter().map(|&row| self.labels[row as usize]).collect();
        let params: Vec<f64> = self.params.iter().map(|&v| f64::from(v)).collect();
        reference::run(&self.network, &params, &images, &labels, scope, DRAWS)
    }

    /// The tensor whose gradients differ most, and how much: relative to its largest value and a quarter of the
    /// network's largest. Where nothing but rounding is left of a gradient (a norm undoes what a factor on the
    /// weights before it does), its own size says nothing.
    pub(crate) fn worst(&self, ours: &[f32], theirs: &[f64]) -> (String, f64) {
        let mut at = 0;
        let mut worst = (String::new(), 0.0);
        let largest = |of: &[f64]| of.iter().fold(0.0_f64, |top, g| top.max(g.abs()));
        let all = largest(theirs);
        for spec in self.network.tensors() {
            let range = at..at + spec.count();
            at = range.end;
            let top = (largest(&theirs[range.clone()]) + 0.25 * all).max(1e-30);
            let off = ours[range.clone()].iter().zip(&theirs[range]).map(|(&a, b)| (f64::from(a) - b).abs());
            let off = off.fold(0.0, |a: f64, b| if b.is_nan() { b } else { a.max(b) }) / top;
            if off.is_nan() || off > worst.1 {
                worst = (spec.name.clone(), off);
            }
        }
        worst
    }
}

/// Instruction sets of this machine.
pub(crate) fn isas() -> Vec<Isa> {
    Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect()
}
