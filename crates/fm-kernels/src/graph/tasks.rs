//! How the operations of the backward pass are dealt out: in numbers of pieces that do not depend on the threads.

use std::ops::Range;

use super::plan::Kind;
use super::program::Back;
use super::state::{PIECES, State, piece, pieces};

/// What one task of an operation is.
#[derive(Debug, Clone)]
pub(crate) enum Task {
    /// Units of one slot.
    Part { slot: usize, part: Range<usize> },
    /// Bands (or blocks) of a pass of the data gradient.
    Data { pass: usize, slot: usize, part: Range<usize> },
    /// Channels of a slice of the weight gradient.
    Weights { slice: usize, plain: Range<usize> },
}

/// Tasks of a layer that are parts of one thing.
#[derive(Debug, Clone, Copy)]
enum Work {
    /// Parts of the channels of a slice of the weight gradient.
    Weights(usize),
    /// Pieces of one slot of a pass of the data gradient.
    Data { pass: usize, slot: usize },
}

impl State {
    /// Things that an operation's work can be dealt out in, for one slot; a layer's are found by [`State::task`].
    fn back_units(&self, back: &Back) -> usize {
        let rows = |buffer: usize| self.program.buffers[buffer].height;
        match back {
            Back::Act { g, .. } | Back::Copy { g, .. } => rows(*g),
            Back::Norm { norm, .. } => self.plan.map(self.plan.norms[*norm].value).height,
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
        match back {
            Back::Layer { layer, to, weights, .. } => {
                self.layer_tasks(*layer, (to.is_some(), *weights), slots).map(|(_, count)| count).sum()
            }
            _ => slots * pieces(self.back_units(back), slots),
        }
    }

    /// Task `index` of an operation. Tasks of the same images follow one another.
    pub(crate) fn task(&self, back: &Back, index: usize, slots: usize) -> Task {
        let Back::Layer { layer, to, weights, .. } = back else {
            let units = self.back_units(back);
            let pieces = pieces(units, slots);
            return Task::Part { slot: index / pieces, part: piece(index % pieces, pieces, units) };
        };
        let own = &self.plan.layers[*layer];
        let mut left = index;
        for (some, count) in self.layer_tasks(*layer, (to.is_some(), *weights), slots) {
            if left >= count {
                left -= count;
                continue;
            }
            return match some {
                Work::Weights(slice) => Task::Weights { slice, plain: piece(left, count, own.shape.first) },
                Work::Data { pass: number, slot } => {
                    let pass = &own.backward[number];
                    let units = if own.flat { pass.blocks.len() } else { pass.bands() };
                    Task::Data { pass: number, slot, part: piece(left, count, units) }
                }
            };
        }
        Task::Part { slot: 0, part: 0..0 }
    }

    /// The tasks of a layer's data gradient and weight gradient, where they are wanted, and in how many parts each is: slice
    /// after slice of the weight gradient, and with it the data gradient of the same slots.
    fn layer_tasks(
        &self,
        layer: usize,
        (data, weights): (bool, bool),
        slots: usize,
    ) -> impl Iterator<Item = (Work, usize)> {
        let own = &self.plan.layers[layer];
        let slices = if weights { self.slices(layer, slots) } else { 1 };
        (0..slices).flat_map(move |slice| {
            let weights = weights.then_some((Work::Weights(slice), own.plain_parts()));
            let passes = if data { own.backward.len() } else { 0 };
            let data = (0..passes).flat_map(move |pass| {
                let (slots, pieces) = self.data_parts(layer, pass, slots);
                piece(slice, slices, slots).map(move |slot| (Work::Data { pass, slot }, pieces))
            });
            weights.into_iter().chain(data)
        })
    }

    /// Slots and pieces that a pass of the data gradient is dealt out in.
    fn data_parts(&self, layer: usize, pass: usize, slots: usize) -> (usize, usize) {
        let layer = &self.plan.layers[layer];
        let pass = &layer.backward[pass];
        if layer.flat { (1, pass.blocks.len().min(PIECES)) } else { (slots, pieces(pass.bands(), slots)) }
    }

    /// Slices of a weight gradient's sum.
    pub(crate) fn slices(&self, layer: usize, slots: usize) -> usize {
        self.plan.layers[layer].slices_of(slots, slots * self.plan.row_parts(layer))
    }
}
