//! Operators from outside: how libtorch computes an [`Op::Custom`](fm_net::Op::Custom).

use std::collections::BTreeMap;
use std::fmt::Debug;

use fm_net::{NotCovered, Operator, Shape};
use tch::{TchError, Tensor};

/// An operator's forward pass in libtorch; the backward pass is autograd's.
pub trait TorchOp: Debug {
    /// `inputs` are batches of the node's inputs, `tensors` its tensors in the operator's order, on one
    /// device. `train` is false in inference and in a frozen part; only where it is true may buffers change.
    ///
    /// # Errors
    /// libtorch's own.
    fn forward(&self, inputs: &[Tensor], tensors: &[Tensor], train: bool) -> Result<Tensor, TchError>;
}

/// Makes the [`TorchOp`] of an operator with inputs of these shapes. An operator's own fields are reached by
/// `(operator as &dyn Any).downcast_ref()`.
pub type Builder = fn(&dyn Operator, &[Shape]) -> Box<dyn TorchOp>;

/// Builders by the [`kind`](Operator::kind) of operator.
#[derive(Debug, Clone, Default)]
pub struct TorchOps(BTreeMap<&'static str, Builder>);

impl TorchOps {
    /// The table with one more builder; it replaces an earlier one for the same kind.
    #[must_use]
    pub fn with(mut self, kind: &'static str, builder: Builder) -> Self {
        self.0.insert(kind, builder);
        self
    }

    pub(super) fn build(
        &self,
        operator: &dyn Operator,
        inputs: &[Shape],
    ) -> Result<Box<dyn TorchOp>, NotCovered> {
        let kind = operator.kind();
        let builder = self.0.get(kind).ok_or(NotCovered { by: "eager", kind })?;
        Ok(builder(operator, inputs))
    }
}
