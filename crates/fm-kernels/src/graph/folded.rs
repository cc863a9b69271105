//! A layer's weight gradient in Winograd's form, some rows of a slot at a time.

use std::ops::Range;

use super::kernels::View;
use super::kernels::fold::{Fold, Lift, room, tile};
use super::kernels::winograd::{INPUTS, Spread};
use super::map::Map;
use super::plan::Layer;
use super::state::State;

/// One slot of what a weight gradient is the product of.
pub(super) struct Sides {
    /// The side that the taps walk over, and its map.
    pub(super) tapped: (View, Map),
    /// The other one, and its columns.
    pub(super) plain: (View, usize),
}

impl Layer {
    /// Floats of the worker's memory that a weight gradient over so many rows takes.
    pub(super) fn folded_room(&self, lanes: usize, rows: usize) -> usize {
        let Some(folded) = &self.folded else { return 0 };
        let shape = self.shape;
        let line = INPUTS * folded.tiles * lanes;
        line * ((rows + shape.kernel - 1) * shape.second + rows * shape.first)
            + room(lanes, shape.kernel, shape.second, shape.first)
    }
}

impl State {
    /// The gradient of some output channels' weights over some rows, summed up in the worker's memory, or after
    /// the last piece in `out`; `adds` are whether there was a piece before, and whether this is the last one.
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
        (add, last): (bool, bool),
        out: *mut f32,
        worker: usize,
    ) {
        let Some(folded) = &layer.folded else { return };
        let (shape, lanes) = (layer.shape, self.plan.lanes);
        let (deep, wide) = tile(lanes, shape.kernel);
        let buffer = &self.tiles[worker];
        assert!(self.zeros + layer.folded_room(lanes, rows.len()) <= buffer.len(), "{rows:?} of {shape:?}");
        let above = rows.len() + shape.kernel - 1;
        let (x, map) = sides.tapped;
        let (y, cols) = sides.plain;
        // SAFETY: as promised by the caller; the worker's memory has room, by the assertion. The sums come first, where
        // pieces of different heights find them.
        unsafe {
            let sums = buffer.start().add(self.zeros);
            let spread = sums.add(room(lanes, shape.kernel, shape.second, shape.first));
            let lifted = spread.add(INPUTS * above * folded.tiles * shape.second * lanes);
            (self.kernels.spread)(Spread {
                x,
                height: map.height,
                width: map.width,
                channels: shape.second,
                first: rows.start as isize - shape.pad as isize,
                rows: above,
                left: -(shape.pad as isize),
                tiles: folded.tiles,
                outputs: folded.outputs,
                group: deep,
                to: spread,
                zeros: buffer.start(),
            });
            (self.kernels.lift)(Lift {
                y: View { at: y.pixel(rows.start, 0).add(plain.start * lanes), ..y },
                rows: rows.len(),
                cols,
                channels: plain.len(),
                tiles: folded.tiles,
                outputs: folded.outputs,
                group: wide,
                to: lifted,
                zeros: buffer.start(),
            });
            let each = shape.second * shape.kernel * shape.kernel;
            (self.kernels.fold)(Fold {
                x: spread,
                y: lifted,
                rows: rows.len(),
                tiles: folded.tiles,
                side: shape.kernel,
                depth: shape.second,
                plain: plain.len(),
                sums,
                add,
                out: if last { out.add(plain.start * each) } else { std::ptr::null_mut() },
            });
        }
    }
}
