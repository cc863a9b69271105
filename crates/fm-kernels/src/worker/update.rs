//! The second half of a step: gradients of one task's parameters, their update, their derived forms.

use super::Moving;
use crate::kernels::gemm::Gemm;
use crate::kernels::sparse::Patches;
use crate::kernels::update::Rule;
use crate::plan::{LANES, Task};
use crate::weights::State;

/// The rules of a part.
#[derive(Clone, Copy)]
pub(crate) struct Rules {
    pub(crate) weight: Rule,
    pub(crate) bias: Rule,
}

/// What to do with a gradient.
#[derive(Clone, Copy)]
pub(crate) enum Use {
    /// One update, by the encoder's rules or the head's.
    Update { encoder: Rules, head: Rules },
    /// Leave it in `State::grad`.
    Keep,
}

impl State {
    /// Runs one task over a batch of `count` images, unless its parameters are frozen.
    ///
    /// # Safety
    /// No one else uses the task's parameters or the worker's scratch, or writes the slots.
    pub(crate) unsafe fn task(&self, worker: usize, task: Task, count: usize, moving: Moving, with: Use) {
        // SAFETY: as promised by the caller.
        unsafe {
            match task {
                Task::First if moving.encoder => self.first_task(worker, count, with),
                Task::Conv { layer, chunk } if moving.encoder => {
                    self.conv_task(worker, layer, chunk, count, with);
                }
                Task::Dense { layer, row, rows } if moving.head => {
                    self.dense_task(worker, layer, (row, rows), count, with);
                    // The first layer's flipped weights only serve the encoder's gradient.
                    if layer == 0 && !moving.encoder {
                        return;
                    }
                }
                _ => return,
            }
            if matches!(with, Use::Update { .. }) {
                self.derive_task(task);
            }
        }
    }

    /// The update of one task's parameters by what [`Use::Keep`] left, unless they are frozen.
    ///
    /// # Safety
    /// No one else uses the task's parameters, their gradients and their derived forms.
    pub(crate) unsafe fn move_task(&self, task: Task, moving: Moving, with: Use) {
        let Use::Update { encoder, head } = with else { return };
        let (moves, rules, weights, bias) = match task {
            Task::First => {
                let conv = &self.plan.conv[0];
                (moving.encoder, encoder, conv.at..conv.at + conv.weights, conv.bias())
            }
            Task::Conv { layer, chunk } => {
                let (weights, bias) = self.plan.conv[layer].chunk(chunk);
                (moving.encoder, encoder, weights, bias)
            }
            Task::Dense { layer, row, rows } => {
                let dense = &self.plan.dense[layer];
                let last = row + rows == dense.inputs.1;
                let start = dense.at + row * dense.outputs.1;
                let bias = if last { dense.bias() } else { 0..0 };
                (moving.head, head, start..start + rows * dense.outputs.1, bias)
            }
        };
        if !moves {
            return;
        }
        // SAFETY: exclusive, says the caller.
        unsafe {
            self.update(weights.start, self.grad.get(weights), rules.weight);
            self.update(bias.start, self.grad.get(bias), rules.bias);
            self.derive_task(task);
        }
    }

    /// Where a gradient goes: this worker's scratch, or its place in the whole.
    ///
    /// # Safety
    /// No one else uses the scratch or the range.
    #[expect(clippy::mut_from_ref, reason = "parts of shared buffers; the caller promises disjointness")]
    unsafe fn room(&self, worker: usize, scratch: usize, start: usize, len: usize, with: Use) -> &mut [f32] {
        // SAFETY: exclusive, says the caller.
        unsafe {
            match with {
                Use::Update { .. } => self.scratch[worker].grads.get_mut(scratch..scratch + len),
                Use::Keep => self.grad.get_mut(start..start + len),
            }
        }
    }

    /// # Safety
    /// As for [`State::task`], for the first block.
    unsafe fn first_task(&self, worker: usize, count: usize, with: Use) {
        let conv = &self.plan.conv[0];
        let size = 10 * conv.outputs.1;
        // SAFETY: the first block is this task's; its per-image gradients are not written now.
        unsafe {
            let sum = self.room(worker, 0, conv.at, size, with);
            sum.fill(0.0);
            for part in self.first.get(0..count * size).chunks_exact(size) {
                for (sum, part) in sum.iter_mut().zip(part) {
                    *sum += part;
                }
            }
            if let Use::Update { encoder, .. } = with {
                let (weights, bias) = sum.split_at(conv.weights);
                self.update(conv.at, weights, encoder.weight);
                self.update(conv.bias().start, bias, encoder.bias);
            }
        }
    }

    /// # Safety
    /// As for [`State::task`], for these sixteen channels; every list of the batch was made by [`State::route`].
    unsafe fn conv_task(&self, worker: usize, layer: usize, chunk: usize, count: usize, with: Use) {
        let conv = &self.plan.conv[layer];
        let state = &self.conv[layer];
        let (inputs, outputs) = (conv.inputs.1, conv.outputs.1);
        let room = conv.block * conv.windows();
        let places = conv.chunk(chunk);
        let (size, starts) = (places.0.len(), (places.0.start, places.1.start));
        // SAFETY: these sixteen channels are this task's; lists and inputs are not written now, and
        // the lists were made for these inputs.
        unsafe {
            let weights = self.room(worker, 0, starts.0, size, with);
            let bias = self.room(worker, size, starts.1, LANES, with);
            for block in 0..count.div_ceil(conv.block) {
                let first = block * outputs + chunk * LANES;
                let images = conv.block * conv.input();
                (self.kernels.patches)(Patches {
                    entries: state.entries.get(first * room..(first + LANES) * room),
                    counts: state.counts.get(first..first + LANES),
                    room,
                    input: self.conv[layer - 1].value.get(block * images..(block + 1) * images),
                    line: conv.width * inputs,
                    inputs,
                    weights,
                    bias,
                    fresh: block == 0,
                });
            }
            if let Use::Update { encoder, .. } = with {
                self.update(starts.0, weights, encoder.weight);
                self.update(starts.1, bias, encoder.bias);
            }
        }
    }

    /// # Safety
    /// As for [`State::task`], for these rows, and with the last ones the bias.
    unsafe fn dense_task(
        &self,
        worker: usize,
        layer: usize,
        (row, rows): (usize, usize),
        count: usize,
        with: Use,
    ) {
        let dense = &self.plan.dense[layer];
        let (inputs, outputs) = (dense.inputs.1, dense.outputs.1);
        let start = dense.at + row * outputs;
        // SAFETY: these rows are this task's, and with the last ones the bias; inputs and score
        // gradients are not written now.
        unsafe {
            let deltas = self.dense[layer].delta.get(0..count * outputs);
            let grads = self.room(worker, 0, start, rows * outputs, with);
            (self.kernels.gemm)(Gemm {
                m: rows,
                n: outputs,
                k: count,
                a: &self.dense_input(layer, 0, count)[row..],
                a_pitch: (1, inputs),
                b: deltas,
                b_pitch: outputs,
                c: &mut *grads,
                c_pitch: outputs,
                bias: None,
            });
            if let Use::Update { head, .. } = with {
                self.update(start, grads, head.weight);
            }
            if row + rows == inputs {
                let start = dense.bias().start;
                let bias = self.room(worker, rows * outputs, start, outputs, with);
                bias.fill(0.0);
                for delta in deltas.chunks_exact(outputs) {
                    for (sum, delta) in bias.iter_mut().zip(delta) {
                        *sum += delta;
                    }
                }
                if let Use::Update { head, .. } = with {
                    self.update(start, bias, head.bias);
                }
            }
        }
    }
}
