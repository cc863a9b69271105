//! Operators: what a node of a network computes, and all that others need to know about it.

use std::any::Any;
use std::fmt::Debug;
use std::sync::Arc;

use thiserror::Error;

use crate::tensor::TensorSpec;

/// ε under the root of every norm and of standardised kernels: PyTorch's.
pub const EPS: f64 = 1e-5;

/// How far running statistics move towards a batch's in a step: PyTorch's.
pub const MOMENTUM: f64 = 0.1;

/// The shape of one image's value, without the batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shape {
    /// `[channels, height, width]`.
    Map {
        /// Channels.
        channels: usize,
        /// Rows.
        height: usize,
        /// Columns.
        width: usize,
    },
    /// `[len]`.
    Vector {
        /// Values.
        len: usize,
    },
}

/// What part of its input one output value depends on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Window {
    /// The same position alone: activations, additions, dropout.
    Point,
    /// `kernel` by `kernel` positions, `stride` apart, on an input with `pad` zeros on each side. Output sizes
    /// round down, so trailing rows and columns may be unused.
    Local {
        /// Side of the window.
        kernel: usize,
        /// Distance between windows.
        stride: usize,
        /// Zeros before the first row and column (and, but for rounding, after the last).
        pad: usize,
    },
    /// All of it: dense layers, flattening, global pooling, norms (their statistics are over all positions).
    /// Also the answer of an operator that does not know.
    Global,
}

/// Inputs that an operator cannot take.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct ShapeError(pub String);

/// What every operator says about itself.
///
/// `inputs` are the shapes of the node's inputs in order, already accepted by [`Operator::output`]; only
/// `output` itself may be asked with shapes that do not fit.
pub trait Operator: Any + Debug + Send + Sync {
    /// A stable name such as `conv`: engines answer "not covered" with it.
    fn kind(&self) -> &'static str;

    /// The output's shape.
    ///
    /// # Errors
    /// When the inputs are too few, too many, too small or of the wrong shape; the message says what is needed.
    fn output(&self, inputs: &[Shape]) -> Result<Shape, ShapeError>;

    /// The operator's tensors in canonical order, named by their last piece (`weight`, `running_mean`).
    fn tensors(&self, _inputs: &[Shape]) -> Vec<TensorSpec> {
        Vec::new()
    }

    /// What one output value depends on.
    fn window(&self) -> Window;

    /// Multiply-adds for one image in the forward pass, of convolutions and dense layers alone, as is usual:
    /// norms, pooling, activations and additions count 0.
    fn macs(&self, _inputs: &[Shape]) -> u64 {
        0
    }

    /// The operator in words, for tables: `conv 3x3, 32 filters`.
    fn describe(&self) -> String;

    /// Whether training mode draws random numbers (dropout).
    fn draws(&self) -> bool {
        false
    }

    /// PyTorch code: the expression that makes the module (`nn.Conv2d(1, 32, 3)`), none where the operator is
    /// not covered.
    fn pytorch(&self, _inputs: &[Shape]) -> Option<String> {
        None
    }

    /// Keras code: the expression that makes the layer (`layers.Conv2D(32, 3)`), none where not covered.
    fn keras(&self, _inputs: &[Shape]) -> Option<String> {
        None
    }
}

/// A non-linearity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Activation {
    /// max(x, 0).
    Relu,
    /// x Φ(x), the exact form.
    Gelu,
    /// x σ(x).
    Silu,
    /// 1 / (1 + exp(-x)).
    Sigmoid,
}

/// A node's operator. Engines match on it, so that a new variant is a compile error where it must be handled.
#[derive(Debug, Clone)]
pub enum Op {
    /// 2-D convolution, `[out, in/groups, k, k]`, bias `[out]` where it has one. `same` pads as PyTorch does
    /// with padding k/2 (k odd).
    Conv {
        /// Output channels.
        filters: usize,
        /// Side of the kernel.
        kernel: usize,
        /// Distance between windows.
        stride: usize,
        /// Zeros on each side.
        pad: usize,
        /// Groups; as many as input channels is depthwise.
        groups: usize,
        /// Whether there is a bias.
        bias: bool,
        /// Whether kernels are standardised before use: of each filter's weights the mean is taken off, then they
        /// are divided by √(biased variance + 1e-5) (Qiao et al., arXiv:1903.10520).
        standardised: bool,
    },
    /// Batch normalisation over batch and positions; eps 1e-5, momentum 0.1 (PyTorch's). Trained `weight`,
    /// `bias`; buffers `running_mean`, `running_var` (unbiased).
    BatchNorm,
    /// Group normalisation with so many groups; eps 1e-5.
    GroupNorm {
        /// Groups.
        groups: usize,
    },
    /// A non-linearity.
    Activation(Activation),
    /// Max-pooling; sizes round down, no padding.
    MaxPool {
        /// Side of the window.
        size: usize,
        /// Distance between windows.
        stride: usize,
    },
    /// Average pooling; sizes round down, no padding.
    AvgPool {
        /// Side of the window.
        size: usize,
        /// Distance between windows.
        stride: usize,
    },
    /// Average over all positions: map to vector.
    GlobalAvgPool,
    /// Maximum over all positions: map to vector.
    GlobalMaxPool,
    /// In training mode zeroes values (or whole channels) with probability `percent` / 100 and scales the rest
    /// by 1 / (1 - p); the identity otherwise.
    Dropout {
        /// Probability in percent, 1 to 99.
        percent: u32,
        /// Whole channels instead of single values.
        channels: bool,
    },
    /// Map to vector in (channel, row, column) order.
    Flatten,
    /// Fully connected with bias, `[out, in]`.
    Dense {
        /// Output features.
        units: usize,
    },
    /// Sum of two values of one shape.
    Add,
    /// Map times vector, a factor a channel (squeeze-excitation).
    Scale,
    /// Vector back to a map.
    Unflatten {
        /// Channels, rows, columns.
        shape: [usize; 3],
    },
    /// Each value to a 2×2 square of it (nearest neighbour): the mirror of pooling.
    Upsample,
    /// Transposed convolution, stride 1, no padding, `[in, out, k, k]`, bias `[out]`.
    ConvTranspose {
        /// Output channels.
        filters: usize,
        /// Side of the kernel.
        kernel: usize,
    },
    /// An operator from outside this crate.
    Custom(Arc<dyn Operator>),
}
