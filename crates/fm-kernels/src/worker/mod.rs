//! What the workers do in a step, in two halves with a barrier between them.
//!
//! First half, by group of images: forward, loss, and the data gradients. A group touches only its
//! own images' slots, its worker's scratch, and reads the parameters.
//! Second half, by [`Task`](crate::plan::Task): the gradient of some parameters over all images, their
//! Adam update, and their derived forms. A task touches only its own parameters and reads the slots.
//!
//! Which worker takes which group or task is left to chance; no result depends on it.

mod backward;
mod forward;
mod update;

pub(crate) use forward::{Target, Towards};
pub(crate) use update::{Rules, Use};

use std::ops::Range;
use std::sync::atomic::{AtomicUsize, Ordering};

use crate::plan::GROUP;
use crate::pool::Pool;

/// Where a batch's inputs come from.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Whole images, one byte a pixel.
    Images(&'a [u8]),
    /// Codes, each in `(y, x, channel)` order, as from `Trainer::encode`.
    Codes(&'a [f32]),
}

/// The rows of a resident set that make up a batch.
#[derive(Clone, Copy)]
pub(crate) struct Batch<'a> {
    pub(crate) source: Source<'a>,
    pub(crate) rows: &'a [u32],
}

/// Which parameters move.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moving {
    pub(crate) encoder: bool,
    pub(crate) head: bool,
}

/// Some rows of the batch, and the first slot they use.
#[derive(Clone)]
pub(crate) struct Group {
    pub(crate) rows: Range<usize>,
    pub(crate) slot: usize,
}

impl Group {
    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// The group's part of a buffer with `size` elements per slot.
    pub(crate) fn part(&self, size: usize) -> Range<usize> {
        self.slot * size..(self.slot + self.len()) * size
    }

    /// Group `index` of a batch of `rows`, in its own slots.
    pub(crate) fn of_batch(index: usize, rows: usize) -> Self {
        let start = index * GROUP;
        Self { rows: start..rows.min(start + GROUP), slot: start }
    }
}

/// Runs tasks, each on whichever worker takes it: `work(worker, task)`.
pub(crate) fn round(pool: &mut Pool, tasks: usize, work: &(dyn Fn(usize, usize) + Sync)) {
    let next = AtomicUsize::new(0);
    pool.run(&|worker| {
        loop {
            let task = next.fetch_add(1, Ordering::Relaxed);
            if task >= tasks {
                break;
            }
            work(worker, task);
        }
    });
}
