//! The internal geometry: cropped sizes, padded widths, and where everything lies.

use std::ops::Range;

use crate::muon::Matrix;
use crate::worker::Moving;
use crate::{Error, Network};

/// Every width is padded to a multiple of this, one AVX-512 register, on every path.
///
/// Padded channels start at zero, get no gradient and stay at zero.
pub(crate) const LANES: usize = 16;
/// Images one worker takes at a time.
pub(crate) const GROUP: usize = 8;
/// Tiles of 4x4 inputs that go through the Winograd products together.
const TILES: usize = 32;
/// Most floats of input that one weight-gradient list may refer to: about half an L1 cache.
const LIST_FLOATS: usize = 12288;

/// Rounds up to whole registers.
pub(crate) const fn pad(width: usize) -> usize {
    width.next_multiple_of(LANES)
}

/// Distance between the sixteen frequencies of `size` floats each.
///
/// One line more than needed: at a power of two, all sixteen would share the eight ways of one set of
/// the L1 cache.
pub(crate) const fn plane(size: usize) -> usize {
    size + LANES
}

/// One convolution block on its cropped input.
pub(crate) struct Conv {
    /// Input channels: as described, and padded (1 and 1 in the first block).
    pub(crate) inputs: (usize, usize),
    /// Output channels: as described, and padded.
    pub(crate) outputs: (usize, usize),
    /// Columns of the cropped input.
    pub(crate) width: usize,
    /// Rows of the cropped input.
    pub(crate) height: usize,
    /// Rows of pooling windows.
    pub(crate) rows: usize,
    /// Columns of pooling windows.
    pub(crate) cols: usize,
    /// First weight in the flat parameter vector; the bias follows the weights.
    pub(crate) at: usize,
    /// Number of weights, bias not included.
    pub(crate) weights: usize,
    /// Images per weight-gradient list; divides [`GROUP`].
    pub(crate) block: usize,
    /// Images per Winograd pass.
    pub(crate) pass: usize,
}

impl Conv {
    pub(crate) fn windows(&self) -> usize {
        self.rows * self.cols
    }

    /// Floats of one image's pooled map.
    pub(crate) fn map(&self) -> usize {
        self.windows() * self.outputs.1
    }

    /// Floats of one image's input.
    pub(crate) fn input(&self) -> usize {
        self.height * self.width * self.inputs.1
    }

    pub(crate) fn bias(&self) -> Range<usize> {
        let start = self.at + self.weights;
        start..start + self.outputs.1
    }

    /// Weights and biases of sixteen output channels of a later block.
    pub(crate) fn chunk(&self, chunk: usize) -> (Range<usize>, Range<usize>) {
        let size = LANES * 9 * self.inputs.1;
        let (weights, bias) = (self.at + chunk * size, self.bias().start + chunk * LANES);
        (weights..weights + size, bias..bias + LANES)
    }
}

/// One dense layer.
pub(crate) struct Dense {
    /// Inputs: as described, and padded.
    pub(crate) inputs: (usize, usize),
    /// Outputs: as described, and padded.
    pub(crate) outputs: (usize, usize),
    /// First weight in the flat parameter vector; `[inputs][outputs]`, then the bias.
    pub(crate) at: usize,
}

impl Dense {
    pub(crate) fn weights(&self) -> usize {
        self.inputs.1 * self.outputs.1
    }

    pub(crate) fn bias(&self) -> Range<usize> {
        let start = self.at + self.weights();
        start..start + self.outputs.1
    }
}

/// What a worker can take in the second half of a step: parameters nobody else touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Task {
    /// The first block.
    First,
    /// Sixteen output channels (by index of sixteen) of a later block.
    Conv { layer: usize, chunk: usize },
    /// Some rows of a dense layer; the last ones bring the bias along.
    Dense { layer: usize, row: usize, rows: usize },
}

/// The whole internal geometry.
pub(crate) struct Plan {
    pub(crate) network: Network,
    pub(crate) conv: Vec<Conv>,
    pub(crate) dense: Vec<Dense>,
    /// Floats of the padded parameter vector.
    pub(crate) padded: usize,
    /// Tasks of the second half, most costly first.
    pub(crate) tasks: Vec<Task>,
}

impl Plan {
    pub(crate) fn new(network: &Network) -> Result<Self, Error> {
        network.check()?;
        let maps = network.maps()?;
        let blocks = maps.len();
        // Backwards: what the last map depends on is all that anything ever depends on.
        let mut crops = vec![maps[blocks - 1]; blocks];
        for block in (0..blocks - 1).rev() {
            let (rows, cols) = crops[block + 1];
            crops[block] = (2 * rows + 2, 2 * cols + 2);
        }
        let mut at = 0;
        let mut inputs = (1, 1);
        let mut conv = Vec::with_capacity(blocks);
        for (&(rows, cols), &channels) in crops.iter().zip(&network.conv) {
            let outputs = (channels, pad(channels));
            let (height, width) = (2 * rows + 2, 2 * cols + 2);
            let weights = 9 * inputs.1 * outputs.1;
            let fit = (LIST_FLOATS / (height * width * inputs.1)).clamp(1, GROUP);
            let block = 1 << fit.ilog2();
            let pass = (TILES / (rows * cols)).clamp(1, GROUP);
            conv.push(Conv { inputs, outputs, width, height, rows, cols, at, weights, block, pass });
            at += weights + outputs.1;
            inputs = outputs;
        }
        let (rows, cols) = crops[blocks - 1];
        let mut inputs = (rows * cols * inputs.0, rows * cols * inputs.1);
        let mut dense = Vec::with_capacity(network.dense.len());
        for &width in &network.dense {
            let outputs = (width, pad(width));
            dense.push(Dense { inputs, outputs, at });
            at += inputs.1 * outputs.1 + outputs.1;
            inputs = outputs;
        }
        let tasks = tasks(&conv, &dense);
        Ok(Self { network: network.clone(), conv, dense, padded: at, tasks })
    }

    /// The weights of both parts, or of one, as an optimizer of matrices sees them. What pads them is zero and stays so.
    pub(crate) fn matrices(&self, moving: Moving) -> Vec<Matrix> {
        let conv = self.conv.iter().enumerate().map(|(layer, conv)| {
            let (inputs, outputs) = (conv.inputs, conv.outputs);
            // Output channels come last in the first block, and first in the others.
            let (rows, cols) = if layer == 0 { (9, outputs.1) } else { (outputs.1, 9 * inputs.1) };
            Matrix { at: conv.at, rows, cols, larger: outputs.0.max(9 * inputs.0) }
        });
        let dense = self.dense.iter().map(|dense| {
            let (inputs, outputs) = (dense.inputs, dense.outputs);
            Matrix { at: dense.at, rows: inputs.1, cols: outputs.1, larger: inputs.0.max(outputs.0) }
        });
        conv.filter(|_| moving.encoder).chain(dense.filter(|_| moving.head)).collect()
    }

    /// Pooling windows of the last block.
    pub(crate) fn code_windows(&self) -> usize {
        self.conv.last().map_or(0, Conv::windows)
    }
}

fn tasks(conv: &[Conv], dense: &[Dense]) -> Vec<Task> {
    let mut tasks = vec![(conv[0].map() * 12, Task::First)];
    for (layer, block) in conv.iter().enumerate().skip(1) {
        for chunk in 0..block.outputs.1 / LANES {
            tasks.push((block.windows() * LANES * block.inputs.1 * 5, Task::Conv { layer, chunk }));
        }
    }
    for (layer, dense) in dense.iter().enumerate() {
        // About 8,192 weights a task: gradients and moments of one task stay in the L2 cache.
        let most = (8192 / dense.outputs.1).next_multiple_of(LANES).max(LANES);
        for row in (0..dense.inputs.1).step_by(most) {
            let rows = most.min(dense.inputs.1 - row);
            tasks.push((rows * dense.outputs.1, Task::Dense { layer, row, rows }));
        }
    }
    tasks.sort_by_key(|&(cost, _)| std::cmp::Reverse(cost));
    tasks.into_iter().map(|(_, task)| task).collect()
}
