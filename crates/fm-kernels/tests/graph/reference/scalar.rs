//! Losses, and activations of one number.

use fm_net::Activation;

use super::Tensor;

pub(super) fn entropy(z: &Tensor, labels: &[u8]) -> (f64, Tensor) {
    let mut g = z.clone();
    let mut loss = 0.0;
    for (row, &label) in g.data.chunks_exact_mut(z.c).zip(labels) {
        let top = row.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = row.iter().map(|v| (v - top).exp()).sum();
        loss += sum.ln() + top - row[usize::from(label)];
        for v in &mut *row {
            *v = (*v - top).exp() / sum / labels.len() as f64;
        }
        row[usize::from(label)] -= 1.0 / labels.len() as f64;
    }
    (loss / labels.len() as f64, g)
}

pub(super) fn squares(z: &Tensor, image: &Tensor) -> (f64, Tensor) {
    let mut g = z.clone();
    let mut loss = 0.0;
    let count = z.data.len() as f64;
    for n in 0..z.n {
        for c in 0..z.c {
            for y in 0..z.h {
                for x in 0..z.w {
                    let off = z.data[z.at(n, c, y, x)] - image.data[image.at(n, c, y, x)];
                    loss += off * off;
                    g.data[z.at(n, c, y, x)] = 2.0 * off / count;
                }
            }
        }
    }
    (loss / count, g)
}

/// erf by its series or its asymptotic end.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

pub(super) fn act(a: Activation, x: f64) -> f64 {
    match a {
        Activation::Relu => x.max(0.0),
        Activation::Gelu => x * 0.5 * (1.0 + erf(x / 2.0_f64.sqrt())),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    }
}

pub(super) fn slope(a: Activation, x: f64) -> f64 {
    let s = 1.0 / (1.0 + (-x).exp());
    match a {
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Gelu => {
            let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            0.5 * (1.0 + erf(x / 2.0_f64.sqrt())) + x * density
        }
        Activation::Silu => s * (1.0 + x * (1.0 - s)),
        Activation::Sigmoid => s * (1.0 - s),
    }
}
