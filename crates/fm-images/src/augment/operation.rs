//! What an augmentation is, and the list of them.

use std::fmt;

use super::draws::Draws;
use super::{erase::Erase, flip::Flip, mixup::Mixup, shift::Shift};
use crate::labelled::ImageShape;

/// Every augmentation. They are applied in this order, and their place in it decides where they draw: a new
/// one goes to the end.
pub const OPERATIONS: &[&dyn Operation] = &[&Flip, &Shift, &Erase, &Mixup];

/// A number that belongs to an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Takes {
    /// None.
    Nothing,
    /// A whole number of pixels, at least 1.
    Pixels,
    /// A finite number above 0.
    Positive,
}

impl fmt::Display for Takes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nothing => "nothing",
            Self::Pixels => "pixels, at least 1",
            Self::Positive => "a number above 0",
        })
    }
}

/// One augmentation. It either changes an image alone or mixes two.
pub trait Operation: Sync {
    /// What it is called, in lower-case letters.
    fn word(&self) -> &'static str;

    /// A line for lists.
    fn help(&self) -> &'static str;

    /// The number behind its word.
    fn takes(&self) -> Takes;

    /// For [`Takes::Pixels`], the largest number for images whose shorter side is `side`.
    fn largest(&self, side: usize) -> usize {
        side
    }

    /// Changes an image `[channels, height, width]` in place, all its planes alike.
    fn change(&self, _image: &mut [u8], _shape: ImageShape, _number: f64, _draws: &mut Draws) {}

    /// Whether it mixes each image with a partner instead of changing it alone.
    fn mixes(&self) -> bool {
        false
    }

    /// For one that mixes, the share of the image itself, in 65,536ths, the rest being its partner's. The
    /// partner has been drawn before from the same `draws`.
    fn share(&self, _number: f64, _draws: &mut Draws) -> u32 {
        ONE
    }
}

/// The whole, as a share. Shares of 16 bits make mixing exact in 32-bit integers, and λ exact as `f32`.
pub(super) const ONE: u32 = 1 << 16;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_distinct_letters_and_one_operation_mixes() {
        let words: std::collections::BTreeSet<_> = OPERATIONS.iter().map(|op| op.word()).collect();
        assert_eq!(words.len(), OPERATIONS.len());
        assert!(words.iter().all(|word| word.bytes().all(|b| b.is_ascii_lowercase())));
        // Batches have one partner an image; a second mixing operation needs a rule for both.
        assert_eq!(OPERATIONS.iter().filter(|op| op.mixes()).count(), 1);
    }
}
