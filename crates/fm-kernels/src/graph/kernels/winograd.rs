//! Winograd's convolution (Lavin & Gray, arXiv:1509.09308): F(4x4, 3x3), and F(2x2, 5x5).
//!
//! ```text
//! six inputs ── B' ──▸ six frequencies ─ product with G w ─▸ six ── A' ──▸ four (two) outputs
//! ```
//!
//! down the columns, then along the rows: of a tile of 6x6 inputs 36 products stand for 144 (100). Both kernels evaluate at 0,
//! ±1, ½, -2 and infinity, and share `B`. With ±2 in place of the last two finite points, which would save an addition, errors
//! were two to three times larger (Barabasz et al., arXiv:1803.10986, on the choice of points).

use crate::simd::Simd;

/// Inputs of a tile in a row or column, and products that stand for its outputs.
pub(crate) const INPUTS: usize = 6;

/// Products of a tile.
pub(crate) const FREQUENCIES: usize = INPUTS * INPUTS;

/// Where the polynomials are evaluated, and each point's share of the kernel's side; the sixth is infinity.
const POINTS: [(f64, f64); 5] =
    [(0.0, 1.0), (1.0, 1.0 / 3.0), (-1.0, -1.0 / 3.0), (0.5, -16.0 / 15.0), (-2.0, 1.0 / 15.0)];

/// Factor of tap `tap` of `taps` along a row, or down a column, in a frequency's weight.
pub(crate) fn share(frequency: usize, tap: usize, taps: usize) -> f32 {
    match POINTS.get(frequency) {
        Some((point, share)) => (share * point.powi(tap as i32)) as f32,
        None => f32::from(u8::from(tap + 1 == taps)),
    }
}

/// Outputs of a tile in a row or column, for kernels of that side.
pub(crate) const fn outputs(side: usize) -> usize {
    INPUTS + 1 - side
}

/// Floats by which a frequency's plane is longer than its values. Planes would often be multiples of 4 KiB apart, and what is
/// written to all six at once would share one set of the first cache.
const SKEW: usize = 80;

/// Distance in floats from one frequency's plane to the next one's.
pub(crate) const fn plane(tiles: usize, channels: usize, lanes: usize) -> usize {
    tiles * channels * lanes + SKEW
}

/// `B'`: inputs to frequencies.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn to_frequencies<S: Simd>(d: [S::V; INPUTS]) -> [S::V; INPUTS] {
    // SAFETY: as promised by the caller.
    unsafe {
        let more = S::splat(1.5);
        let (s, t) = (S::sub(d[4], d[2]), S::sub(d[3], d[1]));
        let (even, odd) = (S::fma(more, d[3], s), S::fma(more, d[2], t));
        [
            S::add(S::sub(d[0], d[2]), S::fma(more, t, s)),
            S::add(even, odd),
            S::sub(even, odd),
            S::fma(S::splat(2.0), t, s),
            S::fma(S::splat(-0.5), t, s),
            S::sub(S::fma(more, s, S::sub(d[5], d[3])), t),
        ]
    }
}

/// `A'`: products to `M` outputs.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn to_outputs<S: Simd, const M: usize>(m: [S::V; INPUTS]) -> [S::V; M] {
    // SAFETY: as promised by the caller.
    unsafe {
        let (sum, difference) = (S::add(m[1], m[2]), S::sub(m[1], m[2]));
        let mut out = [S::add(S::add(m[0], sum), S::add(m[3], m[4])); M];
        out[1] = S::fma(S::splat(0.5), m[3], S::fma(S::splat(-2.0), m[4], difference));
        if M == 4 {
            out[2] = S::fma(S::splat(0.25), m[3], S::fma(S::splat(4.0), m[4], sum));
            out[3] = S::fma(S::splat(0.125), m[3], S::fma(S::splat(-8.0), m[4], difference));
        }
        out[M - 1] = S::add(out[M - 1], m[5]);
        out
    }
}

/// `A`: `M` output gradients to frequencies.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn from_outputs<S: Simd, const M: usize>(g: [S::V; M]) -> [S::V; INPUTS] {
    // SAFETY: as promised by the caller.
    unsafe {
        let (mut even, mut odd) = (g[0], g[1]);
        let (mut half_even, mut half_odd) = (g[0], g[1]);
        let (mut two_even, mut two_odd) = (g[0], g[1]);
        if M == 4 {
            (even, odd) = (S::add(g[0], g[2]), S::add(g[1], g[3]));
            let (quarter, four) = (S::splat(0.25), S::splat(4.0));
            (half_even, half_odd) = (S::fma(quarter, g[2], g[0]), S::fma(quarter, g[3], g[1]));
            (two_even, two_odd) = (S::fma(four, g[2], g[0]), S::fma(four, g[3], g[1]));
        }
        [
            g[0],
            S::add(even, odd),
            S::sub(even, odd),
            S::fma(S::splat(0.5), half_odd, half_even),
            S::fma(S::splat(-2.0), two_odd, two_even),
            g[M - 1],
        ]
    }
}
