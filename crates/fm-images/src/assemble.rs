//! A format's files, read one by one, become two sets of labelled images that fit together.

use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::format::{Content, FileSpec, Half, Part, Role};
use crate::labelled::{ImageShape, Labelled};

/// A file and what it held.
pub(crate) struct ReadFile {
    pub(crate) spec: FileSpec,
    pub(crate) path: PathBuf,
    pub(crate) part: Part,
}

/// Images and as many labels, from two files or one.
struct Unit {
    images_path: PathBuf,
    labels_path: PathBuf,
    pixels: Vec<u8>,
    shape: ImageShape,
    labels: Vec<u8>,
    /// Of the file with the images.
    sha256: String,
}

/// What all files together hold.
pub(crate) struct Halves {
    train: Vec<Unit>,
    test: Vec<Unit>,
    /// From a file among the format's own.
    pub(crate) class_names: Option<Vec<String>>,
}

/// Puts images and labels together.
///
/// # Errors
/// When there are not as many labels as images.
pub(crate) fn pair(files: Vec<ReadFile>) -> Result<Halves, DataError> {
    let (mut train, mut test, mut class_names) = (Vec::new(), Vec::new(), None);
    for file in files {
        match (file.spec.role, file.part.content) {
            (Role::ClassNames, Content::ClassNames(names)) => class_names = Some(names),
            (role, content) => {
                let half = if role.half() == Some(Half::Train) { &mut train } else { &mut test };
                half.push((role, file.path, content, file.part.sha256));
            }
        }
    }
    Ok(Halves { train: units(train)?, test: units(test)?, class_names })
}

type Piece = (Role, PathBuf, Content, String);

fn units(pieces: Vec<Piece>) -> Result<Vec<Unit>, DataError> {
    let (mut units, mut images, mut labels) = (Vec::new(), Vec::new(), Vec::new());
    for (role, path, content, sha256) in pieces {
        match (role, content) {
            (Role::Records(_), Content::Records { pixels, shape, labels }) => {
                units.push(Unit {
                    images_path: path.clone(),
                    labels_path: path,
                    pixels,
                    shape,
                    labels,
                    sha256,
                });
            }
            (Role::Images(_), Content::Images { pixels, shape }) => {
                images.push((path, pixels, shape, sha256));
            }
            (Role::Labels(_), Content::Labels(all)) => labels.push((path, all)),
            (role, _) => panic!("{} is not read as its role {role:?} says", path.display()),
        }
    }
    assert_eq!(images.len(), labels.len(), "the format has as many files of images as of labels");
    for ((images_path, pixels, shape, sha256), (labels_path, labels)) in images.into_iter().zip(labels) {
        let (n_images, n_labels) = (pixels.len() / shape.len(), labels.len());
        if n_images != n_labels {
            let (images, labels) = (images_path, labels_path);
            return Err(DataError::CountsDiffer { images, n_images, labels, n_labels });
        }
        units.push(Unit { images_path, labels_path, pixels, shape, labels, sha256 });
    }
    assert!(!units.is_empty(), "the format has images in both halves");
    Ok(units)
}

impl Halves {
    fn all(&self) -> impl Iterator<Item = &Unit> {
        self.train.iter().chain(&self.test)
    }

    /// The shape of every image.
    ///
    /// # Errors
    /// When there are several, or when test images are training images.
    pub(crate) fn check(&self) -> Result<ImageShape, DataError> {
        let Unit { shape: train_shape, images_path: train, .. } = &self.train[0];
        if let Some(other) = self.all().find(|unit| unit.shape != *train_shape) {
            let (path, shape) = (other.images_path.clone(), other.shape);
            return Err(DataError::SizesDiffer {
                train: train.clone(),
                train_shape: *train_shape,
                path,
                shape,
            });
        }
        // Labels of a small set may well be the same twice; images never are.
        for test in &self.test {
            if let Some(train) = self.train.iter().find(|train| train.sha256 == test.sha256) {
                let (train, test) = (train.images_path.clone(), test.images_path.clone());
                return Err(DataError::Identical { train, test });
            }
        }
        Ok(*train_shape)
    }

    pub(crate) fn largest_train_label(&self) -> usize {
        let labels = self.train.iter().flat_map(|unit| &unit.labels);
        labels.max().copied().map_or(0, usize::from)
    }

    /// # Errors
    /// For a label that is not less than `classes`.
    pub(crate) fn check_range(&self, classes: usize) -> Result<(), DataError> {
        self.all().try_for_each(|unit| check_range(&unit.labels, &unit.labels_path, classes))
    }

    /// What to train on and what to test on.
    pub(crate) fn into_labelled(self, shape: ImageShape) -> (Labelled, Labelled) {
        (join(self.train, shape), join(self.test, shape))
    }
}

fn check_range(labels: &[u8], path: &Path, classes: usize) -> Result<(), DataError> {
    let mut all = labels.iter().copied().enumerate();
    match all.find(|&(_, label)| usize::from(label) >= classes) {
        Some((index, label)) => {
            Err(DataError::LabelOutOfRange { path: path.to_owned(), label, index, classes })
        }
        None => Ok(()),
    }
}

/// One after the other; a single one is not copied.
fn join(units: Vec<Unit>, shape: ImageShape) -> Labelled {
    let more: usize = units.iter().skip(1).map(|unit| unit.pixels.len()).sum();
    let mut units = units.into_iter();
    let Some(Unit { mut pixels, mut labels, .. }) = units.next() else {
        return Labelled::new(Vec::new(), Vec::new(), shape);
    };
    pixels.reserve_exact(more);
    for unit in units {
        pixels.extend_from_slice(&unit.pixels);
        labels.extend_from_slice(&unit.labels);
    }
    Labelled::new(pixels, labels, shape)
}
