//! Group norm (Wu & He, arXiv:1803.08494): each image by itself, so each lane by itself.

use std::ops::Range;

use super::{Area, View};
use crate::simd::Simd;

macro_rules! walk {
    ($area:expr, $channels:expr, |$row:ident, $col:ident, $c:ident| $body:block) => {
        for $row in $area.rows.clone() {
            for $col in 0..$area.cols {
                for $c in $channels.clone() $body
            }
        }
    };
}

/// The groups' channels of one slot, forward.
pub(crate) struct Forward {
    /// All rows; `channels` is unused.
    pub(crate) area: Area,
    pub(crate) channels: Range<usize>,
    pub(crate) x: View,
    pub(crate) z: View,
    pub(crate) weight: *const f32,
    pub(crate) bias: *const f32,
    /// `[2][lanes]`: receives the mean and one over the deviation.
    pub(crate) kept: *mut f32,
    pub(crate) eps: f32,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn forward<S: Simd>(args: Forward) {
    // SAFETY: as promised by the caller.
    unsafe {
        let count = (args.area.rows.len() * args.area.cols * args.channels.len()) as f32;
        let part = S::splat(1.0 / count);
        let mut sum = S::splat(0.0);
        walk!(args.area, args.channels, |row, col, c| {
            sum = S::add(sum, S::load(args.x.pixel(row, col).add(c * S::N)));
        });
        let mean = S::mul(sum, part);
        let mut square = S::splat(0.0);
        walk!(args.area, args.channels, |row, col, c| {
            let off = S::sub(S::load(args.x.pixel(row, col).add(c * S::N)), mean);
            square = S::fma(off, off, square);
        });
        let deviation = S::sqrt(S::add(S::mul(square, part), S::splat(args.eps)));
        let inverse = S::div(S::splat(1.0), deviation);
        S::store(args.kept, mean);
        S::store(args.kept.add(S::N), inverse);
        walk!(args.area, args.channels, |row, col, c| {
            let off = S::sub(S::load(args.x.pixel(row, col).add(c * S::N)), mean);
            let (weight, bias) = (S::splat(*args.weight.add(c)), S::splat(*args.bias.add(c)));
            S::store(args.z.pixel(row, col).add(c * S::N), S::fma(S::mul(off, inverse), weight, bias));
        });
    }
}

/// The groups' channels of one slot, backward.
pub(crate) struct Back {
    pub(crate) area: Area,
    pub(crate) channels: Range<usize>,
    pub(crate) x: View,
    pub(crate) g: View,
    /// Where the input's gradient goes; none where it is not wanted.
    pub(crate) to: Option<View>,
    pub(crate) add: bool,
    pub(crate) weight: *const f32,
    /// `[2][lanes]` as the forward pass left it.
    pub(crate) kept: *const f32,
    /// `[channel][2]`: sums over this slot of the gradient times the normalised input, and of the gradient.
    pub(crate) sums: *mut f32,
}

/// # Safety
/// The instruction set is there, and the area lies within all maps.
#[inline(always)]
pub(crate) unsafe fn back<S: Simd>(args: Back) {
    // SAFETY: as promised by the caller.
    unsafe {
        let (mean, inverse) = (S::load(args.kept), S::load(args.kept.add(S::N)));
        let (mut with, mut alone) = (S::splat(0.0), S::splat(0.0));
        for c in args.channels.clone() {
            let (mut w, mut a) = (S::splat(0.0), S::splat(0.0));
            walk!(args.area, c..c + 1, |row, col, c| {
                let g = S::load(args.g.pixel(row, col).add(c * S::N));
                let x = S::load(args.x.pixel(row, col).add(c * S::N));
                w = S::fma(g, S::mul(S::sub(x, mean), inverse), w);
                a = S::add(a, g);
            });
            *args.sums.add(2 * c) = S::sum(w);
            *args.sums.add(2 * c + 1) = S::sum(a);
            let weight = S::splat(*args.weight.add(c));
            with = S::fma(w, weight, with);
            alone = S::fma(a, weight, alone);
        }
        let Some(to) = args.to else { return };
        let part = S::splat(1.0 / (args.area.rows.len() * args.area.cols * args.channels.len()) as f32);
        let (with, alone) = (S::mul(with, part), S::mul(alone, part));
        walk!(args.area, args.channels, |row, col, c| {
            let g = S::load(args.g.pixel(row, col).add(c * S::N));
            let x = S::load(args.x.pixel(row, col).add(c * S::N));
            let normal = S::mul(S::sub(x, mean), inverse);
            let own = S::sub(S::mul(g, S::splat(*args.weight.add(c))), alone);
            let v = S::mul(S::sub(own, S::mul(normal, with)), inverse);
            let to = to.pixel(row, col).add(c * S::N);
            S::store(to, if args.add { S::add(v, S::load(to)) } else { v });
        });
    }
}
