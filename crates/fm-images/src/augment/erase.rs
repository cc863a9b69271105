//! `eraseN`: a square of N×N pixels set to zero.

use super::draws::Draws;
use super::operation::{Operation, Takes};
use crate::labelled::ImageShape;

/// Cutout (DeVries & Taylor 2017, <https://arxiv.org/abs/1708.04552>): the square's centre lies anywhere in the
/// image, so a part of the square may lie outside.
#[derive(Debug)]
pub(super) struct Erase;

impl Operation for Erase {
    fn word(&self) -> &'static str {
        "erase"
    }

    fn help(&self) -> &'static str {
        "a square of NxN pixels, centred anywhere in the image, set to 0 (cutout)"
    }

    fn takes(&self) -> Takes {
        Takes::Pixels
    }

    /// A number below the height for the centre's row, then one below the width for its column. The square
    /// begins N / 2 pixels, rounded down, above and left of it.
    fn change(&self, image: &mut [u8], shape: ImageShape, number: f64, draws: &mut Draws) {
        let centre = (draws.below(shape.height as u32) as usize, draws.below(shape.width as u32) as usize);
        blank(image, shape, centre, number as usize);
    }
}

fn blank(image: &mut [u8], shape: ImageShape, centre: (usize, usize), side: usize) {
    let span = |at: usize, of: usize| at.saturating_sub(side / 2)..(at + side - side / 2).min(of);
    let (rows, columns) = (span(centre.0, shape.height), span(centre.1, shape.width));
    for plane in image.chunks_exact_mut(shape.height * shape.width) {
        for row in plane.chunks_exact_mut(shape.width).take(rows.end).skip(rows.start) {
            row[columns.clone()].fill(0);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::augment::prepare::tests::{images, planes};

    #[test]
    fn equal_to_a_plain_loop() {
        for (image, shape) in images() {
            for side in 1..=shape.height.min(shape.width) {
                for at in 0..shape.height * shape.width {
                    let centre = (at / shape.width, at % shape.width);
                    let first = |at: usize| at as isize - (side / 2) as isize;
                    let within = |at: usize, centre: usize| {
                        (first(centre)..first(centre) + side as isize).contains(&(at as isize))
                    };
                    let wanted = planes(shape, |c, y, x| {
                        let gone = within(y, centre.0) && within(x, centre.1);
                        if gone { 0 } else { image[(c * shape.height + y) * shape.width + x] }
                    });
                    let mut erased = image.clone();
                    blank(&mut erased, shape, centre, side);
                    assert_eq!(erased, wanted, "{shape}, {side} at {centre:?}");
                }
            }
        }
    }
}
