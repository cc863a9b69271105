//! The nodes that stand for each operator.

use fm_net::{Activation, Network, Node, NotCovered, Op, Shape};

use super::graph::{Graph, float, int, ints, text};
use crate::{Error, kernel, tensor};

impl Graph<'_> {
    /// Adds what computes a node: from values of the names `inputs` one of the name `own`.
    ///
    /// # Errors
    /// When the operator is not covered, or a tensor lacks.
    pub(super) fn add(
        &mut self,
        network: &Network,
        node: &Node,
        inputs: &[String],
        own: &str,
    ) -> Result<(), Error> {
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
}
