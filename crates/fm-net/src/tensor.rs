//! What a network says of its tensors, and the tensors themselves.

/// What a tensor is to training.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Role {
    /// An optimizer changes it, unless its part is frozen.
    Trained,
    /// The forward pass changes it in training mode (running statistics); no optimizer does. It is saved,
    /// restored and exported like a trained tensor, and does not move while its part is frozen.
    Buffer,
}

/// How a tensor starts.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Init {
    /// Uniform in ±√(6 / (`fan_in` + `fan_out`)): Glorot & Bengio (AISTATS 2010), Keras' default.
    Glorot {
        /// Inputs that feed one output.
        fan_in: usize,
        /// Outputs that one input feeds.
        fan_out: usize,
    },
    /// Every value the same.
    Constant(f32),
}

/// One tensor of a network.
#[derive(Debug, Clone, PartialEq)]
pub struct TensorSpec {
    /// `part.node.tensor`, such as `encoder.conv1.weight` or `encoder.block2.norm1.running_mean`. Operators
    /// name theirs by the last piece alone (`weight`); the graph puts the rest before it.
    pub name: String,
    /// Shape in PyTorch's layout.
    pub shape: Vec<usize>,
    /// What it is to training.
    pub role: Role,
    /// How it starts.
    pub init: Init,
}

impl TensorSpec {
    /// Number of values.
    #[must_use]
    pub fn count(&self) -> usize {
        self.shape.iter().product()
    }
}

/// One named tensor of 32-bit floats in row-major order: what engines exchange, checkpoints hold and files carry.
#[derive(Debug, Clone, PartialEq)]
pub struct NamedTensor {
    /// Name, such as `encoder.conv1.weight`.
    pub name: String,
    /// Shape in PyTorch's layout.
    pub shape: Vec<usize>,
    /// `shape.iter().product()` values.
    pub data: Vec<f32>,
}
