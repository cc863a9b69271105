//! Any network in `f64`, operator by operator, without any of the kernels' tricks.

use fm_net::draws::{Draws, scale};
use fm_net::{Activation, EPS, Network, Node, NodeId, Op, Scope, Shape};

/// A batch of one node's values, `[n][c][h][w]`.
#[derive(Clone, Debug)]
pub(crate) struct Tensor {
    pub(crate) n: usize,
    pub(crate) c: usize,
    pub(crate) h: usize,
    pub(crate) w: usize,
    pub(crate) data: Vec<f64>,
}

impl Tensor {
    fn of(n: usize, shape: Shape) -> Self {
        let (c, h, w) = match shape {
            Shape::Map { channels, height, width } => (channels, height, width),
            Shape::Vector { len } => (len, 1, 1),
        };
        Self { n, c, h, w, data: vec![0.0; n * c * h * w] }
    }

    fn at(&self, n: usize, c: usize, y: usize, x: usize) -> usize {
        ((n * self.c + c) * self.h + y) * self.w + x
    }

    fn each(&self) -> usize {
        self.c * self.h * self.w
    }
}

/// What a pass gives.
pub(crate) struct Answer {
    pub(crate) loss: f64,
    pub(crate) output: Tensor,
    pub(crate) code: Tensor,
    /// Every tensor's gradient, one after the other.
    pub(crate) gradient: Vec<f64>,
}

struct Pass<'a> {
    network: &'a Network,
    params: &'a [f64],
    /// Where each node's tensors start.
    starts: Vec<Vec<usize>>,
    scope: Option<Scope>,
    draws: Draws,
}

/// Loss and gradients of a training step of `scope`, or with none inference (then the gradient is empty).
pub(crate) fn run(
    network: &Network,
    params: &[f64],
    images: &[f64],
    labels: &[u8],
    scope: Option<Scope>,
    draws: Draws,
) -> Answer {
    let mut at = 0;
    let mut starts = Vec::new();
    for node in &network.nodes {
        let mut own = Vec::new();
        for spec in &node.tensors {
            own.push(at);
            at += spec.count();
        }
        starts.push(own);
    }
    let pass = Pass { network, params, starts, scope, draws };
    let n = labels.len();
    let mut image = Tensor::of(n, network.shape(NodeId::Image));
    image.data.copy_from_slice(images);
    let mut values: Vec<Tensor> = Vec::new();
    for (at, node) in network.nodes.iter().enumerate() {
        let inputs: Vec<&Tensor> = node.inputs.iter().map(|&id| of(&image, &values, id)).collect();
        let value = pass.forward(at, node, &inputs);
        values.push(value);
    }
    let output = values.last().unwrap().clone();
    let (loss, g) = if network.reconstructs() { squares(&output, &image) } else { entropy(&output, labels) };
    let last = network.nodes.iter().rposition(|node| node.part == fm_net::Part::Encoder).unwrap();
    let code = values[last].clone();
    let mut gradient = vec![0.0; at];
    if scope.is_some() {
        let mut grads: Vec<Tensor> =
            values.iter().map(|v| Tensor { data: vec![0.0; v.data.len()], ..v.clone() }).collect();
        let mut image_grad = Tensor { data: vec![0.0; image.data.len()], ..image.clone() };
        *grads.last_mut().unwrap() = g;
        for (at, node) in network.nodes.iter().enumerate().rev() {
            let inputs: Vec<&Tensor> = node.inputs.iter().map(|&id| of(&image, &values, id)).collect();
            let back = pass.backward(at, node, &inputs, &values[at], &grads[at], &mut gradient);
            for (&id, back) in node.inputs.iter().zip(back) {
                let to = match id {
                    NodeId::Image => &mut image_grad,
                    NodeId::Node(i) => &mut grads[i],
                };
                to.data.iter_mut().zip(back).for_each(|(to, g)| *to += g);
            }
        }
    }
    Answer { loss, output, code, gradient }
}

fn of<'a>(image: &'a Tensor, values: &'a [Tensor], id: NodeId) -> &'a Tensor {
    match id {
        NodeId::Image => image,
        NodeId::Node(i) => &values[i],
    }
}

fn entropy(z: &Tensor, labels: &[u8]) -> (f64, Tensor) {
    let mut g = z.clone();
    let mut loss = 0.0;
    for (row, &label) in g.data.chunks_exact_mut(z.c).zip(labels) {
        let top = row.iter().copied().fold(f64::MIN, f64::max);
        let sum: f64 = row.iter().map(|v| (v - top).exp()).sum();
        loss += sum.ln() + top - row[usize::from(label)];
        for v in &mut *row {
            *v = (*v - top).exp() / sum / labels.len() as f64;
        }
        row[usize::from(label)] -= 1.0 / labels.len() as f64;
    }
    (loss / labels.len() as f64, g)
}

fn squares(z: &Tensor, image: &Tensor) -> (f64, Tensor) {
    let mut g = z.clone();
    let mut loss = 0.0;
    let count = z.data.len() as f64;
    for n in 0..z.n {
        for c in 0..z.c {
            for y in 0..z.h {
                for x in 0..z.w {
                    let off = z.data[z.at(n, c, y, x)] - image.data[image.at(n, c, y, x)];
                    loss += off * off;
                    g.data[z.at(n, c, y, x)] = 2.0 * off / count;
                }
            }
        }
    }
    (loss / count, g)
}

/// erf by its series or its asymptotic end.
fn erf(x: f64) -> f64 {
    if x.abs() > 5.0 {
        return x.signum();
    }
    let (mut term, mut sum) = (x, x);
    for n in 1..200 {
        term *= -x * x / f64::from(n);
        sum += term / f64::from(2 * n + 1);
    }
    sum * std::f64::consts::FRAC_2_SQRT_PI
}

fn act(a: Activation, x: f64) -> f64 {
    match a {
        Activation::Relu => x.max(0.0),
        Activation::Gelu => x * 0.5 * (1.0 + erf(x / 2.0_f64.sqrt())),
        Activation::Silu => x / (1.0 + (-x).exp()),
        Activation::Sigmoid => 1.0 / (1.0 + (-x).exp()),
    }
}

fn slope(a: Activation, x: f64) -> f64 {
    let s = 1.0 / (1.0 + (-x).exp());
    match a {
        Activation::Relu => f64::from(u8::from(x > 0.0)),
        Activation::Gelu => {
            let density = (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt();
            0.5 * (1.0 + erf(x / 2.0_f64.sqrt())) + x * density
        }
        Activation::Silu => s * (1.0 + x * (1.0 - s)),
        Activation::Sigmoid => s * (1.0 - s),
    }
}

/// (output, input, weight) indices of everything that a convolution multiplies.
fn products(op: &Op, x: &Tensor, z: &Tensor, mut each: impl FnMut(usize, usize, usize)) {
    let (k, stride, pad, groups, transposed) = match *op {
        Op::Conv { kernel, stride, pad, groups, .. } => (kernel, stride, pad, groups, false),
        Op::ConvTranspose { kernel, .. } => (kernel, 1, 0, 1, true),
        _ => (1, 1, 0, 1, false),
    };
    // Of a transposed convolution, roles are swapped.
    let (big, small) = if transposed { (z, x) } else { (x, z) };
    let (per, own) = (small.c / groups, big.c / groups);
    for n in 0..x.n {
        for f in 0..small.c {
            for s in 0..own {
                for (y, xx) in (0..small.h * small.w).map(|i| (i / small.w, i % small.w)) {
                    for (ky, kx) in (0..k * k).map(|i| (i / k, i % k)) {
                        let (iy, ix) = (y * stride + ky, xx * stride + kx);
                        if iy < pad || ix < pad || iy - pad >= big.h || ix - pad >= big.w {
                            continue;
                        }
                        let weight = ((f * own + s) * k + ky) * k + kx;
                        let b = big.at(n, f / per * own + s, iy - pad, ix - pad);
                        let s = small.at(n, f, y, xx);
                        if transposed { each(b, s, weight) } else { each(s, b, weight) }
                    }
                }
            }
        }
    }
}

fn standardised(op: &Op) -> bool {
    matches!(op, Op::Conv { standardised: true, .. })
}

impl Pass<'_> {
    fn trains(&self, node: &Node) -> bool {
        self.scope.is_some_and(|scope| scope.contains(node.part))
    }

    fn tensor(&self, at: usize, index: usize) -> &[f64] {
        let start = self.starts[at][index];
        &self.params[start..start + self.network.nodes[at].tensors[index].count()]
    }

    /// Standardised weights, and one over each filter's deviation.
    fn standard(&self, at: usize) -> (Vec<f64>, Vec<f64>) {
        let raw = self.tensor(at, 0);
        let each = raw.len() / self.network.nodes[at].tensors[0].shape[0];
        let (mut out, mut over) = (Vec::new(), Vec::new());
        for w in raw.chunks_exact(each) {
            let mean = w.iter().sum::<f64>() / each as f64;
            let variance = w.iter().map(|w| (w - mean).powi(2)).sum::<f64>() / each as f64;
            over.push(1.0 / (variance + EPS).sqrt());
            out.extend(w.iter().map(|w| (w - mean) / (variance + EPS).sqrt()));
        }
        (out, over)
    }

    /// Mean and one over the deviation of each (image, channel): of batch norm or group norm.
    fn statistics(&self, at: usize, node: &Node, x: &Tensor) -> Vec<(f64, f64)> {
        let mut all = vec![(0.0, 0.0); x.n * x.c];
        let sets: Vec<Vec<(usize, usize)>> = match node.op {
            Op::GroupNorm { groups } => {
                let each = x.c / groups;
                (0..x.n * groups)
                    .map(|i| (0..each).map(|c| (i / groups, i % groups * each + c)).collect())
                    .collect()
            }
            _ => (0..x.c).map(|c| (0..x.n).map(|n| (n, c)).collect()).collect(),
        };
        for (c, set) in sets.iter().enumerate() {
            let of = |&(n, c): &(usize, usize)| x.data[x.at(n, c, 0, 0)..][..x.h * x.w].iter();
            let count = (set.len() * x.h * x.w) as f64;
            let mut mean = set.iter().flat_map(of).sum::<f64>() / count;
            let mut variance = set.iter().flat_map(of).map(|v| (v - mean).powi(2)).sum::<f64>() / count;
            if matches!(node.op, Op::BatchNorm) && !self.trains(node) {
                (mean, variance) = (self.tensor(at, 2)[c], self.tensor(at, 3)[c]);
            }
            for &(n, c) in set {
                all[n * x.c + c] = (mean, 1.0 / (variance + EPS).sqrt());
            }
        }
        all
    }

    fn factors(&self, at: usize, node: &Node, z: &Tensor) -> Vec<f64> {
        let Op::Dropout { percent, channels } = node.op else { return vec![] };
        if !self.trains(node) {
            return vec![1.0; z.data.len()];
        }
        let each = if channels { z.h * z.w } else { 1 };
        let mask = self.draws.mask(at, z.data.len() / each, percent);
        (0..z.data.len()).map(|i| f64::from(mask[i / each]) * f64::from(scale(percent))).collect()
    }

    fn windows(op: &Op, x: &Tensor) -> (usize, usize) {
        match *op {
            Op::MaxPool { size, stride } | Op::AvgPool { size, stride } => (size, stride),
            _ => (x.h.max(x.w), 1),
        }
    }

    /// Input positions of the window of one output position.
    fn window(op: &Op, x: &Tensor, (n, c, y, xx): (usize, usize, usize, usize)) -> Vec<usize> {
        let (size, stride) = Self::windows(op, x);
        let rows = (y * stride..y * stride + size).filter(|&y| y < x.h);
        rows.flat_map(|y| (xx * stride..xx * stride + size).filter(|&col| col < x.w).map(move |col| (y, col)))
            .map(|(y, col)| x.at(n, c, y, col))
            .collect()
    }

    fn first_max(x: &Tensor, window: &[usize]) -> usize {
        window.iter().copied().fold(window[0], |best, at| if x.data[at] > x.data[best] { at } else { best })
    }

    fn forward(&self, at: usize, node: &Node, inputs: &[&Tensor]) -> Tensor {
        let x = inputs[0];
        let mut z = Tensor::of(x.n, node.output);
        match &node.op {
            Op::Conv { .. } | Op::ConvTranspose { .. } | Op::Dense { .. } => {
                let standard = standardised(&node.op).then(|| self.standard(at).0);
                let w = standard.as_deref().unwrap_or(self.tensor(at, 0));
                if node.tensors.len() > 1 {
                    let bias = self.tensor(at, 1);
                    let area = z.h * z.w;
                    z.data.iter_mut().enumerate().for_each(|(i, z)| *z = bias[i / area % bias.len()]);
                }
                let empty = Tensor { data: vec![], ..z.clone() };
                products(&node.op, x, &empty, |o, i, k| z.data[o] += x.data[i] * w[k]);
            }
            Op::BatchNorm | Op::GroupNorm { .. } => {
                let statistics = self.statistics(at, node, x);
                let (w, b) = (self.tensor(at, 0), self.tensor(at, 1));
                for (i, z) in z.data.iter_mut().enumerate() {
                    let set = i / (x.h * x.w);
                    let (mean, over) = statistics[set];
                    *z = (x.data[i] - mean) * over * w[set % x.c] + b[set % x.c];
                }
            }
            Op::Activation(a) => z.data.iter_mut().zip(&x.data).for_each(|(z, &x)| *z = act(*a, x)),
            Op::MaxPool { .. } | Op::AvgPool { .. } | Op::GlobalAvgPool | Op::GlobalMaxPool => {
                let max = matches!(node.op, Op::MaxPool { .. } | Op::GlobalMaxPool);
                for place in places(&z) {
                    let window = Self::window(&node.op, x, place);
                    let to = z.at(place.0, place.1, place.2, place.3);
                    z.data[to] = if max {
                        x.data[Self::first_max(x, &window)]
                    } else {
                        window.iter().map(|&i| x.data[i]).sum::<f64>() / window.len() as f64
                    };
                }
            }
            Op::Dropout { .. } => {
                let factors = self.factors(at, node, &z);
                z.data.iter_mut().zip(&x.data).zip(factors).for_each(|((z, x), f)| *z = x * f);
            }
            Op::Flatten | Op::Unflatten { .. } => z.data.copy_from_slice(&x.data),
            Op::Add => {
                z.data.iter_mut().zip(&x.data).zip(&inputs[1].data).for_each(|((z, a), b)| *z = a + b);
            }
            Op::Scale => {
                let area = x.h * x.w;
                z.data.iter_mut().enumerate().for_each(|(i, z)| *z = x.data[i] * inputs[1].data[i / area]);
            }
            Op::Upsample => {
                for (n, c, y, col) in places(&z) {
                    let to = z.at(n, c, y, col);
                    z.data[to] = x.data[x.at(n, c, y / 2, col / 2)];
                }
            }
            Op::Custom(_) => unreachable!(),
        }
        z
    }

    fn backward(
        &self,
        at: usize,
        node: &Node,
        inputs: &[&Tensor],
        z: &Tensor,
        g: &Tensor,
        gradient: &mut [f64],
    ) -> Vec<Vec<f64>> {
        let x = inputs[0];
        let mut back = vec![0.0; x.data.len()];
        let trains = self.trains(node);
        match &node.op {
            Op::Conv { .. } | Op::ConvTranspose { .. } | Op::Dense { .. } => {
                let standard = standardised(&node.op).then(|| self.standard(at));
                let w = standard.as_ref().map_or(self.tensor(at, 0), |standard| &standard.0);
                let mut dw = vec![0.0; w.len()];
                products(&node.op, x, z, |o, i, k| {
                    back[i] += g.data[o] * w[k];
                    dw[k] += g.data[o] * x.data[i];
                });
                if let Some((w, over)) = &standard {
                    let each = w.len() / over.len();
                    for ((dw, w), over) in dw.chunks_exact_mut(each).zip(w.chunks_exact(each)).zip(over) {
                        let mean = dw.iter().sum::<f64>() / each as f64;
                        let with = dw.iter().zip(w).map(|(g, w)| g * w).sum::<f64>() / each as f64;
                        dw.iter_mut().zip(w).for_each(|(g, w)| *g = over * (*g - mean - w * with));
                    }
                }
                if trains {
                    gradient[self.starts[at][0]..][..dw.len()].copy_from_slice(&dw);
                    if let Some(&start) = self.starts[at].get(1) {
                        let area = z.h * z.w;
                        g.data.iter().enumerate().for_each(|(i, g)| gradient[start + i / area % z.c] += g);
                    }
                }
            }
            Op::BatchNorm | Op::GroupNorm { .. } => {
                let statistics = self.statistics(at, node, x);
                let w = self.tensor(at, 0);
                let area = x.h * x.w;
                let normal = |i: usize| {
                    let (mean, over) = statistics[i / area];
                    (x.data[i] - mean) * over
                };
                if trains {
                    for (i, g) in g.data.iter().enumerate() {
                        let c = i / area % x.c;
                        gradient[self.starts[at][0] + c] += g * normal(i);
                        gradient[self.starts[at][1] + c] += g;
                    }
                }
                let set = |i: usize| match node.op {
                    Op::GroupNorm { groups } => i / area / x.c * groups + i / area % x.c / (x.c / groups),
                    _ => i / area % x.c,
                };
                let sets = set(x.data.len() - 1) + 1;
                let (mut alone, mut with, mut count) = (vec![0.0; sets], vec![0.0; sets], vec![0.0; sets]);
                for (i, g) in g.data.iter().enumerate() {
                    let g = g * w[i / area % x.c];
                    alone[set(i)] += g;
                    with[set(i)] += g * normal(i);
                    count[set(i)] += 1.0;
                }
                let live = trains || matches!(node.op, Op::GroupNorm { .. });
                for (i, back) in back.iter_mut().enumerate() {
                    let (s, over) = (set(i), statistics[i / area].1);
                    let own = g.data[i] * w[i / area % x.c];
                    let rest = if live { alone[s] / count[s] + normal(i) * with[s] / count[s] } else { 0.0 };
                    *back = over * (own - rest);
                }
            }
            Op::Activation(a) => {
                back.iter_mut().zip(&x.data).zip(&g.data).for_each(|((b, &x), g)| *b = g * slope(*a, x));
            }
            Op::MaxPool { .. } | Op::AvgPool { .. } | Op::GlobalAvgPool | Op::GlobalMaxPool => {
                let max = matches!(node.op, Op::MaxPool { .. } | Op::GlobalMaxPool);
                for place in places(z) {
                    let window = Self::window(&node.op, x, place);
                    let g = g.data[z.at(place.0, place.1, place.2, place.3)];
                    if max {
                        back[Self::first_max(x, &window)] += g;
                    } else {
                        for &i in &window {
                            back[i] += g / window.len() as f64;
                        }
                    }
                }
            }
            Op::Dropout { .. } => {
                let factors = self.factors(at, node, z);
                back.iter_mut().zip(&g.data).zip(factors).for_each(|((b, g), f)| *b = g * f);
            }
            Op::Flatten | Op::Unflatten { .. } => back.copy_from_slice(&g.data),
            Op::Add => return vec![g.data.clone(), g.data.clone()],
            Op::Scale => {
                let area = x.h * x.w;
                let mut factor = vec![0.0; inputs[1].data.len()];
                for (i, g) in g.data.iter().enumerate() {
                    back[i] = g * inputs[1].data[i / area];
                    factor[i / area] += g * x.data[i];
                }
                return vec![back, factor];
            }
            Op::Upsample => {
                for (n, c, y, col) in places(z) {
                    back[x.at(n, c, y / 2, col / 2)] += g.data[z.at(n, c, y, col)];
                }
            }
            Op::Custom(_) => unreachable!(),
        }
        vec![back]
    }
}

fn places(z: &Tensor) -> Vec<(usize, usize, usize, usize)> {
    (0..z.n * z.each()).map(|i| (i / z.each(), i / (z.h * z.w) % z.c, i / z.w % z.h, i % z.w)).collect()
}
