//! Memory of the host that a device copies from and to by itself.

use std::ffi::c_void;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::context::Context;
use super::error::{DriverError, Result};
use super::event::Event;
use super::pod::Pod;
use super::stream::Stream;
use super::symbols::{Handle, code};

/// A vector in page-locked memory of the host. While a copy from or to it is queued, whoever looks at it waits.
#[derive(Debug)]
pub struct Pinned<T: Pod> {
    context: Arc<Context>,
    /// An address, as an integer so that it may move between threads as the values may.
    pointer: usize,
    len: usize,
    copied: Event,
    lent: AtomicBool,
    /// The stream of the last copy.
    stream: Handle,
    holds: std::marker::PhantomData<T>,
}

impl<T: Pod> Pinned<T> {
    /// `len` zeros.
    ///
    /// # Errors
    /// [`DriverError::OutOfHostMemory`].
    pub fn zeroed(context: &Arc<Context>, len: usize) -> Result<Self> {
        let bytes = len.saturating_mul(size_of::<T>()).max(1);
        let copied = Event::new(context)?;
        let mut pointer: *mut c_void = std::ptr::null_mut();
        // SAFETY: the pointer is good for the call.
        match context.number(|f| unsafe { (f.alloc_host)(&raw mut pointer, bytes) }) {
            code::OUT_OF_MEMORY => return Err(DriverError::OutOfHostMemory { asked: bytes as u64 }),
            number => context.driver().check("lock memory of the host", number)?,
        }
        // SAFETY: that many bytes are there; zero bytes are a value of every `Pod`.
        unsafe { pointer.cast::<u8>().write_bytes(0, bytes) };
        Ok(Self {
            context: Arc::clone(context),
            pointer: pointer.expose_provenance(),
            len,
            copied,
            lent: AtomicBool::new(false),
            stream: 0,
            holds: std::marker::PhantomData,
        })
    }

    /// How many values.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The values, once queued copies are done.
    ///
    /// # Errors
    /// What failed, earlier work of the stream included.
    pub fn read(&self) -> Result<&[T]> {
        self.settle()?;
        // SAFETY: allocated so and written; nobody writes while it is borrowed: copies need `&mut self`.
        Ok(unsafe { std::slice::from_raw_parts(self.pointer(), self.len) })
    }

    /// The values, to be changed, once queued copies are done.
    ///
    /// # Errors
    /// What failed, earlier work of the stream included.
    pub fn write(&mut self) -> Result<&mut [T]> {
        self.settle()?;
        // SAFETY: as above, borrowed for one.
        Ok(unsafe { std::slice::from_raw_parts_mut(self.pointer(), self.len) })
    }

    /// The address for a copy on `stream`. Copies on one stream follow each other, others are waited for.
    pub(crate) fn address(&mut self, stream: &Stream) -> Result<*mut T> {
        if self.stream != stream.handle {
            self.settle()?;
        }
        Ok(self.pointer())
    }

    /// A copy was queued.
    pub(crate) fn lend(&mut self, stream: &Stream) -> Result<()> {
        self.stream = stream.handle;
        let recorded = self.copied.record(stream);
        if recorded.is_ok() {
            *self.lent.get_mut() = true;
        } else {
            // Nothing would tell when the copy is done.
            stream.synchronize()?;
        }
        recorded
    }

    fn pointer(&self) -> *mut T {
        std::ptr::with_exposed_provenance_mut(self.pointer)
    }

    fn settle(&self) -> Result<()> {
        if self.lent.load(Ordering::Acquire) {
            self.copied.synchronize()?;
            self.lent.store(false, Ordering::Release);
        }
        Ok(())
    }
}

impl<T: Pod> Drop for Pinned<T> {
    fn drop(&mut self) {
        // A device that failed copies no more, so an error does not keep the memory.
        let _ = self.settle();
        // SAFETY: allocated in `zeroed`. An error has nobody to go to.
        self.context.number(|f| unsafe { (f.free_host)(self.pointer().cast()) });
    }
}
