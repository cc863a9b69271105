//! Inputs to the frequencies of Winograd's form.

use std::ops::Range;

use super::View;
use super::winograd::{INPUTS, along, down, mix, mixed, plane};
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
    /// Which of the frequencies down the rows: the others have calls of their own.
    pub(crate) which: Range<usize>,
    /// Rows of tiles, or where rows of the kernel are summed up, of inputs.
    pub(crate) rows: usize,
    pub(crate) tiles: usize,
    /// Channels that lie together.
    pub(crate) group: usize,
    /// `[frequency down][frequency][group][row][tile][channel of the group][lane]`.
    pub(crate) to: *mut f32,
    /// As many zeros as a pixel has values.
    pub(crate) zeros: *const f32,
}

impl Spread {
    /// The inputs of a tile in one row.
    ///
    /// # Safety
    /// The map is as large as it says.
    #[inline(always)]
    unsafe fn inputs(&self, row: isize, tile: usize) -> [*const f32; INPUTS] {
        let mut from = [self.zeros; INPUTS];
        if (0..self.height as isize).contains(&row) {
            for (j, from) in from.iter_mut().enumerate() {
                let col = self.left + (tile * along(self.side) + j) as isize;
                if (0..self.width as isize).contains(&col) {
                    // SAFETY: in the map.
                    *from = unsafe { self.x.pixel(row as usize, col as usize) };
                }
            }
        }
        from
    }
}

/// # Safety
/// The instruction set is there, and there is room.
#[inline(always)]
pub(crate) unsafe fn spread<S: Simd>(args: Spread) {
    let planes = INPUTS * plane(args.rows * args.tiles, args.channels, S::N);
    // SAFETY: as promised by the caller; positions outside of the map are read from the zeros.
    unsafe {
        for r in 0..args.rows {
            for tile in 0..args.tiles {
                let at = r * args.tiles + tile;
                let row = args.first + (r * down(args.side)) as isize;
                if args.side != 3 {
                    let from = args.inputs(row, tile);
                    frequencies::<S, { mix::ONE }>(&args, from, from, at, args.to);
                    continue;
                }
                for (number, which) in args.which.clone().enumerate() {
                    let to = args.to.add(number * planes);
                    let [a, b] = [[0, 2], [1, 2], [2, 1], [1, 3]][which].map(|i| args.inputs(row + i, tile));
                    if which == 1 {
                        frequencies::<S, { mix::SUM }>(&args, a, b, at, to);
                    } else {
                        frequencies::<S, { mix::DIFFERENCE }>(&args, a, b, at, to);
                    }
                }
            }
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn frequencies<S: Simd, const MIX: u8>(
    args: &Spread,
    a: [*const f32; INPUTS],
    b: [*const f32; INPUTS],
    at: usize,
    to: *mut f32,
) {
    let pixels = args.rows * args.tiles;
    let plane = plane(pixels, args.channels, S::N);
    // SAFETY: as promised by `spread`'s caller.
    unsafe {
        let (four, five, two) = (S::splat(4.0), S::splat(-5.0), S::splat(2.0));
        let minus = S::splat(-4.0);
        let mut first = 0;
        while first < args.channels {
            let width = args.group.min(args.channels - first);
            let to = to.add((first * pixels + at * width) * S::N);
            for c in 0..width {
                let place = (first + c) * S::N;
                let d0 = mixed::<S, MIX>(a[0].add(place), b[0].add(place));
                let d1 = mixed::<S, MIX>(a[1].add(place), b[1].add(place));
                let d2 = mixed::<S, MIX>(a[2].add(place), b[2].add(place));
                let d3 = mixed::<S, MIX>(a[3].add(place), b[3].add(place));
                let d4 = mixed::<S, MIX>(a[4].add(place), b[4].add(place));
                let d5 = mixed::<S, MIX>(a[5].add(place), b[5].add(place));
                let to = to.add(c * S::N);
                S::store(to, S::fma(four, d0, S::fma(five, d2, d4)));
                let (even, odd) = (S::fma(minus, d2, d4), S::fma(minus, d1, d3));
                S::store(to.add(plane), S::add(even, odd));
                S::store(to.add(2 * plane), S::sub(even, odd));
                let (even, odd) = (S::sub(d4, d2), S::mul(two, S::sub(d3, d1)));
                S::store(to.add(3 * plane), S::add(even, odd));
                S::store(to.add(4 * plane), S::sub(even, odd));
                S::store(to.add(5 * plane), S::fma(four, d1, S::fma(five, d3, d5)));
            }
            first += width;
        }
    }
}
