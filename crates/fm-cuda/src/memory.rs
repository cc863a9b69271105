//! What seeds work on, side by side in a device's memory.

use crate::Error;
use crate::args::{Args, Feed, Now, Shape, Step, Sums};
use crate::driver::{Buffer, Stream};
use crate::plan::Plan;

/// Parameters and what the optimizer keeps of them: a row a seed.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the names of args.h")]
pub(crate) struct Weights {
    pub(crate) weights: Buffer<f32>,
    pub(crate) m: Buffer<f32>,
    pub(crate) v: Buffer<f32>,
    pub(crate) average: Buffer<f32>,
    pub(crate) turned: Buffer<f32>,
}

impl Weights {
    pub(crate) fn new(stream: &Stream, plan: &Plan, seats: usize) -> Result<Self, Error> {
        let row = plan.shape.parameters as usize;
        let rows = || Buffer::zeroed(stream, seats * row);
        let turned = Buffer::zeroed(stream, seats * plan.shape.turned_size as usize)?;
        Ok(Self { weights: rows()?, m: rows()?, v: rows()?, average: rows()?, turned })
    }

    /// Bytes of a seed.
    pub(crate) fn bytes(plan: &Plan) -> usize {
        (4 * plan.shape.parameters as usize + plan.shape.turned_size as usize) * size_of::<f32>()
    }
}

/// What a batch leaves on its way.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the names of args.h")]
pub(crate) struct Slots {
    slots: Buffer<f32>,
    marks: Buffer<u8>,
    scratch: Buffer<f32>,
    pub(crate) now: Buffer<Now>,
    pub(crate) feeds: Buffer<Feed>,
}

impl Slots {
    pub(crate) fn new(stream: &Stream, plan: &Plan, seats: usize) -> Result<Self, Error> {
        let Shape { slot, marked, .. } = plan.shape;
        let each = seats * plan.batch;
        Ok(Self {
            slots: Buffer::zeroed(stream, each * slot as usize)?,
            marks: Buffer::zeroed(stream, each * marked as usize)?,
            scratch: Buffer::zeroed(stream, seats * plan.scratch)?,
            now: Buffer::zeroed(stream, seats * 2)?,
            feeds: Buffer::zeroed(stream, seats)?,
        })
    }

    /// Bytes of a seed, but for a few.
    pub(crate) fn bytes(plan: &Plan) -> usize {
        let Shape { slot, marked, .. } = plan.shape;
        plan.batch * (slot as usize * size_of::<f32>() + marked as usize) + plan.scratch * size_of::<f32>()
    }

    /// Writes the addresses.
    pub(crate) fn place(&self, args: &mut Args) {
        args.slots = self.slots.ptr();
        args.marks = self.marks.ptr();
        args.scratch = self.scratch.ptr();
        args.now = self.now.ptr();
        args.feeds = self.feeds.ptr();
    }
}

/// Steps of an epoch and what they leave for the records: a row a seed.
#[derive(Debug)]
#[expect(clippy::struct_field_names, reason = "the names of args.h")]
pub(crate) struct Steps {
    pub(crate) steps: Buffer<Step>,
    pub(crate) sums: Buffer<Sums>,
    /// Steps of a row.
    pub(crate) room: usize,
}

impl Steps {
    pub(crate) fn new(stream: &Stream, seats: usize, room: usize) -> Result<Self, Error> {
        let (steps, sums) = (Buffer::zeroed(stream, seats * room)?, Buffer::zeroed(stream, seats * room)?);
        Ok(Self { steps, sums, room })
    }
}
