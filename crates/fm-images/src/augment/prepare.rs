//! A batch as training sees it.

use super::Augment;
use super::draws::Epoch;
use super::operation::ONE;
use crate::labelled::Labelled;

/// A batch that is ready for an engine. Its memory is used again by the next [`prepare`](Augment::prepare).
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Prepared {
    /// `[rows, channels, height, width]`, 0 to 255; with a mixing operation, the mixed images.
    pub pixels: Vec<u8>,
    /// Class indices of the images, `[rows]`.
    pub labels: Vec<u8>,
    /// Class indices of the images' partners, `[rows]`; empty without a mixing operation.
    pub partners: Vec<u8>,
    /// Share of the image and its label, from 0 to 1, `[rows]`; the partner has the rest. Multiples of 2⁻¹⁶.
    /// Empty without a mixing operation.
    pub lambda: Vec<f32>,
    /// A partner's pixels.
    partner: Vec<u8>,
}

impl Augment {
    /// Makes what training sees in `epoch` of the images at `rows` of `file`, in that order.
    ///
    /// `training` are all rows of the training part, which partners are drawn from: the same list in every call
    /// of an epoch. A row's result depends on nothing but `file`, `training`, `seed`, `epoch` and the row. After
    /// the first batch of a size, nothing is allocated.
    ///
    /// # Panics
    /// When a row isn't one of `file`, when there is a mixing operation and `training` is empty, or when
    /// [`check`](Self::check) refuses the images' shape.
    pub fn prepare(
        &self,
        file: &Labelled,
        rows: &[u32],
        training: &[u32],
        seed: u64,
        epoch: u32,
        out: &mut Prepared,
    ) {
        let len = file.shape().len();
        let label = |row: u32| file.labels[row as usize];
        out.pixels.resize(rows.len() * len, 0);
        out.labels.clear();
        out.labels.extend(rows.iter().map(|&row| label(row)));
        out.partners.clear();
        out.lambda.clear();
        let mut draws = Epoch::new(seed, epoch);
        let Some(mixing) = self.mixing() else {
            for (&row, image) in rows.iter().zip(out.pixels.chunks_exact_mut(len)) {
                self.draw(file, row, &mut draws, image);
            }
            return;
        };
        assert!(!training.is_empty(), "no training rows to draw partners from");
        out.partner.resize(len, 0);
        for (&row, image) in rows.iter().zip(out.pixels.chunks_exact_mut(len)) {
            self.draw(file, row, &mut draws, image);
            let mut own = draws.of(row, mixing.slot);
            let other = training[own.below(training.len() as u32) as usize];
            let share = mixing.operation().share(mixing.number, &mut own);
            self.draw(file, other, &mut draws, &mut out.partner);
            mix(image, &out.partner, share);
            out.partners.push(label(other));
            out.lambda.push(share as f32 / ONE as f32);
        }
    }

    /// The image at `row` with everything done to it that concerns it alone.
    fn draw(&self, file: &Labelled, row: u32, draws: &mut Epoch, image: &mut [u8]) {
        image.copy_from_slice(file.image(row as usize));
        for step in self.steps.iter().filter(|step| !step.operation().mixes()) {
            step.operation().change(image, file.shape(), step.number, &mut draws.of(row, step.slot));
        }
    }
}

/// The mean of both with weights `share` and the rest, rounded to the nearest byte, halves up.
///
/// Products of 32 bits are summed in their halves of 16, which baseline vector instructions have: this is most of what
/// mixing costs.
fn mix(image: &mut [u8], partner: &[u8], share: u32) {
    let (Ok(own), Ok(rest)) = (u16::try_from(share), u16::try_from(ONE - share)) else {
        // One of the two is all of it.
        if share == 0 {
            image.copy_from_slice(partner);
        }
        return;
    };
    let half = (ONE / 2) as u16;
    let high = |a: u16, b: u16| (u32::from(a) * u32::from(b) / ONE) as u16;
    for (byte, &other) in image.iter_mut().zip(partner) {
        let (one, other) = (u16::from(*byte), u16::from(other));
        let low = one.wrapping_mul(own);
        let both = low.wrapping_add(other.wrapping_mul(rest));
        let rounded = both.wrapping_add(half);
        let carries = u16::from(both < low) + u16::from(rounded < half);
        *byte = (high(one, own) + high(other, rest) + carries) as u8;
    }
}

#[cfg(test)]
#[path = "prepare_tests.rs"]
pub(super) mod tests;
