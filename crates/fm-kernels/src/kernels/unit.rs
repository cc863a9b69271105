//! Element-wise odds and ends.

use crate::simd::Simd;

/// `x = max(x, 0)`.
pub(crate) struct Relu<'a> {
    pub(crate) x: &'a mut [f32],
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn relu<S: Simd>(args: Relu<'_>) {
    for chunk in args.x.chunks_exact_mut(S::N) {
        // SAFETY: a chunk is one vector.
        unsafe { S::store(chunk.as_mut_ptr(), S::relu(S::load(chunk.as_ptr()))) };
    }
}

/// `g = 0` where `x` is not positive.
pub(crate) struct Gate<'a> {
    pub(crate) g: &'a mut [f32],
    pub(crate) x: &'a [f32],
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn gate<S: Simd>(args: Gate<'_>) {
    for (g, x) in args.g.chunks_exact_mut(S::N).zip(args.x.chunks_exact(S::N)) {
        // SAFETY: a chunk is one vector.
        unsafe { S::store(g.as_mut_ptr(), S::gate(S::load(g.as_ptr()), S::load(x.as_ptr()))) };
    }
}

/// `to[col][row] = from[row][col]`, the result written in strips of a larger matrix.
pub(crate) struct Transpose<'a> {
    /// `[rows][cols]`.
    pub(crate) from: &'a [f32],
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    /// Element (0, 0) of the result, whose rows are `pitch` apart.
    pub(crate) to: *mut f32,
    pub(crate) pitch: usize,
}

/// # Safety
/// The instruction set is there; `to` has `cols` rows of `rows` floats that nobody else touches.
#[inline(always)]
pub(crate) unsafe fn transpose<S: Simd>(args: Transpose<'_>) {
    let Transpose { from, rows, cols, to, pitch } = args;
    assert!(rows.is_multiple_of(16) && cols.is_multiple_of(16) && from.len() >= rows * cols, "{rows}x{cols}");
    for row in (0..rows).step_by(16) {
        for col in (0..cols).step_by(16) {
            // SAFETY: whole blocks of sixteen, within the matrix and the caller's promise.
            unsafe {
                S::transpose(from.as_ptr().add(row * cols + col), cols, to.add(col * pitch + row), pitch);
            }
        }
    }
}
