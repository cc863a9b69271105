//! Winograd's convolution (Lavin & Gray, arXiv:1509.09308): F(2x4, 3x3), and F(2, 5) along rows.
//!
//! ```text
//! six inputs of a row ── B' ──▸ six frequencies ─ product with G w ─▸ six ── A' ──▸ four (two) outputs
//! ```
//!
//! Along rows both evaluate at 0, ±1, ±2 and infinity and share `B`. Tiles of 3x3 kernels are two rows high and have a form
//! down the rows as well, whose points are 0, ±1 and infinity: 24 products stand for 72. Rows of 5x5 kernels are summed up
//! among the frequencies, as the direct form does among pixels, so that six products stand for ten.

use crate::simd::Simd;

/// Inputs of a tile in a row, and products that stand for its outputs.
pub(crate) const INPUTS: usize = 6;

/// Where the polynomials are evaluated, and each point's share of the kernel's side; the sixth is infinity.
const POINTS: [(f64, f64); 5] =
    [(0.0, 1.0 / 4.0), (1.0, -1.0 / 6.0), (-1.0, -1.0 / 6.0), (2.0, 1.0 / 24.0), (-2.0, 1.0 / 24.0)];

/// The same down the rows.
const DOWN: [(f64, f64); 3] = [(0.0, 1.0), (1.0, 1.0 / 2.0), (-1.0, 1.0 / 2.0)];

/// Factor of tap `tap` of `taps` along a row in a frequency's weight.
pub(crate) fn share(frequency: usize, tap: usize, taps: usize) -> f32 {
    evaluate(&POINTS, frequency, tap, taps)
}

/// Factor of the kernel's row `tap` of three in the weight of a frequency down the rows.
pub(crate) fn share_down(frequency: usize, tap: usize) -> f32 {
    evaluate(&DOWN, frequency, tap, 3)
}

fn evaluate(points: &[(f64, f64)], frequency: usize, tap: usize, taps: usize) -> f32 {
    match points.get(frequency) {
        Some((point, share)) => (share * point.powi(tap as i32)) as f32,
        None => f32::from(u8::from(tap + 1 == taps)),
    }
}

/// Output rows of a tile, for kernels of so many rows and columns.
pub(crate) const fn down(side: usize) -> usize {
    if side == 3 { 2 } else { 1 }
}

/// Outputs of a tile in a row.
pub(crate) const fn along(side: usize) -> usize {
    INPUTS + 1 - side
}

/// Frequencies down the rows.
pub(crate) const fn downs(side: usize) -> usize {
    if side == 3 { DOWN.len() + 1 } else { 1 }
}

/// Rows of the kernel that are summed up among the frequencies.
pub(crate) const fn summed(side: usize) -> usize {
    if side == 3 { 1 } else { side }
}

/// Floats by which a frequency's plane is longer than its values. Planes would often be multiples of 4 KiB apart, and what is
/// written to all six at once would share one set of the first cache.
const SKEW: usize = 80;

/// Distance in floats from one frequency's plane to the next one's.
pub(crate) const fn plane(pixels: usize, channels: usize, lanes: usize) -> usize {
    pixels * channels * lanes + SKEW
}

/// How two rows make one of a frequency.
pub(crate) mod mix {
    /// The first row alone.
    pub(crate) const ONE: u8 = 0;
    /// First and second.
    pub(crate) const SUM: u8 = 1;
    /// First less second.
    pub(crate) const DIFFERENCE: u8 = 2;
}

/// # Safety
/// The instruction set is there, and a vector lies behind both pointers.
#[inline(always)]
pub(crate) unsafe fn mixed<S: Simd, const MIX: u8>(a: *const f32, b: *const f32) -> S::V {
    // SAFETY: as promised by the caller.
    unsafe {
        match MIX {
            mix::ONE => S::load(a),
            mix::SUM => S::add(S::load(a), S::load(b)),
            _ => S::sub(S::load(a), S::load(b)),
        }
    }
}
