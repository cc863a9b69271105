//! First layers whose output only a maximum takes: its rows are made where they are needed, and never kept.
//!
//! The map behind a first convolution is a network's largest, and its convolution one of the cheapest. So it is computed once
//! for the statistics of the batch norm behind it, once for the maxima, and once for the weight gradient, some rows at a time
//! in the worker's memory, and so is its gradient.

use std::ops::Range;

use super::forward::Place;
use super::kernels::View;
use super::kernels::pool::Pool;
use super::kernels::pooled;
use super::kernels::wgrad::Wgrad;
use super::plan::{Kind, Layer, Plan, Taker};
use super::state::{Mode, State, area, piece};

/// Most products of an output value, where that is made again: one channel under 5x5 taps, or three under 3x3.
const PRODUCTS: usize = 27;

impl Plan {
    /// Finds the layers whose output is not kept.
    pub(super) fn find_lines(&mut self) {
        for index in 0..self.stages.len() {
            let stage = &self.stages[index];
            let (value, norm, lines) = match &stage.kind {
                Kind::Pooled { term, size } => (term.value, term.norm, *size),
                Kind::Pool { size, stride, max: true } if size == stride => (stage.inputs[0], None, *size),
                _ => continue,
            };
            let sole = self.stages.iter().filter(|stage| stage.inputs.contains(&value)).count() == 1;
            let part = stage.part;
            let makes =
                |kind: &Kind| matches!(kind, Kind::Layer(layer) if self.layers[*layer].output == value);
            let together = self.stages.iter().any(|stage| stage.part == part && makes(&stage.kind));
            if !sole || !together || value == self.code.0 || value == self.output {
                continue;
            }
            let Some(layer) = self.layers.iter_mut().find(|layer| layer.output == value) else { continue };
            let direct = layer.forward.tiled.is_none() && layer.folded.is_none() && !layer.flat;
            let cheap = layer.forward.depth * layer.forward.taps.len() <= PRODUCTS;
            if layer.input == 0 && direct && cheap && layer.norm == norm && layer.relu == norm.is_none() {
                layer.taker = Some(Taker { stage: index, lines });
            }
        }
    }

    /// The layer that makes a value, where that is not kept.
    pub(super) fn maker(&self, value: usize) -> Option<usize> {
        self.layers.iter().position(|layer| layer.output == value && layer.taker.is_some())
    }

    /// Floats of the worker's memory for such rows and their gradient.
    pub(super) fn lines_room(&self) -> usize {
        let room = |layer: &Layer| {
            let map = self.map(layer.output);
            layer.taker.map_or(0, |taker| 2 * taker.lines * map.width * map.px())
        };
        self.layers.iter().map(room).max().unwrap_or(0)
    }
}

impl State {
    /// The worker's memory for a few rows of values, or of their gradient.
    fn strip(&self, layer: usize, worker: usize, gradient: bool) -> View {
        let layer = &self.plan.layers[layer];
        let map = self.plan.map(layer.output);
        let (px, row) = (map.px(), map.width * map.px());
        let buffer = &self.lines[worker];
        let lines = layer.taker.map_or(0, |taker| taker.lines);
        assert!(2 * lines * row <= buffer.len(), "{lines} rows of {map:?}");
        View { at: buffer.start(), row, px }.at_row(if gradient { lines } else { 0 })
    }

    /// Makes some rows of a layer's output that is not kept, no more than a window has; the first is the view's first.
    ///
    /// # Safety
    /// No one else uses the worker's memory; the layer's input is done.
    pub(super) unsafe fn make(
        &self,
        layer: usize,
        slot: usize,
        rows: Range<usize>,
        mode: Mode,
        at: Place,
    ) -> View {
        let y = self.strip(layer, at.worker, false);
        // SAFETY: as promised by the caller; there is room, as `strip` has seen.
        unsafe { self.convolve(layer, (slot, rows), mode, y, std::ptr::null_mut(), at.worker) };
        y
    }

    /// Batch norm's sums over some rows of a layer's output, which are made one over the other.
    ///
    /// # Safety
    /// As for [`State::make`]; `sums` has room for them.
    pub(super) unsafe fn make_sums(
        &self,
        layer: usize,
        slot: usize,
        rows: Range<usize>,
        sums: *mut f32,
        at: Place,
    ) {
        let y = View { row: 0, ..self.strip(layer, at.worker, false) };
        // SAFETY: as promised by the caller.
        unsafe { self.convolve(layer, (slot, rows), Mode::Train, y, sums, at.worker) };
    }

    /// The weight gradient of such a layer over some pieces of its rows; `g` is the gradient of the maxima.
    ///
    /// # Safety
    /// As for [`State::back`].
    pub(super) unsafe fn lines_gradient(
        &self,
        index: usize,
        g: usize,
        (slice, slices): (usize, usize),
        plain: Range<usize>,
        slots: usize,
        worker: usize,
    ) {
        let layer = &self.plan.layers[index];
        let Some(taker) = layer.taker else { return };
        let (shape, map) = (layer.shape, self.plan.map(layer.output));
        let (x, x_map) = (self.value(layer.input, 0), self.plan.map(layer.input));
        let parts = self.plan.row_parts(index);
        let pieces = piece(slice, slices, slots * parts);
        let at = Place { task: 0, worker, images: 0 };
        let mut add = false;
        // SAFETY: as promised by the caller; the border is at least as wide as the padding.
        unsafe {
            let out = self.partial[index].start().add(slice * (shape.weights() + map.channels));
            for piece in pieces {
                let slot = piece / parts;
                let all = self.plan.rows_of_part(index, piece % parts);
                for first in all.clone().step_by(taker.lines) {
                    let rows = first..all.end.min(first + taker.lines);
                    let dy = self.strip(index, worker, true);
                    self.lines_back(index, taker, g, slot, rows.clone(), dy, at);
                    (self.kernels.wgrad)(Wgrad {
                        x: x.at_row(first * shape.stride)
                            .at
                            .sub(shape.pad * (x.row + x.px))
                            .add(slot * x_map.size()),
                        x_slot: 0,
                        x_row: x.row * shape.stride,
                        x_px: x.px * shape.stride,
                        tap_row: x.row,
                        tap_px: x.px,
                        y: dy.at,
                        y_slot: 0,
                        y_row: dy.row,
                        y_px: dy.px,
                        slots: 0..1,
                        rows: 0..rows.len(),
                        cols: map.width,
                        kernel: shape.kernel,
                        plain: plain.clone(),
                        per_group: shape.first / shape.groups,
                        depth: shape.second,
                        out,
                        bias: if layer.bias.is_some() {
                            out.add(shape.weights())
                        } else {
                            std::ptr::null_mut()
                        },
                        add,
                        room: std::ptr::null_mut(),
                        last: false,
                    });
                    add = true;
                }
            }
        }
    }

    /// The gradient of some rows of such a layer's output.
    ///
    /// # Safety
    /// As for [`State::back`].
    #[expect(clippy::too_many_arguments, reason = "the parts of a task")]
    unsafe fn lines_back(
        &self,
        layer: usize,
        taker: Taker,
        g: usize,
        slot: usize,
        rows: Range<usize>,
        to: View,
        at: Place,
    ) {
        let map = self.plan.map(self.plan.layers[layer].output);
        let (windows, g) = (self.program.buffers[g], self.gradient(g, slot));
        // Rows behind the last window are in none.
        let first = rows.start / taker.lines;
        let (first, left) = if first < windows.height { (first, windows.height - first) } else { (0, 0) };
        let (area, g, from) =
            (area(map, 0..rows.len()), g.at_row(first), self.beside(taker.stage, slot).at_row(first));
        // SAFETY: as promised by the caller.
        unsafe {
            match &self.plan.stages[taker.stage].kind {
                Kind::Pooled { term, size } => {
                    let Some(norm) = term.norm else { return };
                    let y = self.make(layer, slot, rows, Mode::Train, at);
                    (self.kernels.pooled_back)(pooled::Back {
                        area,
                        windows: (left, windows.width),
                        size: *size,
                        g,
                        from,
                        y,
                        to,
                        add: false,
                        norm: self.through(norm, slot),
                    });
                }
                Kind::Pool { size, stride, .. } => (self.kernels.pool_back)(Pool {
                    area: super::kernels::Area { cols: windows.width, ..area },
                    height: left,
                    width: map.width,
                    size: *size,
                    stride: *stride,
                    max: true,
                    x: to,
                    z: g,
                    from,
                    relu: Some(self.value(self.plan.stages[taker.stage].out, slot).at_row(first)),
                    add: false,
                }),
                _ => {}
            }
        }
    }
}
