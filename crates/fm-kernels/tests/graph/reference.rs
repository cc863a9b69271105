//! Any network in `f64`, operator by operator, without any of the kernels' tricks.

use fm_net::draws::{Draws, scale};
use fm_net::{EPS, Network, Node, NodeId, Op, Scope, Shape};

mod backward;
mod forward;
mod scalar;

use scalar::{entropy, squares};

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
}

fn places(z: &Tensor) -> Vec<(usize, usize, usize, usize)> {
    (0..z.n * z.each()).map(|i| (i / z.each(), i / (z.h * z.w) % z.c, i / z.w % z.h, i % z.w)).collect()
}
