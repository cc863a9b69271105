//! The backward pass: operations of the program, each in pieces.

use std::ops::Range;

use super::forward::Place;
use super::kernels::act::Act;
use super::kernels::col2im::Im2col;
use super::kernels::group;
use super::kernels::moves::{Scale, ScaleBack, Way};
use super::kernels::point::{Back as NormBack, Norm, Sums};
use super::kernels::pool::{Global, Pool};
use super::kernels::pooled;
use super::kernels::{Area, View};
use super::plan::{Kind, Term, coefficient};
use super::program::{Back, Before, Target};
use super::state::{Mode, State, area};
use super::tasks::Task;

impl State {
    /// One task of an operation.
    ///
    /// # Safety
    /// No one else does it or uses the worker's scratch; what it reads is done.
    pub(crate) unsafe fn back(&self, back: &Back, task: Task, slots: usize, at: Place) {
        // SAFETY: as promised by the caller.
        unsafe {
            match (back, task) {
                (Back::Act { stage, g, in_place }, Task::Part { slot, part }) => {
                    self.back_act(*stage, (*g, *in_place), slot, part, at);
                }
                (Back::Norm { norm, g, to, before, .. }, Task::Part { slot, part }) => {
                    self.back_norm(*norm, (*g, *to), *before, slot, part);
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
                    self.weight_gradient(*layer, *g, slice, plain, slots, at.worker);
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

    /// What the gradient through a batch norm takes.
    pub(super) fn through(&self, norm: usize, slot: usize) -> Norm {
        let k = |i: usize| self.coefficient(norm, coefficient::K + i).cast_const();
        let mask = self.mask.start().wrapping_add(slot * self.plan.lanes);
        Norm { k: [k(0), k(1), k(2)], mean: self.coefficient(norm, coefficient::MEAN), mask }
    }

    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn back_norm(
        &self,
        number: usize,
        (g, to): (usize, Target),
        before: Before,
        slot: usize,
        part: Range<usize>,
    ) {
        let value = self.plan.norms[number].value;
        let (area, y) = (area(self.plan.map(value), part), self.value(value, slot));
        let (windows, g) = (self.program.buffers[g], self.gradient(g, slot));
        let (to, add) = (self.gradient(to.buffer, slot), to.add);
        // SAFETY: as promised by the caller of `back`.
        unsafe {
            let norm = self.through(number, slot);
            if let Before::Pooled(stage) = before
                && let Kind::Pooled { size, .. } = self.plan.stages[stage].kind
            {
                (self.kernels.pooled_back)(pooled::Back {
                    area,
                    windows: (windows.height, windows.width),
                    size,
                    g,
                    from: self.beside(stage, slot),
                    y,
                    to,
                    add,
                    norm,
                });
                return;
            }
            let term = Term { value, norm: Some(number) };
            let relu = (before == Before::Relu).then(|| self.terms(&[term], slot, Mode::Train)[0]);
            (self.kernels.point_back)(NormBack { area, g, y, to, add, norm, relu });
        }
    }

    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn back_act(
        &self,
        index: usize,
        (g, in_place): (usize, bool),
        slot: usize,
        part: Range<usize>,
        at: Place,
    ) {
        let stage = &self.plan.stages[index];
        let map = self.program.buffers[g];
        let mode = self.mode(stage.part);
        let terms = stage.kind.terms();
        let act = match &stage.kind {
            Kind::Point { act, .. } => *act,
            Kind::Col2im { relu: false, .. } => Act(None),
            _ => Act(Some(fm_net::Activation::Relu)),
        };
        let train = mode == Mode::Train;
        let wanted = [0, 1].map(|i| train && terms.get(i).is_some_and(|term| term.norm.is_some()));
        let sums = wanted[0] || wanted[1] || (train && matches!(stage.kind, Kind::Col2im { .. }));
        if act.0.is_none() && !sums {
            return;
        }
        let z = self.value(stage.out, slot);
        if let Kind::Pooled { term, .. } = stage.kind {
            let scratch = self.scratch[at.worker].start();
            let mean = self.terms(&[term], slot, mode)[0].mean;
            // SAFETY: as promised by the caller of `back`.
            unsafe {
                (self.kernels.pooled_sums)(pooled::Sums {
                    area: area(map, part),
                    g: self.gradient(g, slot),
                    z,
                    own: self.own(index, slot),
                    mean,
                    to: if sums { scratch } else { std::ptr::null_mut() },
                });
                if sums {
                    self.keep(scratch, map.channels, at);
                }
            }
            return;
        }
        let own = [Term { value: stage.out, norm: None }];
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
                in_place,
            });
            if sums {
                self.keep(scratch, map.channels, at);
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
                    relu: (*max && self.plan.is_relu(stage.inputs[0])).then(|| self.value(stage.out, slot)),
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
                Kind::Dropout { .. } if self.mode(stage.part) == Mode::Train => {
                    let factor = self.beside(index, slot);
                    let area = area(z_map, part);
                    (self.kernels.scale)(Scale { area, x: from, factor, to: into, add: to.add });
                }
                Kind::Col2im { side, .. } => (self.kernels.im2col)(Im2col {
                    area: Area { rows: part, cols: x_map.width, channels: z_map.channels },
                    side: *side,
                    g: from,
                    to: into,
                    add: to.add,
                }),
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
