//! From the graph of the notation to stages.

use fm_net::{Activation, Network, Node, NodeId, Op, Operator as _, Part};

use super::cut::cut;
use super::kernels::act::Act;
use super::kernels::col2im;
use super::kernels::moves::Way;
use super::map::Map;
use super::plan::{Kind, Plan, Stage, Tensor, Term, Value, map_of, place};
use crate::Error;

mod layers;

/// The plan of `network` for vectors of so many lanes.
///
/// # Errors
/// [`Error::Unsupported`] names the first node that is not covered.
pub(crate) fn lower(network: &Network, lanes: usize) -> Result<Plan, Error> {
    // What no output depends on need not be computed.
    let cut = cut(network);
    let image = map_of(cut.shape(NodeId::Image), lanes);
    let mut lowering = Lowering::new(network, &cut, image)?;
    for at in 0..cut.nodes.len() {
        lowering.node(at)?;
    }
    lowering.finish()
}

/// A node's output: computed, or what a later stage will compute.
#[derive(Clone)]
enum Lowered {
    Value(usize),
    /// A sum of values, some normalised.
    Sum(Vec<Term>),
}

struct Lowering<'n> {
    whole: &'n Network,
    network: &'n Network,
    plan: Plan,
    lowered: Vec<Lowered>,
    /// How many nodes take each output.
    takers: Vec<usize>,
    /// Index of each node's first tensor.
    tensors: Vec<usize>,
    /// ReLUs that a layer computes.
    merged: Vec<bool>,
}

impl<'n> Lowering<'n> {
    fn new(whole: &'n Network, network: &'n Network, image: Map) -> Result<Self, Error> {
        let mut takers = vec![0; network.nodes.len() + 1];
        for id in network.nodes.iter().flat_map(|node| &node.inputs) {
            takers[place(*id)] += 1;
        }
        let (mut list, mut first, mut at) = (Vec::new(), Vec::new(), 0);
        for node in &network.nodes {
            first.push(list.len());
            for spec in &node.tensors {
                let len = spec.count();
                let (dimensions, first) = (spec.shape.len(), spec.shape.first().copied().unwrap_or(1));
                list.push(Tensor { at, len, dimensions, first, role: spec.role, part: node.part });
                at += len.next_multiple_of(16);
            }
        }
        if network.nodes.is_empty() {
            return Err(Error::Network("no layer".to_owned()));
        }
        let plan = Plan {
            lanes: image.lanes,
            values: vec![Value { map: image, gradient: image }],
            stages: Vec::new(),
            layers: Vec::new(),
            norms: Vec::new(),
            tensors: list,
            flat: at,
            packs: Vec::new(),
            packed: 0,
            coefficients: 0,
            code: (0, 0),
            output: 0,
            classes: network.classes,
            image: [whole.arch.channels, whole.arch.height, whole.arch.width],
        };
        let merged = vec![false; network.nodes.len()];
        Ok(Self { whole, network, plan, lowered: vec![Lowered::Value(0)], takers, tensors: first, merged })
    }

    fn node(&mut self, at: usize) -> Result<(), Error> {
        let node = &self.network.nodes[at];
        let lowered = match &node.op {
            Op::Conv { .. } | Op::Dense { .. } | Op::ConvTranspose { .. } => self.layer(at)?,
            Op::BatchNorm => self.batch_norm(at),
            Op::Add => self.add(at),
            Op::Activation(act) => self.activation(at, *act),
            _ => self.other(at)?,
        };
        self.lowered.push(lowered);
        if node.part == Part::Encoder {
            let last = self.network.nodes.get(at + 1).is_none_or(|next| next.part != Part::Encoder);
            if last {
                self.plan.code.0 = self.settle(NodeId::Node(at), at);
                self.plan.code.1 = self.plan.stages.len();
            }
        }
        Ok(())
    }

    /// The value of an output, computed now if need be.
    fn settle(&mut self, id: NodeId, by: usize) -> usize {
        match self.lowered[place(id)].clone() {
            Lowered::Value(value) => value,
            Lowered::Sum(terms) => {
                let NodeId::Node(at) = id else { return 0 };
                let value = self.point(at.min(by), terms, Act(None));
                self.lowered[place(id)] = Lowered::Value(value);
                value
            }
        }
    }

    /// The one node that takes an output, if there is but one.
    fn only(&self, at: usize) -> Option<(usize, &'n Node)> {
        if self.takers[at + 1] != 1 {
            return None;
        }
        let takes = |node: &&Node| node.inputs.contains(&NodeId::Node(at));
        let network: &'n Network = self.network;
        let found = network.nodes.iter().position(|node| takes(&node))?;
        Some((found, &network.nodes[found]))
    }

    fn new_value(&mut self, at: usize) -> usize {
        self.value(map_of(self.network.nodes[at].output, self.plan.lanes))
    }

    fn value(&mut self, map: Map) -> usize {
        self.plan.values.push(Value { map, gradient: map });
        self.plan.values.len() - 1
    }

    fn stage(&mut self, at: usize, inputs: Vec<usize>, out: usize, kind: Kind) {
        let node = &self.network.nodes[at];
        let name = format!("{}.{}", node.part, node.name);
        let macs = node.op.macs(&self.network.inputs(node));
        self.plan.stages.push(Stage { name, node: at, part: node.part, inputs, out, kind, macs });
    }

    fn point(&mut self, at: usize, terms: Vec<Term>, act: Act) -> usize {
        let out = self.new_value(at);
        let inputs = terms.iter().map(|term| term.value).collect();
        self.stage(at, inputs, out, Kind::Point { terms, act });
        out
    }

    fn add(&mut self, at: usize) -> Lowered {
        let mut terms = Vec::new();
        for &id in &self.network.nodes[at].inputs {
            match &self.lowered[place(id)] {
                Lowered::Sum(sum) if sum.len() == 1 => terms.extend(sum.clone()),
                _ => terms.push(Term { value: self.settle(id, at), norm: None }),
            }
        }
        self.later(at, terms)
    }

    /// A sum that the next node computes, if it is the only one to take it and can.
    fn later(&mut self, at: usize, terms: Vec<Term>) -> Lowered {
        let single = terms.len() == 1;
        match self.only(at) {
            Some((_, taker)) if matches!(taker.op, Op::Activation(_)) => Lowered::Sum(terms),
            Some((_, taker)) if single && matches!(taker.op, Op::Add) => Lowered::Sum(terms),
            _ => Lowered::Value(self.point(at, terms, Act(None))),
        }
    }

    fn activation(&mut self, at: usize, act: Activation) -> Lowered {
        let id = self.network.nodes[at].inputs[0];
        if self.merged[at] {
            return self.lowered[place(id)].clone();
        }
        let terms = match &self.lowered[place(id)] {
            Lowered::Sum(terms) => terms.clone(),
            Lowered::Value(value) => vec![Term { value: *value, norm: None }],
        };
        Lowered::Value(self.point(at, terms, Act(Some(act))))
    }

    fn other(&mut self, at: usize) -> Result<Lowered, Error> {
        let node = &self.network.nodes[at];
        let inputs: Vec<usize> = node.inputs.iter().map(|&id| self.settle(id, at)).collect();
        let pixels = self.plan.map(inputs[0]).pixels();
        if let Op::MaxPool { size, stride } = node.op
            && size == stride
            && let Some(pooled) = self.pooled(at, inputs[0], size)
        {
            return Ok(pooled);
        }
        let kind = match node.op {
            // One pixel is in that order already.
            Op::Flatten if pixels == 1 => return Ok(Lowered::Value(inputs[0])),
            Op::Unflatten { shape: [_, 1, 1] } => return Ok(Lowered::Value(inputs[0])),
            Op::Flatten => Kind::Copy(Way::Flatten),
            Op::Unflatten { .. } => Kind::Copy(Way::Unflatten),
            // The layer behind it computes it.
            Op::Upsample if self.doubles(at) => return Ok(Lowered::Value(inputs[0])),
            Op::Upsample => Kind::Copy(Way::Double),
            Op::GroupNorm { groups } => Kind::GroupNorm { groups, tensors: self.tensors[at] },
            Op::MaxPool { size, stride } => Kind::Pool { size, stride, max: true },
            Op::AvgPool { size, stride } => Kind::Pool { size, stride, max: false },
            Op::GlobalAvgPool => Kind::Global { max: false },
            Op::GlobalMaxPool => Kind::Global { max: true },
            Op::Dropout { percent, channels } => {
                // Masks are drawn for the whole image's shape.
                let whole = map_of(self.whole.nodes[at].output, 1);
                let dims = [whole.channels, whole.height, whole.width];
                Kind::Dropout { percent, channels, dims }
            }
            Op::Scale => Kind::Scale,
            _ => return Err(refused(node)),
        };
        let out = self.new_value(at);
        self.stage(at, inputs, out, kind);
        Ok(Lowered::Value(out))
    }

    /// Whether a node is a doubling that a transposed convolution alone takes, which can do with its input.
    fn doubles(&self, at: usize) -> bool {
        matches!(self.network.nodes[at].op, Op::Upsample)
            && self.only(at).is_some_and(|(_, taker)| {
                let side = if let Op::ConvTranspose { kernel, .. } = taker.op { kernel } else { usize::MAX };
                side <= col2im::MOST && taker.part == self.network.nodes[at].part
            })
    }

    /// A maximum with the norm and ReLU before it, where it alone takes them.
    fn pooled(&mut self, at: usize, input: usize, size: usize) -> Option<Lowered> {
        let node = &self.network.nodes[at];
        let before = self.plan.stages.last()?;
        let (part, relu) = (before.part, Some(Activation::Relu));
        let term = match &before.kind {
            Kind::Point { terms, act } if terms.len() == 1 && act.0 == relu => terms[0],
            _ => return None,
        };
        let sole = before.out == input && self.takers[place(node.inputs[0])] == 1;
        if !sole || part != node.part || term.norm.is_none() {
            return None;
        }
        let mut stage = self.plan.stages.pop()?;
        stage.out = self.new_value(at);
        stage.name = format!("{}, {}", stage.name, node.name);
        stage.kind = Kind::Pooled { term, size };
        let out = stage.out;
        self.plan.stages.push(stage);
        Some(Lowered::Value(out))
    }

    /// The output, and where everything lies.
    fn finish(mut self) -> Result<Plan, Error> {
        let last = self.network.nodes.len() - 1;
        self.plan.output = self.settle(NodeId::Node(last), last);
        if self.plan.code.1 == 0 {
            return Err(Error::Unsupported("a network without an encoder".to_owned()));
        }
        self.plan.lay_out();
        Ok(self.plan)
    }
}

/// The refusal of a node, by name.
fn refused(node: &Node) -> Error {
    Error::Unsupported(format!("{}.{} ({})", node.part, node.name, node.op.describe()))
}
