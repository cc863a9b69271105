//! Declarations of `shim/shim.cpp` and the passing of its errors and strings.

use std::ffi::{CStr, c_char, c_double, c_void};

use tch::TchError;

use crate::switches::Switches;

/// A `torch::Tensor*` as torch-sys hands it out.
pub(crate) type RawTensor = *mut c_void;

unsafe extern "C" {
    pub(crate) fn fm_fused_adam(
        n: usize,
        params: *const RawTensor,
        m: *const RawTensor,
        v: *const RawTensor,
        count: RawTensor,
        lr: c_double,
        beta1: c_double,
        beta2: c_double,
        eps: c_double,
    ) -> *mut c_char;
    pub(crate) fn fm_channels_last_(tensor: RawTensor) -> *mut c_char;
    pub(crate) fn fm_drop_grad(tensor: RawTensor) -> *mut c_char;
    pub(crate) fn fm_flush_denormal(on: bool, done: *mut bool) -> *mut c_char;
    pub(crate) fn fm_allow_tf32(allowed: bool) -> *mut c_char;
    pub(crate) fn fm_make_deterministic() -> *mut c_char;
    pub(crate) fn fm_switches(now: *mut Switches) -> *mut c_char;
    pub(crate) fn fm_trace_start() -> *mut c_char;
    pub(crate) fn fm_trace_stop(names: *mut *mut c_char) -> *mut c_char;
    pub(crate) fn fm_torch_version() -> *const c_char;
    pub(crate) fn fm_show_config(text: *mut *mut c_char) -> *mut c_char;
}

/// Turns a shim's answer into a result.
pub(crate) fn check(message: *mut c_char) -> Result<(), TchError> {
    if message.is_null() {
        return Ok(());
    }
    // SAFETY: not null, so it is a string from the shim's strdup that nobody else owns.
    Err(TchError::Torch(unsafe { take(message) }))
}

/// Copies and frees a string that the shim allocated.
///
/// # Safety
/// `text` must come from the shim's `strdup` and not have been freed.
pub(crate) unsafe fn take(text: *mut c_char) -> String {
    // SAFETY: by this function's contract.
    unsafe {
        let owned = CStr::from_ptr(text).to_string_lossy().into_owned();
        libc::free(text.cast());
        owned
    }
}
