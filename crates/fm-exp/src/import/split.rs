//! Which images to train on and which to test on.

use std::collections::HashMap;

use fm_data::{Half, stratified};

use super::{Item, Listing, Print};
use crate::error::{Error, Kind, Result};
use crate::inputs::failed;

/// The half of each item: the source's own, or `share` of every class to test on, drawn by `seed`. Items with the
/// same bytes come into the same half.
///
/// # Errors
/// [`Kind::Data`] when a class would have nothing to train on.
pub(crate) fn split(listing: &Listing, share: f64, seed: u64) -> Result<Vec<Half>> {
    if let Some(halves) = listing.items.iter().map(|item| item.half).collect() {
        return Ok(halves);
    }
    let mut first: HashMap<Print, usize> = HashMap::new();
    let mut leaders = Vec::new();
    for (i, Item { print, .. }) in listing.items.iter().enumerate() {
        first.entry(*print).or_insert_with(|| {
            leaders.push(i);
            i
        });
    }
    let labels: Vec<u8> = leaders.iter().map(|&i| listing.items[i].class as u8).collect();
    let test = ((labels.len() as f64 * share).round() as usize).max(1);
    let drawn = stratified(&labels, listing.classes.len(), test, seed).map_err(failed)?;
    let mut halves = vec![Half::Train; listing.items.len()];
    for row in drawn.val {
        halves[leaders[row as usize]] = Half::Test;
    }
    for (i, item) in listing.items.iter().enumerate() {
        halves[i] = halves[first[&item.print]];
    }
    let trained = |class: usize| {
        listing.items.iter().zip(&halves).any(|(item, half)| item.class == class && *half == Half::Train)
    };
    match (0..listing.classes.len()).find(|&class| !trained(class)) {
        Some(class) => Err(Error::new(
            Kind::Data,
            format!("class {} has too few images: none is left to train on", listing.classes[class]),
        )
        .help("add images, take the class away, or choose a smaller --test-share")),
        None => Ok(halves),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listing(counts: &[usize]) -> Listing {
        let mut n = 0_u128;
        let mut item = |class| {
            n += 1;
            Item { class, half: None, print: n.to_le_bytes() }
        };
        let items = counts.iter().enumerate().flat_map(|(class, &n)| vec![class; n]).map(&mut item).collect();
        let classes = (0..counts.len()).map(|i| i.to_string()).collect();
        Listing { classes, items, ..Listing::default() }
    }

    fn tested(listing: &Listing, halves: &[Half], class: usize) -> usize {
        let both = listing.items.iter().zip(halves);
        both.filter(|(item, half)| item.class == class && **half == Half::Test).count()
    }

    #[test]
    fn the_same_share_of_every_class_by_seed() {
        let all = listing(&[100, 50, 10]);
        let halves = split(&all, 0.2, 3).unwrap();
        assert_eq!([0, 1, 2].map(|class| tested(&all, &halves, class)), [20, 10, 2]);
        assert_eq!(halves, split(&all, 0.2, 3).unwrap());
        assert_ne!(halves, split(&all, 0.2, 4).unwrap());
    }

    #[test]
    fn equal_files_stay_together_and_a_class_keeps_something_to_train_on() {
        let mut all = listing(&[40, 40]);
        for i in 1..40 {
            all.items[i].print = all.items[i % 8].print;
        }
        let halves = split(&all, 0.25, 0).unwrap();
        assert!((0..40).all(|i| halves[i] == halves[i % 8]));
        assert!(split(&listing(&[30, 1]), 0.97, 0).unwrap_err().message().contains("too few images"));
    }

    #[test]
    fn halves_of_the_source_stay() {
        let mut all = listing(&[2, 2]);
        for (i, item) in all.items.iter_mut().enumerate() {
            item.half = Some(if i % 2 == 0 { Half::Train } else { Half::Test });
        }
        assert_eq!(split(&all, 0.5, 0).unwrap(), [Half::Train, Half::Test, Half::Train, Half::Test]);
    }
}
