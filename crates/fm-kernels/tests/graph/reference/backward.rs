//! Every operator backward: gradients of its inputs and of its tensors.

use fm_net::{Node, Op};

use super::scalar::slope;
use super::{Pass, Tensor, places, products, standardised};

impl Pass<'_> {
    pub(super) fn backward(
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
