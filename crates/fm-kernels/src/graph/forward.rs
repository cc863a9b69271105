//! The forward pass: stages, one after the other, each in pieces.

use std::ops::Range;

use super::kernels::View;
use super::kernels::col2im::Col2im;
use super::kernels::conv::Conv;
use super::kernels::group;
use super::kernels::moves::{Copy, Scale, Way};
use super::kernels::point::{self, Moments};
use super::kernels::pool::Global;
use super::plan::{Kind, Term, coefficient};
use super::state::{Mode, State, area};
use super::tiled::Ends;

/// Where sums of a piece go: its number, and the worker whose scratch it may use.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) task: usize,
    pub(crate) worker: usize,
    /// Images in the slot.
    pub(crate) images: usize,
}

impl State {
    /// Things that a stage's work can be dealt out in, for one slot: rows, groups, channels.
    pub(crate) fn units(&self, stage: usize) -> usize {
        let stage = &self.plan.stages[stage];
        let (x, z) = (self.plan.map(stage.inputs[0]), self.plan.map(stage.out));
        match &stage.kind {
            Kind::Layer(layer) if self.plan.layers[*layer].flat => {
                self.plan.layers[*layer].forward.blocks.len()
            }
            Kind::GroupNorm { groups, .. } => *groups,
            Kind::Global { .. } => x.channels,
            Kind::Copy(Way::Flatten | Way::Double) | Kind::Moments(_) => x.height,
            Kind::Layer(layer) => self.plan.layers[*layer].forward.bands(),
            _ => z.height,
        }
    }

    /// Part of a stage for one slot.
    ///
    /// # Safety
    /// No one else writes this part of its output, or uses the worker's scratch; its inputs are done.
    pub(crate) unsafe fn forward(
        &self,
        index: usize,
        slot: usize,
        part: Range<usize>,
        mode: Mode,
        at: Place,
    ) {
        let stage = &self.plan.stages[index];
        let (input, z) = (stage.inputs[0], self.value(stage.out, slot));
        let (x, x_map, z_map) = (self.value(input, slot), self.plan.map(input), self.plan.map(stage.out));
        // SAFETY: as promised by the caller; the maps are as large as the plan says.
        unsafe {
            match &stage.kind {
                Kind::Layer(layer) => self.layer(*layer, slot, 1, part, mode, at),
                Kind::Moments(_) => {
                    if mode == Mode::Train {
                        let sums = self.scratch[at.worker].start();
                        let count = part.len() * x_map.width;
                        (self.kernels.moments)(Moments { area: area(x_map, part), y: x, sums });
                        self.keep_moments(sums, x_map.channels, count, at);
                    }
                }
                Kind::Point { terms, act } => (self.kernels.point)(point::Forward {
                    area: area(z_map, part),
                    terms: self.terms(terms, slot, mode),
                    count: terms.len(),
                    act: *act,
                    z,
                }),
                Kind::Pooled { .. } | Kind::Pool { .. } => self.windows(index, slot, part, mode, at),
                Kind::GroupNorm { groups, tensors } => {
                    let each = z_map.channels / groups;
                    for group in part {
                        let kept = (slot * groups + group) * 2 * self.plan.lanes;
                        (self.kernels.group)(group::Forward {
                            area: area(z_map, 0..z_map.height),
                            channels: group * each..(group + 1) * each,
                            x,
                            z,
                            weight: self.tensor(&self.params, *tensors),
                            bias: self.tensor(&self.params, tensors + 1),
                            kept: self.extra[index].start().add(kept),
                            eps: fm_net::EPS as f32,
                        });
                    }
                }
                Kind::Global { max } => (self.kernels.global)(Global {
                    area: super::kernels::Area {
                        rows: 0..x_map.height,
                        cols: x_map.width,
                        channels: part.len(),
                    },
                    first: part.start,
                    max: *max,
                    x,
                    z: z.at,
                    from: self.beside(index, slot).at,
                    add: false,
                }),
                Kind::Dropout { .. } if mode == Mode::Train => (self.kernels.scale)(Scale {
                    area: area(z_map, part),
                    x,
                    factor: self.beside(index, slot),
                    to: z,
                    add: false,
                }),
                Kind::Dropout { .. } => self.copy(Way::Plain, area(z_map, part), z_map.height, (x, z), false),
                Kind::Scale => {
                    let factor = View { row: 0, px: 0, ..self.value(stage.inputs[1], slot) };
                    (self.kernels.scale)(Scale { area: area(z_map, part), x, factor, to: z, add: false });
                }
                Kind::Col2im { side, bias, relu } => (self.kernels.col2im)(Col2im {
                    area: area(z_map, part),
                    side: *side,
                    x,
                    height: x_map.height,
                    width: x_map.width,
                    bias: self.tensor(&self.params, *bias),
                    relu: *relu,
                    z,
                    zeros: self.tiles[at.worker].start(),
                }),
                Kind::Copy(Way::Unflatten) => {
                    self.copy(Way::Unflatten, area(z_map, part), z_map.height, (x, z), false);
                }
                Kind::Copy(way) => self.copy(*way, area(x_map, part), x_map.height, (x, z), false),
            }
        }
    }

    /// # Safety
    /// As for [`State::forward`].
    pub(super) unsafe fn copy(
        &self,
        way: Way,
        area: super::kernels::Area,
        height: usize,
        (from, to): (View, View),
        add: bool,
    ) {
        // SAFETY: as promised by the caller.
        unsafe { (self.kernels.copy)(Copy { area, height, way, from, to, add }) }
    }

    /// Part of a layer (rows, or blocks where it is flat) for some slots.
    ///
    /// # Safety
    /// As for [`State::forward`].
    pub(crate) unsafe fn layer(
        &self,
        index: usize,
        slot: usize,
        slots: usize,
        part: Range<usize>,
        mode: Mode,
        at: Place,
    ) {
        let layer = &self.plan.layers[index];
        let y_map = self.plan.map(layer.output);
        let sums = layer.norm.filter(|_| mode == Mode::Train);
        let scratch = self.scratch[at.worker].start();
        // SAFETY: as promised by the caller.
        unsafe {
            if layer.flat {
                self.product(index, slot..slot + slots, part, mode);
                return;
            }
            let rows = layer.forward.rows_of(part);
            let count = rows.len() * layer.forward.cols;
            let sum_at = if sums.is_some() { scratch } else { std::ptr::null_mut() };
            if layer.taker.is_none() {
                let y = self.value(layer.output, slot).at_row(rows.start);
                self.convolve(index, (slot, rows), mode, y, sum_at, at.worker);
            } else if sums.is_some() {
                self.make_sums(index, slot, rows, sum_at, at);
            }
            if sums.is_some() {
                self.keep_moments(scratch, y_map.channels, count, at);
            }
        }
    }

    /// A layer's packed weights and its bias, as a mode has them.
    ///
    /// # Safety
    /// No one writes them meanwhile.
    unsafe fn weights_of(&self, index: usize, mode: Mode) -> (&[f32], Option<&[f32]>) {
        let layer = &self.plan.layers[index];
        let weights = layer.packed..layer.packed + layer.lengths.0;
        // SAFETY: as promised by the caller.
        unsafe {
            if mode == Mode::Infer && layer.norm.is_some() {
                let channels = self.plan.map(layer.output).channels;
                (self.folded.get(weights), Some(self.folded_bias[index].get(0..channels)))
            } else {
                (self.packed.get(weights), layer.bias.map(|bias| self.read(&self.params, bias)))
            }
        }
    }

    /// Some blocks of a layer of one pixel, for some slots.
    ///
    /// # Safety
    /// As for [`State::forward`].
    unsafe fn product(&self, index: usize, slots: Range<usize>, part: Range<usize>, mode: Mode) {
        let layer = &self.plan.layers[index];
        let (x, y) = (self.value(layer.input, slots.start), self.value(layer.output, slots.start));
        // SAFETY: as promised by the caller.
        unsafe {
            let (weights, bias) = self.weights_of(index, mode);
            (self.kernels.conv)(Conv {
                x: x.at,
                x_row: x.row,
                x_px: self.plan.map(layer.input).size(),
                y: y.at,
                y_row: y.row,
                y_px: self.plan.map(layer.output).size(),
                rows: 0..1,
                cols: slots.len(),
                taps: &layer.offsets,
                runs: &layer.forward.runs,
                step: layer.forward.step,
                height: 1,
                blocks: &layer.forward.blocks[part],
                depth: layer.forward.depth,
                weights,
                bias,
                relu: layer.relu,
                add: false,
                sums: std::ptr::null_mut(),
            });
        }
    }

    /// Some rows of a layer for one slot, from `y`'s first row on, and their sums for a batch norm where a place for them is given.
    ///
    /// # Safety
    /// As for [`State::forward`].
    pub(super) unsafe fn convolve(
        &self,
        index: usize,
        (slot, rows): (usize, Range<usize>),
        mode: Mode,
        y: View,
        sums: *mut f32,
        worker: usize,
    ) {
        let layer = &self.plan.layers[index];
        let (x, x_map) = (self.value(layer.input, slot), self.plan.map(layer.input));
        // SAFETY: as promised by the caller.
        unsafe {
            let (weights, bias) = self.weights_of(index, mode);
            if layer.forward.tiled.is_some() {
                let ends = Ends { bias, relu: layer.relu, add: false, sums };
                self.tiled(&layer.forward, (x, x_map), y, rows, weights, ends, worker);
                return;
            }
            (self.kernels.conv)(Conv {
                x: x.at,
                x_row: x.row * layer.forward.step,
                x_px: x.px * layer.forward.step,
                y: y.at,
                y_row: y.row,
                y_px: y.px,
                rows,
                cols: layer.forward.cols,
                taps: &layer.offsets,
                runs: &layer.forward.runs,
                step: layer.forward.step,
                height: x_map.height,
                blocks: &layer.forward.blocks,
                depth: layer.forward.depth,
                weights,
                bias,
                relu: layer.relu,
                add: false,
                sums,
            });
        }
    }

    /// The summands of a point, with the affine that a mode has.
    pub(super) fn terms(&self, terms: &[Term], slot: usize, mode: Mode) -> [point::Term; 2] {
        let term = |index: usize| {
            let term = terms[index.min(terms.len() - 1)];
            let y = self.value(term.value, slot);
            let null = std::ptr::null();
            match term.norm {
                Some(norm) if !(mode == Mode::Infer && self.plan.norms[norm].folded) => {
                    let bias = self.tensor(&self.params, self.plan.norms[norm].tensors + 1);
                    let (a, mean) = if mode == Mode::Train {
                        (coefficient::A, self.coefficient(norm, coefficient::MEAN))
                    } else {
                        (coefficient::EVAL_A, self.tensor(&self.params, self.plan.norms[norm].tensors + 2))
                    };
                    point::Term { y, a: self.coefficient(norm, a), b: bias, mean }
                }
                _ => point::Term { y, a: null, b: null, mean: null },
            }
        };
        [term(0), term(1)]
    }
}
