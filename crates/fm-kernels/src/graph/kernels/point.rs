//! What happens value by value: `act(sum of a * y + b)`, its gradient, and batch norm's statistics.

use super::act::{self, Act};
use super::{Area, View};
use crate::simd::Simd;

/// A summand: a map, and its affine by channel or none (null).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Term {
    pub(crate) y: View,
    pub(crate) a: *const f32,
    pub(crate) b: *const f32,
    /// By channel, what is taken off the map's values before they are multiplied; only where there is an affine.
    pub(crate) mean: *const f32,
}

impl Term {
    /// # Safety
    /// The instruction set is there; no one else uses what is written here, nor writes what is read.
    #[inline(always)]
    pub(super) unsafe fn value<S: Simd>(&self, row: usize, col: usize, c: usize) -> S::V {
        // SAFETY: in the map, says the caller.
        unsafe {
            let y = S::load(self.y.pixel(row, col).add(c * S::N));
            if self.a.is_null() {
                return y;
            }
            let off = S::sub(y, S::splat(*self.mean.add(c)));
            S::fma(off, S::splat(*self.a.add(c)), S::splat(*self.b.add(c)))
        }
    }
}

/// Every value of an area. A macro, because a closure would not be compiled for the instruction set by itself.
macro_rules! walk {
    ($area:expr, |$row:ident, $col:ident, $c:ident| $body:block) => {
        for $row in $area.rows.clone() {
            for $col in 0..$area.cols {
                for $c in 0..$area.channels $body
            }
        }
    };
}

/// Forward.
pub(crate) struct Forward {
    pub(crate) area: Area,
    pub(crate) terms: [Term; 2],
    pub(crate) count: usize,
    pub(crate) act: Act,
    pub(crate) z: View,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn forward<S: Simd>(args: Forward) {
    // SAFETY: as promised by the caller.
    unsafe {
        match (args.count, args.act.0) {
            (1, Some(fm_net::Activation::Relu)) => {
                walk!(args.area, |row, col, c| {
                    let u = args.terms[0].value::<S>(row, col, c);
                    S::store(args.z.pixel(row, col).add(c * S::N), S::relu(u));
                });
            }
            (2, Some(fm_net::Activation::Relu)) => {
                walk!(args.area, |row, col, c| {
                    let u = args.terms[0].value::<S>(row, col, c);
                    let u = S::add(u, args.terms[1].value::<S>(row, col, c));
                    S::store(args.z.pixel(row, col).add(c * S::N), S::relu(u));
                });
            }
            _ => walk!(args.area, |row, col, c| {
                let u = total::<S>(&args.terms, args.count, row, col, c);
                S::store(args.z.pixel(row, col).add(c * S::N), act::value::<S>(args.act, u));
            }),
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn total<S: Simd>(terms: &[Term; 2], count: usize, row: usize, col: usize, c: usize) -> S::V {
    // SAFETY: in the maps, says the caller.
    unsafe {
        let u = terms[0].value::<S>(row, col, c);
        if count == 1 { u } else { S::add(u, terms[1].value::<S>(row, col, c)) }
    }
}

/// Gradient through the activation, in place or for its sums alone, and sums by channel of it and of it times each batch norm's
/// input less its mean.
pub(crate) struct Sums {
    pub(crate) area: Area,
    pub(crate) g: View,
    pub(crate) z: View,
    pub(crate) act: Act,
    pub(crate) terms: [Term; 2],
    pub(crate) count: usize,
    /// `[channel][3][lanes]`: the gradient, and with each term; null where no sums are asked for.
    pub(crate) to: *mut f32,
    /// Which terms are wanted with the gradient.
    pub(crate) wanted: [bool; 2],
    /// Changes the gradient; or, of the ReLU of a single term, leaves it as it is and does not look at `z`.
    pub(crate) in_place: bool,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn sums<S: Simd>(args: Sums) {
    // SAFETY: as promised by the caller.
    unsafe {
        let relu = args.act.0 == Some(fm_net::Activation::Relu);
        let mut c = 0;
        while c < args.area.channels {
            let left = args.area.channels - c;
            match (left >= 4, relu, args.wanted) {
                (true, true, [true, false]) if !args.in_place => {
                    some::<S, 4>(&args, c, Act(RELU), [true, false], false);
                }
                (true, true, [true, false]) => some::<S, 4>(&args, c, Act(RELU), [true, false], true),
                (true, true, [false, true]) => some::<S, 4>(&args, c, Act(RELU), [false, true], true),
                (true, true, [true, true]) => some::<S, 4>(&args, c, Act(RELU), [true, true], true),
                (true, ..) => some::<S, 4>(&args, c, args.act, args.wanted, true),
                (false, ..) => some::<S, 1>(&args, c, args.act, args.wanted, args.in_place),
            }
            c += if left >= 4 { 4 } else { 1 };
        }
    }
}

const RELU: Option<fm_net::Activation> = Some(fm_net::Activation::Relu);

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn some<S: Simd, const C: usize>(
    args: &Sums,
    first: usize,
    act: Act,
    wanted: [bool; 2],
    in_place: bool,
) {
    // SAFETY: as promised by the caller.
    unsafe {
        let mut sums = [[S::splat(0.0); C]; 3];
        let mut means = [[S::splat(0.0); C]; 2];
        for t in 0..2 {
            if wanted[t] {
                for c in 0..C {
                    means[t][c] = S::splat(*args.terms[t].mean.add(first + c));
                }
            }
        }
        for row in args.area.rows.clone() {
            for col in 0..args.area.cols {
                let g_at = args.g.pixel(row, col).add(first * S::N);
                let z_at = args.z.pixel(row, col).add(first * S::N);
                for c in 0..C {
                    let mut g = S::load(g_at.add(c * S::N));
                    if !in_place {
                        g = S::gate(g, args.terms[0].value::<S>(row, col, first + c));
                    } else if act.0.is_some() {
                        let z = S::load(z_at.add(c * S::N));
                        let u = if act.by_value() {
                            z
                        } else {
                            total::<S>(&args.terms, args.count, row, col, first + c)
                        };
                        g = act::slope::<S>(act, g, u, z);
                        S::store(g_at.add(c * S::N), g);
                    }
                    sums[0][c] = S::add(sums[0][c], g);
                    for t in 0..2 {
                        if wanted[t] {
                            let y = S::load(args.terms[t].y.pixel(row, col).add((first + c) * S::N));
                            sums[1 + t][c] = S::fma(g, S::sub(y, means[t][c]), sums[1 + t][c]);
                        }
                    }
                }
            }
        }
        if !args.to.is_null() {
            for c in 0..C {
                for t in 0..3 {
                    S::store(args.to.add((3 * (first + c) + t) * S::N), sums[t][c]);
                }
            }
        }
    }
}

/// Gradient through batch norm: `to = k[0] * g + k[1] * (y - mean) + k[2]`, each by channel.
pub(crate) struct Back {
    pub(crate) area: Area,
    pub(crate) g: View,
    pub(crate) y: View,
    pub(crate) to: View,
    /// Adds to what is there.
    pub(crate) add: bool,
    pub(crate) norm: Norm,
    /// Through the ReLU of this term first.
    pub(crate) relu: Option<Term>,
}

/// What a gradient through batch norm takes, each but the mask by channel.
#[derive(Clone, Copy)]
pub(crate) struct Norm {
    pub(crate) k: [*const f32; 3],
    pub(crate) mean: *const f32,
    /// Factor of each image: 1, and 0 where there is none.
    pub(crate) mask: *const f32,
}

impl Norm {
    /// `k[0] * g + k[1] * (y - mean) + k[2]`.
    ///
    /// # Safety
    /// The instruction set is there, and the channel is one of the norm's.
    #[inline(always)]
    pub(super) unsafe fn through<S: Simd>(&self, mask: S::V, g: S::V, y: S::V, c: usize) -> S::V {
        // SAFETY: as promised by the caller.
        unsafe {
            let [k0, k1, k2] = self.k.map(|k| S::splat(*k.add(c)));
            let off = S::sub(y, S::splat(*self.mean.add(c)));
            S::mul(S::fma(k0, g, S::fma(k1, off, k2)), mask)
        }
    }
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn back<S: Simd>(args: Back) {
    // SAFETY: as promised by the caller.
    unsafe {
        let mask = S::load(args.norm.mask);
        match (&args.relu, args.add) {
            (Some(_), false) => {
                walk!(args.area, |row, col, c| { one::<S, false, true>(&args, mask, row, col, c) })
            }
            (Some(_), true) => {
                walk!(args.area, |row, col, c| { one::<S, true, true>(&args, mask, row, col, c) })
            }
            (None, true) => {
                walk!(args.area, |row, col, c| { one::<S, true, false>(&args, mask, row, col, c) })
            }
            (None, false) => {
                walk!(args.area, |row, col, c| { one::<S, false, false>(&args, mask, row, col, c) })
            }
        }
    }
}

/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
unsafe fn one<S: Simd, const ADD: bool, const RELU: bool>(
    args: &Back,
    mask: S::V,
    row: usize,
    col: usize,
    c: usize,
) {
    // SAFETY: in the maps, says the caller.
    unsafe {
        let mut g = S::load(args.g.pixel(row, col).add(c * S::N));
        if RELU && let Some(term) = &args.relu {
            g = S::gate(g, term.value::<S>(row, col, c));
        }
        let y = S::load(args.y.pixel(row, col).add(c * S::N));
        let to = args.to.pixel(row, col).add(c * S::N);
        let v = args.norm.through::<S>(mask, g, y, c);
        S::store(to, if ADD { S::add(v, S::load(to)) } else { v });
    }
}

/// By channel and lane, the first value, and the sums of all less that, and of their squares.
pub(crate) struct Moments {
    pub(crate) area: Area,
    pub(crate) y: View,
    /// `[channel][3][lanes]`.
    pub(crate) sums: *mut f32,
}

/// # Safety
/// The instruction set is there, and the area lies within the map.
#[inline(always)]
pub(crate) unsafe fn moments<S: Simd>(args: Moments) {
    // SAFETY: as promised by the caller.
    unsafe {
        for c in 0..args.area.channels {
            let pivot = S::load(args.y.pixel(args.area.rows.start, 0).add(c * S::N));
            let (mut sum, mut square) = (S::splat(0.0), S::splat(0.0));
            for row in args.area.rows.clone() {
                for col in 0..args.area.cols {
                    let off = S::sub(S::load(args.y.pixel(row, col).add(c * S::N)), pivot);
                    sum = S::add(sum, off);
                    square = S::fma(off, off, square);
                }
            }
            for (at, v) in [pivot, sum, square].into_iter().enumerate() {
                S::store(args.sums.add((3 * c + at) * S::N), v);
            }
        }
    }
}
