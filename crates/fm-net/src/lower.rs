//! From the items of an architecture to the nodes of a network.

use crate::arch::{Arch, MAX_CHANNELS, MAX_SIDE};
use crate::graph::{BuildError, Node, NodeId, Part};
use crate::item::{Item, Kind, Norm};
use crate::limits::{MAX_COUNT, MAX_ITEMS, MAX_PARAMS, MAX_VALUES};
use crate::op::{Activation, Op, Operator, Shape, ShapeError};
use crate::tensor::Role;

/// Nodes so far, and where the next one goes.
pub(crate) struct Builder {
    pub(crate) nodes: Vec<Node>,
    image: Shape,
    part: Part,
    /// `block2.` inside the second block.
    prefix: String,
    /// How many nodes of each stem there are, in the part and in the block.
    counts: [Vec<(&'static str, usize)>; 2],
    values: u64,
}

/// A convolution as the helpers below pass it on.
#[derive(Clone, Copy)]
pub(crate) struct Kernel {
    pub(crate) filters: usize,
    pub(crate) side: usize,
    pub(crate) stride: usize,
    pub(crate) groups: usize,
    pub(crate) same: bool,
}

/// What stands in front of the message.
pub(crate) fn at(item: usize, text: &impl ToString, error: &ShapeError) -> BuildError {
    BuildError { item, message: format!("{}: {error}", text.to_string()) }
}

/// The nodes of a classifier.
pub(crate) fn classifier(arch: &Arch, classes: usize) -> Result<Vec<Node>, BuildError> {
    let items = arch.spatial.len() + arch.head.len();
    if !(1..=MAX_COUNT).contains(&classes) {
        let message = format!("a network tells 1 to {MAX_COUNT} classes apart, got {classes}");
        return Err(BuildError { item: items, message });
    }
    let (mut build, mut x) = encoder(arch)?;
    build.enter(Part::Head);
    for (i, item) in arch.head.iter().enumerate() {
        x = build.item(item, x).map_err(|e| at(arch.spatial.len() + i, item, &e))?;
    }
    let name = build.name("dense");
    build
        .push(name, Op::Dense { units: classes }, vec![x])
        .map_err(|e| at(items, &format!("the layer of {classes} classes"), &e))?;
    Ok(build.nodes)
}

/// The encoder's nodes, up to flattening or global pooling, and the last of them.
pub(crate) fn encoder(arch: &Arch) -> Result<(Builder, NodeId), BuildError> {
    let whole = |message| BuildError { item: arch.spatial.len() + arch.head.len(), message };
    let Arch { height, width, channels, .. } = *arch;
    if [height, width].iter().any(|side| !(1..=MAX_SIDE).contains(side))
        || !(1..=MAX_CHANNELS).contains(&channels)
    {
        return Err(whole(format!(
            "images have sides of 1 to {MAX_SIDE} pixels and 1 to {MAX_CHANNELS} channels, got {height}x{width}x{channels}"
        )));
    }
    if arch.spatial.is_empty() || arch.spatial.len() + arch.head.len() > MAX_ITEMS {
        return Err(whole(format!("an architecture has 1 to {MAX_ITEMS} layers")));
    }
    let mut build = Builder::new(Shape::Map { channels, height, width });
    let mut x = NodeId::Image;
    for (i, item) in arch.spatial.iter().enumerate() {
        x = build.item(item, x).map_err(|e| at(i, item, &e))?;
    }
    if matches!(build.shape(x), Shape::Map { .. }) {
        let last = arch.spatial.len() - 1;
        x = build
            .push("flatten".to_owned(), Op::Flatten, vec![x])
            .map_err(|e| at(last, &"flattening", &e))?;
    }
    Ok((build, x))
}

impl Builder {
    fn new(image: Shape) -> Self {
        let (nodes, prefix, counts) = (Vec::new(), String::new(), [Vec::new(), Vec::new()]);
        Self { nodes, image, part: Part::Encoder, prefix, counts, values: 0 }
    }

    /// Goes on in another part, where numbers start again.
    pub(crate) fn enter(&mut self, part: Part) {
        self.part = part;
        self.counts = Default::default();
    }

    pub(crate) fn shape(&self, id: NodeId) -> Shape {
        match id {
            NodeId::Node(i) => self.nodes[i].output,
            NodeId::Image => self.image,
        }
    }

    /// The next name of a stem: `conv1`, `conv2`, and in blocks `block1.conv1`.
    fn name(&mut self, stem: &'static str) -> String {
        let counts = &mut self.counts[usize::from(!self.prefix.is_empty())];
        let i = counts.iter().position(|(known, _)| *known == stem).unwrap_or_else(|| {
            counts.push((stem, 0));
            counts.len() - 1
        });
        counts[i].1 += 1;
        let n = counts[i].1;
        format!("{}{stem}{n}", self.prefix)
    }

    /// Adds a node, unless its inputs do not fit or the network gets too large.
    pub(crate) fn push(&mut self, name: String, op: Op, inputs: Vec<NodeId>) -> Result<NodeId, ShapeError> {
        let shapes: Vec<Shape> = inputs.iter().map(|&id| self.shape(id)).collect();
        let output = op.output(&shapes)?;
        if output.values() > MAX_VALUES {
            return Err(ShapeError(format!(
                "gives {} values for each image, at most {MAX_VALUES} are possible",
                output.values()
            )));
        }
        let part = self.part;
        let mut tensors = op.tensors(&shapes);
        for tensor in &mut tensors {
            let count = tensor.shape.iter().fold(1_u64, |n, &d| n.saturating_mul(d as u64));
            self.values = self.values.saturating_add(count);
            tensor.name = format!("{part}.{name}.{}", tensor.name);
        }
        if self.values > MAX_PARAMS {
            return Err(ShapeError(format!(
                "brings the network's tensors to {} values, at most {MAX_PARAMS} are possible",
                self.values
            )));
        }
        self.nodes.push(Node { name, part, op, inputs, output, tensors });
        Ok(NodeId::Node(self.nodes.len() - 1))
    }

    /// A node with the next name of `stem`.
    pub(crate) fn add(&mut self, stem: &'static str, op: Op, x: NodeId) -> Result<NodeId, ShapeError> {
        let name = self.name(stem);
        self.push(name, op, vec![x])
    }

    /// A node of a block with a name of its own.
    pub(crate) fn named(&mut self, name: &str, op: Op, inputs: Vec<NodeId>) -> Result<NodeId, ShapeError> {
        self.push(format!("{}{name}", self.prefix), op, inputs)
    }

    fn item(&mut self, item: &Item, x: NodeId) -> Result<NodeId, ShapeError> {
        let channels = self.shape(x).channels();
        match &item.kind {
            Kind::Conv => self.plain(item, item.filters, item.groups, x),
            Kind::Depthwise => self.plain(item, channels, channels, x),
            Kind::Separable => self.block(|b| b.separable(item, x)),
            Kind::Residual => self.block(|b| b.residual(item, x)),
            Kind::Inverted => self.block(|b| b.inverted(item, x)),
            Kind::MaxPool => self.add("pool", Op::MaxPool { size: item.number, stride: item.stride }, x),
            Kind::AvgPool => self.add("pool", Op::AvgPool { size: item.number, stride: item.stride }, x),
            Kind::GlobalAvgPool => self.named("gap", Op::GlobalAvgPool, vec![x]),
            Kind::GlobalMaxPool => self.named("gmp", Op::GlobalMaxPool, vec![x]),
            Kind::Dropout | Kind::ChannelDropout => {
                let channels = item.kind == Kind::ChannelDropout;
                self.add("drop", Op::Dropout { percent: item.number as u32, channels }, x)
            }
            Kind::Dense => {
                let x = self.add("dense", Op::Dense { units: item.filters }, x)?;
                self.activate(item.activation, x)
            }
            Kind::Custom(token) => self.add("custom", Op::Custom(token.op.clone()), x),
        }
    }

    /// Adds the nodes of a block under a common name.
    fn block(
        &mut self,
        add: impl FnOnce(&mut Self) -> Result<NodeId, ShapeError>,
    ) -> Result<NodeId, ShapeError> {
        let name = self.name("block");
        self.prefix = format!("{name}.");
        self.counts[1].clear();
        let x = add(self);
        self.prefix.clear();
        x
    }

    pub(crate) fn activate(
        &mut self,
        activation: Option<Activation>,
        x: NodeId,
    ) -> Result<NodeId, ShapeError> {
        match activation {
            Some(activation) => self.add(activation.token(), Op::Activation(activation), x),
            None => Ok(x),
        }
    }

    pub(crate) fn norm(&mut self, norm: Option<Norm>, x: NodeId) -> Result<NodeId, ShapeError> {
        match norm {
            Some(norm) => self.add("norm", norm_op(norm), x),
            None => Ok(x),
        }
    }

    /// A convolution, without bias where a norm makes it useless.
    pub(crate) fn conv(&mut self, item: &Item, kernel: Kernel, x: NodeId) -> Result<NodeId, ShapeError> {
        self.add("conv", conv_op(item, kernel), x)
    }

    /// Convolution, norm, activation; or with `pre` norm, activation, convolution.
    pub(crate) fn unit(
        &mut self,
        item: &Item,
        kernel: Kernel,
        activation: Option<Activation>,
        mut x: NodeId,
    ) -> Result<NodeId, ShapeError> {
        if !item.pre {
            x = self.conv(item, kernel, x)?;
        }
        x = self.norm(item.norm, x)?;
        x = self.activate(activation, x)?;
        if item.pre { self.conv(item, kernel, x) } else { Ok(x) }
    }

    fn plain(&mut self, item: &Item, filters: usize, groups: usize, x: NodeId) -> Result<NodeId, ShapeError> {
        let kernel = Kernel { filters, side: item.number, stride: item.stride, groups, same: item.same };
        self.unit(item, kernel, item.activation, x)
    }
}

/// 1x1 with so many filters.
pub(crate) fn point(filters: usize) -> Kernel {
    Kernel { filters, side: 1, stride: 1, groups: 1, same: true }
}

pub(crate) fn conv_op(item: &Item, kernel: Kernel) -> Op {
    let Kernel { filters, side: kernel, stride, groups, same } = kernel;
    let pad = if same { kernel / 2 } else { 0 };
    Op::Conv {
        filters,
        kernel,
        stride,
        pad,
        groups,
        bias: item.norm.is_none(),
        standardised: item.standardised,
    }
}

pub(crate) fn norm_op(norm: Norm) -> Op {
    match norm {
        Norm::Batch => Op::BatchNorm,
        Norm::Group(groups) => Op::GroupNorm { groups },
    }
}

/// Values that `tensors` of a role hold.
pub(crate) fn count<'a>(nodes: impl Iterator<Item = &'a Node>, role: Role) -> usize {
    nodes
        .flat_map(|node| &node.tensors)
        .filter(|t| t.role == role)
        .map(crate::tensor::TensorSpec::count)
        .sum()
}
