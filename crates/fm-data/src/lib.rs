//! Image data sets for training: read by [`fm_images`], downloaded where they are nowhere, put on a device.
//!
//! ```text
//! DatasetName ─ load ─▸ fm_images::load ─▸ Dataset ─ tensors ─▸ bytes on the device ─▸ batches of f32 and i64
//!                └ nowhere? fetch: mirrors ─▸ checked ─▸ cache ─▸ again
//! ```
//!
//! This crate is what `fm-images` leaves out, so that parsers link neither libtorch nor a network: downloads
//! with progress bars, and tensors. What callers need of `fm-images` stands here too.

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
