//! Augmented batches, made on a thread of their own while the engine computes the step before.
//!
//! ```text
//! preparing thread ── made ─▸ next() ─▸ Engine::step
//!        ▲                                   │
//!        └───────── used ◂─ reuse() ◂────────┘
//! ```
//! Two batches go round, so that memory does not grow with the distance. What a batch holds depends on the seed, the
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
pub struct Ahead {
    made: Receiver<Prepared>,
    used: Sender<Prepared>,
}

/// Batches that exist at a time: one that is computed on, and one that is made.
const BATCHES: usize = 2;

impl Ahead {
    /// Starts to make batches, one for each list of rows.
    ///
    /// # Errors
    /// [`Kind::Device`] when the thread cannot be started.
    pub fn start<'scope, 'rows: 'scope>(
        scope: &'scope Scope<'scope, '_>,
        making: Making<'rows>,
        batches: impl Iterator<Item = &'rows [u32]> + Send + 'scope,
    ) -> Result<Self> {
        let (give, made) = channel();
        let (used, free) = channel();
        for _ in 0..BATCHES {
            // Received by the thread below, or dropped with it.
            let _ = used.send(Prepared::default());
        }
        let make = move || {
            let Making { augment, file, training, seed, epoch } = making;
            for rows in batches {
                let Ok(mut batch) = free.recv() else { return };
                augment.prepare(file, rows, training, seed, epoch, &mut batch);
                if give.send(batch).is_err() {
                    return;
                }
            }
        };
        Builder::new().name("augment".to_owned()).spawn_scoped(scope, make).map_err(|e| {
            Error::new(Kind::Device, format!("cannot start the thread that augments images: {e}"))
                .help("raise the limit on processes (ulimit -u), or use --augment none")
        })?;
        Ok(Self { made, used })
    }

    /// The next batch, once it is made. To be given back to [`reuse`](Self::reuse).
    ///
    /// # Panics
    /// When there are no more batches, or the thread has panicked.
    #[must_use]
    pub fn next(&self) -> Prepared {
        self.made.recv().unwrap_or_else(|_| panic!("no more augmented batches"))
    }

    /// Takes a batch back that the engine has done with, for its memory.
    pub fn reuse(&self, batch: Prepared) {
        // After its last batch the thread has ended.
        let _ = self.used.send(batch);
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
        let making = Making { augment: &augment, file: &file, training: &training, seed: 7, epoch: 3 };
        thread::scope(|scope| {
            let ahead = Ahead::start(scope, making, training.chunks(5)).unwrap();
            for rows in training.chunks(5) {
                let mut expected = Prepared::default();
                augment.prepare(&file, rows, &training, 7, 3, &mut expected);
                let made = ahead.next();
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
            let ahead = Ahead::start(scope, making, training.chunks(1)).unwrap();
            let _ = ahead.next();
        });
    }
}
