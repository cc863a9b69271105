//! What a kernel asks of an instruction set.
//!
//! The kernels are written once against [`Simd`]; `kernels::table` instantiates them per path
//! inside functions that enable the instruction set, into which all of this inlines.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod portable;

#[cfg(target_arch = "x86_64")]
pub(crate) use avx2::Avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) use avx512::Avx512;
pub(crate) use portable::Portable;

/// Offsets in a 4x4 patch of the four positions a 2x2 window pools over, in row-major order.
///
/// A pooled value's origin is stored as one of these.
pub(crate) const CORNERS: [usize; 4] = [0, 1, 4, 5];

/// What a pixel's byte is multiplied by: the reciprocal, rounded once, as everywhere in this project
/// (`fm_images::PIXEL_SCALE`; a test compares all 256 values on every path).
pub(crate) const PIXEL_SCALE: f32 = 1.0 / 255.0;

/// One instruction set.
///
/// Every method needs the instruction set, and those with pointers what they say.
pub(crate) trait Simd: Copy + 'static {
    /// A vector of `N` floats.
    type V: Copy;
    /// Where in a 4x4 patch each lane looks.
    type Origin: Copy;
    /// Lanes of a vector: 8 or 16.
    const N: usize;
    /// Vectors across a tile of a matrix product: 1, 2 or 4.
    const WIDE: usize;
    /// Vectors per run of a weight-gradient tile: 3 or 6 (of three runs).
    const RUN: usize;

    /// `x` in every lane.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn splat(x: f32) -> Self::V;
    /// A vector from memory.
    ///
    /// # Safety
    /// The instruction set is there. `N` floats lie behind `p`.
    unsafe fn load(p: *const f32) -> Self::V;
    /// A vector to memory.
    ///
    /// # Safety
    /// The instruction set is there. `N` floats, unaliased, lie behind `p`.
    unsafe fn store(p: *mut f32, v: Self::V);
    /// `a + b`.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn add(a: Self::V, b: Self::V) -> Self::V;
    /// `a - b`.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn sub(a: Self::V, b: Self::V) -> Self::V;
    /// `a * b`.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn mul(a: Self::V, b: Self::V) -> Self::V;
    /// `a / b`.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn div(a: Self::V, b: Self::V) -> Self::V;
    /// The root of each lane.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn sqrt(a: Self::V) -> Self::V;
    /// `a * b + c`, fused where the CPU can.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn fma(a: Self::V, b: Self::V, c: Self::V) -> Self::V;
    /// `max(v, 0)`, and NaN for NaN.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn relu(v: Self::V) -> Self::V;
    /// `g` where `x > 0`, else zero.
    ///
    /// # Safety
    /// The instruction set is there.
    unsafe fn gate(g: Self::V, x: Self::V) -> Self::V;
    /// `x` where `a > b`, else `y`.
    ///
    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn above(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// `x` where `a == b`, else `y`.
    ///
    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn equal(a: Self::V, b: Self::V, x: Self::V, y: Self::V) -> Self::V;
    /// The sum of all lanes, in an order that depends on `N` alone.
    ///
    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn sum(v: Self::V) -> f32;
    /// Pools four positions: stores `relu(max + bias)` and where the first maximum lies.
    ///
    /// # Safety
    /// The instruction set is there. `N` floats and `N` bytes, unaliased, lie behind `value` and `origin`.
    unsafe fn pool(y: [Self::V; 4], bias: Self::V, value: *mut f32, origin: *mut u8);
    /// Origins of `N` pooled values.
    ///
    /// # Safety
    /// The instruction set is there. `N` bytes lie behind `p`, each one of [`CORNERS`].
    unsafe fn origin(p: *const u8) -> Self::Origin;
    /// Lane by lane `patch[origin + tap]`, from a 4x4 patch.
    ///
    /// # Safety
    /// The instruction set is there. Sixteen floats lie behind `patch`, and `tap` is that of a 3x3 filter: at most 10.
    unsafe fn pick(patch: *const f32, origin: Self::Origin, tap: usize) -> Self::V;

    /// The sum of the lanes of each of sixteen vectors, in an order that depends on `N` alone.
    ///
    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    #[inline(always)]
    unsafe fn sums(from: *const f32, to: *mut f32) {
        for i in 0..16 {
            // SAFETY: sixteen vectors to read and sixteen floats to write, says the caller.
            unsafe { *to.add(i) = Self::sum(Self::load(from.add(i * Self::N))) };
        }
    }

    /// The sums of the lanes of so many vectors, as [`Simd::sums`]; zeros up to the next multiple of sixteen.
    ///
    /// # Safety
    /// The instruction set is there. There is room up to that multiple, for vectors and floats, which no one else uses.
    #[inline(always)]
    unsafe fn padded_sums(vectors: *mut f32, count: usize, to: *mut f32) {
        // SAFETY: as promised by the caller.
        unsafe {
            for empty in count..count.next_multiple_of(16) {
                Self::store(vectors.add(empty * Self::N), Self::splat(0.0));
            }
            for first in (0..count).step_by(16) {
                Self::sums(vectors.add(first * Self::N), to.add(first));
            }
        }
    }

    /// Sixteen floats from 0 to 1 from a 4x4 patch of bytes.
    ///
    /// # Safety
    /// The instruction set is there. Four rows of four bytes, `pitch` apart, lie behind `from`, and sixteen floats, unaliased, behind `to`.
    #[inline(always)]
    unsafe fn grey(from: *const u8, pitch: usize, to: *mut f32) {
        for row in 0..4 {
            for col in 0..4 {
                // SAFETY: inside the patch, says the caller.
                unsafe {
                    *to.add(row * 4 + col) = f32::from(*from.add(row * pitch + col)) * PIXEL_SCALE;
                }
            }
        }
    }

    /// Appends to `all`, and to the list of its corner, every channel from `first` whose ReLU was on and
    /// whose gradient is not zero; `N` channels.
    ///
    /// A list's count is at most `first`.
    ///
    /// # Safety
    /// The instruction set is there. `N` channels lie behind the map's pointers from `first` on, each origin is one of
    /// [`CORNERS`], and every list, unaliased, has room for `N` more than its count.
    #[inline(always)]
    unsafe fn survivors(map: Channels, first: usize, lists: [*mut u32; 5], counts: &mut [usize; 5]) {
        for channel in first..first + Self::N {
            // SAFETY: N channels behind `first`, and room in the lists, says the caller.
            unsafe {
                let alive = (*map.value.add(channel) > 0.0) & (*map.gradient.add(channel) != 0.0);
                let from = *map.origin.add(channel);
                let corner = usize::from(from >> 2 & 1) * 2 + usize::from(from & 1);
                *lists[corner].add(counts[corner]) = channel as u32;
                counts[corner] += usize::from(alive);
                *lists[4].add(counts[4]) = channel as u32;
                counts[4] += usize::from(alive);
            }
        }
    }

    /// Transposes a 16x16 block; `from` and `to` are rows apart by their pitch.
    ///
    /// # Safety
    /// The instruction set is there. Sixteen rows of sixteen floats, their pitch apart, lie behind `from` and, unaliased, behind `to`.
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        for row in 0..16 {
            for col in 0..16 {
                // SAFETY: inside the two blocks, says the caller.
                unsafe { *to.add(col * to_pitch + row) = *from.add(row * from_pitch + col) };
            }
        }
    }
}

/// One window's channels.
#[derive(Clone, Copy)]
pub(crate) struct Channels {
    pub(crate) gradient: *const f32,
    pub(crate) value: *const f32,
    pub(crate) origin: *const u8,
}
