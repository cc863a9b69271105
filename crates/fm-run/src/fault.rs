//! Faults on request, so that tests see what a full disk, a failing disk or a full device does to a run.
//!
//! The one writer asks before every operation, training before every step. A build with debug assertions
//! answers with an error when a test has armed one in its thread, or `FM_FAULT` has for a process:
//! `no-space:17` fills the disk at the 17th operation and leaves it full, `io-error:17` fails that one,
//! `out-of-memory:9` fails the 9th training step. In a release build the questions compile to nothing.

use std::io;

use crate::error::Error;

/// Asked before each operation on a file that a run writes.
///
/// # Errors
/// The armed one, when its time has come.
#[inline]
pub fn disk() -> io::Result<()> {
    #[cfg(debug_assertions)]
    if let Some(errno) = armed::disk() {
        return Err(io::Error::from_raw_os_error(errno));
    }
    Ok(())
}

/// Asked before each training step.
///
/// # Errors
/// The armed one, when its time has come, in libtorch's words.
#[inline]
pub fn device() -> Result<(), Error> {
    #[cfg(debug_assertions)]
    if armed::device() {
        let text = "CUDA out of memory. Tried to allocate 2.00 GiB. GPU 0 has a total capacity of 1.00 GiB";
        return Err(Error::device(text));
    }
    Ok(())
}

#[cfg(debug_assertions)]
pub mod armed {
    //! What is to go wrong in this thread, and when. Runs write from one thread alone.

    use std::cell::Cell;

    const ENOSPC: i32 = 28;
    const EIO: i32 = 5;

    /// What can go wrong.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Fault {
        /// The disk is full, from this operation on.
        NoSpace,
        /// The disk fails at this operation.
        IoError,
        /// The device has no memory for this step.
        OutOfMemory,
    }

    thread_local! {
        static ARMED: Cell<Option<(Fault, u32)>> = Cell::new(from_environment());
    }

    fn from_environment() -> Option<(Fault, u32)> {
        let text = std::env::var("FM_FAULT").ok()?;
        let (name, n) = text.split_once(':')?;
        let fault = match name {
            "no-space" => Fault::NoSpace,
            "io-error" => Fault::IoError,
            "out-of-memory" => Fault::OutOfMemory,
            _ => return None,
        };
        Some((fault, n.parse().ok()?))
    }

    /// Lets the `n`-th operation from now go wrong, counted from 1; `None` lets all go well.
    pub fn arm(fault: Option<(Fault, u32)>) {
        ARMED.set(fault);
    }

    /// Whether an armed fault is still to come.
    pub fn is_waiting() -> bool {
        ARMED.get().is_some_and(|(_, left)| left > 0)
    }

    pub(super) fn disk() -> Option<i32> {
        match due(|fault| fault != Fault::OutOfMemory)? {
            Fault::NoSpace => Some(ENOSPC),
            _ => Some(EIO),
        }
    }

    pub(super) fn device() -> bool {
        due(|fault| fault == Fault::OutOfMemory).is_some()
    }

    fn due(concerns: impl Fn(Fault) -> bool) -> Option<Fault> {
        let (fault, left) = ARMED.get().filter(|(fault, _)| concerns(*fault))?;
        ARMED.set(Some((fault, left.saturating_sub(1))));
        // A full disk stays full.
        (left == 1 || (left == 0 && fault == Fault::NoSpace)).then_some(fault)
    }
}
