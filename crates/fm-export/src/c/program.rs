//! A network's forward pass as steps over flat values, for one image.

use fm_net::{Activation, NamedTensor, Network, Node, NodeId, NotCovered, Op, Shape};

use crate::{Error, affine, kernel, tensor};

/// An index of [`Program::values`]; 0 is the image.
pub(crate) type ValueId = usize;

/// A convolution, or with one pixel a dense layer.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Conv {
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) pad: usize,
    pub(crate) groups: usize,
    /// `[out, in / groups, kernel, kernel]`.
    pub(crate) weight: Vec<f32>,
    /// `[out]`.
    pub(crate) bias: Vec<f32>,
}

/// What a step computes.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Kind {
    Conv(Conv),
    /// Weight `[in, out, k, k]`, bias.
    ConvTranspose(usize, Vec<f32>, Vec<f32>),
    /// A factor and a summand for each channel.
    Affine(Vec<f32>, Vec<f32>),
    /// Groups, factors, summands.
    GroupNorm(usize, Vec<f32>, Vec<f32>),
    Activation(Activation),
    /// Side and stride.
    MaxPool(usize, usize),
    AvgPool(usize, usize),
    Add,
    Scale,
    Upsample,
}

/// A step: inputs, output, and whether ReLU follows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Step {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) inputs: Vec<ValueId>,
    pub(crate) output: ValueId,
    pub(crate) relu: bool,
}

/// The forward pass for one image.
#[derive(Debug, Clone, PartialEq)]
pub struct Program {
    pub(crate) arch: String,
    pub(crate) steps: Vec<Step>,
    /// Channels, height and width of each value; vectors have one pixel.
    pub(crate) values: Vec<[usize; 3]>,
    pub(crate) output: ValueId,
}

impl Program {
    /// The steps of `network` with `weights`.
    ///
    /// # Errors
    /// For an operator from outside, or a tensor that lacks.
    pub fn new(network: &Network, weights: &[NamedTensor]) -> Result<Self, Error> {
        let mut program = Self {
            arch: network.arch.to_string(),
            steps: Vec::new(),
            values: vec![dims(network.shape(NodeId::Image))],
            output: 0,
        };
        // Which value each node's output is.
        let mut at: Vec<ValueId> = Vec::with_capacity(network.nodes.len());
        for node in &network.nodes {
            let inputs: Vec<ValueId> =
                node.inputs.iter().map(|id| if let NodeId::Node(i) = id { at[*i] } else { 0 }).collect();
            let value = program.node(network, weights, node, &inputs)?;
            at.push(value);
        }
        program.output = at.last().copied().unwrap_or(0);
        Ok(program)
    }

    /// Values of an image.
    #[must_use]
    pub fn inputs(&self) -> usize {
        self.len(0)
    }

    /// Values of the output.
    #[must_use]
    pub fn outputs(&self) -> usize {
        self.len(self.output)
    }

    pub(crate) fn len(&self, value: ValueId) -> usize {
        self.values[value].iter().product()
    }

    /// The step that makes `value`, where nothing but `node` takes it: what may be folded into.
    fn alone(&mut self, network: &Network, node: &Node, value: ValueId) -> Option<&mut Step> {
        let [input] = node.inputs[..] else { return None };
        let takers = network.nodes.iter().flat_map(|n| &n.inputs).filter(|id| **id == input).count();
        self.steps.last_mut().filter(|step| takers == 1 && step.output == value && !step.relu)
    }

    fn node(
        &mut self,
        network: &Network,
        weights: &[NamedTensor],
        node: &Node,
        inputs: &[ValueId],
    ) -> Result<ValueId, Error> {
        let data = |last: &str| tensor(weights, node, last).map(|t| t.data.clone());
        let input = inputs[0];
        let kind = match node.op {
            // Both forms of a value lie alike.
            Op::Flatten | Op::Dropout { .. } => return Ok(input),
            Op::Unflatten { .. } => {
                self.values.push(dims(node.output));
                let (from, to) = (input, self.values.len() - 1);
                // A copy by 1: the same numbers in another shape.
                let [channels, ..] = self.values[to];
                let kind = Kind::Affine(vec![1.0; channels], vec![0.0; channels]);
                let name = node.name.clone();
                self.steps.push(Step { name, kind, inputs: vec![from], output: to, relu: false });
                return Ok(to);
            }
            Op::Conv { kernel: side, stride, pad, groups, bias, standardised, filters } => Kind::Conv(Conv {
                kernel: side,
                stride,
                pad,
                groups,
                weight: kernel(tensor(weights, node, "weight")?, standardised),
                bias: if bias { data("bias")? } else { vec![0.0; filters] },
            }),
            Op::Dense { .. } => Kind::Conv(Conv {
                kernel: 1,
                stride: 1,
                pad: 0,
                groups: 1,
                weight: data("weight")?,
                bias: data("bias")?,
            }),
            Op::ConvTranspose { kernel: side, .. } => {
                Kind::ConvTranspose(side, data("weight")?, data("bias")?)
            }
            Op::BatchNorm => {
                let (factors, summands) = affine(weights, node)?;
                if let Some(Step { kind: Kind::Conv(conv), .. }) = self.alone(network, node, input) {
                    let len = conv.weight.len() / conv.bias.len();
                    for (filter, factor) in conv.weight.chunks_mut(len).zip(&factors) {
                        for weight in filter {
                            *weight *= factor;
                        }
                    }
                    for ((bias, factor), summand) in conv.bias.iter_mut().zip(&factors).zip(&summands) {
                        *bias = *bias * factor + summand;
                    }
                    return Ok(input);
                }
                Kind::Affine(factors, summands)
            }
            Op::GroupNorm { groups } => Kind::GroupNorm(groups, data("weight")?, data("bias")?),
            Op::Activation(Activation::Relu) => {
                if let Some(step) = self.alone(network, node, input) {
                    step.relu = true;
                    return Ok(input);
                }
                Kind::Activation(Activation::Relu)
            }
            Op::Activation(activation) => Kind::Activation(activation),
            Op::MaxPool { size, stride } => Kind::MaxPool(size, stride),
            Op::AvgPool { size, stride } => Kind::AvgPool(size, stride),
            Op::GlobalAvgPool | Op::GlobalMaxPool => {
                let [_, height, width] = self.values[input];
                if height != width {
                    return Err(Error::Other(format!(
                        "exported code pools square maps alone, {} is {height}x{width}",
                        node.name
                    )));
                }
                if matches!(node.op, Op::GlobalAvgPool) {
                    Kind::AvgPool(height, height)
                } else {
                    Kind::MaxPool(height, height)
                }
            }
            Op::Add => Kind::Add,
            Op::Scale => Kind::Scale,
            Op::Upsample => Kind::Upsample,
            Op::Custom(ref op) => return Err(NotCovered { by: "exported code", kind: op.kind() }.into()),
        };
        // A dense layer takes any value as a vector.
        let mut inputs = inputs.to_vec();
        if matches!(node.op, Op::Dense { .. }) && self.values[input][1..] != [1, 1] {
            self.values.push([self.len(input), 1, 1]);
            inputs = vec![self.values.len() - 1];
            let kind = Kind::Affine(Vec::new(), Vec::new());
            let name = "flatten".to_owned();
            self.steps.push(Step { name, kind, inputs: vec![input], output: inputs[0], relu: false });
        }
        self.values.push(dims(node.output));
        let output = self.values.len() - 1;
        self.steps.push(Step { name: node.name.clone(), kind, inputs, output, relu: false });
        Ok(output)
    }

    /// Where each value begins in the work memory, and how long that is: a value's place is free again behind the last
    /// step that takes it. The image and the output have places of their own.
    pub(crate) fn places(&self) -> (Vec<usize>, usize) {
        let last_use = |value: ValueId| {
            self.steps.iter().rposition(|step| step.inputs.contains(&value)).unwrap_or(usize::MAX)
        };
        let mut places = vec![0; self.values.len()];
        let (mut live, mut most): (Vec<(usize, usize, usize)>, usize) = (Vec::new(), 0);
        for (at, step) in self.steps.iter().enumerate() {
            live.retain(|&(_, _, until)| until >= at);
            live.sort_unstable();
            let len = self.len(step.output);
            let mut place = 0;
            for &(from, to, _) in &live {
                if place + len <= from {
                    break;
                }
                place = place.max(to);
            }
            places[step.output] = place;
            live.push((place, place + len, last_use(step.output)));
            most = most.max(place + len);
        }
        (places, most)
    }
}

fn dims(shape: Shape) -> [usize; 3] {
    match shape {
        Shape::Map { channels, height, width } => [channels, height, width],
        Shape::Vector { len } => [len, 1, 1],
    }
}
