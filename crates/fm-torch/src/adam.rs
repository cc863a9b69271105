//! Adam with its state in the open: one fused kernel updates all parameters, and moments and step count
//! can be taken out and put back.

use tch::{Device, Kind, TchError, Tensor};

use crate::ffi::{self, RawTensor};

/// Adam's constants (Kingma & Ba, "Adam: A Method for Stochastic Optimization", ICLR 2015).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AdamConfig {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Whether ε is added before the bias correction, as in Keras (the paper's ε̂), or after it, as in PyTorch.
    pub before: bool,
}

impl AdamConfig {
    /// Keras' form and constants.
    pub const KERAS: Self = Self { beta1: 0.9, beta2: 0.999, eps: 1e-7, before: true };
    /// PyTorch's form and constants.
    pub const PYTORCH: Self = Self { beta1: 0.9, beta2: 0.999, eps: 1e-8, before: false };
}

/// The optimizer of a fixed list of parameters that share a learning rate.
#[derive(Debug)]
pub struct Adam {
    config: AdamConfig,
    params: Vec<Tensor>,
    m: Vec<Tensor>,
    v: Vec<Tensor>,
    /// The step count where the kernel wants it: on the device, as a float.
    count: Tensor,
    step: u64,
}

impl Adam {
    /// A fresh optimizer over `params`: moments and step are zero.
    ///
    /// # Errors
    /// When libtorch cannot allocate the moments.
    pub fn new(config: AdamConfig, params: Vec<Tensor>) -> Result<Self, TchError> {
        let zeros = || params.iter().map(|p| p.f_detach()?.f_zeros_like()).collect::<Result<Vec<_>, _>>();
        let (m, v) = (zeros()?, zeros()?);
        let device = params.first().map_or(Device::Cpu, Tensor::device);
        let count = Tensor::f_zeros([] as [i64; 0], (Kind::Float, device))?;
        Ok(Self { config, params, m, v, count, step: 0 })
    }

    /// Updates the parameters from their gradients and drops those.
    ///
    /// # Errors
    /// When a parameter has no gradient, or libtorch fails.
    pub fn step(&mut self, lr: f64) -> Result<(), TchError> {
        self.step += 1;
        let _ = self.count.f_fill_(self.step as f64)?;
        let pointers = |tensors: &mut [Tensor]| -> Vec<RawTensor> {
            tensors.iter_mut().map(|t| t.as_mut_ptr().cast()).collect()
        };
        let (params, m, v) = (pointers(&mut self.params), pointers(&mut self.m), pointers(&mut self.v));
        let AdamConfig { beta1, beta2, eps, before } = self.config;
        // libtorch divides √v by √(1-β₂ᵗ) and then adds ε. Handing it ε/√(1-β₂ᵗ) makes the quotient the
        // same as Keras', which adds ε to √v first.
        let correction = if before { (1.0 - beta2.powf(self.step as f64)).sqrt() } else { 1.0 };
        // SAFETY: three lists of the same length and a count, all live tensors and borrowed for the call;
        // the shim keeps no handle.
        ffi::check(unsafe {
            let (p, m, v, count) = (params.as_ptr(), m.as_ptr(), v.as_ptr(), self.count.as_mut_ptr().cast());
            ffi::fm_fused_adam(params.len(), p, m, v, count, lr, beta1, beta2, eps / correction)
        })
    }

    /// Steps taken since the optimizer was fresh.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.step
    }

    /// First and second moment of each parameter, in the order given to [`Adam::new`].
    pub fn moments(&self) -> impl Iterator<Item = (&Tensor, &Tensor)> {
        self.m.iter().zip(&self.v)
    }

    /// Puts back what [`Adam::steps`] and [`Adam::moments`] gave.
    ///
    /// # Errors
    /// When a shape differs or the count does.
    pub fn restore(&mut self, step: u64, moments: &[(Tensor, Tensor)]) -> Result<(), TchError> {
        if moments.len() != self.m.len() {
            let (got, expected) = (moments.len(), self.m.len());
            return Err(TchError::Shape(format!("{got} pairs of moments for {expected} parameters")));
        }
        let _guard = tch::no_grad_guard();
        for (i, (m, v)) in moments.iter().enumerate() {
            if m.size() != self.m[i].size() || v.size() != self.v[i].size() {
                let expected = self.m[i].size();
                return Err(TchError::Shape(format!("moment {i} is {:?}, expected {expected:?}", m.size())));
            }
            self.m[i].f_copy_(m)?;
            self.v[i].f_copy_(v)?;
        }
        self.step = step;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Keras' update written out in f64.
    fn expected(gradients: &[f64], lr: f64) -> f64 {
        let AdamConfig { beta1, beta2, eps, .. } = AdamConfig::KERAS;
        let (mut w, mut m, mut v) = (1.0, 0.0, 0.0);
        for (i, g) in gradients.iter().enumerate() {
            let t = i as i32 + 1;
            m = beta1 * m + (1.0 - beta1) * g;
            v = beta2 * v + (1.0 - beta2) * g * g;
            w -= lr * (1.0 - beta2.powi(t)).sqrt() / (1.0 - beta1.powi(t)) * m / (v.sqrt() + eps);
        }
        w
    }

    fn run(gradients: &[f64], resume_at: Option<usize>) -> f64 {
        let w = Tensor::ones([3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let mut adam = Adam::new(AdamConfig::KERAS, vec![w.shallow_clone()]).unwrap();
        for (i, g) in gradients.iter().enumerate() {
            if resume_at == Some(i) {
                let saved: Vec<_> = adam.moments().map(|(m, v)| (m.copy(), v.copy())).collect();
                let steps = adam.steps();
                adam = Adam::new(AdamConfig::KERAS, vec![w.shallow_clone()]).unwrap();
                adam.restore(steps, &saved).unwrap();
            }
            (&w * *g).sum(Kind::Float).backward();
            adam.step(0.01).unwrap();
        }
        w.double_value(&[1])
    }

    #[test]
    fn follows_keras_epsilon() {
        // Gradients near ε, where its two placements differ most: in PyTorch's form the first step would
        // move the weight by 0.0091 instead of 0.0024.
        let gradients = [1e-6, 2e-6, -1e-6, 5e-7];
        for n in 1..=gradients.len() {
            let (got, want) = (run(&gradients[..n], None), expected(&gradients[..n], 0.01));
            assert!((got - want).abs() < 2e-7, "after {n} steps: {got}, expected {want}");
        }
        assert!((run(&gradients[..1], None) - (1.0 - 0.0091)).abs() > 1e-3);
    }

    #[test]
    fn restored_equals_uninterrupted() {
        let gradients = [0.5, -0.25, 0.125, 3.0];
        let (whole, resumed) = (run(&gradients, None), run(&gradients, Some(2)));
        assert!(whole.is_finite() && whole < 1.0);
        assert_eq!(whole.to_bits(), resumed.to_bits());
    }

    #[test]
    fn a_missing_gradient_is_an_error() {
        let w = Tensor::ones([3], (Kind::Float, Device::Cpu)).set_requires_grad(true);
        let error = Adam::new(AdamConfig::KERAS, vec![w]).unwrap().step(0.1).unwrap_err();
        assert!(error.to_string().contains("no gradient"), "{error}");
    }
}
