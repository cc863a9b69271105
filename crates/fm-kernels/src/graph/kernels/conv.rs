//! Direct convolution: every output pixel of a few channels is a sum over taps and input channels, kept
//! in registers.
//!
//! A tile is up to six pixels by up to four output channels (four by three where there are sixteen
//! registers). In its inner loop a weight is one number for all images of a vector, so that no channel
//! is ever padded. A sum's order is that of taps and channels alone, whatever the tile. Depthwise convolutions have a loop of
//! their own.

use std::ops::Range;

use super::depthwise;
use crate::simd::Simd;

/// A few output channels that a tile computes together.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    /// First output channel.
    pub(crate) first: usize,
    /// Number of output channels, at most [`WIDEST`].
    pub(crate) width: usize,
    /// First input channel.
    pub(crate) from: usize,
    /// First weight: `[tap][input channel][width]`.
    pub(crate) at: usize,
}

/// Most pixels of a tile.
pub(super) const fn most_pixels<S: Simd>() -> usize {
    if S::WIDE >= 4 { 6 } else { 4 }
}

/// Most output channels of a tile.
pub(crate) const WIDEST: usize = 4;

/// Taps that read the same row.
#[derive(Debug, Clone)]
pub(crate) struct Run {
    /// Input row relative to the output row's first.
    pub(crate) dy: isize,
    pub(crate) taps: Range<usize>,
}

/// Some rows of a convolution.
pub(crate) struct Conv<'a> {
    /// What the output's pixel (0, 0) starts from, and the distances to the next row's and pixel's.
    pub(crate) x: *const f32,
    pub(crate) x_row: usize,
    pub(crate) x_px: usize,
    /// The first pixel of the first of these rows.
    pub(crate) y: *mut f32,
    pub(crate) y_row: usize,
    pub(crate) y_px: usize,
    pub(crate) rows: Range<usize>,
    pub(crate) cols: usize,
    /// Offsets in floats.
    pub(crate) taps: &'a [isize],
    pub(crate) runs: &'a [Run],
    /// Input rows from one output row to the next, and input rows in all: others are zeros and left out.
    pub(crate) step: usize,
    pub(crate) height: usize,
    pub(crate) blocks: &'a [Block],
    /// Input channels of a block.
    pub(crate) depth: usize,
    pub(crate) weights: &'a [f32],
    pub(crate) bias: Option<&'a [f32]>,
    pub(crate) relu: bool,
    /// Adds to what is there.
    pub(crate) add: bool,
    /// `[channel][3][lanes]`: receives each lane's first value, and the sums of all less that, and of their
    /// squares; or null.
    pub(crate) sums: *mut f32,
}

impl Conv<'_> {
    /// Rows, and pixels of each: where a kernel of one pixel finds row after row without a gap, all of them as one.
    fn lines(&self) -> (Range<usize>, usize) {
        let dense = self.x_row == self.cols * self.x_px && self.y_row == self.cols * self.y_px;
        if self.taps == [0] && self.step == 1 && dense {
            return (self.rows.start..self.rows.start + 1, self.rows.len() * self.cols);
        }
        (self.rows.clone(), self.cols)
    }

    /// The taps of an output row that are in rows of the input.
    pub(super) fn taps_of(&self, row: usize) -> Range<usize> {
        let inside = |dy: isize| (0..self.height as isize).contains(&((row * self.step) as isize + dy));
        let start = self.runs.iter().position(|run| inside(run.dy));
        let end = self.runs.iter().rposition(|run| inside(run.dy));
        match (start, end) {
            (Some(start), Some(end)) => self.runs[start].taps.start..self.runs[end].taps.end,
            _ => 0..0,
        }
    }
}

#[derive(Clone, Copy)]
struct Tile {
    x: *const f32,
    x_px: usize,
    y: *mut f32,
    y_px: usize,
    w: *const f32,
    depth: usize,
    bias: *const f32,
    relu: bool,
    add: bool,
    sums: *mut f32,
    /// The first tile, whose first pixel is what the others are measured from.
    fresh: bool,
}

/// # Safety
/// The instruction set is there; the pointers and offsets stay within maps and their borders.
#[inline(always)]
pub(crate) unsafe fn run<S: Simd>(args: Conv<'_>) {
    if let Some(flipped) = depthwise::flipped(&args) {
        // SAFETY: as promised by the caller.
        return unsafe { depthwise::run::<S>(&args, flipped) };
    }
    let (rows, cols) = args.lines();
    let parts = cols.div_ceil(most_pixels::<S>());
    for row in rows {
        let taps = args.taps_of(row);
        let list = &args.taps[taps.clone()];
        let mut col = 0;
        for part in 0..parts {
            let pixels = (cols - col).div_ceil(parts - part);
            for block in args.blocks {
                let skipped = taps.start * args.depth * block.width;
                let end = block.at + (taps.end * args.depth) * block.width;
                assert!(end <= args.weights.len(), "weights of {block:?}");
                // SAFETY: within the maps, says the caller.
                unsafe {
                    let c = block.first;
                    let tile = Tile {
                        x: args.x.add(row * args.x_row + col * args.x_px + block.from * S::N),
                        x_px: args.x_px,
                        y: args.y.add((row - args.rows.start) * args.y_row + col * args.y_px + c * S::N),
                        y_px: args.y_px,
                        w: args.weights.as_ptr().add(block.at + skipped),
                        depth: args.depth,
                        bias: args.bias.map_or(std::ptr::null(), |bias| bias[c..c + block.width].as_ptr()),
                        relu: args.relu,
                        add: args.add,
                        sums: if args.sums.is_null() { args.sums } else { args.sums.add(3 * c * S::N) },
                        fresh: row == args.rows.start && col == 0,
                    };
                    match pixels {
                        1 => across::<S, 1>(tile, list, block.width),
                        2 => across::<S, 2>(tile, list, block.width),
                        3 => across::<S, 3>(tile, list, block.width),
                        5 if S::WIDE >= 4 => across::<S, 5>(tile, list, block.width),
                        6 if S::WIDE >= 4 => across::<S, 6>(tile, list, block.width),
                        _ => across::<S, 4>(tile, list, block.width),
                    }
                }
            }
            col += pixels;
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn across<S: Simd, const P: usize>(tile: Tile, taps: &[isize], width: usize) {
    // SAFETY: as for `run`; a block is 1 to 4 channels wide.
    unsafe {
        match width {
            1 => product::<S, P, 1>(tile, taps),
            2 => product::<S, P, 2>(tile, taps),
            4 if S::WIDE >= 4 => product::<S, P, WIDEST>(tile, taps),
            _ => product::<S, P, 3>(tile, taps),
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn product<S: Simd, const P: usize, const C: usize>(tile: Tile, taps: &[isize]) {
    // SAFETY: as for `run`.
    unsafe {
        let mut sums = [[S::splat(0.0); C]; P];
        if tile.add {
            for p in 0..P {
                for c in 0..C {
                    sums[p][c] = S::load(tile.y.add(p * tile.y_px + c * S::N));
                }
            }
        } else if !tile.bias.is_null() {
            for c in 0..C {
                let bias = S::splat(*tile.bias.add(c));
                for p in 0..P {
                    sums[p][c] = bias;
                }
            }
        }
        let mut w = tile.w;
        // With one input channel the loop over them would cost as much as what it does.
        if tile.depth == 1 {
            for &tap in taps {
                sums = channel::<S, P, C>(sums, tile.x.offset(tap), tile.x_px, w);
                w = w.add(C);
            }
        } else {
            for &tap in taps {
                let mut x = tile.x.offset(tap);
                for _ in 0..tile.depth {
                    sums = channel::<S, P, C>(sums, x, tile.x_px, w);
                    x = x.add(S::N);
                    w = w.add(C);
                }
            }
        }
        if tile.relu {
            for p in 0..P {
                for c in 0..C {
                    sums[p][c] = S::relu(sums[p][c]);
                }
            }
        }
        // Nothing but constant indices, or the sums would live in memory from the start.
        for p in 0..P {
            for c in 0..C {
                S::store(tile.y.add(p * tile.y_px + c * S::N), sums[p][c]);
            }
        }
        if !tile.sums.is_null() {
            statistics::<S>(&tile, P, C);
        }
    }
}

/// A tile's sums with the products of one input channel under one tap.
///
/// # Safety
/// The instruction set is there; no one writes what is read.
#[inline(always)]
unsafe fn channel<S: Simd, const P: usize, const C: usize>(
    mut sums: [[S::V; C]; P],
    x: *const f32,
    x_px: usize,
    w: *const f32,
) -> [[S::V; C]; P] {
    // SAFETY: as for `run`.
    unsafe {
        let mut weights = [S::splat(0.0); C];
        for c in 0..C {
            weights[c] = S::splat(*w.add(c));
        }
        for p in 0..P {
            let value = S::load(x.add(p * x_px));
            for c in 0..C {
                sums[p][c] = S::fma(value, weights[c], sums[p][c]);
            }
        }
    }
    sums
}

/// The statistics of what was stored.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn statistics<S: Simd>(tile: &Tile, pixels: usize, channels: usize) {
    // SAFETY: as for `run`.
    unsafe {
        for c in 0..channels {
            let y = tile.y.add(c * S::N);
            let at = tile.sums.add(3 * c * S::N);
            if tile.fresh {
                S::store(at, S::load(y));
                S::store(at.add(S::N), S::splat(0.0));
                S::store(at.add(2 * S::N), S::splat(0.0));
            }
            let pivot = S::load(at);
            let (mut sum, mut square) = (S::load(at.add(S::N)), S::load(at.add(2 * S::N)));
            for p in 0..pixels {
                let off = S::sub(S::load(y.add(p * tile.y_px)), pivot);
                sum = S::add(sum, off);
                square = S::fma(off, off, square);
            }
            S::store(at.add(S::N), sum);
            S::store(at.add(2 * S::N), square);
        }
    }
}
