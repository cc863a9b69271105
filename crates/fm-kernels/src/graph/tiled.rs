//! A pass of a convolution in Winograd's form, some rows at a time.

use std::ops::Range;

use super::kernels::View;
use super::kernels::conv::{Block, Conv, Run};
use super::kernels::winograd::{Gather, INPUTS, Spread};
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
    /// Some rows of a pass from one slot's map to another's of so many channels.
    ///
    /// # Safety
    /// No one else writes these rows or uses the worker's memory; the pass has such a form, and the weights
    /// are packed for it.
    #[expect(clippy::too_many_arguments, reason = "the two sides of a pass")]
    pub(super) unsafe fn tiled(
        &self,
        pass: &Pass,
        (x, map): (View, Map),
        (y, channels): (View, usize),
        rows: Range<usize>,
        weights: &[f32],
        ends: Ends<'_>,
        worker: usize,
    ) {
        let Some(tiled) = &pass.tiled else { return };
        let lanes = self.plan.lanes;
        let px = pass.depth * lanes;
        let line = tiled.tiles * px;
        let mut taps = [0_isize; INPUTS];
        for (row, tap) in taps.iter_mut().enumerate() {
            *tap = (row * line) as isize;
        }
        let runs = [Run { dy: 0, taps: 0..tiled.side }];
        let buffer = &self.tiles[worker];
        let mut start = rows.start;
        while start < rows.end {
            let count = tiled.rows.min(rows.end - start);
            let above = count + tiled.side - 1;
            let pixels = count * tiled.tiles;
            let most = self.zeros + INPUTS * (above * line + pixels * super::kernels::conv::WIDEST * lanes);
            assert!(most <= buffer.len(), "{count} rows of {tiled:?}");
            // SAFETY: as promised by the caller; the worker's memory has room, by the assertion.
            unsafe {
                let spread = buffer.start().add(self.zeros);
                let products = spread.add(INPUTS * above * line);
                (self.kernels.spread)(Spread {
                    x,
                    height: map.height,
                    width: map.width,
                    channels: pass.depth,
                    first: start as isize + tiled.first.0,
                    rows: above,
                    left: tiled.first.1,
                    tiles: tiled.tiles,
                    outputs: tiled.outputs,
                    group: pass.depth,
                    to: spread,
                    zeros: buffer.start(),
                });
                for (block, &at) in pass.blocks.iter().zip(&tiled.at) {
                    let plane = tiled.side * pass.depth * block.width;
                    for frequency in 0..INPUTS {
                        let own =
                            [Block { first: 0, width: block.width, from: 0, at: at + frequency * plane }];
                        (self.kernels.conv)(Conv {
                            x: spread.add(frequency * above * line),
                            x_row: 0,
                            x_px: px,
                            y: products.add(frequency * pixels * block.width * lanes),
                            y_row: 0,
                            y_px: block.width * lanes,
                            rows: 0..1,
                            cols: pixels,
                            taps: &taps[..tiled.side],
                            runs: &runs,
                            step: 0,
                            height: 1,
                            blocks: &own,
                            depth: pass.depth,
                            weights,
                            bias: None,
                            relu: false,
                            add: false,
                            sums: std::ptr::null_mut(),
                        });
                    }
                    assert!(block.first + block.width <= channels, "{block:?} of {channels}");
                    let sums = ends.sums;
                    (self.kernels.gather)(Gather {
                        from: products,
                        rows: count,
                        tiles: tiled.tiles,
                        outputs: tiled.outputs,
                        channels: block.width,
                        y: View { at: y.pixel(start, 0).add(block.first * lanes), ..y },
                        cols: pass.cols,
                        bias: ends.bias.map_or(std::ptr::null(), |bias| bias[block.first..].as_ptr()),
                        relu: ends.relu,
                        add: ends.add,
                        sums: if sums.is_null() { sums } else { sums.add(3 * block.first * lanes) },
                        fresh: start == rows.start,
                    });
                }
            }
            start += count;
        }
    }
}
