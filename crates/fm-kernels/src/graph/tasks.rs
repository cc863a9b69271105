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
        let Back::Layer { layer, to, weights, .. } = back else {
            return slots * pieces(self.back_units(back), slots);
        };
        let mut count =
            if *weights { self.slices(*layer, slots) * self.plan.layers[*layer].plain_parts() } else { 0 };
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
            let pieces = pieces(units, slots);
            return Task::Part { slot: index / pieces, part: piece(index % pieces, pieces, units) };
        };
        let mut left = index;
        if *weights {
            let parts = self.plan.layers[*layer].plain_parts();
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
                let units = if self.plan.layers[*layer].flat { pass.blocks.len() } else { pass.bands() };
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
        if layer.flat { (1, pass.blocks.len().min(PIECES)) } else { (slots, pieces(pass.bands(), slots)) }
    }

    /// Slices of a weight gradient's sum: a number that depends on the batch, not on the threads.
    pub(crate) fn slices(&self, layer: usize, slots: usize) -> usize {
        if self.plan.layers[layer].flat {
            1
        } else {
            self.plan.layers[layer].slices.min(slots * self.plan.row_parts(layer))
        }
    }
}
