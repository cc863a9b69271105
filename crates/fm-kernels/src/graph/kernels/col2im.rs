//! A doubling and the transposed convolution behind it, computed at the low resolution.
//!
//! ```text
//! input, h x w ── product with every tap ──▸ h x w x filters x taps ── col2im ──▸ (2h + side - 1) x (2w + side - 1) x filters
//! ```
//!
//! A doubling makes four equal pixels of one, so one product for each tap stands for four. What col2im adds up for an output pixel
//! are the taps that reach it, each from the input pixel whose copy is under it; im2col is the transpose, for gradients. (The
//! matrix form of convolutions: Chellapilla, Puri & Simard, 2006.)

use super::{Area, View};
use crate::simd::Simd;

/// Largest side of a kernel that there is code for.
pub(crate) const MOST: usize = 5;

/// Sums of taps, for some rows of the output.
pub(crate) struct Col2im {
    /// Rows, columns and channels of the output.
    pub(crate) area: Area,
    /// Side of the kernel.
    pub(crate) side: usize,
    /// Products `[filter][tap]` of each input pixel, and rows and columns of the input.
    pub(crate) x: View,
    pub(crate) height: usize,
    pub(crate) width: usize,
    pub(crate) bias: *const f32,
    pub(crate) relu: bool,
    /// The output's pixel (0, 0).
    pub(crate) z: View,
    /// As many zeros as an input pixel has products.
    pub(crate) zeros: *const f32,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn forward<S: Simd>(args: Col2im) {
    // SAFETY: as promised by the caller.
    unsafe {
        match args.side {
            1 => sum::<S, 1>(&args),
            2 => sum::<S, 2>(&args),
            3 => sum::<S, 3>(&args),
            4 => sum::<S, 4>(&args),
            _ => sum::<S, MOST>(&args),
        }
    }
}

/// The input row (or column) whose copy is under a tap of an output row.
fn under(output: usize, tap: usize, inputs: usize) -> Option<usize> {
    output.checked_sub(tap).map(|copy| copy / 2).filter(|&input| input < inputs)
}

/// # Safety
/// As for [`forward`].
#[inline(always)]
unsafe fn sum<S: Simd, const K: usize>(args: &Col2im) {
    let Area { rows, cols, channels } = args.area.clone();
    for row in rows {
        for col in 0..cols {
            let mut from = [[args.zeros; K]; K];
            for i in 0..K {
                for j in 0..K {
                    if let (Some(y), Some(x)) = (under(row, i, args.height), under(col, j, args.width)) {
                        // SAFETY: in the map.
                        from[i][j] = unsafe { args.x.pixel(y, x) };
                    }
                }
            }
            for c in 0..channels {
                // SAFETY: in the map, or among the zeros.
                unsafe {
                    let at = c * K * K * S::N;
                    let mut sum = S::splat(*args.bias.add(c));
                    for i in 0..K {
                        for j in 0..K {
                            sum = S::add(sum, S::load(from[i][j].add(at + (i * K + j) * S::N)));
                        }
                    }
                    if args.relu {
                        sum = S::relu(sum);
                    }
                    S::store(args.z.pixel(row, col).add(c * S::N), sum);
                }
            }
        }
    }
}

/// Gradients of the products of some rows of the input.
pub(crate) struct Im2col {
    /// Rows and columns of the input, and channels of the output.
    pub(crate) area: Area,
    /// Side of the kernel.
    pub(crate) side: usize,
    /// The output's gradient.
    pub(crate) g: View,
    /// Of the products, `[filter][tap]` by pixel.
    pub(crate) to: View,
    pub(crate) add: bool,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn back<S: Simd>(args: Im2col) {
    // SAFETY: as promised by the caller; a window is one longer than the kernel, as each pixel has two copies in a row.
    unsafe {
        match args.side {
            1 => windows::<S, 1, 2>(&args),
            2 => windows::<S, 2, 3>(&args),
            3 => windows::<S, 3, 4>(&args),
            4 => windows::<S, 4, 5>(&args),
            _ => windows::<S, MOST, { MOST + 1 }>(&args),
        }
    }
}

/// # Safety
/// As for [`back`].
#[inline(always)]
unsafe fn windows<S: Simd, const K: usize, const W: usize>(args: &Im2col) {
    let Area { rows, cols, channels } = args.area.clone();
    for row in rows {
        for col in 0..cols {
            for c in 0..channels {
                // SAFETY: in the maps.
                unsafe {
                    let from = args.g.pixel(2 * row, 2 * col).add(c * S::N);
                    let mut down = [[S::splat(0.0); W]; K];
                    for j in 0..W {
                        for i in 0..K {
                            let upper = S::load(from.add(i * args.g.row + j * args.g.px));
                            let lower = S::load(from.add((i + 1) * args.g.row + j * args.g.px));
                            down[i][j] = S::add(upper, lower);
                        }
                    }
                    let to = args.to.pixel(row, col).add(c * K * K * S::N);
                    for i in 0..K {
                        for j in 0..K {
                            let to = to.add((i * K + j) * S::N);
                            let v = S::add(down[i][j], down[i][j + 1]);
                            S::store(to, if args.add { S::add(v, S::load(to)) } else { v });
                        }
                    }
                }
            }
        }
    }
}
