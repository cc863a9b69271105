//! Activations of whole vectors, and their derivatives.

use fm_net::Activation;

use crate::simd::Simd;

/// A function of each lane. The loop has a fixed length and no branches, which compilers turn into vectors.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
pub(crate) unsafe fn each<S: Simd>(v: S::V, f: impl Fn(f32) -> f32) -> S::V {
    let mut lanes = [0.0_f32; 16];
    // SAFETY: the array has room for the widest vector.
    unsafe {
        S::store(lanes.as_mut_ptr(), v);
        for lane in &mut lanes[..S::N] {
            *lane = f(*lane);
        }
        S::load(lanes.as_ptr())
    }
}

/// What a point computes last: an activation, or nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Act(pub(crate) Option<Activation>);

impl Act {
    /// Whether the derivative follows from the value alone.
    pub(crate) fn by_value(self) -> bool {
        matches!(self.0, None | Some(Activation::Relu | Activation::Sigmoid))
    }
}

/// e^x, within 2 units in the last place from -87 to 88; beyond, the values there. (Cephes' polynomial.)
#[inline(always)]
pub(crate) fn exp(x: f32) -> f32 {
    let x = if x < -87.0 { -87.0 } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    // Adding 1.5 * 2^23 rounds to a whole number, which then stands in the low bits.
    let magic = 12_582_912.0_f32;
    let shifted = x * std::f32::consts::LOG2_E + magic;
    let n = shifted - magic;
    let r = x - n * 0.693_359_4;
    let r = r - n * -2.121_944_4e-4;
    let mut p = 1.987_569_1e-4;
    p = p * r + 1.398_199_9e-3;
    p = p * r + 8.333_452e-3;
    p = p * r + 4.166_579_6e-2;
    p = p * r + 1.666_666_5e-1;
    p = p * r + 0.5;
    p = p * r * r + r + 1.0;
    p * f32::from_bits(shifted.to_bits().wrapping_add(127) << 23)
}

/// 1 / (1 + e^-x).
#[inline(always)]
pub(crate) fn sigmoid(x: f32) -> f32 {
    1.0 / (1.0 + exp(-x))
}

/// The error function within a few units in the last place: a rational function up to 4, 1 beyond
/// (the coefficients of Eigen's and XLA's single-precision version).
#[inline(always)]
pub(crate) fn erf(x: f32) -> f32 {
    let x = if x < -4.0 { -4.0 } else { x };
    let x = if x > 4.0 { 4.0 } else { x };
    let s = x * x;
    let mut p = -2.726_142_3e-10_f32;
    p = p * s + 2.770_681_4e-8;
    p = p * s + -2.101_024e-6;
    p = p * s + -5.692_506_4e-5;
    p = p * s + -7.349_906_4e-4;
    p = p * s + -2.954_6e-3;
    p = p * s + -1.609_603_3e-2;
    let mut q = -1.456_607_2e-5_f32;
    q = q * s + -2.133_740_6e-4;
    q = q * s + -1.682_827e-3;
    q = q * s + -7.373_329e-3;
    q = q * s + -1.426_474e-2;
    x * p / q
}

/// Φ(x), the normal distribution.
#[inline(always)]
fn normal(x: f32) -> f32 {
    0.5 + 0.5 * erf(x * std::f32::consts::FRAC_1_SQRT_2)
}

/// The activation of `u`.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
pub(crate) unsafe fn value<S: Simd>(act: Act, u: S::V) -> S::V {
    // SAFETY: the instruction set is there, says the caller.
    unsafe {
        match act.0 {
            None => u,
            Some(Activation::Relu) => S::relu(u),
            Some(Activation::Gelu) => S::mul(u, each::<S>(u, normal)),
            Some(Activation::Silu) => S::mul(u, each::<S>(u, sigmoid)),
            Some(Activation::Sigmoid) => each::<S>(u, sigmoid),
        }
    }
}

/// `g` times the derivative at `u`, whose activation is `z`.
///
/// # Safety
/// The instruction set is there; no one else uses what is written here, nor writes what is read.
#[inline(always)]
pub(crate) unsafe fn slope<S: Simd>(act: Act, g: S::V, u: S::V, z: S::V) -> S::V {
    // SAFETY: the instruction set is there, says the caller.
    unsafe {
        match act.0 {
            None => g,
            Some(Activation::Relu) => S::gate(g, z),
            Some(Activation::Gelu) => {
                let density = |x: f32| x * 0.398_942_3 * exp(-0.5 * x * x);
                S::mul(g, each::<S>(u, |x| normal(x) + density(x)))
            }
            Some(Activation::Silu) => {
                let d = |x: f32| {
                    let s = sigmoid(x);
                    s * (1.0 + x * (1.0 - s))
                };
                S::mul(g, each::<S>(u, d))
            }
            Some(Activation::Sigmoid) => S::mul(g, S::mul(z, S::sub(S::splat(1.0), z))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// erf by its series, in f64.
    fn series(x: f64) -> f64 {
        let (mut term, mut sum) = (x, x);
        for n in 1..200 {
            term *= -x * x / f64::from(n);
            sum += term / f64::from(2 * n + 1);
        }
        sum * std::f64::consts::FRAC_2_SQRT_PI
    }

    #[test]
    fn exp_and_erf_are_within_a_few_units() {
        for i in -4000..=4000 {
            let x = i as f32 / 50.0;
            let (ours, theirs) = (f64::from(exp(x)), f64::from(x).exp());
            assert!((ours / theirs - 1.0).abs() < 4e-7, "exp({x}): {ours} {theirs}");
            let x = i as f32 / 1000.0;
            let (ours, theirs) = (f64::from(erf(x)), series(f64::from(x)));
            assert!((ours - theirs).abs() < 4e-7, "erf({x}): {ours} {theirs}");
        }
        assert!(exp(f32::NAN).is_nan() && sigmoid(f32::NAN).is_nan());
        assert!(exp(-1e9) < 1e-37 && sigmoid(1e9) > 0.999_999_9);
    }
}
