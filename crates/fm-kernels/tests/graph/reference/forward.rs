//! Every operator forward.

use fm_net::{Node, Op};

use super::scalar::act;
use super::{Pass, Tensor, places, products, standardised};

impl Pass<'_> {
    pub(super) fn forward(&self, at: usize, node: &Node, inputs: &[&Tensor]) -> Tensor {
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
}
