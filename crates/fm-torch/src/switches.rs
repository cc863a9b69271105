//! libtorch's switches for repeatable results, and whether TF32 rounds products.

use tch::TchError;

use crate::ffi;

/// The variable that cuBLAS reads when CUDA starts; without it some of its products are not repeatable.
pub const CUBLAS_VARIABLE: &str = "CUBLAS_WORKSPACE_CONFIG";

/// How libtorch's switches stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[repr(C)]
pub struct Switches {
    /// Operations that have no repeatable form are errors.
    pub deterministic_algorithms: bool,
    /// cuDNN uses repeatable algorithms alone.
    pub deterministic_cudnn: bool,
    /// oneDNN, on the CPU, likewise.
    pub deterministic_onednn: bool,
    /// cuDNN times its algorithms and takes the fastest, which may be another one each time.
    pub benchmark_cudnn: bool,
    /// cuDNN's convolutions round their inputs to TF32's ten bits of mantissa.
    pub tf32_cudnn: bool,
    /// cuBLAS' matrix products do.
    pub tf32_cublas: bool,
    /// Where algorithms are deterministic, memory is filled before it is used.
    pub fills_memory: bool,
}

/// How the switches stand now.
///
/// # Errors
/// libtorch's own.
pub fn switches() -> Result<Switches, TchError> {
    let mut now = Switches::default();
    // SAFETY: the shim writes seven bools to a struct of seven bools in C's layout.
    ffi::check(unsafe { ffi::fm_switches(&raw mut now) })?;
    Ok(now)
}

/// Whether products on CUDA may round their inputs to TF32's ten bits of mantissa, in cuDNN and in cuBLAS. libtorch
/// itself allows it to cuDNN.
///
/// # Errors
/// libtorch's own.
pub fn allow_tf32(allowed: bool) -> Result<(), TchError> {
    // SAFETY: the shim takes no pointers.
    ffi::check(unsafe { ffi::fm_allow_tf32(allowed) })
}

/// Turns every switch towards repeatable results. TF32 is left unchanged: it rounds, but always in the same way. Memory
/// is not filled before it is used, which costs a kernel each time and helps only those who read what they never wrote.
///
/// Call it before any thread starts and before the first question about CUDA. Where [`CUBLAS_VARIABLE`] is not set,
/// it is; a process with several threads cannot set variables safely, and is told to start with it.
///
/// # Errors
/// libtorch's own; [`TchError::Torch`] when the variable is missing and there are other threads.
pub fn make_deterministic() -> Result<(), TchError> {
    if std::env::var_os(CUBLAS_VARIABLE).is_none() {
        if threads() != Some(1) {
            let text =
                format!("start the process with {CUBLAS_VARIABLE}=:4096:8: it has other threads already");
            return Err(TchError::Torch(text));
        }
        // SAFETY: this is the process's only thread, so no other reads or writes the environment meanwhile.
        unsafe { std::env::set_var(CUBLAS_VARIABLE, ":4096:8") };
    }
    // SAFETY: the shim takes no pointers.
    ffi::check(unsafe { ffi::fm_make_deterministic() })
}

/// Threads of this process, where the system says.
fn threads() -> Option<usize> {
    std::fs::read_dir("/proc/self/task").ok().map(Iterator::count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_switch_turns() {
        let before = switches().unwrap();
        assert!(
            !before.deterministic_algorithms && !before.deterministic_cudnn && !before.deterministic_onednn
        );
        assert!(before.fills_memory, "libtorch's default");
        // The test runs in a thread of its own.
        let error = make_deterministic().unwrap_err().to_string();
        assert!(error.contains(CUBLAS_VARIABLE) && std::env::var_os(CUBLAS_VARIABLE).is_none(), "{error}");
        // SAFETY: the shim takes no pointers.
        ffi::check(unsafe { ffi::fm_make_deterministic() }).unwrap();
        let expected = Switches {
            deterministic_algorithms: true,
            deterministic_cudnn: true,
            deterministic_onednn: true,
            benchmark_cudnn: false,
            fills_memory: false,
            ..before
        };
        assert_eq!(switches().unwrap(), expected);
        for allowed in [true, false] {
            allow_tf32(allowed).unwrap();
            let now = switches().unwrap();
            assert_eq!((now.tf32_cudnn, now.tf32_cublas), (allowed, allowed));
        }
    }
}
