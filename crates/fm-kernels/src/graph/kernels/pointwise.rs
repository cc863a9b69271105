//! Weight gradient of kernels of one pixel: the products of [`fold`](super::fold), without a transform.
//!
//! Channels that are multiplied together are copied to one place first. In their maps they are as far apart as pixels are, where
//! often all of them share one set of the first cache.

use std::ops::Range;

use super::fold::{self, Fold, SUMS, tile};
use super::wgrad::Wgrad;
use crate::simd::Simd;

/// Floats that the copied pixels of both sides and the sums take.
pub(crate) fn room(lanes: usize, pixels: usize, depth: usize, plain: usize) -> usize {
    let (deep, wide) = tile(lanes);
    pixels * (depth + plain) * lanes + depth.div_ceil(deep) * plain.div_ceil(wide) * SUMS
}

/// The weight gradients of some channels of the plain side, which are of one group; `channel` is the group's first.
///
/// # Safety
/// As for [`super::wgrad::run`].
#[inline(always)]
pub(crate) unsafe fn gradient<S: Simd>(args: &Wgrad, plain: Range<usize>, channel: usize) {
    let (deep, wide) = tile(S::N);
    let tiles = args.rows.len() * args.cols;
    let all = plain.len();
    let products = Fold {
        x: args.room.wrapping_add(args.depth.div_ceil(deep) * all.div_ceil(wide) * SUMS),
        y: std::ptr::null(),
        slots: 1,
        tiles,
        which: 0,
        side: 1,
        depth: args.depth,
        plain: all,
        sums: args.room,
        add: true,
        out: std::ptr::null_mut(),
    };
    let to_x = products.x.cast_mut();
    let to_y = to_x.wrapping_add(tiles * args.depth * S::N);
    for slot in args.slots.clone() {
        let products = Fold { add: args.add || slot > args.slots.start, ..products };
        // SAFETY: as promised by the caller; there is room.
        unsafe {
            let mut at = 0;
            for row in args.rows.clone() {
                let x = args.x.add(slot * args.x_slot + row * args.x_row + channel * S::N);
                let y = args.y.add(slot * args.y_slot + row * args.y_row + plain.start * S::N);
                for col in 0..args.cols {
                    copy::<S>(x.add(col * args.x_px), to_x, (args.depth, deep), (at, tiles));
                    copy::<S>(y.add(col * args.y_px), to_y, (all, wide), (at, tiles));
                    at += 1;
                }
            }
            let mut sums = products.sums;
            for first in (0..all).step_by(wide) {
                let (y, width) = (to_y.add(first * tiles * S::N), wide.min(all - first));
                for input in (0..args.depth).step_by(deep) {
                    let x = to_x.add(input * tiles * S::N);
                    fold::deep::<S>(&products, x, y, sums, (deep.min(args.depth - input), width));
                    sums = sums.add(SUMS);
                }
            }
        }
    }
    if args.last {
        // SAFETY: as promised by the caller.
        unsafe { unpack(args, plain, (deep, wide)) };
    }
}

/// Copies a pixel's channels to groups of `most`, of each of which pixel follows pixel.
///
/// # Safety
/// The instruction set is there; the pixel is in its map, and there is room.
#[inline(always)]
unsafe fn copy<S: Simd>(
    from: *const f32,
    to: *mut f32,
    (channels, most): (usize, usize),
    (at, pixels): (usize, usize),
) {
    let mut first = 0;
    while first < channels {
        let width = most.min(channels - first);
        for c in 0..width {
            // SAFETY: as promised by the caller.
            unsafe {
                let to = to.add((first * pixels + at * width + c) * S::N);
                S::store(to, S::load(from.add((first + c) * S::N)));
            }
        }
        first += width;
    }
}

/// The sums of all tiles to the tensor.
///
/// # Safety
/// There is room, and no one else uses it or the tensor's part.
unsafe fn unpack(args: &Wgrad, plain: Range<usize>, (deep, wide): (usize, usize)) {
    let mut from = args.room.cast_const();
    for first in plain.clone().step_by(wide) {
        let width = wide.min(plain.end - first);
        for input in (0..args.depth).step_by(deep) {
            for i in 0..deep.min(args.depth - input) {
                for c in 0..width {
                    // SAFETY: as promised by the caller.
                    unsafe { *args.out.add((first + c) * args.depth + input + i) = *from.add(i * width + c) };
                }
            }
            from = from.wrapping_add(SUMS);
        }
    }
}
