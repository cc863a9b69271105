//! PyTorch: `class Net(nn.Module)` whose `state_dict` has the project's tensor names.

use super::{NotCovered, Wiring, call, share, standardises, title, unless};
use crate::graph::{Network, NodeId, Part};
use crate::op::{Activation, EPS, MOMENTUM, Op, Operator, Shape};

/// `network` as a Python module with a class `Net`. Its `state_dict` has the same names and layouts as the
/// project's model files, but for BatchNorm's `num_batches_tracked`.
///
/// # Errors
/// When an operator has no PyTorch code.
pub fn pytorch(network: &Network) -> Result<String, NotCovered> {
    let mut body = vec!["def __init__(self):".to_owned(), "    super().__init__()".to_owned()];
    let wiring = Wiring::new(network);
    let mut forward = vec![format!("def forward(self, {}):", wiring.image)];
    for part in [Part::Encoder, Part::Head, Part::Decoder] {
        let nodes: Vec<usize> =
            (0..network.nodes.len()).filter(|&at| network.nodes[at].part == part).collect();
        let (Some(&first), Some(&last)) = (nodes.first(), nodes.last()) else { continue };
        let chain = nodes.iter().all(|&at| is_link(network, at));
        body.extend(modules(network, part, &nodes, chain)?);
        if chain {
            let (from, to) = (wiring.arguments(&network.nodes[first].inputs), &wiring.nodes[last]);
            forward.push(format!("    {to} = self.{part}({from})"));
        } else {
            forward.extend(nodes.iter().map(|&at| format!("    {}", statement(network, &wiring, at))));
        }
    }
    let result = wiring.nodes.last().unwrap_or(&wiring.image);
    forward.push(format!("    return {result}"));

    let mut lines = imports(network, &body);
    lines.extend([String::new(), String::new(), "class Net(nn.Module):".to_owned()]);
    let mut class = docstring(network);
    class.push(String::new());
    class.append(&mut body);
    class.push(String::new());
    class.append(&mut forward);
    lines.extend(class.into_iter().map(|l| if l.is_empty() { l } else { format!("    {l}") }));
    Ok(lines.join("\n") + "\n")
}

/// Whether the node only follows the one before it, so that `nn.Sequential` can hold it.
fn is_link(network: &Network, at: usize) -> bool {
    let node = &network.nodes[at];
    let before = at.checked_sub(1).map_or(NodeId::Image, NodeId::Node);
    node.inputs == [before] && !node.name.contains('.')
}

fn imports(network: &Network, body: &[String]) -> Vec<String> {
    let mut lines = Vec::new();
    if body.iter().any(|line| line.contains("OrderedDict")) {
        lines.extend(["from collections import OrderedDict".to_owned(), String::new()]);
    }
    if standardises(network) {
        lines.push("import torch".to_owned());
    }
    lines.push("from torch import nn".to_owned());
    if standardises(network) {
        lines.extend(STANDARDISED.replace("EPS", &format!("{EPS:e}")).lines().map(str::to_owned));
    }
    lines
}

const STANDARDISED: &str = r#"

class StandardisedConv2d(nn.Conv2d):
    """A convolution whose kernels are brought to mean 0 and variance 1 before use (Qiao et al., 2019)."""

    def forward(self, x):
        variance, mean = torch.var_mean(self.weight, (1, 2, 3), correction=0, keepdim=True)
        return self._conv_forward(x, (self.weight - mean) / torch.sqrt(variance + EPS), self.bias)
"#;

fn docstring(network: &Network) -> Vec<String> {
    let arch = &network.arch;
    let (c, h, w) = (arch.channels, arch.height, arch.width);
    let gives = match (network.classes, network.nodes.last().map(|node| node.output)) {
        (None, Some(Shape::Map { channels, height, width })) => {
            format!("reconstructions [n, {channels}, {height}, {width}]")
        }
        (classes, _) => format!("logits [n, {}]", classes.unwrap_or_default()),
    };
    vec![
        format!("\"\"\"{}", title(network)),
        String::new(),
        format!("Takes images [n, {c}, {h}, {w}] of numbers from 0 to 1, gives {gives}."),
        "Weights: net.load_state_dict(safetensors.torch.load_file(\"model.safetensors\"), strict=False)"
            .to_owned(),
        "(not strict, because a file has no num_batches_tracked).".to_owned(),
        "\"\"\"".to_owned(),
    ]
}

/// A tree of modules, as the dots in their names say.
enum Tree {
    Module(String),
    Group(Vec<(String, Tree)>),
}

impl Tree {
    fn insert(&mut self, path: &str, module: String) {
        let Tree::Group(entries) = self else { return };
        match path.split_once('.') {
            None => entries.push((path.to_owned(), Tree::Module(module))),
            Some((group, rest)) => {
                if !entries.iter().any(|(name, _)| name == group) {
                    entries.push((group.to_owned(), Tree::Group(Vec::new())));
                }
                if let Some((_, tree)) = entries.iter_mut().find(|(name, _)| name == group) {
                    tree.insert(rest, module);
                }
            }
        }
    }

    fn print(&self, head: &str, indent: &str, lines: &mut Vec<String>) {
        match self {
            Tree::Module(module) => lines.push(format!("{indent}{head}{module},")),
            Tree::Group(entries) => {
                lines.push(format!("{indent}{head}nn.ModuleDict(dict("));
                let deeper = format!("{indent}    ");
                for (name, tree) in entries {
                    tree.print(&format!("{name}="), &deeper, lines);
                }
                lines.push(format!("{indent})),"));
            }
        }
    }
}

/// `self.encoder = …`.
fn modules(network: &Network, part: Part, nodes: &[usize], chain: bool) -> Result<Vec<String>, NotCovered> {
    let mut tree = Tree::Group(Vec::new());
    for &at in nodes {
        let node = &network.nodes[at];
        if !matches!(node.op, Op::Add | Op::Scale) {
            let missing = || NotCovered { by: "the PyTorch code", kind: node.op.kind() };
            tree.insert(&node.name, node.op.pytorch(&network.inputs(node)).ok_or_else(missing)?);
        }
    }
    let mut lines = Vec::new();
    tree.print(&format!("self.{part} = "), "    ", &mut lines);
    if chain {
        lines[0] = format!("    self.{part} = nn.Sequential(OrderedDict(");
    }
    // The outermost group is a statement, not an argument.
    if let Some(last) = lines.last_mut() {
        "    ))".clone_into(last);
    }
    Ok(lines)
}

/// `x = self.encoder.conv1(x)`.
fn statement(network: &Network, wiring: &Wiring, at: usize) -> String {
    let node = &network.nodes[at];
    let to = &wiring.nodes[at];
    let value = |i: usize| node.inputs.get(i).map_or("", |&id| wiring.value(id));
    match node.op {
        Op::Add => format!("{to} = {} + {}", value(0), value(1)),
        Op::Scale => format!("{to} = {} * {}[:, :, None, None]", value(0), value(1)),
        _ => format!("{to} = self.{}.{}({})", node.part, node.name, wiring.arguments(&node.inputs)),
    }
}

/// The expression that makes the module; none for what is no module or not covered.
pub(crate) fn module(op: &Op, inputs: &[Shape]) -> Option<String> {
    let channels = inputs.first().map_or(0, |shape| shape.channels());
    let eps = || ("eps", Some(format!("{EPS:e}")));
    Some(match op {
        Op::Conv { filters, kernel, stride, pad, groups, bias, standardised } => {
            let class = if *standardised { "StandardisedConv2d" } else { "nn.Conv2d" };
            let options = [
                ("stride", unless(1, *stride)),
                ("padding", unless(0, *pad)),
                ("groups", unless(1, *groups)),
                ("bias", (!bias).then(|| "False".to_owned())),
            ];
            call(class, &[channels, *filters, *kernel], &options)
        }
        Op::BatchNorm => {
            call("nn.BatchNorm2d", &[channels], &[eps(), ("momentum", Some(MOMENTUM.to_string()))])
        }
        Op::GroupNorm { groups } => call("nn.GroupNorm", &[*groups, channels], &[eps()]),
        Op::Activation(Activation::Relu) => "nn.ReLU()".to_owned(),
        Op::Activation(Activation::Gelu) => "nn.GELU()".to_owned(),
        Op::Activation(Activation::Silu) => "nn.SiLU()".to_owned(),
        Op::Activation(Activation::Sigmoid) => "nn.Sigmoid()".to_owned(),
        Op::MaxPool { size, stride } => call("nn.MaxPool2d", &[*size], &[("stride", unless(*size, *stride))]),
        Op::AvgPool { size, stride } => call("nn.AvgPool2d", &[*size], &[("stride", unless(*size, *stride))]),
        Op::GlobalAvgPool => "nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())".to_owned(),
        Op::GlobalMaxPool => "nn.Sequential(nn.AdaptiveMaxPool2d(1), nn.Flatten())".to_owned(),
        Op::Dropout { percent, channels: true } => format!("nn.Dropout2d({})", share(*percent)),
        Op::Dropout { percent, .. } => format!("nn.Dropout({})", share(*percent)),
        Op::Flatten => "nn.Flatten()".to_owned(),
        Op::Dense { units } => call("nn.Linear", &[channels, *units], &[]),
        Op::Unflatten { shape: [c, h, w] } => format!("nn.Unflatten(1, ({c}, {h}, {w}))"),
        Op::Upsample => "nn.Upsample(scale_factor=2)".to_owned(),
        Op::ConvTranspose { filters, kernel } => {
            call("nn.ConvTranspose2d", &[channels, *filters, *kernel], &[])
        }
        Op::Add | Op::Scale => return None,
        Op::Custom(operator) => operator.pytorch(inputs)?,
    })
}
