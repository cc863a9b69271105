//! Convolutions, dense layers and the batch norms behind them.

use fm_net::{Activation, NodeId, Op};

use super::{Lowered, Lowering, refused};
use crate::Error;
use crate::graph::layer::{Pass, Shape};
use crate::graph::map::Map;
use crate::graph::plan::{Kind, Layer, Norm, Term, coefficient, place};

impl Lowering<'_> {
    pub(super) fn layer(&mut self, at: usize) -> Result<Lowered, Error> {
        let node = &self.network.nodes[at];
        let x = self.settle(node.inputs[0], at);
        let channels = self.plan.map(x).channels;
        let (shape, bias, standardised) = match node.op {
            Op::Conv { filters, kernel, stride, pad, groups, bias, standardised } => {
                let second = channels / groups;
                let shape = Shape { first: filters, second, groups, kernel, stride, pad, transposed: false };
                (shape, bias, standardised)
            }
            Op::ConvTranspose { filters, kernel } => {
                let first = channels;
                let shape =
                    Shape { first, second: filters, groups: 1, kernel, stride: 1, pad: 0, transposed: true };
                (shape, true, false)
            }
            Op::Dense { units: first } => {
                let second = channels;
                let shape =
                    Shape { first, second, groups: 1, kernel: 1, stride: 1, pad: 0, transposed: false };
                (shape, true, false)
            }
            _ => return Err(refused(node)),
        };
        if shape.pad >= shape.kernel {
            return Err(refused(node));
        }
        let relu = match self.only(at) {
            Some((next, taker))
                if matches!(taker.op, Op::Activation(Activation::Relu)) && taker.part == node.part =>
            {
                self.merged[next] = true;
                true
            }
            _ => false,
        };
        let weight = self.tensors[at];
        let bias = bias.then_some(weight + 1);
        if let (NodeId::Node(before), Some(bias)) = (node.inputs[0], bias)
            && self.doubles(before)
        {
            // In the tensor the taps of a filter lie together, as filters of one pixel would.
            let side = shape.kernel;
            let shape = Shape { second: shape.second * side * side, kernel: 1, ..shape };
            let products = self.value(Map { channels: shape.second, ..self.plan.map(x) });
            self.layer_stage(before, (x, products), shape, (weight, None), (standardised, false))?;
            let out = self.new_value(at);
            self.stage(at, vec![products], out, Kind::Col2im { side, bias, relu });
            // All multiplications are in the first.
            if let [.., product, sum] = &mut self.plan.stages[..] {
                product.macs = std::mem::take(&mut sum.macs);
            }
            return Ok(Lowered::Value(out));
        }
        let out = self.new_value(at);
        self.layer_stage(at, (x, out), shape, (weight, bias), (standardised, relu))?;
        Ok(Lowered::Value(out))
    }

    /// A layer from one value to another, with its tensors' indices, as a stage of a node.
    fn layer_stage(
        &mut self,
        at: usize,
        (x, out): (usize, usize),
        shape: Shape,
        (weight, bias): (usize, Option<usize>),
        (standardised, relu): (bool, bool),
    ) -> Result<(), Error> {
        let (input, output) = (self.plan.map(x), self.plan.map(out));
        let packed = self.plan.packed;
        let mut forward = shape.passes(false, input, output, 0);
        let Some(forward) = forward.pop().filter(|_| forward.is_empty()) else {
            return Err(refused(&self.network.nodes[at]));
        };
        let backward = shape.passes(true, input, output, 0);
        let lengths = [&forward].into_iter().chain(&backward).map(Pass::weights);
        let lengths: Vec<usize> = lengths.collect();
        let own = lengths[0].next_multiple_of(16);
        self.plan.packed += own + lengths[1..].iter().sum::<usize>().next_multiple_of(16);
        let flat = input.pixels() == 1 && output.pixels() == 1 && shape.kernel == 1;
        let plain = if shape.transposed { input } else { output };
        self.plan.layers.push(Layer {
            shape,
            input: x,
            output: out,
            weight,
            bias,
            standardised,
            relu,
            norm: None,
            forward,
            backward,
            offsets: Vec::new(),
            back_offsets: Vec::new(),
            packed,
            back_packed: packed + own,
            lengths: (lengths[0], lengths[1..].iter().sum()),
            flat,
            slices: 1,
            folded: shape.folded(plain.height, plain.width),
            taker: None,
        });
        self.stage(at, vec![x], out, Kind::Layer(self.plan.layers.len() - 1));
        Ok(())
    }

    pub(super) fn batch_norm(&mut self, at: usize) -> Lowered {
        let node = &self.network.nodes[at];
        let value = self.settle(node.inputs[0], at);
        let channels = self.plan.map(value).channels;
        let index = self.plan.norms.len();
        let sole = self.takers[place(node.inputs[0])] == 1;
        let before = self.plan.layers.iter_mut().rfind(|layer| layer.output == value);
        let folded = match before {
            Some(layer) if sole && !layer.relu && !layer.flat => {
                layer.norm = Some(index);
                true
            }
            _ => false,
        };
        let place = self.plan.coefficients;
        self.plan.coefficients += coefficient::COUNT * channels.next_multiple_of(16);
        let (tensors, part) = (self.tensors[at], node.part);
        self.plan.norms.push(Norm { value, tensors, part, folded, at: place, channels });
        if !folded {
            self.stage(at, vec![value], value, Kind::Moments(index));
        }
        self.later(at, vec![Term { value, norm: Some(index) }])
    }
}
