//! Memory of a device.

use std::marker::PhantomData;
use std::ops::Range;
use std::sync::Arc;

use super::context::Context;
use super::error::{DriverError, Result};
use super::pinned::Pinned;
use super::pod::Pod;
use super::stream::Stream;
use super::symbols::code;

/// A vector in a device's memory; freed when dropped, which waits for the work that uses it.
#[derive(Debug)]
pub struct Buffer<T: Pod> {
    context: Arc<Context>,
    pointer: u64,
    len: usize,
    holds: PhantomData<T>,
}

impl<T: Pod> Buffer<T> {
    /// `len` zeros, there when this returns.
    ///
    /// # Errors
    /// [`DriverError::OutOfMemory`] with what was asked for and what is free.
    pub fn zeroed(stream: &Stream, len: usize) -> Result<Self> {
        let context = stream.context();
        let bytes = size::<T>(len);
        let mut pointer = 0;
        // One byte where none is asked for: the driver refuses 0.
        // SAFETY: the pointer is good for the call.
        let number = context.number(|f| unsafe { (f.alloc)(&raw mut pointer, bytes.max(1)) });
        if number == code::OUT_OF_MEMORY {
            let (asked, free) = (Some(bytes as u64), context.free_memory().ok());
            return Err(DriverError::OutOfMemory { action: "make a buffer".to_owned(), asked, free });
        }
        context.driver().check(&format!("make a buffer of {bytes} bytes"), number)?;
        let buffer = Self { context: Arc::clone(context), pointer, len, holds: PhantomData };
        buffer.zero(stream)?;
        // Other streams may use it next.
        stream.synchronize()?;
        Ok(buffer)
    }

    /// A copy of `values`.
    ///
    /// # Errors
    /// As [`Buffer::zeroed`].
    pub fn of(stream: &Stream, values: &[T]) -> Result<Self> {
        let buffer = Self::zeroed(stream, values.len())?;
        buffer.upload(stream, 0, values)?;
        Ok(buffer)
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

    /// Where it lies, for a kernel's arguments.
    #[must_use]
    pub fn ptr(&self) -> u64 {
        self.pointer
    }

    /// Writes `values` from position `at` on, behind what is queued; they are there when this returns.
    ///
    /// # Errors
    /// What failed, earlier work of the stream included.
    ///
    /// # Panics
    /// When they do not fit.
    pub fn upload(&self, stream: &Stream, at: usize, values: &[T]) -> Result<()> {
        let to = self.place(at, values.len());
        self.not_recorded(stream, "upload")?;
        // SAFETY: both places hold that many bytes, and the call below waits for the copy.
        self.copy("upload", to, |f, to, bytes| unsafe {
            (f.copy_to_device)(to, values.as_ptr().cast(), bytes, stream.handle)
        })?;
        stream.synchronize()
    }

    /// Reads `values.len()` values from position `at` on, after what is queued.
    ///
    /// # Errors
    /// What failed, earlier work of the stream included.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn download(&self, stream: &Stream, at: usize, values: &mut [T]) -> Result<()> {
        let from = self.place(at, values.len());
        self.not_recorded(stream, "download")?;
        // SAFETY: both places hold that many bytes, and the call below waits for the copy; any bits are a value.
        let queued = self.copy("download", from, |f, from, bytes| unsafe {
            (f.copy_to_host)(values.as_mut_ptr().cast(), from, bytes, stream.handle)
        });
        // Even after an error: a copy that goes on would write to memory that is no longer lent.
        let done = stream.synchronize();
        queued.and(done)
    }

    /// All values, after what is queued.
    ///
    /// # Errors
    /// As [`Buffer::download`].
    pub fn to_vec(&self, stream: &Stream) -> Result<Vec<T>>
    where
        T: Default,
    {
        let mut values = vec![T::default(); self.len];
        self.download(stream, 0, &mut values)?;
        Ok(values)
    }

    /// Queues writing all of `values` from position `at` on. What `values` is given meanwhile waits for the copy.
    ///
    /// # Errors
    /// What the driver says; a stream that records.
    ///
    /// # Panics
    /// When they do not fit.
    pub fn upload_async(&self, stream: &Stream, at: usize, values: &mut Pinned<T>) -> Result<()> {
        let to = self.place(at, values.len());
        self.not_recorded(stream, "upload")?;
        let pointer = values.address(stream)?;
        // SAFETY: both places hold that many bytes, and the pinned memory is not touched before the copy is done.
        self.copy("upload", to, |f, to, bytes| unsafe {
            (f.copy_to_device)(to, pointer.cast(), bytes, stream.handle)
        })?;
        values.lend(stream)
    }

    /// Queues reading `values.len()` values from position `at` on. Looking at `values` waits for the copy.
    ///
    /// # Errors
    /// What the driver says; a stream that records.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn download_async(&self, stream: &Stream, at: usize, values: &mut Pinned<T>) -> Result<()> {
        let from = self.place(at, values.len());
        self.not_recorded(stream, "download")?;
        let pointer = values.address(stream)?;
        // SAFETY: both places hold that many bytes, and the pinned memory is not touched before the copy is done.
        self.copy("download", from, |f, from, bytes| unsafe {
            (f.copy_to_host)(pointer.cast(), from, bytes, stream.handle)
        })?;
        values.lend(stream)
    }

    /// Queues making all values zero. May be recorded.
    ///
    /// # Errors
    /// What the driver says.
    pub fn zero(&self, stream: &Stream) -> Result<()> {
        self.zero_part(stream, 0, self.len)
    }

    /// Queues making `count` values from position `at` on zero. May be recorded.
    ///
    /// # Errors
    /// What the driver says.
    ///
    /// # Panics
    /// When there are not as many.
    pub fn zero_part(&self, stream: &Stream, at: usize, count: usize) -> Result<()> {
        let to = self.place(at, count);
        // SAFETY: the buffer holds that many bytes; zero bytes are a value.
        self.copy("fill", to, |f, to, bytes| unsafe { (f.fill)(to, 0, bytes, stream.handle) })
    }

    /// Queues copying `source[from..from + count]` to position `at` on. May be recorded.
    ///
    /// # Errors
    /// What the driver says.
    ///
    /// # Panics
    /// When either does not hold as many.
    pub fn copy_from(
        &self,
        stream: &Stream,
        at: usize,
        source: &Self,
        from: usize,
        count: usize,
    ) -> Result<()> {
        let (to, from) = (self.place(at, count), source.place(from, count));
        // SAFETY: both places hold that many bytes.
        self.copy("copy", to, |f, to, bytes| unsafe {
            (f.copy_on_device)(to, from.start, bytes, stream.handle)
        })
    }

    /// The addresses of `count` values from position `at` on.
    ///
    /// # Panics
    /// When they are not all within.
    fn place(&self, at: usize, count: usize) -> Range<u64> {
        let end = at.checked_add(count).filter(|&end| end <= self.len);
        let end = end.unwrap_or_else(|| panic!("{count} values at {at} of a buffer of {}", self.len));
        self.pointer + size::<T>(at) as u64..self.pointer + size::<T>(end) as u64
    }

    /// A copy with the host's memory would be done again by each launch of a graph, when that memory may be gone.
    fn not_recorded(&self, stream: &Stream, action: &str) -> Result<()> {
        if stream.is_recording() {
            let name = "the host's memory cannot be recorded".to_owned();
            return Err(DriverError::Capture { action: self.words(action), name });
        }
        Ok(())
    }

    fn copy(
        &self,
        action: &str,
        place: Range<u64>,
        call: impl FnOnce(&super::symbols::Functions, u64, usize) -> std::ffi::c_int,
    ) -> Result<()> {
        if place.is_empty() {
            return Ok(());
        }
        let bytes = (place.end - place.start) as usize;
        let number = self.context.number(|f| call(f, place.start, bytes));
        if number == 0 { Ok(()) } else { Err(self.context.driver().error(&self.words(action), number)) }
    }

    fn words(&self, action: &str) -> String {
        format!("{action} a buffer of {} bytes", size::<T>(self.len))
    }
}

impl<T: Pod> Drop for Buffer<T> {
    fn drop(&mut self) {
        // SAFETY: allocated in `zeroed`. An error has nobody to go to.
        self.context.number(|f| unsafe { (f.free)(self.pointer) });
    }
}

fn size<T>(len: usize) -> usize {
    len.saturating_mul(size_of::<T>())
}
