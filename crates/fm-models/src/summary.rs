//! The layer table that `fm-exp summary` prints.

use std::fmt::Write;

use crate::network::{Network, Op, Param, Part};

/// A table of layers with part, output shape and trainable and frozen parameters, then the totals.
///
/// Output shapes are without the batch, channels first. `frozen` says which parts do not train.
#[must_use]
pub fn table(network: &Network, frozen: &[Part]) -> String {
    let mut out = String::new();
    let (seen_h, seen_w) = network.seen();
    let spec = network.spec;
    let (h, w) = (spec.height, spec.width);
    let _ = if network.reconstructs() {
        writeln!(out, "autoencoder of {spec}: {h}x{w} images, reconstructed")
    } else {
        writeln!(out, "{spec}: {h}x{w} images, {} classes", network.classes)
    };
    let _ = writeln!(out, "sees the top-left {seen_h}x{seen_w} pixels\n");
    let _ = writeln!(
        out,
        "{:<9} {:<10} {:<32} {:>14} {:>11} {:>9}",
        "part", "layer", "operation", "output", "trainable", "frozen"
    );
    let (mut trainable, mut still) = (0, 0);
    for layer in &network.layers {
        let count: usize = layer.params.iter().map(Param::count).sum();
        let (moves, stays) = if frozen.contains(&layer.part) { (0, count) } else { (count, 0) };
        (trainable, still) = (trainable + moves, still + stays);
        let shape = layer.output.iter().map(ToString::to_string).collect::<Vec<_>>().join("x");
        let (part, name, op) = (layer.part.to_string(), &layer.name, operation(layer.op));
        let _ = writeln!(out, "{part:<9} {name:<10} {op:<32} {shape:>14} {moves:>11} {stays:>9}");
    }
    let _ = writeln!(out, "{:<9} {:<10} {:<32} {:>14} {trainable:>11} {still:>9}", "total", "", "", "");
    out
}

/// A layer in words.
fn operation(op: Op) -> String {
    match op {
        Op::Conv { filters } => format!("conv 3x3, {filters} filters, ReLU"),
        Op::MaxPool => "max-pool 2x2".to_owned(),
        Op::Flatten => "flatten".to_owned(),
        Op::Dense { units, relu: true } => format!("dense {units}, ReLU"),
        Op::Dense { units, relu: false } => format!("dense {units} (logits)"),
        Op::Unflatten => "unflatten".to_owned(),
        Op::Upsample => "upsample 2x2".to_owned(),
        Op::ConvTranspose { filters, last: false } => format!("transposed conv 3x3, {filters}, ReLU"),
        Op::ConvTranspose { filters, last: true } => format!("transposed conv 3x3, {filters}, sigmoid"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn totals_follow_what_is_frozen() {
        let network = Network::new("encoder-mlp".parse().unwrap(), 10);
        let last = |frozen: &[Part]| {
            let text = table(&network, frozen);
            text.lines().last().unwrap().split_whitespace().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(last(&[]), ["total", "123690", "0"]);
        assert_eq!(last(&[Part::Encoder]), ["total", "104874", "18816"]);
    }
}
