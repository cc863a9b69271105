//! How each kernel is launched.

use fm_kernels::Scope;

use super::{MOST_SHARED, Plan, UPDATE_SUMS, back_parts, staged_bytes};
use crate::Error;
use crate::args::{Conv, IMAGES, SLICE, THREADS, TILE, WIDE};

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

impl Plan {
    /// Decides all launches but that of `update`.
    pub(super) fn launches(&mut self, batch: usize) -> Result<(), Error> {
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

/// The name of a kernel: that for any network, or that of `made` where there is one.
fn named(made: Option<&str>, kernel: &str, layer: usize) -> String {
    let several = matches!(kernel, "conv" | "back");
    match made {
        Some(made) if several => format!("{made}_{kernel}{layer}"),
        Some(made) => format!("{made}_{kernel}"),
        None => kernel.to_owned(),
    }
}
