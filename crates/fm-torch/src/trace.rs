//! Which of libtorch's operators some code calls: what a test can know of a GPU's waits without a GPU.

use tch::TchError;

use crate::ffi;

/// Runs `work` and names the operators that this thread called meanwhile, in order, those of a backward pass
/// on the CPU too: `aten::conv2d`, `aten::_to_copy` … Tests are what it is for: every call pays for being
/// written down. It cannot be nested.
///
/// # Errors
/// libtorch's own, and those of `work`.
pub fn operators<E: From<TchError>>(work: impl FnOnce() -> Result<(), E>) -> Result<Vec<String>, E> {
    // SAFETY: the shim takes and gives nothing.
    ffi::check(unsafe { ffi::fm_trace_start() })?;
    let done = work();
    let mut text = std::ptr::null_mut();
    // SAFETY: the shim writes one pointer, to a string of its own strdup.
    ffi::check(unsafe { ffi::fm_trace_stop(&raw mut text) })?;
    done?;
    // SAFETY: as above.
    let names = unsafe { ffi::take(text) };
    Ok(names.lines().map(str::to_owned).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use tch::{Device, Kind, Tensor};

    #[test]
    fn what_is_called_shows_in_order() {
        let x = Tensor::ones([3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let names = operators(|| x.f_sum(Kind::Float)?.f_mean(Kind::Float)?.f_backward()).unwrap();
        let count = |wanted: &str| names.iter().filter(|name| *name == wanted).count();
        assert!(count("aten::sum") > 0, "{names:?}");
        assert!(count("aten::expand") > 0, "the backward pass shows: {names:?}");
        let _ = x.f_sum(Kind::Float).unwrap();
        let read = operators(|| f64::try_from(x.detach().f_max()?).map(drop)).unwrap();
        assert_eq!(read.first().map(String::as_str), Some("aten::detach"), "nothing from in between");
        assert!(read.iter().any(|name| name == "aten::_to_copy"), "reading a value shows: {read:?}");
    }
}
