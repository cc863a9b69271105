//! Plain Rust in vectors of eight, which compilers turn into whatever the target has.

use super::{CORNERS, Simd};

/// The path that runs everywhere.
#[derive(Clone, Copy)]
pub(crate) struct Portable;

#[derive(Clone, Copy)]
#[repr(C, align(32))]
pub(crate) struct Eight([f32; 8]);

#[inline(always)]
fn zip(a: Eight, b: Eight, f: impl Fn(f32, f32) -> f32) -> Eight {
    let mut out = a;
    for (x, y) in out.0.iter_mut().zip(b.0) {
        *x = f(*x, y);
    }
    out
}

impl Simd for Portable {
    type V = Eight;
    type Origin = [u8; 8];
    const N: usize = 8;
    const WIDE: usize = 1;
    const RUN: usize = 3;

    #[inline(always)]
    unsafe fn splat(x: f32) -> Eight {
        Eight([x; 8])
    }
    #[inline(always)]
    unsafe fn load(p: *const f32) -> Eight {
        // SAFETY: eight floats, says the caller.
        Eight(unsafe { p.cast::<[f32; 8]>().read_unaligned() })
    }
    #[inline(always)]
    unsafe fn store(p: *mut f32, v: Eight) {
        // SAFETY: eight floats, says the caller.
        unsafe { p.cast::<[f32; 8]>().write_unaligned(v.0) }
    }
    #[inline(always)]
    unsafe fn add(a: Eight, b: Eight) -> Eight {
        zip(a, b, |a, b| a + b)
    }
    #[inline(always)]
    unsafe fn sub(a: Eight, b: Eight) -> Eight {
        zip(a, b, |a, b| a - b)
    }
    #[inline(always)]
    unsafe fn mul(a: Eight, b: Eight) -> Eight {
        zip(a, b, |a, b| a * b)
    }
    #[inline(always)]
    unsafe fn div(a: Eight, b: Eight) -> Eight {
        zip(a, b, |a, b| a / b)
    }
    #[inline(always)]
    unsafe fn sqrt(a: Eight) -> Eight {
        zip(a, a, |a, _| a.sqrt())
    }
    #[inline(always)]
    unsafe fn fma(a: Eight, b: Eight, c: Eight) -> Eight {
        // Not `mul_add`: without the instruction that is a library call per lane.
        zip(zip(a, b, |a, b| a * b), c, |ab, c| ab + c)
    }
    #[inline(always)]
    unsafe fn relu(v: Eight) -> Eight {
        zip(v, v, |v, _| if v < 0.0 { 0.0 } else { v })
    }
    #[inline(always)]
    unsafe fn gate(g: Eight, x: Eight) -> Eight {
        zip(g, x, |g, x| if x > 0.0 { g } else { 0.0 })
    }
    #[inline(always)]
    unsafe fn above(a: Eight, b: Eight, x: Eight, y: Eight) -> Eight {
        let mut out = y;
        for lane in 0..8 {
            if a.0[lane] > b.0[lane] {
                out.0[lane] = x.0[lane];
            }
        }
        out
    }
    #[inline(always)]
    #[expect(clippy::float_cmp, reason = "equality is what is asked")]
    unsafe fn equal(a: Eight, b: Eight, x: Eight, y: Eight) -> Eight {
        let mut out = y;
        for lane in 0..8 {
            if a.0[lane] == b.0[lane] {
                out.0[lane] = x.0[lane];
            }
        }
        out
    }
    #[inline(always)]
    unsafe fn sum(v: Eight) -> f32 {
        let pair = |i: usize| v.0[i] + v.0[i + 4];
        (pair(0) + pair(1)) + (pair(2) + pair(3))
    }
    #[inline(always)]
    unsafe fn pool(y: [Eight; 4], bias: Eight, value: *mut f32, origin: *mut u8) {
        for lane in 0..8 {
            let (mut max, mut from) = (y[0].0[lane], CORNERS[0]);
            for corner in 1..4 {
                let here = y[corner].0[lane];
                if here > max || here.is_nan() {
                    (max, from) = (here, CORNERS[corner]);
                }
            }
            let biased = max + bias.0[lane];
            // SAFETY: eight elements behind each pointer, says the caller.
            unsafe {
                *value.add(lane) = if biased < 0.0 { 0.0 } else { biased };
                *origin.add(lane) = from as u8;
            }
        }
    }
    #[inline(always)]
    unsafe fn origin(p: *const u8) -> [u8; 8] {
        // SAFETY: eight bytes, says the caller.
        unsafe { p.cast::<[u8; 8]>().read_unaligned() }
    }
    #[inline(always)]
    unsafe fn pick(patch: *const f32, origin: [u8; 8], tap: usize) -> Eight {
        // SAFETY: an origin is at most 5 and a tap at most 10, within the 16 floats of the patch.
        Eight(origin.map(|at| unsafe { *patch.add(at as usize + tap) }))
    }
}
