//! A seed among those that train side by side.

use std::sync::Arc;

use fm_kernels::Recipe;

use crate::args::{Feed, Step};
use crate::data::Data;
use crate::driver::{Buffer, Stream};
use crate::error::{Error, below, length};
use crate::trainer::feed;

/// Images that stand for those of a batch, and what they are trained towards.
#[derive(Debug, Clone, Copy)]
pub struct Mixed<'a> {
    /// `[image][channel][height][width]`.
    pub images: &'a [u8],
    /// Classes.
    pub labels: &'a [u8],
    /// Classes of the images that are mixed into them, and the share that each image itself has; both empty where none
    /// is mixed.
    pub partners: &'a [u8],
    /// See `partners`.
    pub shares: &'a [f32],
}

/// Where a seed's images come from, and what it is to do.
#[derive(Debug, Default)]
pub(crate) struct Seat {
    /// How its phase trains.
    pub(crate) recipe: Recipe,
    data: Option<Arc<Data>>,
    order: Option<Buffer<i32>>,
    /// Rows of the epoch.
    pub(crate) rows: usize,
    /// What stands for the epoch's images, position by position.
    prepared: Option<Prepared>,
    /// Whether this epoch's images are those.
    uses_prepared: bool,
    pub(crate) codes: Option<Buffer<f32>>,
    /// Steps of this epoch that are not queued yet.
    pub(crate) pending: Vec<Step>,
    /// Steps of this epoch that are.
    pub(crate) done: usize,
    /// Images of this epoch's steps, whether queued or not.
    pub(crate) images: u64,
    /// Steps of this phase, whether queued or not.
    pub(crate) taken: u64,
}

#[derive(Debug)]
struct Prepared {
    images: Buffer<u8>,
    labels: Buffer<u8>,
    partners: Buffer<u8>,
    shares: Buffer<f32>,
    mixed: bool,
}

impl Seat {
    /// One whose phase trains so, at its beginning.
    pub(crate) fn of(recipe: Recipe) -> Self {
        Self { recipe, ..Self::default() }
    }

    /// Starts an epoch.
    pub(crate) fn begin(&mut self, stream: &Stream, data: &Arc<Data>, order: &[u32]) -> Result<(), Error> {
        let order: Vec<i32> = order.iter().map(|&row| row as i32).collect();
        match self.order.as_ref().filter(|buffer| buffer.len() >= order.len()) {
            Some(buffer) => buffer.upload(stream, 0, &order)?,
            None => self.order = Some(Buffer::of(stream, &order)?),
        }
        self.data = Some(Arc::clone(data));
        (self.rows, self.done, self.images, self.uses_prepared) = (order.len(), 0, 0, false);
        self.pending.clear();
        Ok(())
    }

    /// Puts a batch's images where the step will find them.
    pub(crate) fn mix(
        &mut self,
        stream: &Stream,
        begin: usize,
        count: usize,
        size: usize,
        classes: usize,
        mixed: Mixed<'_>,
    ) -> Result<(), Error> {
        length("prepared images (bytes)", mixed.images.len(), count * size)?;
        length("prepared labels", mixed.labels.len(), count)?;
        length("shares", mixed.shares.len(), mixed.partners.len())?;
        below("class", mixed.labels.iter().chain(mixed.partners), classes)?;
        if self.codes.is_some() {
            return Err(Error::Order("codes stand for images as they are: nothing can be mixed into them"));
        }
        if self.prepared.as_ref().is_none_or(|p| p.labels.len() < self.rows) {
            let labels = || Buffer::zeroed(stream, self.rows);
            self.prepared = Some(Prepared {
                images: Buffer::zeroed(stream, self.rows * size)?,
                labels: labels()?,
                partners: labels()?,
                shares: Buffer::zeroed(stream, self.rows)?,
                mixed: false,
            });
        }
        if let Some(prepared) = &mut self.prepared {
            prepared.images.upload(stream, begin * size, mixed.images)?;
            prepared.labels.upload(stream, begin, mixed.labels)?;
            prepared.mixed = !mixed.partners.is_empty();
            if prepared.mixed {
                prepared.partners.upload(stream, begin, mixed.partners)?;
                prepared.shares.upload(stream, begin, mixed.shares)?;
            }
        }
        self.uses_prepared = true;
        Ok(())
    }

    /// Where its images are.
    pub(crate) fn feed(&self) -> Feed {
        let mut to = Feed { until: self.done as i32, ..self.data.as_deref().map(feed).unwrap_or_default() };
        to.codes = self.codes.as_ref().map_or(0, Buffer::ptr);
        match self.prepared.as_ref().filter(|_| self.uses_prepared) {
            Some(prepared) => {
                (to.images, to.labels) = (prepared.images.ptr(), prepared.labels.ptr());
                if prepared.mixed {
                    (to.partners, to.shares) = (prepared.partners.ptr(), prepared.shares.ptr());
                }
            }
            None => to.order = self.order.as_ref().map_or(0, Buffer::ptr),
        }
        to
    }
}
