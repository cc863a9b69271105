//! Loading libtorch's CUDA half into a binary that is linked to the CPU half alone.
//!
//! The linker drops `libtorch_cuda.so` because no symbol of it is named, and a binary that did name it
//! would not start on a CPU-only install. So it is opened by hand, before the first question about CUDA:
//! libtorch caches that answer.

use std::sync::OnceLock;

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use thiserror::Error;

/// Why CUDA cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum CudaError {
    /// No NVIDIA driver on this machine.
    #[error("no NVIDIA driver (cannot load libcuda.so.1)")]
    NoDriver,
    /// This libtorch has no usable CUDA half; the loader's words name what is missing.
    #[error("cannot load libtorch_cuda.so: {0}")]
    NotLoaded(String),
    /// All is loaded, and the driver shows no device.
    #[error("driver and libtorch_cuda.so are loaded, but no device is visible")]
    NoDevice,
}

/// Opens the driver and `libtorch_cuda.so`, once, and counts the devices.
///
/// # Errors
/// Why there is none.
pub fn devices() -> Result<usize, CudaError> {
    static ANSWER: OnceLock<Result<usize, CudaError>> = OnceLock::new();
    ANSWER.get_or_init(probe).clone()
}

fn probe() -> Result<usize, CudaError> {
    // The driver first: a CPU machine answers in microseconds, without reading a gigabyte of CUDA kernels.
    open("libcuda.so.1").map_err(|_| CudaError::NoDriver)?;
    open("libtorch_cuda.so").map_err(CudaError::NotLoaded)?;
    match usize::try_from(tch::Cuda::device_count()) {
        Ok(n) if n > 0 && tch::Cuda::is_available() => Ok(n),
        _ => Err(CudaError::NoDevice),
    }
}

/// Loads a library for the rest of the process's life.
fn open(name: &str) -> Result<(), String> {
    // SAFETY: running the initialisers of NVIDIA's and PyTorch's libraries is what is wanted; they are
    // never unloaded, so nothing that they register can dangle.
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
