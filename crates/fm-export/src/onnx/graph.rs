//! A graph in ONNX's messages while it is put together.

use fm_net::{NamedTensor, Node};

use super::proto::{
    AttributeProto, Dimension, NodeProto, TensorProto, TensorShape, TensorType, TypeProto, ValueInfo,
};
use crate::{Error, tensor};

/// Types of elements, by the numbers that the format gives them.
pub(super) const FLOAT: i32 = 1;
pub(super) const UINT8: i32 = 2;
pub(super) const INT64: i32 = 7;

/// The nodes and constants so far.
pub(super) struct Graph<'a> {
    pub(super) weights: &'a [NamedTensor],
    pub(super) nodes: Vec<NodeProto>,
    pub(super) constants: Vec<TensorProto>,
}

impl Graph<'_> {
    /// A node with one output, after which it is named.
    pub(super) fn node(&mut self, op: &str, output: &str, inputs: &[&str], attribute: Vec<AttributeProto>) {
        self.nodes.push(NodeProto {
            input: inputs.iter().map(|&name| name.to_owned()).collect(),
            output: vec![output.to_owned()],
            name: output.to_owned(),
            op_type: op.to_owned(),
            attribute,
        });
    }

    /// Numbers by name.
    pub(super) fn floats(&mut self, name: &str, shape: &[usize], values: &[f32]) {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, shape, FLOAT, raw_data);
    }

    pub(super) fn ints(&mut self, name: &str, values: &[i64]) {
        let raw_data = values.iter().flat_map(|v| v.to_le_bytes()).collect();
        self.constant(name, &[values.len()], INT64, raw_data);
    }

    fn constant(&mut self, name: &str, shape: &[usize], data_type: i32, raw_data: Vec<u8>) {
        let dims = shape.iter().map(|&n| n as i64).collect();
        self.constants.push(TensorProto { dims, data_type, name: name.to_owned(), raw_data });
    }

    /// A node's tensor as a constant of the same name.
    pub(super) fn weight(&mut self, node: &Node, last: &str) -> Result<String, Error> {
        let found = tensor(self.weights, node, last)?;
        let (name, shape, data) = (found.name.clone(), found.shape.clone(), found.data.clone());
        self.floats(&name, &shape, &data);
        Ok(name)
    }

    pub(super) fn reshape(&mut self, own: &str, input: &str, shape: &[i64]) {
        let name = format!("{own}.shape");
        self.ints(&name, shape);
        self.node("Reshape", own, &[input, &name], vec![]);
    }
}

pub(super) fn int(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), i: Some(value), r#type: 2, ..AttributeProto::default() }
}

pub(super) fn float(name: &str, value: f32) -> AttributeProto {
    AttributeProto { name: name.to_owned(), f: Some(value), r#type: 1, ..AttributeProto::default() }
}

pub(super) fn text(name: &str, value: &str) -> AttributeProto {
    let s = Some(value.as_bytes().to_vec());
    AttributeProto { name: name.to_owned(), s, r#type: 3, ..AttributeProto::default() }
}

pub(super) fn ints(name: &str, values: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.to_owned(), ints: values, r#type: 7, ..AttributeProto::default() }
}

/// A value of `[n, …]`, for any `n`.
pub(super) fn value(name: &str, elem_type: i32, shape: &[usize]) -> ValueInfo {
    let batch = Dimension { dim_param: Some("n".to_owned()), dim_value: None };
    let fixed = shape.iter().map(|&n| Dimension { dim_value: Some(n as i64), dim_param: None });
    let shape = TensorShape { dim: std::iter::once(batch).chain(fixed).collect() };
    let tensor_type = Some(TensorType { elem_type, shape: Some(shape) });
    ValueInfo { name: name.to_owned(), r#type: Some(TypeProto { tensor_type }) }
}
