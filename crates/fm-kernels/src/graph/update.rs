//! From partial sums to gradients, from gradients to parameters, from parameters to packed weights.

use std::ops::Range;

use fm_net::{Part, Role};

use super::kernels::winograd::{INPUTS, share};
use super::layer::{Pass, Tap};
use super::plan::{Kind, Tensor, coefficient};
use super::state::State;
use crate::kernels::Kernels as Base;
use crate::kernels::update::Update;
use crate::muon::Matrix;
use crate::worker::Rules;

/// Parameters that one task updates.
const SHARE: usize = 4096;

/// A range of one trained tensor.
#[derive(Debug, Clone)]
pub(crate) struct Share {
    tensor: usize,
    /// Within the tensor.
    range: Range<usize>,
    /// The layer whose partial sums it is, and where they start.
    layer: Option<(usize, usize)>,
    part: Part,
}

impl State {
    /// Every trained tensor in ranges.
    pub(crate) fn shares(&self) -> Vec<Share> {
        let mut shares = Vec::new();
        for (index, tensor) in self.plan.tensors.iter().enumerate() {
            if tensor.role != Role::Trained {
                continue;
            }
            let of = |(at, layer): (usize, &super::plan::Layer)| {
                if layer.weight == index {
                    Some((at, 0))
                } else {
                    (layer.bias == Some(index)).then(|| (at, layer.shape.weights()))
                }
            };
            let layer = self.plan.layers.iter().enumerate().find_map(of);
            for start in (0..tensor.len).step_by(SHARE) {
                let range = start..tensor.len.min(start + SHARE);
                shares.push(Share { tensor: index, range, layer, part: tensor.part });
            }
        }
        shares
    }

    /// The matrices that train, as an optimizer of matrices sees them.
    pub(crate) fn matrices(&self) -> Vec<Matrix> {
        let trains = |tensor: &&Tensor| {
            tensor.role == Role::Trained && tensor.dimensions > 1 && self.scope.contains(tensor.part)
        };
        let matrix = |tensor: &Tensor| {
            let (rows, cols) = (tensor.first, tensor.len / tensor.first);
            Matrix { at: tensor.at, rows, cols, larger: rows.max(cols) }
        };
        self.plan.tensors.iter().filter(trains).map(matrix).collect()
    }

    /// Adds up the slices of a share's gradient, in their order.
    ///
    /// # Safety
    /// No one else uses the share; the partial sums are done.
    pub(crate) unsafe fn reduce(&self, share: &Share, slots: usize) {
        let Some((index, start)) = share.layer else { return };
        if !self.scope.contains(share.part) {
            return;
        }
        let layer = &self.plan.layers[index];
        let pitch = layer.shape.weights() + self.plan.map(layer.output).channels;
        let at = self.plan.tensors[share.tensor].at;
        // SAFETY: as promised by the caller.
        unsafe {
            let sums = self.grad.get_mut(at + share.range.start..at + share.range.end);
            for slice in 0..self.slices(index, slots) {
                let from = slice * pitch + start;
                let part = self.partial[index].get(from + share.range.start..from + share.range.end);
                if slice == 0 {
                    sums.copy_from_slice(part);
                } else {
                    for (sum, part) in sums.iter_mut().zip(part) {
                        *sum += part;
                    }
                }
            }
        }
    }

    /// One optimizer step of a share.
    ///
    /// # Safety
    /// No one else uses the share.
    pub(crate) unsafe fn step(&self, share: &Share, base: &Base, encoder: Rules, head: Rules) {
        if !self.scope.contains(share.part) {
            return;
        }
        let tensor = &self.plan.tensors[share.tensor];
        let at = tensor.at;
        // Whole vectors: the padding behind a tensor has no gradient and stays zero.
        let range = at + share.range.start..at + share.range.end.next_multiple_of(16);
        let rules = if share.part == Part::Encoder { encoder } else { head };
        let rule = if tensor.dimensions > 1 { rules.weight } else { rules.bias };
        let average = if rule.fresh.is_some() { range.clone() } else { 0..0 };
        // SAFETY: as promised by the caller; shares start at multiples of sixteen, and a kernel in the table is one that
        // the CPU can run.
        unsafe {
            let [w, m, v] = [&self.params, &self.m, &self.v].map(|flat| flat.get_mut(range.clone()));
            let (average, g) = (self.average.get_mut(average), self.grad.get(range));
            (base.update)(Update { w, m, v, average, g, rule });
        }
    }

    /// Takes running statistics into the moving average.
    pub(crate) fn average_buffers(&mut self, fresh: f32) {
        for tensor in self.plan.tensors.iter().filter(|tensor| tensor.role == Role::Buffer) {
            let range = tensor.at..tensor.at + tensor.len;
            let (average, now) = (&mut self.average.all()[range.clone()], &self.params.all()[range]);
            for (average, &now) in average.iter_mut().zip(now) {
                *average = if fresh < 1.0 { fresh.mul_add(now - *average, *average) } else { now };
            }
        }
    }

    /// Makes the gradient of standardised weights that of the weights themselves.
    ///
    /// # Safety
    /// No one else uses the layer's gradient.
    pub(crate) unsafe fn unstandardise(&self, index: usize) {
        let layer = &self.plan.layers[index];
        if !layer.standardised || !self.scope.contains(self.plan.tensors[layer.weight].part) {
            return;
        }
        let each = layer.shape.weights() / layer.shape.first;
        let at = self.plan.tensors[layer.weight].at;
        // SAFETY: as promised by the caller.
        unsafe {
            let grads = self.grad.get_mut(at..at + layer.shape.weights());
            let weights = self.standard[index].get(0..layer.shape.weights());
            let over = self.deviation[index].get(0..layer.shape.first);
            for ((g, w), &over) in grads.chunks_exact_mut(each).zip(weights.chunks_exact(each)).zip(over) {
                let mean = g.iter().map(|&g| f64::from(g)).sum::<f64>() / each as f64;
                let with =
                    g.iter().zip(w).map(|(&g, &w)| f64::from(g) * f64::from(w)).sum::<f64>() / each as f64;
                for (g, &w) in g.iter_mut().zip(w) {
                    *g = (f64::from(over) * (f64::from(*g) - mean - f64::from(w) * with)) as f32;
                }
            }
        }
    }

    /// Standardises a layer's weights.
    ///
    /// # Safety
    /// No one else uses the layer's weights.
    pub(crate) unsafe fn standardise(&self, index: usize) {
        let layer = &self.plan.layers[index];
        if !layer.standardised {
            return;
        }
        let each = layer.shape.weights() / layer.shape.first;
        // SAFETY: as promised by the caller.
        unsafe {
            let raw = self.read(&self.params, layer.weight);
            let out = self.standard[index].get_mut(0..layer.shape.weights());
            let over = self.deviation[index].get_mut(0..layer.shape.first);
            for ((w, out), over) in raw.chunks_exact(each).zip(out.chunks_exact_mut(each)).zip(over) {
                let mean = w.iter().map(|&w| f64::from(w)).sum::<f64>() / each as f64;
                let variance = w.iter().map(|&w| (f64::from(w) - mean).powi(2)).sum::<f64>() / each as f64;
                let one = 1.0 / (variance + fm_net::EPS).sqrt();
                *over = one as f32;
                for (out, &w) in out.iter_mut().zip(w) {
                    *out = ((f64::from(w) - mean) * one) as f32;
                }
            }
        }
    }

    /// A layer's weights as it uses them.
    ///
    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn weights(&self, index: usize) -> &[f32] {
        let layer = &self.plan.layers[index];
        // SAFETY: not written meanwhile, says the caller.
        unsafe {
            if layer.standardised {
                self.standard[index].get(0..layer.shape.weights())
            } else {
                self.read(&self.params, layer.weight)
            }
        }
    }

    /// Packs a layer's weights: the forward pass's (pass 0), or one of the backward passes'.
    ///
    /// # Safety
    /// No one else uses the pass's packed weights.
    pub(crate) unsafe fn pack(&self, index: usize, pass: usize) {
        let layer = &self.plan.layers[index];
        // SAFETY: as promised by the caller.
        unsafe {
            let weights = self.weights(index);
            let (pass, at, len) = match pass {
                0 => (&layer.forward, layer.packed, layer.lengths.0),
                pass => (&layer.backward[pass - 1], layer.back_packed, layer.lengths.1),
            };
            for block in 0..pass.blocks.len() {
                // Blocks of other passes lie between these, and other threads may be packing them.
                let part = packed(pass, block);
                assert!(part.end <= len, "block {block} of {len} packed weights");
                let to = self.packed.get_mut(at + part.start..at + part.end);
                fill(layer, pass, block, weights, to, |_, w| w);
            }
        }
    }

    /// Packs a layer's weights with the norm behind it folded in.
    ///
    /// # Safety
    /// No one else uses them; the norms' running affines are up to date.
    pub(crate) unsafe fn fold(&self, index: usize) {
        let layer = &self.plan.layers[index];
        let Some(norm) = layer.norm else { return };
        let len = layer.lengths.0;
        let channels = self.plan.map(layer.output).channels;
        // SAFETY: as promised by the caller.
        unsafe {
            let factors = std::slice::from_raw_parts(self.coefficient(norm, coefficient::EVAL_A), channels);
            let tensor = |i: usize| self.read(&self.params, self.plan.norms[norm].tensors + i);
            let (shift, mean) = (tensor(1), tensor(2));
            let bias = self.folded_bias[index].get_mut(0..channels);
            for (c, to) in bias.iter_mut().enumerate() {
                let own = layer.bias.map_or(0.0, |bias| self.read(&self.params, bias)[c]);
                *to = (own - mean[c]) * factors[c] + shift[c];
            }
            for block in 0..layer.forward.blocks.len() {
                let part = packed(&layer.forward, block);
                assert!(part.end <= len, "block {block} of {len} packed weights");
                let to = self.folded.get_mut(layer.packed + part.start..layer.packed + part.end);
                fill(layer, &layer.forward, block, self.weights(index), to, |out, w| w * factors[out]);
            }
        }
    }

    /// Gradients of group norms' weights from the slots' sums of one operation.
    ///
    /// # Safety
    /// No worker is running.
    pub(crate) unsafe fn group_gradients(&self, stage: usize, slots: usize) {
        let Kind::GroupNorm { tensors, .. } = self.plan.stages[stage].kind else { return };
        let channels = self.plan.map(self.plan.stages[stage].out).channels;
        let pitch = self.pitch();
        // SAFETY: as promised by the caller.
        unsafe {
            for c in 0..channels {
                for kind in 0..2 {
                    let sum: f64 = (0..slots)
                        .map(|slot| f64::from(*self.statistics.start().add(slot * pitch + 2 * c + kind)))
                        .sum();
                    *self.tensor(&self.grad, tensors + kind).add(c) = sum as f32;
                }
            }
        }
    }
}

/// Where the packed weights of one block are among its layer's.
fn packed(pass: &Pass, block: usize) -> Range<usize> {
    let place = pass.blocks[block];
    let (at, taps) = match &pass.tiled {
        Some(tiled) => (tiled.at[block], INPUTS * tiled.side),
        None => (place.at, pass.taps.len()),
    };
    at..at + taps * pass.depth * place.width
}

/// Packs the weights of one block: `[tap][input channel][output channel]`, or for the frequencies of Winograd's form.
fn fill(
    layer: &super::plan::Layer,
    pass: &Pass,
    block: usize,
    weights: &[f32],
    to: &mut [f32],
    with: impl Fn(usize, f32) -> f32,
) {
    let place = pass.blocks[block];
    let outs = place.first..place.first + place.width;
    let value = |out: usize, deep: usize, tap: &Tap| {
        with(out, weights[layer.shape.index(pass.plain, out, deep, tap.index)])
    };
    let Some(tiled) = &pass.tiled else {
        let mut to = to.iter_mut();
        for tap in &pass.taps {
            for deep in 0..pass.depth {
                for (out, to) in outs.clone().zip(&mut to) {
                    *to = value(out, deep, tap);
                }
            }
        }
        return;
    };
    let (k, plane) = (tiled.side, tiled.side * pass.depth * place.width);
    to.fill(0.0);
    for tap in &pass.taps {
        let (row, col) = ((tap.dy - tiled.first.0) as usize, (tap.dx - tiled.first.1) as usize);
        let shares: [f32; INPUTS] = std::array::from_fn(|frequency| share(frequency, col, k));
        for deep in 0..pass.depth {
            for out in outs.clone() {
                let w = value(out, deep, tap);
                let at = (row * pass.depth + deep) * place.width + out - place.first;
                for (frequency, share) in shares.iter().enumerate() {
                    to[frequency * plane + at] += share * w;
                }
            }
        }
    }
}
