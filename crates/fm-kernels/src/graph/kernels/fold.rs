//! Weight gradient in Winograd's form along rows: the transpose of the convolution's (Lavin & Gray, arXiv:1509.09308, section 4).
//!
//! ```text
//! six inputs of a row ─────── B' ──▸ six frequencies ┐
//!                                                    ├ products, summed over tiles and images ── G' ──▸ three (five) taps
//! four (two) output gradients ─ A ─▸ six frequencies ┘
//! ```
//!
//! Six products stand for twelve (ten). [`Spread`](super::winograd::Spread) makes the inputs' frequencies, [`lift`] the gradients'.

use super::View;
use super::winograd::{INPUTS, share};
use crate::simd::Simd;

/// Sums of a tile that lie together: as many as registers hold.
const SUMS: usize = 32;

/// Channels of the tapped and of the plain side that one tile takes, for vectors of so many lanes and so many taps in a row.
pub(crate) const fn tile(lanes: usize, side: usize) -> (usize, usize) {
    match (lanes, side) {
        (16, 3) => (2, 4),
        (16, _) => (1, 4),
        (_, 3) => (1, 3),
        _ => (1, 2),
    }
}

/// Floats that the sums of a weight gradient take.
pub(crate) fn room(lanes: usize, side: usize, depth: usize, plain: usize) -> usize {
    let (deep, wide) = tile(lanes, side);
    INPUTS * depth.div_ceil(deep) * plain.div_ceil(wide) * SUMS
}

/// Transforms some rows of one slot's output gradient.
pub(crate) struct Lift {
    /// Its first row.
    pub(crate) y: View,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) channels: usize,
    pub(crate) tiles: usize,
    /// Outputs of a tile: 4 or 2.
    pub(crate) outputs: usize,
    /// Channels that lie together.
    pub(crate) group: usize,
    /// `[frequency][group][row][tile][channel of the group][lane]`.
    pub(crate) to: *mut f32,
    /// As many zeros as a pixel has values.
    pub(crate) zeros: *const f32,
}

/// # Safety
/// The instruction set is there, and there is room.
#[inline(always)]
pub(crate) unsafe fn lift<S: Simd>(args: Lift) {
    let pixels = args.rows * args.tiles;
    let plane = pixels * args.channels * S::N;
    // SAFETY: as promised by the caller; columns behind the last are read from the zeros.
    unsafe {
        let (two, four) = (S::splat(2.0), S::splat(4.0));
        for at in 0..pixels {
            let (row, col) = (at / args.tiles, at % args.tiles * args.outputs);
            let mut from = [args.zeros; 4];
            for (j, from) in from.iter_mut().enumerate().take(args.outputs.min(args.cols - col)) {
                *from = args.y.pixel(row, col + j);
            }
            let mut first = 0;
            while first < args.channels {
                let width = args.group.min(args.channels - first);
                let to = args.to.add((first * pixels + at * width) * S::N);
                for c in 0..width {
                    let place = (first + c) * S::N;
                    let to = to.add(c * S::N);
                    let d0 = S::load(from[0].add(place));
                    let d1 = S::load(from[1].add(place));
                    let (mut even, mut odd, mut last) = (d0, d1, d1);
                    let (mut far, mut steep) = (d0, d1);
                    if args.outputs == 4 {
                        let d2 = S::load(from[2].add(place));
                        last = S::load(from[3].add(place));
                        (even, odd) = (S::add(d0, d2), S::add(d1, last));
                        (far, steep) = (S::fma(four, d2, d0), S::fma(four, last, d1));
                    }
                    let steep = S::mul(two, steep);
                    S::store(to, d0);
                    S::store(to.add(plane), S::add(even, odd));
                    S::store(to.add(2 * plane), S::sub(even, odd));
                    S::store(to.add(3 * plane), S::add(far, steep));
                    S::store(to.add(4 * plane), S::sub(far, steep));
                    S::store(to.add(5 * plane), last);
                }
                first += width;
            }
        }
    }
}

/// Products of both sides' frequencies over some rows of one slot.
pub(crate) struct Fold {
    /// `[frequency][group][row][tile][channel of the group][lane]`, with `side - 1` rows more than the plain side.
    pub(crate) x: *const f32,
    pub(crate) y: *const f32,
    pub(crate) rows: usize,
    pub(crate) tiles: usize,
    /// Side of the kernel, channels of the tapped and of the plain side.
    pub(crate) side: usize,
    pub(crate) depth: usize,
    pub(crate) plain: usize,
    /// [`room`] floats.
    pub(crate) sums: *mut f32,
    /// Adds to what is there.
    pub(crate) add: bool,
    /// Receives the gradient `[plain][depth][side][side]`, with the last rows; or null.
    pub(crate) out: *mut f32,
}

/// # Safety
/// The instruction set is there, and there is room.
#[inline(always)]
pub(crate) unsafe fn fold<S: Simd>(args: Fold) {
    let (deep, wide) = tile(S::N, args.side);
    let (pixels, above) = (args.rows * args.tiles, (args.rows + args.side - 1) * args.tiles);
    // SAFETY: as promised by the caller.
    unsafe {
        let mut sums = args.sums;
        for frequency in 0..INPUTS {
            let mut first = 0;
            while first < args.plain {
                let width = wide.min(args.plain - first);
                let y = args.y.add((frequency * args.plain + first) * pixels * S::N);
                let mut input = 0;
                while input < args.depth {
                    let inputs = deep.min(args.depth - input);
                    let x = args.x.add((frequency * args.depth + input) * above * S::N);
                    match (args.side, inputs) {
                        (3, 2) => across::<S, 3, 2>(&args, x, y, sums, width),
                        (3, _) => across::<S, 3, 1>(&args, x, y, sums, width),
                        _ => across::<S, 5, 1>(&args, x, y, sums, width),
                    }
                    sums = sums.add(SUMS);
                    input += inputs;
                }
                first += width;
            }
        }
        if !args.out.is_null() {
            match args.side {
                3 => unfold::<S, 3>(&args, deep, wide),
                _ => unfold::<S, 5>(&args, deep, wide),
            }
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn across<S: Simd, const K: usize, const I: usize>(
    args: &Fold,
    x: *const f32,
    y: *const f32,
    to: *mut f32,
    width: usize,
) {
    // SAFETY: as promised by `fold`'s caller; a tile is 1 to 4 channels wide.
    unsafe {
        match width {
            1 => products::<S, K, I, 1>(args, x, y, to),
            2 => products::<S, K, I, 2>(args, x, y, to),
            4 if S::WIDE >= 4 => products::<S, K, I, 4>(args, x, y, to),
            _ => products::<S, K, I, 3>(args, x, y, to),
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn products<S: Simd, const K: usize, const I: usize, const C: usize>(
    args: &Fold,
    mut x: *const f32,
    mut y: *const f32,
    to: *mut f32,
) {
    // SAFETY: as promised by `fold`'s caller.
    unsafe {
        let line = args.tiles * I * S::N;
        let mut sums = [[[S::splat(0.0); C]; I]; K];
        for _ in 0..args.rows * args.tiles {
            let mut g = [S::splat(0.0); C];
            for c in 0..C {
                g[c] = S::load(y.add(c * S::N));
            }
            for k in 0..K {
                for i in 0..I {
                    let value = S::load(x.add(k * line + i * S::N));
                    for c in 0..C {
                        sums[k][i][c] = S::fma(value, g[c], sums[k][i][c]);
                    }
                }
            }
            x = x.add(I * S::N);
            y = y.add(C * S::N);
        }
        // Nothing but constant indices, or the sums would live in memory from the start.
        let mut kept = [0.0_f32; SUMS * 16];
        let kept = kept.as_mut_ptr();
        for k in 0..K {
            for i in 0..I {
                for c in 0..C {
                    S::store(kept.add(((k * I + i) * C + c) * S::N), sums[k][i][c]);
                }
            }
        }
        let mut totals = [0.0_f32; SUMS];
        for first in (0..K * I * C).step_by(16) {
            S::sums(kept.add(first * S::N), totals.as_mut_ptr().add(first));
        }
        for first in (0..SUMS).step_by(S::N) {
            let mut total = S::load(totals.as_ptr().add(first));
            if args.add {
                total = S::add(total, S::load(to.add(first)));
            }
            S::store(to.add(first), total);
        }
    }
}

/// From the frequencies' sums to taps, into the tensor.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn unfold<S: Simd, const K: usize>(args: &Fold, deep: usize, wide: usize) {
    let blocks = args.depth.div_ceil(deep) * args.plain.div_ceil(wide);
    let mut shares = [[0.0; K]; INPUTS];
    for (frequency, shares) in shares.iter_mut().enumerate() {
        for (tap, factor) in shares.iter_mut().enumerate() {
            *factor = share(frequency, tap, K);
        }
    }
    // SAFETY: as promised by `fold`'s caller.
    unsafe {
        let mut from = args.sums.cast_const();
        for first in (0..args.plain).step_by(wide) {
            let width = wide.min(args.plain - first);
            for input in (0..args.depth).step_by(deep) {
                let inputs = deep.min(args.depth - input);
                let mut taps = [[0.0_f32; SUMS]; K];
                for (tap, taps) in taps.iter_mut().enumerate() {
                    for lane in (0..SUMS).step_by(S::N) {
                        let mut sum = S::splat(0.0);
                        for (frequency, shares) in shares.iter().enumerate() {
                            let part = S::load(from.add(frequency * blocks * SUMS + lane));
                            sum = S::fma(S::splat(shares[tap]), part, sum);
                        }
                        S::store(taps.as_mut_ptr().add(lane), sum);
                    }
                }
                for k in 0..K {
                    for i in 0..inputs {
                        for c in 0..width {
                            let to = args.out.add((((first + c) * args.depth + input + i) * K + k) * K);
                            for (tap, taps) in taps.iter().enumerate() {
                                *to.add(tap) = taps[(k * inputs + i) * width + c];
                            }
                        }
                    }
                }
                from = from.add(SUMS);
            }
        }
    }
}
