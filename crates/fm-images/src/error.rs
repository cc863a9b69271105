//! What can be wrong with a data set, and the lines that go with it.
//!
//! [`DataError`]'s display is one line: what is wrong, with the path. [`DataError::notes`] adds where it was
//! looked for or what was found, [`DataError::help`] the remedies. [`DataError::kind`] tells bad data from
//! a failing medium, which end a program with different exit codes.

use std::io;
use std::path::{Path, PathBuf};

use thiserror::Error;

use crate::catalog::CATALOG;
use crate::idx::{IdxError, IdxKind};
use crate::labelled::ImageShape;
use crate::name::DatasetName;
use crate::read::{GzipError, Malformed};
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
    #[error("{} holds several data sets: {}", dir.display(), formats.join(", "))]
    Ambiguous { dir: PathBuf, formats: Vec<&'static str> },
    #[error("cannot download {file} of {} into {}", set.title(), dir.display())]
    Download {
        set: DatasetName,
        dir: PathBuf,
        file: String,
        looked: Vec<Looked>,
        tried: Vec<(String, String)>,
    },
    #[error("cannot read {}: {}", path.display(), reason(source))]
    Unreadable { path: PathBuf, source: io::Error },
    #[error("cannot write {}: {}", path.display(), reason(source))]
    Unwritable { path: PathBuf, source: io::Error },
    #[error("{} is {what}, expected {expected}", path.display())]
    NotRegular { path: PathBuf, what: &'static str, expected: &'static str },
    #[error("{}: {source}", path.display())]
    Idx { path: PathBuf, source: IdxError },
    #[error("{}: {source}", path.display())]
    Gzip { path: PathBuf, source: GzipError },
    #[error("{}: {source}", path.display())]
    Malformed { path: PathBuf, source: Malformed },
    #[error("{}: {n_images} images but {n_labels} labels", dir(images).display())]
    CountsDiffer { images: PathBuf, n_images: usize, labels: PathBuf, n_labels: usize },
    #[error("{}: label {label} at index {index}, valid 0 to {}", path.display(), classes - 1)]
    LabelOutOfRange { path: PathBuf, label: u8, index: usize, classes: usize },
    #[error("{}: images are {shape}, training images are {train_shape}", path.display())]
    SizesDiffer { train: PathBuf, train_shape: ImageShape, path: PathBuf, shape: ImageShape },
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
    #[must_use]
    pub fn after(self, before: Vec<Looked>) -> Self {
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
            Self::Malformed { source, .. } => source.remedy().map(one).into_iter().flatten().collect(),
            Self::Ambiguous { .. } => one(
                "name one of them, as in --dataset emnist-balanced --data-dir DIR, or keep one in the directory",
            ),
            Self::Gzip {
                source:
                    GzipError::Truncated { .. } | GzipError::TruncatedAt { .. } | GzipError::TruncatedChecksum,
                ..
            }
            | Self::Idx {
                source:
                    IdxError::Empty { .. } | IdxError::TruncatedHeader { .. } | IdxError::TruncatedPayload { .. },
                ..
            } => {
                vec![format!("an interrupted download or copy? {again}")]
            }
            Self::Gzip { .. } => one(again),
            Self::Idx {
                source: IdxError::WrongMagic { found: 0x0804, expected: IdxKind::Images }, ..
            } => one("call files of colour images train-images-idx4-ubyte and t10k-images-idx4-ubyte"),
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
    let Some(published) = set.published() else {
        let all = format!("known data sets are {}; any other name is a directory", known());
        return meant(&set.title()).into_iter().chain([all]).collect();
    };
    let mut lines: Vec<String> = published.help.iter().map(|&line| line.to_owned()).collect();
    let count = count(published.format.files().len());
    let folder = published.folder;
    lines.push(format!(
        "put the {count} files into data/{folder}, or name their directory with --data-dir; plain or gzipped"
    ));
    lines
}

/// The published data set whose name was meant, such as `fashion_mnist` or `CIFAR10`.
fn meant(name: &str) -> Option<String> {
    let plain = |name: &str| -> String {
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase()
    };
    let set = CATALOG.iter().find(|set| plain(set.slug) == plain(name))?;
    Some(format!("did you mean {}?", set.slug))
}

/// The catalog's names: "a, b and c".
fn known() -> String {
    let slugs: Vec<&str> = CATALOG.iter().map(|set| set.slug).collect();
    slugs.split_last().map_or_else(String::new, |(last, rest)| format!("{} and {last}", rest.join(", ")))
}

/// A small number as a word.
pub(crate) fn count(n: usize) -> String {
    let words = ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten"];
    words.get(n).map_or_else(|| n.to_string(), |&word| word.to_owned())
}

fn listed(files: &[&str]) -> String {
    files.iter().map(|file| format!("{file}[.gz]")).collect::<Vec<_>>().join(", ")
}

fn dir(path: &Path) -> &Path {
    path.parent().unwrap_or(path)
}

/// An I/O error in lower case and without the operating system's number.
#[must_use]
pub fn reason(error: &io::Error) -> String {
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
