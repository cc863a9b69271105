//! Loading libtorch's CUDA half into a binary that is linked to the CPU half alone.
//!
//! The linker drops `libtorch_cuda.so` because no symbol of it is named, and a binary that did name it
//! would not start on a CPU-only install. So it is opened by hand, before the first question about CUDA:
//! libtorch caches that answer. Whether there is a driver and a device is known before that (`fm_cuda::driver`);
//! without them a gigabyte of kernels would be read for nothing.

use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use thiserror::Error;

/// Why libtorch cannot compute on a CUDA device.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CudaError {
    /// This libtorch has no usable CUDA half; the loader's words name what is missing.
    #[error("cannot load libtorch_cuda.so: {0}")]
    NotLoaded(String),
    /// It is loaded and sees no device.
    #[error("libtorch_cuda.so is loaded (CUDA {}.{}) and sees no device", .cuda / 1000, .cuda % 1000 / 10)]
    NoDevice {
        /// The CUDA that it was built for, as CUDA counts: 13000 is 13.0. It needs a driver of that major version.
        cuda: i64,
    },
}

/// Opens `libtorch_cuda.so`, once, and counts the devices that it sees.
///
/// # Errors
/// Why there is none.
pub fn devices() -> Result<usize, CudaError> {
    static ANSWER: OnceLock<Result<usize, CudaError>> = OnceLock::new();
    ANSWER.get_or_init(probe).clone()
}

fn probe() -> Result<usize, CudaError> {
    open("libtorch_cuda.so").map_err(CudaError::NotLoaded)?;
    match usize::try_from(tch::Cuda::device_count()) {
        Ok(n) if n > 0 && tch::Cuda::is_available() => Ok(n),
        _ => Err(CudaError::NoDevice { cuda: tch::utils::version_cudart() }),
    }
}

/// Loads a library for the rest of the process's life.
fn open(name: &str) -> Result<(), String> {
    // SAFETY: running the initialisers of PyTorch's library and of those that it needs is what is wanted; they
    // are never unloaded, so nothing that they register can dangle.
    match unsafe { Library::open(Some(name), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        Err(error) => {
            Err(std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string))
        }
    }
}
