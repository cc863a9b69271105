//! How work is dealt to blocks. No choice here changes a bit of a result but [`Tuning::conv`]'s two splits, which
//! depend on the network alone.

use crate::args::{Conv, THREADS, TILE};
use crate::plan::MOST_SHARED;

/// How many blocks share an image or a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tuning {
    /// Outputs of a later block that a thread block takes in the forward pass: fewer give more blocks.
    pub filters: usize,
    /// Images that a thread block takes where an image has one or two windows, forward.
    pub images: usize,
    /// The same, backward.
    pub back_images: usize,
    /// Taps of a convolution's weights that a thread block of the update takes: 1, 3 or 9.
    pub taps: usize,
    /// Steps that one launch of a graph makes.
    pub graph: usize,
}

impl Tuning {
    /// For so many seeds side by side: one seed needs all of the chip for itself, many fill it by their number.
    #[must_use]
    pub fn for_seeds(seeds: usize) -> Self {
        if seeds < 4 {
            Self { filters: 16, images: 2, back_images: 1, taps: 1, graph: 64 }
        } else {
            Self { filters: 64, images: 8, back_images: 4, taps: 9, graph: 64 }
        }
    }

    /// Fills in what is decided here for block `l`.
    pub(crate) fn conv(&self, c: &mut Conv, l: usize) {
        let (inputs, outputs) = (c.inputs as usize, c.outputs as usize);
        let (rows, cols) = (c.rows as usize, c.cols as usize);
        // By the network alone: sums are added up in this order.
        let split = [16_usize, 8, 4, 2].into_iter().find(|&s| inputs.is_multiple_of(s) && inputs / s >= 4);
        c.split = if l == 0 { 1 } else { split.unwrap_or(1) as i32 };
        // The second block's backward pass ends in sums over positions, which may be split by rows.
        let back_rows = if l == 1 { 1 } else { rows };
        let quads = (back_rows * cols).div_ceil(4);
        let back_split = [8, 4, 2].into_iter().find(|&s| quads * s <= THREADS / 32).unwrap_or(1);
        (c.back_rows, c.back_split) = (back_rows as i32, back_split as i32);

        let few = rows * cols <= 2;
        let filters = if few { outputs } else { self.filters.min(outputs) }.clamp(4, 64) / 4 * 4;
        (c.filters, c.images) = (filters as i32, if few { self.images as i32 } else { 1 });
        let patches = self.back_images * back_split * rows * cols * 16 * TILE * size_of::<f32>();
        c.back_images = if l > 1 && few && patches <= MOST_SHARED { self.back_images as i32 } else { 1 };
        // One tap a block makes too many blocks where each has little to do.
        c.taps = if self.taps == 1 && rows * cols < 8 { 3 } else { self.taps as i32 };
    }
}
