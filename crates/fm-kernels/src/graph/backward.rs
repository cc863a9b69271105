//! The backward pass: operations of the program, each in pieces.

use std::ops::Range;

use super::forward::Place;
use super::kernels::act::Act;
use super::kernels::conv::Conv;
use super::kernels::group;
use super::kernels::moves::{Scale, ScaleBack, Way};
use super::kernels::point::{Back as NormBack, Sums};
use super::kernels::pool::{Global, Pool};
use super::kernels::wgrad::Wgrad;
use super::kernels::{Area, View};
use super::plan::{Kind, coefficient};
use super::program::{Back, Target};
use super::state::{PIECES, State, area, piece};
use super::tiled::Ends;

/// Output channels of a weight gradient that one task takes, where there are that many.
const CHANNELS: usize = 12;

/// What one task of an operation is.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// Units of one slot.
    Part { slot: usize, part: Range<usize> },
    /// Rows (or blocks) of a pass of the data gradient.
    Data { pass: usize, slot: usize, part: Range<usize> },
    /// Channels of a slice of the weight gradient.
    Weights { slice: usize, plain: Range<usize> },
}

impl State {
    /// Things that an operation's work can be dealt out in, for one slot; a layer's are found by [`State::task`].
    fn back_units(&self, back: &Back) -> usize {
        let rows = |buffer: usize| self.program.buffers[buffer].height;
        match back {
            Back::Act { g, .. } | Back::Norm { g, .. } | Back::Copy { g, .. } => rows(*g),
            Back::Layer { .. } => 0,
            Back::Scale { stage, .. } => self.plan.map(self.plan.stages[*stage].out).channels,
            Back::Stage { stage, .. } => {
                let stage = &self.plan.stages[*stage];
                let x = self.plan.map(stage.inputs[0]);
                match &stage.kind {
                    Kind::GroupNorm { groups, .. } => *groups,
                    Kind::Global { .. } => x.channels,
                    _ => x.height,
                }
            }
        }
    }

    /// How many tasks an operation has on so many slots.
    pub(crate) fn tasks(&self, back: &Back, slots: usize) -> usize {
        let Back::Layer { layer, to, weights, .. } = back else {
            return slots * self.back_units(back).min(PIECES);
        };
        let mut count = if *weights { self.slices(*layer, slots) * self.plain_parts(*layer) } else { 0 };
        if to.is_some() {
            for pass in 0..self.plan.layers[*layer].backward.len() {
                let (slots, pieces) = self.data_parts(*layer, pass, slots);
                count += slots * pieces;
            }
        }
        count
    }

    /// Task `index` of an operation. Weight gradients come first: they take longest.
    pub(crate) fn task(&self, back: &Back, index: usize, slots: usize) -> Task {
        let Back::Layer { layer, weights, .. } = back else {
            let units = self.back_units(back);
            let pieces = units.min(PIECES);
            return Task::Part { slot: index / pieces, part: piece(index % pieces, pieces, units) };
        };
        let mut left = index;
        if *weights {
            let parts = self.plain_parts(*layer);
            let count = self.slices(*layer, slots) * parts;
            if left < count {
                let plain = piece(left % parts, parts, self.plan.layers[*layer].shape.first);
                return Task::Weights { slice: left / parts, plain };
            }
            left -= count;
        }
        let passes = &self.plan.layers[*layer].backward;
        for (number, pass) in passes.iter().enumerate() {
            let (slots, pieces) = self.data_parts(*layer, number, slots);
            if left < slots * pieces {
                let units = if self.plan.layers[*layer].flat { pass.blocks.len() } else { pass.rows };
                return Task::Data {
                    pass: number,
                    slot: left / pieces,
                    part: piece(left % pieces, pieces, units),
                };
            }
            left -= slots * pieces;
        }
        Task::Part { slot: 0, part: 0..0 }
    }

    /// Slots and pieces that a pass of the data gradient is dealt out in.
    fn data_parts(&self, layer: usize, pass: usize, slots: usize) -> (usize, usize) {
        let layer = &self.plan.layers[layer];
        let pass = &layer.backward[pass];
        if layer.flat { (1, pass.blocks.len().min(PIECES)) } else { (slots, pass.rows.min(PIECES)) }
    }

    /// Parts of a weight tensor's first axis.
    fn plain_parts(&self, layer: usize) -> usize {
        self.plan.layers[layer].shape.first.div_ceil(CHANNELS)
    }

    /// Pieces of the plain side's rows that fit the second cache together with the tapped side's.
    fn row_parts(&self, layer: usize) -> usize {
        let layer = &self.plan.layers[layer];
        let (x, y) = (self.plan.map(layer.input), self.plan.map(layer.output));
        let rows = if layer.shape.transposed { x.height } else { y.height };
        let floats = x.size() + y.size();
        floats.div_ceil(100_000).clamp(1, rows)
    }

    /// Slices of a weight gradient's sum: a number that depends on the batch, not on the threads.
    pub(crate) fn slices(&self, layer: usize, slots: usize) -> usize {
        if self.plan.layers[layer].flat {
            1
        } else {
            self.plan.layers[layer].slices.min(slots * self.row_parts(layer))
        }
    }

    /// One task of an operation.
    ///
    /// # Safety
    /// No one else does it or uses the worker's scratch; what it reads is done.
    pub(crate) unsafe fn back(&self, back: &Back, task: Task, slots: usize, at: Place) {
        // SAFETY: as promised by the caller.
        unsafe {
            match (back, task) {
                (Back::Act { stage, g }, Task::Part { slot, part }) => {
                    self.back_act(*stage, *g, slot, part, at);
                }
                (Back::Norm { norm, g, to, .. }, Task::Part { slot, part }) => {
                    let norm_at = self.plan.norms[*norm];
                    let k = |i: usize| self.coefficient(*norm, coefficient::K + i).cast_const();
                    (self.kernels.point_back)(NormBack {
                        area: area(self.program.buffers[*g], part),
                        g: self.gradient(*g, slot),
                        y: self.value(norm_at.value, slot),
                        to: self.gradient(to.buffer, slot),
                        add: to.add,
                        k: [k(0), k(1), k(2)],
                        mean: self.coefficient(*norm, coefficient::MEAN),
                        mask: self.mask.start().add(slot * self.plan.lanes),
                    });
                }
                (Back::Copy { g, to }, Task::Part { slot, part }) => {
                    let views = (self.gradient(*g, slot), self.gradient(to.buffer, slot));
                    let map = self.program.buffers[*g];
                    self.copy(Way::Plain, area(map, part), map.height, views, to.add);
                }
                (Back::Layer { layer, g, to: Some(to), .. }, Task::Data { pass, slot, part }) => {
                    self.data(*layer, pass, *g, *to, slot, part, slots, at.worker);
                }
                (Back::Layer { layer, g, .. }, Task::Weights { slice, plain }) => {
                    self.weight_gradient(*layer, *g, slice, plain, slots);
                }
                (Back::Stage { stage, g, to }, Task::Part { slot, part }) => {
                    self.back_stage(*stage, *g, *to, slot, part);
                }
                (Back::Scale { stage, g, map, vector }, Task::Part { slot, part }) => {
                    self.back_scale(*stage, *g, (*map, *vector), slot, part);
                }
                _ => {}
            }
        }
    }

    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn back_act(&self, index: usize, g: usize, slot: usize, part: Range<usize>, at: Place) {
        let stage = &self.plan.stages[index];
        let map = self.program.buffers[g];
        let mode = self.mode(stage.part);
        let (terms, act) = match &stage.kind {
            Kind::Point { terms, act } => (terms.as_slice(), *act),
            _ => (&[][..], Act(Some(fm_net::Activation::Relu))),
        };
        let train = mode == super::state::Mode::Train;
        let wanted = [0, 1].map(|i| train && terms.get(i).is_some_and(|term| term.norm.is_some()));
        let sums = wanted[0] || wanted[1];
        if act.0.is_none() && !sums {
            return;
        }
        let z = self.value(stage.out, slot);
        let own = [super::plan::Term { value: stage.out, norm: None }];
        let scratch = self.scratch[at.worker].start();
        // SAFETY: as promised by the caller of `back`.
        unsafe {
            (self.kernels.point_sums)(Sums {
                area: area(map, part),
                g: self.gradient(g, slot),
                z,
                act,
                terms: self.terms(if terms.is_empty() { &own } else { terms }, slot, mode),
                count: terms.len(),
                to: if sums { scratch } else { std::ptr::null_mut() },
                wanted,
            });
            if sums {
                self.keep(scratch, map.channels, at);
            }
        }
    }

    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    #[expect(clippy::too_many_arguments, reason = "the parts of a task")]
    unsafe fn data(
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
        let (rows, cols, blocks) =
            if layer.flat { (0..1, slots, &pass.blocks[part]) } else { (part, pass.cols, &pass.blocks[..]) };
        // SAFETY: as promised by the caller of `back`.
        unsafe {
            let weights = self.packed.get(layer.back_packed..layer.back_packed + layer.lengths.1);
            if pass.tiled.is_some() {
                let ends = Ends { bias: None, relu: false, add: to.add, sums: std::ptr::null_mut() };
                self.tiled(pass, (from, from_map), (into, to_map.channels), rows, weights, ends, worker);
                return;
            }
            (self.kernels.conv)(Conv {
                x: from.at,
                x_row: from.row * pass.step,
                x_px: if layer.flat { from_map.size() } else { from.px * pass.step },
                y: into.pixel(y, x),
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
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn weight_gradient(
        &self,
        index: usize,
        g: usize,
        slice: usize,
        plain: Range<usize>,
        slots: usize,
    ) {
        let layer = &self.plan.layers[index];
        let shape = layer.shape;
        let (x_map, g_map) = (self.plan.map(layer.input), self.program.buffers[g]);
        let (x, dy) = (self.value(layer.input, 0), self.gradient(g, 0));
        let (x, dy) = ((x, x_map.size()), (dy, g_map.size()));
        let (tapped, flat, rows, cols) = if shape.transposed {
            (dy, x, x_map.height, x_map.width)
        } else {
            (x, dy, g_map.height, g_map.width)
        };
        let outputs = g_map.channels;
        let first = slice * (shape.weights() + outputs);
        let parts = if layer.flat { 1 } else { self.row_parts(index) };
        let pieces = if layer.flat { 0..1 } else { piece(slice, self.slices(index, slots), slots * parts) };
        let pad = shape.pad;
        // SAFETY: as promised by the caller of `back`; the border is at least as wide as the padding.
        unsafe {
            let out = self.partial[index].start().add(first);
            let View { at, row, px } = tapped.0;
            let has_bias = layer.bias.is_some() && !shape.transposed;
            for (count, piece_at) in pieces.clone().enumerate() {
                let (slots, rows) = if layer.flat {
                    (0..slots, 0..1)
                } else {
                    let slot = piece_at / parts;
                    (slot..slot + 1, piece(piece_at % parts, parts, rows))
                };
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
                    depth: shape.second,
                    out,
                    bias: if has_bias { out.add(shape.weights()) } else { std::ptr::null_mut() },
                    add: count > 0,
                });
            }
            // A transposed convolution's bias is not on the plain side; one task sums it over all.
            if shape.transposed && plain.start == 0 && slice == 0 {
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

    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn back_stage(&self, index: usize, g: usize, to: Option<Target>, slot: usize, part: Range<usize>) {
        let stage = &self.plan.stages[index];
        let (x_map, z_map) = (self.plan.map(stage.inputs[0]), self.plan.map(stage.out));
        let from = self.gradient(g, slot);
        let into = to.map(|to| self.gradient(to.buffer, slot));
        // SAFETY: as promised by the caller of `back`.
        unsafe {
            if let Kind::GroupNorm { groups, tensors } = &stage.kind {
                let each = z_map.channels / groups;
                let pitch = self.pitch();
                for group in part {
                    let kept = (slot * groups + group) * 2 * self.plan.lanes;
                    (self.kernels.group_back)(group::Back {
                        area: area(z_map, 0..z_map.height),
                        channels: group * each..(group + 1) * each,
                        x: self.value(stage.inputs[0], slot),
                        g: from,
                        to: into,
                        add: to.is_some_and(|to| to.add),
                        weight: self.tensor(&self.params, *tensors),
                        kept: self.extra[index].start().add(kept),
                        sums: self.statistics.start().add(slot * pitch),
                    });
                }
                return;
            }
            let (Some(into), Some(to)) = (into, to) else { return };
            match &stage.kind {
                Kind::Pool { size, stride, max } => (self.kernels.pool_back)(Pool {
                    area: area(z_map, part),
                    height: z_map.height,
                    width: x_map.width,
                    size: *size,
                    stride: *stride,
                    max: *max,
                    x: into,
                    z: from,
                    from: self.beside(index, slot),
                    add: to.add,
                }),
                Kind::Global { max } => (self.kernels.global_back)(Global {
                    area: Area { rows: 0..x_map.height, cols: x_map.width, channels: part.len() },
                    first: part.start,
                    max: *max,
                    x: into,
                    z: from.at,
                    from: self.beside(index, slot).at,
                    add: to.add,
                }),
                Kind::Dropout { .. } if self.mode(stage.part) == super::state::Mode::Train => {
                    let factor = self.beside(index, slot);
                    let area = area(z_map, part);
                    (self.kernels.scale)(Scale { area, x: from, factor, to: into, add: to.add });
                }
                Kind::Copy(way) => {
                    let back = match way {
                        Way::Flatten => Way::Unflatten,
                        Way::Unflatten => Way::Flatten,
                        Way::Double => Way::Halve,
                        Way::Halve => Way::Double,
                        Way::Plain => Way::Plain,
                    };
                    let map = if *way == Way::Unflatten { z_map } else { x_map };
                    let part = if *way == Way::Unflatten { 0..z_map.height } else { part };
                    self.copy(back, area(map, part), map.height, (from, into), to.add);
                }
                _ => self.copy(Way::Plain, area(z_map, part), z_map.height, (from, into), to.add),
            }
        }
    }

    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn back_scale(
        &self,
        index: usize,
        g: usize,
        (map, vector): (Option<Target>, Option<Target>),
        slot: usize,
        part: Range<usize>,
    ) {
        let stage = &self.plan.stages[index];
        let z_map = self.plan.map(stage.out);
        let from = self.gradient(g, slot);
        let shifted = |view: View| {
            // SAFETY: a channel of the map.
            View { at: unsafe { view.at.add(part.start * self.plan.lanes) }, ..view }
        };
        let all = Area { rows: 0..z_map.height, cols: z_map.width, channels: part.len() };
        // SAFETY: as promised by the caller of `back`.
        unsafe {
            if let Some(to) = vector {
                (self.kernels.scale_back)(ScaleBack {
                    area: all.clone(),
                    first: part.start,
                    x: self.value(stage.inputs[0], slot),
                    g: from,
                    to: self.gradient(to.buffer, slot).at,
                    add: to.add,
                });
            }
            if let Some(to) = map {
                let factor = View { row: 0, px: 0, ..self.value(stage.inputs[1], slot) };
                (self.kernels.scale)(Scale {
                    area: all,
                    x: shifted(from),
                    factor: shifted(factor),
                    to: shifted(self.gradient(to.buffer, slot)),
                    add: to.add,
                });
            }
        }
    }
}
