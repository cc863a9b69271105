//! A network for a web page: its steps as JSON, its weights rounded to few bits, and the script that computes it.
//!
//! Weights of a filter are multiples of a scale of its own, so that a page stays small. What that changes,
//! [`Page::program`] shows: it has the rounded weights, and the script computes what it computes.

use serde_json::{Value, json};

use crate::c::Program;
use crate::c::program::{Kind, Step};

/// Defines `fmNet`: `load(spec, bytes)` makes a network of [`Page::spec`] and [`Page::bytes`], and `run(network, image)`
/// gives the output for an image of numbers from 0 to 1.
pub const SCRIPT: &str = include_str!("net.js");

/// A network whose weights are rounded.
#[derive(Debug, Clone, PartialEq)]
pub struct Page {
    program: Program,
    /// Of a weight; above 8 its last four stand apart.
    bits: u32,
    /// Of weights, as multiples of a scale.
    levels: Vec<i16>,
    /// Scales, biases and everything else.
    numbers: Vec<f32>,
    steps: Vec<Value>,
}

impl Page {
    /// Rounds the weights of convolutions and dense layers to `bits` bits, from 2 to 12. Layers with less than a quarter
    /// of all weights get two more where the format has them: they cost little, and their errors pass through the rest.
    #[must_use]
    pub fn new(mut program: Program, bits: u32) -> Self {
        let bits = bits.clamp(2, 12);
        let widest = if bits > 8 { 12 } else { 8 };
        let weights = |step: &Step| match &step.kind {
            Kind::Conv(conv) => conv.weight.len(),
            Kind::ConvTranspose(_, weight, _) => weight.len(),
            _ => 0,
        };
        let total: usize = program.steps.iter().map(weights).sum();
        let (mut levels, mut numbers, mut steps) = (Vec::new(), Vec::new(), Vec::new());
        let mut rounded = |weights: &mut [f32], bits: u32, numbers: &mut Vec<f32>| {
            let most = f64::from((1_u32 << (bits - 1)) - 1);
            let largest = weights.iter().fold(0.0_f32, |largest, w| largest.max(w.abs()));
            let scale = (f64::from(largest.max(1e-20)) / most) as f32;
            numbers.push(scale);
            for weight in weights {
                let level = (f64::from(*weight) / f64::from(scale)).round().clamp(-most, most);
                levels.push(level as i16);
                *weight = level as f32 * scale;
            }
        };
        for step in &mut program.steps {
            let own = if 4 * weights(step) < total { widest.min(bits + 2) } else { bits };
            let Step { kind, inputs, output, relu, .. } = step;
            let what = match kind {
                Kind::Conv(conv) => {
                    let len = conv.weight.len() / conv.bias.len();
                    conv.weight.chunks_mut(len).for_each(|filter| rounded(filter, own, &mut numbers));
                    numbers.extend(&conv.bias);
                    json!({ "op": "conv", "k": conv.kernel, "s": conv.stride, "p": conv.pad, "g": conv.groups })
                }
                Kind::ConvTranspose(k, weight, bias) => {
                    rounded(weight, own, &mut numbers);
                    numbers.extend(&*bias);
                    json!({ "op": "convT", "k": *k })
                }
                Kind::Affine(factors, _) if factors.is_empty() => json!({ "op": "copy" }),
                Kind::Affine(factors, summands) => {
                    numbers.extend(factors.iter().chain(&*summands));
                    json!({ "op": "affine" })
                }
                Kind::GroupNorm(groups, factors, summands) => {
                    numbers.extend(factors.iter().chain(&*summands));
                    json!({ "op": "groupNorm", "g": *groups, "eps": fm_net::EPS })
                }
                Kind::Activation(activation) => json!({ "op": activation.token() }),
                Kind::MaxPool(size, stride) => json!({ "op": "maxPool", "k": *size, "s": *stride }),
                Kind::AvgPool(size, stride) => json!({ "op": "avgPool", "k": *size, "s": *stride }),
                Kind::Add => json!({ "op": "add" }),
                Kind::Scale => json!({ "op": "scale" }),
                Kind::Upsample => json!({ "op": "upsample" }),
            };
            steps.push(json!({ "do": what, "in": inputs, "out": output, "relu": relu }));
        }
        Self { program, bits, levels, numbers, steps }
    }

    /// The same network with the rounded weights.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// What the script needs besides [`Page::bytes`].
    #[must_use]
    pub fn spec(&self) -> Value {
        let Program { values, output, .. } = &self.program;
        let (levels, numbers, split) = (self.levels.len(), self.numbers.len(), self.bits > 8);
        json!({
            "steps": self.steps, "values": values, "output": output, "levels": levels, "numbers": numbers, "split": split,
        })
    }

    /// The weights, a byte each, then the other numbers as little-endian floats. Of weights with more than 8 bits the
    /// last four stand behind the first ones, two weights a byte: they look random, and the others compress.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let numbers = self.numbers.iter().flat_map(|number| number.to_le_bytes());
        let shift = if self.bits > 8 { 4 } else { 0 };
        let mut bytes: Vec<u8> = self.levels.iter().map(|level| (level >> shift) as u8).collect();
        if self.bits > 8 {
            let last = |level: Option<&i16>| level.map_or(0, |level| (level & 15) as u8);
            bytes.extend(self.levels.chunks(2).map(|pair| last(pair.first()) << 4 | last(pair.get(1))));
        }
        bytes.extend(numbers);
        bytes
    }
}
