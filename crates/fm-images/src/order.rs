//! The order in which an epoch sees its rows, and the batches it is cut into.
//!
//! Rows, seed and epoch go in, the shuffled rows come out: the same on every machine, device and version of
//! this program, so that runs compare and an interrupted one resumes exactly. Therefore everything that
//! shapes the result is written here and nothing is left to a library's choice:
//!
//! - The generator is ChaCha with 8 rounds, a 64-bit counter and a 64-bit stream number. Its key is the seed,
//!   little-endian, followed by 24 zero bytes; its output is read as `u32` words in order.
//! - Streams are numbered by purpose (see [`Stream`]), so that no two purposes or epochs share numbers.
//! - A number below `n` comes from Lemire's method (2019, <https://arxiv.org/abs/1805.10941>): the high word
//!   of `word * n`, drawn anew while the low word is less than `2^32 mod n`. It has no bias.
//! - The shuffle is Durstenfeld's: for `i` from the last index down to 1, swap `i` with a number below `i + 1`.

use std::ops::Range;

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What random numbers are for. This is the list of all streams of a run's seed; whoever draws numbers for
/// something else adds a row.
///
/// | number | what for | drawn by |
/// |---|---|---|
/// | `epoch` | purpose 0: the order of the rows in an epoch | [`epoch_order`] |
/// | `1 << 32` | purpose 1: the rows held out for validation | [`stratified`](crate::stratified) |
/// | <code>2 << 32 &#124; epoch</code> | purpose 2: changes to the images of an epoch, each at a place of its own in the stream | [`augment`](crate::augment) |
/// | <code>3 << 32 &#124; …</code> | purpose 3: dropout masks | the networks' crate; not here |
/// | <code>1 << 63 &#124; …</code> | a tensor's initial values, by its name | the networks' crate; not here |
///
/// Bit 63 is never set here, so that no purpose meets a tensor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stream {
    /// Purpose 0: the order of the rows in an epoch.
    Order {
        /// Which epoch.
        epoch: u32,
    },
    /// Purpose 1: the rows held out for validation.
    Split,
    /// Purpose 2: changes to the images of an epoch.
    Augmentation {
        /// Which epoch.
        epoch: u32,
    },
}

impl Stream {
    /// The generator's stream number.
    #[must_use]
    pub fn number(self) -> u64 {
        match self {
            Self::Order { epoch } => u64::from(epoch),
            Self::Split => 1 << 32,
            Self::Augmentation { epoch } => 2 << 32 | u64::from(epoch),
        }
    }

    /// The generator for this purpose, at its start.
    #[must_use]
    pub fn generator(self, seed: u64) -> ChaCha8Rng {
        let mut key = [0; 32];
        key[..8].copy_from_slice(&seed.to_le_bytes());
        let mut generator = ChaCha8Rng::from_seed(key);
        generator.set_stream(self.number());
        generator
    }
}

/// `rows` in the order of `epoch`.
#[must_use]
pub fn epoch_order(rows: &[u32], seed: u64, epoch: u32) -> Vec<u32> {
    let mut order = rows.to_vec();
    shuffle(&mut order, &mut Stream::Order { epoch }.generator(seed));
    order
}

/// Shuffles in place; every order is equally likely.
pub(crate) fn shuffle(rows: &mut [u32], generator: &mut ChaCha8Rng) {
    for i in (1..rows.len()).rev() {
        rows.swap(i, below(i as u32 + 1, || generator.next_u32()) as usize);
    }
}

/// A number from 0 to `n - 1`, each equally likely; `n` isn't 0.
pub(crate) fn below(n: u32, mut word: impl FnMut() -> u32) -> u32 {
    loop {
        let product = u64::from(word()) * u64::from(n);
        // 2^32 mod n, in 32 bits.
        if product as u32 >= n.wrapping_neg() % n {
            return (product >> 32) as u32;
        }
    }
}

/// Cuts `0..n` into ranges of `size` (at least 1), the last one shorter where `size` doesn't divide `n`.
#[must_use]
pub fn batches(n: usize, size: usize) -> Batches {
    Batches { at: 0, n, size: size.max(1) }
}

/// Ranges from [`batches`].
#[derive(Debug, Clone)]
pub struct Batches {
    at: usize,
    n: usize,
    size: usize,
}

impl Iterator for Batches {
    type Item = Range<usize>;

    fn next(&mut self) -> Option<Self::Item> {
        let start = self.at;
        self.at = start.saturating_add(self.size).min(self.n);
        (start < self.n).then_some(start..self.at)
    }

    fn size_hint(&self) -> (usize, Option<usize>) {
        let left = (self.n - self.at).div_ceil(self.size);
        (left, Some(left))
    }
}

impl ExactSizeIterator for Batches {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values from an implementation of ChaCha8 in Python, written from this module's text: they must never
    /// change, or old runs can't be repeated.
    #[test]
    fn golden() {
        let rows: Vec<u32> = (0..12).collect();
        assert_eq!(epoch_order(&rows, 0, 1), [0, 2, 9, 10, 3, 5, 1, 6, 7, 4, 11, 8]);
        assert_eq!(epoch_order(&rows, 0, 2), [7, 11, 9, 3, 4, 8, 0, 6, 5, 1, 10, 2]);
        assert_eq!(epoch_order(&rows, 0xDEAD_BEEF_0BAD_CAFE, 1), [0, 11, 7, 5, 9, 6, 10, 3, 8, 1, 4, 2]);
        let long = epoch_order(&(0..60_000).collect::<Vec<_>>(), 7, 3);
        assert_eq!(
            (&long[..4], &long[59_996..]),
            (&[12276, 41402, 44085, 44583][..], &[30268, 40445, 39774, 40484][..])
        );
    }

    #[test]
    fn an_order_is_a_permutation_of_the_rows() {
        let rows: Vec<u32> = (0..1000).map(|i| 3 * i).collect();
        let mut order = epoch_order(&rows, 5, 1);
        assert_ne!(order, rows);
        order.sort_unstable();
        assert_eq!(order, rows);
    }

    #[test]
    fn seeds_epochs_and_purposes_differ() {
        let rows: Vec<u32> = (0..100).collect();
        let orders = [epoch_order(&rows, 0, 1), epoch_order(&rows, 0, 2), epoch_order(&rows, 1, 1)];
        assert!(orders[0] != orders[1] && orders[0] != orders[2] && orders[1] != orders[2]);
        let epoch = u32::MAX;
        let streams = [Stream::Order { epoch }, Stream::Split, Stream::Augmentation { epoch: 0 }];
        let distinct: std::collections::HashSet<u64> = streams.map(Stream::number).into();
        assert_eq!(distinct.len(), 3);
        assert_eq!(Stream::Augmentation { epoch }.number() >> 63, 0);
    }

    #[test]
    fn bounded_numbers_reject_exactly_the_biased_words() {
        // 2^32 mod 3 is 1: of the words whose low product word is 0, one is drawn anew.
        let mut words = [0, 1, u32::MAX].into_iter();
        let mut draw = || words.next().unwrap();
        assert_eq!(below(3, &mut draw), 0);
        assert_eq!(below(3, &mut draw), 2);
        assert!(words.next().is_none());
        assert_eq!(below(1, || 12_345), 0);
    }

    #[test]
    fn every_order_of_three_is_as_likely() {
        let mut counts = std::collections::HashMap::<Vec<u32>, u32>::new();
        for epoch in 0..6000 {
            *counts.entry(epoch_order(&[0, 1, 2], 1, epoch)).or_default() += 1;
        }
        // Six orders, 1000 each, standard deviation 29.
        assert_eq!(counts.len(), 6);
        assert!(counts.values().all(|n| (880..1120).contains(n)), "{counts:?}");
    }

    #[test]
    fn batches_cover_all_and_the_last_is_partial() {
        assert_eq!(batches(7, 3).collect::<Vec<_>>(), [0..3, 3..6, 6..7]);
        assert_eq!(batches(6, 3).collect::<Vec<_>>(), [0..3, 3..6]);
        assert_eq!(batches(0, 3).len(), 0);
        let mut some = batches(60_000, 32);
        assert_eq!(some.len(), 1875);
        some.next();
        assert_eq!(some.len(), 1874);
        assert_eq!(batches(5, usize::MAX).next(), Some(0..5));
        assert_eq!(batches(5, usize::MAX).len(), 1);
    }
}
