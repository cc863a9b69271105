//! Image data sets in IDX files: found, read, checked, split, ordered and put on a device.
//!
//! ```text
//! DatasetName ─ source ─▸ four paths ─ read + idx ─▸ bytes and SHA-256 ─ dataset + verify ─▸ Dataset
//!                 └ fetch: mirrors ─▸ cache ┘                                                  │
//!                   split: labels ─▸ rows to train on and to validate on ◂─────────────────────┤
//!                   order: rows, seed, epoch ─▸ rows in the epoch's order                      │
//!                   tensors: Dataset ─▸ bytes on the device ─▸ batches of f32 and i64 ◂────────┘
//! ```
//!
//! A data set is four files: images and labels, to train on and to test on. Everything that comes from
//! outside is checked where it comes in, before memory is taken for it; from [`Dataset`] on, counts agree
//! and labels are in range. Messages name the file and what is wrong with it; [`DataError::notes`] and
//! [`DataError::help`] carry the lines that go below. The crate knows no models.

pub mod dataset;
pub mod error;
pub mod fetch;
pub mod idx;
pub mod name;
pub mod order;
pub mod read;
pub mod source;
pub mod split;
pub mod tensors;
pub mod verify;

pub use dataset::{Dataset, FileInfo, Labelled, LoadOptions, load};
pub use error::{DataError, ErrorKind};
pub use name::{DatasetName, FILES};
pub use order::{Batches, Stream, batches, epoch_order};
pub use split::{Split, stratified};
pub use tensors::Resident;
pub use verify::{Verification, Verify};
