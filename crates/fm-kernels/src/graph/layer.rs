//! Convolutions of all kinds, and dense layers, as passes of one kernel.

use std::ops::Range;

use super::kernels::conv::{Block, Run, WIDEST};
use super::kernels::winograd::{FREQUENCIES, outputs};
use super::map::Map;
use super::tiles::Tiled;

/// What a layer is, in the words of its weight tensor `[first][second][kernel][kernel]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape {
    /// Channels of the tensor's first axis: a convolution's filters, a transposed one's inputs.
    pub(crate) first: usize,
    /// Channels of its second axis, in each group.
    pub(crate) second: usize,
    pub(crate) groups: usize,
    pub(crate) kernel: usize,
    pub(crate) stride: usize,
    pub(crate) pad: usize,
    /// Transposed: it computes forward what a convolution does to gradients.
    pub(crate) transposed: bool,
}

/// Output pixels whose sums have the same taps: all of them forward, and where there is a stride a
/// part of the rows and columns backward.
#[derive(Debug, Clone)]
pub(crate) struct Pass {
    /// Row, column and tap of the kernel, each relative to what an output pixel starts from.
    pub(crate) taps: Vec<Tap>,
    pub(crate) runs: Vec<Run>,
    /// Input rows (and columns) from one output pixel to the next.
    pub(crate) step: usize,
    /// The first output row and column, and the distance to the next.
    pub(crate) start: (usize, usize),
    pub(crate) spread: usize,
    pub(crate) rows: usize,
    pub(crate) cols: usize,
    pub(crate) blocks: Vec<Block>,
    /// Input channels of a block.
    pub(crate) depth: usize,
    /// Output channels are the tensor's first axis.
    pub(crate) plain: bool,
    /// How Winograd's form computes it, where that is chosen.
    pub(crate) tiled: Option<Tiled>,
}

#[derive(Debug, Clone, Copy)]
pub(crate) struct Tap {
    pub(crate) dy: isize,
    pub(crate) dx: isize,
    /// Number in the kernel, row by row.
    pub(crate) index: usize,
}

impl Shape {
    /// Weights of the tensor.
    pub(crate) fn weights(&self) -> usize {
        self.first * self.second * self.kernel * self.kernel
    }

    /// Passes that make the output, or with `back` the input's gradient from the output's. `input` and
    /// `output` are the layer's maps, `at` where the first pass's packed weights are.
    pub(crate) fn passes(&self, back: bool, input: Map, output: Map, mut at: usize) -> Vec<Pass> {
        let plain = self.transposed == back;
        // What a convolution does to values, a transposed one does to gradients.
        let (to, stride) = if back { (input, self.stride) } else { (output, 1) };
        let mut passes = Vec::new();
        for py in 0..stride.min(to.height) {
            for px in 0..stride.min(to.width) {
                let taps = if plain { self.forward() } else { self.backward(py, px) };
                let mut pass = Pass {
                    runs: runs(&taps),
                    taps,
                    step: if plain { self.stride } else { 1 },
                    start: (py, px),
                    spread: stride,
                    rows: (to.height - py).div_ceil(stride),
                    cols: (to.width - px).div_ceil(stride),
                    blocks: Vec::new(),
                    depth: if plain { self.second } else { self.first / self.groups },
                    plain,
                    tiled: None,
                };
                pass.blocks = self.blocks(&pass, at, if output.lanes == 16 { WIDEST } else { 3 });
                pass.tiled = self.tiled(&pass, to.lanes);
                at += pass.weights();
                passes.push(pass);
            }
        }
        passes
    }

    /// Tap (y, x) of output pixel (0, 0) is at (y - pad, x - pad) of the input.
    fn forward(&self) -> Vec<Tap> {
        let (k, pad) = (self.kernel, self.pad as isize);
        let tap = |i: usize| Tap { dy: (i / k) as isize - pad, dx: (i % k) as isize - pad, index: i };
        (0..k * k).map(tap).collect()
    }

    /// Input pixel (y, x) was tap (i, j) of output pixel ((y + pad - i) / stride, (x + pad - j) / stride).
    fn backward(&self, py: usize, px: usize) -> Vec<Tap> {
        let (k, s, pad) = (self.kernel, self.stride as isize, self.pad as isize);
        let all = (0..k * k).filter_map(|i| {
            let (y, x) = (py as isize + pad - (i / k) as isize, px as isize + pad - (i % k) as isize);
            (y % s == 0 && x % s == 0).then_some(Tap { dy: y / s, dx: x / s, index: i })
        });
        all.collect()
    }

    /// Output channels in as equal parts as can be, none in two groups.
    fn blocks(&self, pass: &Pass, mut at: usize, widest: usize) -> Vec<Block> {
        let own = if pass.plain { self.first / self.groups } else { self.second };
        let mut blocks = Vec::new();
        for group in 0..self.groups {
            let parts = own.div_ceil(widest);
            let mut done = 0;
            for part in 0..parts {
                let width = (own - done).div_ceil(parts - part);
                blocks.push(Block { first: group * own + done, width, from: group * pass.depth, at });
                at += pass.taps.len() * pass.depth * width;
                done += width;
            }
        }
        blocks
    }

    /// Index in the tensor of a packed weight: output channel, number of the input channel in the group, tap.
    pub(crate) fn index(&self, plain: bool, out: usize, deep: usize, tap: usize) -> usize {
        let per_group = self.first / self.groups;
        let (first, second) =
            if plain { (out, deep) } else { (out / self.second * per_group + deep, out % self.second) };
        (first * self.second + second) * self.kernel * self.kernel + tap
    }
}

impl Pass {
    /// Packed weights.
    pub(crate) fn weights(&self) -> usize {
        let taps = self.tiled.as_ref().map_or(self.taps.len(), |_| FREQUENCIES);
        self.channels() * self.depth * taps
    }

    /// Output channels.
    pub(crate) fn channels(&self) -> usize {
        self.blocks.iter().map(|block| block.width).sum()
    }

    /// Rows that are computed together.
    fn band(&self) -> usize {
        self.tiled.as_ref().map_or(1, |tiled| outputs(tiled.side))
    }

    /// How many bands its rows are: what they are dealt out in.
    pub(crate) fn bands(&self) -> usize {
        self.rows.div_ceil(self.band())
    }

    /// The rows of some bands.
    pub(crate) fn rows_of(&self, bands: Range<usize>) -> Range<usize> {
        bands.start * self.band()..self.rows.min(bands.end * self.band())
    }

    /// The border that it needs around its input.
    pub(crate) fn border(&self, input: Map) -> (usize, usize) {
        let (mut lead, mut trail) = (0, 0);
        for tap in &self.taps {
            lead = lead.max(-tap.dy).max(-tap.dx);
            let last = |count: usize, d: isize, size: usize| {
                ((count.max(1) - 1) * self.step) as isize + d - (size as isize - 1)
            };
            trail =
                trail.max(last(self.rows, tap.dy, input.height)).max(last(self.cols, tap.dx, input.width));
        }
        (lead as usize, trail as usize)
    }

    /// The taps as offsets in the input's map.
    pub(crate) fn offsets(&self, input: Map) -> Vec<isize> {
        self.taps.iter().map(|tap| input.offset(tap.dy, tap.dx)).collect()
    }
}

/// Taps by row.
fn runs(taps: &[Tap]) -> Vec<Run> {
    let mut runs: Vec<Run> = Vec::new();
    for (i, tap) in taps.iter().enumerate() {
        match runs.last_mut() {
            Some(run) if run.dy == tap.dy => run.taps.end = i + 1,
            _ => runs.push(Run { dy: tap.dy, taps: i..i + 1 }),
        }
    }
    runs
}
