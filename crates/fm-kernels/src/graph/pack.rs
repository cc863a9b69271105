//! From parameters to weights in the order of the kernels.

use std::ops::Range;

use super::kernels::filters::Filters;
use super::layer::Pass;
use super::plan::{Layer, coefficient};
use super::state::State;

impl State {
    /// A layer's weights as it uses them.
    ///
    /// # Safety
    /// No one else uses what is written here, nor writes what is read.
    unsafe fn weights(&self, index: usize) -> &[f32] {
        let layer = &self.plan.layers[index];
        // SAFETY: not written meanwhile, says the caller.
        unsafe {
            if layer.standardised {
                self.standard[index].get(0..layer.shape.weights())
            } else {
                self.read(&self.params, layer.weight)
            }
        }
    }

    /// Packs a layer's weights: the forward pass's (pass 0), or one of the backward passes'.
    ///
    /// # Safety
    /// No one else uses the pass's packed weights.
    pub(crate) unsafe fn pack(&self, index: usize, pass: usize) {
        let layer = &self.plan.layers[index];
        // SAFETY: as promised by the caller.
        unsafe {
            let weights = self.weights(index);
            let (pass, at, len) = match pass {
                0 => (&layer.forward, layer.packed, layer.lengths.0),
                pass => (&layer.backward[pass - 1], layer.back_packed, layer.lengths.1),
            };
            // Weights of other passes lie beside these, and other threads may be packing them.
            let part = packed(pass);
            assert!(part.end <= len, "{part:?} of {len} packed weights");
            let to = self.packed.get_mut(at + part.start..at + part.end);
            self.fill(layer, pass, weights, to, None);
        }
    }

    /// Packs a layer's weights with the norm behind it folded in.
    ///
    /// # Safety
    /// No one else uses them; the norms' running affines are up to date.
    pub(crate) unsafe fn fold(&self, index: usize) {
        let layer = &self.plan.layers[index];
        let Some(norm) = layer.norm else { return };
        let len = layer.lengths.0;
        let channels = self.plan.map(layer.output).channels;
        // SAFETY: as promised by the caller.
        unsafe {
            let factors = std::slice::from_raw_parts(self.coefficient(norm, coefficient::EVAL_A), channels);
            let tensor = |i: usize| self.read(&self.params, self.plan.norms[norm].tensors + i);
            let (shift, mean) = (tensor(1), tensor(2));
            let bias = self.folded_bias[index].get_mut(0..channels);
            for (c, to) in bias.iter_mut().enumerate() {
                let own = layer.bias.map_or(0.0, |bias| self.read(&self.params, bias)[c]);
                *to = (own - mean[c]) * factors[c] + shift[c];
            }
            let part = packed(&layer.forward);
            assert!(part.end <= len, "{part:?} of {len} packed weights");
            let to = self.folded.get_mut(layer.packed + part.start..layer.packed + part.end);
            self.fill(layer, &layer.forward, self.weights(index), to, Some(factors));
        }
    }

    /// Packs the weights of a pass, block after block `[tap][input channel][output channel]`, or for the frequencies of
    /// Winograd's form; each output channel's times its factor, where there are any.
    fn fill(&self, layer: &Layer, pass: &Pass, weights: &[f32], to: &mut [f32], factors: Option<&[f32]>) {
        let index = |out, deep, tap| layer.shape.index(pass.plain, out, deep, tap);
        if let Some(tiled) = &pass.tiled {
            // Where in the tensor each place of the square is, from the first of its taps.
            let mut place = [0; 25];
            for tap in &pass.taps {
                let (row, col) = (tap.dy - tiled.first.0, tap.dx - tiled.first.1);
                place[row as usize * tiled.side + col as usize] = tap.index;
            }
            let args = Filters {
                side: tiled.side,
                weights,
                pitch: (index(1, 0, 0), index(0, 1, 0)),
                place: &place[..tiled.side * tiled.side],
                factors,
                blocks: &tiled.blocks,
                depth: pass.depth,
                to,
            };
            // SAFETY: the kernels are those of an instruction set that is there.
            return unsafe { (self.kernels.filters)(args) };
        }
        let mut to = to.iter_mut();
        for block in &pass.blocks {
            // Within a group, which a block does not leave, places are sums of one share for each axis.
            let first = index(block.first, 0, 0);
            let step = if block.width > 1 { index(block.first + 1, 0, 0) - first } else { 1 };
            let deeper = if pass.depth > 1 { index(block.first, 1, 0) - first } else { 0 };
            for tap in &pass.taps {
                for deep in 0..pass.depth {
                    let from = weights[first + deep * deeper + tap.index..].iter().step_by(step);
                    for (out, (to, &weight)) in (&mut to).take(block.width).zip(from).enumerate() {
                        *to = weight * factors.map_or(1.0, |factors| factors[block.first + out]);
                    }
                }
            }
        }
    }
}

/// Where the packed weights of a pass are among its layer's.
fn packed(pass: &Pass) -> Range<usize> {
    let at = pass.blocks.first().map_or(0, |block| block.at);
    at..at + pass.weights()
}
