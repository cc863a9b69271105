//! Winograd's one-dimensional convolution along rows (Lavin & Gray, arXiv:1509.09308): F(4, 3) and F(2, 5).
//!
//! ```text
//! six inputs of a row ── B' ──▸ six frequencies ─ product with G w ─▸ six ── A' ──▸ four (two) outputs
//! ```
//!
//! Rows of the kernel are summed up among the frequencies, as the direct form does among pixels, so that
//! six products stand for twelve (ten). Both forms evaluate at 0, ±1, ±2 and infinity and share `B`.

use super::View;
use crate::simd::Simd;

/// Inputs of a tile, and products that stand for its outputs.
pub(crate) const INPUTS: usize = 6;

/// Where the polynomials are evaluated, and each point's share of the kernel's side; the sixth is infinity.
const POINTS: [(f64, f64); 5] =
    [(0.0, 1.0 / 4.0), (1.0, -1.0 / 6.0), (-1.0, -1.0 / 6.0), (2.0, 1.0 / 24.0), (-2.0, 1.0 / 24.0)];

/// Factor of tap `tap` of `taps` in a frequency's weight.
pub(crate) fn share(frequency: usize, tap: usize, taps: usize) -> f32 {
    match POINTS.get(frequency) {
        Some((point, share)) => (share * point.powi(tap as i32)) as f32,
        None => f32::from(u8::from(tap + 1 == taps)),
    }
}

/// Transforms some rows of one slot.
pub(crate) struct Spread {
    pub(crate) x: View,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) channels: usize,
    /// First input row and how many, first input column of the first tile; outside of the map are zeros.
    pub(crate) first: isize,
    pub(crate) rows: usize,
    pub(crate) left: isize,
    pub(crate) tiles: usize,
    /// Outputs of a tile: columns from one to the next.
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
pub(crate) unsafe fn spread<S: Simd>(args: Spread) {
    let pixels = args.rows * args.tiles;
    let plane = pixels * args.channels * S::N;
    // SAFETY: as promised by the caller; positions outside of the map are read from the zeros.
    unsafe {
        let (four, five, two) = (S::splat(4.0), S::splat(-5.0), S::splat(2.0));
        let minus = S::splat(-4.0);
        for r in 0..args.rows {
            let row = args.first + r as isize;
            let inside = (0..args.height as isize).contains(&row);
            for tile in 0..args.tiles {
                let mut from = [args.zeros; INPUTS];
                for (j, from) in from.iter_mut().enumerate() {
                    let col = args.left + (tile * args.outputs + j) as isize;
                    if inside && (0..args.width as isize).contains(&col) {
                        *from = args.x.pixel(row as usize, col as usize);
                    }
                }
                let mut first = 0;
                while first < args.channels {
                    let width = args.group.min(args.channels - first);
                    let to = args.to.add((first * pixels + (r * args.tiles + tile) * width) * S::N);
                    for c in 0..width {
                        let at = (first + c) * S::N;
                        let d0 = S::load(from[0].add(at));
                        let d1 = S::load(from[1].add(at));
                        let d2 = S::load(from[2].add(at));
                        let d3 = S::load(from[3].add(at));
                        let d4 = S::load(from[4].add(at));
                        let d5 = S::load(from[5].add(at));
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
    }
}

/// Transforms the products of a few output channels back.
pub(crate) struct Gather {
    /// `[frequency][row][tile][channel][lane]`.
    pub(crate) from: *const f32,
    pub(crate) rows: usize,
    pub(crate) tiles: usize,
    pub(crate) outputs: usize,
    pub(crate) channels: usize,
    /// The output's first row and channel.
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
    unsafe { if args.outputs == 4 { back::<S, 4>(&args) } else { back::<S, 2>(&args) } }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn back<S: Simd, const M: usize>(args: &Gather) {
    let pitch = args.channels * S::N;
    let plane = args.rows * args.tiles * pitch;
    // SAFETY: as promised by the caller.
    unsafe {
        let (two, four, eight) = (S::splat(2.0), S::splat(4.0), S::splat(8.0));
        for c in 0..args.channels {
            let bias = if args.bias.is_null() { S::splat(0.0) } else { S::splat(*args.bias.add(c)) };
            let kept = if args.sums.is_null() { args.sums } else { args.sums.add(3 * c * S::N) };
            let (mut pivot, mut sum, mut square) = (S::splat(0.0), S::splat(0.0), S::splat(0.0));
            let mut fresh = args.fresh;
            if !kept.is_null() && !fresh {
                (pivot, sum, square) = (S::load(kept), S::load(kept.add(S::N)), S::load(kept.add(2 * S::N)));
            }
            for row in 0..args.rows {
                for tile in 0..args.tiles {
                    let from = args.from.add((row * args.tiles + tile) * pitch + c * S::N);
                    let m0 = S::load(from);
                    let m1 = S::load(from.add(plane));
                    let m2 = S::load(from.add(2 * plane));
                    let m3 = S::load(from.add(3 * plane));
                    let m4 = S::load(from.add(4 * plane));
                    let m5 = S::load(from.add(5 * plane));
                    let (near, far) = (S::add(m1, m2), S::add(m3, m4));
                    let (slope, steep) = (S::sub(m1, m2), S::sub(m3, m4));
                    let first = S::add(m0, S::add(near, far));
                    let second = S::fma(two, steep, slope);
                    let mut out = [first; M];
                    if M == 4 {
                        out[1] = second;
                        out[2] = S::fma(four, far, near);
                        out[3] = S::add(S::fma(eight, steep, slope), m5);
                    } else {
                        out[1] = S::add(second, m5);
                    }
                    let left = (args.cols - tile * M).min(M);
                    let to = args.y.pixel(row, tile * M).add(c * S::N);
                    for j in 0..M {
                        if j >= left {
                            break;
                        }
                        let to = to.add(j * args.y.px);
                        let mut v = S::add(out[j], bias);
                        if args.relu {
                            v = S::relu(v);
                        }
                        if args.add {
                            v = S::add(v, S::load(to));
                        }
                        S::store(to, v);
                        if !kept.is_null() {
                            if fresh {
                                (pivot, fresh) = (v, false);
                            }
                            let off = S::sub(v, pivot);
                            sum = S::add(sum, off);
                            square = S::fma(off, off, square);
                        }
                    }
                }
            }
            if !kept.is_null() {
                S::store(kept, pivot);
                S::store(kept.add(S::N), sum);
                S::store(kept.add(2 * S::N), square);
            }
        }
    }
}
