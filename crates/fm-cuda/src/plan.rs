//! From a network to shapes and places: how a seed's memory is laid out, and how each kernel is launched.

use fm_kernels::Scope;

use crate::args::{Args, Conv, Dense, IMAGES, SLICE, Shape, THREADS, TILE, WIDE};
use crate::layout;
use crate::made;
use crate::network::{MOST_LAYERS, Network};
use crate::{Error, tuning::Tuning};

/// Shared memory that a block may have on every chip from Ampere on: 99 KiB.
pub(crate) const MOST_SHARED: usize = 101_376;
/// Bytes in which a block of `update` adds up the shares of its warps: two taps, eight shares, four inputs, 32 outputs.
const UPDATE_SUMS: usize = 2 * 8 * 4 * 32 * size_of::<f32>();
/// Features above which the first dense layer's sum is split over blocks.
const MOST_FEATURES: usize = 256;

/// A launch: which kernel, on which layer, in how many blocks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Launch {
    /// What it does.
    pub(crate) kernel: &'static str,
    /// Its name among the compiled kernels: another where one was made for the network.
    pub(crate) name: String,
    pub(crate) layer: i32,
    /// Blocks along x and z; y is the seed.
    pub(crate) blocks: (usize, usize),
    pub(crate) threads: usize,
    pub(crate) shared: usize,
    /// Whether it works in scratch memory.
    pub(crate) scratch: bool,
}

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

    /// Decides all launches but that of `update`.
    fn launches(&mut self, batch: usize) -> Result<(), Error> {
        let shape = self.shape;
        let made = self.made;
        let float = size_of::<f32>();
        let pixels = (shape.channels * shape.seen_height * shape.seen_width) as usize * float;
        let sums = 32 * THREADS * float;
        let launch = |kernel, layer: usize, blocks, shared| Launch {
            kernel,
            name: named(made, kernel, layer),
            layer: layer as i32,
            blocks,
            threads: THREADS,
            shared,
            scratch: false,
        };
        let convs = shape.convs as usize;
        let parts = |c: &Conv| (c.outputs as usize).div_ceil(c.filters as usize);
        let first = &shape.conv[0];
        let map = (first.rows * first.cols * (first.outputs + 4)) as usize * float;
        let both = map + sums.max(pixels);
        let mut next = 1;
        if convs > 1 && both <= MOST_SHARED {
            self.encode.push(launch("first_conv", 1, (batch, parts(&shape.conv[1])), both));
            next = 2;
        } else {
            self.encode.push(launch("first", 0, (batch, 1), pixels));
        }
        for l in next..convs {
            let c = &shape.conv[l];
            self.encode.push(launch("conv", l, (batch.div_ceil(c.images as usize), parts(c)), sums));
        }

        let slices = shape.slices as usize;
        let images = batch.div_ceil(IMAGES);
        let padded: i32 = shape.dense.iter().map(|d| d.padded).sum();
        let features = if slices > 0 { 0 } else { shape.dense[0].inputs };
        if slices > 0 {
            self.head.push(launch("dense_split", 0, (slices, images), IMAGES * SLICE * float));
        }
        self.head.push(launch("tail", 0, (batch, 1), (padded + features) as usize * float + THREADS * float));
        if slices > 0 {
            let shared = IMAGES * shape.dense[0].padded as usize * float;
            self.head_back.push(launch("dense_back", 0, (slices, images), shared));
        }

        let rows = THREADS / 32 * (9 * shape.channels as usize + 1) * TILE * float;
        for l in (1..convs).rev() {
            let c = &shape.conv[l];
            let tiles = (c.inputs as usize).div_ceil(TILE);
            let patches = (c.back_images * c.back_split * c.back_rows * c.cols) as usize * 16 * TILE;
            let (own, image) = if l == 1 { (rows, pixels) } else { (0, 0) };
            let mut shared = (patches * float).max(own) + image;
            let blocks = (batch.div_ceil(c.back_images as usize), tiles * back_parts(c));
            let scratch = shared > MOST_SHARED;
            if scratch {
                self.scratch = self.scratch.max(blocks.0 * blocks.1 * patches);
                shared = rows + image;
            }
            self.back.push(Launch { scratch, ..launch("back", l, blocks, shared) });
        }
        if let Some(made) = made.filter(|made| made.starts_with("cnn")) {
            let c = &shape.conv[convs - 1];
            let tail = (padded + features) as usize * float + WIDE * float;
            let patches = 2 * (c.back_split * c.rows * c.cols) as usize * 16 * TILE * float;
            let shared = tail.max(patches).max(16 * WIDE * float);
            let name = format!("{made}_middle{}", convs - 1);
            self.middle =
                Some(Launch { name, threads: WIDE, ..launch("middle", convs - 1, (batch, 1), shared) });
        }
        if convs == 1 {
            let tiles = (shape.conv[0].outputs as usize).div_ceil(TILE);
            self.back.push(launch("first_back", 0, (batch, tiles), rows + pixels));
        }
        let mut all = self.encode.iter().chain(&self.head).chain(&self.head_back).chain(&self.back);
        match all.find(|launch| launch.shared > MOST_SHARED) {
            Some(launch) => Err(Error::Unsupported(format!(
                "layers so wide that {} needs {} bytes of shared memory",
                launch.kernel, launch.shared
            ))),
            None => Ok(()),
        }
    }

    /// What kernels are told of network and batch; no addresses yet.
    pub(crate) fn args(&self) -> Args {
        Args { shape: self.shape, batch: self.batch as i32, staged: self.staged, ..Args::default() }
    }

    /// A launch of a kernel for any network, without shared memory.
    pub(crate) fn any(kernel: &'static str, blocks: (usize, usize)) -> Launch {
        let (layer, threads, shared, scratch) = (0, THREADS, 0, false);
        Launch { kernel, name: kernel.to_owned(), layer, blocks, threads, shared, scratch }
    }

    /// The launch that takes features from codes.
    pub(crate) fn gather(&self) -> Launch {
        Self::any("gather", (self.batch, 1))
    }

    /// The launches of a training step. A head by itself takes its features from codes.
    pub(crate) fn step(&self, scope: Scope) -> Vec<Launch> {
        let (encoder, head) = (scope != Scope::Head, scope != Scope::Encoder);
        let mut launches = if encoder { self.encode.clone() } else { vec![self.gather()] };
        let mut back = self.back.as_slice();
        match &self.middle {
            Some(middle) if encoder => {
                // In place of the last block and all up to its backward pass.
                launches.pop();
                launches.push(middle.clone());
                back = back.get(1..).unwrap_or_default();
            }
            _ => {
                launches.extend(self.head.iter().cloned());
                if encoder {
                    launches.extend(self.head_back.iter().cloned());
                }
            }
        }
        if encoder {
            launches.extend(back.iter().cloned());
        }
        launches.push(self.update(encoder, head));
        launches
    }

    /// The launch of `update`, of the parts that move.
    pub(crate) fn update(&self, encoder: bool, head: bool) -> Launch {
        let shape = &self.shape;
        let float = size_of::<f32>();
        let sums = UPDATE_SUMS;
        let (mut tasks, mut shared) = (1, sums);
        if encoder {
            tasks += ((9 * shape.channels as usize + 1) * shape.conv[0].outputs as usize).div_ceil(64);
            for l in 1..shape.convs as usize {
                let c = &shape.conv[l];
                tasks += (c.outputs as usize).div_ceil(32) * (9 / c.taps as usize) * (c.inputs as usize / 4);
                shared = shared.max(staged_bytes(c, self.staged[l] as usize) + sums);
            }
        }
        if head {
            for d in &shape.dense[..shape.denses as usize] {
                tasks += (d.inputs as usize).div_ceil(64) * (d.padded as usize).div_ceil(64);
                shared = shared.max(2 * IMAGES * 64 * float);
            }
        }
        Launch {
            kernel: "update",
            name: named(self.made, "update", 0),
            layer: 0,
            blocks: (tasks, 1),
            threads: THREADS,
            shared,
            scratch: false,
        }
    }
}

/// Thread blocks that share an image in a backward pass.
fn back_parts(c: &Conv) -> usize {
    (c.rows as usize).div_ceil(c.back_rows as usize)
}

/// The name of a kernel: that for any network, or that of `made` where there is one.
fn named(made: Option<&str>, kernel: &str, layer: usize) -> String {
    let several = matches!(kernel, "conv" | "back");
    match made {
        Some(made) if several => format!("{made}_{kernel}{layer}"),
        Some(made) => format!("{made}_{kernel}"),
        None => kernel.to_owned(),
    }
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
