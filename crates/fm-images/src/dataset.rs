//! A whole data set in memory: found, read, and consistent in itself.
//!
//! The files are read on a thread each (the training images take longest), then compared with each other: as
//! many labels as images, labels in range, images of one size, and test images that are not training images.
//! What is odd but usable comes back in [`Dataset::warnings`].

use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use crate::assemble::{self, ReadFile};
use crate::classes;
use crate::error::{DataError, HashDifference};
use crate::format::{Format, Part};
use crate::input;
use crate::labelled::{ImageShape, Labelled};
use crate::name::DatasetName;
use crate::read;
use crate::source::{self, Located, Places};
use crate::verify::{Verification, Verify, verify};

/// One of a data set's files.
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
    /// Planes of an image: 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Rows of an image, in pixels.
    pub height: usize,
    /// Columns of an image, in pixels.
    pub width: usize,
    /// To train on.
    pub train: Labelled,
    /// To test on, last and once.
    pub test: Labelled,
    /// Every file that was read, in the format's order.
    pub files: Vec<FileInfo>,
    /// SHA-256 of a line `<sha256 of the file>  <name>\n` for each of `files`: what `sha256sum` prints for
    /// the plain files, hashed.
    pub sha256: String,
    /// Warnings for the user.
    pub warnings: Vec<String>,
}

impl Dataset {
    /// Of every image.
    #[must_use]
    pub const fn shape(&self) -> ImageShape {
        ImageShape { channels: self.channels, height: self.height, width: self.width }
    }
}

/// Finds, reads and checks a data set on this machine; a directory may be of any of `formats`.
///
/// # Errors
/// See [`DataError`]: files that are missing, damaged or don't fit together.
///
/// # Panics
/// When a format gives other content than its files' roles say.
pub fn load(
    name: &DatasetName,
    places: &Places,
    formats: &[&'static dyn Format],
    mode: Verify,
) -> Result<Dataset, DataError> {
    let located = source::locate(name, places, formats)?;
    let mut data = read_all(name, located, mode)?;
    if let (DatasetName::Dir(own), Some(dir)) = (name, &places.named)
        && own != dir
    {
        data.warnings.push(format!("data set {} is read from {}", own.display(), dir.display()));
    }
    Ok(data)
}

fn read_all(name: &DatasetName, located: Located, mode: Verify) -> Result<Dataset, DataError> {
    let Located { format, dir, files: paths, passed_over } = located;
    let mut warnings: Vec<String> =
        passed_over.iter().map(|looked| format!("{looked}; using {}", dir.display())).collect();
    let parts = read_parallel(format, &paths)?;
    let files = infos(name, format, &paths, &parts);
    let specs = format.files().iter().copied();
    let read = specs.zip(paths).zip(parts).map(|((spec, path), part)| ReadFile { spec, path, part });
    let halves = assemble::pair(read.collect())?;
    let shape = halves.check()?;

    let counted = halves.largest_train_label() + 1;
    let fixed = name.class_names().or_else(|| format.class_names());
    let fixed = fixed.map(|names| names.iter().map(|&name| name.to_owned()).collect());
    let class_names = match fixed.or_else(|| halves.class_names.clone()) {
        Some(names) => {
            let unused = dir.join(classes::FILE);
            if unused.exists() {
                let of = name.published().map_or(format.name(), |set| set.title);
                warnings.push(format!("{} is not used: {of} names its classes itself", unused.display()));
            }
            names
        }
        None => classes::beside(&dir, counted)?
            .unwrap_or_else(|| (0..counted).map(|label| label.to_string()).collect()),
    };
    halves.check_range(class_names.len())?;

    warnings.extend(check_published(name, &dir, &files, mode)?);
    let ImageShape { channels, height, width } = shape;
    let (train, test) = halves.into_labelled(shape);
    if name.published().is_none() {
        warnings.extend(odd_classes(&train.labels, &class_names));
    }
    Ok(Dataset {
        name: name.clone(),
        dir,
        classes: class_names.len(),
        class_names,
        channels,
        height,
        width,
        train,
        test,
        sha256: combined(&files),
        files,
        warnings,
    })
}

/// What the training labels leave out, if anything.
fn odd_classes(labels: &[u8], names: &[String]) -> Option<String> {
    let mut counts = vec![0_usize; names.len()];
    for &label in labels {
        counts[usize::from(label)] += 1;
    }
    let missing: Vec<usize> = (0..names.len()).filter(|&class| counts[class] == 0).collect();
    match &missing[..] {
        [] if names.len() == 1 => {
            Some("the training labels have one class: there is nothing to tell apart".to_owned())
        }
        [] => None,
        [0] => Some(
            "no training image has label 0; do the labels begin at 1? `fm-exp import` counts them from 0"
                .to_owned(),
        ),
        [only] => Some(format!("no training image has label {only} ({})", names[*only])),
        [first, .., last] => Some(format!(
            "no training image has any of {} labels, from {first} to {last}; `fm-exp import` numbers classes without gaps",
            missing.len()
        )),
    }
}

/// Of several bad files, the first in the format's order is reported, so that a message doesn't depend on
/// timing.
fn read_parallel(format: &dyn Format, paths: &[PathBuf]) -> Result<Vec<Part>, DataError> {
    let read = |index: usize, path: &Path| {
        let input = input::open(path, format.a_file())?;
        format.read(&format.files()[index], input).map_err(|error| error.at(path))
    };
    let parts: Vec<Result<Part, DataError>> = std::thread::scope(|scope| {
        let read = &read;
        // Where there can be no more threads, this one reads.
        let mut started = Vec::with_capacity(paths.len());
        for (i, path) in paths.iter().enumerate() {
            let thread = std::thread::Builder::new().spawn_scoped(scope, move || read(i, path));
            started.push(thread.map_err(|_| read(i, path)));
        }
        let finish = |thread: Result<std::thread::ScopedJoinHandle<'_, _>, _>| match thread {
            Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
            Err(read) => read,
        };
        started.into_iter().map(finish).collect()
    });
    parts.into_iter().collect()
}

fn infos(name: &DatasetName, format: &dyn Format, paths: &[PathBuf], parts: &[Part]) -> Vec<FileInfo> {
    let files = format.files().iter().zip(paths).zip(parts).enumerate();
    files
        .map(|(index, ((spec, path), Part { sha256, .. }))| FileInfo {
            name: spec.name,
            path: path.clone(),
            sha256: sha256.clone(),
            verification: verify(name, index, sha256),
        })
        .collect()
}

fn combined(files: &[FileInfo]) -> String {
    let mut hash = Sha256::new();
    for file in files {
        hash.update(format!("{}  {}\n", file.sha256, file.name));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_that_leave_classes_out() {
        let says = |labels: &[u8], n: usize| {
            odd_classes(labels, &(0..n).map(|i| format!("c{i}")).collect::<Vec<_>>()).unwrap_or_default()
        };
        assert_eq!(says(&[0, 2, 1], 3), "");
        assert!(says(&[1, 2], 3).starts_with("no training image has label 0; do the labels begin at 1?"));
        assert_eq!(says(&[0, 2], 3), "no training image has label 1 (c1)");
        assert!(says(&[0, 9], 10).starts_with("no training image has any of 8 labels, from 1 to 8"));
        assert!(says(&[0, 0], 1).contains("one class"));
    }
}
