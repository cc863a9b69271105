//! The backward pass as a list of operations, and which memory each gradient uses.

use fm_net::Scope;

use super::map::Map;
use super::plan::{Kind, Plan, Stage, Term};

/// Where a gradient goes: a buffer, and whether it is added to what is there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) buffer: usize,
    pub(crate) add: bool,
}

/// What a gradient passes on its way to a batch norm, where it was not changed in place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Before {
    Nothing,
    /// The ReLU of that norm alone: whether it let a value through follows from the norm's input.
    Relu,
    /// The maximum of a stage.
    Pooled(usize),
}

/// One operation of the backward pass. `g` is the buffer of the output's gradient.
#[derive(Debug, Clone)]
pub(crate) enum Back {
    /// Through the activation of a stage (a layer's ReLU, a point), in place unless its norm does so; and batch norm's sums.
    Act { stage: usize, g: usize, in_place: bool },
    /// A layer's data gradient, and its weights' where they train.
    Layer { layer: usize, g: usize, to: Option<Target>, weights: bool },
    /// Through batch norm, and what is behind it; where nothing else takes the gradient, in place.
    Norm { norm: usize, g: usize, to: Target, frozen: bool, before: Before },
    /// A gradient as it is.
    Copy { g: usize, to: Target },
    /// Any other stage with one input.
    Stage { stage: usize, g: usize, to: Option<Target> },
    /// Map times vector: to both.
    Scale { stage: usize, g: usize, map: Option<Target>, vector: Option<Target> },
}

/// The backward pass for a scope.
#[derive(Debug, Clone, Default)]
pub(crate) struct Program {
    /// Each with the stage that it belongs to.
    pub(crate) list: Vec<(Back, usize)>,
    pub(crate) buffers: Vec<Map>,
    /// Buffer of the gradient of the network's output.
    pub(crate) output: usize,
}

struct Builder<'p> {
    plan: &'p Plan,
    program: Program,
    /// Buffer of each value's gradient.
    at: Vec<Option<usize>>,
    free: Vec<usize>,
    needs: Vec<bool>,
    /// Of each value, whether its whole gradient went through its ReLU already.
    gated: Vec<bool>,
}

impl Program {
    pub(crate) fn new(plan: &Plan, scope: Scope) -> Self {
        let mut needs = vec![false; plan.values.len()];
        for stage in &plan.stages {
            let from = stage.inputs.iter().any(|&value| needs[value]);
            needs[stage.out] |= from || (scope.contains(stage.part) && has_tensors(stage));
        }
        let (at, free) = (vec![None; plan.values.len()], Vec::new());
        let gated = vec![true; plan.values.len()];
        let mut builder = Builder { plan, program: Self::default(), at, free, needs, gated };
        // The loss is told, and writes its gradient, where nothing trains too.
        builder.program.output = builder.target(plan.output).buffer;
        for (index, stage) in plan.stages.iter().enumerate().rev() {
            if matches!(stage.kind, Kind::Moments(_)) || !builder.needs[stage.out] {
                continue;
            }
            let Some(g) = builder.at[stage.out] else { continue };
            builder.stage(index, stage, g, scope);
        }
        builder.program
    }
}

fn has_tensors(stage: &Stage) -> bool {
    match &stage.kind {
        Kind::Layer(_) | Kind::GroupNorm { .. } | Kind::Col2im { .. } => true,
        kind => kind.terms().iter().any(|term| term.norm.is_some()),
    }
}

impl Builder<'_> {
    /// Where a gradient of a value goes.
    fn target(&mut self, value: usize) -> Target {
        self.gated[value] = false;
        if let Some(buffer) = self.at[value] {
            return Target { buffer, add: true };
        }
        let map = self.plan.gradient(value);
        let found = self.free.iter().position(|&buffer| self.program.buffers[buffer] == map);
        let buffer = if let Some(found) = found {
            self.free.swap_remove(found)
        } else {
            self.program.buffers.push(map);
            self.program.buffers.len() - 1
        };
        self.at[value] = Some(buffer);
        Target { buffer, add: false }
    }

    /// Makes a buffer the one of a value's gradient.
    fn adopt(&mut self, value: usize, buffer: usize) {
        self.gated[value] = false;
        self.at[value] = Some(buffer);
    }

    fn wanted(&mut self, value: usize) -> Option<Target> {
        self.needs[value].then(|| self.target(value))
    }

    fn stage(&mut self, index: usize, stage: &Stage, g: usize, scope: Scope) {
        let trains = scope.contains(stage.part);
        let mut adopted = false;
        let back = match &stage.kind {
            Kind::Layer(layer) => {
                if self.plan.layers[*layer].relu && !self.gated[stage.out] {
                    self.program.list.push((Back::Act { stage: index, g, in_place: true }, index));
                }
                Back::Layer { layer: *layer, g, to: self.wanted(stage.inputs[0]), weights: trains }
            }
            Kind::Point { .. } | Kind::Pooled { .. } => {
                let before = match &stage.kind {
                    Kind::Pooled { .. } => Before::Pooled(index),
                    kind if trains && kind.is_relu_of_norm() => Before::Relu,
                    _ => Before::Nothing,
                };
                let act = Back::Act { stage: index, g, in_place: before != Before::Relu };
                self.program.list.push((act, index));
                if let (Before::Pooled(_), [term]) = (before, stage.kind.terms())
                    && self.plan.maker(term.value).is_some()
                {
                    // The layer's weight gradient starts from that of the maxima.
                    if self.needs[term.value] {
                        self.adopt(term.value, g);
                    } else {
                        self.free.push(g);
                    }
                    return;
                }
                let needed = || stage.kind.terms().iter().filter(|term| self.needs[term.value]);
                let (normed, plain): (Vec<Term>, Vec<Term>) = needed().partition(|term| term.norm.is_some());
                for (number, term) in normed.iter().enumerate() {
                    let Some(norm) = term.norm else { continue };
                    let last = number + 1 == normed.len() && plain.is_empty();
                    if last && self.at[term.value].is_none() && !matches!(before, Before::Pooled(_)) {
                        self.adopt(term.value, g);
                        adopted = true;
                    }
                    let add = self.at[term.value].is_some() && !adopted;
                    let to = Target { add, ..self.target(term.value) };
                    self.program.list.push((Back::Norm { norm, g, to, frozen: !trains, before }, index));
                }
                for term in plain {
                    if self.at[term.value].is_none() && !adopted {
                        self.adopt(term.value, g);
                        adopted = true;
                    } else {
                        let to = self.target(term.value);
                        self.program.list.push((Back::Copy { g, to }, index));
                    }
                }
                if !adopted {
                    self.free.push(g);
                }
                return;
            }
            Kind::Col2im { .. } => {
                // Takes the bias's sums along.
                self.program.list.push((Back::Act { stage: index, g, in_place: true }, index));
                Back::Stage { stage: index, g, to: self.wanted(stage.inputs[0]) }
            }
            Kind::Scale => {
                let (map, vector) = (self.wanted(stage.inputs[0]), self.wanted(stage.inputs[1]));
                Back::Scale { stage: index, g, map, vector }
            }
            Kind::Pool { max: true, .. } if self.plan.maker(stage.inputs[0]).is_some() => {
                let gated = self.gated[stage.inputs[0]];
                self.adopt(stage.inputs[0], g);
                self.gated[stage.inputs[0]] = gated;
                return;
            }
            Kind::Pool { max: true, .. } => {
                // It sees to the ReLU before it.
                let gated = self.gated[stage.inputs[0]];
                let to = self.wanted(stage.inputs[0]);
                self.gated[stage.inputs[0]] = gated;
                Back::Stage { stage: index, g, to }
            }
            _ => Back::Stage { stage: index, g, to: self.wanted(stage.inputs[0]) },
        };
        self.program.list.push((back, index));
        self.free.push(g);
    }
}
