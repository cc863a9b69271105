//! A layer's weight gradient in Winograd's form, some rows of a slot at a time, or some slots.

use std::ops::Range;

use super::kernels::View;
use super::kernels::fold::{Fold, room, tile};
use super::kernels::lift::Lift;
use super::kernels::spread::Spread;
use super::kernels::winograd::{INPUTS, outputs, plane};
use super::map::Map;
use super::plan::Layer;
use super::state::State;
use super::tiles::Folded;

/// Slots of what a weight gradient is the product of.
pub(super) struct Sides {
    /// The first slot of the side that the taps walk over, the distance to the next, and its map.
    pub(super) tapped: (View, usize, Map),
    /// The first slot of the other one, the distance to the next, and its columns.
    pub(super) plain: (View, usize, usize),
    pub(super) slots: usize,
}

/// What becomes of a piece's sums.
#[derive(Clone, Copy)]
pub(super) struct Piece {
    /// Adds to those of the pieces before.
    pub(super) add: bool,
    /// Makes them the gradient.
    pub(super) last: bool,
}

impl Folded {
    /// Floats of transformed values of one slot over so many rows: of the tapped side, and of so many plain channels.
    pub(super) fn floats(self, layer: &Layer, rows: usize, plain: usize, lanes: usize) -> (usize, usize) {
        let tiles = rows.div_ceil(outputs(layer.shape.kernel)) * self.tiles;
        let floats = |channels| INPUTS * plane(tiles, channels, lanes);
        (floats(layer.shape.second), floats(plain))
    }
}

impl Layer {
    /// Floats of the worker's memory that a weight gradient over so many rows of so many slots takes.
    pub(super) fn folded_room(&self, lanes: usize, rows: usize, slots: usize) -> usize {
        let Some(folded) = &self.folded else { return 0 };
        let shape = self.shape;
        let (tapped, plain) = folded.floats(self, rows, self.plain_most(), lanes);
        slots * (tapped + plain) + room(lanes, shape.second, shape.first)
    }
}

impl State {
    /// The gradient of some output channels' weights over some rows, summed up in the worker's memory, or after
    /// the last piece in `out`. The first row is a tile's first.
    ///
    /// # Safety
    /// As for [`State::back`]; nothing else uses the worker's memory between pieces.
    #[expect(clippy::too_many_arguments, reason = "the parts of a task")]
    pub(super) unsafe fn folded(
        &self,
        layer: &Layer,
        sides: &Sides,
        rows: Range<usize>,
        plain: Range<usize>,
        piece: Piece,
        out: *mut f32,
        worker: usize,
    ) {
        let Some(folded) = &layer.folded else { return };
        let (shape, lanes) = (layer.shape, self.plan.lanes);
        let side = shape.kernel;
        let (deep, wide) = tile(lanes);
        let buffer = &self.tiles[worker];
        let most = layer.folded_room(lanes, rows.len(), sides.slots);
        assert!(self.zeros + most <= buffer.len(), "{rows:?} of {shape:?}");
        let bands = rows.len().div_ceil(outputs(side));
        let (x, x_slot, map) = sides.tapped;
        let (y, y_slot, cols) = sides.plain;
        let (tapped, lifted) = folded.floats(layer, rows.len(), plain.len(), lanes);
        let each = shape.second * shape.kernel * shape.kernel;
        // SAFETY: as promised by the caller; the worker's memory has room, by the assertion. The sums come first, where
        // pieces of different heights find them.
        unsafe {
            let sums = buffer.start().add(self.zeros);
            let to_x = sums.add(room(lanes, shape.second, shape.first));
            let to_y = to_x.add(sides.slots * tapped);
            for which in 0..INPUTS {
                for slot in 0..sides.slots {
                    (self.kernels.spread)(Spread {
                        x: View { at: x.at.add(slot * x_slot), ..x },
                        height: map.height,
                        width: map.width,
                        channels: shape.second,
                        first: rows.start as isize - shape.pad as isize,
                        left: -(shape.pad as isize),
                        side,
                        which: Some(which),
                        bands,
                        tiles: folded.tiles,
                        group: deep,
                        to: to_x.add(slot * tapped),
                        zeros: buffer.start(),
                    });
                    (self.kernels.lift)(Lift {
                        y: View { at: y.pixel(rows.start, 0).add(slot * y_slot + plain.start * lanes), ..y },
                        rows: rows.len(),
                        side,
                        which,
                        cols,
                        channels: plain.len(),
                        tiles: folded.tiles,
                        group: wide,
                        to: to_y.add(slot * lifted),
                        zeros: buffer.start(),
                    });
                }
                let last = piece.last && which + 1 == INPUTS;
                (self.kernels.fold)(Fold {
                    x: to_x,
                    y: to_y,
                    slots: sides.slots,
                    tiles: bands * folded.tiles,
                    which,
                    side,
                    depth: shape.second,
                    plain: plain.len(),
                    sums,
                    add: piece.add,
                    out: if last { out.add(plain.start * each) } else { std::ptr::null_mut() },
                });
            }
        }
    }
}
