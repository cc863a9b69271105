//! Image data sets for training: read by [`fm_images`], downloaded where they are nowhere, put on a device.
//!
//! ```text
//! DatasetName ─ load ─▸ fm_images::load ─▸ Dataset ─ tensors ─▸ bytes on the device ─▸ batches of f32 and i64
//!                └ nowhere? fetch: mirrors ─▸ checked ─▸ cache ─▸ again
//! ```
//!
//! This crate is what `fm-images` leaves out, so that parsers link neither libtorch nor a network: downloads
//! with progress bars, and tensors. What callers need of `fm-images` stands here too.
//!
//! Fashion-MNIST, from a usual place or downloaded:
//!
//! ```no_run
//! use fm_data::{DatasetName, LoadOptions, load};
//!
//! let data = load(&DatasetName::FASHION_MNIST, &LoadOptions::default())?;
//! assert_eq!((data.train.len(), data.test.len(), data.classes), (60_000, 10_000, 10));
//! println!("{}: first label {}", data.dir.display(), data.class_names[usize::from(data.train.labels[0])]);
//! # Ok::<(), fm_data::DataError>(())
//! ```

pub mod fetch;
pub mod load;
pub mod tensors;

mod archive;

pub use fm_images::classes::FILE as CLASSES_FILE;
pub use fm_images::{
    Augment, AugmentError, Batches, Content, DataError, Dataset, DatasetName, Download, ErrorKind, FORMATS,
    FileInfo, FileSpec, Format, Half, ImageShape, Input, Labelled, Malformed, OPERATIONS, PIXEL_SCALE, Part,
    Places, Prepared, Published, ReadError, Role, Split, Stream, Verification, Verify, batches, catalog,
    epoch_order, error, formats, idx, mirror, pixel, source, stratified,
};
pub use load::{LoadOptions, load, load_from};
pub use tensors::Resident;
