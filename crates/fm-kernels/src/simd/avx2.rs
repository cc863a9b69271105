//! AVX2 with FMA: eight lanes, sixteen registers.

use std::arch::x86_64::{
    __m256, __m256i, _CMP_EQ_OQ, _CMP_GT_OQ, _CMP_NLE_UQ, _mm_loadl_epi64, _mm256_add_epi32, _mm256_add_ps,
    _mm256_and_ps, _mm256_blend_ps, _mm256_blendv_ps, _mm256_castsi256_ps, _mm256_cmp_ps,
    _mm256_cvtepu8_epi32, _mm256_div_ps, _mm256_fmadd_ps, _mm256_loadu_ps, _mm256_max_ps, _mm256_mul_ps,
    _mm256_permute2f128_ps, _mm256_permutevar8x32_ps, _mm256_set1_epi32, _mm256_set1_ps, _mm256_setzero_ps,
    _mm256_shuffle_ps, _mm256_slli_epi32, _mm256_sqrt_ps, _mm256_storeu_ps, _mm256_sub_ps,
};

use super::Simd;

/// The path for CPUs since 2013.
#[derive(Clone, Copy)]
pub(crate) struct Avx2;

// Every block below: the instruction set and the elements behind the pointers, says the caller.
impl Simd for Avx2 {
    type V = __m256;
    type Origin = __m256i;
    const N: usize = 8;
    const WIDE: usize = 2;
    const RUN: usize = 3;

    #[inline(always)]
    unsafe fn splat(x: f32) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_set1_ps(x) }
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_loadu_ps(p) }
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: __m256) {
        // SAFETY: see the note above.
        unsafe { _mm256_storeu_ps(p, v) }
    }
    #[inline(always)]
    unsafe fn add(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_add_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sub(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_sub_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn mul(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_mul_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn div(a: __m256, b: __m256) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_div_ps(a, b) }
    }
    #[inline(always)]
    unsafe fn sqrt(a: __m256) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_sqrt_ps(a) }
    }
    #[inline(always)]
    unsafe fn fma(a: __m256, b: __m256, c: __m256) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_fmadd_ps(a, b, c) }
    }
    #[inline(always)]
    unsafe fn relu(v: __m256) -> __m256 {
        // SAFETY: see the note above. The second operand is what comes back for NaN.
        unsafe { _mm256_max_ps(_mm256_setzero_ps(), v) }
    }
    #[inline(always)]
    unsafe fn gate(g: __m256, x: __m256) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_and_ps(g, _mm256_cmp_ps::<_CMP_GT_OQ>(x, _mm256_setzero_ps())) }
    }
    #[inline(always)]
    unsafe fn above(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_GT_OQ>(a, b)) }
    }
    #[inline(always)]
    unsafe fn equal(a: __m256, b: __m256, x: __m256, y: __m256) -> __m256 {
        // SAFETY: see the note above.
        unsafe { _mm256_blendv_ps(y, x, _mm256_cmp_ps::<_CMP_EQ_OQ>(a, b)) }
    }
    #[inline(always)]
    unsafe fn sum(v: __m256) -> f32 {
        let mut lanes = [0.0_f32; 8];
        // SAFETY: see the note above; eight lanes.
        unsafe { Self::store(lanes.as_mut_ptr(), v) };
        let pair = |i: usize| lanes[i] + lanes[i + 4];
        (pair(0) + pair(1)) + (pair(2) + pair(3))
    }
    #[inline(always)]
    unsafe fn sums(from: *const f32, to: *mut f32) {
        // SAFETY: see the note above; sixteen vectors and sixteen floats, says the caller.
        unsafe {
            for half in [0, 8] {
                // Lanes four apart of two vectors; then neighbours, twice: the order of `sum`.
                let apart = |i: usize| {
                    let (a, b) =
                        (Self::load(from.add((half + i) * 8)), Self::load(from.add((half + i + 4) * 8)));
                    Self::add(_mm256_blend_ps::<0xf0>(a, b), _mm256_permute2f128_ps::<0x21>(a, b))
                };
                let near = |a, b| Self::add(_mm256_shuffle_ps::<0x88>(a, b), _mm256_shuffle_ps::<0xdd>(a, b));
                Self::store(to.add(half), near(near(apart(0), apart(1)), near(apart(2), apart(3))));
            }
        }
    }
    #[inline(always)]
    unsafe fn pool(y: [__m256; 4], bias: __m256, value: *mut f32, origin: *mut u8) {
        // SAFETY: see the note above; the origins go through a local array of the same eight lanes.
        unsafe {
            let later = |old, new| _mm256_cmp_ps::<_CMP_NLE_UQ>(new, old);
            let top = later(y[0], y[1]);
            let bottom = later(y[2], y[3]);
            let upper = _mm256_blendv_ps(y[0], y[1], top);
            let lower = _mm256_blendv_ps(y[2], y[3], bottom);
            let down = later(upper, lower);
            let max = _mm256_blendv_ps(upper, lower, down);
            Self::store(value, Self::relu(_mm256_add_ps(max, bias)));
            let corner = |at| _mm256_castsi256_ps(_mm256_set1_epi32(at));
            let above = _mm256_blendv_ps(corner(0), corner(1), top);
            let below = _mm256_blendv_ps(corner(4), corner(5), bottom);
            let from = _mm256_blendv_ps(above, below, down);
            let mut lanes = [0_u32; 8];
            _mm256_storeu_ps(lanes.as_mut_ptr().cast(), from);
            origin.cast::<[u8; 8]>().write_unaligned(lanes.map(|lane| lane as u8));
        }
    }
    #[inline(always)]
    unsafe fn origin(p: *const u8) -> __m256i {
        // SAFETY: see the note above.
        unsafe { _mm256_cvtepu8_epi32(_mm_loadl_epi64(p.cast())) }
    }
    #[inline(always)]
    unsafe fn pick(patch: *const f32, origin: __m256i, tap: usize) -> __m256 {
        // SAFETY: see the note above; a patch has 16 floats.
        unsafe {
            let at = _mm256_add_epi32(origin, _mm256_set1_epi32(tap as i32));
            // The permutation looks at three bits; the fourth says which half of the patch.
            let low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(patch), at);
            let high = _mm256_permutevar8x32_ps(_mm256_loadu_ps(patch.add(8)), at);
            _mm256_blendv_ps(low, high, _mm256_castsi256_ps(_mm256_slli_epi32::<28>(at)))
        }
    }
}
