//! A network in libtorch: any [`fm_net::Network`] on any device.
//!
//! The encoder and what follows it (head or decoder) are two variable stores, so that either can be frozen by
//! itself. Images enter as `[n, c, h, w]` floats, codes are `[n, code_len]`, logits `[n, classes]`,
//! reconstructions `[n, 1, h, w]`.

mod custom;
mod dropout;
mod ops;
mod plan;
mod tensors;

pub use custom::{Builder, TorchOp, TorchOps};
pub use tensors::to_host;

use fm_net::draws::Draws;
use fm_net::{NamedTensor, Network, NodeId, NotCovered, Part, Role, Scope};
use tch::{Device, TchError, Tensor};
use thiserror::Error;

use plan::Step;
use tensors::Tensors;

/// Why a network cannot be built in libtorch.
#[derive(Debug, Error)]
pub enum NetError {
    /// An operator that libtorch has no code for.
    #[error(transparent)]
    NotCovered(#[from] NotCovered),
    /// libtorch's own, or a tensor that is missing or has another shape.
    #[error(transparent)]
    Torch(#[from] TchError),
}

/// How the forward pass computes.
#[derive(Debug, Clone, Copy)]
pub enum Mode<'a> {
    /// As in a step of training: dropout draws, batch normalisation takes the batch's statistics and moves the
    /// running ones. Only in parts that train; a frozen one is always in inference mode, as in Keras.
    Train(&'a Draws),
    /// Inference: no draws, running statistics.
    Eval,
}

/// A network on a device.
#[derive(Debug)]
pub struct GraphNet {
    network: Network,
    tensors: Tensors,
    steps: Vec<Step>,
    scope: Scope,
}

/// Whether every operator of `network` is covered, by this crate or by `ops`.
///
/// # Errors
/// The first operator that is not, by name.
pub fn covers(network: &Network, ops: &TorchOps) -> Result<(), NotCovered> {
    plan::steps(network, ops).map(|_| ())
}

impl GraphNet {
    /// Builds `network` on `device` with the values of `tensors`, which must hold all of the network's. Every
    /// part trains.
    ///
    /// # Errors
    /// When an operator is not covered, a tensor is missing or has another shape, or libtorch cannot allocate.
    pub fn new(network: &Network, tensors: &[NamedTensor], device: Device) -> Result<Self, NetError> {
        Self::with_ops(network, tensors, device, &TorchOps::default())
    }

    /// [`GraphNet::new`] with operators from outside.
    pub fn with_ops(
        network: &Network,
        tensors: &[NamedTensor],
        device: Device,
        ops: &TorchOps,
    ) -> Result<Self, NetError> {
        let steps = plan::steps(network, ops)?;
        let store = Tensors::new(network, device)?;
        let mut net = Self { network: network.clone(), tensors: store, steps, scope: Scope::All };
        net.load(tensors)?;
        Ok(net)
    }

    /// What the net was built from.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.network
    }

    /// Images `[n, c, h, w]` to logits `[n, classes]`, or to reconstructions.
    ///
    /// # Errors
    /// Shapes that do not fit; in training mode, a batch normalisation with a single value a channel.
    pub fn forward(&self, images: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        self.run(NodeId::Image, images, |_| true, mode)
    }

    /// Images `[n, c, h, w]` to codes `[n, code_len]`.
    pub fn encode(&self, images: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        self.run(NodeId::Image, images, |part| part == Part::Encoder, mode)
    }

    /// Codes `[n, code_len]` to logits `[n, classes]`, or to reconstructions.
    pub fn decode(&self, codes: &Tensor, mode: Mode) -> Result<Tensor, TchError> {
        let encoded = self.network.nodes.iter().rposition(|node| node.part == Part::Encoder);
        self.run(encoded.map_or(NodeId::Image, NodeId::Node), codes, |part| part != Part::Encoder, mode)
    }

    /// Runs the nodes of some parts, with `value` as the output of `from`; gives the last one's output.
    fn run(
        &self,
        from: NodeId,
        value: &Tensor,
        parts: impl Fn(Part) -> bool,
        mode: Mode,
    ) -> Result<Tensor, TchError> {
        let mut values: Vec<Option<Tensor>> = self.network.nodes.iter().map(|_| None).collect();
        let mut image = None;
        match from {
            NodeId::Image => image = Some(value.shallow_clone()),
            NodeId::Node(at) => values[at] = Some(value.shallow_clone()),
        }
        let mut last = value.shallow_clone();
        for (at, (node, step)) in self.network.nodes.iter().zip(&self.steps).enumerate() {
            if !parts(node.part) {
                continue;
            }
            let input = |id: &NodeId| -> Result<Tensor, TchError> {
                let found = match *id {
                    NodeId::Image => image.as_ref(),
                    NodeId::Node(at) => values[at].as_ref(),
                };
                let missing = || TchError::Shape(format!("{} needs a value of another part", node.name));
                Ok(found.ok_or_else(missing)?.shallow_clone())
            };
            let inputs = node.inputs.iter().map(input).collect::<Result<Vec<_>, _>>()?;
            let draws = match mode {
                Mode::Train(draws) if self.scope.contains(node.part) => Some(draws),
                Mode::Train(_) | Mode::Eval => None,
            };
            last = step.run(at, node, &inputs, self.tensors.of(at), draws)?;
            values[at] = Some(last.shallow_clone());
            // What nobody takes any more need not stay in memory.
            step.last_of.iter().for_each(|&at| values[at] = None);
        }
        Ok(last)
    }

    /// Trained tensors of the parts in `scope`, in canonical order.
    pub fn params(&self, scope: Scope) -> impl Iterator<Item = (&str, &Tensor)> {
        let nodes = self.network.nodes.iter().enumerate().filter(move |(_, node)| scope.contains(node.part));
        nodes
            .flat_map(|(at, node)| node.tensors.iter().zip(self.tensors.of(at)))
            .filter(|(spec, _)| spec.role == Role::Trained)
            .map(|(spec, tensor)| (spec.name.as_str(), tensor))
    }

    /// Every tensor on the device, buffers too, in canonical order.
    pub fn all(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        let nodes = self.network.nodes.iter().enumerate();
        let named = nodes.flat_map(|(at, node)| node.tensors.iter().zip(self.tensors.of(at)));
        named.map(|(spec, tensor)| (spec.name.as_str(), tensor))
    }

    /// Makes exactly the parts in `scope` trainable, and forgets every gradient, so that none of an earlier
    /// phase acts in the next. The others are in inference mode from now on.
    pub fn train_only(&mut self, scope: Scope) {
        self.tensors.train_only(scope);
        self.scope = scope;
    }

    /// Replaces every tensor's values, buffers too; the device's tensors stay the same objects.
    ///
    /// # Errors
    /// When a tensor is missing or has another shape.
    pub fn load(&mut self, tensors: &[NamedTensor]) -> Result<(), TchError> {
        self.tensors.load(&self.network, tensors)
    }

    /// Copies every tensor to the host, buffers too, in canonical order.
    pub fn tensors(&self) -> Result<Vec<NamedTensor>, TchError> {
        self.all().map(|(name, tensor)| tensors::to_host(name, tensor)).collect()
    }
}
