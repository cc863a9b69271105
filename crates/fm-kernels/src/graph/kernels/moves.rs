//! Factors, copies and doublings.

use super::{Area, View};
use crate::simd::Simd;

/// `to = x * factor`, the factor value by value (dropout) or by channel (squeeze-excitation).
pub(crate) struct Scale {
    pub(crate) area: Area,
    pub(crate) x: View,
    /// With no distances between rows and pixels: a factor a channel.
    pub(crate) factor: View,
    pub(crate) to: View,
    pub(crate) add: bool,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn scale<S: Simd>(args: Scale) {
    // SAFETY: as promised by the caller.
    unsafe {
        for row in args.area.rows.clone() {
            for col in 0..args.area.cols {
                for c in 0..args.area.channels {
                    let x = S::load(args.x.pixel(row, col).add(c * S::N));
                    let to = args.to.pixel(row, col).add(c * S::N);
                    let v = S::mul(x, S::load(args.factor.pixel(row, col).add(c * S::N)));
                    S::store(to, if args.add { S::add(v, S::load(to)) } else { v });
                }
            }
        }
    }
}

/// `to[channel] = sum of g * x` over all positions of some channels.
pub(crate) struct ScaleBack {
    /// All rows and columns, and how many channels.
    pub(crate) area: Area,
    pub(crate) first: usize,
    pub(crate) x: View,
    pub(crate) g: View,
    pub(crate) to: *mut f32,
    pub(crate) add: bool,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn scale_back<S: Simd>(args: ScaleBack) {
    // SAFETY: as promised by the caller.
    unsafe {
        for c in args.first..args.first + args.area.channels {
            let mut sum = S::splat(0.0);
            for row in args.area.rows.clone() {
                for col in 0..args.area.cols {
                    let g = S::load(args.g.pixel(row, col).add(c * S::N));
                    sum = S::fma(g, S::load(args.x.pixel(row, col).add(c * S::N)), sum);
                }
            }
            let to = args.to.add(c * S::N);
            S::store(to, if args.add { S::add(sum, S::load(to)) } else { sum });
        }
    }
}

/// What [`copy`] does with each value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// A map to a map.
    Plain,
    /// A map to a vector in (channel, row, column) order.
    Flatten,
    /// A vector to a map.
    Unflatten,
    /// Each value to a 2x2 square; rows and columns are the input's.
    Double,
    /// The sum of each 2x2 square; rows and columns are the output's.
    Halve,
}

/// Some rows: of the map that is flattened or filled, or as [`Way`] says.
pub(crate) struct Copy {
    pub(crate) area: Area,
    /// Rows of the map, for its place in a vector.
    pub(crate) height: usize,
    pub(crate) way: Way,
    pub(crate) from: View,
    pub(crate) to: View,
    pub(crate) add: bool,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn copy<S: Simd>(args: Copy) {
    let Area { cols, channels, .. } = args.area;
    // SAFETY: as promised by the caller.
    unsafe {
        for row in args.area.rows.clone() {
            for col in 0..cols {
                for c in 0..channels {
                    let at = c * S::N;
                    let flat = ((c * args.height + row) * cols + col) * S::N;
                    match args.way {
                        Way::Plain => put::<S>(
                            args.add,
                            args.to.pixel(row, col).add(at),
                            S::load(args.from.pixel(row, col).add(at)),
                        ),
                        Way::Flatten => put::<S>(
                            args.add,
                            args.to.at.add(flat),
                            S::load(args.from.pixel(row, col).add(at)),
                        ),
                        Way::Unflatten => put::<S>(
                            args.add,
                            args.to.pixel(row, col).add(at),
                            S::load(args.from.at.add(flat)),
                        ),
                        Way::Double => {
                            let v = S::load(args.from.pixel(row, col).add(at));
                            for k in 0..4 {
                                put::<S>(
                                    args.add,
                                    args.to.pixel(2 * row + k / 2, 2 * col + k % 2).add(at),
                                    v,
                                );
                            }
                        }
                        Way::Halve => {
                            let mut sum = S::splat(0.0);
                            for k in 0..4 {
                                let from = args.from.pixel(2 * row + k / 2, 2 * col + k % 2);
                                sum = S::add(sum, S::load(from.add(at)));
                            }
                            put::<S>(args.add, args.to.pixel(row, col).add(at), sum);
                        }
                    }
                }
            }
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn put<S: Simd>(add: bool, to: *mut f32, v: S::V) {
    // SAFETY: a place in the map, says the caller.
    unsafe { S::store(to, if add { S::add(v, S::load(to)) } else { v }) }
}
