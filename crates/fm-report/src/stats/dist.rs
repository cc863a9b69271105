//! Normal and Student's t distribution, as far as the tests need them.

use statrs::distribution::{ChiSquared, Continuous, ContinuousCDF, Normal, StudentsT};
use statrs::function::beta::beta_reg;
use statrs::function::erf::erfc;

/// The standard normal distribution's quantile.
///
/// # Panics
/// When `p` is not between 0 and 1.
pub fn normal_quantile(p: f64) -> f64 {
    Normal::standard().inverse_cdf(p)
}

/// The standard normal distribution function.
pub(crate) fn normal_cdf(z: f64) -> f64 {
    0.5 * erfc(-z / std::f64::consts::SQRT_2)
}

/// The quantile of Student's t with `df` degrees of freedom, which need not be whole.
///
/// # Panics
/// When `p` is not between 0 and 1 or `df` is not positive.
pub fn t_quantile(p: f64, df: f64) -> f64 {
    let Ok(student) = StudentsT::new(0.0, 1.0, df) else { panic!("{df} degrees of freedom") };
    let mut t = student.inverse_cdf(p);
    // The library's search ends early for many degrees of freedom; Newton's steps bring back all digits.
    for _ in 0..2 {
        let density = student.pdf(t);
        if t.is_finite() && density > 0.0 {
            t -= (student.cdf(t) - p) / density;
        }
    }
    t
}

/// The probability that Student's t with `df` degrees of freedom is further from zero than `t`.
pub fn two_sided_t(t: f64, df: f64) -> f64 {
    if t.is_infinite() { 0.0 } else { beta_reg(df / 2.0, 0.5, df / (df + t * t)) }
}

/// The quantile of the chi-squared distribution with `df` degrees of freedom, which need not be whole.
///
/// # Panics
/// When `p` is not between 0 and 1 or `df` is not positive.
pub fn chi_squared_quantile(p: f64, df: f64) -> f64 {
    let Ok(chi_squared) = ChiSquared::new(df) else { panic!("{df} degrees of freedom") };
    let mut x = chi_squared.inverse_cdf(p);
    // As for t.
    for _ in 0..2 {
        let density = chi_squared.pdf(x);
        if x.is_finite() && density > 0.0 {
            x -= (chi_squared.cdf(x) - p) / density;
        }
    }
    x
}
