//! Augmentation: what training sees of an image in an epoch, as a pure function of seed, epoch and row.
//!
//! ```text
//! "flip,shift2,mixup0.2" ─▸ Augment ─ prepare: a batch's rows, seed, epoch ─▸ Prepared: bytes, labels, partners
//! ```
//!
//! An [`Augment`] is a list of operations out of [`OPERATIONS`], applied in the order of that list whatever
//! the order they are named in. Images go in as bytes and come out as bytes, so that every engine, device and
//! number of threads sees the same ones.
//!
//! Each operation of each image draws its numbers at a place of its own in the epoch's stream
//! ([`Stream::Augmentation`](crate::Stream::Augmentation)): operation `k` of [`OPERATIONS`] and row `r` of the
//! file have the 16 words from `(k / 4) << 38 | r << 6 | (k % 4) << 4` on. So an image is the same in whatever
//! batch, order or process it is made, and naming one more operation changes the draws of no other. Four
//! operations share a window of 64 words because that is what the generator computes at a time.

mod draws;
mod erase;
mod error;
mod flip;
mod mixup;
mod operation;
mod prepare;
mod shift;
mod text;

pub use draws::Draws;
pub use error::AugmentError;
pub use flip::mirror;
pub use operation::{OPERATIONS, Operation, Takes};
pub use prepare::Prepared;

use crate::labelled::ImageShape;

/// What to do to the training images, in the order of [`OPERATIONS`]; by default nothing.
///
/// Text such as `flip,shift2,erase8,mixup0.2`, or `none`: parsing and printing are inverse, and two spellings
/// of the same list are equal.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Augment {
    steps: Vec<Step>,
}

/// An operation and its number.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Step {
    /// Its index in [`OPERATIONS`].
    slot: usize,
    /// 0 for an operation that takes none.
    number: f64,
}

impl Step {
    fn operation(self) -> &'static dyn Operation {
        OPERATIONS[self.slot]
    }
}

impl Augment {
    /// Whether images stay as they are.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.steps.is_empty()
    }

    /// Whether images are mixed with partners, so that a loss needs two labels.
    #[must_use]
    pub fn mixes(&self) -> bool {
        self.mixing().is_some()
    }

    /// Whether it fits images of `shape`.
    ///
    /// # Errors
    /// [`AugmentError::TooLarge`] for an operation whose number is more than their shorter side allows.
    pub fn check(&self, shape: ImageShape) -> Result<(), AugmentError> {
        let side = shape.height.min(shape.width);
        for step in self.steps.iter().filter(|step| step.operation().takes() == Takes::Pixels) {
            let largest = step.operation().largest(side);
            if step.number > largest as f64 {
                let word = step.operation().word();
                return Err(AugmentError::TooLarge { word, number: step.number, shape, largest });
            }
        }
        Ok(())
    }

    fn mixing(&self) -> Option<Step> {
        self.steps.iter().copied().find(|step| step.operation().mixes())
    }
}
