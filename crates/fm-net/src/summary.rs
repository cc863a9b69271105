//! The table of a network's layers, and the structure behind it.

use std::fmt::Write;

use serde::Serialize;

use crate::graph::{Network, Node, NodeId, Part};
use crate::lower::count;
use crate::op::{Op, Operator};
use crate::tensor::Role;

/// What a network consists of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// The architecture's canonical text.
    pub arch: String,
    /// Image height, width, channels.
    pub image: [usize; 3],
    /// Number of classes, none for an autoencoder.
    pub classes: Option<usize>,
    /// Height and width of the part of the image that the output depends on.
    pub seen: [usize; 2],
    /// A line for each layer, in the order of the forward pass.
    pub layers: Vec<Line>,
    /// Values that train.
    pub trainable: usize,
    /// Values of parameters that stay as they are.
    pub frozen: usize,
    /// Running statistics.
    pub buffers: usize,
    /// Multiply-adds of the forward pass for one image, of convolutions and dense layers.
    pub macs: u64,
}

/// A node with the activations that follow it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Line {
    /// Its part.
    pub part: String,
    /// The node's name.
    pub layer: String,
    /// What it does, in words.
    pub operation: String,
    /// Output shape without the batch: channels, height, width, or features.
    pub output: Vec<usize>,
    /// Values that train.
    pub trainable: usize,
    /// Values of parameters that stay as they are.
    pub frozen: usize,
    /// Running statistics.
    pub buffers: usize,
    /// Multiply-adds for one image.
    pub macs: u64,
}

/// Works out the summary of `network`; `frozen` says which parts do not train.
#[must_use]
pub fn summary(network: &Network, frozen: &[Part]) -> Summary {
    let mut layers: Vec<Line> = Vec::new();
    for (i, node) in network.nodes.iter().enumerate() {
        match (&node.op, layers.last_mut()) {
            (Op::Activation(activation), Some(line)) if i > 0 && node.inputs == [NodeId::Node(i - 1)] => {
                line.operation = format!("{}, {}", line.operation, activation.name());
            }
            _ => layers.push(line(network, i, node, frozen.contains(&node.part))),
        }
    }
    let arch = &network.arch;
    let seen = network.seen();
    Summary {
        arch: arch.to_string(),
        image: [arch.height, arch.width, arch.channels],
        classes: network.classes,
        seen: [seen.0, seen.1],
        trainable: layers.iter().map(|line| line.trainable).sum(),
        frozen: layers.iter().map(|line| line.frozen).sum(),
        buffers: layers.iter().map(|line| line.buffers).sum(),
        macs: network.macs(),
        layers,
    }
}

fn line(network: &Network, i: usize, node: &Node, frozen: bool) -> Line {
    let mut operation = node.op.describe();
    if i + 1 == network.nodes.len() && network.classes.is_some() {
        operation.push_str(" (logits)");
    }
    let values = count([node].into_iter(), Role::Trained);
    Line {
        part: node.part.to_string(),
        layer: node.name.clone(),
        operation,
        output: node.output.dims(),
        trainable: if frozen { 0 } else { values },
        frozen: if frozen { values } else { 0 },
        buffers: count([node].into_iter(), Role::Buffer),
        macs: node.op.macs(&network.inputs(node)),
    }
}

/// A table of layers with part, output shape, trainable and frozen parameters and multiply-adds, then the totals.
///
/// Output shapes are without the batch, channels first. `frozen` says which parts do not train.
#[must_use]
pub fn table(network: &Network, frozen: &[Part]) -> String {
    let Summary { arch, image, classes, seen, layers, trainable, frozen, buffers, macs } =
        summary(network, frozen);
    let [h, w, channels] = image;
    let mut out = String::new();
    let of = if channels == 1 { format!("{h}x{w}") } else { format!("{h}x{w}x{channels}") };
    let _ = match classes {
        None => writeln!(out, "autoencoder of {arch}: {of} images, reconstructed"),
        Some(classes) => writeln!(out, "{arch}: {of} images, {classes} classes"),
    };
    let _ = if seen == [h, w] {
        writeln!(out, "sees all pixels\n")
    } else {
        writeln!(out, "sees the top-left {}x{} pixels\n", seen[0], seen[1])
    };
    let width = |least: usize, of: fn(&Line) -> usize| layers.iter().map(of).max().unwrap_or(0).max(least);
    let (name, operation) = (width(10, |l| l.layer.len()), width(32, |l| l.operation.len()));
    let mut row = |cells: [&str; 7]| {
        let [part, layer, op, output, trains, stays, macs] = cells;
        let _ = writeln!(
            out,
            "{part:<9} {layer:<name$} {op:<operation$} {output:>14} {trains:>11} {stays:>9} {macs:>13}"
        );
    };
    row(["part", "layer", "operation", "output", "trainable", "frozen", "multiply-adds"]);
    for line in &layers {
        let shape = line.output.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        let [trains, stays] = [line.trainable, line.frozen].map(|n| n.to_string());
        row([&line.part, &line.layer, &line.operation, &shape, &trains, &stays, &line.macs.to_string()]);
    }
    row(["total", "", "", "", &trainable.to_string(), &frozen.to_string(), &macs.to_string()]);
    if buffers > 0 {
        let _ = writeln!(out, "\nand {buffers} running statistics of norms");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(text: &str) -> Network {
        Network::new(&text.parse().unwrap(), 10).unwrap()
    }

    #[test]
    fn totals_follow_what_is_frozen() {
        let last = |frozen: &[Part]| {
            let text = table(&network("encoder-mlp"), frozen);
            text.lines().last().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(last(&[]), ["total", "123690", "0", "2529728"]);
        assert_eq!(last(&[Part::Encoder]), ["total", "104874", "18816", "2529728"]);
    }

    #[test]
    fn activations_stand_with_what_they_follow() {
        let summary = summary(&network("32C3.bn-8R3.s2-GAP--16"), &[]);
        let lines: Vec<(&str, &str)> =
            summary.layers.iter().map(|l| (l.layer.as_str(), l.operation.as_str())).collect();
        let expected = [
            ("conv1", "conv 3x3, 32 filters"),
            ("norm1", "batch norm, ReLU"),
            ("block1.conv1", "conv 3x3, 8 filters, stride 2, same"),
            ("block1.norm1", "batch norm, ReLU"),
            ("block1.conv2", "conv 3x3, 8 filters, same"),
            ("block1.norm2", "batch norm"),
            ("block1.project", "conv 1x1, 8 filters, stride 2"),
            ("block1.project_norm", "batch norm"),
            ("block1.add", "add, ReLU"),
            ("gap", "global average pool"),
            ("dense1", "dense 16, ReLU"),
            ("dense2", "dense 10 (logits)"),
        ];
        assert_eq!(lines, expected);
        assert_eq!(summary.buffers, 2 * (32 + 8 + 8 + 8));
    }

    #[test]
    fn the_first_lines_say_what_it_is() {
        let text = table(&network("cnn@32x32x3"), &[]);
        assert!(
            text.starts_with("cnn@32x32x3: 32x32x3 images, 10 classes\nsees the top-left 30x30 pixels\n\n"),
            "{text}"
        );
        let auto = Network::autoencoder(&"encoder-mlp".parse().unwrap()).unwrap();
        let text = table(&auto, &[]);
        assert!(text.starts_with("autoencoder of encoder-mlp: 28x28 images, reconstructed\n"), "{text}");
        assert!(text.contains("transposed conv 3x3, 1, sigmoid"), "{text}");
    }
}
