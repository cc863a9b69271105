//! Labelled images in a device's memory.

use std::sync::Arc;

use crate::driver::Buffer;
use crate::error::{Error, below, length};
use crate::gpu::Gpu;

/// Images as bytes, and their classes; shared by all that train on them.
#[derive(Debug)]
pub struct Data {
    pub(crate) images: Buffer<u8>,
    pub(crate) labels: Buffer<u8>,
    rows: usize,
}

impl Data {
    /// Copies `images` (`[row][channel][height][width]`, `size` bytes a row) and `labels`, one a row, to the device.
    ///
    /// # Errors
    /// When there is not a label for each image, one is not below `classes`, or the device has no room.
    pub fn new(
        gpu: &Gpu,
        images: &[u8],
        labels: &[u8],
        size: usize,
        classes: usize,
    ) -> Result<Arc<Self>, Error> {
        length("images (bytes)", images.len(), labels.len() * size)?;
        below("class", labels, classes)?;
        Ok(Arc::new(Self {
            images: Buffer::of(&gpu.stream, images)?,
            labels: Buffer::of(&gpu.stream, labels)?,
            rows: labels.len(),
        }))
    }

    /// How many images.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }
}
