//! Cache-line-aligned memory that several threads fill in disjoint parts.

use std::cell::UnsafeCell;
use std::ops::Range;

/// One cache line, and one AVX-512 register.
pub(crate) const LINE: usize = 64;

#[repr(C, align(64))]
#[derive(Clone, Copy)]
struct Line([u8; LINE]);

/// Plain numbers that may live in a [`Buffer`].
///
/// # Safety
/// Every bit pattern, all zeros included, is a value; no padding, no destructor, alignment below 64.
pub(crate) unsafe trait Plain: Copy {}
// SAFETY: a primitive number.
unsafe impl Plain for f32 {}
// SAFETY: a primitive number.
unsafe impl Plain for u8 {}
// SAFETY: a primitive number.
unsafe impl Plain for u32 {}

/// Zeroed memory, aligned to a cache line, with interior mutability across threads.
///
/// The whole is handed out in parts by [`Buffer::get`] and [`Buffer::get_mut`]; the callers keep the
/// parts of concurrent tasks disjoint (one task writes an image's slot, or a parameter range).
pub(crate) struct Buffer<T> {
    lines: Box<[UnsafeCell<Line>]>,
    len: usize,
    of: std::marker::PhantomData<T>,
}

// SAFETY: access from several threads goes through `get` and `get_mut`, whose callers promise to
// keep concurrent parts disjoint; T is plain data.
unsafe impl<T: Plain + Send> Sync for Buffer<T> {}

impl<T: Plain> Buffer<T> {
    pub(crate) fn new(len: usize) -> Self {
        let lines = (len * size_of::<T>()).div_ceil(LINE);
        Self {
            lines: (0..lines).map(|_| UnsafeCell::new(Line([0; LINE]))).collect(),
            len,
            of: std::marker::PhantomData,
        }
    }

    pub(crate) fn start(&self) -> *mut T {
        self.lines.as_ptr().cast::<T>().cast_mut()
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
