//! What can be wrong with a data set, and the lines that go with it.
//!
//! [`DataError`]'s display is one line: what is wrong, with the path. [`DataError::notes`] adds where it was
//! looked for or what was found, [`DataError::help`] the remedies. [`DataError::kind`] tells bad data from
//! a failing medium, which end a program with different exit codes.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::idx::IdxError;
use crate::name::DatasetName;
use crate::read::GzipError;
use crate::source::Looked;

/// Whose fault an error is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// Files are missing or hold the wrong thing.
    Data,
    /// The operating system refused to read or write.
    Io,
}

/// A data set that can't be used.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum DataError {
    #[error("cannot find {}", listed(files))]
    Missing { set: DatasetName, files: Vec<&'static str>, looked: Vec<Looked> },
    #[error("cannot download {file}.gz of {} into {}", set.title(), dir.display())]
    Download {
        set: DatasetName,
        dir: PathBuf,
        file: &'static str,
        looked: Vec<Looked>,
        tried: Vec<(String, String)>,
    },
    #[error("cannot read {}: {}", path.display(), reason(source))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {}", path.display(), reason(source))]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{} is {what}, expected an IDX file", path.display())]
    NotRegular { path: PathBuf, what: &'static str },
    #[error("{}: {source}", path.display())]
    Idx { path: PathBuf, source: IdxError },
    #[error("{}: {source}", path.display())]
    Gzip { path: PathBuf, source: GzipError },
    #[error("{}: {n_images} images but {n_labels} labels", dir(images).display())]
    CountsDiffer { images: PathBuf, n_images: usize, labels: PathBuf, n_labels: usize },
    #[error("{}: label {label} at index {index}, valid 0 to {}", path.display(), classes - 1)]
    LabelOutOfRange { path: PathBuf, label: u8, index: usize, classes: usize },
    #[error("{}: images are {}, training images are {}", test.display(), size(*test_size), size(*train_size))]
    SizesDiffer { train: PathBuf, train_size: (usize, usize), test: PathBuf, test_size: (usize, usize) },
    #[error("{} is identical to {}", test.display(), train.display())]
    Identical { train: PathBuf, test: PathBuf },
    #[error("{}: SHA-256 differs from published {}", dir.display(), set.title())]
    HashDiffers { set: DatasetName, dir: PathBuf, files: Vec<HashDifference> },
    #[error("cannot hold out {val_len} of {rows} training images for validation")]
    Split { rows: usize, val_len: usize },
}

/// A file whose content isn't the published one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HashDifference {
    /// The file's name.
    pub file: &'static str,
    /// SHA-256 of the decompressed file that was read.
    pub found: String,
    /// SHA-256 of the decompressed file that was published.
    pub published: &'static str,
}

impl DataError {
    /// Bad data, or a failing medium.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unreadable { .. } | Self::Unwritable { .. } => ErrorKind::Io,
            _ => ErrorKind::Data,
        }
    }

    /// With the places that had been looked in before a download was tried.
    pub(crate) fn after(self, before: Vec<Looked>) -> Self {
        match self {
            Self::Download { set, dir, file, tried, .. } => {
                Self::Download { set, dir, file, tried, looked: before }
            }
            other => other,
        }
    }

    /// What was found and where, a line each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        match self {
            Self::Missing { looked, .. } => looked.iter().map(ToString::to_string).collect(),
            Self::Download { looked, tried, .. } => looked
                .iter()
                .map(ToString::to_string)
                .chain(tried.iter().map(|(url, reason)| format!("tried {url}: {reason}")))
                .collect(),
            Self::CountsDiffer { images, n_images, labels, n_labels } => {
                vec![
                    format!("{n_images} in {}", images.display()),
                    format!("{n_labels} in {}", labels.display()),
                ]
            }
            Self::SizesDiffer { train, .. } => vec![format!("the training images are {}", train.display())],
            Self::HashDiffers { files, .. } => files
                .iter()
                .map(|d| format!("{}: found {}, published {}", d.file, d.found, d.published))
                .collect(),
            _ => Vec::new(),
        }
    }

    /// What to do about it, a line each.
    #[must_use]
    pub fn help(&self) -> Vec<String> {
        let one = |line: &str| vec![line.to_owned()];
        let again = "delete the file and get it again";
        match self {
            Self::Missing { set, .. } | Self::Download { set, .. } => how_to_get(set),
            Self::Gzip { source: GzipError::NotGzip { start }, .. } if start.starts_with(&[0, 0]) => {
                one("the file is not compressed: take .gz off its name")
            }
            Self::Gzip { source: GzipError::NotGzip { .. }, .. } => {
                one("a saved error page? look into the file, delete it and get it again")
            }
            Self::Idx { source, .. } if source.looks_like_text() => {
                one("a saved error page? look into the file, delete it and get it again")
            }
            Self::Gzip { source: GzipError::Truncated { .. } | GzipError::TruncatedChecksum, .. }
            | Self::Idx {
                source:
                    IdxError::Empty { .. } | IdxError::TruncatedHeader { .. } | IdxError::TruncatedPayload { .. },
                ..
            } => {
                vec![format!("an interrupted download or copy? {again}")]
            }
            Self::Gzip { .. } => one(again),
            Self::Idx { source: IdxError::WrongMagic { found: 0x0801 | 0x0803, .. }, .. } => {
                one("images and labels seem to be exchanged")
            }
            Self::Identical { .. } => {
                one("put the test files in their place: a test on training images says nothing")
            }
            Self::HashDiffers { .. } => one("get the published files, or accept these with --verify warn"),
            Self::CountsDiffer { .. } => one("images and labels must come from the same data set"),
            Self::LabelOutOfRange { .. } => one("labels count from 0"),
            _ => Vec::new(),
        }
    }
}

fn how_to_get(set: &DatasetName) -> Vec<String> {
    let mut lines = Vec::new();
    match set {
        DatasetName::FashionMnist => {
            lines.push("scripts/setup.sh gets it".to_owned());
            lines.push("on Debian and Ubuntu: apt-get install dataset-fashion-mnist".to_owned());
        }
        DatasetName::Mnist | DatasetName::Kmnist => {}
        DatasetName::Dir(_) => {
            lines.push(
                "known data sets are fashion-mnist, mnist and kmnist; any other name is a directory"
                    .to_owned(),
            );
            return lines;
        }
    }
    lines.push("--data-dir DIR uses the four files in DIR, plain or gzipped".to_owned());
    lines
}

fn listed(files: &[&str]) -> String {
    files.iter().map(|file| format!("{file}[.gz]")).collect::<Vec<_>>().join(", ")
}

fn size((height, width): (usize, usize)) -> String {
    format!("{height}x{width}")
}

fn dir(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// An I/O error in lower case and without the operating system's number.
pub(crate) fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    let text = text.split(" (os error").next().unwrap_or_default();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_lowercase().chain(chars).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permission_denied_is_io_and_without_a_number() {
        let source = io::Error::from_raw_os_error(libc::EACCES);
        let error = DataError::Unreadable { path: PathBuf::from("/d"), source };
        assert_eq!(error.to_string(), "cannot read /d: permission denied");
        assert_eq!(error.kind(), ErrorKind::Io);
    }

    #[test]
    fn counts_name_both_files() {
        let (images, labels) = (PathBuf::from("/d/images"), PathBuf::from("/d/labels.gz"));
        let error = DataError::CountsDiffer { images, n_images: 60_000, labels, n_labels: 59_999 };
        assert_eq!(error.to_string(), "/d: 60000 images but 59999 labels");
        assert_eq!(error.notes(), ["60000 in /d/images", "59999 in /d/labels.gz"]);
        assert_eq!(error.kind(), ErrorKind::Data);
    }

    #[test]
    fn help_tells_a_web_page_from_a_misnamed_file() {
        let help = |start: &[u8]| {
            let source = GzipError::NotGzip { start: start.to_vec() };
            DataError::Gzip { path: PathBuf::from("x.gz"), source }.help().join("\n")
        };
        assert!(help(b"<!DO").contains("saved error page?"));
        assert!(help(&[0, 0, 8, 3]).contains("take .gz off"));
    }
}
