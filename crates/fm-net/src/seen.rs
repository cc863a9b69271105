//! The part of the image that a network's output depends on.

use crate::graph::{Network, NodeId, Part};
use crate::op::{Operator, Shape, Window};

/// Rows and columns of a value.
type Size = (usize, usize);

fn size(shape: Shape) -> Size {
    match shape {
        Shape::Map { height, width, .. } => (height, width),
        Shape::Vector { .. } => (0, 0),
    }
}

fn larger(a: Size, b: Size) -> Size {
    (a.0.max(b.0), a.1.max(b.1))
}

/// Height and width; see [`Network::seen`].
pub(crate) fn seen(network: &Network) -> Size {
    let all = (network.arch.height, network.arch.width);
    let needed = back(network);
    if needed != all && forward(network, needed).is_none() { all } else { needed }
}

/// From the codes back to the image: how many rows and columns of each value are needed. A value that several
/// nodes read must have what the most demanding one needs.
fn back(network: &Network) -> Size {
    let mut image = (0, 0);
    let mut needs = vec![(0, 0); network.nodes.len()];
    for (i, node) in network.nodes.iter().enumerate().rev() {
        if node.part != Part::Encoder {
            continue;
        }
        for &id in &node.inputs {
            let before = match (node.op.window(), node.output) {
                (Window::Point, Shape::Map { .. }) => needs[i],
                (Window::Local { kernel, stride, pad: 0 }, Shape::Map { .. }) => {
                    let span = |n: usize| n.saturating_sub(1).saturating_mul(stride).saturating_add(kernel);
                    (span(needs[i].0), span(needs[i].1))
                }
                _ => size(network.shape(id)),
            };
            let need = match id {
                NodeId::Image => &mut image,
                NodeId::Node(j) => &mut needs[j],
            };
            *need = larger(*need, before);
        }
    }
    (image.0.min(network.arch.height), image.1.min(network.arch.width))
}

/// Whether the encoder takes an image of this size and gives codes of the same length: branches that need
/// different parts of a value may no longer fit together.
fn forward(network: &Network, image: Size) -> Option<()> {
    let channels = network.arch.channels;
    let mut shapes: Vec<Shape> = Vec::new();
    for node in network.nodes.iter().filter(|node| node.part == Part::Encoder) {
        let inputs: Vec<Shape> = node
            .inputs
            .iter()
            .map(|&id| match id {
                NodeId::Image => Shape::Map { channels, height: image.0, width: image.1 },
                NodeId::Node(j) => shapes[j],
            })
            .collect();
        let output = node.op.output(&inputs).ok()?;
        if node.op.window() == Window::Global && inputs != network.inputs(node) {
            return None;
        }
        shapes.push(output);
    }
    Some(())
}
