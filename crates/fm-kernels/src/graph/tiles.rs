//! Where Winograd's forms are chosen, and what they are.

use super::kernels::conv::Block;
use super::kernels::winograd::{FREQUENCIES, outputs, plane};
use super::layer::{Pass, Shape, Tap};

/// Most vectors of transformed rows and their products. They should stay in the second cache, which is larger where vectors are.
const VECTORS: usize = 15_000;

/// Instructions that transforming a tile costs for each channel, about: its inputs, and back the outputs of 3x3 and 5x5 kernels.
const THERE: usize = 250;
const BACK: [usize; 2] = [220, 120];

/// The same of a weight gradient, which makes a sixth of the frequencies at a time: its inputs, and output gradients.
const FOLDED: usize = 450;
const LIFTED: [usize; 2] = [300, 130];

/// Winograd's form of a pass whose taps are a square.
#[derive(Debug, Clone)]
pub(crate) struct Tiled {
    /// Side of the square.
    pub(crate) side: usize,
    /// Its first row and column.
    pub(crate) first: (isize, isize),
    /// Tiles of a row.
    pub(crate) tiles: usize,
    /// Output rows that are done together.
    pub(crate) rows: usize,
    /// Weights are `[frequency][block][input channel][width]`; blocks count from a frequency's first.
    pub(crate) blocks: Vec<Block>,
}

impl Tiled {
    /// Tiles of so many output rows.
    pub(crate) fn tiles_of(&self, rows: usize) -> usize {
        rows.div_ceil(outputs(self.side)) * self.tiles
    }

    /// Floats of memory that so many output rows take.
    pub(crate) fn room(&self, rows: usize, depth: usize, channels: usize, lanes: usize) -> usize {
        let tiles = self.tiles_of(rows);
        FREQUENCIES * (plane(tiles, depth, lanes) + plane(tiles, channels, lanes))
    }
}

/// Winograd's form of a weight gradient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folded {
    /// Tiles of a row of the plain side, and rows of tiles.
    pub(crate) tiles: usize,
    pub(crate) bands: usize,
}

impl Shape {
    /// Whether there is a Winograd form.
    fn has_tiles(&self) -> bool {
        matches!(self.kernel, 3 | 5) && self.groups == 1 && self.stride == 1
    }

    /// Winograd's form of the weight gradient over so many rows and columns of the plain side, where it costs less by an
    /// estimate of vector instructions.
    pub(crate) fn folded(&self, rows: usize, cols: usize) -> Option<Folded> {
        let k = self.kernel;
        if !self.has_tiles() {
            return None;
        }
        let (tiles, bands) = (cols.div_ceil(outputs(k)), rows.div_ceil(outputs(k)));
        // A product's sums cost a quarter more.
        let products = FREQUENCIES * self.second * self.first * 5 / 4;
        let own = products + FOLDED * self.second + LIFTED[usize::from(k == 5)] * self.first;
        (bands * tiles * own < rows * cols * k * k * self.second * self.first)
            .then_some(Folded { tiles, bands })
    }

    /// Winograd's form of a pass, where it costs less by an estimate of vector instructions.
    pub(super) fn tiled(&self, pass: &Pass, lanes: usize) -> Option<Tiled> {
        let (k, depth, out) = (self.kernel, pass.depth, pass.channels());
        if !self.has_tiles() || pass.taps.len() != k * k {
            return None;
        }
        let least = |of: fn(&Tap) -> isize| pass.taps.iter().map(of).min().unwrap_or(0);
        let mut tiled = Tiled {
            side: k,
            first: (least(|tap| tap.dy), least(|tap| tap.dx)),
            tiles: pass.cols.div_ceil(outputs(k)),
            rows: outputs(k),
            blocks: pass.blocks.iter().map(|block| Block { at: block.first * depth, ..*block }).collect(),
        };
        while tiled.rows < 8 && tiled.room(tiled.rows + outputs(k), depth, out, lanes) <= VECTORS * lanes {
            tiled.rows += outputs(k);
        }
        let own = FREQUENCIES * depth * out + THERE * depth + BACK[usize::from(k == 5)] * out;
        let own = own * tiled.tiles_of(pass.rows);
        (own * 10 <= 9 * pass.rows * pass.cols * k * k * depth * out).then_some(tiled)
    }
}
