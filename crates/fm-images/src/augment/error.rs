//! What can be wrong with the text of an augmentation.

use thiserror::Error;

use super::operation::{OPERATIONS, Operation, Takes};
use crate::labelled::ImageShape;

/// An augmentation that can't be used.
#[derive(Debug, Clone, PartialEq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum AugmentError {
    #[error("unknown augmentation '{given}': there is {}", listed())]
    Unknown { given: String },
    #[error("augmentation '{word}' stands twice: name it once")]
    Twice { word: &'static str },
    #[error("'none' stands beside other augmentations in '{given}': take one of them out")]
    NotAlone { given: String },
    #[error("augmentation '{given}': {word} takes {}", what(*takes, word))]
    Number { given: String, word: &'static str, takes: Takes },
    #[error("augmentation {word}{number} does not fit images of {shape}: use at most {word}{largest}")]
    TooLarge { word: &'static str, number: f64, shape: ImageShape, largest: usize },
}

fn what(takes: Takes, word: &str) -> String {
    match takes {
        Takes::Nothing => "no number".to_owned(),
        Takes::Pixels => format!("a number of pixels of at least 1, such as {word}2"),
        Takes::Positive => format!("a finite number above 0, such as {word}0.2"),
    }
}

/// `none, flip, shiftN, …`
fn listed() -> String {
    let form = |operation: &&dyn Operation| match operation.takes() {
        Takes::Nothing => operation.word().to_owned(),
        Takes::Pixels => format!("{}N", operation.word()),
        Takes::Positive => format!("{}A", operation.word()),
    };
    let words: Vec<String> = std::iter::once("none".to_owned()).chain(OPERATIONS.iter().map(form)).collect();
    words.join(", ")
}
