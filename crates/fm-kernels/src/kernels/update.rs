//! Updates of a range of parameters: decay, the optimizer's rule, the moving average.

use crate::simd::Simd;

/// One update of some parameters and of what the optimizer keeps of them.
pub(crate) struct Update<'a> {
    pub(crate) w: &'a mut [f32],
    pub(crate) m: &'a mut [f32],
    pub(crate) v: &'a mut [f32],
    /// The moving average; empty where the rule keeps none.
    pub(crate) average: &'a mut [f32],
    pub(crate) g: &'a [f32],
    pub(crate) rule: Rule,
}

/// Which rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Adam in Keras' form: epsilon is added to the root of the uncorrected second moment.
    Adam,
    /// Nesterov momentum.
    Sgd,
    /// The gradient, or what stands in its place.
    Descent,
}

/// The numbers of a step.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) kind: Kind,
    /// Learning rate; for Adam times `sqrt(1 - beta2^t) / (1 - beta1^t)`.
    pub(crate) rate: f32,
    /// `1 - beta1`, or the momentum.
    pub(crate) fresh1: f32,
    /// `1 - beta2`.
    pub(crate) fresh2: f32,
    pub(crate) eps: f32,
    /// What the parameters are multiplied by first.
    pub(crate) keep: f32,
    /// How much of the new parameters the average takes in, where there is one.
    pub(crate) fresh: Option<f32>,
}

impl Rule {
    /// Subtracts what stands in the gradient's place, times the rate; moments stay.
    pub(crate) fn descent(rate: f32) -> Self {
        Self { kind: Kind::Descent, ..Self::sgd(rate, 0.0) }
    }

    pub(crate) fn sgd(rate: f32, momentum: f32) -> Self {
        Self { kind: Kind::Sgd, rate, fresh1: momentum, fresh2: 0.0, eps: 0.0, keep: 1.0, fresh: None }
    }
}

/// # Safety
/// The instruction set is there.
#[inline(always)]
pub(crate) unsafe fn run<S: Simd>(args: Update<'_>) {
    let Update { w, m, v, average, g, rule } = args;
    let len = w.len();
    assert!(len.is_multiple_of(16) && m.len() == len && v.len() == len && g.len() >= len, "{len} parameters");
    if rule.keep.to_bits() != 1.0_f32.to_bits() {
        for w in w.iter_mut() {
            *w *= rule.keep;
        }
    }
    // SAFETY: the instruction set is there, says the caller; the lengths are right.
    unsafe {
        match rule.kind {
            Kind::Adam => adam::<S>(w, m, v, g, rule),
            Kind::Sgd => sgd::<S>(w, m, g, rule),
            Kind::Descent => descent::<S>(w, g, rule),
        }
        if let Some(fresh) = rule.fresh {
            assert!(average.len() == len, "{len} averages");
            blend::<S>(average, w, fresh);
        }
    }
}

/// # Safety
/// The instruction set is there; the slices have the length of `w`, a multiple of the vector.
#[inline(always)]
unsafe fn adam<S: Simd>(w: &mut [f32], m: &mut [f32], v: &mut [f32], g: &[f32], rule: Rule) {
    // SAFETY: four slices of at least `len` floats, a multiple of the vector.
    unsafe {
        let rate = S::splat(-rule.rate);
        let (fresh1, fresh2) = (S::splat(rule.fresh1), S::splat(rule.fresh2));
        let eps = S::splat(rule.eps);
        for at in (0..w.len()).step_by(S::N) {
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

/// # Safety
/// As for [`adam`].
#[inline(always)]
unsafe fn sgd<S: Simd>(w: &mut [f32], m: &mut [f32], g: &[f32], rule: Rule) {
    // SAFETY: three slices of at least `len` floats, a multiple of the vector.
    unsafe {
        let (rate, momentum) = (S::splat(-rule.rate), S::splat(rule.fresh1));
        for at in (0..w.len()).step_by(S::N) {
            let (m, w) = (m.as_mut_ptr().add(at), w.as_mut_ptr().add(at));
            let g = S::load(g.as_ptr().add(at));
            let sum = S::fma(momentum, S::load(m), g);
            S::store(m, sum);
            S::store(w, S::fma(rate, S::fma(momentum, sum, g), S::load(w)));
        }
    }
}

/// # Safety
/// As for [`adam`].
#[inline(always)]
unsafe fn descent<S: Simd>(w: &mut [f32], g: &[f32], rule: Rule) {
    // SAFETY: two slices of at least `len` floats, a multiple of the vector.
    unsafe {
        let rate = S::splat(-rule.rate);
        for at in (0..w.len()).step_by(S::N) {
            let w = w.as_mut_ptr().add(at);
            S::store(w, S::fma(rate, S::load(g.as_ptr().add(at)), S::load(w)));
        }
    }
}

/// `average += fresh * (w - average)`.
///
/// # Safety
/// As for [`adam`].
#[inline(always)]
unsafe fn blend<S: Simd>(average: &mut [f32], w: &[f32], fresh: f32) {
    if fresh.to_bits() == 1.0_f32.to_bits() {
        return average.copy_from_slice(w);
    }
    // SAFETY: two slices of the same length, a multiple of the vector.
    unsafe {
        let fresh = S::splat(fresh);
        for at in (0..w.len()).step_by(S::N) {
            let average = average.as_mut_ptr().add(at);
            let old = S::load(average);
            S::store(average, S::fma(fresh, S::sub(S::load(w.as_ptr().add(at)), old), old));
        }
    }
}
