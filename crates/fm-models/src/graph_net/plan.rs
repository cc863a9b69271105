//! What runs for each node, decided once.

use fm_net::draws::Draws;
use fm_net::{Activation, Network, Node, NodeId, NotCovered, Op};
use tch::{TchError, Tensor};

use super::custom::{TorchOp, TorchOps};
use super::ops;

/// What runs for a node.
#[derive(Debug)]
pub(super) struct Step {
    work: Work,
    /// Nodes whose output no later node takes.
    pub(super) last_of: Vec<usize>,
}

#[derive(Debug)]
enum Work {
    /// The node's operator.
    Plain,
    /// Nothing: the max-pool behind it computes this ReLU.
    PassOn,
    /// Max-pooling, then the ReLU that stood before it.
    MaxPoolRelu,
    /// An operator from outside.
    Custom(Box<dyn TorchOp>),
}

/// The steps of all nodes.
///
/// A ReLU that only a max-pool takes is computed behind it: max and ReLU commute, to the bit, and with 2×2
/// windows a quarter of the elements is left.
pub(super) fn steps(network: &Network, ops: &TorchOps) -> Result<Vec<Step>, NotCovered> {
    let nodes = &network.nodes;
    let takers: Vec<Vec<usize>> = (0..nodes.len())
        .map(|at| (0..nodes.len()).filter(|&by| nodes[by].inputs.contains(&NodeId::Node(at))).collect())
        .collect();
    let swapped = |at: usize| {
        matches!(nodes[at].op, Op::Activation(Activation::Relu))
            && matches!(takers[at][..], [by] if matches!(nodes[by].op, Op::MaxPool { .. })
                && nodes[by].part == nodes[at].part)
    };
    let work = |at: usize| -> Result<Work, NotCovered> {
        Ok(match (&nodes[at].op, nodes[at].inputs.first()) {
            _ if swapped(at) => Work::PassOn,
            (Op::MaxPool { .. }, Some(&NodeId::Node(before))) if swapped(before) => Work::MaxPoolRelu,
            (Op::Custom(operator), _) => {
                Work::Custom(ops.build(operator.as_ref(), &network.inputs(&nodes[at]))?)
            }
            _ => Work::Plain,
        })
    };
    let last_of = |at: usize| (0..at).filter(|&before| takers[before].last() == Some(&at)).collect();
    (0..nodes.len()).map(|at| Ok(Step { work: work(at)?, last_of: last_of(at) })).collect()
}

impl Step {
    /// The output of `node`, at index `at`; `draws` where it computes as in training.
    pub(super) fn run(
        &self,
        at: usize,
        node: &Node,
        inputs: &[Tensor],
        tensors: &[Tensor],
        draws: Option<&Draws>,
    ) -> Result<Tensor, TchError> {
        match &self.work {
            Work::Plain => ops::forward(at, node, inputs, tensors, draws),
            Work::PassOn => Ok(inputs[0].shallow_clone()),
            Work::MaxPoolRelu => ops::forward(at, node, inputs, tensors, draws)?.f_relu(),
            Work::Custom(op) => op.forward(inputs, tensors, draws.is_some()),
        }
    }
}
