//! Direct convolution with one 3x3 filter a channel, at stride 1: a channel's weights stay in registers for a row of pixels, and
//! so do the sums that batch norm needs. Every sum is taken in the order of [`conv`](super::conv).

use super::conv::{Block, Conv, most_pixels};
use crate::simd::Simd;

/// Whether the columns of the taps are next to each other and each block is a channel; then whether they go from right to left.
pub(super) fn flipped(args: &Conv<'_>) -> Option<bool> {
    let alone = args.depth == 1 && args.blocks.first().is_some_and(|block| block.width == 1);
    let [a, b, c] = *args.taps.first_chunk()?;
    let px = args.x_px as isize;
    let three = alone && args.taps.len() == 9 && c - b == b - a;
    (three && (b - a).abs() == px).then_some(b < a)
}

/// # Safety
/// As for [`conv::run`](super::conv::run); `flipped` is what [`flipped`] says.
#[inline(always)]
pub(super) unsafe fn run<S: Simd>(args: &Conv<'_>, flipped: bool) {
    // SAFETY: as promised by the caller.
    unsafe { if flipped { rows::<S, true>(args) } else { rows::<S, false>(args) } }
}

/// # Safety
/// As for [`run`].
#[inline(always)]
unsafe fn rows<S: Simd, const FLIPPED: bool>(args: &Conv<'_>) {
    for row in args.rows.clone() {
        let taps = args.taps_of(row);
        for block in args.blocks {
            let weights = &args.weights[block.at + taps.start..block.at + taps.end];
            let list = &args.taps[taps.clone()];
            // SAFETY: within the maps, says the caller.
            unsafe {
                match list.len() {
                    9 => line::<S, 3, FLIPPED>(args, row, block, list, weights),
                    6 => line::<S, 2, FLIPPED>(args, row, block, list, weights),
                    3 => line::<S, 1, FLIPPED>(args, row, block, list, weights),
                    _ => line::<S, 0, FLIPPED>(args, row, block, list, weights),
                }
            }
        }
    }
}

/// What batch norm needs of a channel: each lane's first value, and the sums of all less that, and of their squares.
struct Sums<S: Simd>(S::V, S::V, S::V);

/// A row of a channel, by `H` rows of taps.
///
/// # Safety
/// As for [`run`].
#[inline(always)]
unsafe fn line<S: Simd, const H: usize, const FLIPPED: bool>(
    args: &Conv<'_>,
    row: usize,
    block: &Block,
    taps: &[isize],
    weights: &[f32],
) {
    let (parts, c) = (args.cols.div_ceil(most_pixels::<S>()), block.first);
    // SAFETY: as promised by the caller.
    unsafe {
        let x = args.x.add(row * args.x_row + block.from * S::N);
        let mut from = [x; H];
        let mut w = [[S::splat(0.0); 3]; H];
        for h in 0..H {
            from[h] = x.offset(taps[3 * h + if FLIPPED { 2 } else { 0 }]);
            for k in 0..3 {
                w[h][k] = S::splat(weights[3 * h + k]);
            }
        }
        let bias = S::splat(args.bias.map_or(0.0, |bias| bias[c]));
        let y = args.y.add((row - args.rows.start) * args.y_row + c * S::N);
        let kept = args.sums.wrapping_add(3 * c * S::N);
        let zero = S::splat(0.0);
        let mut sums = Sums::<S>(zero, zero, zero);
        let fresh = row == args.rows.start;
        if !args.sums.is_null() && !fresh {
            sums = Sums(S::load(kept), S::load(kept.add(S::N)), S::load(kept.add(2 * S::N)));
        }
        let mut col = 0;
        for part in 0..parts {
            let pixels = (args.cols - col).div_ceil(parts - part);
            let (x, y) = (from.map(|x| x.add(col * args.x_px)), y.add(col * args.y_px));
            let first = fresh && col == 0;
            match pixels {
                1 => tile::<S, H, FLIPPED, 1>(args, x, y, &w, bias, &mut sums, first),
                2 => tile::<S, H, FLIPPED, 2>(args, x, y, &w, bias, &mut sums, first),
                3 => tile::<S, H, FLIPPED, 3>(args, x, y, &w, bias, &mut sums, first),
                5 if S::WIDE >= 4 => tile::<S, H, FLIPPED, 5>(args, x, y, &w, bias, &mut sums, first),
                6 if S::WIDE >= 4 => tile::<S, H, FLIPPED, 6>(args, x, y, &w, bias, &mut sums, first),
                _ => tile::<S, H, FLIPPED, 4>(args, x, y, &w, bias, &mut sums, first),
            }
            col += pixels;
        }
        if !args.sums.is_null() {
            S::store(kept, sums.0);
            S::store(kept.add(S::N), sums.1);
            S::store(kept.add(2 * S::N), sums.2);
        }
    }
}

/// `P` pixels from `y` on, whose taps of the left column are at `x`.
///
/// # Safety
/// As for [`run`].
#[inline(always)]
unsafe fn tile<S: Simd, const H: usize, const FLIPPED: bool, const P: usize>(
    args: &Conv<'_>,
    x: [*const f32; H],
    y: *mut f32,
    w: &[[S::V; 3]; H],
    bias: S::V,
    sums: &mut Sums<S>,
    first: bool,
) {
    // SAFETY: as promised by the caller.
    unsafe {
        let mut values = [bias; P];
        if args.add {
            for p in 0..P {
                values[p] = S::load(y.add(p * args.y_px));
            }
        }
        for h in 0..H {
            for k in 0..3 {
                let column = if FLIPPED { 2 - k } else { k };
                for p in 0..P {
                    let value = S::load(x[h].add((p + column) * args.x_px));
                    values[p] = S::fma(value, w[h][k], values[p]);
                }
            }
        }
        for p in 0..P {
            let value = if args.relu { S::relu(values[p]) } else { values[p] };
            S::store(y.add(p * args.y_px), value);
        }
        if !args.sums.is_null() {
            if first {
                *sums = Sums(values[0], S::splat(0.0), S::splat(0.0));
            }
            for p in 0..P {
                let off = S::sub(values[p], sums.0);
                sums.1 = S::add(sums.1, off);
                sums.2 = S::fma(off, off, sums.2);
            }
        }
    }
}
