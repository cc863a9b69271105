//! Output gradients to the frequencies of a weight gradient in Winograd's form.

use super::View;
use super::winograd::{INPUTS, from_outputs, outputs, plane};
use crate::simd::Simd;

/// Transforms some rows of one slot's output gradient.
pub(crate) struct Lift {
    /// Its first row.
    pub(crate) y: View,
    pub(crate) rows: usize,
    /// Side of the kernel: 3 or 5.
    pub(crate) side: usize,
    /// Which of the frequencies down the columns.
    pub(crate) which: usize,
    pub(crate) cols: usize,
    pub(crate) channels: usize,
    pub(crate) tiles: usize,
    /// Channels that lie together.
    pub(crate) group: usize,
    /// `[frequency along][group][band][tile][channel of the group][lane]`.
    pub(crate) to: *mut f32,
    /// As many zeros as a pixel has values.
    pub(crate) zeros: *const f32,
}

/// # Safety
/// The instruction set is there, and there is room.
#[inline(always)]
pub(crate) unsafe fn lift<S: Simd>(args: Lift) {
    // SAFETY: as promised by the caller.
    unsafe {
        match args.side {
            3 => which::<S, { outputs(3) }>(&args),
            _ => which::<S, { outputs(5) }>(&args),
        }
    }
}

/// # Safety
/// As for [`lift`].
#[inline(always)]
unsafe fn which<S: Simd, const M: usize>(args: &Lift) {
    // SAFETY: as promised by the caller.
    unsafe {
        match args.which {
            0 => tiles::<S, M, 0>(args),
            1 => tiles::<S, M, 1>(args),
            2 => tiles::<S, M, 2>(args),
            3 => tiles::<S, M, 3>(args),
            4 => tiles::<S, M, 4>(args),
            _ => tiles::<S, M, 5>(args),
        }
    }
}

/// # Safety
/// As for [`lift`].
#[inline(always)]
unsafe fn tiles<S: Simd, const M: usize, const WHICH: usize>(args: &Lift) {
    let pixels = args.rows.div_ceil(M) * args.tiles;
    let plane = plane(pixels, args.channels, S::N);
    for at in 0..pixels {
        let (row, col) = (at / args.tiles * M, at % args.tiles * M);
        // Positions behind the last are read from the zeros.
        let mut from = [[args.zeros; M]; M];
        for (i, from) in from.iter_mut().enumerate().take(args.rows - row) {
            for (j, from) in from.iter_mut().enumerate().take(args.cols - col) {
                // SAFETY: in the map.
                *from = unsafe { args.y.pixel(row + i, col + j) };
            }
        }
        let mut group = 0;
        while group < args.channels {
            let width = args.group.min(args.channels - group);
            for c in 0..width {
                let place = (group + c) * S::N;
                // SAFETY: within the map, or among the zeros; there is room, says the caller.
                unsafe {
                    let mut d = [S::splat(0.0); M];
                    for j in 0..M {
                        let mut column = [S::splat(0.0); M];
                        for i in 0..M {
                            column[i] = S::load(from[i][j].add(place));
                        }
                        d[j] = from_outputs::<S, M>(column)[WHICH];
                    }
                    let to = args.to.add((group * pixels + at * width + c) * S::N);
                    let row = from_outputs::<S, M>(d);
                    for j in 0..INPUTS {
                        S::store(to.add(j * plane), row[j]);
                    }
                }
            }
            group += width;
        }
    }
}
