//! A network as stages: what is computed together, on which values, with which tensors.

use std::ops::Range;

use fm_net::{NodeId, Part, Role, Shape as NetShape};

use super::kernels::act::Act;
use super::kernels::moves::Way;
use super::layer::{Pass, Shape};
use super::map::Map;
use super::tiles::Folded;

/// One value of the network: a map for each slot.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value {
    /// Where it lies.
    pub(crate) map: Map,
    /// Where its gradient lies.
    pub(crate) gradient: Map,
}

/// A tensor's place in the flat vectors of parameters, moments and gradients.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Tensor {
    /// A multiple of sixteen.
    pub(crate) at: usize,
    pub(crate) len: usize,
    /// Of its shape: biases and norms have one, and do not decay.
    pub(crate) dimensions: usize,
    /// The first of them.
    pub(crate) first: usize,
    pub(crate) role: Role,
    pub(crate) part: Part,
}

/// A convolution or dense layer.
#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) shape: Shape,
    pub(crate) input: usize,
    pub(crate) output: usize,
    /// Index of the weight's tensor.
    pub(crate) weight: usize,
    /// Index of the bias's tensor.
    pub(crate) bias: Option<usize>,
    pub(crate) standardised: bool,
    /// A ReLU is computed with it.
    pub(crate) relu: bool,
    /// The batch norm whose sums it computes, and into which inference folds it.
    pub(crate) norm: Option<usize>,
    pub(crate) forward: Pass,
    pub(crate) backward: Vec<Pass>,
    /// Offsets of the passes' taps.
    pub(crate) offsets: Vec<isize>,
    pub(crate) back_offsets: Vec<Vec<isize>>,
    /// First packed weight, forward and backward.
    pub(crate) packed: usize,
    pub(crate) back_packed: usize,
    /// Packed weights, forward and backward.
    pub(crate) lengths: (usize, usize),
    /// One pixel in, one pixel out: slots stand for pixels.
    pub(crate) flat: bool,
    /// Slices of the weight gradient's sum.
    pub(crate) slices: usize,
    /// How Winograd's form computes it, where that is chosen.
    pub(crate) folded: Option<Folded>,
    /// What takes its output, where that is not kept.
    pub(crate) taker: Option<Taker>,
}

/// A maximum over windows that alone takes a layer's output.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taker {
    pub(crate) stage: usize,
    /// Rows of a window.
    pub(crate) lines: usize,
}

/// A batch norm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Norm {
    /// The value that it normalises.
    pub(crate) value: usize,
    /// Index of the first of its four tensors: weight, bias, running mean, running variance.
    pub(crate) tensors: usize,
    pub(crate) part: Part,
    /// Inference does it in the layer before it.
    pub(crate) folded: bool,
    /// First of its coefficients.
    pub(crate) at: usize,
    pub(crate) channels: usize,
}

/// A summand of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Term {
    pub(crate) value: usize,
    pub(crate) norm: Option<usize>,
}

/// What a stage computes.
#[derive(Debug, Clone)]
pub(crate) enum Kind {
    /// A layer by its index.
    Layer(usize),
    /// The sums that a batch norm needs, where no layer computes them.
    Moments(usize),
    /// Norm, addition, activation.
    Point {
        terms: Vec<Term>,
        act: Act,
    },
    /// Norm, ReLU, and the maximum over windows that do not overlap.
    Pooled {
        term: Term,
        size: usize,
    },
    /// With the index of its first tensor.
    GroupNorm {
        groups: usize,
        tensors: usize,
    },
    Pool {
        size: usize,
        stride: usize,
        max: bool,
    },
    Global {
        max: bool,
    },
    Dropout {
        percent: u32,
        channels: bool,
        dims: [usize; 3],
    },
    /// Map times vector.
    Scale,
    Copy(Way),
    /// Sums of the products of a doubling's input with the taps of a kernel of that side, and the index of their bias.
    Col2im {
        side: usize,
        bias: usize,
        relu: bool,
    },
}

impl Kind {
    /// The summands, where there are any.
    pub(crate) fn terms(&self) -> &[Term] {
        match self {
            Self::Point { terms, .. } => terms,
            Self::Pooled { term, .. } => std::slice::from_ref(term),
            _ => &[],
        }
    }

    /// Whether it is the ReLU of one batch norm and nothing else.
    pub(crate) fn is_relu_of_norm(&self) -> bool {
        match self {
            Self::Point { terms, act } => {
                terms.len() == 1 && terms[0].norm.is_some() && act.0 == Some(fm_net::Activation::Relu)
            }
            _ => false,
        }
    }
}

/// One step of the forward pass.
#[derive(Debug, Clone)]
pub(crate) struct Stage {
    /// `encoder.conv1`, and what is computed with it.
    pub(crate) name: String,
    /// Index of the node, which keys random draws.
    pub(crate) node: usize,
    pub(crate) part: Part,
    pub(crate) inputs: Vec<usize>,
    pub(crate) out: usize,
    pub(crate) kind: Kind,
    /// Multiply-adds for one image.
    pub(crate) macs: u64,
}

/// The whole network.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) lanes: usize,
    /// The first is the image.
    pub(crate) values: Vec<Value>,
    pub(crate) stages: Vec<Stage>,
    pub(crate) layers: Vec<Layer>,
    pub(crate) norms: Vec<Norm>,
    /// In canonical order.
    pub(crate) tensors: Vec<Tensor>,
    /// Floats of the flat vectors.
    pub(crate) flat: usize,
    /// What packs weights: layers and passes, 0 the forward one; the largest first.
    pub(crate) packs: Vec<(usize, usize)>,
    /// Floats of packed weights.
    pub(crate) packed: usize,
    /// Coefficients of all batch norms.
    pub(crate) coefficients: usize,
    /// The value that the encoder hands on, and the first stage behind it.
    pub(crate) code: (usize, usize),
    /// The network's output.
    pub(crate) output: usize,
    pub(crate) classes: Option<usize>,
    /// Channels, height and width of the images; the first value is what is read of them.
    pub(crate) image: [usize; 3],
}

/// Numbers by channel that a batch norm keeps.
pub(crate) mod coefficient {
    /// In training `a * (y - mean) + bias`.
    pub(crate) const A: usize = 0;
    pub(crate) const MEAN: usize = 1;
    /// One over the deviation.
    pub(crate) const INVERSE: usize = 2;
    /// Three factors of the backward pass.
    pub(crate) const K: usize = 3;
    /// `a` of the running statistics.
    pub(crate) const EVAL_A: usize = 6;
    /// How many there are.
    pub(crate) const COUNT: usize = 7;
}

impl Norm {
    /// Where coefficients of a kind are.
    pub(crate) fn place(&self, kind: usize) -> Range<usize> {
        let pitch = self.channels.next_multiple_of(16);
        let start = self.at + kind * pitch;
        start..start + self.channels
    }
}

impl Layer {
    /// Whether its kernel is one pixel of a map.
    pub(crate) fn is_pointwise(&self) -> bool {
        self.shape.kernel == 1 && self.shape.groups == 1 && !self.flat && self.taker.is_none()
    }
}

impl Plan {
    /// Where a value lies.
    pub(crate) fn map(&self, value: usize) -> Map {
        self.values[value].map
    }

    /// Where its gradient lies.
    pub(crate) fn gradient(&self, value: usize) -> Map {
        self.values[value].gradient
    }

    /// Whether a value is what a layer's ReLU let through.
    pub(crate) fn is_relu(&self, value: usize) -> bool {
        self.layers.iter().any(|layer| layer.output == value && layer.relu)
    }

    /// Whether a value is products with taps.
    pub(crate) fn is_columns(&self, value: usize) -> bool {
        let sums = |stage: &Stage| matches!(stage.kind, Kind::Col2im { .. }) && stage.inputs == [value];
        self.stages.iter().any(sums)
    }

    /// Length of one code.
    pub(crate) fn code_len(&self) -> usize {
        self.map(self.code.0).channels * self.map(self.code.0).pixels()
    }

    /// Values of the output for one image.
    pub(crate) fn output_len(&self) -> usize {
        let map = self.map(self.output);
        map.channels * map.pixels()
    }
}

/// A value's shape as a map; a vector is one pixel.
pub(crate) fn map_of(shape: NetShape, lanes: usize) -> Map {
    let (channels, height, width) = match shape {
        NetShape::Map { channels, height, width } => (channels, height, width),
        NetShape::Vector { len } => (len, 1, 1),
    };
    Map { channels, height, width, lead: 0, trail: 0, lanes }
}

/// Index of a node's output among the lowered ones: 0 is the image.
pub(crate) fn place(id: NodeId) -> usize {
    match id {
        NodeId::Image => 0,
        NodeId::Node(i) => i + 1,
    }
}
