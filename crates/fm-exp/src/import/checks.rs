//! What is refused and what is warned of.

use std::collections::HashMap;

use fm_data::Half;

use super::pixels::print;
use super::{Listing, Print};
use crate::error::{Error, Kind, Result};

/// Fewer training images of a class are warned of.
const FEW: usize = 10;
/// Names in a message.
const NAMED: usize = 5;

/// Images that were seen, to find those that are there twice.
#[derive(Debug, Default)]
pub(crate) struct Checks {
    seen: HashMap<Print, (usize, Half, usize)>,
    across: Vec<(usize, usize)>,
    contradicting: Vec<(usize, usize)>,
    repeated: usize,
    light: usize,
    dark: usize,
}

impl Checks {
    /// What cannot be trained on at all.
    ///
    /// # Errors
    /// [`Kind::Data`].
    pub(crate) fn refuse(listing: &Listing, keep_going: bool) -> Result<()> {
        let bad = |text: String| Err(Error::new(Kind::Data, text));
        if !listing.unreadable.is_empty() && !keep_going {
            return Err(unreadable(&listing.unreadable));
        }
        match listing.classes.len() {
            _ if listing.items.is_empty() => {
                let error = Error::new(Kind::Data, "no images are there");
                return Err(
                    error.help("put the pictures of each class into a folder of its own: SOURCE/cat/1.png")
                );
            }
            1 => return bad(format!("there is one class, {}: nothing to tell apart", listing.classes[0])),
            n if n > 256 => return bad(format!("{n} classes, at most 256 are possible")),
            _ => {}
        }
        if listing.items.iter().any(|item| item.half.is_some()) {
            for (class, [train, _]) in counts(listing, &halves_of(listing)).into_iter().enumerate() {
                if train == 0 {
                    let text =
                        format!("class {} has test images and none to train on", listing.classes[class]);
                    return Err(
                        Error::new(Kind::Data, text).help("name the class's folders alike in both halves")
                    );
                }
            }
        }
        Ok(())
    }

    /// Sees an image on its way into the data set.
    pub(crate) fn see(
        &mut self,
        item: usize,
        half: Half,
        class: usize,
        pixels: &[u8],
        inverted: Option<bool>,
    ) {
        match inverted {
            Some(true) => self.light += 1,
            Some(false) => self.dark += 1,
            None => {}
        }
        let key = print(pixels);
        let Some(&(other, its_half, its_class)) = self.seen.get(&key) else {
            self.seen.insert(key, (item, half, class));
            return;
        };
        if its_class != class {
            self.contradicting.push((other, item));
        }
        if its_half == half {
            self.repeated += 1;
        } else {
            self.across.push((other, item));
        }
    }

    /// How many pictures were inverted, and how many not.
    pub(crate) fn borders(&self) -> (usize, usize) {
        (self.light, self.dark)
    }

    /// What is odd but usable.
    pub(crate) fn warnings(
        &self,
        listing: &Listing,
        halves: &[Half],
        name: &dyn Fn(usize) -> String,
    ) -> Vec<String> {
        let mut lines = Vec::new();
        let pairs = |pairs: &[(usize, usize)]| {
            let some = pairs.iter().take(NAMED).map(|&(a, b)| format!("{} = {}", name(a), name(b)));
            let more = if pairs.len() > NAMED { ", …" } else { "" };
            format!("{}{more}", some.collect::<Vec<_>>().join(", "))
        };
        if !self.across.is_empty() {
            let n = self.across.len();
            lines.push(format!(
                "{n} images are in both halves, so the test is easier than it should be: {}",
                pairs(&self.across)
            ));
        }
        if !self.contradicting.is_empty() {
            let n = self.contradicting.len();
            lines.push(format!("{n} equal images have different classes: {}", pairs(&self.contradicting)));
        }
        if self.repeated > 0 {
            lines.push(format!("{} images repeat another one of their half", self.repeated));
        }
        let counts = counts(listing, halves);
        let of = |wanted: &dyn Fn(usize, usize) -> bool| {
            let names: Vec<&str> = (counts.iter().zip(&listing.classes))
                .filter(|([train, test], _)| wanted(*train, *test))
                .map(|(_, name)| name.as_str())
                .collect();
            names.join(", ")
        };
        let small = of(&|train, _| train < FEW);
        if !small.is_empty() {
            lines.push(format!("fewer than {FEW} images to train on: {small}"));
        }
        let untested = of(&|_, test| test == 0);
        if !untested.is_empty() {
            lines.push(format!("no test images: {untested}"));
        }
        let all = self.light + self.dark;
        if 20 * self.light.min(self.dark) > all {
            lines.push(format!(
                "{} of {all} pictures have a light border and were inverted, the others not; --colour takes all as they are",
                self.light
            ));
        }
        lines
    }
}

/// The error of files that are no images.
pub(crate) fn unreadable(files: &[String]) -> Error {
    const LISTED: usize = 20;
    let error = Error::new(
        Kind::Data,
        match files {
            [only] => only.clone(),
            _ => format!("{} files are no readable images", files.len()),
        },
    );
    let listed = if files.len() > 1 { &files[..files.len().min(LISTED)] } else { &[] };
    let error = listed.iter().fold(error, Error::note);
    let error =
        if files.len() > LISTED { error.note(format!("and {} more", files.len() - LISTED)) } else { error };
    error.help("mend or remove them, or leave them out with --skip-unreadable; nothing was imported")
}

fn halves_of(listing: &Listing) -> Vec<Half> {
    listing.items.iter().map(|item| item.half.unwrap_or(Half::Train)).collect()
}

/// Images of each class, to train and to test on.
pub(crate) fn counts(listing: &Listing, halves: &[Half]) -> Vec<[usize; 2]> {
    let mut counts = vec![[0; 2]; listing.classes.len()];
    for (item, half) in listing.items.iter().zip(halves) {
        counts[item.class][usize::from(*half == Half::Test)] += 1;
    }
    counts
}
