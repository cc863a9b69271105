//! Augmented batches, made on a thread of their own while the engine computes the steps before.
//!
//! ```text
//! preparing thread ── made, some at a time ─▸ take() ─▸ Engine::step
//!        ▲                                                 │
//!        └────────────── used ◂─ reuse() ◂─────────────────┘
//! ```
//! Small batches change hands several at a time: to wake a thread for each step costs more than its images. Two such
//! lots go round, so that memory does not grow with the distance. What a batch holds depends on the seed, the
//! epoch and the rows alone, hence not on when it was made.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{Builder, Scope};

use fm_images::{Augment, Labelled, Prepared};
use fm_run::error::{Error, Kind, Result};

/// What the batches of an epoch are made of.
#[derive(Debug, Clone, Copy)]
pub struct Making<'a> {
    /// What is done to the images.
    pub augment: &'a Augment,
    /// The file whose rows are meant.
    pub file: &'a Labelled,
    /// All rows that train, which partners for mixing are drawn from.
    pub training: &'a [u32],
    /// [`Seeds::augment`](fm_run::spec::Seeds::augment).
    pub seed: u64,
    /// The epoch that draws are keyed by.
    pub epoch: u32,
}

/// The batches of an epoch, in their order. The thread ends with the last batch, or when this is dropped.
#[derive(Debug)]
pub struct Ahead {
    made: Receiver<Vec<Prepared>>,
    used: Sender<Vec<Prepared>>,
    /// What is left of the lot in hand, the next batch last.
    ready: Vec<Prepared>,
    /// What the engine has done with, of that lot.
    done: Vec<Prepared>,
}

/// Lots that exist at a time: one that is computed on, and one that is made.
const LOTS: usize = 2;
/// Bytes of a lot's images, in whole batches of which there is at least one: some hundred images of 28×28, and no more memory
/// than a batch of large ones takes.
const BYTES: usize = 200_000;

impl Ahead {
    /// Starts to make batches of at most `size` images, one for each list of rows.
    ///
    /// # Errors
    /// [`Kind::Device`] when the thread cannot be started.
    pub fn start<'scope, 'rows: 'scope>(
        scope: &'scope Scope<'scope, '_>,
        making: Making<'rows>,
        size: usize,
        mut batches: impl Iterator<Item = &'rows [u32]> + Send + 'scope,
    ) -> Result<Self> {
        let (give, made) = channel();
        let (used, free) = channel::<Vec<Prepared>>();
        let count = BYTES.div_ceil((size * making.file.shape().len()).max(1));
        for _ in 0..LOTS {
            // Received by the thread below, or dropped with it.
            let _ = used.send(vec![Prepared::default(); count]);
        }
        let make = move || {
            let Making { augment, file, training, seed, epoch } = making;
            while let Ok(mut lot) = free.recv() {
                let (mut count, whole) = (0, lot.len());
                for (batch, rows) in lot.iter_mut().zip(&mut batches) {
                    augment.prepare(file, rows, training, seed, epoch, batch);
                    count += 1;
                }
                lot.truncate(count);
                lot.reverse();
                if give.send(lot).is_err() || count < whole {
                    return;
                }
            }
        };
        Builder::new().name("augment".to_owned()).spawn_scoped(scope, make).map_err(|e| {
            Error::new(Kind::Device, format!("cannot start the thread that augments images: {e}"))
                .help("raise the limit on processes (ulimit -u), or use --augment none")
        })?;
        Ok(Self { made, used, ready: Vec::new(), done: Vec::new() })
    }

    /// The next batch, once it is made. To be given back to [`reuse`](Self::reuse) before the one after it is asked for.
    ///
    /// # Panics
    /// When there are no more batches, or the thread has panicked.
    #[must_use]
    pub fn take(&mut self) -> Prepared {
        if self.ready.is_empty() {
            self.ready = self.made.recv().unwrap_or_default();
        }
        self.ready.pop().unwrap_or_else(|| panic!("no more augmented batches"))
    }

    /// Takes a batch back that the engine has done with, for its memory.
    pub fn reuse(&mut self, batch: Prepared) {
        self.done.push(batch);
        if self.ready.is_empty() {
            // After its last batch the thread has ended.
            let _ = self.used.send(std::mem::take(&mut self.done));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use fm_images::ImageShape;

    use super::*;

    fn file() -> Labelled {
        let shape = ImageShape { channels: 1, height: 4, width: 4 };
        let images = (0..12 * shape.len()).map(|i| (i * 37 % 251) as u8).collect();
        Labelled::new(images, (0..12).map(|row| row % 3).collect(), shape)
    }

    #[test]
    fn batches_are_those_that_would_be_made_in_place() {
        let (augment, file): (Augment, _) = ("flip,shift1,mixup0.2".parse().unwrap(), file());
        let training: Vec<u32> = (0..12).collect();
        // Several lots, and a last one that is not full.
        let (size, order) = (5, training.repeat(3 * BYTES / file.shape().len() / training.len() + 1));
        let making = Making { augment: &augment, file: &file, training: &training, seed: 7, epoch: 3 };
        thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, making, size, order.chunks(size)).unwrap();
            for rows in order.chunks(size) {
                let mut expected = Prepared::default();
                augment.prepare(&file, rows, &training, 7, 3, &mut expected);
                let made = ahead.take();
                assert_eq!((&made.pixels, &made.labels), (&expected.pixels, &expected.labels));
                assert_eq!((&made.partners, &made.lambda), (&expected.partners, &expected.lambda));
                ahead.reuse(made);
            }
        });
    }

    #[test]
    fn the_thread_ends_where_the_epoch_does_not_come_to_its_end() {
        let (augment, file): (Augment, _) = ("flip".parse().unwrap(), file());
        let training: Vec<u32> = (0..12).collect();
        let making = Making { augment: &augment, file: &file, training: &training, seed: 1, epoch: 1 };
        // The scope waits for the thread: without its end the test would not end.
        thread::scope(|scope| {
            let mut ahead = Ahead::start(scope, making, 1, training.chunks(1)).unwrap();
            let _ = ahead.take();
        });
    }
}
