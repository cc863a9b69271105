//! Cache-line-aligned memory that several threads fill in disjoint parts.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ops::Range;
use std::ptr::NonNull;

use crate::Error;

/// One cache line, and one AVX-512 register.
pub(crate) const LINE: usize = 64;

/// A large page. Where a batch's maps lie in few of them, fewer look-ups of addresses miss: it matters on virtual machines.
const LARGE: usize = 2 << 20;

#[repr(align(64))]
struct Line;

/// Plain numbers that may live in a [`Buffer`].
///
/// # Safety
/// Every bit pattern, all zeros included, is a value; no padding, no destructor, alignment at most 64.
pub(crate) unsafe trait Plain: Copy {}
// SAFETY: a primitive number.
unsafe impl Plain for f32 {}
// SAFETY: a primitive number.
unsafe impl Plain for f64 {}
// SAFETY: a primitive number.
unsafe impl Plain for u8 {}
// SAFETY: a primitive number.
unsafe impl Plain for u32 {}

/// Zeroed memory, aligned to a cache line, with interior mutability across threads.
///
/// The whole is handed out in parts by [`Buffer::get`] and [`Buffer::get_mut`]; the callers keep the
/// parts of concurrent tasks disjoint (one task writes an image's slot, or a parameter range).
///
/// The system gives large zeroed memory page by page as it is touched: what a trainer never uses costs addresses
/// and no memory. Linux is asked for large pages where at least half of one is used.
pub(crate) struct Buffer<T> {
    /// What the allocator gave: `len` elements and room to align them; dangling where that is nothing.
    base: NonNull<u8>,
    layout: Layout,
    /// The first element, aligned to [`LINE`] at least.
    start: NonNull<T>,
    len: usize,
}

// SAFETY: it owns its memory, and T is plain data.
unsafe impl<T: Plain + Send> Send for Buffer<T> {}
// SAFETY: access from several threads goes through `get` and `get_mut`, whose callers promise to
// keep concurrent parts disjoint; T is plain data.
unsafe impl<T: Plain + Send> Sync for Buffer<T> {}

impl<T: Plain> Buffer<T> {
    /// Room for `len` elements.
    ///
    /// # Errors
    /// [`Error::Memory`] when there is none.
    pub(crate) fn new(len: usize) -> Result<Self, Error> {
        if len == 0 {
            let line = NonNull::<Line>::dangling();
            return Ok(Self { base: line.cast(), layout: Layout::new::<()>(), start: line.cast(), len });
        }
        let bytes = len.saturating_mul(size_of::<T>());
        let pages = if cfg!(all(target_os = "linux", not(miri))) {
            bytes.saturating_add(LARGE / 2) / LARGE
        } else {
            0
        };
        let align = if pages > 0 { LARGE } else { LINE };
        // Not aligned by the allocator, which would touch every page to zero it.
        let room = bytes.max(pages.saturating_mul(LARGE)).checked_add(align);
        let layout = room.and_then(|all| Layout::from_size_align(all, align_of::<T>()).ok());
        let layout = layout.ok_or(Error::Memory { bytes })?;
        // SAFETY: the layout's size is not zero.
        let base = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(Error::Memory { bytes })?;
        let address = base.addr().get();
        // SAFETY: `align` bytes more than needed were allocated, and the next multiple of that is less than that away.
        let start = unsafe { base.add(address.next_multiple_of(align) - address) };
        ask_for_large(start, pages);
        Ok(Self { base, layout, start: start.cast(), len })
    }

    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn start(&self) -> *mut T {
        self.start.as_ptr()
    }

    /// A part to read.
    ///
    /// # Safety
    /// No other thread writes to the part while the slice lives.
    pub(crate) unsafe fn get(&self, part: Range<usize>) -> &[T] {
        assert!(part.start <= part.end && part.end <= self.len, "part {part:?} of {}", self.len);
        // SAFETY: within the allocation by the assertion; any bytes are a T; not written, says the caller.
        unsafe { std::slice::from_raw_parts(self.start().add(part.start), part.end - part.start) }
    }

    /// A part to write.
    ///
    /// # Safety
    /// No one else reads or writes the part while the slice lives.
    #[expect(clippy::mut_from_ref, reason = "interior mutability; the caller promises disjoint parts")]
    pub(crate) unsafe fn get_mut(&self, part: Range<usize>) -> &mut [T] {
        assert!(part.start <= part.end && part.end <= self.len, "part {part:?} of {}", self.len);
        // SAFETY: within the allocation by the assertion; any bytes are a T; unaliased, says the caller.
        unsafe { std::slice::from_raw_parts_mut(self.start().add(part.start), part.end - part.start) }
    }

    /// The whole, for the single owner.
    pub(crate) fn all(&mut self) -> &mut [T] {
        let len = self.len;
        // SAFETY: `&mut self` excludes every other access.
        unsafe { self.get_mut(0..len) }
    }
}

/// Asks the system to back freshly allocated memory with large pages. It may refuse: the memory works as it is.
#[cfg(all(target_os = "linux", not(miri)))]
fn ask_for_large(start: NonNull<u8>, pages: usize) {
    if pages > 0 {
        // SAFETY: the advice changes what backs the memory, not what is in it.
        let _ = unsafe {
            rustix::mm::madvise(start.as_ptr().cast(), pages * LARGE, rustix::mm::Advice::LinuxHugepage)
        };
    }
}

#[cfg(not(all(target_os = "linux", not(miri))))]
fn ask_for_large(_: NonNull<u8>, _: usize) {}

impl<T> Drop for Buffer<T> {
    fn drop(&mut self) {
        if self.layout.size() > 0 {
            // SAFETY: allocated in `new` with this layout, and freed once.
            unsafe { dealloc(self.base.as_ptr(), self.layout) };
        }
    }
}

/// A caller's slice that several threads fill in disjoint parts.
pub(crate) struct Parts<'a, T> {
    start: *mut T,
    len: usize,
    of: std::marker::PhantomData<&'a mut [T]>,
}

// SAFETY: as for `Buffer`: the parts handed out are disjoint, say the callers of `get_mut`.
unsafe impl<T: Plain + Send> Sync for Parts<'_, T> {}

impl<'a, T: Plain> Parts<'a, T> {
    pub(crate) fn new(slice: &'a mut [T]) -> Self {
        Self { start: slice.as_mut_ptr(), len: slice.len(), of: std::marker::PhantomData }
    }

    /// A part to write.
    ///
    /// # Safety
    /// No one else reads or writes the part while the slice lives.
    #[expect(clippy::mut_from_ref, reason = "interior mutability; the caller promises disjoint parts")]
    pub(crate) unsafe fn get_mut(&self, part: Range<usize>) -> &mut [T] {
        assert!(part.start <= part.end && part.end <= self.len, "part {part:?} of {}", self.len);
        // SAFETY: within the slice by the assertion; unaliased, says the caller.
        unsafe { std::slice::from_raw_parts_mut(self.start.add(part.start), part.end - part.start) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zeroed_aligned_and_of_any_length() {
        for len in [0, 1, 15, 16, 17, 100_000, 300_000, LARGE / 4, LARGE / 2 + 1] {
            let mut buffer = Buffer::<f32>::new(len).unwrap();
            assert_eq!(buffer.start().addr() % LINE, 0);
            assert_eq!(buffer.all(), vec![0.0; len]);
            buffer.all().fill(3.0);
            // SAFETY: nobody writes.
            assert!(unsafe { buffer.get(0..len) }.iter().all(|&x| x.to_bits() == 3.0_f32.to_bits()));
        }
    }

    #[test]
    fn too_much_is_an_error_and_no_abort() {
        for len in [usize::MAX, usize::MAX / 4, isize::MAX as usize / 4, 1 << 58] {
            assert!(matches!(Buffer::<f32>::new(len), Err(Error::Memory { .. })), "{len}");
        }
    }
}
