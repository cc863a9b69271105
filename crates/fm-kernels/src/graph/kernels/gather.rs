//! Products of the frequencies of Winograd's form to outputs.

use super::View;
use super::winograd::{INPUTS, outputs, plane, to_outputs};
use crate::simd::Simd;

/// Transforms the products of some rows back.
pub(crate) struct Gather {
    /// `[frequency down][frequency along][band][tile][channel][lane]`.
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
            3 => back::<S, { outputs(3) }>(&args),
            _ => back::<S, { outputs(5) }>(&args),
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn back<S: Simd, const M: usize>(args: &Gather) {
    let pitch = args.channels * S::N;
    let tiles = args.rows.div_ceil(M) * args.tiles;
    let plane = plane(tiles, args.channels, S::N);
    // SAFETY: as promised by the caller.
    unsafe {
        for at in 0..tiles {
            let (row, col) = (at / args.tiles * M, at % args.tiles * M);
            let (rows, cols) = ((args.rows - row).min(M), (args.cols - col).min(M));
            let to = args.y.pixel(row, col);
            let fresh = args.fresh && at == 0;
            for c in 0..args.channels {
                let from = args.from.add(at * pitch + c * S::N);
                // By row of the outputs, then by frequency along the row.
                let mut m = [[S::splat(0.0); INPUTS]; M];
                for j in 0..INPUTS {
                    let mut column = [S::splat(0.0); INPUTS];
                    for i in 0..INPUTS {
                        column[i] = S::load(from.add((i * INPUTS + j) * plane));
                    }
                    let column = to_outputs::<S, M>(column);
                    for r in 0..M {
                        m[r][j] = column[r];
                    }
                }
                let bias = if args.bias.is_null() { S::splat(0.0) } else { S::splat(*args.bias.add(c)) };
                let kept = if args.sums.is_null() { args.sums } else { args.sums.add(3 * c * S::N) };
                for r in 0..M {
                    if r < rows {
                        let to = to.add(r * args.y.row + c * S::N);
                        finish::<S, M>(
                            args,
                            to_outputs::<S, M>(m[r]),
                            (to, cols),
                            bias,
                            (kept, fresh && r == 0),
                        );
                    }
                }
            }
        }
    }
}

/// Bias, ReLU and statistics of the outputs of one row of a tile, and their places.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn finish<S: Simd, const M: usize>(
    args: &Gather,
    mut out: [S::V; M],
    (to, cols): (*mut f32, usize),
    bias: S::V,
    (kept, fresh): (*mut f32, bool),
) {
    // SAFETY: as promised by the caller.
    unsafe {
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
