//! Settings, and what training hands back besides parameters.

use crate::kernels::adam::Rule;
use crate::worker::{Moving, Use};
use crate::{Error, Isa};

/// How to run, as opposed to what.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Threads, the caller's included; 0 takes as many as the machine offers.
    pub threads: usize,
    /// The code path; `None` takes the fastest.
    pub isa: Option<Isa>,
    /// Most rows a training batch may have.
    pub max_batch: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { threads: 0, isa: None, max_batch: 32 }
    }
}

/// Which parameters train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Scope {
    /// All of them.
    #[default]
    All,
    /// The dense layers; the convolutions stay as they are.
    Head,
    /// The convolutions; the dense layers stay as they are.
    Encoder,
}

/// Adam in Keras' form: `w -= lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adam {
    /// Learning rate of the convolutions.
    pub lr_encoder: f64,
    /// Learning rate of the dense layers.
    pub lr_head: f64,
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment.
    pub eps: f64,
    /// Which parameters train.
    pub scope: Scope,
}

impl Default for Adam {
    /// Keras' defaults.
    fn default() -> Self {
        Self { lr_encoder: 1e-3, lr_head: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-7, scope: Scope::All }
    }
}

impl Adam {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let positive = |x: f64| x.is_finite() && x >= 0.0;
        if !positive(self.lr_encoder) || !positive(self.lr_head) {
            return Err(Error::Adam("a learning rate must be finite and not negative"));
        }
        if !(0.0..1.0).contains(&self.beta1) || !(0.0..1.0).contains(&self.beta2) {
            return Err(Error::Adam("a beta must be at least 0 and below 1"));
        }
        if !positive(self.eps) {
            return Err(Error::Adam("epsilon must be finite and not negative"));
        }
        Ok(())
    }

    pub(crate) fn moving(&self) -> Moving {
        Moving { encoder: self.scope != Scope::Head, head: self.scope != Scope::Encoder }
    }

    pub(crate) fn rules(&self, step: u64) -> Use {
        let correction = (1.0 - self.beta2.powf(step as f64)).sqrt() / (1.0 - self.beta1.powf(step as f64));
        let rule = |rate: f64| Rule {
            rate: (rate * correction) as f32,
            fresh1: (1.0 - self.beta1) as f32,
            fresh2: (1.0 - self.beta2) as f32,
            eps: self.eps as f32,
        };
        Use::Adam { encoder: rule(self.lr_encoder), head: rule(self.lr_head) }
    }
}

/// Adam's state, in PyTorch's parameter order.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// First moments.
    pub m: Vec<f32>,
    /// Second moments.
    pub v: Vec<f32>,
    /// Steps taken.
    pub step: u64,
}

/// What training has seen since the totals were last taken: the state before each update.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Totals {
    /// Sum of the images' losses.
    pub loss: f64,
    /// Images whose first highest score was their label's.
    pub correct: u64,
    /// Images seen.
    pub images: u64,
    /// A loss was infinite or not a number.
    pub non_finite: bool,
}
