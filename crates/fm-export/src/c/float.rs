//! The forward pass in 32-bit floats: what calibrates scales, and what the C code is compared with.

use fm_net::Activation;

use super::program::{Conv, Kind, Program, Step};

impl Program {
    /// Every value of an image of [`inputs`](Program::inputs) numbers from 0 to 1.
    #[must_use]
    pub(crate) fn values(&self, image: &[f32]) -> Vec<Vec<f32>> {
        let mut values = vec![Vec::new(); self.values.len()];
        values[0] = image.to_vec();
        for step in &self.steps {
            let mut out = self.step(step, &values);
            if step.relu {
                for v in &mut out {
                    *v = v.max(0.0);
                }
            }
            values[step.output] = out;
        }
        values
    }

    /// The output for an image of [`inputs`](Program::inputs) numbers from 0 to 1.
    #[must_use]
    pub fn run(&self, image: &[f32]) -> Vec<f32> {
        self.values(image).swap_remove(self.output)
    }

    fn step(&self, step: &Step, values: &[Vec<f32>]) -> Vec<f32> {
        let input = &values[step.inputs[0]];
        let ([c, h, w], [oc, oh, ow]) = (self.values[step.inputs[0]], self.values[step.output]);
        let channels = |each: &dyn Fn(usize, f32) -> f32| -> Vec<f32> {
            let plane = (oh * ow).max(1);
            input.iter().enumerate().map(|(i, &v)| each(i / plane, v)).collect()
        };
        match &step.kind {
            Kind::Conv(conv) => convolved(conv, input, [c, h, w], [oc, oh, ow]),
            Kind::ConvTranspose(k, weight, bias) => {
                let mut out: Vec<f32> = (0..oc * oh * ow).map(|i| bias[i / (oh * ow)]).collect();
                for (i, &v) in input.iter().enumerate() {
                    let (ic, y, x) = (i / (h * w), i / w % h, i % w);
                    for (j, &weight) in weight[ic * oc * k * k..(ic + 1) * oc * k * k].iter().enumerate() {
                        let (o, dy, dx) = (j / (k * k), j / k % k, j % k);
                        out[(o * oh + y + dy) * ow + x + dx] += v * weight;
                    }
                }
                out
            }
            Kind::Affine(factors, _) if factors.is_empty() => input.clone(),
            Kind::Affine(factors, summands) => {
                channels(&|channel, v| v * factors[channel] + summands[channel])
            }
            Kind::GroupNorm(groups, factors, summands) => {
                let len = input.len() / groups;
                let statistics: Vec<(f32, f32)> = (input.chunks(len))
                    .map(|group| {
                        let mean = group.iter().sum::<f32>() / len as f32;
                        let variance =
                            group.iter().map(|v| (v - mean) * (v - mean)).sum::<f32>() / len as f32;
                        (mean, 1.0 / (variance + fm_net::EPS as f32).sqrt())
                    })
                    .collect();
                channels(&|channel, v| {
                    let (mean, scale) = statistics[channel * h * w / len];
                    (v - mean) * scale * factors[channel] + summands[channel]
                })
            }
            Kind::Activation(activation) => input.iter().map(|&v| activated(*activation, v)).collect(),
            Kind::MaxPool(size, stride) | Kind::AvgPool(size, stride) => {
                let max = matches!(step.kind, Kind::MaxPool(..));
                let pool = |i: usize| {
                    let (channel, y, x) = (i / (oh * ow), i / ow % oh * stride, i % ow * stride);
                    let all =
                        (0..size * size).map(|j| input[(channel * h + y + j / size) * w + x + j % size]);
                    if max { all.fold(f32::MIN, f32::max) } else { all.sum::<f32>() / (size * size) as f32 }
                };
                (0..oc * oh * ow).map(pool).collect()
            }
            Kind::Add => input.iter().zip(&values[step.inputs[1]]).map(|(a, b)| a + b).collect(),
            Kind::Scale => channels(&|channel, v| v * values[step.inputs[1]][channel]),
            Kind::Upsample => (0..oc * oh * ow)
                .map(|i| input[(i / (oh * ow) * h + i / ow % oh / 2) * w + i % ow / 2])
                .collect(),
        }
    }
}

fn convolved(conv: &Conv, input: &[f32], [c, h, w]: [usize; 3], [oc, oh, ow]: [usize; 3]) -> Vec<f32> {
    let (k, ic, per) = (conv.kernel, c / conv.groups, oc / conv.groups);
    let mut out = Vec::with_capacity(oc * oh * ow);
    for o in 0..oc {
        let weight = &conv.weight[o * ic * k * k..(o + 1) * ic * k * k];
        for y in 0..oh {
            for x in 0..ow {
                let mut sum = conv.bias[o];
                for i in 0..ic {
                    for dy in 0..k {
                        let row = (y * conv.stride + dy).wrapping_sub(conv.pad);
                        for dx in 0..k {
                            let column = (x * conv.stride + dx).wrapping_sub(conv.pad);
                            if row < h && column < w {
                                let at = ((o / per * ic + i) * h + row) * w + column;
                                sum += input[at] * weight[(i * k + dy) * k + dx];
                            }
                        }
                    }
                }
                out.push(sum);
            }
        }
    }
    out
}

fn activated(activation: Activation, v: f32) -> f32 {
    match activation {
        Activation::Relu => v.max(0.0),
        Activation::Gelu => 0.5 * v * (1.0 + libm::erff(v * std::f32::consts::FRAC_1_SQRT_2)),
        Activation::Silu => v / (1.0 + libm::expf(-v)),
        Activation::Sigmoid => 1.0 / (1.0 + libm::expf(-v)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One step from `from` to `to`, both `[channels, height, width]`.
    fn program(kind: Kind, from: [usize; 3], to: [usize; 3]) -> Program {
        let step = Step { name: "step".to_owned(), kind, inputs: vec![0], output: 1, relu: false };
        Program { arch: String::new(), steps: vec![step], values: vec![from, to], output: 1 }
    }

    fn numbers(shape: [usize; 3], salt: usize) -> Vec<f32> {
        (0..shape.iter().product::<usize>()).map(|i| ((i * 29 + salt * 7) % 17) as f32 / 8.0 - 1.0).collect()
    }

    fn dot(a: &[f32], b: &[f32]) -> f32 {
        assert_eq!(a.len(), b.len());
        a.iter().zip(b).map(|(a, b)| a * b).sum()
    }

    /// ⟨A x, y⟩ = ⟨x, Aᵀ y⟩: a transposed convolution is the adjoint of the convolution with its weights, doubling that of
    /// four times the average over 2x2.
    #[test]
    fn what_is_transposed_is_the_adjoint() {
        let (wide, narrow) = ([3, 8, 7], [2, 6, 5]);
        let weight = numbers([2, 3, 9], 3);
        let conv =
            Conv { kernel: 3, stride: 1, pad: 0, groups: 1, weight: weight.clone(), bias: vec![0.0; 2] };
        let forward = program(Kind::Conv(conv), wide, narrow);
        let back = program(Kind::ConvTranspose(3, weight, vec![0.0; 3]), narrow, wide);
        let (x, y) = (numbers(wide, 1), numbers(narrow, 2));
        let (left, right) = (dot(&forward.run(&x), &y), dot(&x, &back.run(&y)));
        assert!((left - right).abs() < 1e-4 && left.abs() > 0.1, "{left} and {right}");

        let (large, small) = ([3, 8, 6], [3, 4, 3]);
        let pooled = program(Kind::AvgPool(2, 2), large, small).run(&numbers(large, 4));
        let doubled = program(Kind::Upsample, small, large).run(&numbers(small, 5));
        let (left, right) = (4.0 * dot(&pooled, &numbers(small, 5)), dot(&numbers(large, 4), &doubled));
        assert!((left - right).abs() < 1e-4 && left.abs() > 0.1, "{left} and {right}");
    }
}
