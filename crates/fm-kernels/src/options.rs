//! Settings, and what training hands back besides parameters.

use crate::kernels::update::{Kind, Rule};
use crate::muon::{Matrix, Muon};
use crate::worker::{Moving, Rules, Use};
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

/// How gradients become updates. `g` is the gradient, `t` the step from 1, `lr` the part's rate of this step.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// Keras' form: `w -= lr * sqrt(1 - beta2^t) / (1 - beta1^t) * m / (sqrt(v) + eps)`.
    Adam(Betas),
    /// PyTorch's form: `w -= lr * m / (1 - beta1^t) / (sqrt(v / (1 - beta2^t)) + eps)`.
    AdamW(Betas),
    /// Nesterov momentum in PyTorch's form: `b = momentum * b + g; w -= lr * (g + momentum * b)`.
    Sgd {
        /// How much of the sum of gradients is kept.
        momentum: f64,
    },
    /// Muon in PyTorch's form, `Muon(nesterov=True, adjust_lr_fn="match_rms_adamw")`, for matrices and kernels (as `[out,
    /// in * k * k]`): `b += (1 - momentum) * (g - b)`, `w -= lr * 0.2 * sqrt(larger side) * orthogonal(g + momentum * (b -
    /// g))`. What has one dimension is [`Method::PYTORCH`]'s.
    Muon {
        /// How much of the average of gradients is kept.
        momentum: f64,
    },
}

/// Adam's constants.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Betas {
    /// Decay of the first moment.
    pub beta1: f64,
    /// Decay of the second moment.
    pub beta2: f64,
    /// Added to the root of the second moment; above zero, as a normal 32-bit number.
    pub eps: f64,
}

impl Method {
    /// Adam with Keras' constants.
    pub const KERAS: Self = Self::Adam(Betas { beta1: 0.9, beta2: 0.999, eps: 1e-7 });
    /// Decoupled Adam with PyTorch's constants.
    pub const PYTORCH: Self = Self::AdamW(Betas { beta1: 0.9, beta2: 0.999, eps: 1e-8 });

    fn rule(&self, lr: f64, step: u64) -> Rule {
        let (method, rate, fresh1, fresh2, eps) = match *self {
            Self::Sgd { momentum } => return Rule::sgd(lr as f32, momentum as f32),
            // Of matrices, once what is to be subtracted stands in the gradient's place.
            Self::Muon { .. } => return Rule::descent(lr as f32),
            Self::Adam(Betas { beta1, beta2, eps }) => {
                let (first, second) = corrections(beta1, beta2, step);
                (Kind::Adam, lr * (second / first), 1.0 - beta1, 1.0 - beta2, eps)
            }
            // PyTorch's epsilon is Keras' times the second correction.
            Self::AdamW(Betas { beta1, beta2, eps }) => {
                let (first, second) = corrections(beta1, beta2, step);
                (Kind::Adam, lr * (second / first), 1.0 - beta1, 1.0 - beta2, eps * second)
            }
        };
        let (rate, fresh1, fresh2, eps) = (rate as f32, fresh1 as f32, fresh2 as f32, eps as f32);
        Rule { kind: method, rate, fresh1, fresh2, eps, keep: 1.0, fresh: None }
    }
}

/// How a phase trains.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// Learning rate of the convolutions.
    pub lr_encoder: f64,
    /// Learning rate of the dense layers.
    pub lr_head: f64,
    /// How gradients become updates.
    pub method: Method,
    /// Before each update a weight is multiplied by 1 minus this times its learning rate.
    pub weight_decay: f64,
    /// Whether biases decay too.
    pub decay_all: bool,
    /// Share of each label that is spread over all classes.
    pub smoothing: f64,
    /// Decay of a moving average of the parameters, where one is kept: the first step's parameters, then
    /// `a = d * a + (1 - d) * w` after each step.
    pub average: Option<f64>,
    /// Which parameters train.
    pub scope: Scope,
}

/// What a step does to a part of the network. Adam: `w = keep * w - rate * m / (sqrt(v) + eps)`, with both moments as
/// they are after the step and the bias corrections in `rate` and `eps`; momentum: `w = keep * w - rate * (g + momentum *
/// b)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Move {
    /// Learning rate, with Adam's corrections.
    pub rate: f32,
    /// What weights are multiplied by first.
    pub keep_weight: f32,
    /// What biases are multiplied by first.
    pub keep_bias: f32,
    /// Added to the root of the second moment; 0 without Adam.
    pub eps: f32,
}

impl Default for Recipe {
    /// Keras' Adam.
    fn default() -> Self {
        Self {
            lr_encoder: 1e-3,
            lr_head: 1e-3,
            method: Method::KERAS,
            weight_decay: 0.0,
            decay_all: false,
            smoothing: 0.0,
            average: None,
            scope: Scope::All,
        }
    }
}

impl Recipe {
    pub(crate) fn check(&self) -> Result<(), Error> {
        let positive = |x: f64| x.is_finite() && x >= 0.0;
        let share = |x: f64| (0.0..1.0).contains(&x);
        let wrong = |what| Err(Error::Recipe(what));
        if !positive(self.lr_encoder) || !positive(self.lr_head) {
            return wrong("a learning rate must be finite and not negative");
        }
        match self.method {
            Method::Adam(betas) | Method::AdamW(betas) => {
                if !share(betas.beta1) || !share(betas.beta2) {
                    return wrong("a beta must be at least 0 and below 1");
                }
                // Of a parameter that never had a gradient both moments are zero: 0 / (0 + 0) is not a number. The
                // kernels compute in 32 bits and flush what is below their smallest normal number.
                let eps = betas.eps as f32;
                if !eps.is_finite() || eps < f32::MIN_POSITIVE {
                    return wrong("epsilon must be a normal, positive 32-bit number");
                }
            }
            Method::Sgd { momentum } | Method::Muon { momentum } if !share(momentum) => {
                return wrong("momentum must be at least 0 and below 1");
            }
            Method::Sgd { .. } | Method::Muon { .. } => {}
        }
        if !positive(self.weight_decay) {
            return wrong("weight decay must be finite and not negative");
        }
        if !share(self.smoothing) || !self.average.is_none_or(share) {
            return wrong("label smoothing and the average's decay must be at least 0 and below 1");
        }
        Ok(())
    }

    pub(crate) fn moving(&self) -> Moving {
        Moving { encoder: self.scope != Scope::Head, head: self.scope != Scope::Encoder }
    }

    /// The optimizer of those matrices, where the method has one.
    pub(crate) fn muon(
        &self,
        workers: usize,
        matrices: impl FnOnce() -> Vec<Matrix>,
    ) -> Result<Option<Muon>, Error> {
        match self.method {
            Method::Muon { momentum } => Muon::new(matrices(), momentum as f32, workers).map(Some),
            _ => Ok(None),
        }
    }

    /// What step `t`, from 1, does to weights and biases of both parts.
    pub(crate) fn rules(&self, step: u64) -> Use {
        Use::Update { encoder: self.both(self.lr_encoder, step), head: self.both(self.lr_head, step) }
    }

    fn both(&self, lr: f64, step: u64) -> Rules {
        let decayed = (1.0 - lr * self.weight_decay) as f32;
        let rule = |rule: Rule, keep: f32| Rule { keep, fresh: self.fresh(step), ..rule };
        let (weight, bias) = match self.method {
            muon @ Method::Muon { .. } => (muon.rule(lr, step), Method::PYTORCH.rule(lr, step)),
            method => (method.rule(lr, step), method.rule(lr, step)),
        };
        Rules { weight: rule(weight, decayed), bias: rule(bias, if self.decay_all { decayed } else { 1.0 }) }
    }

    /// What step `t`, from 1, does to the encoder and to the head, as numbers that any kernel can take.
    #[must_use]
    pub fn moves(&self, step: u64) -> [Move; 2] {
        [self.lr_encoder, self.lr_head].map(|lr| {
            let Rules { weight, bias } = self.both(lr, step);
            Move { rate: weight.rate, keep_weight: weight.keep, keep_bias: bias.keep, eps: weight.eps }
        })
    }

    /// How much of the parameters the average takes in at step `t`, from 1, where one is kept.
    #[must_use]
    pub fn fresh(&self, step: u64) -> Option<f32> {
        self.average.map(|decay| if step == 1 { 1.0 } else { (1.0 - decay) as f32 })
    }
}

/// `1 - beta1^t` and `sqrt(1 - beta2^t)`.
fn corrections(beta1: f64, beta2: f64, step: u64) -> (f64, f64) {
    (1.0 - beta1.powf(step as f64), (1.0 - beta2.powf(step as f64)).sqrt())
}

/// What an optimizer keeps, in PyTorch's parameter order.
#[derive(Debug, Clone, PartialEq)]
pub struct Moments {
    /// First moments, or the sum of gradients that momentum keeps.
    pub m: Vec<f32>,
    /// Second moments; zero without Adam.
    pub v: Vec<f32>,
    /// Steps taken.
    pub step: u64,
}

/// What a batch's images are trained towards, row by row of the set that they come from.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// Their classes.
    pub labels: &'a [u8],
    /// Classes of the images that are mixed into them, and the share that each image itself has.
    pub mixed: Option<(&'a [u8], &'a [f32])>,
}

impl<'a, T: AsRef<[u8]> + ?Sized> From<&'a T> for Targets<'a> {
    fn from(labels: &'a T) -> Self {
        Self { labels: labels.as_ref(), mixed: None }
    }
}

impl Targets<'_> {
    /// Whether they are those of a set of `count` rows, in so many classes.
    pub(crate) fn check(self, rows: &[u32], count: usize, classes: usize) -> Result<(), Error> {
        let length = |what, got: usize, want| {
            if got == want { Ok(()) } else { Err(Error::Length { what, got, want }) }
        };
        let Self { labels, mixed } = self;
        length("labels", labels.len(), count)?;
        let (partners, shares) = mixed.unwrap_or((labels, &[]));
        length("partners' labels", partners.len(), count)?;
        length("shares", shares.len(), if mixed.is_some() { count } else { 0 })?;
        let mut both = rows.iter().flat_map(|&row| [labels[row as usize], partners[row as usize]]);
        match both.find(|&label| usize::from(label) >= classes) {
            Some(label) => Err(Error::Label { label, classes }),
            None => Ok(()),
        }
    }
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
