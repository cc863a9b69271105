//! From parameters to weights in the order of the kernels.

use std::array::from_fn;
use std::ops::Range;

use super::kernels::winograd::{INPUTS, share, share_down, summed};
use super::layer::Pass;
use super::plan::{Layer, coefficient};
use super::state::State;
use super::tiles::Tiled;

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
            fill(layer, pass, weights, to, |_, w| w);
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
            fill(layer, &layer.forward, self.weights(index), to, |out, w| w * factors[out]);
        }
    }
}

/// Where the packed weights of a pass are among its layer's.
fn packed(pass: &Pass) -> Range<usize> {
    let at = pass.blocks.first().map_or(0, |block| block.at);
    at..at + pass.weights()
}

/// Packs the weights of a pass, block after block `[tap][input channel][output channel]`, or for the frequencies of
/// Winograd's form.
fn fill(layer: &Layer, pass: &Pass, weights: &[f32], to: &mut [f32], with: impl Fn(usize, f32) -> f32) {
    match &pass.tiled {
        None => {
            let mut to = to.iter_mut();
            for block in &pass.blocks {
                for tap in &pass.taps {
                    for deep in 0..pass.depth {
                        for (out, to) in (block.first..block.first + block.width).zip(&mut to) {
                            *to = with(out, weights[layer.shape.index(pass.plain, out, deep, tap.index)]);
                        }
                    }
                }
            }
        }
        Some(tiled) if tiled.side == 3 => frequencies::<3>(layer, (pass, tiled), weights, to, with),
        Some(tiled) => frequencies::<5>(layer, (pass, tiled), weights, to, with),
    }
}

/// Packs the weights of a pass for the frequencies of Winograd's form; the kernel's side is `K`.
fn frequencies<const K: usize>(
    layer: &Layer,
    (pass, tiled): (&Pass, &Tiled),
    weights: &[f32],
    to: &mut [f32],
    with: impl Fn(usize, f32) -> f32,
) {
    let plane = summed(tiled.side) * pass.depth * pass.channels();
    let along: [[f32; K]; INPUTS] = from_fn(|f| from_fn(|col| share(f, col, K)));
    let down: [[f32; K]; 4] = from_fn(|f| from_fn(|row| share_down(f, row)));
    // Where in the tensor each place of the square is, from the first of its taps.
    let mut place = [[0; K]; K];
    for tap in &pass.taps {
        let (row, col) = (tap.dy - tiled.first.0, tap.dx - tiled.first.1);
        place[row as usize][col as usize] = tap.index;
    }
    for block in &tiled.blocks {
        for deep in 0..pass.depth {
            for out in block.first..block.first + block.width {
                let square = &weights[layer.shape.index(pass.plain, out, deep, 0)..][..K * K];
                // Of each row of the square, its frequencies along the row.
                let rows: [[f32; INPUTS]; K] = from_fn(|row| {
                    let w: [f32; K] = from_fn(|col| with(out, square[place[row][col]]));
                    from_fn(|f| (0..K).map(|col| along[f][col] * w[col]).sum())
                });
                let at = block.at + deep * block.width + out - block.first;
                if K == 3 {
                    for (number, down) in down.iter().enumerate() {
                        for f in 0..INPUTS {
                            let sum = (0..K).map(|row| down[row] * rows[row][f]).sum();
                            to[(number * INPUTS + f) * plane + at] = sum;
                        }
                    }
                } else {
                    for (row, sums) in rows.iter().enumerate() {
                        for (f, &sum) in sums.iter().enumerate() {
                            to[f * plane + at + row * pass.depth * block.width] = sum;
                        }
                    }
                }
            }
        }
    }
}
