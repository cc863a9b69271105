//! The kernels, one file per family, and the table of their compiled forms per instruction set.
//!
//! Each kernel is a generic `unsafe fn run<S: Simd>(Args)` that checks its slices' lengths first and
//! then works on pointers. A [`Kernels`] holds one instance of each, compiled for one path.

#![expect(clippy::needless_range_loop, reason = "small arrays of registers are walked in step")]
#![expect(clippy::needless_pass_by_value, reason = "a kernel takes its arguments as one value")]

pub(crate) mod first;
pub(crate) mod gemm;
pub(crate) mod route;
pub(crate) mod sparse;
pub(crate) mod unit;
pub(crate) mod update;
pub(crate) mod winograd;

use crate::Isa;
use crate::simd::Portable;
#[cfg(target_arch = "x86_64")]
use crate::simd::{Avx2, Avx512};

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
                /// As for the kernel, and the CPU offers the instruction set.
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
                /// As for the kernel, and the CPU offers the instruction set.
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
    /// A matrix product.
    gemm: gemm::run, gemm::Gemm<'_>;
    /// First block, the pixels each window sees.
    cut: first::cut, first::Cut<'_>;
    /// First block, forward.
    first_forward: first::forward, first::Forward<'_>;
    /// First block, weight gradient.
    first_gradient: first::gradient, first::Gradient<'_>;
    /// Winograd's transform of one image's input tiles.
    tiles: winograd::tiles, winograd::Tiles<'_>;
    /// Winograd's transform back, with pooling, bias and ReLU.
    pooled: winograd::pooled, winograd::Pooled<'_>;
    /// Both forms of sixteen output channels' weights that the steps use.
    weights: winograd::weights, winograd::Weights<'_>;
    /// Lists of the nonzero gradients of one image.
    route: route::run, route::Route<'_>;
    /// Data gradient of one image, sixteen input channels.
    scatter: sparse::scatter, sparse::Scatter<'_>;
    /// Weight gradient of sixteen output channels.
    patches: sparse::patches, sparse::Patches<'_>;
    /// One Adam update.
    update: update::run, update::Update<'_>;
    /// ReLU in place.
    relu: unit::relu, unit::Relu<'_>;
    /// Gradient through a ReLU, in place.
    gate: unit::gate, unit::Gate<'_>;
    /// Transposes a matrix whose sides are multiples of sixteen.
    transpose: unit::transpose, unit::Transpose<'_>;
}

impl Kernels {
    /// The kernels for an instruction set, if the CPU offers it.
    pub(crate) fn of(isa: Isa) -> Option<&'static Self> {
        let kernels = match isa {
            #[cfg(target_arch = "x86_64")]
            Isa::Avx512 => &AVX512,
            #[cfg(target_arch = "x86_64")]
            Isa::Avx2 => &AVX2,
            _ => &PORTABLE,
        };
        isa.is_available().then_some(kernels)
    }
}

#[cfg(test)]
mod tests {
    use super::first::Cut;
    use super::*;

    /// Every engine must train on the same numbers, so the kernels see `fm_images::pixel`, to the bit.
    #[test]
    fn every_byte_is_the_project_s_pixel_on_every_path() {
        let image: Vec<u8> = (0..=255).collect();
        let (width, rows, cols) = (16, 7, 7);
        for isa in Isa::ALL {
            let Some(kernels) = Kernels::of(isa) else { continue };
            let mut patches = vec![f32::NAN; rows * cols * 16];
            // SAFETY: the CPU offers the instruction set, or there would be no table.
            unsafe { (kernels.cut)(Cut { image: &image, width, rows, cols, patches: &mut patches }) };
            let mut seen = [false; 256];
            for (at, value) in patches.iter().enumerate() {
                let (window, place) = (at / 16, at % 16);
                let (row, col) = (2 * (window / cols) + place / 4, 2 * (window % cols) + place % 4);
                let byte = image[row * width + col];
                assert_eq!(value.to_bits(), fm_images::pixel(byte).to_bits(), "{isa}: byte {byte}");
                seen[usize::from(byte)] = true;
            }
            assert!(seen.iter().all(|&seen| seen), "{isa}: every byte is in a patch");
        }
    }
}
