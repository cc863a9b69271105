//! What a program puts into the eager engine.

use fm_models::TorchOps;
use fm_net::Network;

use crate::optimizer::OptimizerDef;

/// Operators and the optimizer of the eager engine. The default is what [`ENGINES`](crate::ENGINES) has: no
/// operators from outside, and Adam.
#[derive(Debug, Clone, Default)]
pub struct Parts {
    /// How libtorch computes operators from outside.
    pub ops: TorchOps,
    /// What moves the parameters.
    pub optimizer: OptimizerDef,
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
