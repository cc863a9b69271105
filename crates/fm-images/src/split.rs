//! Holding out rows for validation, the same share of every class.
//!
//! Labels and a seed go in, two sorted lists of rows come out. Each class gives its share of the rows to hold
//! out, rounded by largest remainder; which of its rows those are is drawn from a stream of its own (see
//! [`order`](crate::order)), so that the order of batches and the split don't depend on each other.

use crate::error::DataError;
use crate::order::{Stream, shuffle};

/// Rows of a training set, divided; each list ascending.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Split {
    /// To train on.
    pub train: Vec<u32>,
    /// To validate on.
    pub val: Vec<u32>,
}

/// Holds out `val_len` rows of `labels`, by class: 5,000 of Fashion-MNIST's 60,000 are 500 of each class.
/// `val_len` may be 0.
///
/// # Errors
/// [`DataError::Split`] when nothing would be left to train on.
pub fn stratified(labels: &[u8], classes: usize, val_len: usize, seed: u64) -> Result<Split, DataError> {
    let rows = labels.len();
    if val_len >= rows {
        return Err(DataError::Split { rows, val_len });
    }
    let groups = labels.iter().map(|&label| usize::from(label) + 1).max().unwrap_or(0).max(classes);
    let mut by_class = vec![Vec::new(); groups];
    for (row, &label) in labels.iter().enumerate() {
        by_class[usize::from(label)].push(row as u32);
    }
    let quotas = largest_remainder(&by_class.iter().map(Vec::len).collect::<Vec<_>>(), val_len);
    let mut generator = Stream::Split.generator(seed);
    let mut split = Split { train: Vec::with_capacity(rows - val_len), val: Vec::with_capacity(val_len) };
    for (mut members, quota) in by_class.into_iter().zip(quotas) {
        shuffle(&mut members, &mut generator);
        split.val.extend(&members[..quota]);
        split.train.extend(&members[quota..]);
    }
    split.train.sort_unstable();
    split.val.sort_unstable();
    Ok(split)
}

/// Divides `total` in proportion to `sizes`, whose sum is more: the whole parts first, then one more to each
/// of the largest remainders, the first of equals. No part exceeds its size.
fn largest_remainder(sizes: &[usize], total: usize) -> Vec<usize> {
    let sum = sizes.iter().sum::<usize>() as u64;
    let share = |size: usize| size as u64 * total as u64;
    let mut quotas: Vec<usize> = sizes.iter().map(|&size| (share(size) / sum) as usize).collect();
    let missing = total - quotas.iter().sum::<usize>();
    let mut by_remainder: Vec<usize> = (0..sizes.len()).collect();
    by_remainder.sort_by_key(|&class| std::cmp::Reverse(share(sizes[class]) % sum));
    for &class in &by_remainder[..missing] {
        quotas[class] += 1;
    }
    quotas
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn counts(labels: &[u8], rows: &[u32]) -> Vec<usize> {
        rows.iter().fold(vec![0; 10], |mut counts, &row| {
            counts[usize::from(labels[row as usize])] += 1;
            counts
        })
    }

    #[test]
    fn five_thousand_of_sixty_thousand_are_five_hundred_a_class() {
        let labels: Vec<u8> = (0..60_000u32).map(|i| (i * 7 % 10) as u8).collect();
        let split = stratified(&labels, 10, 5000, 0).unwrap();
        assert_eq!(counts(&labels, &split.val), [500; 10]);
        assert_eq!(counts(&labels, &split.train), [5500; 10]);
        assert_ne!(split, stratified(&labels, 10, 5000, 1).unwrap());
    }

    #[test]
    fn quotas_by_largest_remainder() {
        // Shares 4.5, 3.0, 1.5, of 9: the two halves are equal, the first gets the one that is left.
        assert_eq!(largest_remainder(&[6, 4, 2], 9), [5, 3, 1]);
        assert_eq!(largest_remainder(&[1, 0, 5], 3), [1, 0, 2]);
        assert_eq!(largest_remainder(&[10, 10], 0), [0, 0]);
    }

    #[test]
    fn something_must_be_left_to_train_on() {
        let error = stratified(&[0; 60], 1, 60, 0).unwrap_err();
        assert_eq!(error.to_string(), "cannot hold out 60 of 60 training images for validation");
        assert_eq!(stratified(&[0; 60], 1, 59, 0).unwrap().train.len(), 1);
        assert!(stratified(&[], 10, 0, 0).is_err());
    }

    proptest! {
        #[test]
        fn parts_are_disjoint_sorted_and_fair(
            labels in prop::collection::vec(0u8..10, 1..200),
            share in 0.0..1.0f64,
            seed in any::<u64>(),
        ) {
            let val_len = (share * labels.len() as f64) as usize;
            let split = stratified(&labels, 10, val_len, seed).unwrap();
            prop_assert_eq!(split.val.len(), val_len);
            prop_assert!(split.train.is_sorted() && split.val.is_sorted());
            let mut all = [&split.train[..], &split.val].concat();
            all.sort_unstable();
            prop_assert_eq!(&all, &(0..labels.len() as u32).collect::<Vec<_>>());
            let whole = counts(&labels, &all);
            for (held, size) in counts(&labels, &split.val).into_iter().zip(whole) {
                let exact = size as f64 * val_len as f64 / labels.len() as f64;
                prop_assert!((held as f64 - exact).abs() < 1.0, "{held} of {size}, exactly {exact}");
            }
        }
    }
}
