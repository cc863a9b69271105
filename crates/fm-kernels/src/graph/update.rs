//! From partial sums to gradients, from gradients to parameters.

use std::ops::Range;

use fm_net::{Part, Role};

use super::plan::{Kind, Tensor};
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
