//! What moves the parameters of a network that libtorch computes.
//!
//! ```text
//! OptimizerDef ─ build ─▸ Optimizer: gradients, Rates ─ step ─▸ parameters
//!                             └ state ⇄ named groups and counters of a checkpoint
//! ```

mod adam;
mod muon;
mod sgd;

use std::fmt::Debug;

use fm_net::{NamedTensor, Part};
use fm_run::error::{Error, Kind as ErrorKind};
use fm_run::spec::Optimizer as Kind;
use fm_train::engine::{Rates, State};
use fm_train::plan::Update;
use tch::Tensor;

use adam::Adams;
use muon::Muon;
use sgd::Sgd;

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

/// Sums that belong to parameters: momenta.
#[derive(Debug)]
struct Sums(Vec<Tensor>);

impl Sums {
    fn zero(params: &[Param]) -> Result<Self> {
        let zeros = params.iter().map(|param| Ok(param.tensor.f_detach()?.f_zeros_like()?));
        zeros.collect::<Result<_>>().map(Self)
    }

    fn state(&self, params: &[Param]) -> Result<Vec<NamedTensor>> {
        params.iter().zip(&self.0).map(|(param, sum)| Ok(fm_models::to_host(&param.name, sum)?)).collect()
    }

    fn restore(&mut self, group: &str, params: &[Param], state: &State) -> Result<()> {
        let _guard = tch::no_grad_guard();
        for (param, sum) in params.iter().zip(&mut self.0) {
            sum.f_copy_(&to_device(state.tensor(group, &param.name)?, sum)?)?;
        }
        Ok(())
    }
}

/// The group of a momentum.
const MOMENTUM: &str = "momentum";

/// Builds a fresh optimizer over `params`, which stand in canonical order, as the phase asks for it.
pub type BuildOptimizer = fn(params: Vec<Param>, update: &Update) -> Result<Box<dyn Optimizer>>;

/// An optimizer as an engine takes it: a name, and how it is built.
#[derive(Debug, Clone, Copy)]
pub struct OptimizerDef {
    /// What messages call it.
    pub name: &'static str,
    /// Builds it for a phase.
    pub build: BuildOptimizer,
}

/// The project's own, by the name that `--optimizer` has for them.
pub const OPTIMIZERS: [OptimizerDef; 4] = [
    OptimizerDef {
        name: Kind::Adam.name(),
        build: |params, update| Ok(Box::new(Adams::new(params, update)?)),
    },
    OptimizerDef {
        name: Kind::AdamW.name(),
        build: |params, update| Ok(Box::new(Adams::new(params, update)?)),
    },
    OptimizerDef { name: Kind::Sgd.name(), build: |params, update| Ok(Box::new(Sgd::new(params, update)?)) },
    OptimizerDef {
        name: Kind::Muon.name(),
        build: |params, update| Ok(Box::new(Muon::new(params, update)?)),
    },
];

/// The optimizer that a phase asks for.
pub(crate) fn asked(update: &Update) -> OptimizerDef {
    let named = OPTIMIZERS.into_iter().find(|def| def.name == update.optimizer.name());
    named.unwrap_or_else(|| unreachable!("every kind is listed"))
}

/// Multiplies a parameter as decoupled weight decay has it.
fn decay(param: &mut Tensor, update: &Update, lr: f64) -> Result<()> {
    let kept = update.kept(param.dim(), lr);
    if kept < 1.0 {
        let _ = param.f_mul_scalar_(kept)?;
    }
    Ok(())
}

/// A host's tensor on the device of `like`.
///
/// # Errors
/// When it is not of the shape of `like`, or libtorch fails.
pub fn to_device(tensor: &NamedTensor, like: &Tensor) -> Result<Tensor> {
    let shape: Vec<i64> = tensor.shape.iter().map(|&n| n as i64).collect();
    if shape != like.size() {
        let text = format!("{} is {shape:?}, expected {:?}", tensor.name, like.size());
        return Err(Error::new(ErrorKind::Mismatch, text).into());
    }
    Ok(Tensor::f_from_slice(&tensor.data)?.f_view(shape.as_slice())?.f_to_device(like.device())?)
}
