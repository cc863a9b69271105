//! AVX-512: sixteen lanes, thirty-two registers, masks.

use std::arch::x86_64::{
    __m512, __m512i, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_NEQ_UQ, _CMP_NLE_UQ, _mm_loadu_si128,
    _mm_mask_cmpeq_epi8_mask, _mm_set_epi32, _mm_set1_epi8, _mm_storeu_si128, _mm512_add_epi32,
    _mm512_add_ps, _mm512_cmp_ps_mask, _mm512_cvtepi32_epi8, _mm512_cvtepi32_ps, _mm512_cvtepu8_epi32,
    _mm512_div_ps, _mm512_fmadd_ps, _mm512_loadu_ps, _mm512_mask_blend_epi32, _mm512_mask_blend_ps,
    _mm512_mask_cmp_ps_mask, _mm512_mask_mov_epi32, _mm512_maskz_compress_epi32, _mm512_maskz_mov_ps,
    _mm512_max_ps, _mm512_mul_ps, _mm512_permutexvar_ps, _mm512_reduce_add_ps, _mm512_set_epi32,
    _mm512_set1_epi32, _mm512_set1_ps, _mm512_setzero_ps, _mm512_setzero_si512, _mm512_shuffle_f32x4,
    _mm512_shuffle_ps, _mm512_sqrt_ps, _mm512_storeu_ps, _mm512_storeu_si512, _mm512_sub_ps,
    _mm512_unpackhi_ps, _mm512_unpacklo_ps,
};

use super::{CORNERS, Channels, PIXEL_SCALE, Simd};

/// The path this crate is tuned for.
#[derive(Clone, Copy)]
pub(crate) struct Avx512;

// Every block below: the instruction set and the elements behind the pointers, says the caller.
impl Simd for Avx512 {
    type V = __m512;
    type Origin = __m512i;
    const N: usize = 16;
    const WIDE: usize = 4;
    const RUN: usize = 6;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m512) {
        // SAFETY: see the note above.
        unsafe { _mm512_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn add(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m512, b: __m512) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m512) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m512, b: __m512, c: __m512) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn relu(v: __m512) -> __m512 {
        // SAFETY: see the note above. The second operand is what comes back for NaN.
        unsafe { _mm512_max_ps(_mm512_setzero_ps(), v) }
    }
    #[inline(always)]
    unsafe fn gate(g: __m512, x: __m512) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_maskz_mov_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(x, _mm512_setzero_ps()), g) }
    }
    #[inline(always)]
    unsafe fn above(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_GT_OQ>(a, b), y, x) }
    }
    #[inline(always)]
    unsafe fn equal(a: __m512, b: __m512, x: __m512, y: __m512) -> __m512 {
        // SAFETY: see the note above.
        unsafe { _mm512_mask_blend_ps(_mm512_cmp_ps_mask::<_CMP_EQ_OQ>(a, b), y, x) }
    }
    #[inline(always)]
    unsafe fn sum(v: __m512) -> f32 {
        // SAFETY: see the note above.
        unsafe { _mm512_reduce_add_ps(v) }
    }
    #[inline(always)]
    unsafe fn sums(from: *const f32, to: *mut f32) {
        // SAFETY: see the note above; sixteen vectors to read.
        unsafe {
            // Each round adds halves of two vectors up into one: 256 bits, then 128, then pairs, then lanes.
            let mut eight = [_mm512_setzero_ps(); 8];
            for (i, sum) in eight.iter_mut().enumerate() {
                let (x, y) = (Self::load(from.add(i * 16)), Self::load(from.add((i + 8) * 16)));
                *sum = _mm512_add_ps(_mm512_shuffle_f32x4::<0x44>(x, y), _mm512_shuffle_f32x4::<0xee>(x, y));
            }
            let mut four = [_mm512_setzero_ps(); 4];
            for (i, sum) in four.iter_mut().enumerate() {
                let (x, y) = (eight[i], eight[i + 4]);
                *sum = _mm512_add_ps(_mm512_shuffle_f32x4::<0x88>(x, y), _mm512_shuffle_f32x4::<0xdd>(x, y));
            }
            let mut two = [_mm512_setzero_ps(); 2];
            for (i, sum) in two.iter_mut().enumerate() {
                let (x, y) = (four[i], four[i + 2]);
                *sum = _mm512_add_ps(_mm512_shuffle_ps::<0x44>(x, y), _mm512_shuffle_ps::<0xee>(x, y));
            }
            let [x, y] = two;
            let all = _mm512_add_ps(_mm512_shuffle_ps::<0x88>(x, y), _mm512_shuffle_ps::<0xdd>(x, y));
            // Where each vector's sum has come to lie.
            let place = _mm512_set_epi32(15, 13, 14, 12, 7, 5, 6, 4, 11, 9, 10, 8, 3, 1, 2, 0);
            Self::store(to, _mm512_permutexvar_ps(place, all));
        }
    }
    #[inline(always)]
    unsafe fn pool(y: [__m512; 4], bias: __m512, value: *mut f32, origin: *mut u8) {
        // SAFETY: see the note above.
        unsafe {
            // "Not less or equal": a tie keeps the first, and a NaN is taken, as by the maximum.
            let top = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(y[1], y[0]);
            let bottom = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(y[3], y[2]);
            let upper = _mm512_max_ps(y[0], y[1]);
            let lower = _mm512_max_ps(y[2], y[3]);
            let down = _mm512_cmp_ps_mask::<_CMP_NLE_UQ>(lower, upper);
            let max = _mm512_max_ps(upper, lower);
            Self::store(value, Self::relu(_mm512_add_ps(max, bias)));
            let above = _mm512_mask_mov_epi32(_mm512_setzero_si512(), top, _mm512_set1_epi32(1));
            let below = _mm512_mask_blend_epi32(bottom, _mm512_set1_epi32(4), _mm512_set1_epi32(5));
            let from = _mm512_mask_blend_epi32(down, above, below);
            _mm_storeu_si128(origin.cast(), _mm512_cvtepi32_epi8(from));
        }
    }
    #[inline(always)]
    unsafe fn origin(p: *const u8) -> __m512i {
        // SAFETY: see the note above.
        unsafe { _mm512_cvtepu8_epi32(_mm_loadu_si128(p.cast())) }
    }
    #[inline(always)]
    unsafe fn pick(patch: *const f32, origin: __m512i, tap: usize) -> __m512 {
        // SAFETY: see the note above; a patch has 16 floats, one register.
        unsafe {
            let at = _mm512_add_epi32(origin, _mm512_set1_epi32(tap as i32));
            _mm512_permutexvar_ps(at, _mm512_loadu_ps(patch))
        }
    }
    #[inline(always)]
    unsafe fn grey(from: *const u8, pitch: usize, to: *mut f32) {
        // SAFETY: see the note above; four bytes in each of four rows.
        unsafe {
            let row = |y: usize| from.add(y * pitch).cast::<i32>().read_unaligned();
            let bytes = _mm_set_epi32(row(3), row(2), row(1), row(0));
            let floats = _mm512_cvtepi32_ps(_mm512_cvtepu8_epi32(bytes));
            Self::store(to, _mm512_mul_ps(floats, _mm512_set1_ps(PIXEL_SCALE)));
        }
    }
    #[inline(always)]
    unsafe fn survivors(map: Channels, first: usize, lists: [*mut u32; 5], counts: &mut [usize; 5]) {
        // SAFETY: see the note above; a list has room for a whole vector behind its count.
        unsafe {
            let zero = _mm512_setzero_ps();
            let on = _mm512_cmp_ps_mask::<_CMP_GT_OQ>(Self::load(map.value.add(first)), zero);
            let g = Self::load(map.gradient.add(first));
            let alive = _mm512_mask_cmp_ps_mask::<_CMP_NEQ_UQ>(on, g, zero);
            let from = _mm_loadu_si128(map.origin.add(first).cast());
            let step = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
            let channel = _mm512_add_epi32(_mm512_set1_epi32(first as i32), step);
            for (corner, &at) in CORNERS.iter().enumerate() {
                let here = _mm_mask_cmpeq_epi8_mask(alive, from, _mm_set1_epi8(at as i8));
                // Compressing to memory is slow on Zen 4; compressing a register and storing all is not.
                let packed = _mm512_maskz_compress_epi32(here, channel);
                _mm512_storeu_si512(lists[corner].add(counts[corner]).cast(), packed);
                counts[corner] += here.count_ones() as usize;
            }
            let packed = _mm512_maskz_compress_epi32(alive, channel);
            _mm512_storeu_si512(lists[4].add(counts[4]).cast(), packed);
            counts[4] += alive.count_ones() as usize;
        }
    }
    #[inline(always)]
    unsafe fn transpose(from: *const f32, from_pitch: usize, to: *mut f32, to_pitch: usize) {
        // SAFETY: see the note above; sixteen rows of sixteen floats on both sides.
        unsafe {
            let mut rows = [_mm512_setzero_ps(); 16];
            for (i, row) in rows.iter_mut().enumerate() {
                *row = Self::load(from.add(i * from_pitch));
            }
            // Within 128-bit lanes: 4x4 blocks.
            let mut t = rows;
            for (four, t) in rows.chunks_exact(4).zip(t.chunks_exact_mut(4)) {
                let low = (_mm512_unpacklo_ps(four[0], four[1]), _mm512_unpacklo_ps(four[2], four[3]));
                t[0] = _mm512_shuffle_ps::<0x44>(low.0, low.1);
                t[1] = _mm512_shuffle_ps::<0xee>(low.0, low.1);
                let high = (_mm512_unpackhi_ps(four[0], four[1]), _mm512_unpackhi_ps(four[2], four[3]));
                t[2] = _mm512_shuffle_ps::<0x44>(high.0, high.1);
                t[3] = _mm512_shuffle_ps::<0xee>(high.0, high.1);
            }
            // Then the lanes themselves: t[4 * i + j] holds columns j, j + 4, j + 8, j + 12 of rows 4i..4i + 4.
            for j in 0..4 {
                let low = _mm512_shuffle_f32x4::<0x88>(t[j], t[4 + j]);
                let high = _mm512_shuffle_f32x4::<0xdd>(t[j], t[4 + j]);
                let low2 = _mm512_shuffle_f32x4::<0x88>(t[8 + j], t[12 + j]);
                let high2 = _mm512_shuffle_f32x4::<0xdd>(t[8 + j], t[12 + j]);
                Self::store(to.add(j * to_pitch), _mm512_shuffle_f32x4::<0x88>(low, low2));
                Self::store(to.add((j + 8) * to_pitch), _mm512_shuffle_f32x4::<0xdd>(low, low2));
                Self::store(to.add((j + 4) * to_pitch), _mm512_shuffle_f32x4::<0x88>(high, high2));
                Self::store(to.add((j + 12) * to_pitch), _mm512_shuffle_f32x4::<0xdd>(high, high2));
            }
        }
    }
}
