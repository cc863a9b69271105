//! From a network to shapes and places: how a seed's memory is laid out, and how each kernel is launched.

use crate::args::{Args, Conv, Dense, SLICE, Shape};
use crate::layout;
use crate::made;
use crate::network::{MOST_LAYERS, Network};
use crate::{Error, tuning::Tuning};

mod launches;

pub(crate) use launches::Launch;

/// Shared memory that a block may have on every chip from Ampere on: 99 KiB.
pub(crate) const MOST_SHARED: usize = 101_376;
/// Bytes in which a block of `update` adds up the shares of its warps: two taps, eight shares, four inputs, 32 outputs.
const UPDATE_SUMS: usize = 2 * 8 * 4 * 32 * size_of::<f32>();
/// Features above which the first dense layer's sum is split over blocks.
const MOST_FEATURES: usize = 256;

/// Shapes, places and launches of a network for batches of a size.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    /// What the kernels are told of the network.
    pub(crate) shape: Shape,
    /// Images of which a block of `update` keeps a group of channels at once, by block of the network.
    pub(crate) staged: [i32; MOST_LAYERS],
    /// Most images in a batch.
    pub(crate) batch: usize,
    /// The kernels that were made for this network, by their first name.
    made: Option<&'static str>,
    /// For each parameter in PyTorch's order, its place among a seed's parameters.
    pub(crate) map: Vec<u32>,
    /// Launches up to the features.
    pub(crate) encode: Vec<Launch>,
    /// Launches from the features to the scores and, in training, to the gradient of the features.
    pub(crate) head: Vec<Launch>,
    /// Launches of the dense layers' backward pass that are not part of `head`.
    pub(crate) head_back: Vec<Launch>,
    /// The launch that does the last block, the dense layers and their backward passes at once, where there is one.
    pub(crate) middle: Option<Launch>,
    /// Launches of the blocks' backward pass.
    pub(crate) back: Vec<Launch>,
    /// Floats of scratch memory a seed.
    pub(crate) scratch: usize,
    /// Values of a code.
    pub(crate) features: usize,
    /// Those of a code where channels are not padded, in PyTorch's order: their places.
    pub(crate) code_map: Vec<u32>,
}

fn pad(width: usize) -> usize {
    width.next_multiple_of(4)
}

/// Takes `count` values behind what is there; returns where they begin. Everything begins at a multiple of four.
fn take(end: &mut usize, count: usize) -> i32 {
    let start = *end;
    *end = pad(start + count);
    start as i32
}

impl Plan {
    /// Lays out a network for batches of at most `batch` images.
    ///
    /// # Errors
    /// As [`Network::check`]; [`Error::Unsupported`] where a block's memory does not suffice.
    pub(crate) fn new(network: &Network, batch: usize, tuning: &Tuning) -> Result<Self, Error> {
        let mut plan = Self::without_made(network, batch, tuning)?;
        plan.made = made::name(&plan.shape);
        plan.launches(batch)?;
        Ok(plan)
    }

    /// As [`Plan::new`], before anything is launched.
    pub(crate) fn without_made(network: &Network, batch: usize, tuning: &Tuning) -> Result<Self, Error> {
        network.check()?;
        let maps = network.maps()?;
        let (mut parameters, mut turned, mut slot, mut marked) = (0, 0, 0, 0);
        let mut shape = Shape {
            height: network.height as i32,
            width: network.width as i32,
            channels: network.channels as i32,
            convs: maps.len() as i32,
            denses: network.dense.len() as i32,
            classes: network.classes() as i32,
            ..Shape::default()
        };
        let mut staged = [0; MOST_LAYERS];

        // Windows that anything behind them sees: from the last block to the first.
        let mut seen = maps.last().copied().unwrap_or((0, 0));
        for l in (0..maps.len()).rev() {
            (shape.conv[l].rows, shape.conv[l].cols) = (seen.0 as i32, seen.1 as i32);
            seen = (2 * seen.0 + 2, 2 * seen.1 + 2);
        }
        (shape.seen_height, shape.seen_width) = (seen.0 as i32, seen.1 as i32);

        let mut inputs = network.channels;
        for (l, &filters) in network.conv.iter().enumerate() {
            let outputs = pad(filters);
            let windows = (shape.conv[l].rows * shape.conv[l].cols) as usize;
            let weights = 9 * inputs * outputs;
            let c = &mut shape.conv[l];
            (c.inputs, c.outputs) = (inputs as i32, outputs as i32);
            c.weight = take(&mut parameters, weights);
            c.bias = take(&mut parameters, outputs);
            c.turned = if l > 0 { take(&mut turned, weights) } else { 0 };
            c.value = take(&mut slot, windows * outputs);
            // The first block's goes straight into its parameters' gradient where another block follows.
            let kept = l > 0 || maps.len() == 1;
            c.grad = take(&mut slot, if kept { windows * outputs } else { 0 });
            c.mark = take(&mut marked, windows * outputs);
            tuning.conv(c, l);
            staged[l] = if l == 0 { 0 } else { stage(c, batch) };
            inputs = outputs;
        }
        let last = shape.conv[maps.len() - 1];
        let features = (last.rows * last.cols * last.outputs) as usize;
        inputs = features;
        for (l, &units) in network.dense.iter().enumerate() {
            let padded = pad(units);
            shape.dense[l] = Dense {
                inputs: inputs as i32,
                outputs: units as i32,
                padded: padded as i32,
                weight: take(&mut parameters, inputs * padded),
                bias: take(&mut parameters, padded),
                value: take(&mut slot, padded),
                delta: take(&mut slot, padded),
            };
            inputs = units;
        }
        shape.slices = if features > MOST_FEATURES { features.div_ceil(SLICE) as i32 } else { 0 };
        let parts = if maps.len() > 1 { back_parts(&shape.conv[1]) } else { 1 };
        shape.first = take(&mut slot, parts * (9 * network.channels + 1) * shape.conv[0].outputs as usize);
        shape.part = take(&mut slot, shape.slices as usize * shape.dense[0].padded as usize);
        shape.loss = take(&mut slot, 2);
        (shape.parameters, shape.turned_size) = (parameters as i32, turned as i32);
        (shape.slot, shape.marked) = (slot as i32, marked as i32);

        Ok(Self {
            map: layout::map(network, &shape),
            code_map: layout::code_map(network, &shape),
            made: None,
            shape,
            staged,
            batch,
            encode: vec![],
            head: vec![],
            head_back: vec![],
            middle: None,
            back: vec![],
            scratch: 0,
            features,
        })
    }

    /// What kernels are told of network and batch; no addresses yet.
    pub(crate) fn args(&self) -> Args {
        Args { shape: self.shape, batch: self.batch as i32, staged: self.staged, ..Args::default() }
    }
}

/// Thread blocks that share an image in a backward pass.
fn back_parts(c: &Conv) -> usize {
    (c.rows as usize).div_ceil(c.back_rows as usize)
}

/// Images of which a block of `update` keeps a group of channels at once: the whole batch, or a multiple of eight
/// since a warp takes every eighth image; 0 where not even eight fit.
fn stage(c: &Conv, batch: usize) -> i32 {
    let room = MOST_SHARED - UPDATE_SUMS;
    // The same for any number of taps, since images are added up in an order that depends on it.
    let fit = room / staged_bytes(&Conv { taps: 9, ..*c }, 1);
    (if fit >= batch { batch } else { fit / 8 * 8 }) as i32
}

/// Bytes of shared memory for a group of four channels of so many images' input maps, as `update` keeps them.
fn staged_bytes(c: &Conv, images: usize) -> usize {
    let high = 2 * c.rows as usize + if c.taps == 9 { 2 } else { 0 };
    let mut row = 2 * c.cols as usize + if c.taps == 1 { 0 } else { 2 };
    while !(2..=6).contains(&(row % 8)) {
        row += 1;
    }
    images * high * row * 4 * size_of::<f32>()
}
