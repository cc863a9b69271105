//! A network as code of other frameworks: complete modules that read as if written by hand.
//!
//! Every operator gives an expression that makes its module or layer; here they are named and wired. An
//! operator without one is refused by name.

pub(crate) mod keras;
pub(crate) mod pytorch;

pub use self::keras::keras;
pub use self::pytorch::pytorch;

use thiserror::Error;

use crate::graph::{Network, NodeId};
use crate::op::Op;
use crate::tensor::TensorSpec;

/// An operator that somebody has no implementation of.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("not covered: {by} has no operator `{kind}`")]
pub struct NotCovered {
    /// Who has none: an engine or a code generator.
    pub by: &'static str,
    /// The operator's kind.
    pub kind: &'static str,
}

/// Names of the variables that hold values: `x` for what only the next node takes, otherwise the node's own.
struct Wiring {
    image: String,
    nodes: Vec<String>,
}

impl Wiring {
    fn new(network: &Network) -> Self {
        let name = |id: NodeId, next: usize, own: &str| {
            let takers: Vec<usize> = network
                .nodes
                .iter()
                .enumerate()
                .flat_map(|(at, node)| node.inputs.iter().filter(|input| **input == id).map(move |_| at))
                .collect();
            let passed_on = takers.is_empty() || takers == [next];
            if passed_on { "x".to_owned() } else { own.replace('.', "_") }
        };
        let nodes = network.nodes.iter().enumerate();
        let nodes = nodes.map(|(at, node)| name(NodeId::Node(at), at + 1, &node.name));
        Self { nodes: nodes.collect(), image: name(NodeId::Image, 0, "image") }
    }

    fn value(&self, id: NodeId) -> &str {
        match id {
            NodeId::Image => &self.image,
            NodeId::Node(at) => &self.nodes[at],
        }
    }

    /// The node's inputs as arguments: `x`, or `block1_norm2, relu1`.
    fn arguments(&self, inputs: &[NodeId]) -> String {
        inputs.iter().map(|&id| self.value(id)).collect::<Vec<_>>().join(", ")
    }
}

/// `cnn for images of 28x28: 10 classes, 65,354 parameters.`
fn title(network: &Network) -> String {
    let arch = &network.arch;
    let output = network.classes.map_or("reconstructed".to_owned(), |n| format!("{n} classes"));
    let count: usize = network.params().map(TensorSpec::count).sum();
    let (height, width) = (arch.height, arch.width);
    format!("{arch} for images of {height}x{width}: {output}, {} parameters.", thousands(count))
}

/// `65,354`.
fn thousands(count: usize) -> String {
    let digits = count.to_string();
    let groups: Vec<&str> =
        digits.as_bytes().rchunks(3).rev().filter_map(|g| str::from_utf8(g).ok()).collect();
    groups.join(",")
}

/// Whether a node of the network is a convolution with standardised kernels.
fn standardises(network: &Network) -> bool {
    network.nodes.iter().any(|node| matches!(node.op, Op::Conv { standardised: true, .. }))
}

/// `head` with `args` and those `options` that are said: `nn.Conv2d(1, 32, 3, padding=1)`.
fn call(head: &str, args: &[usize], options: &[(&str, Option<String>)]) -> String {
    let args = args.iter().map(ToString::to_string);
    let options = options.iter().filter_map(|(name, value)| Some(format!("{name}={}", value.as_ref()?)));
    format!("{head}({})", args.chain(options).collect::<Vec<_>>().join(", "))
}

/// `value` unless it is what the framework takes anyway.
fn unless(default: usize, value: usize) -> Option<String> {
    (value != default).then(|| value.to_string())
}

/// A probability as Python writes it: 0.3.
fn share(percent: u32) -> String {
    format!("{}", f64::from(percent) / 100.0)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::op::{Operator, Shape, ShapeError, Window};
    use crate::parse::Notation;

    fn network(arch: &str) -> Network {
        Network::new(&arch.parse().unwrap(), 10).unwrap()
    }

    /// What the comparison with the frameworks (`scripts/interop/networks.sh`) runs; here only that it reads well.
    #[test]
    fn chains_are_sequential() {
        let expected = r#"from collections import OrderedDict

from torch import nn


class Net(nn.Module):
    """8C5.same-MP2--D30 for images of 28x28: 10 classes, 15,898 parameters.

    Takes images [n, 1, 28, 28] of numbers from 0 to 1, gives logits [n, 10].
    Weights: net.load_state_dict(safetensors.torch.load_file("model.safetensors"), strict=False)
    (not strict, because a file has no num_batches_tracked).
    """

    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(OrderedDict(
            conv1=nn.Conv2d(1, 8, 5, padding=2),
            relu1=nn.ReLU(),
            pool1=nn.MaxPool2d(2),
            flatten=nn.Flatten(),
        ))
        self.head = nn.Sequential(OrderedDict(
            drop1=nn.Dropout(0.3),
            dense1=nn.Linear(1568, 10),
        ))

    def forward(self, x):
        x = self.encoder(x)
        x = self.head(x)
        return x
"#;
        assert_eq!(pytorch(&network("8C5.same-MP2--D30")).unwrap(), expected);
    }

    #[test]
    fn skips_and_factors_are_wired() {
        let code = pytorch(&network("8C3-8R3.se4-GAP")).unwrap();
        for line in [
            "relu1 = self.encoder.relu1(x)",
            "x = self.encoder.block1.conv1(relu1)",
            "x = block1_norm2 * x[:, :, None, None]",
            "x = x + relu1",
        ] {
            assert!(code.lines().any(|l| l.trim() == line), "no {line:?} in\n{code}");
        }
        let code = keras(&network("8C3-8R3.se4-GAP")).unwrap();
        for line in [
            "x = layers.Add(name=\"encoder.block1.add\")([x, relu1])",
            "x = layers.GlobalAveragePooling2D(name=\"encoder.gap\")(x)",
            "return keras.Model(inputs, x)",
        ] {
            assert!(code.lines().any(|l| l.trim() == line), "no {line:?} in\n{code}");
        }
    }

    #[test]
    fn keras_pads_as_pytorch_does() {
        let code = keras(&network("8C3.same-8C3.same.s2")).unwrap();
        assert!(code.contains("layers.Conv2D(8, 3, padding=\"same\", name=\"encoder.conv1\")"), "{code}");
        let strided = "layers.Conv2D(8, 3, strides=2, name=\"encoder.conv2\")(layers.ZeroPadding2D(1)(x))";
        assert!(code.contains(strided), "{code}");
    }

    /// An operator from outside, with PyTorch code and none for Keras.
    #[derive(Debug)]
    struct Mish;

    impl Operator for Mish {
        fn kind(&self) -> &'static str {
            "mish"
        }

        fn output(&self, inputs: &[Shape]) -> Result<Shape, ShapeError> {
            Ok(inputs[0])
        }

        fn window(&self) -> Window {
            Window::Point
        }

        fn describe(&self) -> String {
            "Mish".to_owned()
        }

        fn pytorch(&self, _inputs: &[Shape]) -> Option<String> {
            Some("nn.Mish()".to_owned())
        }
    }

    #[test]
    fn operators_from_outside_bring_their_code() {
        let notation = Notation::standard().with("MISH", |_| Ok(Arc::new(Mish))).unwrap();
        let network = Network::new(&notation.parse("8C3.linear-MISH1").unwrap(), 10).unwrap();
        assert!(pytorch(&network).unwrap().contains("custom1=nn.Mish(),"));
        assert_eq!(
            keras(&network).unwrap_err().to_string(),
            "not covered: the Keras code has no operator `mish`"
        );
    }

    #[test]
    fn thousands_are_grouped() {
        assert_eq!([7, 654, 65_354, 1_000_000].map(thousands), ["7", "654", "65,354", "1,000,000"]);
    }
}
