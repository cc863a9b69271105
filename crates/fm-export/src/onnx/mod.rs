//! A network as an ONNX model, operator set 17.
//!
//! The model takes images `[n, channels, height, width]`, as numbers from 0 to 1 or, with the normalisation inside, as
//! bytes, and gives logits `[n, classes]` (an autoencoder: the image). Tensors keep their names.

pub mod proto;

use fm_net::{Activation, NamedTensor, Network, Node, NodeId, NotCovered, Op, Shape};
use prost::Message as _;
use proto::{
    AttributeProto, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetId, StringStringEntry,
    TensorProto, TensorShape, TensorType, TypeProto, ValueInfo,
};

use crate::{Error, kernel, tensor};

/// Of ONNX's own operators.
pub const OPSET: i64 = 17;
/// Of the file format, as ONNX 1.12 has with that operator set.
pub const IR_VERSION: i64 = 8;
/// The name of the input.
pub const INPUT: &str = "image";
/// The name of the output.
pub const OUTPUT: &str = "logits";

const FLOAT: i32 = 1;
const UINT8: i32 = 2;
const INT64: i32 = 7;

/// What the model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// Numbers from 0 to 1.
    Numbers,
    /// Bytes; the model multiplies them by 1/255.
    Bytes,
}

/// The model as the bytes of a file. `metadata` go with it: names and texts.
///
/// # Errors
/// When an operator is not covered, or a tensor lacks.
pub fn model(
    network: &Network,
    weights: &[NamedTensor],
    takes: Takes,
    metadata: &[(String, String)],
) -> Result<Vec<u8>, Error> {
    let mut graph = Graph { weights, nodes: Vec::new(), constants: Vec::new() };
    let mut image = INPUT.to_owned();
    if takes == Takes::Bytes {
        graph.node("Cast", "image.cast", &[INPUT], vec![int("to", i64::from(FLOAT))]);
        graph.floats("image.scale", &[], &[1.0 / 255.0_f32]);
        graph.node("Mul", "image.normalised", &["image.cast", "image.scale"], vec![]);
        "image.normalised".clone_into(&mut image);
    }
    let mut names: Vec<String> = Vec::with_capacity(network.nodes.len());
    for (at, node) in network.nodes.iter().enumerate() {
        let inputs: Vec<String> = node
            .inputs
            .iter()
            .map(|input| match input {
                NodeId::Image => image.clone(),
                NodeId::Node(at) => names[*at].clone(),
            })
            .collect();
        let last = at + 1 == network.nodes.len();
        let own = if last { OUTPUT.to_owned() } else { format!("{}.{}", node.part, node.name) };
        graph.add(network, node, &inputs, &own)?;
        names.push(own);
    }
    let output = network.nodes.last().map_or_else(Vec::new, |node| node.output.dims());
    let shape = network.shape(NodeId::Image).dims();
    let element = if takes == Takes::Bytes { UINT8 } else { FLOAT };
    let entry =
        |(key, value): &(String, String)| StringStringEntry { key: key.clone(), value: value.clone() };
    let model = ModelProto {
        ir_version: IR_VERSION,
        producer_name: "fm-exp".to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: network.arch.to_string(),
        graph: Some(GraphProto {
            node: graph.nodes,
            name: network.arch.to_string(),
            initializer: graph.constants,
            input: vec![value(INPUT, element, &shape)],
            output: vec![value(OUTPUT, FLOAT, &output)],
        }),
        opset_import: vec![OperatorSetId { domain: String::new(), version: OPSET }],
        metadata_props: metadata.iter().map(entry).collect(),
    };
    Ok(model.encode_to_vec())
}

/// The nodes and constants so far.
struct Graph<'a> {
    weights: &'a [NamedTensor],
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl Graph<'_> {
    fn node(&mut self, op: &str, output: &str, inputs: &[&str], attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: op.to_owned(),
            attribute,
        });
    }

    fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, shape, FLOAT, raw_data);
    }

    fn ints(&mut self, name: &str, values: &[i64]) {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, &[values.len()], INT64, raw_data);
    }

    fn constant(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) {
        let dims = shape.iter().map(|&n| n as i64).collect();
        self.constants.push(TensorProto { dims, data_type, name: name.to_owned(), raw_data });
    }

    /// A node's tensor as a constant of the same name.
    fn weight(&mut self, node: &Node, last: &str) -> Result<String, Error> {
        let found = tensor(self.weights, node, last)?;
        let (name, shape, data) = (found.name.clone(), found.shape.clone(), found.data.clone());
        self.floats(&name, &shape, &data);
        Ok(name)
    }

    fn add(&mut self, network: &Network, node: &Node, inputs: &[String], own: &str) -> Result<(), Error> {
        let inputs: Vec<&str> = inputs.iter().map(String::as_str).collect();
        let pair = |n: usize| vec![n as i64; 2];
        match node.op {
            Op::Conv { kernel: side, stride, pad, groups, bias, standardised, .. } => {
                let weight = tensor(self.weights, node, "weight")?;
                let (name, shape, values) =
                    (weight.name.clone(), weight.shape.clone(), kernel(weight, standardised));
                self.floats(&name, &shape, &values);
                let mut all = vec![inputs[0].to_owned(), name];
                if bias {
                    all.push(self.weight(node, "bias")?);
                }
                let all: Vec<&str> = all.iter().map(String::as_str).collect();
                let pads = ints("pads", vec![pad as i64; 4]);
                let attributes = vec![
                    ints("kernel_shape", pair(side)),
                    ints("strides", pair(stride)),
                    pads,
                    int("group", groups as i64),
                ];
                self.node("Conv", own, &all, attributes);
            }
            Op::ConvTranspose { kernel: side, .. } => {
                let (weight, bias) = (self.weight(node, "weight")?, self.weight(node, "bias")?);
                let shape = vec![ints("kernel_shape", pair(side))];
                self.node("ConvTranspose", own, &[inputs[0], &weight, &bias], shape);
            }
            Op::BatchNorm => {
                let names = ["weight", "bias", "running_mean", "running_var"];
                let tensors = names.map(|last| self.weight(node, last));
                let [weight, bias, mean, var] = tensors;
                let (weight, bias, mean, var) = (weight?, bias?, mean?, var?);
                let epsilon = vec![float("epsilon", fm_net::EPS as f32)];
                self.node("BatchNormalization", own, &[inputs[0], &weight, &bias, &mean, &var], epsilon);
            }
            Op::GroupNorm { groups } => self.group_norm(network, node, inputs[0], own, groups)?,
            Op::Activation(activation) => self.activation(activation, inputs[0], own),
            Op::MaxPool { size, stride } | Op::AvgPool { size, stride } => {
                let op = if matches!(node.op, Op::MaxPool { .. }) { "MaxPool" } else { "AveragePool" };
                let attributes = vec![ints("kernel_shape", pair(size)), ints("strides", pair(stride))];
                self.node(op, own, &inputs, attributes);
            }
            Op::GlobalAvgPool | Op::GlobalMaxPool => {
                let op =
                    if matches!(node.op, Op::GlobalAvgPool) { "GlobalAveragePool" } else { "GlobalMaxPool" };
                let map = format!("{own}.map");
                self.node(op, &map, &inputs, vec![]);
                self.node("Flatten", own, &[&map], vec![int("axis", 1)]);
            }
            Op::Dropout { .. } => self.node("Identity", own, &inputs, vec![]),
            Op::Flatten => self.node("Flatten", own, &inputs, vec![int("axis", 1)]),
            Op::Dense { .. } => {
                let (weight, bias) = (self.weight(node, "weight")?, self.weight(node, "bias")?);
                self.node("Gemm", own, &[inputs[0], &weight, &bias], vec![int("transB", 1)]);
            }
            Op::Add => self.node("Add", own, &inputs, vec![]),
            Op::Scale => {
                let (axes, factors) = (format!("{own}.axes"), format!("{own}.factors"));
                self.ints(&axes, &[2, 3]);
                self.node("Unsqueeze", &factors, &[inputs[1], &axes], vec![]);
                self.node("Mul", own, &[inputs[0], &factors], vec![]);
            }
            Op::Unflatten { shape: [c, h, w] } => {
                self.reshape(own, inputs[0], &[-1, c as i64, h as i64, w as i64]);
            }
            Op::Upsample => {
                let scales = format!("{own}.scales");
                self.floats(&scales, &[4], &[1.0, 1.0, 2.0, 2.0]);
                let attributes = vec![
                    text("mode", "nearest"),
                    text("coordinate_transformation_mode", "asymmetric"),
                    text("nearest_mode", "floor"),
                ];
                self.node("Resize", own, &[inputs[0], "", &scales], attributes);
            }
            Op::Custom(ref op) => return Err(NotCovered { by: "the ONNX export", kind: op.kind() }.into()),
        }
        Ok(())
    }

    fn activation(&mut self, activation: Activation, input: &str, own: &str) {
        match activation {
            Activation::Relu => self.node("Relu", own, &[input], vec![]),
            Activation::Sigmoid => self.node("Sigmoid", own, &[input], vec![]),
            Activation::Silu => {
                let gate = format!("{own}.gate");
                self.node("Sigmoid", &gate, &[input], vec![]);
                self.node("Mul", own, &[input, &gate], vec![]);
            }
            // x/2 (1 + erf(x/√2)); Gelu itself is of operator set 20.
            Activation::Gelu => {
                let name = |piece: &str| format!("{own}.{piece}");
                let [root, half, one] = ["root", "half", "one"].map(name);
                self.floats(&root, &[], &[std::f32::consts::FRAC_1_SQRT_2]);
                self.floats(&half, &[], &[0.5]);
                self.floats(&one, &[], &[1.0]);
                let [scaled, erf, sum, part] = ["scaled", "erf", "sum", "part"].map(name);
                self.node("Mul", &scaled, &[input, &root], vec![]);
                self.node("Erf", &erf, &[&scaled], vec![]);
                self.node("Add", &sum, &[&erf, &one], vec![]);
                self.node("Mul", &part, &[input, &half], vec![]);
                self.node("Mul", own, &[&part, &sum], vec![]);
            }
        }
    }

    /// As instance norms of the groups, then the channels' factors and summands: GroupNormalization is of a later
    /// operator set.
    fn group_norm(
        &mut self,
        network: &Network,
        node: &Node,
        input: &str,
        own: &str,
        groups: usize,
    ) -> Result<(), Error> {
        let Shape::Map { channels, height, width } = network.inputs(node)[0] else {
            return Err(Error::Other(format!("{} does not take a map", node.name)));
        };
        let name = |piece: &str| format!("{own}.{piece}");
        let [ones, zeros, grouped, normed, back, scaled] =
            ["ones", "zeros", "grouped", "normed", "back", "scaled"].map(name);
        self.floats(&ones, &[groups], &vec![1.0; groups]);
        self.floats(&zeros, &[groups], &vec![0.0; groups]);
        self.reshape(&grouped, input, &[0, groups as i64, -1]);
        let epsilon = vec![float("epsilon", fm_net::EPS as f32)];
        self.node("InstanceNormalization", &normed, &[&grouped, &ones, &zeros], epsilon);
        self.reshape(&back, &normed, &[-1, channels as i64, height as i64, width as i64]);
        for (last, op, from, to) in [("weight", "Mul", &back, scaled.as_str()), ("bias", "Add", &scaled, own)]
        {
            let values = tensor(self.weights, node, last)?;
            let (name, data) = (values.name.clone(), values.data.clone());
            self.floats(&name, &[channels, 1, 1], &data);
            self.node(op, to, &[from, &name], vec![]);
        }
        Ok(())
    }

    fn reshape(&mut self, own: &str, input: &str, shape: &[i64]) {
        let name = format!("{own}.shape");
        self.ints(&name, shape);
        self.node("Reshape", own, &[input, &name], vec![]);
    }
}

fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i: Some(value), r#type: 2, ..AttributeProto::default() }
}

fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), f: Some(value), r#type: 1, ..AttributeProto::default() }
}

fn text(name: &str, value: &str) -> AttributeProto {
    let s = Some(value.as_bytes().to_vec());
    AttributeProto { name: name.to_owned(), s, r#type: 3, ..AttributeProto::default() }
}

fn ints(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.to_owned(), ints: values, r#type: 7, ..AttributeProto::default() }
}

/// A value of `[n, …]`, for any `n`.
fn value(name: &str, elem_type: i32, shape: &[usize]) -> ValueInfo {
    let batch = Dimension { dim_param: Some("n".to_owned()), dim_value: None };
    let fixed = shape.iter().map(|&n| Dimension { dim_value: Some(n as i64), dim_param: None });
    let shape = TensorShape { dim: std::iter::once(batch).chain(fixed).collect() };
    let tensor_type = Some(TensorType { elem_type, shape: Some(shape) });
    ValueInfo { name: name.to_owned(), r#type: Some(TypeProto { tensor_type }) }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn parsed(arch: &str, takes: Takes) -> (Network, ModelProto) {
        let network = Network::new(&arch.parse().unwrap(), 10).unwrap();
        let weights = fm_net::init::initial(&network, 1);
        let bytes = model(&network, &weights, takes, &[("classes".to_owned(), "[]".to_owned())]).unwrap();
        (network, ModelProto::decode(&bytes[..]).unwrap())
    }

    const ARCHS: [&str; 7] = [
        "cnn",
        "encoder-mlp",
        "16C3.same.bn-2x16R3-2x32R3.s2-GAP",
        "16C3.same.bn-2x24IR3.s2.se4-GAP--64.gelu-D30",
        "8C3.same.gn4.silu-AP2-8R3-GMP",
        "16C3.same.ws.bn-8R3.se4-MP2--32",
        "4C3-MP2--8@12x10x3",
    ];

    #[test]
    fn every_value_is_made_before_it_is_taken_and_every_tensor_is_there_once() {
        for arch in ARCHS {
            for takes in [Takes::Numbers, Takes::Bytes] {
                let (network, model) = parsed(arch, takes);
                assert_eq!((model.ir_version, model.opset_import[0].version), (IR_VERSION, OPSET));
                let graph = model.graph.unwrap();
                let mut known = HashSet::from([String::new(), INPUT.to_owned()]);
                for constant in &graph.initializer {
                    let count: i64 = constant.dims.iter().product();
                    let size = if constant.data_type == INT64 { 8 } else { 4 };
                    assert_eq!(constant.raw_data.len() as i64, size * count, "{}", constant.name);
                    assert!(known.insert(constant.name.clone()), "{} is there twice", constant.name);
                }
                for spec in network.tensors() {
                    assert!(known.contains(&spec.name), "{arch} lacks {}", spec.name);
                }
                for node in &graph.node {
                    assert!(node.input.iter().all(|name| known.contains(name)), "{arch}: {node:?}");
                    assert!(known.insert(node.output[0].clone()), "{} is made twice", node.output[0]);
                }
                assert_eq!(graph.node.last().unwrap().output, [OUTPUT]);
            }
        }
    }

    #[test]
    fn shapes_are_the_network_s() {
        let (_, model) = parsed("4C3-MP2--8@12x10x3", Takes::Bytes);
        let graph = model.graph.unwrap();
        let shape = |value: &ValueInfo| {
            let tensor = value.r#type.clone().unwrap().tensor_type.unwrap();
            let dims: Vec<i64> =
                tensor.shape.unwrap().dim.iter().map(|d| d.dim_value.unwrap_or(-1)).collect();
            (tensor.elem_type, dims)
        };
        assert_eq!(shape(&graph.input[0]), (UINT8, vec![-1, 3, 12, 10]));
        assert_eq!(shape(&graph.output[0]), (FLOAT, vec![-1, 10]));
        let ops: Vec<&str> = graph.node.iter().map(|node| node.op_type.as_str()).collect();
        assert_eq!(ops, ["Cast", "Mul", "Conv", "Relu", "MaxPool", "Flatten", "Gemm", "Relu", "Gemm"]);
        assert_eq!(model.metadata_props[0].key, "classes");
    }

    #[test]
    fn autoencoders_too() {
        let network = Network::autoencoder(&"8C3-MP2-16C3-MP2--10".parse().unwrap()).unwrap();
        let bytes = model(&network, &fm_net::init::initial(&network, 1), Takes::Numbers, &[]).unwrap();
        let graph = ModelProto::decode(&bytes[..]).unwrap().graph.unwrap();
        for op in ["Resize", "ConvTranspose", "Sigmoid", "Reshape"] {
            assert!(graph.node.iter().any(|node| node.op_type == op), "no {op}");
        }
    }
}
