//! A data set in a format that training reads as well: IDX files, EMNIST's, CIFAR-10 and CIFAR-100.

use fm_data::{Dataset, Half, ImageShape, Labelled};

use super::pixels::print;
use super::{Fitted, Item, Listing, Source, Take};
use crate::error::Result;
use crate::picture;

/// A whole data set in memory, as training has it.
#[derive(Debug)]
pub(crate) struct Archive {
    data: Dataset,
    format: &'static str,
}

impl Archive {
    pub(crate) fn new(data: Dataset, format: &'static str) -> Self {
        Self { data, format }
    }

    fn halves(&self) -> [(Half, &Labelled); 2] {
        [(Half::Train, &self.data.train), (Half::Test, &self.data.test)]
    }
}

impl Source for Archive {
    fn kind(&self) -> String {
        self.format.to_owned()
    }

    fn list(&mut self, tick: &mut dyn FnMut() -> Result<()>) -> Result<Listing> {
        let data = &self.data;
        let (mut labels, mut items) = (Vec::new(), Vec::new());
        for (half, images) in self.halves() {
            for (i, &label) in images.labels.iter().enumerate() {
                tick()?;
                labels.push(usize::from(label));
                items.push(Item { class: 0, half: Some(half), print: print(images.image(i)) });
            }
        }
        let mut listing = Listing {
            colours: data.channels == 3,
            size: Some((data.height, data.width)),
            ..Listing::default()
        };
        // Names that are numbers are labels that nobody has named.
        let unnamed = data.class_names.iter().enumerate().all(|(i, name)| *name == i.to_string());
        let classes = if unnamed {
            let texts: Vec<String> = labels.iter().map(ToString::to_string).collect();
            let (names, classes, warnings) = super::pixels::classes(&texts);
            listing.warnings.extend(warnings);
            listing.classes = names;
            classes
        } else {
            listing.classes.clone_from(&data.class_names);
            labels
        };
        for (item, class) in items.iter_mut().zip(classes) {
            item.class = class;
        }
        listing.items = items;
        Ok(listing)
    }

    fn images(&mut self, shape: ImageShape, _trim: bool, take: &mut Take<'_>) -> Result<()> {
        let from = self.data.shape();
        let mut at = 0;
        for (_, images) in self.halves() {
            for i in 0..images.len() {
                let pixels = picture::refit(images.image(i), from, shape);
                take(at, Ok(Fitted { pixels, inverted: None }))?;
                at += 1;
            }
        }
        Ok(())
    }

    fn name(&self, item: usize) -> String {
        let train = self.data.train.len();
        if item < train { format!("training image {item}") } else { format!("test image {}", item - train) }
    }
}
