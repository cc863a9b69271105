//! Labelled image data sets from files: found, read, checked, split and ordered.
//!
//! ```text
//! DatasetName ─ source ─▸ a format and its files' paths ─ dataset: read each, put together, check ─▸ Dataset
//!      │         └ formats: IDX, CIFAR-10, EMNIST, …; read: gzip, limits, SHA-256                     │
//!      └ catalog: classes, mirrors, published hashes ─▸ verify                                        │
//!                          split: labels ─▸ rows to train on and to validate on ◂─────────────────────┤
//!                          order: rows, seed, epoch ─▸ rows in the epoch's order                      │
//!                          augment: rows, seed, epoch ─▸ what training sees of them ◂─────────────────┤
//!                          pixel: a byte ─▸ the number that networks see ◂────────────────────────────┘
//! ```
//!
//! Images are bytes `[n, channels, height, width]`, one plane per channel. Everything that comes from outside
//! is checked where it comes in, before memory is taken for it; from [`Dataset`] on, counts agree and labels
//! are in range. Messages name the file and what is wrong with it; [`DataError::notes`] and
//! [`DataError::help`] carry the lines that go below.
//!
//! The crate knows no models, and links neither libtorch nor anything that speaks to a network or a terminal:
//! a parser can be fuzzed, and used elsewhere, alone. `fm-data` adds downloads and tensors.
//!
//! ```
//! use fm_images::idx::{self, IdxKind};
//! use fm_images::{epoch_order, stratified};
//!
//! // Two 2×2 images as an IDX file, and back.
//! let file = idx::encode_images(&[0, 1, 2, 3, 10, 11, 12, 13], 2, 2, 2);
//! let (header, pixels) = idx::parse(&file, IdxKind::Images)?;
//! assert_eq!((header.n, header.height, header.width, pixels[4]), (2, 2, 2, 10));
//! assert!(idx::parse(&file[..20], IdxKind::Images).is_err(), "a cut file is refused");
//!
//! // One image of each class validates; the order of an epoch depends on seed and epoch alone.
//! let labels = [0, 1, 0, 1, 0, 1, 0, 1];
//! let split = stratified(&labels, 2, 2, 7)?;
//! assert_eq!((split.train.len(), split.val.len()), (6, 2));
//! assert_eq!(epoch_order(&split.train, 7, 1), epoch_order(&split.train, 7, 1));
//! assert_ne!(epoch_order(&split.train, 7, 1), epoch_order(&split.train, 7, 2));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

pub mod augment;
pub mod catalog;
pub mod classes;
pub mod dataset;
pub mod duplicates;
pub mod error;
pub mod format;
pub mod formats;
pub mod idx;
pub mod input;
pub mod labelled;
pub mod name;
pub mod order;
pub mod read;
pub mod source;
pub mod split;
pub mod verify;

mod assemble;
mod gzip;
mod pixel;

pub use augment::{Augment, AugmentError, OPERATIONS, Prepared, mirror};
pub use catalog::{Download, Published};
pub use dataset::{Dataset, FileInfo, load};
pub use duplicates::{Twins, duplicates};
pub use error::{DataError, ErrorKind};
pub use format::{Content, FileSpec, Format, Half, Part, Role};
pub use formats::FORMATS;
pub use input::Input;
pub use labelled::{ImageShape, Labelled};
pub use name::DatasetName;
pub use order::{Batches, Stream, batches, epoch_order};
pub use pixel::{PIXEL_SCALE, pixel};
pub use read::{Malformed, ReadError};
pub use source::Places;
pub use split::{Split, stratified};
pub use verify::{Verification, Verify};
