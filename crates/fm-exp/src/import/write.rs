//! The data set's files, written as images come.

use std::path::Path;

use fm_data::{Half, ImageShape, idx};
use fm_run::store::{self, Growing};

use crate::error::{Error, Kind, Result};

/// Bytes that wait for the disk.
const BUFFER: usize = 1 << 20;

/// Both halves on their way to the disk.
#[derive(Debug)]
pub(crate) struct Writer {
    halves: [Images; 2],
}

#[derive(Debug)]
struct Images {
    file: Growing,
    waiting: Vec<u8>,
    labels: Vec<u8>,
    shape: ImageShape,
}

impl Writer {
    /// Creates the files of images in `dir`, for at most so many of each half.
    ///
    /// # Errors
    /// When they would be larger than a file may be, or cannot be created.
    pub(crate) fn new(dir: &Path, shape: ImageShape, most: [usize; 2]) -> Result<Self> {
        let limit = idx::PAYLOAD_LIMIT;
        if let Some(n) = most.into_iter().find(|&n| (n * shape.len()) as u64 > limit) {
            let text = format!("{n} images of {shape} are more than the 1 GiB that a file may hold");
            return Err(Error::new(Kind::Data, text).help("choose a smaller --size, or --grey"));
        }
        let ranks = if shape.channels == 1 { 3 } else { 4 };
        let images = |name: &str| -> Result<Images> {
            let mut file = store::create(&dir.join(format!("{name}-images-idx{ranks}-ubyte")))?;
            file.append(&idx::images_header(0, shape))?;
            Ok(Images { file, waiting: Vec::with_capacity(2 * BUFFER), labels: Vec::new(), shape })
        };
        Ok(Self { halves: [images("train")?, images("t10k")?] })
    }

    /// Adds an image.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn add(&mut self, half: Half, pixels: &[u8], label: u8) -> Result<()> {
        let images = &mut self.halves[usize::from(half == Half::Test)];
        images.waiting.extend_from_slice(pixels);
        images.labels.push(label);
        if images.waiting.len() >= BUFFER {
            images.file.append(&images.waiting)?;
            images.waiting.clear();
        }
        Ok(())
    }

    /// Writes what is left: the counts, the labels and the class names.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn finish(self, dir: &Path, classes: &[String]) -> Result<()> {
        for (mut images, name) in self.halves.into_iter().zip(["train", "t10k"]) {
            images.file.note(&idx::images_header(images.labels.len(), images.shape))?;
            // Brings the count to the disk as well.
            images.file.append(&images.waiting)?;
            store::write(
                &dir.join(format!("{name}-labels-idx1-ubyte")),
                &idx::encode_labels(&images.labels),
            )?;
        }
        let names = classes.join("\n") + "\n";
        store::write(&dir.join(fm_data::CLASSES_FILE), names.as_bytes())
    }
}
