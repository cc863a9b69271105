//! A data set made from what people have: folders of pictures, tables and arrays become IDX files.
//!
//! ```text
//! SOURCE ─ open ─▸ Source ─ list ─▸ classes, halves ─ split ─▸ checks ─▸ images, one after the other ─ write ─▸ DIR
//! ```
//!
//! A source is read twice: once for labels and a hash of every image's bytes, by which equal files stay on one side
//! of a split, and once for the pixels. Pixels are in memory a few images at a time; labels, hashes and the paths of
//! pictures, about a hundred bytes an image, are there throughout.

mod archive;
mod checks;
mod csv_pixels;
mod folders;
mod npz;
mod open;
mod pixels;
mod split;
mod summary;
mod write;

use fm_data::{Half, ImageShape};

use crate::error::Result;

pub(crate) use checks::{Checks, unreadable};
pub(crate) use open::open;
pub(crate) use split::split;
pub(crate) use summary::{FILE as SUMMARY_FILE, Summary};
pub(crate) use write::Writer;

/// The first half of a SHA-256, by which equal bytes are told.
pub(crate) type Print = [u8; 16];

/// An image that a source has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Item {
    /// Its class, as an index of [`Listing::classes`].
    pub(crate) class: usize,
    /// The half it belongs to, where the source says.
    pub(crate) half: Option<Half>,
    /// Of the image as the source has it.
    pub(crate) print: Print,
}

/// What a source holds.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Names by class; every class has an image.
    pub(crate) classes: Vec<String>,
    /// In the order in which [`Source::images`] gives them.
    pub(crate) items: Vec<Item>,
    /// Whether any image has colours.
    pub(crate) colours: bool,
    /// The size of all images, where they have one.
    pub(crate) size: Option<(usize, usize)>,
    /// Files that are no images: name and what is wrong.
    pub(crate) unreadable: Vec<String>,
    /// What is odd.
    pub(crate) warnings: Vec<String>,
}

/// An image fitted to the data set's shape.
#[derive(Debug)]
pub(crate) struct Fitted {
    /// `[channels, height, width]`.
    pub(crate) pixels: Vec<u8>,
    /// Whether a light border made it be inverted; none for arrays, which are taken as they are.
    pub(crate) inverted: Option<bool>,
}

/// Takes an image, or what is wrong with it, by the index of its item.
pub(crate) type Take<'a> = dyn FnMut(usize, std::result::Result<Fitted, String>) -> Result<()> + 'a;

/// Labelled images of one's own.
pub(crate) trait Source {
    /// What it is, in words.
    fn kind(&self) -> String;

    /// Labels and hashes of all images; `tick` is called for each.
    ///
    /// # Errors
    /// When it cannot be read, or is not what it seems.
    fn list(&mut self, tick: &mut dyn FnMut() -> Result<()>) -> Result<Listing>;

    /// All images in the order of the listing, fitted to `shape`; with `trim`, the plain background around the thing
    /// is cut away first.
    ///
    /// # Errors
    /// Those of `take`, and when the source cannot be read.
    fn images(&mut self, shape: ImageShape, trim: bool, take: &mut Take<'_>) -> Result<()>;

    /// What to call an item in messages.
    fn name(&self, item: usize) -> String;
}
