//! A pass of a convolution in Winograd's form, some rows at a time.

use std::ops::Range;

use super::kernels::View;
use super::kernels::conv::{Conv, Run};
use super::kernels::gather::Gather;
use super::kernels::spread::Spread;
use super::kernels::winograd::{FREQUENCIES, plane};
use super::layer::Pass;
use super::map::Map;
use super::state::State;

/// What happens to each sum.
#[derive(Clone, Copy)]
pub(super) struct Ends<'a> {
    pub(super) bias: Option<&'a [f32]>,
    pub(super) relu: bool,
    /// Adds to what is there.
    pub(super) add: bool,
    /// As for [`Conv::sums`].
    pub(super) sums: *mut f32,
}

impl State {
    /// Some rows of a pass from one slot's map to another's, from the first row of a tile on; `y` begins with the first of them.
    ///
    /// # Safety
    /// No one else writes these rows or uses the worker's memory; the pass has such a form, and the weights
    /// are packed for it.
    #[expect(clippy::too_many_arguments, reason = "the two sides of a pass")]
    pub(super) unsafe fn tiled(
        &self,
        pass: &Pass,
        (x, map): (View, Map),
        y: View,
        rows: Range<usize>,
        weights: &[f32],
        ends: Ends<'_>,
        worker: usize,
    ) {
        let Some(tiled) = &pass.tiled else { return };
        let (lanes, channels) = (self.plan.lanes, pass.channels());
        let px = pass.depth * lanes;
        let runs = [Run { dy: 0, taps: 0..1 }];
        let weight = pass.depth * channels;
        let buffer = &self.tiles[worker];
        assert_eq!(y.px, channels * lanes, "the output of {tiled:?}");
        let mut start = rows.start;
        while start < rows.end {
            let count = tiled.rows.min(rows.end - start);
            let tiles = tiled.tiles_of(count);
            let (inputs, outputs) = (plane(tiles, pass.depth, lanes), plane(tiles, channels, lanes));
            let most = self.zeros + tiled.room(count, pass.depth, channels, lanes);
            assert!(most <= buffer.len(), "{count} rows of {tiled:?}");
            // SAFETY: as promised by the caller; the worker's memory has room, by the assertion.
            unsafe {
                let spread = buffer.start().add(self.zeros);
                let products = spread.add(FREQUENCIES * inputs);
                (self.kernels.spread)(Spread {
                    x,
                    height: map.height,
                    width: map.width,
                    channels: pass.depth,
                    first: start as isize + tiled.first.0,
                    left: tiled.first.1,
                    side: tiled.side,
                    which: None,
                    bands: tiles / tiled.tiles,
                    tiles: tiled.tiles,
                    group: pass.depth,
                    to: spread,
                    zeros: buffer.start(),
                });
                for frequency in 0..FREQUENCIES {
                    (self.kernels.conv)(Conv {
                        x: spread.add(frequency * inputs),
                        x_row: 0,
                        x_px: px,
                        y: products.add(frequency * outputs),
                        y_row: 0,
                        y_px: channels * lanes,
                        rows: 0..1,
                        cols: tiles,
                        taps: &[0],
                        runs: &runs,
                        step: 0,
                        height: 1,
                        blocks: &tiled.blocks,
                        depth: pass.depth,
                        weights: &weights[frequency * weight..(frequency + 1) * weight],
                        bias: None,
                        relu: false,
                        add: false,
                        sums: std::ptr::null_mut(),
                    });
                }
                (self.kernels.gather)(Gather {
                    from: products,
                    side: tiled.side,
                    rows: count,
                    tiles: tiled.tiles,
                    channels,
                    y: y.at_row(start - rows.start),
                    cols: pass.cols,
                    bias: ends.bias.map_or(std::ptr::null(), |bias| bias[..channels].as_ptr()),
                    relu: ends.relu,
                    add: ends.add,
                    sums: ends.sums,
                    fresh: start == rows.start,
                });
            }
            start += count;
        }
    }
}
