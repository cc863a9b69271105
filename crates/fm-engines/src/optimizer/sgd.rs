//! Stochastic gradient descent with Nesterov momentum.

use fm_train::engine::{Rates, State};
use fm_train::plan::Update;

use super::{MOMENTUM, Optimizer, Param, Result, Sums, decay};

/// `b ← μ b + g`, `w ← w - lr (g + μ b)`: PyTorch's `SGD(nesterov=True)` (Sutskever et al., "On the importance of
/// initialization and momentum in deep learning", ICML 2013).
#[derive(Debug)]
pub(super) struct Sgd {
    update: Update,
    params: Vec<Param>,
    sums: Sums,
}

impl Sgd {
    pub(super) fn new(params: Vec<Param>, update: &Update) -> Result<Self> {
        Ok(Self { update: *update, sums: Sums::zero(&params)?, params })
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, rates: Rates) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let momentum = self.update.momentum;
        for (Param { part, tensor, .. }, sum) in self.params.iter_mut().zip(&mut self.sums.0) {
            let (lr, gradient) = (rates.of(*part), tensor.f_grad()?);
            decay(tensor, &self.update, lr)?;
            let _ = sum.f_mul_scalar_(momentum)?.f_add_(&gradient)?;
            let step = sum.f_mul_scalar(momentum)?.f_add_(&gradient)?.f_mul_scalar_(lr)?;
            let _ = tensor.f_sub_(&step)?;
            tensor.zero_grad();
        }
        Ok(())
    }

    fn state(&self) -> Result<State> {
        Ok(State::default().with(MOMENTUM, self.sums.state(&self.params)?))
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.sums.restore(MOMENTUM, &self.params, state)
    }
}
