//! The moving average of a network's tensors.

use fm_models::Net;
use fm_net::NamedTensor;
use fm_train::engine::State;
use tch::Tensor;

use super::Result;
use crate::optimizer::to_device;

/// `a ← d a + (1-d) w` after each step, from the first step's tensors on; buffers are averaged too.
#[derive(Debug)]
pub(super) struct Average {
    decay: f64,
    steps: u64,
    tensors: Vec<(String, Tensor)>,
}

/// The counter of steps that it has taken in.
const STEPS: &str = "ema-steps";

impl Average {
    pub(super) fn new(decay: f64, net: &Net) -> Result<Self> {
        let _guard = tch::no_grad_guard();
        let copies = net.all().map(|(name, tensor)| {
            let mut copy = tensor.f_detach()?.f_zeros_like()?;
            copy.f_copy_(tensor)?;
            Ok((name.to_owned(), copy))
        });
        Ok(Self { decay, steps: 0, tensors: copies.collect::<Result<_>>()? })
    }

    /// Takes in the tensors after a step.
    pub(super) fn update(&mut self, net: &Net) -> Result<()> {
        let _guard = tch::no_grad_guard();
        let fresh = if self.steps == 0 { 1.0 } else { 1.0 - self.decay };
        for ((_, average), (_, now)) in self.tensors.iter_mut().zip(net.all()) {
            let _ = average.f_lerp_(now, fresh)?;
        }
        self.steps += 1;
        Ok(())
    }

    pub(super) fn tensors(&self) -> Result<Vec<NamedTensor>> {
        self.tensors.iter().map(|(name, tensor)| Ok(fm_models::to_host(name, tensor)?)).collect()
    }

    pub(super) fn state(&self, state: State) -> Result<State> {
        Ok(state.with(State::EMA, self.tensors()?).counting(STEPS, self.steps))
    }

    pub(super) fn restore(&mut self, state: &State) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for (name, tensor) in &mut self.tensors {
            tensor.f_copy_(&to_device(state.tensor(State::EMA, name)?, tensor)?)?;
        }
        self.steps = state.count(STEPS)?;
        Ok(())
    }
}
