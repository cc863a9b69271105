//! `shiftN`: moved by up to N pixels in both directions, zeros where nothing was.

use super::draws::Draws;
use super::operation::{Operation, Takes};
use crate::labelled::ImageShape;

/// The usual "pad with N zeros, then crop at random" (He et al. 2015, <https://arxiv.org/abs/1512.03385>).
#[derive(Debug)]
pub(super) struct Shift;

impl Operation for Shift {
    fn word(&self) -> &'static str {
        "shift"
    }

    fn help(&self) -> &'static str {
        "padded with N zeros on every side, then cropped at random"
    }

    fn takes(&self) -> Takes {
        Takes::Pixels
    }

    /// A row or column of the image always stays.
    fn largest(&self, side: usize) -> usize {
        side - 1
    }

    /// A number below 2N + 1 for the crop's top, then one for its left, counted in the padded image.
    fn change(&self, image: &mut [u8], shape: ImageShape, number: f64, draws: &mut Draws) {
        let padding = number as u32;
        let mut offset = || draws.below(2 * padding + 1) as isize - padding as isize;
        let (down, right) = (offset(), offset());
        crop(image, shape, down, right);
    }
}

/// Pixel (y, x) becomes (y + `down`, x + `right`), zero where that lies outside. Both are less than the
/// image's sides in size.
fn crop(image: &mut [u8], shape: ImageShape, down: isize, right: isize) {
    let (height, width) = (shape.height, shape.width);
    let by = down * width as isize + right;
    let (rows, columns) = (down.unsigned_abs(), right.unsigned_abs());
    for plane in image.chunks_exact_mut(height * width) {
        // Rows lie one behind the other, so the whole plane moves at once; what has run over from the next row
        // or the last one lies where zeros belong.
        let len = plane.len() - by.unsigned_abs();
        if by >= 0 {
            plane.copy_within(by as usize.., 0);
        } else {
            plane.copy_within(..len, plane.len() - len);
        }
        let empty = if down >= 0 { height - rows..height } else { 0..rows };
        plane[empty.start * width..empty.end * width].fill(0);
        if columns > 0 {
            let left = if right >= 0 { width - columns } else { 0 };
            for row in plane.chunks_exact_mut(width) {
                row[left..left + columns].fill(0);
            }
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
            let (height, width) = (shape.height as isize, shape.width as isize);
            for down in 1 - height..height {
                for right in 1 - width..width {
                    let wanted = planes(shape, |c, y, x| {
                        let (y, x) = (y as isize + down, x as isize + right);
                        let inside = (0..height).contains(&y) && (0..width).contains(&x);
                        if inside { image[((c as isize * height + y) * width + x) as usize] } else { 0 }
                    });
                    let mut moved = image.clone();
                    crop(&mut moved, shape, down, right);
                    assert_eq!(moved, wanted, "{shape} by {down}, {right}");
                }
            }
        }
    }
}
