//! What was chosen for each stage, and the work in it.

use std::fmt::Write;

use super::plan::{Kind, Plan, Stage};

/// One stage of a training step.
#[derive(Debug, Clone, PartialEq)]
pub struct StageReport {
    /// The node that it ends with: `encoder.block1.conv1`.
    pub name: String,
    /// What computes it, in words.
    pub kernel: String,
    /// Channels, height and width of its output.
    pub output: [usize; 3],
    /// Floating-point operations for one image, two for each multiply-add: of the forward pass, and of a
    /// step on all parts (data and weight gradients as much again each; the image has no data gradient).
    pub forward: u64,
    /// See [`StageReport::forward`].
    pub step: u64,
    /// Seconds that steps have spent in it, forward and backward.
    pub seconds: [f64; 2],
}

pub(super) fn explain(plan: &Plan, seconds: &[[f64; 2]]) -> Vec<StageReport> {
    plan.stages.iter().zip(seconds).map(|(stage, &seconds)| report(plan, stage, seconds)).collect()
}

fn report(plan: &Plan, stage: &Stage, seconds: [f64; 2]) -> StageReport {
    let map = plan.map(stage.out);
    let forward = 2 * stage.macs;
    let step = if stage.inputs.contains(&0) { 2 * forward } else { 3 * forward };
    let output = [map.channels, map.height, map.width];
    StageReport { name: stage.name.clone(), kernel: kernel(plan, stage), output, forward, step, seconds }
}

fn kernel(plan: &Plan, stage: &Stage) -> String {
    match &stage.kind {
        Kind::Layer(index) => {
            let layer = &plan.layers[*index];
            let shape = layer.shape;
            let mut text = if layer.flat {
                "matrix product".to_owned()
            } else if let Some(tiled) = &layer.forward.tiled {
                match tiled.side {
                    3 => "Winograd F(4x4, 3x3)".to_owned(),
                    _ => "Winograd F(2x2, 5x5)".to_owned(),
                }
            } else if plan.is_columns(layer.output) {
                "matrix product with every tap before the doubling".to_owned()
            } else if shape.transposed {
                format!("direct transposed convolution {0}x{0}", shape.kernel)
            } else {
                format!("direct convolution {0}x{0}", shape.kernel)
            };
            if shape.groups > 1 {
                let _ = write!(text, ", {} groups", shape.groups);
            }
            for (says, what) in [
                (layer.standardised, " of standardised weights"),
                (layer.bias.is_some(), " + bias"),
                (layer.relu, " + ReLU"),
                (layer.norm.is_some(), " + batch statistics"),
                (layer.taker.is_some(), ", not kept"),
                (layer.folded.is_some(), "; weight gradient in Winograd's form"),
            ] {
                text.push_str(if says { what } else { "" });
            }
            text
        }
        Kind::Moments(_) => "batch statistics".to_owned(),
        Kind::Point { terms, act } => {
            let norms = terms.iter().filter(|term| term.norm.is_some()).count();
            let mut parts = vec!["batch norm"; norms];
            if terms.len() == 2 {
                parts.push("add");
            }
            if let Some(act) = act.0 {
                parts.push(act.name());
            }
            parts.join(" + ")
        }
        Kind::Pooled { size, .. } => {
            format!("batch norm + {} + max-pool {size}x{size}", fm_net::Activation::Relu.name())
        }
        Kind::GroupNorm { groups, .. } => format!("group norm, {groups} groups"),
        Kind::Pool { size, max, .. } => {
            format!("{} {size}x{size}", if *max { "max-pool" } else { "average pool" })
        }
        Kind::Global { max } => format!("global {}", if *max { "max-pool" } else { "average pool" }),
        Kind::Dropout { .. } => "dropout".to_owned(),
        Kind::Scale => "scale channels".to_owned(),
        Kind::Col2im { relu, .. } => {
            format!("sums of taps (col2im) + bias{}", if *relu { " + ReLU" } else { "" })
        }
        Kind::Copy(way) => format!("copy ({way:?})").to_lowercase(),
    }
}
