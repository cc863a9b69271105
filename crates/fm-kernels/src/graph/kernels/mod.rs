//! The kernels of the graph trainer, and the table of their compiled forms per instruction set.
//!
//! All of them compute on vectors that hold one value of as many images as the instruction set has
//! lanes. They work on pointers into [`Map`](super::map::Map)s, whose sizes the plan has worked out.

#![expect(clippy::needless_range_loop, reason = "small arrays of registers are walked in step")]
#![expect(clippy::needless_pass_by_value, reason = "a kernel takes its arguments as one value")]

pub(crate) mod act;
pub(crate) mod col2im;
pub(crate) mod conv;
mod depthwise;
pub(crate) mod filters;
pub(crate) mod fold;
pub(crate) mod gather;
pub(crate) mod group;
pub(crate) mod lift;
pub(crate) mod moves;
pub(crate) mod point;
pub(crate) mod pointwise;
pub(crate) mod pool;
pub(crate) mod pooled;
pub(crate) mod spread;
pub(crate) mod wgrad;
pub(crate) mod winograd;

use std::ops::Range;

use crate::Isa;
use crate::simd::Portable;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};

/// One slot's part of a map: where its first pixel is, and the distances of rows and pixels in floats.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    pub(crate) at: *mut f32,
    pub(crate) row: usize,
    pub(crate) px: usize,
}

impl View {
    /// The same from another row on, which is in the map.
    pub(crate) fn at_row(self, row: usize) -> Self {
        Self { at: self.at.wrapping_add(row * self.row), ..self }
    }

    /// Where a pixel's first channel is.
    ///
    /// # Safety
    /// The pixel is in the map or its border.
    #[inline(always)]
    pub(crate) unsafe fn pixel(&self, y: usize, x: usize) -> *mut f32 {
        // SAFETY: in the map, says the caller.
        unsafe { self.at.add(y * self.row + x * self.px) }
    }
}

/// Some rows of a map of so many columns and channels.
#[derive(Debug, Clone)]
pub(crate) struct Area {
    pub(crate) rows: Range<usize>,
    pub(crate) cols: usize,
    pub(crate) channels: usize,
}

macro_rules! kernels {
    ($($(#[$doc:meta])* $field:ident: $path:path, $args:ty;)*) => {
        /// Every kernel, compiled for one instruction set, which the CPU must offer.
        #[derive(Clone, Copy)]
        pub(crate) struct Kernels {
            $($(#[$doc])* pub(crate) $field: unsafe fn($args),)*
        }

        #[cfg(target_arch = "x86_64")]
        static AVX512: Kernels = {
            $(
                /// # Safety
                /// The instruction set is there; no one else uses what is written here, nor writes what is read.
                #[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma,bmi1,bmi2,popcnt,lzcnt")]
                fn $field(args: $args) {
                    use $path as kernel;
                    // SAFETY: this function enables what the path needs.
                    unsafe { kernel::<Avx512>(args) }
                }
            )*
            Kernels { $($field,)* }
        };

        #[cfg(target_arch = "x86_64")]
        static AVX2: Kernels = {
            $(
                /// # Safety
                /// The instruction set is there; no one else uses what is written here, nor writes what is read.
                #[target_feature(enable = "avx2,fma")]
                fn $field(args: $args) {
                    use $path as kernel;
                    // SAFETY: this function enables what the path needs.
                    unsafe { kernel::<Avx2>(args) }
                }
            )*
            Kernels { $($field,)* }
        };

        static PORTABLE: Kernels = {
            $(
                fn $field(args: $args) {
                    use $path as kernel;
                    // SAFETY: plain Rust needs nothing of the CPU.
                    unsafe { kernel::<Portable>(args) }
                }
            )*
            Kernels { $($field,)* }
        };
    };
}

kernels! {
    /// Convolution of some rows: forward, data gradient, dense layers.
    conv: conv::run, conv::Conv<'_>;
    /// Winograd's transform of weights.
    filters: filters::filters, filters::Filters<'_>;
    /// Winograd's transform of some rows.
    spread: spread::spread, spread::Spread;
    /// Winograd's transform back.
    gather: gather::gather, gather::Gather;
    /// The transform of output gradients for a weight gradient in Winograd's form.
    lift: lift::lift, lift::Lift;
    /// The products of such a weight gradient.
    fold: fold::fold, fold::Fold;
    /// Weight gradient over some pixels.
    wgrad: wgrad::run, wgrad::Wgrad;
    /// Norm, addition and activation.
    point: point::forward, point::Forward;
    /// Gradient through an activation, and the sums that batch norm's needs.
    point_sums: point::sums, point::Sums;
    /// Gradient through batch norm.
    point_back: point::back, point::Back;
    /// Norm, ReLU and maximum over windows.
    pooled: pooled::forward, pooled::Forward;
    /// Gradient of the maxima through the ReLU, and the sums that batch norm's needs.
    pooled_sums: pooled::sums, pooled::Sums;
    /// Gradient through maximum and batch norm.
    pooled_back: pooled::back, pooled::Back;
    /// Sums of a map's values and squares by channel.
    moments: point::moments, point::Moments;
    /// Group norm.
    group: group::forward, group::Forward;
    /// Gradient through group norm.
    group_back: group::back, group::Back;
    /// Pooling over windows.
    pool: pool::forward, pool::Pool;
    /// Gradient through pooling over windows.
    pool_back: pool::back, pool::Pool;
    /// Pooling over all positions.
    global: pool::global, pool::Global;
    /// Gradient through pooling over all positions.
    global_back: pool::global_back, pool::Global;
    /// Product with a map of factors, or a factor a channel.
    scale: moves::scale, moves::Scale;
    /// Gradient of the factors.
    scale_back: moves::scale_back, moves::ScaleBack;
    /// Copies, doublings and their gradients.
    copy: moves::copy, moves::Copy;
    /// Sums of the products with taps behind a doubling.
    col2im: col2im::forward, col2im::Col2im;
    /// Gradients of those products.
    im2col: col2im::back, col2im::Im2col;
}

impl Kernels {
    /// The kernels for an instruction set, if the CPU offers it, and its number of lanes.
    pub(crate) fn of(isa: Isa) -> Option<(&'static Self, usize)> {
        let kernels = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => (&AVX512, 16),
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => (&AVX2, 8),
            _ => (&PORTABLE, 8),
        };
        isa.is_available().then_some(kernels)
    }
}
