//! Where Winograd's forms are chosen, and what they are.

use super::kernels::conv::Block;
use super::kernels::winograd::{INPUTS, along, down, downs, plane, summed};
use super::layer::{Pass, Shape, Tap};

/// Most floats of transformed rows and their products: they should stay in the second cache.
const FLOATS: usize = 120_000;

/// Instructions that transforming a tile there and back costs for each channel, about: of 5x5 kernels and of 3x3.
const TRANSFORM: [(usize, usize); 2] = [(40, 60), (100, 160)];

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
    /// Weights are `[frequency][block][row of the square][input channel][width]`, with the rows that are summed up; blocks
    /// count from a frequency's first.
    pub(crate) blocks: Vec<Block>,
}

impl Tiled {
    /// Frequencies of a tile.
    pub(crate) fn frequencies(&self) -> usize {
        downs(self.side) * INPUTS
    }

    /// Rows of transformed inputs that make so many output rows.
    pub(crate) fn lines(&self, rows: usize) -> usize {
        rows.div_ceil(down(self.side)) + summed(self.side) - 1
    }

    /// Floats of memory that so many output rows take.
    pub(crate) fn room(&self, rows: usize, depth: usize, channels: usize, lanes: usize) -> usize {
        let bands = rows.div_ceil(down(self.side));
        self.frequencies()
            * (plane(self.lines(rows) * self.tiles, depth, lanes)
                + plane(bands * self.tiles, channels, lanes))
    }
}

/// Winograd's form of a weight gradient.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Folded {
    /// Tiles of a row of the plain side.
    pub(crate) tiles: usize,
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
        let tiles = cols.div_ceil(along(k));
        // A transform costs about so many instructions for each tile and channel, and a product's sums a quarter more.
        let products = downs(k) * INPUTS * summed(k) * self.second * self.first * 5 / 4;
        let own = products + TRANSFORM[usize::from(k == 3)].0 * (self.second + self.first);
        let own = rows.div_ceil(down(k)) * tiles * own;
        (own < rows * cols * k * k * self.second * self.first).then_some(Folded { tiles })
    }

    /// Winograd's form of a pass, where it costs less by an estimate of vector instructions.
    pub(super) fn tiled(&self, pass: &Pass, lanes: usize) -> Option<Tiled> {
        let (k, depth, out) = (self.kernel, pass.depth, pass.channels());
        if !self.has_tiles() || pass.taps.len() != k * k {
            return None;
        }
        let least = |of: fn(&Tap) -> isize| pass.taps.iter().map(of).min().unwrap_or(0);
        let each = summed(k) * depth;
        let mut tiled = Tiled {
            side: k,
            first: (least(|tap| tap.dy), least(|tap| tap.dx)),
            tiles: pass.cols.div_ceil(along(k)),
            rows: down(k),
            blocks: pass.blocks.iter().map(|block| Block { at: block.first * each, ..*block }).collect(),
        };
        while tiled.rows < 8 && tiled.room(tiled.rows + down(k), depth, out, lanes) <= FLOATS {
            tiled.rows += down(k);
        }
        // A piece has about so many rows.
        let piece = tiled.rows.min(pass.rows.div_ceil(7)).next_multiple_of(down(k));
        let bands = piece / down(k);
        let (there, back) = TRANSFORM[usize::from(k == 3)];
        let own = tiled.frequencies() * each * out * bands
            + there * depth * tiled.lines(piece)
            + back * out * bands;
        let own = own * tiled.tiles * pass.rows.div_ceil(down(k)) / bands;
        (own * 10 <= 9 * pass.rows * pass.cols * k * k * depth * out).then_some(tiled)
    }
}
