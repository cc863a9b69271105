//! Convolution as F(2x2, 3x3): sixteen products instead of thirty-six for a 2x2 window.
//!
//! An output tile is just the pooling window, so pooling, bias and ReLU follow in registers.
//! With B, G and A the usual matrices, a window is `A^T [(G g G^T) . (B^T d B)] A`, summed over
//! input channels as sixteen matrix products, one per frequency.

use crate::plan::{LANES, plane};
use crate::simd::Simd;

/// `B^T d B` for every window of one image.
pub(crate) struct Tiles<'a> {
    /// `[2 * rows + 2][2 * cols + 2][channels]`.
    pub(crate) input: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) channels: usize,
    /// Frequency f of window t lies at `f * plane + t * channels`.
    pub(crate) out: &'a mut [f32],
    pub(crate) plane: usize,
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn tiles<S: Simd>(args: Tiles<'_>) {
    let Tiles { input, rows, cols, channels, out, plane } = args;
    let width = (2 * cols + 2) * channels;
    assert!(channels.is_multiple_of(16) && input.len() >= (2 * rows + 2) * width, "{rows}x{cols} windows");
    assert!(out.len() >= 15 * plane + rows * cols * channels, "{rows}x{cols} tiles");
    for row in 0..rows {
        for col in 0..cols {
            for channel in (0..channels).step_by(S::N) {
                // SAFETY: the 4x4 patch and the sixteen planes are within the checked lengths.
                unsafe {
                    let from = input.as_ptr().add(2 * row * width + 2 * col * channels + channel);
                    let to = out.as_mut_ptr().add((row * cols + col) * channels + channel);
                    let mut half = [[S::splat(0.0); 4]; 4];
                    for x in 0..4 {
                        let at = from.add(x * channels);
                        let d = [
                            S::load(at),
                            S::load(at.add(width)),
                            S::load(at.add(2 * width)),
                            S::load(at.add(3 * width)),
                        ];
                        let column = input_step::<S>(d);
                        for y in 0..4 {
                            half[y][x] = column[y];
                        }
                    }
                    for y in 0..4 {
                        let line = input_step::<S>(half[y]);
                        for x in 0..4 {
                            S::store(to.add((y * 4 + x) * plane), line[x]);
                        }
                    }
                }
            }
        }
    }
}

/// `B^T d` for one column.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
unsafe fn input_step<S: Simd>(d: [S::V; 4]) -> [S::V; 4] {
    // SAFETY: the instruction set is there, says the caller.
    unsafe { [S::sub(d[0], d[2]), S::add(d[1], d[2]), S::sub(d[2], d[1]), S::sub(d[1], d[3])] }
}

/// `A^T m A` for every window of one image, then maximum, bias and ReLU.
pub(crate) struct Pooled<'a> {
    /// Frequency f of window t lies at `f * plane + t * channels`.
    pub(crate) products: &'a [f32],
    pub(crate) plane: usize,
    pub(crate) bias: &'a [f32],
    /// `[windows][channels]`.
    pub(crate) value: &'a mut [f32],
    /// `[windows][channels]`: which corner each maximum came from.
    pub(crate) origin: &'a mut [u8],
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn pooled<S: Simd>(args: Pooled<'_>) {
    let Pooled { products, plane, bias, value, origin } = args;
    let channels = bias.len();
    assert!(channels.is_multiple_of(16) && value.len().is_multiple_of(channels), "{channels} channels");
    assert!(products.len() >= 15 * plane + value.len() && origin.len() >= value.len(), "{plane} a plane");
    for at in (0..value.len()).step_by(S::N) {
        // SAFETY: `at` and the N floats behind it are within value, origin and each plane.
        unsafe {
            let from = products.as_ptr().add(at);
            let mut half = [[S::splat(0.0); 4]; 2];
            for x in 0..4 {
                let m = [
                    S::load(from.add(x * plane)),
                    S::load(from.add((4 + x) * plane)),
                    S::load(from.add((8 + x) * plane)),
                    S::load(from.add((12 + x) * plane)),
                ];
                let column = output_step::<S>(m);
                half[0][x] = column[0];
                half[1][x] = column[1];
            }
            let top = output_step::<S>(half[0]);
            let bottom = output_step::<S>(half[1]);
            let shift = S::load(bias.as_ptr().add(at % channels));
            let y = [top[0], top[1], bottom[0], bottom[1]];
            S::pool(y, shift, value.as_mut_ptr().add(at), origin.as_mut_ptr().add(at));
        }
    }
}

/// `A^T m` for one column.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
unsafe fn output_step<S: Simd>(m: [S::V; 4]) -> [S::V; 2] {
    // SAFETY: the instruction set is there, says the caller.
    unsafe { [S::add(S::add(m[0], m[1]), m[2]), S::sub(S::sub(m[1], m[2]), m[3])] }
}

/// The two derived forms of sixteen output channels' weights.
pub(crate) struct Weights<'a> {
    /// `[16][9][inputs]`: these sixteen channels.
    pub(crate) from: &'a [f32],
    pub(crate) inputs: usize,
    /// All output channels.
    pub(crate) outputs: usize,
    /// First of the sixteen.
    pub(crate) first: usize,
    /// `G g G^T` as `[16 frequencies][inputs][outputs]`: base of the whole.
    pub(crate) frequencies: *mut f32,
    /// `[inputs / 16][outputs][9][16]` for the data gradient: base of the whole.
    pub(crate) slabs: *mut f32,
}

/// # Safety
/// The instruction set is there; both bases have `16 * plane(inputs * outputs)` and `9 * inputs * outputs`
/// floats, whose entries for these sixteen channels nobody else touches.
#[inline(always)]
pub(crate) unsafe fn weights<S: Simd>(args: Weights<'_>) {
    let Weights { from: weights, inputs, outputs, first, frequencies, slabs } = args;
    assert!(weights.len() >= LANES * 9 * inputs && first + LANES <= outputs, "{inputs} to {outputs}");
    assert!(inputs.is_multiple_of(LANES), "{inputs} inputs");
    let plane = plane(inputs * outputs);
    for input in (0..inputs).step_by(LANES) {
        let mut taps = [0.0_f32; 9 * LANES * LANES];
        // SAFETY: within the weights by the assertions, and within the bases by the caller's promise.
        unsafe {
            for tap in 0..9 {
                let from = weights.as_ptr().add(tap * inputs + input);
                S::transpose(from, 9 * inputs, taps.as_mut_ptr().add(tap * LANES * LANES), LANES);
                for channel in 0..LANES {
                    let slab = (input / LANES * outputs + first + channel) * 9 + tap;
                    let from = from.add(channel * 9 * inputs);
                    std::ptr::copy_nonoverlapping(from, slabs.add(slab * LANES), LANES);
                }
            }
            for row in 0..LANES {
                for lane in (0..LANES).step_by(S::N) {
                    let from = taps.as_ptr().add(row * LANES + lane);
                    let to = frequencies.add((input + row) * outputs + first + lane);
                    transform::<S>(from, to, plane);
                }
            }
        }
    }
}

/// `G g G^T` for one input channel and a vector of output channels.
///
/// # Safety
/// The instruction set is there. Behind `from` lie nine vectors, 256 floats apart, and behind `to` sixteen, `plane`
/// apart, unaliased.
#[inline(always)]
unsafe fn transform<S: Simd>(from: *const f32, to: *mut f32, plane: usize) {
    // SAFETY: nine blocks to read and sixteen planes to write, says the caller.
    unsafe {
        let mut half = [[S::splat(0.0); 3]; 4];
        for x in 0..3 {
            let tap = |y: usize| S::load(from.add((y * 3 + x) * LANES * LANES));
            let column = weight_step::<S>([tap(0), tap(1), tap(2)]);
            for y in 0..4 {
                half[y][x] = column[y];
            }
        }
        for y in 0..4 {
            let line = weight_step::<S>(half[y]);
            for x in 0..4 {
                S::store(to.add((y * 4 + x) * plane), line[x]);
            }
        }
    }
}

/// `G g` for one column.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
unsafe fn weight_step<S: Simd>(g: [S::V; 3]) -> [S::V; 4] {
    // SAFETY: the instruction set is there, says the caller.
    unsafe {
        let half = S::splat(0.5);
        let outer = S::mul(half, S::add(g[0], g[2]));
        let inner = S::mul(half, g[1]);
        [g[0], S::add(outer, inner), S::sub(outer, inner), g[2]]
    }
}
