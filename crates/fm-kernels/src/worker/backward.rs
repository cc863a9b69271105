//! The data gradients of one group of images.

use super::{Group, Moving};
use crate::kernels::first::Gradient;
use crate::kernels::gemm::Gemm;
use crate::kernels::route::Route;
use crate::kernels::sparse::Scatter;
use crate::kernels::unit::Gate;
use crate::plan::LANES;
use crate::weights::State;

impl State {
    /// From the score gradients to whatever the second half needs.
    ///
    /// # Safety
    /// No one else uses the group's slots or the worker's scratch, or writes parameters.
    pub(crate) unsafe fn backward(&self, worker: usize, group: &Group, moving: Moving) {
        // SAFETY: as promised by the caller.
        unsafe {
            for layer in (1..self.plan.dense.len()).rev() {
                let inputs = self.plan.dense[layer].inputs.1;
                let delta = self.dense[layer - 1].delta.get_mut(group.part(inputs));
                self.dense_data(layer, group, delta);
                let x = self.dense_input(layer, group.slot, group.len());
                (self.kernels.gate)(Gate { g: delta, x });
            }
            if !moving.encoder {
                return;
            }
            let last = self.plan.conv.len() - 1;
            let size = group.len() * self.plan.conv[last].map();
            self.dense_data(0, group, self.scratch[worker].delta[last].get_mut(0..size));
            for layer in (1..=last).rev() {
                self.route(worker, layer, group);
                self.scatter(worker, layer, group);
            }
            self.first_gradient(worker, group);
        }
    }

    /// # Safety
    /// No one writes the group's slots or the layer's derived weights meanwhile.
    unsafe fn dense_data(&self, layer: usize, group: &Group, to: &mut [f32]) {
        let dense = &self.plan.dense[layer];
        let (inputs, outputs) = (dense.inputs.1, dense.outputs.1);
        // SAFETY: own slots, and weights that nobody writes now.
        unsafe {
            (self.kernels.gemm)(Gemm {
                m: group.len(),
                n: inputs,
                k: outputs,
                a: self.dense[layer].delta.get(group.part(outputs)),
                a_pitch: (outputs, 1),
                b: self.dense[layer].flipped.get(0..dense.weights()),
                b_pitch: inputs,
                c: to,
                c_pitch: inputs,
                bias: None,
            });
        }
    }

    /// Lists the surviving gradients of a block's group.
    ///
    /// # Safety
    /// No one else uses the group's slots or the worker's scratch; both hold what the forward pass and the next block's
    /// scatter left for this group.
    unsafe fn route(&self, worker: usize, layer: usize, group: &Group) {
        let conv = &self.plan.conv[layer];
        let state = &self.conv[layer];
        let scratch = &self.scratch[worker];
        let (map, outputs, windows) = (conv.map(), conv.outputs.1, conv.windows());
        let room = conv.block * windows;
        // SAFETY: own slots and own scratch; a block lies within one group, which starts at a block.
        unsafe {
            for image in 0..group.len() {
                let block = (group.slot + image) / conv.block;
                let within = (group.slot + image) % conv.block;
                let counts = state.counts.get_mut(block * outputs..(block + 1) * outputs);
                if within == 0 {
                    counts.fill(0);
                }
                let slot = (group.slot + image) * map..(group.slot + image + 1) * map;
                (self.kernels.route)(Route {
                    gradient: scratch.delta[layer].get(image * map..(image + 1) * map),
                    value: state.value.get(slot.clone()),
                    origin: state.origin.get(slot),
                    rows: conv.rows,
                    cols: conv.cols,
                    channels: outputs,
                    inputs: conv.inputs.1,
                    by_window: scratch.entries.get_mut(image * 4 * map..(image + 1) * 4 * map),
                    window_counts: scratch.counts.get_mut(image * 4 * windows..(image + 1) * 4 * windows),
                    by_channel: state.entries.get_mut(block * outputs * room..(block + 1) * outputs * room),
                    channel_counts: counts,
                    room,
                    base: within * conv.input(),
                    all: scratch.all.get_mut(0..outputs),
                });
            }
        }
    }

    /// The gradient of a block's input, which is the previous block's pooled map.
    ///
    /// # Safety
    /// No one else uses the worker's scratch or writes derived weights; [`State::route`] filled the scratch for this layer
    /// and group.
    unsafe fn scatter(&self, worker: usize, layer: usize, group: &Group) {
        let conv = &self.plan.conv[layer];
        let scratch = &self.scratch[worker];
        let (map, input, windows) = (conv.map(), conv.input(), conv.windows());
        let (inputs, outputs) = (conv.inputs.1, conv.outputs.1);
        let slab = outputs * 9 * LANES;
        // SAFETY: own scratch, and weights that nobody writes now; `route` made the entries.
        unsafe {
            let out = scratch.delta[layer - 1].get_mut(0..group.len() * input);
            out.fill(0.0);
            for part in 0..inputs / LANES {
                let slab = self.conv[layer].slabs.get(part * slab..(part + 1) * slab);
                for image in 0..group.len() {
                    (self.kernels.scatter)(Scatter {
                        gradient: scratch.delta[layer].get(image * map..(image + 1) * map),
                        entries: scratch.entries.get(image * 4 * map..(image + 1) * 4 * map),
                        counts: scratch.counts.get(image * 4 * windows..(image + 1) * 4 * windows),
                        slab,
                        outputs,
                        rows: conv.rows,
                        cols: conv.cols,
                        inputs,
                        first: part * LANES,
                        out: &mut out[image * input..(image + 1) * input],
                    });
                }
            }
        }
    }

    /// The parameter gradient of the first block, image by image: it needs the pixels' patches, which
    /// are in this worker's scratch.
    ///
    /// # Safety
    /// No one else uses the group's slots or the worker's scratch, which hold this group's forward pass.
    unsafe fn first_gradient(&self, worker: usize, group: &Group) {
        let conv = &self.plan.conv[0];
        let map = conv.map();
        let size = conv.windows() * 16;
        let grads = 10 * conv.outputs.1;
        let scratch = &self.scratch[worker];
        // SAFETY: own slots and own scratch.
        unsafe {
            for image in 0..group.len() {
                let slot = group.slot + image;
                (self.kernels.first_gradient)(Gradient {
                    patches: scratch.patches.get(image * size..(image + 1) * size),
                    delta: scratch.delta[0].get(image * map..(image + 1) * map),
                    value: self.conv[0].value.get(slot * map..(slot + 1) * map),
                    origin: self.conv[0].origin.get(slot * map..(slot + 1) * map),
                    out: self.first.get_mut(slot * grads..(slot + 1) * grads),
                });
            }
        }
    }
}
