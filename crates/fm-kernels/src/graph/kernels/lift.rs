//! Output gradients to the frequencies of a weight gradient in Winograd's form.

use super::View;
use super::winograd::{along, down, mix, mixed, plane};
use crate::simd::Simd;

/// Transforms some rows of one slot's output gradient.
pub(crate) struct Lift {
    /// Its first row.
    pub(crate) y: View,
    pub(crate) rows: usize,
    /// Side of the kernel: 3 or 5.
    pub(crate) side: usize,
    /// Which of the frequencies down the rows.
    pub(crate) which: usize,
    pub(crate) cols: usize,
    pub(crate) channels: usize,
    pub(crate) tiles: usize,
    /// Channels that lie together.
    pub(crate) group: usize,
    /// `[frequency][group][row of tiles][tile][channel of the group][lane]`.
    pub(crate) to: *mut f32,
    /// As many zeros as a pixel has values.
    pub(crate) zeros: *const f32,
}

impl Lift {
    /// The gradients of a tile in one row.
    ///
    /// # Safety
    /// The map is as large as it says.
    #[inline(always)]
    unsafe fn outputs(&self, row: usize, tile: usize) -> [*const f32; 4] {
        let mut from = [self.zeros; 4];
        if row < self.rows {
            let col = tile * along(self.side);
            for (j, from) in from.iter_mut().enumerate().take(along(self.side).min(self.cols - col)) {
                // SAFETY: in the map.
                *from = unsafe { self.y.pixel(row, col + j) };
            }
        }
        from
    }
}

/// # Safety
/// The instruction set is there, and there is room.
#[inline(always)]
pub(crate) unsafe fn lift<S: Simd>(args: Lift) {
    // SAFETY: as promised by the caller; positions behind the last are read from the zeros.
    unsafe {
        for at in 0..args.rows.div_ceil(down(args.side)) * args.tiles {
            let (row, tile) = (at / args.tiles * down(args.side), at % args.tiles);
            let a = args.outputs(row, tile);
            if args.side != 3 {
                lifted::<S, { mix::ONE }, { along(5) }>(&args, a, a, at);
                continue;
            }
            let b = args.outputs(row + 1, tile);
            match args.which {
                0 => lifted::<S, { mix::ONE }, { along(3) }>(&args, a, a, at),
                1 => lifted::<S, { mix::SUM }, { along(3) }>(&args, a, b, at),
                2 => lifted::<S, { mix::DIFFERENCE }, { along(3) }>(&args, a, b, at),
                _ => lifted::<S, { mix::DIFFERENCE }, { along(3) }>(&args, [args.zeros; 4], b, at),
            }
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn lifted<S: Simd, const MIX: u8, const M: usize>(
    args: &Lift,
    a: [*const f32; 4],
    b: [*const f32; 4],
    at: usize,
) {
    let pixels = args.rows.div_ceil(down(args.side)) * args.tiles;
    let plane = plane(pixels, args.channels, S::N);
    // SAFETY: as promised by `lift`'s caller.
    unsafe {
        let (two, four) = (S::splat(2.0), S::splat(4.0));
        let mut first = 0;
        while first < args.channels {
            let width = args.group.min(args.channels - first);
            let to = args.to.add((first * pixels + at * width) * S::N);
            for c in 0..width {
                let place = (first + c) * S::N;
                let to = to.add(c * S::N);
                let d0 = mixed::<S, MIX>(a[0].add(place), b[0].add(place));
                let d1 = mixed::<S, MIX>(a[1].add(place), b[1].add(place));
                let (mut even, mut odd, mut last) = (d0, d1, d1);
                let (mut far, mut steep) = (d0, d1);
                if M == 4 {
                    let d2 = mixed::<S, MIX>(a[2].add(place), b[2].add(place));
                    last = mixed::<S, MIX>(a[3].add(place), b[3].add(place));
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
