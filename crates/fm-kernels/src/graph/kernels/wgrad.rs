//! Weight gradient: for each weight the sum over images and pixels of input times output gradient.
//!
//! A tile keeps the sums of all taps of one input channel with a few output channels in registers while it
//! walks over all pixels; then the lanes, which are images, are added up.

use std::mem::MaybeUninit;
use std::ops::Range;

use super::pointwise;
use crate::simd::Simd;

/// The weight gradients of some output channels over some pixels.
pub(crate) struct Wgrad {
    /// The tapped side (a convolution's input): where tap (0, 0) of pixel (0, 0) is.
    pub(crate) x: *const f32,
    pub(crate) x_slot: usize,
    pub(crate) x_row: usize,
    pub(crate) x_px: usize,
    pub(crate) tap_row: usize,
    pub(crate) tap_px: usize,
    /// The plain side (a convolution's output gradient): its pixel (0, 0).
    pub(crate) y: *const f32,
    pub(crate) y_slot: usize,
    pub(crate) y_row: usize,
    pub(crate) y_px: usize,
    pub(crate) slots: Range<usize>,
    pub(crate) rows: Range<usize>,
    pub(crate) cols: usize,
    /// Side of the kernel.
    pub(crate) kernel: usize,
    /// Channels of the plain side; each group of `per_group` goes with `depth` of the tapped side.
    pub(crate) plain: Range<usize>,
    pub(crate) per_group: usize,
    pub(crate) depth: usize,
    /// `[plain][depth][kernel][kernel]`, the whole tensor.
    pub(crate) out: *mut f32,
    /// `[plain]`: sums of the plain side; or null.
    pub(crate) bias: *mut f32,
    /// Adds to what is there.
    pub(crate) add: bool,
    /// For kernels of one pixel, [`pointwise::room`] floats in which sums are kept until they are added up; or null.
    pub(crate) room: *mut f32,
    /// Of those, the last pixels.
    pub(crate) last: bool,
}

/// # Safety
/// The instruction set is there; the pointers stay within maps and their borders, and the tensor is as
/// large as said.
#[inline(always)]
pub(crate) unsafe fn run<S: Simd>(args: Wgrad) {
    // SAFETY: as promised by the caller.
    unsafe {
        let mut first = args.plain.start;
        while first < args.plain.end {
            let group_end = (first / args.per_group + 1) * args.per_group;
            let end = group_end.min(args.plain.end);
            let channel = first / args.per_group * args.depth;
            match (args.kernel, S::WIDE >= 4) {
                (1, _) if !args.room.is_null() => pointwise::gradient::<S>(&args, first..end, channel),
                (3, true) if args.depth > 1 => taps::<S, 1, 3, 2>(&args, first..end, channel, 4),
                (3, true) => taps::<S, 3, 3, 1>(&args, first..end, channel, 3),
                (3, false) if args.per_group == 1 => taps::<S, 3, 3, 1>(&args, first..end, channel, 1),
                (3, false) => taps::<S, 1, 3, 1>(&args, first..end, channel, 3),
                (5, true) => taps::<S, 1, 5, 1>(&args, first..end, channel, 5),
                (5, false) => taps::<S, 1, 5, 1>(&args, first..end, channel, 2),
                (2, true) => taps::<S, 2, 2, 1>(&args, first..end, channel, 5),
                (_, true) => taps::<S, 1, 1, 4>(&args, first..end, channel, 5),
                (_, false) => taps::<S, 1, 1, 4>(&args, first..end, channel, 3),
            }
            first = end;
        }
        if !args.bias.is_null() {
            for channel in args.plain.clone() {
                bias::<S>(&args, channel);
            }
        }
    }
}

/// All taps, `H` x `W` at a time, of all channels of the tapped side, `I` at a time, for some of the plain side.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn taps<S: Simd, const H: usize, const W: usize, const I: usize>(
    args: &Wgrad,
    plain: Range<usize>,
    channel: usize,
    widest: usize,
) {
    let parts = plain.len().div_ceil(widest);
    let mut first = plain.start;
    for part in 0..parts {
        let width = (plain.end - first).div_ceil(parts - part);
        for ky in (0..args.kernel).step_by(H) {
            for kx in (0..args.kernel).step_by(W) {
                let mut i = 0;
                while i < args.depth {
                    let tile = Tile { channel: channel + i, input: i, first, tap: (ky, kx) };
                    // SAFETY: as promised by `run`'s caller.
                    unsafe {
                        if i + I <= args.depth {
                            wide::<S, H, W, I>(args, tile, width);
                            i += I;
                        } else {
                            wide::<S, H, W, 1>(args, tile, width);
                            i += 1;
                        }
                    }
                }
            }
        }
        first += width;
    }
}

#[derive(Clone, Copy)]
struct Tile {
    /// Channel of the tapped side in its map, and in the tensor.
    channel: usize,
    input: usize,
    /// First channel of the plain side.
    first: usize,
    tap: (usize, usize),
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn wide<S: Simd, const H: usize, const W: usize, const I: usize>(
    args: &Wgrad,
    tile: Tile,
    width: usize,
) {
    // SAFETY: as promised by `run`'s caller.
    unsafe {
        match width {
            1 => sums::<S, H, W, I, 1>(args, tile),
            2 => sums::<S, H, W, I, 2>(args, tile),
            4 if H * W * I * 4 <= S::WIDE * 8 => sums::<S, H, W, I, 4>(args, tile),
            5 if H * W * I * 5 <= S::WIDE * 8 => sums::<S, H, W, I, 5>(args, tile),
            _ => sums::<S, H, W, I, 3>(args, tile),
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn sums<S: Simd, const H: usize, const W: usize, const I: usize, const C: usize>(
    args: &Wgrad,
    tile: Tile,
) {
    // SAFETY: as promised by `run`'s caller.
    unsafe {
        let mut sums = [[[[S::splat(0.0); C]; I]; W]; H];
        let (ky, kx) = tile.tap;
        let x = args.x.add(ky * args.tap_row + kx * args.tap_px + tile.channel * S::N);
        let y = args.y.add(tile.first * S::N);
        for slot in args.slots.clone() {
            for row in args.rows.clone() {
                let mut x = x.add(slot * args.x_slot + row * args.x_row);
                let mut y = y.add(slot * args.y_slot + row * args.y_row);
                for _ in 0..args.cols {
                    let mut g = [S::splat(0.0); C];
                    for c in 0..C {
                        g[c] = S::load(y.add(c * S::N));
                    }
                    for h in 0..H {
                        for w in 0..W {
                            for i in 0..I {
                                let value = S::load(x.add(h * args.tap_row + w * args.tap_px + i * S::N));
                                for c in 0..C {
                                    sums[h][w][i][c] = S::fma(value, g[c], sums[h][w][i][c]);
                                }
                            }
                        }
                    }
                    // Behind the last column they may leave the buffer, and are not read.
                    x = x.wrapping_add(args.x_px);
                    y = y.wrapping_add(args.y_px);
                }
            }
        }
        // Nothing but constant indices, or the sums would live in memory from the start.
        let mut kept = [const { MaybeUninit::<f32>::uninit() }; 32 * 16];
        let kept = kept.as_mut_ptr().cast::<f32>();
        for h in 0..H {
            for w in 0..W {
                for i in 0..I {
                    for c in 0..C {
                        S::store(kept.add((((h * W + w) * I + i) * C + c) * S::N), sums[h][w][i][c]);
                    }
                }
            }
        }
        add_lanes::<S>(args, tile, [H, W, I, C], kept);
    }
}

/// Adds up the lanes of a tile's sums, into the tensor.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn add_lanes<S: Simd>(
    args: &Wgrad,
    tile: Tile,
    [height, width, inputs, outputs]: [usize; 4],
    kept: *mut f32,
) {
    let (k, (ky, kx)) = (args.kernel, tile.tap);
    let mut totals = [0.0_f32; 32];
    let count = height * width * inputs * outputs;
    // SAFETY: thirty-two sums have room.
    unsafe { S::padded_sums(kept, count, totals.as_mut_ptr()) };
    let mut from = totals.iter();
    for h in 0..height {
        for w in 0..width {
            for i in 0..inputs {
                for c in 0..outputs {
                    let row = (tile.first + c) * args.depth + tile.input + i;
                    let sum = from.next().copied().unwrap_or(0.0);
                    // SAFETY: as promised by `run`'s caller.
                    unsafe {
                        let to = args.out.add((row * k + ky + h) * k + kx + w);
                        *to = if args.add { *to + sum } else { sum };
                    }
                }
            }
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn bias<S: Simd>(args: &Wgrad, channel: usize) {
    // SAFETY: as promised by `run`'s caller.
    unsafe {
        let mut sum = S::splat(0.0);
        for slot in args.slots.clone() {
            for row in args.rows.clone() {
                let y = args.y.add(slot * args.y_slot + row * args.y_row + channel * S::N);
                for col in 0..args.cols {
                    sum = S::add(sum, S::load(y.add(col * args.y_px)));
                }
            }
        }
        let (to, sum) = (args.bias.add(channel), S::sum(sum));
        *to = if args.add { *to + sum } else { sum };
    }
}
