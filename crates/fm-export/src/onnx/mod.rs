//! A network as an ONNX model, operator set 17.
//!
//! The model takes images `[n, channels, height, width]`, as numbers from 0 to 1 or, with the normalisation inside, as
//! bytes, and gives logits `[n, classes]` (an autoencoder: the image). Tensors keep their names.

mod graph;
mod nodes;
pub mod proto;

use fm_net::{NamedTensor, Network, NodeId};
use prost::Message as _;

use self::graph::{FLOAT, Graph, UINT8, int, value};
use self::proto::{GraphProto, ModelProto, OperatorSetId, StringStringEntry};
use crate::Error;

/// Of ONNX's own operators.
pub const OPSET: i64 = 17;
/// Of the file format, as ONNX 1.12 has with that operator set.
pub const IR_VERSION: i64 = 8;
/// The name of the input.
pub const INPUT: &str = "image";
/// The name of the output.
pub const OUTPUT: &str = "logits";

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

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::graph::INT64;
    use super::proto::ValueInfo;
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
