//! What moves the parameters of a network that libtorch computes.
//!
//! ```text
//! OptimizerDef ─ build ─▸ Optimizer: gradients, Rates ─ step ─▸ parameters
//!                             └ state ⇄ named groups and counters of a checkpoint
//! ```

use std::fmt::Debug;

use fm_net::{NamedTensor, Part};
use fm_run::error::{Error, Kind};
use fm_torch::{Adam, AdamConfig};
use fm_train::engine::{Rates, State};
use tch::Tensor;

use crate::torch::TorchError;

type Result<T, E = TorchError> = std::result::Result<T, E>;

/// A parameter that trains.
#[derive(Debug)]
pub struct Param {
    /// Its name, such as `encoder.conv1.weight`.
    pub name: String,
    /// The part that it belongs to, whose [rate](Rates::of) it takes.
    pub part: Part,
    /// The tensor itself, on the network's device; its gradient is there when [`Optimizer::step`] is called.
    pub tensor: Tensor,
}

/// An optimizer over the parameters of one phase. It does not outlive the phase.
pub trait Optimizer: Debug {
    /// Updates every parameter from its gradient, at its part's rate, and clears the gradient. It must not wait for
    /// the device, and autograd must not see what it does ([`tch::no_grad_guard`]).
    ///
    /// # Errors
    /// libtorch's own. The step may have happened in part.
    fn step(&mut self, rates: Rates) -> Result<()>;

    /// All that it keeps from step to step: groups of tensors, each with the name and shape of the parameter that
    /// it belongs to, and counters. Names are the optimizer's own; [`State`] says which are taken.
    ///
    /// # Errors
    /// libtorch's own.
    fn state(&self) -> Result<State>;

    /// Puts back what [`Optimizer::state`] gave; `state` may hold other groups and tensors too. From then on every
    /// step gives the same bits as without the interruption.
    ///
    /// # Errors
    /// When a group, a tensor or a counter is missing, or has the wrong shape.
    fn restore(&mut self, state: &State) -> Result<()>;
}

/// Builds a fresh optimizer over `params`, which stand in canonical order.
pub type BuildOptimizer = fn(params: Vec<Param>) -> Result<Box<dyn Optimizer>>;

/// An optimizer as an engine takes it: a name, and how it is built.
#[derive(Debug, Clone, Copy)]
pub struct OptimizerDef {
    /// What messages call it.
    pub name: &'static str,
    /// Builds it for a phase.
    pub build: BuildOptimizer,
}

/// Adam with Keras' constants.
pub const ADAM: OptimizerDef =
    OptimizerDef { name: "adam", build: |params| Ok(Box::new(Adams::new(params)?)) };

impl Default for OptimizerDef {
    /// [`ADAM`].
    fn default() -> Self {
        ADAM
    }
}

/// A host's tensor on the device of `like`.
///
/// # Errors
/// When it is not of the shape of `like`, or libtorch fails.
pub fn to_device(tensor: &NamedTensor, like: &Tensor) -> Result<Tensor> {
    let shape: Vec<i64> = tensor.shape.iter().map(|&n| n as i64).collect();
    if shape != like.size() {
        let text = format!("{} is {shape:?}, expected {:?}", tensor.name, like.size());
        return Err(Error::new(Kind::Mismatch, text).into());
    }
    Ok(Tensor::f_from_slice(&tensor.data)?.f_view(shape.as_slice())?.f_to_device(like.device())?)
}

/// Adam's groups: first and second moments.
const M: &str = "m";
const V: &str = "v";
/// Adam's counter.
const STEP: &str = "step";

/// An Adam for each part that trains, because one kernel call has one rate.
#[derive(Debug)]
struct Adams(Vec<(Part, Vec<String>, Adam)>);

impl Adams {
    fn new(params: Vec<Param>) -> Result<Self> {
        let mut parts: Vec<(Part, Vec<String>, Vec<Tensor>)> = Vec::new();
        for Param { name, part, tensor } in params {
            match parts.last_mut() {
                Some((last, names, tensors)) if *last == part => {
                    names.push(name);
                    tensors.push(tensor);
                }
                _ => parts.push((part, vec![name], vec![tensor])),
            }
        }
        let adam = |tensors| Adam::new(AdamConfig::default(), tensors);
        let parts = parts.into_iter().map(|(part, names, tensors)| Ok((part, names, adam(tensors)?)));
        Ok(Self(parts.collect::<Result<_>>()?))
    }
}

impl Optimizer for Adams {
    fn step(&mut self, rates: Rates) -> Result<()> {
        for (part, _, adam) in &mut self.0 {
            adam.step(rates.of(*part))?;
        }
        Ok(())
    }

    fn state(&self) -> Result<State> {
        let (mut m, mut v, mut step) = (Vec::new(), Vec::new(), 0);
        for (_, names, adam) in &self.0 {
            for (name, (first, second)) in names.iter().zip(adam.moments()) {
                m.push(fm_models::to_host(name, first)?);
                v.push(fm_models::to_host(name, second)?);
            }
            step = adam.steps();
        }
        Ok(State::default().with(M, m).with(V, v).counting(STEP, step))
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        for (_, names, adam) in &mut self.0 {
            let of = |group, name: &String, now: &Tensor| to_device(state.tensor(group, name)?, now);
            let moments = names.iter().zip(adam.moments());
            let moments = moments.map(|(name, (m, v))| Ok((of(M, name, m)?, of(V, name, v)?)));
            let moments = moments.collect::<Result<Vec<_>>>()?;
            adam.restore(state.count(STEP)?, &moments)?;
        }
        Ok(())
    }
}
