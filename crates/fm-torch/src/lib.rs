//! What libtorch has and tch lacks: fused Adam, channels-last tensors, flush-to-zero, switches for
//! repeatable results, versions, and loading CUDA into a binary that is not linked to it.
//!
//! The C++ is `shim/shim.cpp`, called through [`ffi`]; this crate is the only one with C++ in it.
//!
//! ```
//! use tch::{Device, Kind, Tensor};
//!
//! let mut images = Tensor::zeros([2, 3, 4, 5], (Kind::Float, Device::Cpu));
//! fm_torch::to_channels_last(&mut images)?;
//! assert_eq!((images.size(), images.stride()), (vec![2, 3, 4, 5], vec![60, 1, 15, 3]));
//! # Ok::<(), tch::TchError>(())
//! ```

#![expect(unsafe_code, reason = "the C++ shim is called here and nowhere else")]

mod adam;
pub mod cuda;
mod ffi;
mod switches;
pub mod trace;

use std::ffi::CStr;

use tch::{TchError, Tensor};

pub use adam::{Adam, AdamConfig};
pub use switches::{CUBLAS_VARIABLE, Switches, allow_tf32, make_deterministic, switches};

/// Changes `tensor`'s memory, in place, from channels first to channels last. Shape and values stay.
///
/// # Errors
/// libtorch's own, for tensors that are not four-dimensional.
pub fn to_channels_last(tensor: &mut Tensor) -> Result<(), TchError> {
    // SAFETY: the pointer is a live tensor's, exclusively borrowed for the call.
    ffi::check(unsafe { ffi::fm_channels_last_(tensor.as_mut_ptr().cast()) })
}

/// Forgets `tensor`'s gradient, so that none of an earlier phase acts in the next.
///
/// # Errors
/// libtorch's own, for tensors that cannot have one.
pub fn drop_grad(tensor: &mut Tensor) -> Result<(), TchError> {
    // SAFETY: as above.
    ffi::check(unsafe { ffi::fm_drop_grad(tensor.as_mut_ptr().cast()) })
}

/// Makes the CPU treat denormal numbers as zero, on this thread and on those that it starts afterwards.
/// Adam's second moments drift into them, where every operation costs a hundred times as much.
///
/// Returns whether the CPU can; call it before libtorch starts a thread. The mode outlives the call, also for Rust
/// code on these threads: a denormal that is computed there may be zero. Nothing in this project depends on one.
pub fn flush_denormals() -> bool {
    let mut done = false;
    // SAFETY: the shim writes one bool.
    let result = ffi::check(unsafe { ffi::fm_flush_denormal(true, &raw mut done) });
    result.is_ok() && done
}

/// The version of the libtorch headers that this binary was built with, such as `2.11.0`.
#[must_use]
pub fn version() -> String {
    // SAFETY: the shim returns a string literal.
    unsafe { CStr::from_ptr(ffi::fm_torch_version()) }.to_string_lossy().into_owned()
}

/// The loaded libtorch's build settings: compiler, BLAS, oneDNN, CPU capability. Several lines.
///
/// # Errors
/// libtorch's own.
pub fn build_settings() -> Result<String, TchError> {
    let mut text = std::ptr::null_mut();
    // SAFETY: the shim writes one pointer to a string from malloc, which `take` frees.
    unsafe {
        ffi::check(ffi::fm_show_config(&raw mut text))?;
        Ok(ffi::take(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn channels_last_keeps_shape_and_values() {
        let mut x = Tensor::arange(2 * 3 * 4 * 5, (tch::Kind::Float, tch::Device::Cpu)).view([2, 3, 4, 5]);
        let before = x.copy();
        to_channels_last(&mut x).unwrap();
        assert_eq!(x.size(), [2, 3, 4, 5]);
        assert_eq!(x.stride(), [60, 1, 15, 3]);
        assert!(x.equal(&before));
    }

    #[test]
    fn exceptions_become_errors() {
        let mut flat = Tensor::zeros([3], (tch::Kind::Float, tch::Device::Cpu));
        let error = to_channels_last(&mut flat).unwrap_err().to_string();
        assert!(error.contains("rank 4"), "{error}");
    }

    #[test]
    fn knows_its_libtorch() {
        assert_eq!(version(), "2.11.0");
        assert!(build_settings().unwrap().contains("PyTorch built with"));
    }
}
