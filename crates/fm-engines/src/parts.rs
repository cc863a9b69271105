//! What a program puts into the eager engine.

use fm_models::TorchOps;
use fm_net::{NamedTensor, Network, Part};

use crate::optimizer::OptimizerDef;

/// Operators and the optimizer of the eager engine. The default is what [`ENGINES`](crate::ENGINES) has: no
/// operators from outside, and the optimizer that a phase asks for.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// How libtorch computes operators from outside.
    pub ops: TorchOps,
    /// What moves the parameters, in place of what a phase asks for.
    pub optimizer: Option<OptimizerDef>,
}

impl Parts {
    /// Whether the eager engine with these parts computes this network, on any device.
    ///
    /// # Errors
    /// The first operator that it has no code for, by name.
    pub fn covers(&self, network: &Network) -> Result<(), String> {
        fm_models::covers(network, &self.ops).map_err(|e| format!("it has no operator `{}`", e.kind))
    }
}

/// Whether both hold the same encoder, to the bit.
pub(crate) fn same_encoder(a: &[NamedTensor], b: &[NamedTensor]) -> bool {
    let bits = |t: &NamedTensor| t.data.iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    let of = |name: &str| b.iter().find(|t| t.name == name);
    a.iter().filter(|t| Part::Encoder.owns(&t.name)).all(|t| of(&t.name).is_some_and(|o| bits(t) == bits(o)))
}
