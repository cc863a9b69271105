//! How a weight gradient is cut: output channels for tasks, rows and slots for the second cache, slices of its sum.

use std::ops::Range;

use super::kernels::winograd::outputs;
use super::plan::{Layer, Plan};
use super::state::piece;

/// Vectors of a piece of a weight gradient, which should stay in the second cache.
const CACHED: usize = 13_000;

/// Output channels of a weight gradient that one task takes, where there are that many.
const CHANNELS: usize = 12;

/// The same in Winograd's form, where each task transforms the whole other side: of maps of few tiles, and of others; the last
/// goes for kernels of one pixel too, for which a task copies the other side.
const FOLDED_CHANNELS: [usize; 2] = [24, 48];

/// Fewest products that a sum of a weight gradient in Winograd's form stays in its register for, where the batch has as many.
/// Adding up lanes afterwards takes about as long as six of them.
const FEWEST: usize = 16;

/// Weights of all slices of a gradient together, about.
const SLICED: usize = 65_536;

impl Layer {
    /// Slices of the weight gradient at most.
    pub(super) fn most_slices(&self) -> usize {
        if self.flat { 1 } else { (SLICED / self.shape.weights()).clamp(4, 16) }
    }

    /// Parts of the weight tensor's first axis that tasks of the weight gradient take.
    pub(crate) fn plain_parts(&self) -> usize {
        let most = match self.folded {
            Some(folded) => FOLDED_CHANNELS[usize::from(folded.tiles * folded.bands >= FEWEST)],
            // Each task would make the rows again.
            None if self.taker.is_some() => self.shape.first,
            None if self.is_pointwise() => FOLDED_CHANNELS[1],
            None => CHANNELS,
        };
        self.shape.first.div_ceil(most)
    }

    /// Slices that a weight gradient over so many slots, of so many pieces in all, is summed up in: a number that depends on the
    /// batch, not on the threads.
    pub(crate) fn slices_of(&self, slots: usize, pieces: usize) -> usize {
        let most = match self.folded {
            Some(folded) => (slots * folded.tiles * folded.bands / FEWEST).max(1),
            None if self.flat => 1,
            None => pieces,
        };
        self.slices.min(pieces).min(most)
    }

    /// Most channels of such a part.
    pub(crate) fn plain_most(&self) -> usize {
        self.shape.first.div_ceil(self.plain_parts())
    }

    /// Rows that a weight gradient takes together.
    fn band(&self) -> usize {
        match self.folded {
            Some(_) => outputs(self.shape.kernel),
            None => self.taker.map_or(1, |taker| taker.lines),
        }
    }
}

impl Plan {
    /// Rows of the side of a weight gradient that no taps walk over.
    fn plain_rows(&self, layer: &Layer) -> usize {
        if layer.shape.transposed { self.map(layer.input).height } else { self.map(layer.output).height }
    }

    /// How many bands the rows of a weight gradient are.
    fn bands(&self, layer: &Layer) -> usize {
        self.plain_rows(layer).div_ceil(layer.band())
    }

    /// Pieces of a weight gradient's rows that fit the second cache.
    pub(crate) fn row_parts(&self, layer: usize) -> usize {
        let layer = &self.layers[layer];
        let floats = match &layer.folded {
            Some(_) => self.folded_floats(layer),
            None => self.map(layer.input).size() + self.map(layer.output).size(),
        };
        floats.div_ceil(CACHED * self.lanes).clamp(1, self.bands(layer))
    }

    /// The rows of such a piece.
    pub(crate) fn rows_of_part(&self, layer: usize, part: usize) -> Range<usize> {
        let parts = self.row_parts(layer);
        let layer = &self.layers[layer];
        let bands = piece(part, parts, self.bands(layer));
        bands.start * layer.band()..self.plain_rows(layer).min(bands.end * layer.band())
    }

    /// Slots whose products are summed up together, where a slot is one piece and they fit the second cache.
    pub(crate) fn slots_together(&self, layer: usize) -> usize {
        if self.layers[layer].folded.is_none() || self.row_parts(layer) > 1 {
            return 1;
        }
        let layer = &self.layers[layer];
        (CACHED * self.lanes / self.folded_floats(layer).max(1)).max(1)
    }

    /// Floats that a slot's transformed values take.
    fn folded_floats(&self, layer: &Layer) -> usize {
        let (rows, plain) = (self.plain_rows(layer), layer.plain_most());
        let (tapped, lifted) =
            layer.folded.map_or((0, 0), |folded| folded.floats(layer, rows, plain, self.lanes));
        tapped + lifted
    }
}
