//! Products of the frequencies of Winograd's form to outputs.

use super::View;
use super::winograd::{INPUTS, along, down, plane};
use crate::simd::Simd;

/// Transforms the products of a few output channels back.
pub(crate) struct Gather {
    /// `[frequency down][frequency][row][tile][channel][lane]`.
    pub(crate) from: *const f32,
    /// Side of the kernel: 3 or 5.
    pub(crate) side: usize,
    /// Output rows.
    pub(crate) rows: usize,
    pub(crate) tiles: usize,
    pub(crate) channels: usize,
    /// The output's first row.
    pub(crate) y: View,
    pub(crate) cols: usize,
    /// By channel, or null.
    pub(crate) bias: *const f32,
    pub(crate) relu: bool,
    pub(crate) add: bool,
    /// As for [`Conv`](super::conv::Conv).
    pub(crate) sums: *mut f32,
    /// The first rows of a piece.
    pub(crate) fresh: bool,
}

/// # Safety
/// The instruction set is there, and there is room.
#[inline(always)]
pub(crate) unsafe fn gather<S: Simd>(args: Gather) {
    // SAFETY: as promised by the caller.
    unsafe {
        match args.side {
            3 => back::<S, { down(3) }, { along(3) }>(&args),
            _ => back::<S, { down(5) }, { along(5) }>(&args),
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn back<S: Simd, const D: usize, const M: usize>(args: &Gather) {
    let pitch = args.channels * S::N;
    let plane = plane(args.rows.div_ceil(D) * args.tiles, args.channels, S::N);
    // SAFETY: as promised by the caller.
    unsafe {
        for at in 0..args.rows.div_ceil(D) * args.tiles {
            let (row, tile) = (at / args.tiles * D, at % args.tiles);
            let (rows, cols) = ((args.rows - row).min(D), (args.cols - tile * M).min(M));
            let to = args.y.pixel(row, tile * M);
            let fresh = args.fresh && at == 0;
            for c in 0..args.channels {
                let from = args.from.add(at * pitch + c * S::N);
                // By row of the tile, then by frequency along the row.
                let mut m = [[S::splat(0.0); INPUTS]; D];
                for j in 0..INPUTS {
                    let from = from.add(j * plane);
                    m[0][j] = S::load(from);
                    if D == 2 {
                        let near = S::load(from.add(INPUTS * plane));
                        let far = S::load(from.add(2 * INPUTS * plane));
                        m[0][j] = S::add(m[0][j], S::add(near, far));
                        m[1][j] = S::sub(S::sub(near, far), S::load(from.add(3 * INPUTS * plane)));
                    }
                }
                let bias = if args.bias.is_null() { S::splat(0.0) } else { S::splat(*args.bias.add(c)) };
                let kept = if args.sums.is_null() { args.sums } else { args.sums.add(3 * c * S::N) };
                for r in 0..D {
                    if r < rows {
                        let to = to.add(r * args.y.row + c * S::N);
                        outputs::<S, M>(args, m[r], (to, cols), bias, (kept, fresh && r == 0));
                    }
                }
            }
        }
    }
}

/// The outputs of one row of a tile.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn outputs<S: Simd, const M: usize>(
    args: &Gather,
    m: [S::V; INPUTS],
    (to, cols): (*mut f32, usize),
    bias: S::V,
    (kept, fresh): (*mut f32, bool),
) {
    // SAFETY: as promised by the caller.
    unsafe {
        let (two, four, eight) = (S::splat(2.0), S::splat(4.0), S::splat(8.0));
        let (near, far) = (S::add(m[1], m[2]), S::add(m[3], m[4]));
        let (slope, steep) = (S::sub(m[1], m[2]), S::sub(m[3], m[4]));
        let second = S::fma(two, steep, slope);
        let mut out = [S::add(m[0], S::add(near, far)); M];
        if M == 4 {
            out[1] = second;
            out[2] = S::fma(four, far, near);
            out[3] = S::add(S::fma(eight, steep, slope), m[5]);
        } else {
            out[1] = S::add(second, m[5]);
        }
        for j in 0..M {
            if j < cols {
                let to = to.add(j * args.y.px);
                out[j] = S::add(out[j], bias);
                if args.relu {
                    out[j] = S::relu(out[j]);
                }
                if args.add {
                    out[j] = S::add(out[j], S::load(to));
                }
                S::store(to, out[j]);
            }
        }
        if kept.is_null() {
            return;
        }
        let mut sums = [out[0], S::splat(0.0), S::splat(0.0)];
        if !fresh {
            sums = [S::load(kept), S::load(kept.add(S::N)), S::load(kept.add(2 * S::N))];
        }
        for j in 0..M {
            if j < cols {
                let off = S::sub(out[j], sums[0]);
                sums[1] = S::add(sums[1], off);
                sums[2] = S::fma(off, off, sums[2]);
            }
        }
        for (i, sum) in sums.into_iter().enumerate() {
            S::store(kept.add(i * S::N), sum);
        }
    }
}
