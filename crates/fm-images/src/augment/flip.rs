//! `flip`: mirrored left to right, with probability one half.

use super::draws::Draws;
use super::operation::{Operation, Takes};
use crate::labelled::ImageShape;

#[derive(Debug)]
pub(super) struct Flip;

impl Operation for Flip {
    fn word(&self) -> &'static str {
        "flip"
    }

    fn help(&self) -> &'static str {
        "mirrored left to right, with probability 1/2"
    }

    fn takes(&self) -> Takes {
        Takes::Nothing
    }

    /// One word: its highest bit decides.
    fn change(&self, image: &mut [u8], shape: ImageShape, _: f64, draws: &mut Draws) {
        if draws.word() >> 31 == 1 {
            mirror(image, shape.width);
        }
    }
}

/// Mirrors images of that width left to right: `[…, width]` bytes, each row reversed.
///
/// # Panics
/// When `width` is 0.
pub fn mirror(image: &mut [u8], width: usize) {
    image.chunks_exact_mut(width).for_each(<[u8]>::reverse);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::prepare::tests::{images, planes};

    #[test]
    fn equal_to_a_plain_loop() {
        for (image, shape) in images() {
            let wanted =
                planes(shape, |c, y, x| image[(c * shape.height + y) * shape.width + shape.width - 1 - x]);
            let mut flipped = image;
            mirror(&mut flipped, shape.width);
            assert_eq!(flipped, wanted, "{shape}");
        }
    }
}
