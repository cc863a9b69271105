//! Inputs to the frequencies of Winograd's form.

use super::View;
use super::winograd::{INPUTS, outputs, plane, to_frequencies};
use crate::simd::Simd;

/// Transforms some rows of one slot.
pub(crate) struct Spread {
    pub(crate) x: View,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// First input row, and first input column of the first tile; outside of the map are zeros.
    pub(crate) first: isize,
    pub(crate) left: isize,
    /// Side of the kernel: 3 or 5.
    pub(crate) side: usize,
    /// One of the frequencies down the columns, or all: the others have calls of their own.
    pub(crate) which: Option<usize>,
    /// Rows of tiles, and tiles of a row.
    pub(crate) bands: usize,
    pub(crate) tiles: usize,
    /// Channels that lie together.
    pub(crate) group: usize,
    /// `[frequency down][frequency along][group][band][tile][channel of the group][lane]`.
    pub(crate) to: *mut f32,
    /// As many zeros as a pixel has values.
    pub(crate) zeros: *const f32,
}

/// Stands for all frequencies down the columns.
const ALL: usize = INPUTS;

/// # Safety
/// The instruction set is there, and there is room.
#[inline(always)]
pub(crate) unsafe fn spread<S: Simd>(args: Spread) {
    // SAFETY: as promised by the caller.
    unsafe {
        match args.which {
            Some(0) => tiles::<S, 0>(&args),
            Some(1) => tiles::<S, 1>(&args),
            Some(2) => tiles::<S, 2>(&args),
            Some(3) => tiles::<S, 3>(&args),
            Some(4) => tiles::<S, 4>(&args),
            Some(_) => tiles::<S, 5>(&args),
            None => tiles::<S, ALL>(&args),
        }
    }
}

impl Spread {
    /// The inputs of a tile; those outside of the map are among the zeros.
    #[inline(always)]
    fn inputs(&self, at: usize) -> [[*const f32; INPUTS]; INPUTS] {
        let step = outputs(self.side);
        let row = self.first + (at / self.tiles * step) as isize;
        let col = self.left + (at % self.tiles * step) as isize;
        let mut from = [[self.zeros; INPUTS]; INPUTS];
        for (from, row) in from.iter_mut().zip(row..) {
            if !(0..self.height as isize).contains(&row) {
                continue;
            }
            for (from, col) in from.iter_mut().zip(col..) {
                if (0..self.width as isize).contains(&col) {
                    *from = self.x.at.wrapping_add(row as usize * self.x.row + col as usize * self.x.px);
                }
            }
        }
        from
    }
}

/// # Safety
/// As for [`spread`].
#[inline(always)]
unsafe fn tiles<S: Simd, const WHICH: usize>(args: &Spread) {
    let pixels = args.bands * args.tiles;
    let plane = plane(pixels, args.channels, S::N);
    for at in 0..pixels {
        let from = args.inputs(at);
        let mut group = 0;
        while group < args.channels {
            let width = args.group.min(args.channels - group);
            for c in 0..width {
                let place = (group + c) * S::N;
                // SAFETY: within the map, or among the zeros; there is room, says the caller.
                unsafe {
                    let mut d = [[S::splat(0.0); INPUTS]; INPUTS];
                    for j in 0..INPUTS {
                        let mut column = [S::splat(0.0); INPUTS];
                        for i in 0..INPUTS {
                            column[i] = S::load(from[i][j].add(place));
                        }
                        let column = to_frequencies::<S>(column);
                        for f in 0..INPUTS {
                            d[f][j] = column[f];
                        }
                    }
                    let to = args.to.add((group * pixels + at * width + c) * S::N);
                    for f in 0..INPUTS {
                        if WHICH != ALL && f != WHICH {
                            continue;
                        }
                        let to = to.add(if WHICH == ALL { f * INPUTS * plane } else { 0 });
                        let row = to_frequencies::<S>(d[f]);
                        for j in 0..INPUTS {
                            S::store(to.add(j * plane), row[j]);
                        }
                    }
                }
            }
            group += width;
        }
    }
}
