//! The structures of `kernels/args.h`, field by field: what they mean is said there.

use crate::driver::Pod;
use crate::network::MOST_LAYERS;

/// Threads of a block.
pub(crate) const THREADS: usize = 256;
/// Threads of a block of `middle`.
pub(crate) const WIDE: usize = 512;
/// Channels that the lanes of a warp take in a backward pass.
pub(crate) const TILE: usize = 32;
/// Inputs of a dense layer that a block takes where their sum is split.
pub(crate) const SLICE: usize = 64;
/// Images that such a block takes at a time.
pub(crate) const IMAGES: usize = 32;

macro_rules! plain {
    ($(#[$doc:meta] $name:ident { $($field:ident: $type:ty),* $(,)? })*) => {
        $(
            #[$doc]
            #[repr(C)]
            #[derive(Debug, Clone, Copy, PartialEq, Default)]
            pub(crate) struct $name {
                $(pub(crate) $field: $type),*
            }
            // SAFETY: numbers without padding between them: the sizes below say so.
            unsafe impl Pod for $name {}
        )*
    };
}

/// As `plain!`, of ints, and behind them what is made of other structures.
macro_rules! ints {
    ($(#[$doc:meta] $name:ident { $($field:ident),* $(; $($inner:ident: $type:ty),*)? })*) => {
        plain! { $(#[$doc] $name { $($field: i32,)* $($($inner: $type),*)? })* }
        $(
            impl $name {
                /// The ints in their order.
                pub(crate) fn ints(&self) -> Vec<i32> {
                    vec![$(self.$field),*]
                }
            }
        )*
    };
}

ints! {
    /// A block of convolution, ReLU and pooling.
    Conv {
        rows, cols, inputs, outputs, weight, bias, turned, value, grad, mark, split, back_split, filters, back_images,
        back_rows, images, taps
    }
    /// A dense layer.
    Dense { inputs, outputs, padded, weight, bias, value, delta }
    /// What a network is.
    Shape {
        parameters, turned_size, slot, marked, height, width, channels, seen_height, seen_width, convs, denses,
        classes, first, part, loss, slices;
        conv: [Conv; MOST_LAYERS], dense: [Dense; MOST_LAYERS]
    }
}

plain! {
    /// How a part of the network moves in a step.
    Part { rate: f32, keep_weight: f32, keep_bias: f32, eps: f32 }
    /// One step of an epoch.
    Step { begin: i32, count: i32, encoder: Part, head: Part, fresh: f32 }
    /// Where a seed is.
    Now { index: i32, step: Step }
    /// Where a seed's images come from.
    Feed {
        images: u64, labels: u64, partners: u64, shares: u64, order: u64, codes: u64, steps: u64, until: i32,
        padding: i32,
    }
    /// What a step leaves for the records.
    Sums { loss: f32, correct: i32 }
    /// What a kernel is given.
    Args {
        weights: u64, m: u64, v: u64, average: u64, turned: u64, slots: u64, marks: u64, scratch: u64, now: u64,
        feeds: u64, sums: u64, logits: u64,
        batch: i32, steps: i32, layer: i32, encoder_moves: i32, head_moves: i32, method: i32,
        fresh1: f32, fresh2: f32, momentum: f32, smoothing: f32,
        shape: Shape, staged: [i32; MOST_LAYERS],
    }
}

const _: () = {
    assert!(size_of::<Conv>() == 17 * 4 && size_of::<Dense>() == 7 * 4 && size_of::<Step>() == 11 * 4);
    assert!(size_of::<Now>() == 12 * 4 && size_of::<Feed>() == 64 && size_of::<Sums>() == 8);
    assert!(size_of::<Shape>() == 832 && size_of::<Args>() == 1000);
};
