//! Keras: a functional model, channels last, whose layers are named `encoder.conv1`, `encoder.block2.norm1` ….

use super::{NotCovered, Wiring, call, share, standardises, title, unless};
use crate::graph::{Network, Node};
use crate::op::{Activation, EPS, MOMENTUM, Op, Operator, Shape};

/// `network` as a Python module with a function `model()` that gives a `keras.Model`.
///
/// # Errors
/// When an operator has no Keras code.
pub fn keras(network: &Network) -> Result<String, NotCovered> {
    let arch = &network.arch;
    let (c, h, w) = (arch.channels, arch.height, arch.width);
    let wiring = Wiring::new(network);
    let mut lines = vec!["import keras".to_owned(), "from keras import layers".to_owned()];
    if standardises(network) {
        lines.extend(STANDARDISED.replace("EPS", &format!("{EPS:e}")).lines().map(str::to_owned));
    }
    lines.extend([String::new(), String::new(), "def model():".to_owned()]);
    lines.push(format!("    \"\"\"{}\n", title(network)));
    lines.extend(NOTES.replace("SHAPE", &format!("[n, {h}, {w}, {c}]")).lines().map(str::to_owned));
    lines.push(format!("    {} = inputs = keras.Input(({h}, {w}, {c}))", wiring.image));
    for (at, node) in network.nodes.iter().enumerate() {
        let missing = || NotCovered { by: "the Keras code", kind: node.op.kind() };
        let layers = layers(&node.op, &network.inputs(node)).ok_or_else(missing)?;
        if matches!(node.op, Op::Flatten) {
            lines.push(
                "    # To (channel, row, column) order, so that the dense weights are the same.".to_owned(),
            );
        }
        lines.push(format!("    {} = {}", wiring.nodes[at], applied(node, &wiring, &layers)));
    }
    let result = wiring.nodes.last().unwrap_or(&wiring.image);
    lines.push(format!("    return keras.Model(inputs, {result})"));
    Ok(lines.join("\n") + "\n")
}

const NOTES: &str = r#"    Takes images SHAPE of numbers from 0 to 1.

    Weights, from PyTorch's layouts: kernels are [row, column, in, out], of transposed convolutions [row, column,
    out, in], of depthwise ones [row, column, in, multiplier]; dense weights are [in, out].
    BatchNormalization keeps 0.9 of its averages where PyTorch's momentum is 0.1. Its moving variance averages
    the biased variance (divided by n), PyTorch's and the model file's the unbiased one (by n - 1).
    """"#;

const STANDARDISED: &str = r#"

class StandardisedConv2D(layers.Conv2D):
    """A convolution whose kernels are brought to mean 0 and variance 1 before use (Qiao et al., 2019)."""

    def convolution_op(self, inputs, kernel):
        mean = keras.ops.mean(kernel, (0, 1, 2), keepdims=True)
        variance = keras.ops.var(kernel, (0, 1, 2), keepdims=True)
        return super().convolution_op(inputs, (kernel - mean) / keras.ops.sqrt(variance + EPS))
"#;

/// `layers.Flatten(name="encoder.flatten")(layers.Permute((3, 1, 2))(x))`.
fn applied(node: &Node, wiring: &Wiring, layers: &[String]) -> String {
    let arguments = wiring.arguments(&node.inputs);
    let start = match node.op {
        // A factor a channel, for all rows and columns.
        Op::Scale => {
            let values: Vec<&str> = node.inputs.iter().map(|&id| wiring.value(id)).collect();
            format!("[{}, layers.Reshape((1, 1, -1))({})]", values[0], values[1])
        }
        _ if node.inputs.len() > 1 => format!("[{arguments}]"),
        _ => arguments,
    };
    let last = layers.len().saturating_sub(1);
    layers.iter().enumerate().fold(start, |value, (i, layer)| {
        let layer =
            if i == last { named(layer, &format!("{}.{}", node.part, node.name)) } else { layer.clone() };
        format!("{layer}({value})")
    })
}

/// `layer`, a constructor's call, with a name as its last argument.
fn named(layer: &str, name: &str) -> String {
    let open = layer.strip_suffix(')').unwrap_or(layer);
    let comma = if open.ends_with('(') { "" } else { ", " };
    format!("{open}{comma}name=\"{name}\")")
}

/// The expressions that make the layers, one after the other; none where not covered.
pub(crate) fn layers(op: &Op, inputs: &[Shape]) -> Option<Vec<String>> {
    let epsilon = ("epsilon", Some(format!("{EPS:e}")));
    let strides = |size: usize, stride: usize| ("strides", unless(size, stride));
    let one = |layer: String| vec![layer];
    Some(match op {
        Op::Conv { .. } => conv(op, inputs),
        Op::BatchNorm => one(call(
            "layers.BatchNormalization",
            &[],
            &[("momentum", Some((1.0 - MOMENTUM).to_string())), epsilon],
        )),
        Op::GroupNorm { groups } => one(call("layers.GroupNormalization", &[*groups], &[epsilon])),
        Op::Activation(activation) => {
            let name = match activation {
                Activation::Relu => "relu",
                Activation::Gelu => "gelu",
                Activation::Silu => "silu",
                Activation::Sigmoid => "sigmoid",
            };
            one(format!("layers.Activation(\"{name}\")"))
        }
        Op::MaxPool { size, stride } => {
            one(call("layers.MaxPooling2D", &[*size], &[strides(*size, *stride)]))
        }
        Op::AvgPool { size, stride } => {
            one(call("layers.AveragePooling2D", &[*size], &[strides(*size, *stride)]))
        }
        Op::GlobalAvgPool => one("layers.GlobalAveragePooling2D()".to_owned()),
        Op::GlobalMaxPool => one("layers.GlobalMaxPooling2D()".to_owned()),
        Op::Dropout { percent, channels } => {
            let class = if *channels { "SpatialDropout2D" } else { "Dropout" };
            one(format!("layers.{class}({})", share(*percent)))
        }
        Op::Flatten => vec!["layers.Permute((3, 1, 2))".to_owned(), "layers.Flatten()".to_owned()],
        Op::Dense { units } => one(call("layers.Dense", &[*units], &[])),
        Op::Add => one("layers.Add()".to_owned()),
        Op::Scale => one("layers.Multiply()".to_owned()),
        Op::Unflatten { shape: [c, h, w] } => {
            vec![format!("layers.Reshape(({c}, {h}, {w}))"), "layers.Permute((2, 3, 1))".to_owned()]
        }
        Op::Upsample => one("layers.UpSampling2D(2)".to_owned()),
        Op::ConvTranspose { filters, kernel } => {
            one(call("layers.Conv2DTranspose", &[*filters, *kernel], &[]))
        }
        Op::Custom(operator) => one(operator.keras(inputs)?),
    })
}

/// Keras pads on one side only where a stride leaves a remainder, so padding is a layer of its own there.
fn conv(op: &Op, inputs: &[Shape]) -> Vec<String> {
    let Op::Conv { filters, kernel, stride, pad, groups, bias, standardised } = *op else {
        return Vec::new();
    };
    let channels = inputs.first().map_or(0, |shape| shape.channels());
    let depthwise = groups > 1 && groups == channels && !standardised;
    let same = pad > 0 && stride == 1 && 2 * pad + 1 == kernel;
    let options = [
        ("depth_multiplier", if depthwise { unless(1, filters / channels) } else { None }),
        ("strides", unless(1, stride)),
        ("padding", same.then(|| "\"same\"".to_owned())),
        ("groups", if depthwise { None } else { unless(1, groups) }),
        ("use_bias", (!bias).then(|| "False".to_owned())),
    ];
    let layer = match (depthwise, standardised) {
        (true, _) => call("layers.DepthwiseConv2D", &[kernel], &options),
        (false, true) => call("StandardisedConv2D", &[filters, kernel], &options),
        (false, false) => call("layers.Conv2D", &[filters, kernel], &options),
    };
    if pad > 0 && !same { vec![format!("layers.ZeroPadding2D({pad})"), layer] } else { vec![layer] }
}
