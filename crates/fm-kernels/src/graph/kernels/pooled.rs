//! Batch norm, ReLU and the maximum over windows that do not overlap, in one: the map between them is never written.

use fm_net::Activation;

use super::act::{self, Act};
use super::point::{Norm, Term};
use super::{Area, View};
use crate::simd::Simd;

/// The value of the ReLU, and where it is, for some rows of windows.
pub(crate) struct Forward {
    /// Windows.
    pub(crate) area: Area,
    /// Pixels of a window's side.
    pub(crate) size: usize,
    pub(crate) term: Term,
    pub(crate) z: View,
    /// Where in its window each maximum is (a number of 0 and more, as float), and the norm's input there.
    pub(crate) from: View,
    pub(crate) own: View,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn forward<S: Simd>(args: Forward) {
    // SAFETY: as promised by the caller.
    unsafe { if args.size == 2 { windows::<S>(&args, 2) } else { windows::<S>(&args, args.size) } }
}

/// # Safety
/// As for [`forward`], for windows of this size.
#[inline(always)]
unsafe fn windows<S: Simd>(args: &Forward, size: usize) {
    let Forward { term, .. } = args;
    // SAFETY: as promised by the caller.
    unsafe {
        for row in args.area.rows.clone() {
            for col in 0..args.area.cols {
                let [z, from, own_at] = [args.z, args.from, args.own].map(|view| view.pixel(row, col));
                for c in 0..args.area.channels {
                    let at = c * S::N;
                    let (mut best, mut place) = (S::splat(f32::NEG_INFINITY), S::splat(0.0));
                    let mut own = S::splat(0.0);
                    for ky in 0..size {
                        for kx in 0..size {
                            let here = term.value::<S>(row * size + ky, col * size + kx, c);
                            let y = S::load(term.y.pixel(row * size + ky, col * size + kx).add(at));
                            own = S::above(here, best, y, own);
                            place = S::above(here, best, S::splat((ky * size + kx) as f32), place);
                            best = S::above(here, best, here, best);
                        }
                    }
                    S::store(from.add(at), place);
                    S::store(own_at.add(at), own);
                    S::store(z.add(at), S::relu(best));
                }
            }
        }
    }
}

/// The gradient of the maxima through the ReLU, in place; and its sums by channel, alone and times the norm's input less
/// its mean.
pub(crate) struct Sums {
    /// Windows.
    pub(crate) area: Area,
    pub(crate) g: View,
    pub(crate) z: View,
    /// The norm's inputs where the maxima are.
    pub(crate) own: View,
    pub(crate) mean: *const f32,
    /// `[channel][3][lanes]`, the last of the three zero; null where no sums are asked for.
    pub(crate) to: *mut f32,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn sums<S: Simd>(args: Sums) {
    let mut c = 0;
    while c < args.area.channels {
        // SAFETY: as promised by the caller.
        unsafe { if args.area.channels - c >= 4 { some::<S, 4>(&args, c) } else { some::<S, 1>(&args, c) } }
        c += if args.area.channels - c >= 4 { 4 } else { 1 };
    }
}

/// # Safety
/// As for [`sums`], for `C` channels from the first on.
#[inline(always)]
unsafe fn some<S: Simd, const C: usize>(args: &Sums, first: usize) {
    let summed = !args.to.is_null();
    // SAFETY: as promised by the caller.
    unsafe {
        let mut sums = [[S::splat(0.0); C]; 2];
        let mut means = [S::splat(0.0); C];
        if summed {
            for c in 0..C {
                means[c] = S::splat(*args.mean.add(first + c));
            }
        }
        for row in args.area.rows.clone() {
            for col in 0..args.area.cols {
                let [g_at, z_at, own] =
                    [args.g, args.z, args.own].map(|view| view.pixel(row, col).add(first * S::N));
                for c in 0..C {
                    let at = c * S::N;
                    let z = S::load(z_at.add(at));
                    let g = act::slope::<S>(Act(Some(Activation::Relu)), S::load(g_at.add(at)), z, z);
                    S::store(g_at.add(at), g);
                    if !summed {
                        continue;
                    }
                    let own = S::load(own.add(at));
                    sums[0][c] = S::add(sums[0][c], g);
                    sums[1][c] = S::fma(g, S::sub(own, means[c]), sums[1][c]);
                }
            }
        }
        if summed {
            for c in 0..C {
                for (t, sum) in [sums[0][c], sums[1][c], S::splat(0.0)].into_iter().enumerate() {
                    S::store(args.to.add((3 * (first + c) + t) * S::N), sum);
                }
            }
        }
    }
}

/// Gradient through the maximum, which is 0 where that is not, and through batch norm.
pub(crate) struct Back {
    /// Rows, columns and channels of the norm's input.
    pub(crate) area: Area,
    /// Rows and columns of windows.
    pub(crate) windows: (usize, usize),
    pub(crate) size: usize,
    /// The gradient of the maxima, and where they are.
    pub(crate) g: View,
    pub(crate) from: View,
    pub(crate) y: View,
    pub(crate) to: View,
    /// Adds to what is there.
    pub(crate) add: bool,
    pub(crate) norm: Norm,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn back<S: Simd>(args: Back) {
    let (size, (rows, cols)) = (args.size, args.windows);
    // SAFETY: as promised by the caller.
    unsafe {
        let mask = S::load(args.norm.mask);
        for row in args.area.rows.clone() {
            for col in 0..args.area.cols {
                let (window, place) = ((row / size, col / size), row % size * size + col % size);
                let inside = window.0 < rows && window.1 < cols;
                let (y, to) = (args.y.pixel(row, col), args.to.pixel(row, col));
                // Beyond the last window any pixel does: it is not looked at.
                let window = if inside { window } else { (0, 0) };
                let (g, from) = (args.g.pixel(window.0, window.1), args.from.pixel(window.0, window.1));
                let place = S::splat(if inside { place as f32 } else { -1.0 });
                for c in 0..args.area.channels {
                    let at = c * S::N;
                    let g = S::equal(S::load(from.add(at)), place, S::load(g.add(at)), S::splat(0.0));
                    let v = args.norm.through::<S>(mask, g, S::load(y.add(at)), c);
                    let to = to.add(at);
                    S::store(to, if args.add { S::add(v, S::load(to)) } else { v });
                }
            }
        }
    }
}
