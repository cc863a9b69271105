//! What each [`Op`] says about itself.

use crate::code;
use crate::op::{Activation, Op, Operator, Shape, ShapeError, Window};
use crate::tensor::{Init, Role, TensorSpec};

impl Shape {
    /// Channels of a map, length of a vector.
    #[must_use]
    pub fn channels(self) -> usize {
        match self {
            Shape::Map { channels, .. } => channels,
            Shape::Vector { len } => len,
        }
    }

    /// `[channels, height, width]` or `[len]`.
    #[must_use]
    pub fn dims(self) -> Vec<usize> {
        match self {
            Shape::Map { channels, height, width } => vec![channels, height, width],
            Shape::Vector { len } => vec![len],
        }
    }

    /// Number of values of one image; the largest number where that overflows.
    #[must_use]
    pub fn values(self) -> u64 {
        self.dims().iter().fold(1, |product: u64, &n| product.saturating_mul(n as u64))
    }
}

impl Activation {
    /// As an option of the notation; `sigmoid` has none.
    #[must_use]
    pub fn token(self) -> &'static str {
        match self {
            Activation::Relu => "relu",
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
            Activation::Sigmoid => "sigmoid",
        }
    }

    /// As the literature writes it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Activation::Relu => "ReLU",
            Activation::Gelu => "GELU",
            Activation::Silu => "SiLU",
            Activation::Sigmoid => "sigmoid",
        }
    }
}

fn refuse<T>(message: impl Into<String>) -> Result<T, ShapeError> {
    Err(ShapeError(message.into()))
}

/// The only input.
fn one(inputs: &[Shape]) -> Result<Shape, ShapeError> {
    match inputs {
        [shape] => Ok(*shape),
        _ => refuse(format!("takes one input, has {}", inputs.len())),
    }
}

/// The only input, a map: channels, height, width.
fn map(inputs: &[Shape]) -> Result<[usize; 3], ShapeError> {
    match one(inputs)? {
        Shape::Map { channels, height, width } => Ok([channels, height, width]),
        Shape::Vector { len } => refuse(format!("needs a map of pixels, has a vector of {len} values")),
    }
}

/// The only input, a vector.
fn vector(inputs: &[Shape]) -> Result<usize, ShapeError> {
    match one(inputs)? {
        Shape::Vector { len } => Ok(len),
        Shape::Map { channels, height, width } => {
            refuse(format!("needs a vector, has a map of {channels}x{height}x{width}"))
        }
    }
}

/// Output height and width of a window that moves over a map. Padding does not make up for missing pixels: weights
/// that only ever meet zeros would not learn.
fn windows(size: [usize; 2], kernel: usize, stride: usize, pad: usize) -> Result<[usize; 2], ShapeError> {
    let [height, width] = size;
    if kernel == 0 || stride == 0 {
        return refuse("needs a window and a stride of 1 or more");
    }
    if height < kernel || width < kernel {
        return refuse(format!("needs {kernel}x{kernel} pixels or more, has {height}x{width}"));
    }
    Ok(size.map(|n| (n + 2 * pad - kernel) / stride + 1))
}

/// Output of a convolution.
fn convolved(op: &Op, inputs: &[Shape]) -> Result<Shape, ShapeError> {
    let Op::Conv { filters, kernel, stride, pad, groups, standardised, .. } = *op else {
        return refuse("is no convolution");
    };
    let [channels, height, width] = map(inputs)?;
    if groups == 0 || channels % groups != 0 || filters % groups != 0 {
        return refuse(format!(
            "needs channels and filters that {groups} groups divide, has {channels} channels and {filters} filters"
        ));
    }
    if standardised && channels / groups * kernel * kernel < 2 {
        return refuse("needs more than one weight a filter to standardise them");
    }
    let [height, width] = windows([height, width], kernel, stride, pad)?;
    Ok(Shape::Map { channels: filters, height, width })
}

/// A trained tensor.
fn trained(name: &str, shape: Vec<usize>, init: Init) -> TensorSpec {
    TensorSpec { name: name.to_owned(), shape, role: Role::Trained, init }
}

/// A kernel and, where there is one, its bias.
fn weights(shape: Vec<usize>, fans: (usize, usize), bias: Option<usize>) -> Vec<TensorSpec> {
    let init = Init::Glorot { fan_in: fans.0, fan_out: fans.1 };
    let mut tensors = vec![trained("weight", shape, init)];
    tensors.extend(bias.map(|len| trained("bias", vec![len], Init::Constant(0.0))));
    tensors
}

impl Operator for Op {
    fn kind(&self) -> &'static str {
        match self {
            Op::Conv { .. } => "conv",
            Op::BatchNorm => "batch-norm",
            Op::GroupNorm { .. } => "group-norm",
            Op::Activation(activation) => activation.token(),
            Op::MaxPool { .. } => "max-pool",
            Op::AvgPool { .. } => "average-pool",
            Op::GlobalAvgPool => "global-average-pool",
            Op::GlobalMaxPool => "global-max-pool",
            Op::Dropout { .. } => "dropout",
            Op::Flatten => "flatten",
            Op::Dense { .. } => "dense",
            Op::Add => "add",
            Op::Scale => "scale",
            Op::Unflatten { .. } => "unflatten",
            Op::Upsample => "upsample",
            Op::ConvTranspose { .. } => "transposed-conv",
            Op::Custom(op) => op.kind(),
        }
    }

    fn output(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
        match *self {
            Op::Conv { .. } => convolved(self, inputs),
            Op::BatchNorm => map(inputs).and_then(|_| one(inputs)),
            Op::GroupNorm { groups } => {
                let [channels, ..] = map(inputs)?;
                if groups == 0 || channels % groups != 0 {
                    return refuse(format!("needs channels that {groups} groups divide, has {channels}"));
                }
                one(inputs)
            }
            Op::Dropout { channels: true, .. } => map(inputs).and_then(|_| one(inputs)),
            Op::Activation(_) | Op::Dropout { .. } => one(inputs),
            Op::MaxPool { size, stride } | Op::AvgPool { size, stride } => {
                let [channels, height, width] = map(inputs)?;
                let [height, width] = windows([height, width], size, stride, 0)?;
                Ok(Shape::Map { channels, height, width })
            }
            Op::GlobalAvgPool | Op::GlobalMaxPool => map(inputs).map(|[len, ..]| Shape::Vector { len }),
            Op::Flatten => map(inputs).map(|[c, h, w]| Shape::Vector { len: c * h * w }),
            Op::Dense { units } => vector(inputs).map(|_| Shape::Vector { len: units }),
            Op::Add => match inputs {
                [a, b] if a == b => Ok(*a),
                _ => refuse(format!("needs two inputs of one shape, has {inputs:?}")),
            },
            Op::Scale => match inputs {
                [Shape::Map { channels, .. }, Shape::Vector { len }] if channels == len => Ok(inputs[0]),
                _ => refuse(format!("needs a map and a factor for each channel, has {inputs:?}")),
            },
            Op::Unflatten { shape: [channels, height, width] } => {
                let len = vector(inputs)?;
                if len != channels * height * width {
                    return refuse(format!("needs {channels}x{height}x{width} values, has {len}"));
                }
                Ok(Shape::Map { channels, height, width })
            }
            Op::Upsample => {
                map(inputs).map(|[channels, h, w]| Shape::Map { channels, height: 2 * h, width: 2 * w })
            }
            Op::ConvTranspose { filters, kernel } => {
                let [_, h, w] = map(inputs)?;
                let grow = kernel.saturating_sub(1);
                Ok(Shape::Map { channels: filters, height: h + grow, width: w + grow })
            }
            Op::Custom(ref op) => op.output(inputs),
        }
    }

    fn tensors(&self, inputs: &[Shape]) -> Vec<TensorSpec> {
        let channels = inputs.first().map_or(0, |shape| shape.channels());
        match *self {
            Op::Conv { filters, kernel, groups, bias, .. } => {
                let area = kernel * kernel;
                let fans = (area * channels / groups, area * filters / groups);
                weights(vec![filters, channels / groups, kernel, kernel], fans, bias.then_some(filters))
            }
            Op::Dense { units } => weights(vec![units, channels], (channels, units), Some(units)),
            Op::ConvTranspose { filters, kernel } => {
                let area = kernel * kernel;
                let fans = (area * channels, area * filters);
                weights(vec![channels, filters, kernel, kernel], fans, Some(filters))
            }
            Op::BatchNorm | Op::GroupNorm { .. } => {
                let mut tensors = vec![
                    trained("weight", vec![channels], Init::Constant(1.0)),
                    trained("bias", vec![channels], Init::Constant(0.0)),
                ];
                if matches!(self, Op::BatchNorm) {
                    for (name, value) in [("running_mean", 0.0), ("running_var", 1.0)] {
                        let spec = trained(name, vec![channels], Init::Constant(value));
                        tensors.push(TensorSpec { role: Role::Buffer, ..spec });
                    }
                }
                tensors
            }
            Op::Custom(ref op) => op.tensors(inputs),
            _ => Vec::new(),
        }
    }

    fn window(&self) -> Window {
        match *self {
            Op::Conv { kernel, stride, pad, .. } => Window::Local { kernel, stride, pad },
            Op::MaxPool { size, stride } | Op::AvgPool { size, stride } => {
                Window::Local { kernel: size, stride, pad: 0 }
            }
            Op::Activation(_) | Op::Dropout { .. } | Op::Add | Op::Scale => Window::Point,
            Op::Custom(ref op) => op.window(),
            // Norms are among them: statistics are over all positions.
            _ => Window::Global,
        }
    }

    fn macs(&self, inputs: &[Shape]) -> u64 {
        match self {
            Op::Conv { .. } | Op::Dense { .. } => {
                let Ok(output) = self.output(inputs) else { return 0 };
                let positions = output.values() / output.channels().max(1) as u64;
                kernel_values(self, inputs).saturating_mul(positions)
            }
            Op::ConvTranspose { .. } => {
                let Some(input) = inputs.first() else { return 0 };
                kernel_values(self, inputs).saturating_mul(input.values() / input.channels().max(1) as u64)
            }
            Op::Custom(op) => op.macs(inputs),
            _ => 0,
        }
    }

    fn describe(&self) -> String {
        match *self {
            Op::Conv { filters, kernel, stride, pad, groups, standardised, .. } => {
                let mut text = format!("conv {kernel}x{kernel}, {filters} filters");
                for (says, words) in [
                    (stride != 1, format!(", stride {stride}")),
                    (pad != 0, ", same".to_owned()),
                    (groups != 1, format!(", {groups} groups")),
                    (standardised, ", standardised".to_owned()),
                ] {
                    text.push_str(if says { &words } else { "" });
                }
                text
            }
            Op::BatchNorm => "batch norm".to_owned(),
            Op::GroupNorm { groups } => format!("group norm, {groups} groups"),
            Op::Activation(activation) => activation.name().to_owned(),
            Op::MaxPool { size, stride } => pool("max-pool", size, stride),
            Op::AvgPool { size, stride } => pool("average pool", size, stride),
            Op::GlobalAvgPool => "global average pool".to_owned(),
            Op::GlobalMaxPool => "global max-pool".to_owned(),
            Op::Dropout { percent, channels } => {
                format!("{} {percent} %", if channels { "channel dropout" } else { "dropout" })
            }
            Op::Flatten => "flatten".to_owned(),
            Op::Dense { units } => format!("dense {units}"),
            Op::Add => "add".to_owned(),
            Op::Scale => "scale channels".to_owned(),
            Op::Unflatten { .. } => "unflatten".to_owned(),
            Op::Upsample => "upsample 2x2".to_owned(),
            Op::ConvTranspose { filters, kernel } => format!("transposed conv {kernel}x{kernel}, {filters}"),
            Op::Custom(ref op) => op.describe(),
        }
    }

    fn draws(&self) -> bool {
        match self {
            Op::Dropout { .. } => true,
            Op::Custom(op) => op.draws(),
            _ => false,
        }
    }

    fn pytorch(&self, inputs: &[Shape]) -> Option<String> {
        code::pytorch::module(self, inputs)
    }

    fn keras(&self, inputs: &[Shape]) -> Option<String> {
        match &code::keras::layers(self, inputs)?[..] {
            [layer] => Some(layer.clone()),
            layers => Some(format!("keras.Sequential([{}])", layers.join(", "))),
        }
    }
}

/// Values of an operator's `weight`.
fn kernel_values(op: &Op, inputs: &[Shape]) -> u64 {
    op.tensors(inputs).first().map_or(0, |weight| weight.shape.iter().map(|&n| n as u64).product())
}

fn pool(what: &str, size: usize, stride: usize) -> String {
    let stride = if stride == size { String::new() } else { format!(", stride {stride}") };
    format!("{what} {size}x{size}{stride}")
}
