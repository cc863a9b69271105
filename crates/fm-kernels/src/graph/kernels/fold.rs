//! Weight gradient in Winograd's form: the transpose of the convolution's (Lavin & Gray, arXiv:1509.09308, section 4).
//!
//! ```text
//! six inputs ──────────────── B' ──▸ six frequencies ┐
//!                                                    ├ products, summed over tiles and images ── G' ──▸ three (five) taps
//! four (two) output gradients ─ A ─▸ six frequencies ┘
//! ```
//!
//! As many products stand for as many as there, in both directions. [`Spread`](super::spread::Spread) makes the inputs'
//! frequencies, [`Lift`](super::lift::Lift) the gradients'.

use std::mem::MaybeUninit;

use super::winograd::{FREQUENCIES, INPUTS, plane, share};
use crate::simd::Simd;

/// Sums of a tile at most, and the distance from one tile's to the next one's.
pub(crate) const SUMS: usize = 16;

/// Channels of the tapped and of the plain side that one tile takes, for vectors of so many lanes.
pub(crate) const fn tile(lanes: usize) -> (usize, usize) {
    if lanes == 16 { (4, 4) } else { (4, 3) }
}

/// Floats that the sums of a weight gradient take.
pub(crate) fn room(lanes: usize, depth: usize, plain: usize) -> usize {
    let (deep, wide) = tile(lanes);
    FREQUENCIES * depth.div_ceil(deep) * plain.div_ceil(wide) * SUMS
}

/// Products of both sides' frequencies over some rows of some slots.
#[derive(Clone, Copy)]
pub(crate) struct Fold {
    /// `[slot][frequency along][group][tile][channel of the group][lane]`.
    pub(crate) x: *const f32,
    pub(crate) y: *const f32,
    pub(crate) slots: usize,
    /// Tiles of a slot.
    pub(crate) tiles: usize,
    /// Which of the frequencies down the columns.
    pub(crate) which: usize,
    /// Side of the kernel, channels of the tapped and of the plain side.
    pub(crate) side: usize,
    pub(crate) depth: usize,
    pub(crate) plain: usize,
    /// [`room`] floats.
    pub(crate) sums: *mut f32,
    /// Adds to what is there.
    pub(crate) add: bool,
    /// Receives the gradient `[plain][depth][side][side]`, with the last frequencies of the last tiles; or null.
    pub(crate) out: *mut f32,
}

/// # Safety
/// The instruction set is there, and there is room.
#[inline(always)]
pub(crate) unsafe fn fold<S: Simd>(args: Fold) {
    let (deep, wide) = tile(S::N);
    let blocks = args.depth.div_ceil(deep) * args.plain.div_ceil(wide);
    // SAFETY: as promised by the caller.
    unsafe {
        let mut sums = args.sums.add(args.which * INPUTS * blocks * SUMS);
        for frequency in 0..INPUTS {
            for first in (0..args.plain).step_by(wide) {
                let width = wide.min(args.plain - first);
                let y =
                    args.y.add(frequency * plane(args.tiles, args.plain, S::N) + first * args.tiles * S::N);
                for input in (0..args.depth).step_by(deep) {
                    let x = args
                        .x
                        .add(frequency * plane(args.tiles, args.depth, S::N) + input * args.tiles * S::N);
                    self::deep::<S>(&args, x, y, sums, (deep.min(args.depth - input), width));
                    sums = sums.add(SUMS);
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

/// The products of one tile of so many channels of both sides.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
pub(super) unsafe fn deep<S: Simd>(
    args: &Fold,
    x: *const f32,
    y: *const f32,
    to: *mut f32,
    (deep, wide): (usize, usize),
) {
    // SAFETY: as promised by `fold`'s caller.
    unsafe {
        match deep {
            1 => across::<S, 1>(args, x, y, to, wide),
            2 => across::<S, 2>(args, x, y, to, wide),
            4 => across::<S, 4>(args, x, y, to, wide),
            _ => across::<S, 3>(args, x, y, to, wide),
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn across<S: Simd, const I: usize>(
    args: &Fold,
    x: *const f32,
    y: *const f32,
    to: *mut f32,
    width: usize,
) {
    // SAFETY: as promised by `fold`'s caller; a tile is 1 to 4 channels wide.
    unsafe {
        match width {
            1 => products::<S, I, 1>(args, x, y, to),
            2 => products::<S, I, 2>(args, x, y, to),
            4 if S::WIDE >= 4 => products::<S, I, 4>(args, x, y, to),
            _ => products::<S, I, 3>(args, x, y, to),
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn products<S: Simd, const I: usize, const C: usize>(
    args: &Fold,
    x: *const f32,
    y: *const f32,
    to: *mut f32,
) {
    let x_slot = INPUTS * plane(args.tiles, args.depth, S::N);
    let y_slot = INPUTS * plane(args.tiles, args.plain, S::N);
    // SAFETY: as promised by `fold`'s caller.
    unsafe {
        let mut sums = [[S::splat(0.0); C]; I];
        for slot in 0..args.slots {
            let (mut x, mut y) = (x.add(slot * x_slot), y.add(slot * y_slot));
            for _ in 0..args.tiles {
                let mut g = [S::splat(0.0); C];
                for c in 0..C {
                    g[c] = S::load(y.add(c * S::N));
                }
                for i in 0..I {
                    let value = S::load(x.add(i * S::N));
                    for c in 0..C {
                        sums[i][c] = S::fma(value, g[c], sums[i][c]);
                    }
                }
                x = x.add(I * S::N);
                y = y.add(C * S::N);
            }
        }
        // Nothing but constant indices, or the sums would live in memory from the start.
        let mut kept = [const { MaybeUninit::<f32>::uninit() }; SUMS * 16];
        let kept = kept.as_mut_ptr().cast::<f32>();
        for i in 0..I {
            for c in 0..C {
                S::store(kept.add((i * C + c) * S::N), sums[i][c]);
            }
        }
        let mut totals = [0.0_f32; SUMS];
        S::padded_sums(kept, I * C, totals.as_mut_ptr());
        for first in (0..SUMS).step_by(S::N) {
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
    let plane = args.depth.div_ceil(deep) * args.plain.div_ceil(wide) * SUMS;
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
                let mut taps = [[[0.0_f32; SUMS]; K]; K];
                for lane in (0..SUMS).step_by(S::N) {
                    let mut rows = [[S::splat(0.0); K]; K];
                    for (down, down_shares) in factors.iter().enumerate() {
                        let from = from.add(down * INPUTS * plane + lane);
                        for tap in 0..K {
                            let mut sum = S::splat(0.0);
                            for (frequency, shares) in factors.iter().enumerate() {
                                let part = S::load(from.add(frequency * plane));
                                sum = S::fma(S::splat(shares[tap]), part, sum);
                            }
                            for row in 0..K {
                                rows[row][tap] = S::fma(S::splat(down_shares[row]), sum, rows[row][tap]);
                            }
                        }
                    }
                    for (rows, taps) in rows.iter().zip(&mut taps) {
                        for (&sum, taps) in rows.iter().zip(taps) {
                            S::store(taps.as_mut_ptr().add(lane), sum);
                        }
                    }
                }
                for i in 0..inputs {
                    for c in 0..width {
                        let to = args.out.add(((first + c) * args.depth + input + i) * K * K);
                        for (tap, sums) in taps.iter().flatten().enumerate() {
                            *to.add(tap) = sums[i * width + c];
                        }
                    }
                }
                from = from.add(SUMS);
            }
        }
    }
}
