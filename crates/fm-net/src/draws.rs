//! The random numbers of dropout.
//!
//! A mask is a pure function of the run's seed, the phase, the step within the phase and the node: the same on
//! every device and engine, and after resume. Therefore everything that shapes it is written here:
//!
//! - The generator is ChaCha with 8 rounds, a 64-bit counter and a 64-bit stream number. The stream is
//!   `3 << 32 | (step mod 2^32)`: purpose 3, beside the purposes 0 to 2 of batch order, split and augmentation;
//!   bit 63, which initial weights set, stays 0.
//! - The key's 32 bytes are, little-endian: the seed (8 bytes), the phase (4), the node's index in
//!   [`Network::nodes`](crate::Network::nodes) (4), the step divided by 2^32 (4), zeros (12). So no two of
//!   (seed, phase, step, node) share numbers.
//! - Output is read as `u32` words in order, each as two 16-bit numbers, the lower half first: one number for
//!   each value in row-major order, `[n, c, h, w]`, or `[n, c]` where whole channels are dropped.
//! - A value is dropped where its number is less than [`threshold`]: with probability `threshold / 65536`, the
//!   multiple of 1/65536 nearest to `percent / 100`.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What numbers with this purpose are for; see `fm-data`'s order for 0 to 2.
const PURPOSE: u64 = 3;

/// Numbers that a 16-bit draw can be.
const DRAWS: u32 = 1 << 16;

/// Which step of a run draws.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Draws {
    /// The run's seed.
    pub seed: u64,
    /// The phase, counted from 0.
    pub phase: u32,
    /// The step of the phase, counted from 0.
    pub step: u64,
}

impl Draws {
    /// The mask of the node at index `node`; see [`mask`].
    #[must_use]
    pub fn mask(&self, node: usize, count: usize, percent: u32) -> Vec<u8> {
        mask(self.seed, self.phase, self.step, node, count, percent)
    }

    /// The part of the node's mask that starts at value `first`, into memory of the caller's; see [`mask`].
    pub fn fill(&self, node: usize, first: usize, percent: u32, mask: &mut [u8]) {
        fill(self.seed, self.phase, self.step, node, first, percent, mask);
    }
}

/// How many of 65536 draws drop: `percent / 100` of them, rounded to the nearest.
#[must_use]
pub fn threshold(percent: u32) -> u32 {
    (DRAWS * percent.min(99) + 50) / 100
}

/// The factor of the values that stay, `1 / (1 - p)` with `p = threshold / 65536`: the mean is exactly the
/// value of inference.
#[must_use]
pub fn scale(percent: u32) -> f32 {
    DRAWS as f32 / (DRAWS - threshold(percent)) as f32
}

/// `count` values for the node at index `node`: 1 stays, 0 is dropped.
#[must_use]
pub fn mask(seed: u64, phase: u32, step: u64, node: usize, count: usize, percent: u32) -> Vec<u8> {
    let mut mask = vec![0; count];
    fill(seed, phase, step, node, 0, percent, &mut mask);
    mask
}

/// See [`Draws::fill`].
fn fill(seed: u64, phase: u32, step: u64, node: usize, first: usize, percent: u32, mask: &mut [u8]) {
    let mut key = [0; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..12].copy_from_slice(&phase.to_le_bytes());
    key[12..16].copy_from_slice(&(node as u32).to_le_bytes());
    key[16..20].copy_from_slice(&((step >> 32) as u32).to_le_bytes());
    let mut generator = ChaCha8Rng::from_seed(key);
    generator.set_stream(PURPOSE << 32 | step & u64::from(u32::MAX));

    let threshold = threshold(percent);
    generator.set_word_pos(first as u128 / 2);
    let keep = |draw: u32| u8::from(draw >= threshold);
    let (odd, mask) = mask.split_at_mut((first % 2).min(mask.len()));
    for value in odd {
        *value = keep(generator.next_u32() >> 16);
    }
    for pair in mask.chunks_mut(2) {
        let word = generator.next_u32();
        for (value, draw) in pair.iter_mut().zip([word & 0xFFFF, word >> 16]) {
            *value = keep(draw);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn share(mask: &[u8]) -> f64 {
        mask.iter().map(|&v| f64::from(v)).sum::<f64>() / mask.len() as f64
    }

    #[test]
    fn thresholds_are_the_nearest() {
        assert_eq!([1, 25, 30, 50, 99].map(threshold), [655, 16384, 19661, 32768, 64881]);
        assert!((scale(50) - 2.0).abs() < f32::EPSILON && (scale(75) - 4.0).abs() < f32::EPSILON);
    }

    #[test]
    fn the_expected_share_stays() {
        for percent in [1, 10, 50, 90, 99] {
            let (n, p) = (200_000, f64::from(threshold(percent)) / 65536.0);
            let kept = share(&mask(7, 0, 0, 3, n, percent));
            // Five standard deviations.
            let tolerance = 5.0 * (p * (1.0 - p) / n as f64).sqrt();
            assert!((kept - (1.0 - p)).abs() < tolerance, "{percent} %: {kept}");
        }
    }

    #[test]
    fn every_argument_counts_and_nothing_else() {
        let (base, n) = (mask(1, 2, 3, 4, 1000, 50), 1000);
        assert_eq!(base, mask(1, 2, 3, 4, n, 50));
        assert_eq!(base[..501], mask(1, 2, 3, 4, 501, 50), "a shorter mask is the longer one's start");
        for (first, len) in [(0, 1000), (7, 0), (7, 1), (7, 500), (64, 333)] {
            let mut part = vec![2; len];
            Draws { seed: 1, phase: 2, step: 3 }.fill(4, first, 50, &mut part);
            assert_eq!(part, base[first..first + len], "{len} values from {first}");
        }
        let others = [
            mask(2, 2, 3, 4, n, 50),
            mask(1, 3, 3, 4, n, 50),
            mask(1, 2, 4, 4, n, 50),
            mask(1, 2, 3 | 1 << 32, 4, n, 50),
            mask(1, 2, 3, 5, n, 50),
        ];
        for other in &others {
            // Independent masks agree in half of the values; 16 is the standard deviation.
            let same = base.iter().zip(other).filter(|(a, b)| a == b).count();
            assert!((420..580).contains(&same), "{same} of 1000 values agree");
        }
    }

    /// Values from an implementation of ChaCha8 in Python, written from this module's text: other ones would
    /// make every published run with dropout another run.
    #[test]
    fn golden() {
        assert_eq!(mask(0, 0, 0, 0, 16, 50), [0, 1, 1, 0, 1, 1, 0, 1, 0, 1, 1, 0, 0, 1, 1, 1]);
        let late = Draws { seed: 0xDEAD_BEEF_0BAD_CAFE, phase: 2, step: (5 << 32) + 7 };
        let expected = [0, 1, 1, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0, 1, 1, 0, 1, 1, 1, 1, 0, 1, 1, 0, 1, 0, 1, 0];
        assert_eq!(late.mask(11, 28, 30), expected);
    }
}
