//! A network: operators in a directed acyclic graph, with every shape and tensor worked out.

use std::fmt;

use crate::arch::Arch;
use crate::lower;
use crate::op::{Op, Operator, Shape};
use crate::seen;
use crate::tensor::{Role, TensorSpec};

/// Which part of a network a node belongs to: a classifier has an encoder and a head, an autoencoder an
/// encoder and a decoder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Part {
    /// Image to codes, up to the flattening or global pooling.
    Encoder,
    /// Codes to logits.
    Head,
    /// Codes to the part of the image that the encoder sees.
    Decoder,
}

impl Part {
    /// Every part.
    pub const ALL: [Part; 3] = [Part::Encoder, Part::Head, Part::Decoder];
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Part::Encoder => "encoder",
            Part::Head => "head",
            Part::Decoder => "decoder",
        })
    }
}

/// Which parts of a network train.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// All parts.
    All,
    /// The encoder alone.
    Encoder,
    /// What follows the encoder alone (the head, or a decoder), on a frozen encoder.
    Head,
}

impl Scope {
    /// Whether `part` trains.
    #[must_use]
    pub fn contains(self, part: Part) -> bool {
        match self {
            Scope::All => true,
            Scope::Encoder => part == Part::Encoder,
            Scope::Head => part != Part::Encoder,
        }
    }

    /// How many of the network's parameters train, and how many stay as they are. Buffers are in neither.
    #[must_use]
    pub fn counts(self, network: &Network) -> (usize, usize) {
        let count = |trains: bool| {
            Part::ALL.iter().filter(|p| self.contains(**p) == trains).map(|&p| network.param_count(p)).sum()
        };
        (count(true), count(false))
    }
}

/// A node's input: the image, or the output of an earlier node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeId {
    /// The image.
    Image,
    /// The node at this index of [`Network::nodes`].
    Node(usize),
}

/// An operator with its place in the network.
#[derive(Debug, Clone)]
pub struct Node {
    /// `conv1`, `norm1`, `relu1`, `block2.conv1`, `flatten`, `dense1` …
    pub name: String,
    /// The part it belongs to.
    pub part: Part,
    /// What it computes.
    pub op: Op,
    /// Where its inputs come from; all earlier.
    pub inputs: Vec<NodeId>,
    /// Shape of its output.
    pub output: Shape,
    /// Its tensors with their full names.
    pub tensors: Vec<TensorSpec>,
}

/// A network for one image size and number of classes.
///
/// Two networks are equal when they are made from the same architecture for the same purpose; all else follows.
#[derive(Debug, Clone)]
pub struct Network {
    /// What it was built from.
    pub arch: Arch,
    /// Number of classes, the length of the logits; none for an autoencoder.
    pub classes: Option<usize>,
    /// Nodes in the order of the forward pass; the last one's output is the network's.
    pub nodes: Vec<Node>,
}

impl PartialEq for Network {
    fn eq(&self, other: &Self) -> bool {
        self.arch == other.arch && self.classes == other.classes
    }
}

impl Eq for Network {}

/// Why an architecture makes no network, with the item of the string that is at fault.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct BuildError {
    /// Which item of the notation, counted from 0 over [`Arch::spatial`] and [`Arch::head`]; their number where it
    /// is none of them.
    pub item: usize,
    /// What is wrong; starts with the item.
    pub message: String,
}

impl Network {
    /// Works out every node of `arch` with `classes` logits.
    ///
    /// # Errors
    /// When an item does not fit what comes before it, or the network is larger than [`crate::limits`] allow.
    pub fn new(arch: &Arch, classes: usize) -> Result<Self, BuildError> {
        Ok(Self { arch: arch.clone(), classes: Some(classes), nodes: lower::classifier(arch, classes)? })
    }

    /// Whether it gives images back instead of logits.
    #[must_use]
    pub fn reconstructs(&self) -> bool {
        self.classes.is_none()
    }

    /// A shape that `id` stands for.
    #[must_use]
    pub fn shape(&self, id: NodeId) -> Shape {
        let Arch { height, width, channels, .. } = self.arch;
        match id {
            NodeId::Image => Shape::Map { channels, height, width },
            NodeId::Node(i) => self.nodes[i].output,
        }
    }

    /// Shapes of a node's inputs.
    #[must_use]
    pub fn inputs(&self, node: &Node) -> Vec<Shape> {
        node.inputs.iter().map(|&id| self.shape(id)).collect()
    }

    /// All tensors, buffers among them, in the order of the nodes: the canonical order of every file and state.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorSpec> {
        self.nodes.iter().flat_map(|node| &node.tensors)
    }

    /// The tensors that an optimizer changes, in canonical order.
    pub fn params(&self) -> impl Iterator<Item = &TensorSpec> {
        self.tensors().filter(|tensor| tensor.role == Role::Trained)
    }

    /// Number of values in `part`'s parameters, without buffers.
    #[must_use]
    pub fn param_count(&self, part: Part) -> usize {
        lower::count(self.nodes.iter().filter(|node| node.part == part), Role::Trained)
    }

    /// Length of the codes that the encoder hands to the head.
    #[must_use]
    pub fn code_len(&self) -> usize {
        self.nodes.iter().rfind(|node| node.part == Part::Encoder).map_or(0, |node| node.output.channels())
    }

    /// Multiply-adds of the forward pass for one image ([`Operator::macs`]).
    #[must_use]
    pub fn macs(&self) -> u64 {
        self.nodes.iter().fold(0, |sum, node| sum.saturating_add(node.op.macs(&self.inputs(node))))
    }

    /// Height and width of the top-left part of the image that the output depends on.
    ///
    /// Valid convolutions and floor pooling never see the last rows and columns: `cnn` sees 22×22 of 28×28,
    /// `encoder-mlp` 26×26. Cutting the rest off changes no output and no gradient, whether before the network
    /// or in its description. A node with padding or with a view of all its input needs all of that input.
    #[must_use]
    pub fn seen(&self) -> (usize, usize) {
        seen::seen(self)
    }
}
