//! An optimizer: gradient descent with momentum, as PyTorch's `SGD(momentum=…)` computes it.
//!
//! `v ← μ v + g`, `w ← w - lr v` (Sutskever et al., "On the importance of initialization and momentum in deep
//! learning", ICML 2013, in PyTorch's form).

use fm_engines::{Optimizer, OptimizerDef, Param, TorchError, to_device};
use fm_train::engine::{Rates, State};
use tch::{TchError, Tensor};

/// With μ = 0.9.
pub(crate) const MOMENTUM: OptimizerDef =
    OptimizerDef { name: "momentum", build: |params, _| Ok(Box::new(Momentum::new(0.9, params)?)) };

/// The group and the counter that it adds to a checkpoint.
pub(crate) const VELOCITY: &str = "velocity";
pub(crate) const STEPS: &str = "momentum-steps";

#[derive(Debug)]
pub(crate) struct Momentum {
    mu: f64,
    params: Vec<(Param, Tensor)>,
    steps: u64,
}

impl Momentum {
    pub(crate) fn new(mu: f64, params: Vec<Param>) -> Result<Self, TchError> {
        let zeros = |param: Param| Ok((param.tensor.f_detach()?.f_zeros_like()?, param));
        let params = params.into_iter().map(|param| zeros(param).map(|(velocity, param)| (param, velocity)));
        Ok(Self { mu, params: params.collect::<Result<_, TchError>>()?, steps: 0 })
    }
}

impl Optimizer for Momentum {
    fn step(&mut self, rates: Rates) -> Result<(), TorchError> {
        let _guard = tch::no_grad_guard();
        for (Param { part, tensor, .. }, velocity) in &mut self.params {
            let _ = velocity.f_mul_scalar_(self.mu)?.f_add_(&tensor.f_grad()?)?;
            let _ = tensor.f_sub_(&velocity.f_mul_scalar(rates.of(*part))?)?;
            tensor.zero_grad();
        }
        self.steps += 1;
        Ok(())
    }

    fn state(&self) -> Result<State, TorchError> {
        let velocities = self.params.iter().map(|(param, v)| fm_models::to_host(&param.name, v));
        Ok(State::default().with(VELOCITY, velocities.collect::<Result<_, _>>()?).counting(STEPS, self.steps))
    }

    fn restore(&mut self, state: &State) -> Result<(), TorchError> {
        for (param, velocity) in &mut self.params {
            let saved = to_device(state.tensor(VELOCITY, &param.name)?, velocity)?;
            velocity.f_copy_(&saved)?;
        }
        self.steps = state.count(STEPS)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use fm_net::Part;
    use tch::{Kind, kind::FLOAT_CPU};

    use super::*;

    #[test]
    fn two_steps_by_hand() {
        let tensor = Tensor::ones([2], FLOAT_CPU).set_requires_grad(true);
        let param = Param { name: "head.w".to_owned(), part: Part::Head, tensor: tensor.shallow_clone() };
        let mut momentum = Momentum::new(0.9, vec![param]).unwrap();
        for _ in 0..2 {
            (&tensor * 3.0).sum(Kind::Float).backward();
            momentum.step(Rates { encoder: 7.0, head: 0.1 }).map_err(fm_run::error::Error::from).unwrap();
        }
        // Velocities 3, then 0.9 · 3 + 3 = 5.7.
        assert!((tensor.double_value(&[1]) - (1.0 - 0.1 * (3.0 + 5.7))).abs() < 1e-6);
    }
}
