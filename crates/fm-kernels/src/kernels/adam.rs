//! Adam on a range of parameters.

use crate::simd::Simd;

/// One update of some parameters and their moments.
pub(crate) struct Update<'a> {
    pub(crate) w: &'a mut [f32],
    pub(crate) m: &'a mut [f32],
    pub(crate) v: &'a mut [f32],
    pub(crate) g: &'a [f32],
    pub(crate) rule: Rule,
}

/// Keras' form: epsilon is added to the root of the uncorrected second moment.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    /// Learning rate times `sqrt(1 - beta2^t) / (1 - beta1^t)`.
    pub(crate) rate: f32,
    /// `1 - beta1`.
    pub(crate) fresh1: f32,
    /// `1 - beta2`.
    pub(crate) fresh2: f32,
    pub(crate) eps: f32,
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn run<S: Simd>(args: Update<'_>) {
    let Update { w, m, v, g, rule } = args;
    let len = w.len();
    assert!(len.is_multiple_of(16) && m.len() == len && v.len() == len && g.len() >= len, "{len} parameters");
    // SAFETY: four slices of at least `len` floats, a multiple of the vector.
    unsafe {
        let rate = S::splat(-rule.rate);
        let (fresh1, fresh2) = (S::splat(rule.fresh1), S::splat(rule.fresh2));
        let eps = S::splat(rule.eps);
        for at in (0..len).step_by(S::N) {
            let (m, v) = (m.as_mut_ptr().add(at), v.as_mut_ptr().add(at));
            let w = w.as_mut_ptr().add(at);
            let g = S::load(g.as_ptr().add(at));
            let (old_m, old_v) = (S::load(m), S::load(v));
            let new_m = S::fma(fresh1, S::sub(g, old_m), old_m);
            let new_v = S::fma(fresh2, S::sub(S::mul(g, g), old_v), old_v);
            S::store(m, new_m);
            S::store(v, new_v);
            let step = S::div(S::mul(rate, new_m), S::add(S::sqrt(new_v), eps));
            S::store(w, S::add(S::load(w), step));
        }
    }
}
