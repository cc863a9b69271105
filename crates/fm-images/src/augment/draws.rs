//! The random numbers of an image's operations.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;

use crate::order::{Stream, below};

/// Words of an operation.
const WORDS: usize = 16;
/// Operations whose words are computed together: the generator makes four blocks of 16 words at a time.
const TOGETHER: usize = 4;

/// The numbers of one operation of one image: 16 words of 32 bits, read in order. An operation should need
/// far fewer: after the last one they begin again.
#[derive(Debug)]
pub struct Draws<'a> {
    words: &'a [u32],
    at: usize,
}

impl Draws<'_> {
    /// The next word.
    pub fn word(&mut self) -> u32 {
        let word = self.words[self.at % self.words.len()];
        self.at += 1;
        word
    }

    /// A number from 0 to `n - 1`, each equally likely, by the method of [`order`](crate::order); `n` isn't 0.
    pub fn below(&mut self, n: u32) -> u32 {
        below(n, || self.word())
    }

    /// A number between 0 and 1, never either: the middle of one of 2³² equal intervals.
    pub fn unit(&mut self) -> f64 {
        (f64::from(self.word()) + 0.5) / 4_294_967_296.0
    }
}

/// The draws of all images of an epoch.
#[derive(Debug)]
pub(super) struct Epoch {
    generator: ChaCha8Rng,
    words: [u32; WORDS * TOGETHER],
    /// Row and page that `words` hold.
    held: Option<(u32, usize)>,
}

impl Epoch {
    pub(super) fn new(seed: u64, epoch: u32) -> Self {
        let generator = Stream::Augmentation { epoch }.generator(seed);
        Self { generator, words: [0; WORDS * TOGETHER], held: None }
    }

    /// Those of operation `slot` of the image at `row`, from their beginning.
    pub(super) fn of(&mut self, row: u32, slot: usize) -> Draws<'_> {
        let page = slot / TOGETHER;
        if self.held != Some((row, page)) {
            self.generator.set_word_pos((page as u128) << 38 | u128::from(row) << 6);
            let mut bytes = [0; 4 * WORDS * TOGETHER];
            self.generator.fill_bytes(&mut bytes);
            for (word, bytes) in self.words.iter_mut().zip(bytes.as_chunks().0) {
                *word = u32::from_le_bytes(*bytes);
            }
            self.held = Some((row, page));
        }
        let start = slot % TOGETHER * WORDS;
        Draws { words: &self.words[start..start + WORDS], at: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The place in the stream that the module's text gives.
    #[test]
    fn each_operation_of_each_row_has_its_place() {
        let mut epoch = Epoch::new(7, 3);
        for (row, slot) in [(0, 0), (0, 3), (5, 1), (u32::MAX, 2), (5, 6), (5, 1)] {
            let mut generator = Stream::Augmentation { epoch: 3 }.generator(7);
            let (k, r) = (slot as u128, u128::from(row));
            generator.set_word_pos((k / 4) << 38 | r << 6 | (k % 4) << 4);
            let mut draws = epoch.of(row, slot);
            let read: Vec<u32> = (0..16).map(|_| draws.word()).collect();
            assert_eq!(read, (0..16).map(|_| generator.next_u32()).collect::<Vec<_>>(), "{row}, {slot}");
            assert_eq!(draws.word(), read[0], "they begin again");
        }
    }

    #[test]
    fn a_unit_is_neither_0_nor_1() {
        let unit = |word| Draws { words: &[word], at: 0 }.unit();
        assert!(unit(0) > 0.0 && unit(u32::MAX) < 1.0);
        assert!(unit(u32::MAX >> 1) < 0.5 && unit(1 << 31) > 0.5);
    }
}
