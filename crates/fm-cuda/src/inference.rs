//! Scores and codes, in batches as large as the device likes.

use crate::args::{Args, Feed, Now, Step};
use crate::data::Data;
use crate::driver::Buffer;
use crate::error::{Error, below, length};
use crate::memory::Slots;
use crate::plan::{Launch, Plan};
use crate::trainer::{Trainer, feed};
use crate::tuning::Tuning;

/// Images that are scored or encoded at once, whatever the size of a batch in training.
pub const BATCH: usize = 2048;

/// What to compute on.
#[derive(Debug, Clone, Copy)]
pub enum Images<'a> {
    /// Rows of images on the device.
    Rows(&'a Data, &'a [u32]),
    /// Rows whose codes a seat has kept.
    Codes(&'a [u32]),
    /// Images from the host, `[row][channel][height][width]`.
    Bytes(&'a [u8]),
}

/// Memory for inference.
#[derive(Debug)]
pub(crate) struct Inference {
    plan: Plan,
    slots: Slots,
    order: Buffer<i32>,
    out: Buffer<f32>,
}

impl Inference {
    fn new(trainer: &Trainer) -> Result<Self, Error> {
        let stream = &trainer.gpu.stream;
        let plan = Plan::new(&trainer.network, BATCH, &Tuning::for_seeds(BATCH))?;
        let width = plan.features.max(trainer.network.classes());
        let (order, out) = (Buffer::zeroed(stream, BATCH)?, Buffer::zeroed(stream, BATCH * width)?);
        Ok(Self { slots: Slots::new(stream, &plan, 1)?, order, out, plan })
    }

    /// Queues one batch: rows `order` of what `feed` has, or its first rows, with a seat's weights. `out` gets the
    /// scores, or where `launches` say so the codes.
    fn batch(
        &self,
        trainer: &Trainer,
        seat: usize,
        feed: Feed,
        count: usize,
        out: u64,
        launches: &[Launch],
    ) -> Result<(), Error> {
        let stream = &trainer.gpu.stream;
        let step = Step { begin: 0, count: count as i32, ..Step::default() };
        self.slots.feeds.upload(stream, 0, &[feed])?;
        self.slots.now.upload(stream, 0, &[Now { index: 0, step }])?;
        let mut args = Args { logits: out, ..self.plan.args() };
        trainer.weights.place(&mut args, seat, false);
        self.slots.place(&mut args);
        for launch in launches {
            // SAFETY: the plan made the memory for these launches.
            unsafe { trainer.gpu.launch(launch, &args, 1)? };
        }
        Ok(())
    }

    fn codes(&self) -> Launch {
        Plan::any("codes", (self.plan.batch, 1))
    }

    /// Writes the codes of all of `data` to `out`, as the kernels lay them out.
    pub(crate) fn encode(
        &self,
        trainer: &Trainer,
        seat: usize,
        data: &Data,
        out: &Buffer<f32>,
    ) -> Result<(), Error> {
        let stream = &trainer.gpu.stream;
        let mut launches = self.plan.encode.clone();
        launches.push(self.codes());
        for start in (0..data.rows()).step_by(BATCH) {
            let order: Vec<i32> = (start..data.rows().min(start + BATCH)).map(|row| row as i32).collect();
            self.order.upload(stream, 0, &order)?;
            let feed = Feed { order: self.order.ptr(), ..feed(data) };
            let to = out.ptr() + (start * self.plan.features * size_of::<f32>()) as u64;
            self.batch(trainer, seat, feed, order.len(), to, &launches)?;
        }
        stream.synchronize()?;
        Ok(())
    }

    fn infer(
        &self,
        trainer: &Trainer,
        seat: usize,
        images: Images<'_>,
        codes: Option<&Buffer<f32>>,
        wants_codes: bool,
    ) -> Result<Vec<f32>, Error> {
        let stream = &trainer.gpu.stream;
        let network = &trainer.network;
        let size = network.pixels();
        let width = if wants_codes { self.plan.features } else { network.classes() };
        let count = match images {
            Images::Rows(_, rows) | Images::Codes(rows) => rows.len(),
            Images::Bytes(bytes) => {
                length("images (bytes)", bytes.len(), bytes.len() / size * size)?;
                bytes.len() / size
            }
        };
        let rows = match images {
            Images::Rows(data, _) => data.rows(),
            _ => codes.map_or(0, |codes| codes.len() / self.plan.features),
        };
        if let Images::Rows(_, order) | Images::Codes(order) = images {
            below("row", order, rows)?;
        }
        let start = if matches!(images, Images::Codes(_)) {
            vec![self.plan.gather()]
        } else {
            self.plan.encode.clone()
        };
        let launches: Vec<Launch> = if wants_codes {
            start.into_iter().chain([self.codes()]).collect()
        } else {
            start.into_iter().chain(self.plan.head.iter().cloned()).collect()
        };
        let mut all = vec![0.0; count * width];
        for (i, part) in all.chunks_mut(BATCH * width).enumerate() {
            let (from, taken) = (i * BATCH, part.len() / width);
            // Images from the host must be there until the batch is done, which the download below waits for.
            let held;
            let feed = match images {
                Images::Rows(_, order) | Images::Codes(order) => {
                    let order: Vec<i32> = order[from..from + taken].iter().map(|&row| row as i32).collect();
                    self.order.upload(stream, 0, &order)?;
                    let feed = if let Images::Rows(data, _) = images { feed(data) } else { Feed::default() };
                    Feed { order: self.order.ptr(), codes: codes.map_or(0, Buffer::ptr), ..feed }
                }
                Images::Bytes(bytes) => {
                    held = Buffer::of(stream, &bytes[from * size..(from + taken) * size])?;
                    Feed { images: held.ptr(), ..Feed::default() }
                }
            };
            self.batch(trainer, seat, feed, taken, self.out.ptr(), &launches)?;
            self.out.download(stream, 0, part)?;
        }
        if !wants_codes {
            return Ok(all);
        }
        let pick =
            |code: &[f32]| self.plan.code_map.iter().map(|&at| code[at as usize]).collect::<Vec<f32>>();
        Ok(all.chunks_exact(width).flat_map(pick).collect())
    }
}

impl Trainer {
    /// Scores, `[row][class]`, with a seat's parameters.
    ///
    /// # Errors
    /// When a row is not there, the length of outside images is no multiple of an image's, or the device fails.
    pub fn scores(&mut self, seat: usize, images: Images<'_>) -> Result<Vec<f32>, Error> {
        self.infer(seat, images, false)
    }

    /// Codes, `[row][channel, row, column]`, with a seat's parameters.
    ///
    /// # Errors
    /// As [`Trainer::scores`].
    pub fn codes(&mut self, seat: usize, images: Images<'_>) -> Result<Vec<f32>, Error> {
        self.infer(seat, images, true)
    }

    fn infer(&mut self, seat: usize, images: Images<'_>, wants_codes: bool) -> Result<Vec<f32>, Error> {
        self.with_inference(|trainer, inference| {
            inference.infer(trainer, seat, images, trainer.kept_codes(seat), wants_codes)
        })
    }

    /// Makes the memory for inference when it is first needed.
    pub(crate) fn with_inference<T>(
        &mut self,
        work: impl FnOnce(&Self, &Inference) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let inference = match self.inference.take() {
            Some(inference) => inference,
            None => Inference::new(self)?,
        };
        let done = work(self, &inference);
        self.inference = Some(inference);
        done
    }
}
