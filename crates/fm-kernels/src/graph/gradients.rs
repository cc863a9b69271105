//! Data and weight gradients of layers.

use std::ops::Range;

use super::folded::{Piece, Sides};
use super::kernels::View;
use super::kernels::conv::Conv;
use super::kernels::wgrad::Wgrad;
use super::program::Target;
use super::state::{State, piece};
use super::tiled::Ends;

impl State {
    /// Some rows (or blocks) of a pass of a layer's data gradient.
    ///
    /// # Safety
    /// As for [`State::back`].
    #[expect(clippy::too_many_arguments, reason = "the parts of a task")]
    pub(super) unsafe fn data(
        &self,
        index: usize,
        number: usize,
        g: usize,
        to: Target,
        slot: usize,
        part: Range<usize>,
        slots: usize,
        worker: usize,
    ) {
        let layer = &self.plan.layers[index];
        let pass = &layer.backward[number];
        let (from_map, to_map) = (self.program.buffers[g], self.program.buffers[to.buffer]);
        let (from, into) = (self.gradient(g, slot), self.gradient(to.buffer, slot));
        let (y, x) = pass.start;
        let (rows, cols, blocks) = if layer.flat {
            (0..1, slots, &pass.blocks[part])
        } else {
            (pass.rows_of(part), pass.cols, &pass.blocks[..])
        };
        // SAFETY: as promised by the caller of `back`.
        unsafe {
            let weights = self.packed.get(layer.back_packed..layer.back_packed + layer.lengths.1);
            if pass.tiled.is_some() {
                let ends = Ends { bias: None, relu: false, add: to.add, sums: std::ptr::null_mut() };
                let into = into.at_row(rows.start);
                self.tiled(pass, (from, from_map), into, rows, weights, ends, worker);
                return;
            }
            (self.kernels.conv)(Conv {
                x: from.at,
                x_row: from.row * pass.step,
                x_px: if layer.flat { from_map.size() } else { from.px * pass.step },
                y: into.pixel(y + rows.start * pass.spread, x),
                y_row: into.row * pass.spread,
                y_px: if layer.flat { to_map.size() } else { into.px * pass.spread },
                rows,
                cols,
                taps: &layer.back_offsets[number],
                runs: &pass.runs,
                step: pass.step,
                height: from_map.height,
                blocks,
                depth: pass.depth,
                weights,
                bias: None,
                relu: false,
                add: to.add,
                sums: std::ptr::null_mut(),
            });
        }
    }

    /// Channels of a slice of a layer's weight gradient, into its partial sums.
    ///
    /// # Safety
    /// As for [`State::back`].
    pub(super) unsafe fn weight_gradient(
        &self,
        index: usize,
        g: usize,
        slice: usize,
        plain: Range<usize>,
        slots: usize,
        worker: usize,
    ) {
        let layer = &self.plan.layers[index];
        if layer.taker.is_some() {
            // SAFETY: as promised by the caller of `back`.
            unsafe {
                self.lines_gradient(index, g, (slice, self.slices(index, slots)), plain, slots, worker);
            }
            return;
        }
        let shape = layer.shape;
        let (x_map, g_map) = (self.plan.map(layer.input), self.program.buffers[g]);
        let (x, dy) = (self.value(layer.input, 0), self.gradient(g, 0));
        let (x, dy) = ((x, x_map.size()), (dy, g_map.size()));
        let (tapped, tapped_map, flat, cols) =
            if shape.transposed { (dy, g_map, x, x_map.width) } else { (x, x_map, dy, g_map.width) };
        let outputs = g_map.channels;
        let first = slice * (shape.weights() + outputs);
        let (parts, together) = (self.plan.row_parts(index), self.plan.slots_together(index));
        let pieces = if layer.flat { 0..1 } else { piece(slice, self.slices(index, slots), slots * parts) };
        let pad = shape.pad;
        // SAFETY: as promised by the caller of `back`; the border is at least as wide as the padding.
        unsafe {
            let out = self.partial[index].start().add(first);
            let View { at, row, px } = tapped.0;
            let room = self.tiles[worker].start().add(self.zeros);
            let has_bias = layer.bias.is_some() && !shape.transposed;
            for piece_at in pieces.clone().step_by(together) {
                let (slots, rows) = if layer.flat {
                    (0..slots, 0..1)
                } else {
                    let slot = piece_at / parts;
                    let last = (slot + together).min(pieces.end.div_ceil(parts));
                    (slot..last, self.plan.rows_of_part(index, piece_at % parts))
                };
                let add = piece_at > pieces.start;
                let ends = Piece { add, last: piece_at + together >= pieces.end };
                if layer.folded.is_some() {
                    let sides = Sides {
                        tapped: (
                            View { at: at.add(slots.start * tapped.1), ..tapped.0 },
                            tapped.1,
                            tapped_map,
                        ),
                        plain: (View { at: flat.0.at.add(slots.start * flat.1), ..flat.0 }, flat.1, cols),
                        slots: slots.len(),
                    };
                    self.folded(layer, &sides, rows.clone(), plain.clone(), ends, out, worker);
                    if !has_bias {
                        continue;
                    }
                }
                (self.kernels.wgrad)(Wgrad {
                    x: at.sub(pad * (row + px)),
                    x_slot: tapped.1,
                    x_row: row * shape.stride,
                    x_px: px * shape.stride,
                    tap_row: row,
                    tap_px: px,
                    y: flat.0.at,
                    y_slot: flat.1,
                    y_row: flat.0.row,
                    y_px: flat.0.px,
                    slots,
                    rows,
                    cols,
                    kernel: shape.kernel,
                    plain: plain.clone(),
                    per_group: shape.first / shape.groups,
                    // In the other form the kernel's gradient is done, and the bias's is left.
                    depth: if layer.folded.is_some() { 0 } else { shape.second },
                    out,
                    bias: if has_bias { out.add(shape.weights()) } else { std::ptr::null_mut() },
                    add,
                    room: if layer.is_pointwise() { room } else { std::ptr::null_mut() },
                    last: ends.last,
                });
            }
            // A transposed convolution's bias is not on the plain side; one task sums it over all.
            if shape.transposed && layer.bias.is_some() && plain.start == 0 && slice == 0 {
                self.transposed_bias(index, g, slots, out.add(shape.weights()));
            }
        }
    }

    /// Sums of the output's gradient by channel.
    ///
    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn transposed_bias(&self, index: usize, g: usize, slots: usize, to: *mut f32) {
        let map = self.program.buffers[g];
        let lanes = self.plan.lanes;
        let slices = self.slices(index, slots);
        let layer = &self.plan.layers[index];
        // SAFETY: as promised by the caller of `back`.
        unsafe {
            for c in 0..map.channels {
                let mut sums = [0.0_f32; 16];
                for slot in 0..slots {
                    let view = self.gradient(g, slot);
                    for p in 0..map.pixels() {
                        let at = view.pixel(p / map.width, p % map.width).add(c * lanes);
                        for (lane, sum) in sums.iter_mut().enumerate().take(lanes) {
                            *sum += *at.add(lane);
                        }
                    }
                }
                *to.add(c) = sums.iter().sum();
                for slice in 1..slices {
                    *to.add(slice * (layer.shape.weights() + map.channels) + c) = 0.0;
                }
            }
        }
    }
}
