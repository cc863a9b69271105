//! Weight gradient in Winograd's form: the transpose of the convolution's (Lavin & Gray, arXiv:1509.09308, section 4).
//!
//! ```text
//! six inputs of a row ─────── B' ──▸ six frequencies ┐
//!                                                    ├ products, summed over tiles and images ── G' ──▸ three (five) taps
//! four (two) output gradients ─ A ─▸ six frequencies ┘
//! ```
//!
//! As many products stand for as many as there, down the rows too. [`Spread`](super::spread::Spread) makes the inputs'
//! frequencies, [`Lift`](super::lift::Lift) the gradients'.

use std::mem::MaybeUninit;

use super::winograd::{INPUTS, downs, plane, share, share_down, summed};
use crate::simd::Simd;

/// Most sums of a tile.
const SUMS: usize = 32;

/// Distance from one tile's sums to the next one's.
const fn pitch(lanes: usize, side: usize) -> usize {
    let (deep, wide) = tile(lanes, side);
    (summed(side) * deep * wide).next_multiple_of(16)
}

/// Channels of the tapped and of the plain side that one tile takes, for vectors of so many lanes and kernels of that side.
pub(crate) const fn tile(lanes: usize, side: usize) -> (usize, usize) {
    match (lanes, side) {
        (16, 3) => (4, 4),
        (16, _) => (1, 4),
        (_, 3) => (4, 3),
        _ => (1, 2),
    }
}

/// Floats that the sums of a weight gradient take.
pub(crate) fn room(lanes: usize, side: usize, depth: usize, plain: usize) -> usize {
    let (deep, wide) = tile(lanes, side);
    downs(side) * INPUTS * depth.div_ceil(deep) * plain.div_ceil(wide) * pitch(lanes, side)
}

/// Products of both sides' frequencies over some rows of some slots.
pub(crate) struct Fold {
    /// `[slot][frequency][group][row][tile][channel of the group][lane]`; of the tapped side as many rows as
    /// [`Fold::above`] says.
    pub(crate) x: *const f32,
    pub(crate) y: *const f32,
    pub(crate) slots: usize,
    /// Rows of tiles of the plain side.
    pub(crate) rows: usize,
    pub(crate) tiles: usize,
    /// Which of the frequencies down the rows.
    pub(crate) which: usize,
    /// Side of the kernel, channels of the tapped and of the plain side.
    pub(crate) side: usize,
    pub(crate) depth: usize,
    pub(crate) plain: usize,
    /// [`room`] floats.
    pub(crate) sums: *mut f32,
    /// Adds to what is there.
    pub(crate) add: bool,
    /// Receives the gradient `[plain][depth][side][side]`, with the last frequencies of the last rows; or null.
    pub(crate) out: *mut f32,
}

impl Fold {
    /// Tiles of a plane of the tapped side: rows of taps that are summed up reach beyond the plain side's.
    fn above(&self) -> usize {
        (self.rows + summed(self.side) - 1) * self.tiles
    }
}

/// # Safety
/// The instruction set is there, and there is room.
#[inline(always)]
pub(crate) unsafe fn fold<S: Simd>(args: Fold) {
    let (deep, wide) = tile(S::N, args.side);
    let (pixels, above) = (args.rows * args.tiles, args.above());
    let blocks = args.depth.div_ceil(deep) * args.plain.div_ceil(wide);
    let pitch = pitch(S::N, args.side);
    // SAFETY: as promised by the caller.
    unsafe {
        let mut sums = args.sums.add(args.which * INPUTS * blocks * pitch);
        for frequency in 0..INPUTS {
            for first in (0..args.plain).step_by(wide) {
                let width = wide.min(args.plain - first);
                let y = args.y.add(frequency * plane(pixels, args.plain, S::N) + first * pixels * S::N);
                for input in (0..args.depth).step_by(deep) {
                    let inputs = deep.min(args.depth - input);
                    let x = args.x.add(frequency * plane(above, args.depth, S::N) + input * above * S::N);
                    match (args.side, inputs) {
                        (3, 1) => across::<S, 1, 1>(&args, x, y, sums, width),
                        (3, 2) => across::<S, 1, 2>(&args, x, y, sums, width),
                        (3, 4) => across::<S, 1, 4>(&args, x, y, sums, width),
                        (3, _) => across::<S, 1, 3>(&args, x, y, sums, width),
                        _ => across::<S, 5, 1>(&args, x, y, sums, width),
                    }
                    sums = sums.add(pitch);
                }
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
    x: *const f32,
    y: *const f32,
    to: *mut f32,
) {
    let pixels = args.rows * args.tiles;
    let x_slot = INPUTS * plane(args.above(), args.depth, S::N);
    let y_slot = INPUTS * plane(pixels, args.plain, S::N);
    // SAFETY: as promised by `fold`'s caller.
    unsafe {
        let line = args.tiles * I * S::N;
        let mut sums = [[[S::splat(0.0); C]; I]; K];
        for slot in 0..args.slots {
            let (mut x, mut y) = (x.add(slot * x_slot), y.add(slot * y_slot));
            for _ in 0..pixels {
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
        }
        // Nothing but constant indices, or the sums would live in memory from the start.
        let mut kept = [const { MaybeUninit::<f32>::uninit() }; SUMS * 16];
        let kept = kept.as_mut_ptr().cast::<f32>();
        for k in 0..K {
            for i in 0..I {
                for c in 0..C {
                    S::store(kept.add(((k * I + i) * C + c) * S::N), sums[k][i][c]);
                }
            }
        }
        let mut totals = [0.0_f32; SUMS];
        S::padded_sums(kept, K * I * C, totals.as_mut_ptr());
        for first in (0..(K * I * C).next_multiple_of(16)).step_by(S::N) {
            let mut total = S::load(totals.as_ptr().add(first));
            if args.add {
                total = S::add(total, S::load(to.add(first)));
            }
            S::store(to.add(first), total);
        }
    }
}

/// From the frequencies' sums to taps, into the tensor; the kernel's side is `K`.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn unfold<S: Simd, const K: usize>(args: &Fold, deep: usize, wide: usize) {
    let plane = args.depth.div_ceil(deep) * args.plain.div_ceil(wide) * pitch(S::N, K);
    let mut factors = [[0.0; K]; INPUTS];
    for (frequency, shares) in factors.iter_mut().enumerate() {
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
                let used = (summed(K) * inputs * width).next_multiple_of(16);
                // By row of the kernel, where tiles are two rows high, and by tap.
                let mut taps = [[[0.0_f32; SUMS]; K]; K];
                for lane in (0..used).step_by(S::N) {
                    let mut rows = [[S::splat(0.0); K]; K];
                    for which in 0..downs(K) {
                        let from = from.add(which * INPUTS * plane + lane);
                        for tap in 0..K {
                            let mut sum = S::splat(0.0);
                            for (frequency, shares) in factors.iter().enumerate() {
                                let part = S::load(from.add(frequency * plane));
                                sum = S::fma(S::splat(shares[tap]), part, sum);
                            }
                            if K == 3 {
                                for (row, taps) in rows.iter_mut().enumerate() {
                                    taps[tap] = S::fma(S::splat(share_down(which, row)), sum, taps[tap]);
                                }
                            } else {
                                rows[0][tap] = sum;
                            }
                        }
                    }
                    for (rows, taps) in rows.iter().zip(&mut taps) {
                        for (&sum, taps) in rows.iter().zip(taps) {
                            S::store(taps.as_mut_ptr().add(lane), sum);
                        }
                    }
                }
                for k in 0..K {
                    for i in 0..inputs {
                        for c in 0..width {
                            let to = args.out.add((((first + c) * args.depth + input + i) * K + k) * K);
                            let (row, at) =
                                if K == 3 { (k, i * width + c) } else { (0, (k * inputs + i) * width + c) };
                            for (tap, taps) in taps[row].iter().enumerate() {
                                *to.add(tap) = taps[at];
                            }
                        }
                    }
                }
                from = from.add(pitch(S::N, K));
            }
        }
    }
}
