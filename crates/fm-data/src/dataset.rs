//! A whole data set in memory: found, read, and consistent in itself.
//!
//! The four files are read on a thread each (the training images take longest), then compared with each
//! other: as many labels as images, labels in range, test images of the training images' size and not the
//! training images themselves. What is odd but usable comes back in [`Dataset::warnings`].

use std::fmt;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::error::{DataError, HashDifference};
use crate::fetch;
use crate::name::{DatasetName, FILES};
use crate::read::{self, IdxFile};
use crate::source::{self, Located, Places};
use crate::verify::{Verification, Verify, verify};

/// How to find and check a data set.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadOptions {
    /// The directory with the files; without it, the usual places.
    pub data_dir: Option<PathBuf>,
    /// What to do about files that differ from the published ones.
    pub verify: Verify,
    /// Whether to download a known data set that is nowhere.
    pub download: bool,
    /// Whether a download shows a bar on stderr, if that is a terminal.
    pub progress: bool,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self { data_dir: None, verify: Verify::Warn, download: true, progress: true }
    }
}

/// Images and their labels, row by row.
#[derive(Clone, PartialEq, Eq)]
pub struct Labelled {
    /// Grey values, `[n, height, width]`, 0 to 255.
    pub images: Vec<u8>,
    /// Class indices, `[n]`.
    pub labels: Vec<u8>,
    /// Rows of an image, in pixels.
    pub height: usize,
    /// Columns of an image, in pixels.
    pub width: usize,
}

impl Labelled {
    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// Whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.labels.is_empty()
    }

    /// Image `i`, `[height, width]`.
    ///
    /// # Panics
    /// When `i` isn't less than [`len`](Self::len).
    #[must_use]
    pub fn image(&self, i: usize) -> &[u8] {
        let pixels = self.height * self.width;
        &self.images[i * pixels..(i + 1) * pixels]
    }

    /// The images and labels at `rows`, in that order.
    ///
    /// # Panics
    /// When a row isn't less than [`len`](Self::len).
    #[must_use]
    pub fn select(&self, rows: &[u32]) -> Self {
        Self {
            images: rows.iter().flat_map(|&row| self.image(row as usize)).copied().collect(),
            labels: rows.iter().map(|&row| self.labels[row as usize]).collect(),
            ..*self
        }
    }
}

impl fmt::Debug for Labelled {
    /// Without the pixels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Labelled({} images of {}x{})", self.len(), self.height, self.width)
    }
}

/// One of the four files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileInfo {
    /// Its name without `.gz`.
    pub name: &'static str,
    /// Where it was read.
    pub path: PathBuf,
    /// Of the decompressed file, in lower-case hexadecimal.
    pub sha256: String,
    /// Whether it is the published file.
    pub verification: Verification,
}

/// A data set that passed every check.
#[derive(Debug, Clone)]
pub struct Dataset {
    /// Which.
    pub name: DatasetName,
    /// Where its files lie.
    pub dir: PathBuf,
    /// By label.
    pub class_names: Vec<String>,
    /// Number of classes; every label is less.
    pub classes: usize,
    /// Rows of an image, in pixels.
    pub height: usize,
    /// Columns of an image, in pixels.
    pub width: usize,
    /// To train on.
    pub train: Labelled,
    /// To test on, last and once.
    pub test: Labelled,
    /// In the order of [`FILES`].
    pub files: Vec<FileInfo>,
    /// SHA-256 of four lines `<sha256 of the file>  <name>\n`, in the order of [`FILES`]: what `sha256sum`
    /// prints for the plain files, hashed.
    pub sha256: String,
    /// What the user should be told.
    pub warnings: Vec<String>,
}

/// Finds, reads and checks a data set; downloads a known one that is nowhere, if `options` allow it.
///
/// # Errors
/// See [`DataError`]: files that are missing, damaged or don't fit together.
pub fn load(name: &DatasetName, options: &LoadOptions) -> Result<Dataset, DataError> {
    let places = Places::of(name, options.data_dir.as_deref());
    load_from(name, options, &places, &fetch::mirrors(name))
}

/// [`load`] with the places to look in and the mirrors to download from given; `options.data_dir` is only
/// compared with `name`.
pub fn load_from(
    name: &DatasetName,
    options: &LoadOptions,
    places: &Places,
    mirrors: &[String],
) -> Result<Dataset, DataError> {
    let located = match (source::locate(name, places), &places.cache) {
        (Err(DataError::Missing { looked, .. }), Some(cache)) if options.download => {
            fetch::fetch(name, cache, mirrors, options.progress).map_err(|e| e.after(looked))?;
            source::locate(name, places)?
        }
        (found, _) => found?,
    };
    let mut data = read_all(name, located, options.verify)?;
    if let (DatasetName::Dir(own), Some(dir)) = (name, &options.data_dir) {
        data.warnings.push(format!("data set {} is read from {}", own.display(), dir.display()));
    }
    Ok(data)
}

fn read_all(name: &DatasetName, located: Located, mode: Verify) -> Result<Dataset, DataError> {
    let paths = located.files;
    let [train_images, train_labels, test_images, test_labels] = read_parallel(&paths)?;
    check_pair(&train_images, &paths[0], &train_labels, &paths[1])?;
    check_pair(&test_images, &paths[2], &test_labels, &paths[3])?;
    let size = |file: &IdxFile| (file.header.height, file.header.width);
    let (train_size, test_size) = (size(&train_images), size(&test_images));
    if train_size != test_size {
        let [train, _, test, _] = paths;
        return Err(DataError::SizesDiffer { train, train_size, test, test_size });
    }
    // Labels of a small set may well be the same twice; images never are.
    if train_images.sha256 == test_images.sha256 {
        let [train, _, test, _] = paths;
        return Err(DataError::Identical { train, test });
    }

    let class_names = class_names(name, &train_labels.payload);
    let classes = class_names.len();
    check_range(&train_labels, &paths[1], classes)?;
    check_range(&test_labels, &paths[3], classes)?;

    let hashes = [train_images.sha256, train_labels.sha256, test_images.sha256, test_labels.sha256];
    let sha256 = combined(&hashes);
    let files: Vec<FileInfo> = FILES
        .iter()
        .zip(paths)
        .zip(hashes)
        .enumerate()
        .map(|(i, (((file, _), path), sha256))| FileInfo {
            name: file,
            path,
            verification: verify(name, i, &sha256),
            sha256,
        })
        .collect();
    let mut warnings: Vec<String> = located
        .passed_over
        .iter()
        .map(|looked| format!("{looked}; using {}", located.dir.display()))
        .collect();
    warnings.extend(check_published(name, &located.dir, &files, mode)?);

    let (height, width) = train_size;
    let labelled = |images: Vec<u8>, labels: Vec<u8>| Labelled { images, labels, height, width };
    Ok(Dataset {
        name: name.clone(),
        dir: located.dir,
        class_names,
        classes,
        height,
        width,
        train: labelled(train_images.payload, train_labels.payload),
        test: labelled(test_images.payload, test_labels.payload),
        files,
        sha256,
        warnings,
    })
}

/// Of several bad files, the first in the order of [`FILES`] is reported, so that a message doesn't depend
/// on timing.
fn read_parallel(paths: &[PathBuf; 4]) -> Result<[IdxFile; 4], DataError> {
    let [a, b, c, d] = std::thread::scope(|scope| {
        let threads: [_; 4] =
            std::array::from_fn(|i| scope.spawn(move || read::read_path(&paths[i], FILES[i].1)));
        threads.map(|thread| thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
    });
    Ok([a?, b?, c?, d?])
}

fn check_pair(images: &IdxFile, i: &Path, labels: &IdxFile, l: &Path) -> Result<(), DataError> {
    let (n_images, n_labels) = (images.header.n, labels.header.n);
    if n_images == n_labels {
        return Ok(());
    }
    Err(DataError::CountsDiffer { images: i.to_owned(), n_images, labels: l.to_owned(), n_labels })
}

fn check_range(labels: &IdxFile, path: &Path, classes: usize) -> Result<(), DataError> {
    let mut all = labels.payload.iter().copied().enumerate();
    match all.find(|&(_, label)| usize::from(label) >= classes) {
        Some((index, label)) => {
            Err(DataError::LabelOutOfRange { path: path.to_owned(), label, index, classes })
        }
        None => Ok(()),
    }
}

/// The published names, or the numbers up to the largest training label.
fn class_names(name: &DatasetName, train_labels: &[u8]) -> Vec<String> {
    let numbered =
        || (0..=train_labels.iter().copied().max().unwrap_or(0)).map(|label| label.to_string()).collect();
    name.class_names().map_or_else(numbered, |names| names.map(str::to_owned).into())
}

fn combined(hashes: &[String; 4]) -> String {
    let mut hash = Sha256::new();
    for ((name, _), file) in FILES.iter().zip(hashes) {
        hash.update(format!("{file}  {name}\n"));
    }
    read::hex(&hash.finalize())
}

/// Returns a warning for files that differ, or in strict mode an error.
fn check_published(
    name: &DatasetName,
    dir: &Path,
    files: &[FileInfo],
    mode: Verify,
) -> Result<Option<String>, DataError> {
    let differing: Vec<HashDifference> = files
        .iter()
        .filter_map(|file| match file.verification {
            Verification::Differs { published, .. } => {
                Some(HashDifference { file: file.name, found: file.sha256.clone(), published })
            }
            _ => None,
        })
        .collect();
    if differing.is_empty() {
        let unknown = mode == Verify::Strict && files.iter().any(|f| f.verification == Verification::Unknown);
        let warning = || format!("{}: no published SHA-256 known, so nothing was verified", name.title());
        return Ok(unknown.then(warning));
    }
    let names: Vec<&str> = differing.iter().map(|d| d.file).collect();
    let names = names.join(", ");
    let error = DataError::HashDiffers { set: name.clone(), dir: dir.to_owned(), files: differing };
    if mode == Verify::Strict { Err(error) } else { Ok(Some(format!("{error}: {names}"))) }
}
