//! What a data format is: its files, and how to read one of them.
//!
//! ```text
//! Format::files ─▸ found by source ─▸ each opened, gzip undone ─ Format::read ─▸ Part ─▸ checked, put together
//! ```
//!
//! A format knows bytes. Finding files, decompression, limits, hashes, reading in parallel, comparing files
//! with each other and reporting the first bad one are the same for all formats and happen elsewhere. The
//! formats that are known are listed in [`FORMATS`](crate::FORMATS); a caller may pass others to
//! [`load`](crate::load).

use std::fmt;

use crate::input::Input;
use crate::labelled::ImageShape;
use crate::read::ReadError;

/// A way in which files hold a data set.
///
/// [`read`](Self::read) must give the content that the file's role announces, and a half must have as many
/// files of labels as of images; anything else is a bug of the format and panics.
pub trait Format: fmt::Debug + Sync {
    /// The format's name, for messages about it.
    fn name(&self) -> &'static str;

    /// One of its files in words, with its article, as in "expected an IDX file".
    fn a_file(&self) -> &'static str;

    /// The files that make up a data set; all must be there. Their order is that of
    /// [`Dataset::files`](crate::Dataset::files), and of several bad files the first is reported.
    fn files(&self) -> &[FileSpec];

    /// A directory in which the format's archive has the files; they may lie in it or beside it.
    fn folder(&self) -> Option<&'static str> {
        None
    }

    /// The class names by label, where they are the format's own.
    fn class_names(&self) -> Option<&'static [&'static str]> {
        None
    }

    /// Reads one of [`files`](Self::files) to its end.
    ///
    /// # Errors
    /// What is wrong with the bytes, without the path: that is added.
    fn read(&self, file: &FileSpec, input: Input<'_>) -> Result<Part, ReadError>;
}

/// One of a format's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileSpec {
    /// Its name without `.gz`; any file may be gzipped.
    pub name: &'static str,
    /// What it is for.
    pub role: Role,
}

/// What a file is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Images whose labels are in another file: the half's files of images and of labels pair in their order.
    Images(Half),
    /// Labels of images in another file.
    Labels(Half),
    /// Images with their labels.
    Records(Half),
    /// The class names.
    ClassNames,
}

impl Role {
    /// The half that it belongs to, if to one.
    #[must_use]
    pub const fn half(self) -> Option<Half> {
        match self {
            Self::Images(half) | Self::Labels(half) | Self::Records(half) => Some(half),
            Self::ClassNames => None,
        }
    }
}

/// A half of a data set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Half {
    /// To train on.
    Train,
    /// To test on.
    Test,
}

/// What a file held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Checked as far as one file can be.
    pub content: Content,
    /// Of the decompressed file, in lower-case hexadecimal.
    pub sha256: String,
}

/// A file's content, by its [`Role`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// At least one image, `[n, channels, height, width]`.
    Images {
        /// `n * shape.len()` bytes.
        pixels: Vec<u8>,
        /// Of each; not empty.
        shape: ImageShape,
    },
    /// Labels from 0, `[n]`.
    Labels(Vec<u8>),
    /// At least one image with its label.
    Records {
        /// `[n, channels, height, width]`.
        pixels: Vec<u8>,
        /// Of each image; not empty.
        shape: ImageShape,
        /// From 0, `[n]`.
        labels: Vec<u8>,
    },
    /// By label.
    ClassNames(Vec<String>),
}
