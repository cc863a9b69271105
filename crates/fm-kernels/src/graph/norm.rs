//! Batch norm between the rounds: statistics from the pieces' sums, coefficients, running statistics.

use super::plan::coefficient::{A, EVAL_A, INVERSE, K, MEAN};
use super::state::State;

impl State {
    /// Sums over tasks, in their order.
    pub(super) fn total(&self, tasks: usize, channel: usize, kind: usize) -> f64 {
        let pitch = self.pitch();
        let kept = self.statistics.start();
        // SAFETY: no worker is running; the statistics of so many tasks were kept.
        (0..tasks).map(|task| f64::from(unsafe { *kept.add(task * pitch + channel * 3 + kind) })).sum()
    }

    /// Mean and sum of squares about it over tasks, in their order.
    fn moments(&self, tasks: usize, channel: usize) -> (f64, f64) {
        let pitch = self.pitch();
        let (mut count, mut mean, mut about) = (0.0, 0.0, 0.0);
        for task in 0..tasks {
            let [own, own_about, own_count] = [0, 1, 2].map(|kind| {
                // SAFETY: no worker is running; the statistics of so many tasks were kept.
                f64::from(unsafe { *self.statistics.start().add(task * pitch + channel * 3 + kind) })
            });
            let off = own - mean;
            let all = count + own_count;
            mean += off * own_count / all;
            about += own_about + off * off * count * own_count / all;
            count = all;
        }
        (mean, about)
    }

    /// The batch's statistics from the forward pass's sums, for a batch of so many images; moves the running ones.
    ///
    /// # Safety
    /// No worker is running.
    pub(crate) unsafe fn norm_forward(&self, index: usize, tasks: usize, images: usize, moves: bool) {
        let norm = self.plan.norms[index];
        let count = (images * self.plan.map(norm.value).pixels()) as f64;
        let tensor = |i: usize| self.tensor(&self.params, norm.tensors + i);
        let (mean, inverse) = (self.coefficient(index, MEAN), self.coefficient(index, INVERSE));
        let a = self.coefficient(index, A);
        // SAFETY: exclusive, says the caller; within the tensors and coefficients.
        unsafe {
            for c in 0..norm.channels {
                let running = tensor(2).add(c);
                let (center, about) = self.moments(tasks, c);
                let variance = if about < 0.0 { 0.0 } else { about / count };
                let over = 1.0 / (variance + fm_net::EPS).sqrt();
                *mean.add(c) = center as f32;
                *inverse.add(c) = over as f32;
                *a.add(c) = (f64::from(*tensor(0).add(c)) * over) as f32;
                if moves {
                    let towards = |old: f32, new: f64| {
                        (f64::from(old) + fm_net::MOMENTUM * (new - f64::from(old))) as f32
                    };
                    *running = towards(*running, center);
                    let unbiased = variance * count / (count - 1.0);
                    *tensor(3).add(c) = towards(*tensor(3).add(c), unbiased);
                }
            }
        }
    }

    /// Gradients of a norm's weight and bias from the backward pass's sums (kind 0, and `kind`), and the
    /// factors of its data gradient.
    ///
    /// # Safety
    /// No worker is running.
    pub(crate) unsafe fn norm_backward(&self, index: usize, kind: usize, tasks: usize, images: usize) {
        let norm = self.plan.norms[index];
        let count = (images * self.plan.map(norm.value).pixels()) as f64;
        let k = |i: usize| self.coefficient(index, K + i);
        // SAFETY: exclusive, says the caller; within the tensors and coefficients.
        unsafe {
            for c in 0..norm.channels {
                let (alone, with) = (self.total(tasks, c, 0), self.total(tasks, c, kind));
                let over = f64::from(*self.coefficient(index, INVERSE).add(c));
                let weight = f64::from(*self.tensor(&self.params, norm.tensors).add(c));
                *self.tensor(&self.grad, norm.tensors).add(c) = (with * over) as f32;
                *self.tensor(&self.grad, norm.tensors + 1).add(c) = alone as f32;
                *k(0).add(c) = (weight * over) as f32;
                *k(1).add(c) = (-weight * over * over * over * with / count) as f32;
                *k(2).add(c) = (-weight * over * alone / count) as f32;
            }
        }
    }

    /// The factors of the data gradient of a norm in inference mode.
    ///
    /// # Safety
    /// No worker is running.
    pub(crate) unsafe fn norm_frozen(&self, index: usize) {
        // SAFETY: exclusive, says the caller; within the coefficients.
        unsafe {
            for c in 0..self.plan.norms[index].channels {
                *self.coefficient(index, K).add(c) = *self.coefficient(index, EVAL_A).add(c);
                *self.coefficient(index, K + 1).add(c) = 0.0;
                *self.coefficient(index, K + 2).add(c) = 0.0;
            }
        }
    }

    /// The affine of every norm's running statistics.
    ///
    /// # Safety
    /// No worker is running.
    pub(crate) unsafe fn norm_running(&self) {
        for (index, norm) in self.plan.norms.iter().enumerate() {
            let tensor = |i: usize| self.tensor(&self.params, norm.tensors + i);
            // SAFETY: exclusive, says the caller; within the tensors and coefficients.
            unsafe {
                for c in 0..norm.channels {
                    let over = 1.0 / (f64::from(*tensor(3).add(c)) + fm_net::EPS).sqrt();
                    *self.coefficient(index, EVAL_A).add(c) = (f64::from(*tensor(0).add(c)) * over) as f32;
                }
            }
        }
    }
}
