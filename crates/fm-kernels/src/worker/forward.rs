//! The forward pass of one group of images, and its loss.

use super::{Batch, Group, Source};
use crate::Targets;
use crate::kernels::first::{Cut, Forward};
use crate::kernels::gemm::Gemm;
use crate::kernels::unit::Relu;
use crate::kernels::winograd::{Pooled, Tiles};
use crate::plan::plane;
use crate::weights::State;

impl State {
    /// Fills the group's slots of every layer, from images or codes up to the class scores.
    ///
    /// # Safety
    /// No one else uses the group's slots or the worker's scratch, or writes parameters.
    pub(crate) unsafe fn forward(&self, worker: usize, batch: Batch<'_>, group: &Group) {
        // SAFETY: as promised by the caller.
        unsafe {
            self.codes(worker, batch, group);
            self.head(group);
        }
    }

    /// Fills the group's slots up to the code.
    ///
    /// # Safety
    /// As for [`State::forward`].
    pub(crate) unsafe fn codes(&self, worker: usize, batch: Batch<'_>, group: &Group) {
        // SAFETY: as promised by the caller.
        unsafe {
            match batch.source {
                Source::Images(images) => {
                    self.first_block(worker, images, &batch.rows[group.rows.clone()], group);
                    for layer in 1..self.plan.conv.len() {
                        self.block(worker, layer, group);
                    }
                }
                Source::Codes(codes) => self.take_codes(codes, &batch.rows[group.rows.clone()], group),
            }
        }
    }

    /// # Safety
    /// No one else uses the group's slots or the worker's scratch, or writes parameters.
    unsafe fn first_block(&self, worker: usize, images: &[u8], rows: &[u32], group: &Group) {
        let conv = &self.plan.conv[0];
        let network = &self.plan.network;
        let pixels = network.height * network.width;
        let size = conv.windows() * 16;
        // SAFETY: own scratch, own slots, and parameters that nobody writes now.
        unsafe {
            let patches = self.scratch[worker].patches.get_mut(0..group.len() * size);
            let values = self.conv[0].value.get_mut(group.part(conv.map()));
            let origins = self.conv[0].origin.get_mut(group.part(conv.map()));
            for (index, &row) in rows.iter().enumerate() {
                let patches = &mut patches[index * size..][..size];
                let image = &images[row as usize * pixels..][..pixels];
                (self.kernels.cut)(Cut {
                    image,
                    width: network.width,
                    rows: conv.rows,
                    cols: conv.cols,
                    patches: &mut *patches,
                });
                (self.kernels.first_forward)(Forward {
                    patches,
                    weights: self.params.get(conv.at..conv.at + conv.weights),
                    bias: self.params.get(conv.bias()),
                    value: &mut values[index * conv.map()..][..conv.map()],
                    origin: &mut origins[index * conv.map()..][..conv.map()],
                });
            }
        }
    }

    /// # Safety
    /// As for [`State::first_block`], and the layer before has been computed for this group.
    unsafe fn block(&self, worker: usize, layer: usize, group: &Group) {
        let conv = &self.plan.conv[layer];
        let (inputs, outputs) = (conv.inputs.1, conv.outputs.1);
        let windows = conv.windows();
        let scratch = &self.scratch[worker];
        // SAFETY: own scratch, own slots (the layer's and the previous layer's), and weights that
        // nobody writes now.
        unsafe {
            let from = self.conv[layer - 1].value.get(group.part(conv.input()));
            let values = self.conv[layer].value.get_mut(group.part(conv.map()));
            let origins = self.conv[layer].origin.get_mut(group.part(conv.map()));
            let frequencies = self.conv[layer].frequencies.get(0..16 * plane(inputs * outputs));
            for start in (0..group.len()).step_by(conv.pass) {
                let images = conv.pass.min(group.len() - start);
                let count = images * windows;
                let (inner, outer) = (plane(count * inputs), plane(count * outputs));
                let tiles = scratch.tiles.get_mut(0..16 * inner);
                let products = scratch.products.get_mut(0..16 * outer);
                for image in 0..images {
                    (self.kernels.tiles)(Tiles {
                        input: &from[(start + image) * conv.input()..][..conv.input()],
                        rows: conv.rows,
                        cols: conv.cols,
                        channels: inputs,
                        out: &mut tiles[image * windows * inputs..],
                        plane: inner,
                    });
                }
                for frequency in 0..16 {
                    (self.kernels.gemm)(Gemm {
                        m: count,
                        n: outputs,
                        k: inputs,
                        a: &tiles[frequency * inner..][..count * inputs],
                        a_pitch: (inputs, 1),
                        b: &frequencies[frequency * plane(inputs * outputs)..][..inputs * outputs],
                        b_pitch: outputs,
                        c: &mut products[frequency * outer..][..count * outputs],
                        c_pitch: outputs,
                        bias: None,
                    });
                }
                (self.kernels.pooled)(Pooled {
                    products,
                    plane: outer,
                    bias: self.params.get(conv.bias()),
                    value: &mut values[start * conv.map()..][..images * conv.map()],
                    origin: &mut origins[start * conv.map()..][..images * conv.map()],
                });
            }
        }
    }

    /// # Safety
    /// No one else uses the group's slots.
    unsafe fn take_codes(&self, codes: &[f32], rows: &[u32], group: &Group) {
        let Some(conv) = self.plan.conv.last() else { return };
        let (windows, (channels, pitch)) = (conv.windows(), conv.outputs);
        let size = windows * channels;
        // SAFETY: own slots.
        let values = unsafe { self.conv[self.conv.len() - 1].value.get_mut(group.part(conv.map())) };
        for (&row, value) in rows.iter().zip(values.chunks_exact_mut(conv.map())) {
            let code = &codes[row as usize * size..][..size];
            for (value, code) in value.chunks_exact_mut(pitch).zip(code.chunks_exact(channels)) {
                value[..channels].copy_from_slice(code);
                // An image may have left NaN in the padding, when weights were no numbers; and NaN times 0 is NaN.
                value[channels..].fill(0.0);
            }
        }
    }

    /// From the code to the class scores.
    ///
    /// # Safety
    /// No one else uses the group's slots, which hold its codes, or writes parameters.
    unsafe fn head(&self, group: &Group) {
        // SAFETY: own slots, and parameters that nobody writes now.
        unsafe {
            for (layer, dense) in self.plan.dense.iter().enumerate() {
                let (inputs, outputs) = (dense.inputs.1, dense.outputs.1);
                let value = self.dense[layer].value.get_mut(group.part(outputs));
                (self.kernels.gemm)(Gemm {
                    m: group.len(),
                    n: outputs,
                    k: inputs,
                    a: self.dense_input(layer, group.slot, group.len()),
                    a_pitch: (inputs, 1),
                    b: self.params.get(dense.at..dense.at + dense.weights()),
                    b_pitch: outputs,
                    c: &mut *value,
                    c_pitch: outputs,
                    bias: Some(self.params.get(dense.bias())),
                });
                if layer + 1 < self.plan.dense.len() {
                    (self.kernels.relu)(Relu { x: value });
                }
            }
        }
    }

    /// The inputs of a dense layer for some slots.
    ///
    /// # Safety
    /// No one writes them meanwhile.
    pub(super) unsafe fn dense_input(&self, layer: usize, slot: usize, count: usize) -> &[f32] {
        let size = self.plan.dense[layer].inputs.1;
        let values = match layer {
            0 => &self.conv[self.conv.len() - 1].value,
            _ => &self.dense[layer - 1].value,
        };
        // SAFETY: not written meanwhile, says the caller.
        unsafe { values.get(slot * size..(slot + count) * size) }
    }

    /// The class scores of some slots, padded to whole registers.
    ///
    /// # Safety
    /// No one writes them meanwhile.
    pub(crate) unsafe fn scores(&self, group: &Group) -> std::slice::ChunksExact<'_, f32> {
        let last = self.plan.dense.len() - 1;
        let outputs = self.plan.dense[last].outputs.1;
        // SAFETY: not written meanwhile, says the caller.
        unsafe { self.dense[last].value.get(group.part(outputs)).chunks_exact(outputs) }
    }

    /// Loss, hit and score gradient (times `scale`) of every image of the group.
    ///
    /// # Safety
    /// No one else uses the group's slots.
    pub(crate) unsafe fn loss(&self, towards: Towards<'_>, batch: Batch<'_>, group: &Group, scale: f32) {
        let last = self.plan.dense.len() - 1;
        let (classes, outputs) = self.plan.dense[last].outputs;
        // SAFETY: own slots.
        let (losses, hits, deltas, scores) = unsafe {
            (
                self.losses.get_mut(group.part(1)),
                self.hits.get_mut(group.part(1)),
                self.dense[last].delta.get_mut(group.part(outputs)),
                self.scores(group),
            )
        };
        let rows = &batch.rows[group.rows.clone()];
        for (index, ((scores, delta), &row)) in
            scores.zip(deltas.chunks_exact_mut(outputs)).zip(rows).enumerate()
        {
            let target = towards.of(row as usize);
            (losses[index], hits[index]) =
                cross_entropy(&scores[..classes], &mut delta[..classes], target, scale);
        }
    }
}

/// What all images are trained towards.
#[derive(Clone, Copy)]
pub(crate) struct Towards<'a> {
    pub(crate) targets: Targets<'a>,
    pub(crate) smoothing: f32,
}

impl Towards<'_> {
    pub(crate) fn of(&self, row: usize) -> Target {
        let label = usize::from(self.targets.labels[row]);
        let mixed = self.targets.mixed.map(|(partners, shares)| (usize::from(partners[row]), shares[row]));
        let (partner, share) = mixed.unwrap_or((label, 1.0));
        Target { label, partner, share, smoothing: self.smoothing }
    }
}

/// What one image is trained towards: `share` of its label, the rest of its partner's, and of both `smoothing` spread
/// over all classes.
#[derive(Clone, Copy)]
pub(crate) struct Target {
    pub(crate) label: usize,
    pub(crate) partner: usize,
    pub(crate) share: f32,
    pub(crate) smoothing: f32,
}

/// Softmax cross-entropy of one image, whether the first maximum is the label, and `scale` times the
/// gradient.
fn cross_entropy(scores: &[f32], delta: &mut [f32], target: Target, scale: f32) -> (f32, u8) {
    let mut best = 0;
    for (class, &score) in scores.iter().enumerate() {
        if score > scores[best] {
            best = class;
        }
    }
    let top = scores[best];
    let mut sum = 0.0;
    for (delta, &score) in delta.iter_mut().zip(scores) {
        *delta = (score - top).exp();
        sum += *delta;
    }
    for delta in &mut *delta {
        *delta *= scale / sum;
    }
    let Target { label, partner, share, smoothing } = target;
    let (log, hit) = (sum.ln() + top, u8::from(best == label));
    if partner == label && smoothing == 0.0 {
        delta[label] -= scale;
        return (log - scores[label], hit);
    }
    let (all, one) = (smoothing / scores.len() as f32, 1.0 - smoothing);
    let (own, other) = (one * share, one * (1.0 - share));
    let mut expected = own * scores[label] + other * scores[partner];
    for (delta, &score) in delta.iter_mut().zip(scores) {
        *delta -= scale * all;
        expected += all * score;
    }
    delta[label] -= scale * own;
    delta[partner] -= scale * other;
    (log - expected, hit)
}
