//! Flush-to-zero and denormals-are-zero, which are per thread.
//!
//! Adam's second moments decay into the denormal range, where one operation costs a hundred.

#[cfg(target_arch = "x86_64")]
mod x86 {
    use std::arch::asm;

    /// Flush-to-zero (bit 15) and denormals-are-zero (bit 6).
    const FLUSH: u32 = 1 << 15 | 1 << 6;

    pub(super) fn get() -> u32 {
        let mut state = 0_u32;
        // SAFETY: stores the 32-bit control register to a live local; SSE is part of x86-64.
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

/// Makes the calling thread treat denormal numbers as zero from now on.
///
/// The trainer's own threads do so by themselves; call it first thing in `main` when other code
/// (or threads spawned later) should run in the same mode. Without effect where the CPU has none.
pub fn flush_denormals() {
    #[cfg(target_arch = "x86_64")]
    x86::set(x86::flushed(x86::get()));
}

/// Flushes denormals until it is dropped, then restores the calling thread's mode.
pub(crate) struct FlushGuard {
    #[cfg(target_arch = "x86_64")]
    before: u32,
}

impl FlushGuard {
    pub(crate) fn new() -> Self {
        #[cfg(target_arch = "x86_64")]
        {
            let before = x86::get();
            if before != x86::flushed(before) {
                x86::set(x86::flushed(before));
            }
            Self { before }
        }
        #[cfg(not(target_arch = "x86_64"))]
        Self {}
    }
}

impl Drop for FlushGuard {
    fn drop(&mut self) {
        #[cfg(target_arch = "x86_64")]
        if self.before != x86::flushed(self.before) {
            x86::set(self.before);
        }
    }
}
