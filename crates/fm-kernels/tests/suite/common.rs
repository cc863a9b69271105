//! A plain f64 reference (naive loops, no crop, no reordering) and random data for the tests.

use std::collections::HashSet;
use std::ops::Range;

use fm_kernels::Network;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A unit whose gradient has two defensible values at single precision: image, layer, unit.
pub(crate) type Kink = (usize, usize, usize);

/// Relative gap below which a maximum or the sign of a ReLU's input counts as undecided.
const UNDECIDED: f64 = 2e-6;

pub(crate) struct Answer {
    pub(crate) loss: f64,
    pub(crate) gradient: Vec<f64>,
    pub(crate) scores: Vec<f64>,
    pub(crate) code: Vec<f64>,
    pub(crate) kinks: Vec<Kink>,
}

/// One tensor's name and place in the flat vector.
pub(crate) fn tensors(net: &Network) -> Vec<(String, Range<usize>)> {
    let mut out = Vec::new();
    let mut at = 0;
    let mut push = |name: String, len: usize| {
        out.push((name, at..at + len));
        at += len;
    };
    let mut inputs = 1;
    for (i, &c) in net.conv.iter().enumerate() {
        push(format!("conv{i}.weight"), c * inputs * 9);
        push(format!("conv{i}.bias"), c);
        inputs = c;
    }
    inputs = net.features().unwrap();
    for (i, &d) in net.dense.iter().enumerate() {
        push(format!("dense{i}.weight"), d * inputs);
        push(format!("dense{i}.bias"), d);
        inputs = d;
    }
    out
}

/// Glorot-uniform weights, and small random biases so that they matter.
pub(crate) fn params(net: &Network, seed: u64) -> Vec<f32> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut out = Vec::new();
    let mut fill = |fan_in: usize, fan_out: usize, len: usize, bias: usize| {
        let limit = (6.0 / (fan_in + fan_out) as f64).sqrt();
        out.extend((0..len).map(|_| rng.random_range(-limit..limit) as f32));
        out.extend((0..bias).map(|_| rng.random_range(-0.05..0.05) as f32));
    };
    let mut inputs = 1;
    for &c in &net.conv {
        fill(inputs * 9, c * 9, c * inputs * 9, c);
        inputs = c;
    }
    inputs = net.features().unwrap();
    for &d in &net.dense {
        fill(inputs, d, d * inputs, d);
        inputs = d;
    }
    out
}

/// Random images with flat background around a noisy rectangle, and labels.
pub(crate) fn data(net: &Network, count: usize, seed: u64) -> (Vec<u8>, Vec<u8>) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let (h, w) = (net.height, net.width);
    let mut images = vec![0_u8; count * h * w];
    for image in images.chunks_exact_mut(h * w) {
        let (top, left) = (rng.random_range(0..h / 3), rng.random_range(0..w / 3));
        let (bottom, right) = (rng.random_range(2 * h / 3..=h), rng.random_range(2 * w / 3..=w));
        for y in top..bottom {
            for x in left..right {
                image[y * w + x] = (rng.next_u32() >> 24) as u8;
            }
        }
    }
    let labels = (0..count).map(|_| rng.random_range(0..net.classes()) as u8).collect();
    (images, labels)
}

struct Layer {
    /// Input of the convolution: `[channels][h][w]`.
    input: Vec<f64>,
    shape: (usize, usize, usize),
    /// For each pooled unit, the convolution's output it came from, or none if the ReLU is off.
    from: Vec<Option<usize>>,
}

/// Mean loss and gradient over a batch, with the undecided units in `flips` decided the other way.
pub(crate) fn reference(
    net: &Network,
    params: &[f64],
    images: &[&[u8]],
    labels: &[u8],
    flips: &HashSet<Kink>,
) -> Answer {
    let places: Vec<_> = tensors(net).into_iter().map(|(_, range)| range).collect();
    let mut answer = Answer {
        loss: 0.0,
        gradient: vec![0.0; params.len()],
        scores: Vec::new(),
        code: Vec::new(),
        kinks: Vec::new(),
    };
    let scale = 1.0 / images.len() as f64;
    for (index, (&image, &label)) in images.iter().zip(labels).enumerate() {
        one(net, params, &places, image, usize::from(label), scale, index, flips, &mut answer);
    }
    answer.loss *= scale;
    answer
}

#[expect(
    clippy::too_many_arguments,
    clippy::too_many_lines,
    reason = "one straight walk through the network"
)]
fn one(
    net: &Network,
    params: &[f64],
    places: &[Range<usize>],
    image: &[u8],
    label: usize,
    scale: f64,
    index: usize,
    flips: &HashSet<Kink>,
    answer: &mut Answer,
) {
    let mut x: Vec<f64> = image.iter().map(|&p| f64::from(p) / 255.0).collect();
    let (mut c, mut h, mut w) = (1, net.height, net.width);
    let mut layers = Vec::new();
    for (i, &out) in net.conv.iter().enumerate() {
        let (weight, bias) = (&params[places[2 * i].clone()], &params[places[2 * i + 1].clone()]);
        let (oh, ow) = (h - 2, w - 2);
        let mut y = vec![0.0; out * oh * ow];
        for o in 0..out {
            let plane = &mut y[o * oh * ow..][..oh * ow];
            plane.fill(bias[o]);
            for k in 0..c {
                for ky in 0..3 {
                    for kx in 0..3 {
                        let g = weight[((o * c + k) * 3 + ky) * 3 + kx];
                        for (r, row) in plane.chunks_exact_mut(ow).enumerate() {
                            let input = &x[(k * h + r + ky) * w + kx..][..ow];
                            for (a, b) in row.iter_mut().zip(input) {
                                *a += g * b;
                            }
                        }
                    }
                }
            }
        }
        let (ph, pw) = (oh / 2, ow / 2);
        let (mut pooled, mut from) = (Vec::new(), Vec::new());
        for o in 0..out {
            for r in 0..ph {
                for q in 0..pw {
                    let unit = (o * ph + r) * pw + q;
                    let at = |k: usize| (o * oh + 2 * r + k / 2) * ow + 2 * q + k % 2;
                    let mut order = [0, 1, 2, 3];
                    // A stable sort: of equal values, the first in row-major order wins.
                    order.sort_by(|&a, &b| y[at(b)].total_cmp(&y[at(a)]));
                    let (first, second) = (y[at(order[0])], y[at(order[1])]);
                    let gap = first - second;
                    let size = first.abs().max(0.2);
                    let undecided = gap > 0.0 && gap < UNDECIDED * size && first > -UNDECIDED;
                    let edge = first != 0.0 && first.abs() < UNDECIDED * size;
                    let flip = (undecided || edge) && flips.contains(&(index, i, unit));
                    if undecided || edge {
                        answer.kinks.push((index, i, unit));
                    }
                    let winner = if undecided && flip { order[1] } else { order[0] };
                    let on = (first > 0.0) != (edge && flip);
                    pooled.push(first.max(0.0));
                    from.push(on.then(|| at(winner)));
                }
            }
        }
        layers.push(Layer { input: x, shape: (c, h, w), from });
        (x, c, h, w) = (pooled, out, ph, pw);
    }
    answer.code.extend_from_slice(&x);
    let base = 2 * net.conv.len();
    let mut inputs = vec![x];
    let mut gates = Vec::new();
    for (i, &out) in net.dense.iter().enumerate() {
        let (weight, bias) =
            (&params[places[base + 2 * i].clone()], &params[places[base + 2 * i + 1].clone()]);
        let x = inputs.last().unwrap();
        let mut y: Vec<f64> = (0..out)
            .map(|o| {
                bias[o] + weight[o * x.len()..][..x.len()].iter().zip(x).map(|(a, b)| a * b).sum::<f64>()
            })
            .collect();
        if i + 1 < net.dense.len() {
            let layer = net.conv.len() + i;
            gates.push(
                y.iter()
                    .enumerate()
                    .map(|(unit, &v)| {
                        let edge = v != 0.0 && v.abs() < UNDECIDED;
                        if edge {
                            answer.kinks.push((index, layer, unit));
                        }
                        (v > 0.0) != (edge && flips.contains(&(index, layer, unit)))
                    })
                    .collect::<Vec<_>>(),
            );
            for v in &mut y {
                *v = v.max(0.0);
            }
        }
        inputs.push(y);
    }
    let scores = inputs.pop().unwrap();
    let top = scores.iter().copied().fold(f64::MIN, f64::max);
    let sum: f64 = scores.iter().map(|s| (s - top).exp()).sum();
    answer.loss += sum.ln() + top - scores[label];
    let mut g: Vec<f64> = scores.iter().map(|s| scale * (s - top).exp() / sum).collect();
    g[label] -= scale;
    answer.scores.extend(scores);
    for i in (0..net.dense.len()).rev() {
        let x = &inputs[i];
        let weight = &params[places[base + 2 * i].clone()];
        let mut back = vec![0.0; x.len()];
        for (o, &g) in g.iter().enumerate() {
            answer.gradient[places[base + 2 * i + 1].start + o] += g;
            let grad = &mut answer.gradient[places[base + 2 * i].start + o * x.len()..][..x.len()];
            for ((grad, back), (x, w)) in
                grad.iter_mut().zip(&mut back).zip(x.iter().zip(&weight[o * x.len()..]))
            {
                *grad += g * x;
                *back += g * w;
            }
        }
        if i > 0 {
            for (g, &on) in back.iter_mut().zip(&gates[i - 1]) {
                *g *= f64::from(u8::from(on));
            }
        }
        g = back;
    }
    for (i, layer) in layers.iter().enumerate().rev() {
        let (c, h, w) = layer.shape;
        let (oh, ow) = (h - 2, w - 2);
        let weight = &params[places[2 * i].clone()];
        let mut back = vec![0.0; c * h * w];
        for (&g, from) in g.iter().zip(&layer.from) {
            let Some(from) = *from else { continue };
            let (o, r, q) = (from / (oh * ow), from / ow % oh, from % ow);
            answer.gradient[places[2 * i + 1].start + o] += g;
            for k in 0..c {
                for ky in 0..3 {
                    for kx in 0..3 {
                        let tap = ((o * c + k) * 3 + ky) * 3 + kx;
                        let at = (k * h + r + ky) * w + q + kx;
                        answer.gradient[places[2 * i].start + tap] += g * layer.input[at];
                        back[at] += g * weight[tap];
                    }
                }
            }
        }
        g = back;
    }
}

/// Largest difference over largest value.
pub(crate) fn distance(ours: &[f32], theirs: &[f64]) -> f64 {
    let top = theirs.iter().fold(0.0_f64, |top, x| top.max(x.abs()));
    let off = ours.iter().zip(theirs).fold(0.0_f64, |off, (&a, b)| off.max((f64::from(a) - b).abs()));
    assert!(ours.iter().all(|x| x.is_finite()));
    off / top.max(1e-30)
}

/// The worst tensor's distance, and its name.
pub(crate) fn worst(net: &Network, ours: &[f32], theirs: &[f64]) -> (f64, String) {
    tensors(net)
        .into_iter()
        .map(|(name, range)| (distance(&ours[range.clone()], &theirs[range]), name))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap()
}
