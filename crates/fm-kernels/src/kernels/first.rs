//! The first block: one input channel, so a window's 4x4 patch of pixels is one register.

use crate::simd::{CORNERS, Simd};

/// Convolution, pooling, bias and ReLU of one image.
pub(crate) struct Forward<'a> {
    /// `[windows][16]`: the pixels each pooling window sees.
    pub(crate) patches: &'a [f32],
    /// `[9][channels]`.
    pub(crate) weights: &'a [f32],
    pub(crate) bias: &'a [f32],
    /// `[windows][channels]`.
    pub(crate) value: &'a mut [f32],
    /// `[windows][channels]`: where in the patch each maximum came from.
    pub(crate) origin: &'a mut [u8],
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn forward<S: Simd>(args: Forward<'_>) {
    let Forward { patches, weights, bias, value, origin } = args;
    let channels = bias.len();
    let windows = patches.len() / 16;
    assert!(channels.is_multiple_of(16) && weights.len() == 9 * channels, "{channels} channels");
    assert!(value.len() >= windows * channels && origin.len() >= windows * channels, "{windows} windows");
    let mut channel = 0;
    while channel < channels {
        // SAFETY: the strip is within the channels, 16 at least, and the lengths were checked.
        unsafe {
            let weights = weights.as_ptr().add(channel);
            let bias = bias.as_ptr().add(channel);
            let value = value.as_mut_ptr().add(channel);
            let origin = origin.as_mut_ptr().add(channel);
            if channels - channel >= 2 * S::N {
                strip::<S, 2>(patches, channels, weights, bias, value, origin);
                channel += 2 * S::N;
            } else {
                strip::<S, 1>(patches, channels, weights, bias, value, origin);
                channel += S::N;
            }
        }
    }
}

/// `W` vectors of channels over all windows; the weights stay in registers.
///
/// # Safety
/// The instruction set is there. Behind `weights` lie nine rows of `W` vectors, `channels` apart, behind `bias` `W`
/// vectors; behind `value` and `origin` as many rows as there are windows, unaliased.
#[inline(always)]
unsafe fn strip<S: Simd, const W: usize>(
    patches: &[f32],
    channels: usize,
    weights: *const f32,
    bias: *const f32,
    value: *mut f32,
    origin: *mut u8,
) {
    // SAFETY: `forward` checked that 9 rows of weights and all windows are there.
    unsafe {
        let mut taps = [[S::splat(0.0); W]; 9];
        for (tap, row) in taps.iter_mut().enumerate() {
            for (w, tap_weights) in row.iter_mut().enumerate() {
                *tap_weights = S::load(weights.add(tap * channels + w * S::N));
            }
        }
        let mut shift = [S::splat(0.0); W];
        for (w, shift) in shift.iter_mut().enumerate() {
            *shift = S::load(bias.add(w * S::N));
        }
        for (window, patch) in patches.chunks_exact(16).enumerate() {
            let mut sums = [[S::splat(0.0); 4]; W];
            let grey = patch.as_ptr();
            row::<S, W, 0>(grey, &taps, &mut sums);
            row::<S, W, 1>(grey, &taps, &mut sums);
            row::<S, W, 2>(grey, &taps, &mut sums);
            row::<S, W, 3>(grey, &taps, &mut sums);
            for w in 0..W {
                let at = window * channels + w * S::N;
                S::pool(sums[w], shift[w], value.add(at), origin.add(at));
            }
        }
    }
}

/// One row of a patch. Rows and columns are constants, so that everything stays in registers.
///
/// # Safety
/// The instruction set is there, `ROW` is below 4, and sixteen floats lie behind `patch`.
#[inline(always)]
unsafe fn row<S: Simd, const W: usize, const ROW: usize>(
    patch: *const f32,
    taps: &[[S::V; W]; 9],
    sums: &mut [[S::V; 4]; W],
) {
    // SAFETY: a patch has sixteen pixels.
    unsafe {
        pixel::<S, W, ROW, 0>(*patch.add(ROW * 4), taps, sums);
        pixel::<S, W, ROW, 1>(*patch.add(ROW * 4 + 1), taps, sums);
        pixel::<S, W, ROW, 2>(*patch.add(ROW * 4 + 2), taps, sums);
        pixel::<S, W, ROW, 3>(*patch.add(ROW * 4 + 3), taps, sums);
    }
}

/// Adds one pixel to every position of the window that sees it.
///
/// # Safety
/// The instruction set is there.
#[inline(always)]
unsafe fn pixel<S: Simd, const W: usize, const ROW: usize, const COL: usize>(
    pixel: f32,
    taps: &[[S::V; W]; 9],
    sums: &mut [[S::V; 4]; W],
) {
    // SAFETY: the instruction set is there, says the caller.
    unsafe {
        let grey = S::splat(pixel);
        for corner in 0..4 {
            let (down, right) = (corner / 2, corner % 2);
            if ROW < down || COL < right || ROW - down > 2 || COL - right > 2 {
                continue;
            }
            let tap = &taps[(ROW - down) * 3 + COL - right];
            for (sums, &tap) in sums.iter_mut().zip(tap) {
                sums[corner] = S::fma(grey, tap, sums[corner]);
            }
        }
    }
}

/// Gradient of weights and bias from one image.
pub(crate) struct Gradient<'a> {
    /// `[windows][16]`: the pixels each pooling window sees.
    pub(crate) patches: &'a [f32],
    /// Gradient of the pooled map.
    pub(crate) delta: &'a [f32],
    /// The pooled map itself.
    pub(crate) value: &'a [f32],
    pub(crate) origin: &'a [u8],
    /// `[9 + 1][channels]`: weights, then bias.
    pub(crate) out: &'a mut [f32],
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn gradient<S: Simd>(args: Gradient<'_>) {
    let Gradient { patches, delta, value, origin, out } = args;
    let channels = out.len() / 10;
    let windows = patches.len() / 16;
    assert!(channels.is_multiple_of(16) && out.len() == 10 * channels, "{channels} channels");
    let floats = windows * channels;
    assert!(delta.len() >= floats && value.len() >= floats && origin.len() >= floats, "{windows} windows");
    for channel in (0..channels).step_by(S::N) {
        // SAFETY: lengths checked above; the patch has the 16 floats that `pick` looks at, since an
        // origin is one of CORNERS.
        unsafe {
            let mut taps = [S::splat(0.0); 9];
            let mut bias = S::splat(0.0);
            for window in 0..windows {
                let patch = patches.as_ptr().add(window * 16);
                let at = window * channels + channel;
                let g = S::gate(S::load(delta.as_ptr().add(at)), S::load(value.as_ptr().add(at)));
                let from = S::origin(origin.as_ptr().add(at));
                bias = S::add(bias, g);
                for (tap, sum) in taps.iter_mut().enumerate() {
                    *sum = S::fma(g, S::pick(patch, from, tap / 3 * 4 + tap % 3), *sum);
                }
            }
            for (tap, &sum) in taps.iter().enumerate() {
                S::store(out.as_mut_ptr().add(tap * channels + channel), sum);
            }
            S::store(out.as_mut_ptr().add(9 * channels + channel), bias);
        }
    }
}

/// The cropped image as 4x4 patches, two pixels apart, scaled to 0..1.
pub(crate) struct Cut<'a> {
    pub(crate) image: &'a [u8],
    /// Columns of the image.
    pub(crate) width: usize,
    /// Rows of windows.
    pub(crate) rows: usize,
    /// Columns of windows.
    pub(crate) cols: usize,
    /// `[rows * cols][16]`.
    pub(crate) patches: &'a mut [f32],
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn cut<S: Simd>(args: Cut<'_>) {
    let Cut { image, width, rows, cols, patches } = args;
    assert!(width >= 2 * cols + 2 && image.len() >= (2 * rows + 2) * width, "{rows}x{cols} windows");
    assert!(patches.len() >= rows * cols * 16, "{rows}x{cols} patches");
    for row in 0..rows {
        for col in 0..cols {
            // SAFETY: the 4x4 pixels and the patch are within the checked lengths.
            unsafe {
                let from = image.as_ptr().add(2 * row * width + 2 * col);
                S::grey(from, width, patches.as_mut_ptr().add((row * cols + col) * 16));
            }
        }
    }
}

const _: () = assert!(CORNERS[3] == 5, "a corner is row * 4 + column");
