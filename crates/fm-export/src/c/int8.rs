//! The forward pass in 8-bit integers, as TensorFlow Lite has it (Jacob et al., arXiv:1712.05877): values are
//! `scale * (q - zero)` with one scale and zero for each, weights have a scale for each filter and no zero. Sums are of
//! 32 bits; a sum becomes the next value by a multiplication with a 31-bit number and a rounding shift.

use fm_net::NotCovered;

use super::program::{Conv, Kind, Program, Step};
use crate::Error;

/// Of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Scale {
    pub(crate) scale: f32,
    pub(crate) zero: i32,
}

/// A positive number as `multiplier / 2^shift`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ratio {
    pub(crate) multiplier: i32,
    pub(crate) shift: u32,
}

/// A convolution in integers.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Weights {
    pub(crate) weight: Vec<i8>,
    pub(crate) bias: Vec<i32>,
    /// A sum becomes the output's value by this, for each filter.
    pub(crate) ratios: Vec<Ratio>,
    /// Of a sum, for each filter: what the last layer's sums are multiplied by.
    pub(crate) scales: Vec<f32>,
}

/// A program with its scales and 8-bit weights.
#[derive(Debug, Clone, PartialEq)]
pub struct Quantised {
    pub(crate) program: Program,
    pub(crate) scales: Vec<Scale>,
    /// By step; none where a step has no weights.
    pub(crate) weights: Vec<Option<Weights>>,
    /// Of an average pool, by step.
    pub(crate) ratios: Vec<Option<Ratio>>,
    /// Factors of an addition's inputs, times 2^20, by step.
    pub(crate) factors: Vec<Option<[i32; 2]>>,
}

/// The bits behind the point of an addition's factors.
pub(crate) const ADD_BITS: u32 = 20;

impl Quantised {
    /// Chooses scales by the range of every value over `images`, each of as many bytes as the image has.
    ///
    /// # Errors
    /// For operators without an integer form, by name; without images.
    pub fn new(program: Program, images: &[&[u8]]) -> Result<Self, Error> {
        let refused = |kind| Err(Error::from(NotCovered { by: "the 8-bit C export", kind }));
        for step in &program.steps {
            match &step.kind {
                Kind::ConvTranspose(..) => return refused("transposed-conv"),
                Kind::Affine(factors, _) if !factors.is_empty() => {
                    return refused("batch-norm apart from a convolution");
                }
                Kind::GroupNorm(..) => return refused("group-norm"),
                Kind::Activation(activation) => return refused(activation.token()),
                Kind::Scale => return refused("scale"),
                Kind::Upsample => return refused("upsample"),
                Kind::Conv(_) | Kind::Affine(..) | Kind::MaxPool(..) | Kind::AvgPool(..) | Kind::Add => {}
            }
        }
        if !matches!(program.steps.last(), Some(Step { kind: Kind::Conv(_), output, relu: false, .. }) if *output == program.output)
        {
            return Err(Error::Other("the 8-bit C export needs a dense layer at the end".to_owned()));
        }
        if images.is_empty() {
            return Err(Error::Other("there are no images to choose scales by".to_owned()));
        }
        let mut ranges = vec![(0.0_f32, 0.0_f32); program.values.len()];
        for image in images {
            let image: Vec<f32> = image.iter().map(|&b| f32::from(b) * (1.0 / 255.0)).collect();
            for ((low, high), values) in ranges.iter_mut().zip(program.values(&image)) {
                for v in values {
                    *low = low.min(v);
                    *high = high.max(v);
                }
            }
        }
        let mut scales: Vec<Scale> = ranges.into_iter().map(scale).collect();
        scales[0] = Scale { scale: 1.0 / 255.0, zero: -128 };
        for step in &program.steps {
            // These only move values.
            if matches!(step.kind, Kind::MaxPool(..) | Kind::Affine(..)) {
                scales[step.output] = scales[step.inputs[0]];
            }
        }
        let n = program.steps.len();
        let mut quantised =
            Self { scales, weights: vec![None; n], ratios: vec![None; n], factors: vec![None; n], program };
        for at in 0..n {
            quantised.settle(at)?;
        }
        Ok(quantised)
    }

    fn settle(&mut self, at: usize) -> Result<(), Error> {
        let step = &self.program.steps[at];
        let of = |i: usize| f64::from(self.scales[step.inputs[i]].scale);
        let to = f64::from(self.scales[step.output].scale);
        match &step.kind {
            Kind::Conv(conv) => self.weights[at] = Some(weights(conv, of(0), to)?),
            Kind::AvgPool(size, _) => self.ratios[at] = Some(ratio(of(0) / to / (size * size) as f64)?),
            Kind::Add => {
                let factor = |i: usize| (of(i) / to * f64::from(1 << ADD_BITS)).round() as i32;
                self.factors[at] = Some([factor(0), factor(1)]);
            }
            _ => {}
        }
        Ok(())
    }

    /// The program that it was made of.
    #[must_use]
    pub fn program(&self) -> &Program {
        &self.program
    }

    /// The output for an image of bytes, in the integer arithmetic of the C code.
    #[must_use]
    pub fn run(&self, image: &[u8]) -> Vec<f32> {
        let program = &self.program;
        let mut values: Vec<Vec<i8>> = vec![Vec::new(); program.values.len()];
        values[0] = image.iter().map(|&b| (i32::from(b) - 128) as i8).collect();
        let last = program.steps.len() - 1;
        for (at, step) in program.steps.iter().enumerate() {
            let sums = self.sums(at, step, &values);
            if at == last {
                let scales = self.weights[at].as_ref().map_or(&[][..], |w| &w.scales);
                return sums.iter().zip(scales).map(|(&sum, &scale)| sum as f32 * scale).collect();
            }
            let [_, oh, ow] = program.values[step.output];
            let zero = self.scales[step.output].zero;
            let low = if step.relu { zero.max(-128) } else { -128 };
            let next = |(i, sum): (usize, i32)| {
                let q = match (&self.weights[at], self.ratios[at]) {
                    (Some(weights), _) => scaled(sum, weights.ratios[i / (oh * ow)]).saturating_add(zero),
                    (None, Some(ratio)) => scaled(sum, ratio).saturating_add(zero),
                    (None, None) if self.factors[at].is_some() => sum.saturating_add(zero),
                    (None, None) => sum,
                };
                q.clamp(low, 127) as i8
            };
            values[step.output] = sums.into_iter().enumerate().map(next).collect();
        }
        Vec::new()
    }

    /// Sums of a step before they become values; of a maximum, the values.
    fn sums(&self, at: usize, step: &Step, values: &[Vec<i8>]) -> Vec<i32> {
        let program = &self.program;
        let input = &values[step.inputs[0]];
        let zero = self.scales[step.inputs[0]].zero;
        let ([c, h, w], [oc, oh, ow]) = (program.values[step.inputs[0]], program.values[step.output]);
        match (&step.kind, &self.weights[at]) {
            (Kind::Conv(conv), Some(weights)) => {
                let (k, ic, per) = (conv.kernel, c / conv.groups, oc / conv.groups);
                let one = |j: usize| {
                    let (o, y, x) = (j / (oh * ow), j / ow % oh, j % ow);
                    let mut sum = weights.bias[o];
                    let filter = &weights.weight[o * ic * k * k..(o + 1) * ic * k * k];
                    if k == 1 && h * w == 1 {
                        let pixels = &input[o / per * ic..(o / per + 1) * ic];
                        let products = pixels
                            .iter()
                            .zip(filter)
                            .map(|(&q, &weight)| (i32::from(q) - zero) * i32::from(weight));
                        return sum + products.sum::<i32>();
                    }
                    for (i, kernel) in filter.chunks_exact(k * k).enumerate() {
                        for (dy, weights) in kernel.chunks_exact(k).enumerate() {
                            let row = (y * conv.stride + dy).wrapping_sub(conv.pad);
                            if row >= h {
                                continue;
                            }
                            let at = ((o / per * ic + i) * h + row) * w;
                            for (dx, &weight) in weights.iter().enumerate() {
                                let column = (x * conv.stride + dx).wrapping_sub(conv.pad);
                                if column < w {
                                    sum += (i32::from(input[at + column]) - zero) * i32::from(weight);
                                }
                            }
                        }
                    }
                    sum
                };
                (0..oc * oh * ow).map(one).collect()
            }
            (Kind::MaxPool(size, stride) | Kind::AvgPool(size, stride), _) => {
                let max = matches!(step.kind, Kind::MaxPool(..));
                let pool = |i: usize| {
                    let (channel, y, x) = (i / (oh * ow), i / ow % oh * stride, i % ow * stride);
                    let all = (0..size * size)
                        .map(|j| i32::from(input[(channel * h + y + j / size) * w + x + j % size]));
                    if max { all.fold(-128, i32::max) } else { all.map(|q| q - zero).sum() }
                };
                (0..oc * oh * ow).map(pool).collect()
            }
            (Kind::Add, _) => {
                let [a, b] = self.factors[at].unwrap_or_default();
                let other = self.scales[step.inputs[1]].zero;
                let add = |(&p, &q): (&i8, &i8)| {
                    let sum = i64::from(i32::from(p) - zero) * i64::from(a)
                        + i64::from(i32::from(q) - other) * i64::from(b);
                    rounded(sum, ADD_BITS)
                };
                input.iter().zip(&values[step.inputs[1]]).map(add).collect()
            }
            _ => input.iter().map(|&q| i32::from(q)).collect(),
        }
    }
}

/// The scale of values from `low` to `high`, 0 among them.
fn scale((low, high): (f32, f32)) -> Scale {
    let scale = ((high - low) / 255.0).max(1e-8);
    Scale { scale, zero: (-128.0 - low / scale).round().clamp(-128.0, 127.0) as i32 }
}

fn weights(conv: &Conv, from: f64, to: f64) -> Result<Weights, Error> {
    let len = conv.weight.len() / conv.bias.len();
    if len > 60_000 {
        return Err(Error::Other(format!("{len} weights a filter may overflow the 32 bits of a sum")));
    }
    let mut made = Weights { weight: Vec::new(), bias: Vec::new(), ratios: Vec::new(), scales: Vec::new() };
    for (filter, &bias) in conv.weight.chunks(len).zip(&conv.bias) {
        let most = filter.iter().fold(0.0_f32, |most, w| most.max(w.abs()));
        let scale = f64::from(most.max(1e-8)) / 127.0;
        made.weight.extend(filter.iter().map(|&w| (f64::from(w) / scale).round().clamp(-127.0, 127.0) as i8));
        made.bias.push((f64::from(bias) / (scale * from)).round().clamp(-1e9, 1e9) as i32);
        made.ratios.push(ratio(scale * from / to)?);
        made.scales.push((scale * from) as f32);
    }
    Ok(made)
}

/// A positive number as a ratio, to 31 bits.
fn ratio(value: f64) -> Result<Ratio, Error> {
    let (fraction, exponent) = libm::frexp(value);
    let (mut multiplier, mut shift) = ((fraction * f64::from(1_u32 << 31)).round() as i64, 31 - exponent);
    if multiplier == 1 << 31 {
        (multiplier, shift) = (1 << 30, shift - 1);
    }
    // So small that every sum becomes 0.
    if shift > 62 {
        (multiplier, shift) = (0, 62);
    }
    if shift < 1 || !value.is_finite() {
        return Err(Error::Other(format!("a scale of {value:e} is out of range")));
    }
    Ok(Ratio { multiplier: multiplier as i32, shift: shift as u32 })
}

fn scaled(sum: i32, ratio: Ratio) -> i32 {
    rounded(i64::from(sum) * i64::from(ratio.multiplier), ratio.shift)
}

/// Divided by 2^shift, halves away from 0.
fn rounded(value: i64, shift: u32) -> i32 {
    let half = 1_i64 << (shift - 1);
    let magnitude = ((value.abs() + half) >> shift).min(1 << 30) as i32;
    if value < 0 { -magnitude } else { magnitude }
}
