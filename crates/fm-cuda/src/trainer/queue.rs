//! Steps that the seats are given, on their way to the device, and what they left.

use std::sync::Arc;

use fm_kernels::Recipe;

use super::launches::Kind;
use super::{StepSums, Trainer};
use crate::args::{Now, Part, Step, Sums};
use crate::error::Error;
use crate::seat::Mixed;

impl Trainer {
    /// Adds a step of a seat: `count` images from position `begin` of the epoch's order on, with the parts' learning
    /// rates. `mixed` are images that stand for them. It is done by the next [`Trainer::flush`] or
    /// [`Trainer::drain`], or before.
    ///
    /// # Errors
    /// When the batch is empty, too large or beyond the epoch, or the device fails.
    pub fn push(
        &mut self,
        seat: usize,
        begin: usize,
        count: usize,
        rates: (f64, f64),
        mixed: Option<Mixed<'_>>,
    ) -> Result<(), Error> {
        let most = self.plan.batch;
        if count == 0 || count > most {
            return Err(Error::Range { what: "batch of", got: count as u64, count: most as u64 });
        }
        let (size, classes) = (self.network.pixels(), self.network.classes());
        let place = &mut self.seats[seat];
        let recipe = Recipe { lr_encoder: rates.0, lr_head: rates.1, ..place.recipe };
        if begin + count > place.rows {
            return Err(Error::Range {
                what: "position",
                got: (begin + count) as u64,
                count: place.rows as u64,
            });
        }
        if let Some(mixed) = mixed {
            place.mix(&self.gpu.stream, begin, count, size, classes, mixed)?;
        }
        place.taken += 1;
        place.images += count as u64;
        let [encoder, head] = recipe.moves(place.taken).map(|m| Part {
            rate: m.rate,
            keep_weight: m.keep_weight,
            keep_bias: m.keep_bias,
            eps: m.eps,
        });
        let fresh = recipe.fresh(place.taken).unwrap_or(0.0);
        let step = Step { begin: begin as i32, count: count as i32, encoder, head, fresh };
        place.pending.push(step);
        Ok(())
    }

    /// Steps that a seat has been given and that are not done.
    #[must_use]
    pub fn pending(&self, seat: usize) -> usize {
        self.seats[seat].pending.len()
    }

    /// Lets all seats do what they have been given. Does not wait for the device.
    ///
    /// # Errors
    /// When the device fails.
    pub fn flush(&mut self) -> Result<(), Error> {
        while let Some((kind, steps)) = self.prepare_next()? {
            self.run(kind, steps)?;
        }
        Ok(())
    }

    /// Brings to the device the steps that the seats have been given which share launches with the first that has any;
    /// returns the most of one.
    ///
    /// # Errors
    /// When the device fails.
    pub fn prepare(&mut self) -> Result<usize, Error> {
        Ok(self.prepare_next()?.map_or(0, |(_, steps)| steps))
    }

    fn prepare_next(&mut self) -> Result<Option<(Kind, usize)>, Error> {
        let Some(first) = self.seats.iter().find(|seat| !seat.pending.is_empty()) else { return Ok(None) };
        let kind = Kind::of(&first.recipe);
        let ends = self.seats.iter().map(|seat| seat.done + seat.pending.len()).max().unwrap_or(0);
        self.make_room(ends)?;
        let stream = Arc::clone(&self.gpu.stream);
        let Some(steps) = &self.steps else { return Ok(None) };
        let (mut now, mut feeds, mut most) = (vec![], vec![], 0);
        for (i, seat) in self.seats.iter_mut().enumerate() {
            let mut step = Step::default();
            let index = seat.done;
            if !seat.pending.is_empty() && Kind::of(&seat.recipe) == kind {
                step = seat.pending[0];
                steps.steps.upload(&stream, i * steps.room + seat.done, &seat.pending)?;
                most = most.max(seat.pending.len());
                seat.done += seat.pending.len();
                seat.pending.clear();
            }
            // A step of no images is none: so are those of a seat behind its last.
            now.extend([Now { index: index as i32, step }; 2]);
            let mut feed = seat.feed();
            feed.steps = steps.steps.ptr() + (i * steps.room * size_of::<Step>()) as u64;
            feeds.push(feed);
        }
        self.slots.feeds.upload(&stream, 0, &feeds)?;
        self.slots.now.upload(&stream, 0, &now)?;
        Ok(Some((kind, most)))
    }

    /// Does what all seats have been given, waits, and reads what a seat's steps since
    /// [`Trainer::begin_epoch`] have left.
    ///
    /// # Errors
    /// When the device fails.
    pub fn drain(&mut self, seat: usize) -> Result<Vec<StepSums>, Error> {
        self.flush()?;
        self.sums(seat)
    }

    /// What a seat's steps since [`Trainer::begin_epoch`] have left, of those that were flushed; waits for them.
    ///
    /// # Errors
    /// When the device fails.
    pub fn sums(&self, seat: usize) -> Result<Vec<StepSums>, Error> {
        let mut sums = vec![Sums::default(); self.seats[seat].done];
        if let Some(steps) = &self.steps {
            steps.sums.download(&self.gpu.stream, seat * steps.room, &mut sums)?;
        }
        Ok(sums.iter().map(|s| StepSums { loss: s.loss, correct: s.correct as u64 }).collect())
    }
}
