//! Maximum and average over windows, and over all positions.

use super::{Area, View};
use crate::simd::Simd;

/// Some output rows (forward) or input rows (backward) of one slot.
pub(crate) struct Pool {
    /// Rows of the output; backward, rows of the input; and its channels. The columns are the output's.
    pub(crate) area: Area,
    /// Rows of the output.
    pub(crate) height: usize,
    /// Columns of the input.
    pub(crate) width: usize,
    pub(crate) size: usize,
    pub(crate) stride: usize,
    /// Maximum, not average.
    pub(crate) max: bool,
    /// Input, or its gradient.
    pub(crate) x: View,
    /// Output, or its gradient.
    pub(crate) z: View,
    /// Where in its window each maximum is (a number of 0 and more, as float).
    pub(crate) from: View,
    /// Backward: the maxima of a ReLU's values, which let gradients through where they are above zero.
    pub(crate) relu: Option<View>,
    /// Backward: adds to what is there.
    pub(crate) add: bool,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn forward<S: Simd>(args: Pool) {
    // SAFETY: as promised by the caller.
    unsafe {
        match (args.max, args.size) {
            (true, 2) => windows::<S, true>(&args, 2),
            (true, size) => windows::<S, true>(&args, size),
            (false, size) => windows::<S, false>(&args, size),
        }
    }
}

/// # Safety
/// As for [`forward`], for windows of this size.
#[inline(always)]
unsafe fn windows<S: Simd, const MAX: bool>(args: &Pool, size: usize) {
    let stride = args.stride;
    // SAFETY: as promised by the caller.
    unsafe {
        for row in args.area.rows.clone() {
            for col in 0..args.area.cols {
                let x = args.x.pixel(row * stride, col * stride);
                let (z, from) = (args.z.pixel(row, col), args.from.pixel(row, col));
                for c in 0..args.area.channels {
                    let x = x.add(c * S::N);
                    if MAX {
                        let (mut best, mut at) = (S::load(x), S::splat(0.0));
                        for ky in 0..size {
                            for kx in 0..size {
                                let here = S::load(x.add(ky * args.x.row + kx * args.x.px));
                                at = S::above(here, best, S::splat((ky * size + kx) as f32), at);
                                best = S::above(here, best, here, best);
                            }
                        }
                        S::store(z.add(c * S::N), best);
                        S::store(from.add(c * S::N), at);
                    } else {
                        let mut sum = S::splat(0.0);
                        for ky in 0..size {
                            for kx in 0..size {
                                sum = S::add(sum, S::load(x.add(ky * args.x.row + kx * args.x.px)));
                            }
                        }
                        S::store(z.add(c * S::N), S::mul(sum, S::splat(1.0 / (size * size) as f32)));
                    }
                }
            }
        }
    }
}

/// Every input pixel gathers from the windows that it is in.
///
/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn back<S: Simd>(args: Pool) {
    let Pool { size, stride, .. } = args;
    if size == stride {
        // SAFETY: as promised by the caller.
        return unsafe { apart::<S>(&args) };
    }
    let part = 1.0 / (size * size) as f32;
    // Windows that hold a position: the first, and one behind the last.
    let windows = |at: usize, count: usize| {
        let first = if at < size { 0 } else { (at - size) / stride + 1 };
        (first, (at / stride + 1).min(count))
    };
    // SAFETY: as promised by the caller.
    unsafe {
        for row in args.area.rows.clone() {
            let (top, bottom) = windows(row, args.height);
            for col in 0..args.width {
                let (left, right) = windows(col, args.area.cols);
                let to = args.x.pixel(row, col);
                for c in 0..args.area.channels {
                    let to = to.add(c * S::N);
                    let mut sum = if args.add { S::load(to) } else { S::splat(0.0) };
                    for y in top..bottom {
                        for x in left..right {
                            let g = gradient::<S>(&args, y, x, c);
                            if args.max {
                                let from = S::load(args.from.pixel(y, x).add(c * S::N));
                                let own = S::splat(((row - y * stride) * size + col - x * stride) as f32);
                                sum = S::add(sum, S::equal(from, own, g, S::splat(0.0)));
                            } else {
                                sum = S::fma(g, S::splat(part), sum);
                            }
                        }
                    }
                    S::store(to, sum);
                }
            }
        }
    }
}

/// The gradient of an output, as the ReLU before the maximum lets it through.
///
/// # Safety
/// The instruction set is there; the pixel is in the map, and no one writes it.
#[inline(always)]
unsafe fn gradient<S: Simd>(args: &Pool, row: usize, col: usize, c: usize) -> S::V {
    // SAFETY: as promised by the caller.
    unsafe {
        let g = S::load(args.z.pixel(row, col).add(c * S::N));
        match &args.relu {
            Some(value) => S::gate(g, S::load(value.pixel(row, col).add(c * S::N))),
            None => g,
        }
    }
}

/// [`back`] where windows do not overlap: an input pixel is in one, or in none.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn apart<S: Simd>(args: &Pool) {
    let size = args.size;
    // SAFETY: as promised by `back`'s caller.
    unsafe {
        let part = S::splat(1.0 / (size * size) as f32);
        for row in args.area.rows.clone() {
            let windows = if row / size < args.height { args.area.cols } else { 0 };
            for col in 0..windows {
                let from = args.from.pixel(row / size, col);
                for kx in 0..size {
                    let to = args.x.pixel(row, col * size + kx);
                    let own = S::splat((row % size * size + kx) as f32);
                    for c in 0..args.area.channels {
                        let g = gradient::<S>(args, row / size, col, c);
                        let v = if args.max {
                            S::equal(S::load(from.add(c * S::N)), own, g, S::splat(0.0))
                        } else {
                            S::mul(g, part)
                        };
                        let to = to.add(c * S::N);
                        S::store(to, if args.add { S::add(v, S::load(to)) } else { v });
                    }
                }
            }
            if !args.add {
                for col in windows * size..args.width {
                    let to = args.x.pixel(row, col);
                    for c in 0..args.area.channels {
                        S::store(to.add(c * S::N), S::splat(0.0));
                    }
                }
            }
        }
    }
}

/// All positions of some channels of one slot.
pub(crate) struct Global {
    /// All rows and columns, and how many channels.
    pub(crate) area: Area,
    pub(crate) first: usize,
    pub(crate) max: bool,
    /// The map, or its gradient.
    pub(crate) x: View,
    /// The vector, or its gradient.
    pub(crate) z: *mut f32,
    /// Where the maxima are: numbers of positions, as floats.
    pub(crate) from: *mut f32,
    pub(crate) add: bool,
}

/// # Safety
/// The instruction set is there, and the area lies within the map.
#[inline(always)]
pub(crate) unsafe fn global<S: Simd>(args: Global) {
    let (rows, cols) = (args.area.rows.len(), args.area.cols);
    // SAFETY: as promised by the caller.
    unsafe {
        for c in args.first..args.first + args.area.channels {
            let at = c * S::N;
            let (mut sum, mut from) = (S::load(args.x.at.add(at)), S::splat(0.0));
            for p in 1..rows * cols {
                let here = S::load(args.x.pixel(p / cols, p % cols).add(at));
                if args.max {
                    from = S::above(here, sum, S::splat(p as f32), from);
                    sum = S::above(here, sum, here, sum);
                } else {
                    sum = S::add(sum, here);
                }
            }
            if args.max {
                S::store(args.from.add(at), from);
                S::store(args.z.add(at), sum);
            } else {
                S::store(args.z.add(at), S::mul(sum, S::splat(1.0 / (rows * cols) as f32)));
            }
        }
    }
}

/// # Safety
/// The instruction set is there, and the area lies within the map.
#[inline(always)]
pub(crate) unsafe fn global_back<S: Simd>(args: Global) {
    let (rows, cols) = (args.area.rows.len(), args.area.cols);
    // SAFETY: as promised by the caller.
    unsafe {
        let part = S::splat(1.0 / (rows * cols) as f32);
        for p in 0..rows * cols {
            let to = args.x.pixel(p / cols, p % cols);
            for c in args.first..args.first + args.area.channels {
                let to = to.add(c * S::N);
                let g = S::load(args.z.add(c * S::N));
                let v = if args.max {
                    let from = S::load(args.from.add(c * S::N));
                    S::equal(from, S::splat(p as f32), g, S::splat(0.0))
                } else {
                    S::mul(g, part)
                };
                S::store(to, if args.add { S::add(v, S::load(to)) } else { v });
            }
        }
    }
}
