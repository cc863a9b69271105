//! Flush-to-zero and denormals-are-zero, which are per thread.
//!
//! Adam's second moments decay into the denormal range, where one operation costs a hundred. The mode is on while
//! a job of the [pool](crate::pool) runs and at no other time: a [`FlushGuard`] around each job puts back what was
//! there, so no code but the kernels sees it. Rust says that floating-point code is compiled for the usual mode.
//! Here that means: a constant that the compiler folds could keep a denormal where the CPU would give zero. No
//! kernel has such a constant, none compares with one, and memory safety depends on no float.
//! Miri has no such register, and nothing is flushed there.

use std::marker::PhantomData;

#[cfg(all(target_arch = "x86_64", not(miri)))]
mod x86 {
    use std::arch::asm;

    /// Flush-to-zero (bit 15) and denormals-are-zero (bit 6).
    pub(super) const FLUSH: u32 = 1 << 15 | 1 << 6;

    pub(super) fn get() -> u32 {
        let mut state = 0_u32;
        // SAFETY: stores the 32-bit control register to a live local; SSE is part of x86-64. Without `nomem`: memory
        // is written.
        unsafe {
            asm!("stmxcsr [{}]", in(reg) &raw mut state, options(nostack, preserves_flags));
        }
        state
    }

    pub(super) fn set(state: u32) {
        // SAFETY: `state` came from `get`, with at most the two defined FLUSH bits changed.
        unsafe {
            asm!("ldmxcsr [{}]", in(reg) &raw const state, options(nostack, preserves_flags, readonly));
        };
    }

    pub(super) fn flushed(state: u32) -> u32 {
        state | FLUSH
    }
}

/// Flushes denormals until it is dropped, then restores the calling thread's mode. It must be dropped on the thread
/// that made it, which the raw pointer in it sees to: it is not `Send`.
pub(crate) struct FlushGuard {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    before: u32,
    here: PhantomData<*const ()>,
}

impl FlushGuard {
    pub(crate) fn new() -> Self {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        {
            let before = x86::get();
            if before != x86::flushed(before) {
                x86::set(x86::flushed(before));
            }
            Self { before, here: PhantomData }
        }
        #[cfg(any(not(target_arch = "x86_64"), miri))]
        Self { here: PhantomData }
    }
}

impl Drop for FlushGuard {
    fn drop(&mut self) {
        #[cfg(all(target_arch = "x86_64", not(miri)))]
        if self.before != x86::flushed(self.before) {
            x86::set(self.before);
        }
    }
}

#[cfg(test)]
#[cfg(all(target_arch = "x86_64", not(miri)))]
mod tests {
    use super::*;

    #[test]
    fn the_mode_is_back_after_the_guard_and_after_a_panic() {
        let before = x86::get();
        let small = std::hint::black_box(f32::MIN_POSITIVE);
        {
            let _mode = FlushGuard::new();
            assert_eq!((std::hint::black_box(small) * std::hint::black_box(0.5)).to_bits(), 0);
        }
        assert_eq!(x86::get() & x86::FLUSH, before & x86::FLUSH);
        let panicked = std::panic::catch_unwind(|| {
            let _mode = FlushGuard::new();
            panic!("as a job may");
        });
        assert!(panicked.is_err());
        assert_eq!(x86::get() & x86::FLUSH, before & x86::FLUSH);
    }
}
