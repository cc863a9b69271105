//! What the kernels train.

use crate::Error;

/// A chain of convolution blocks and dense layers.
///
/// Each block is a 3x3 valid convolution with bias, ReLU and a 2x2 floor max-pooling. The hidden dense layers have a
/// ReLU each; the last one gives the class scores.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Network {
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Channels of an image: 1 or 3.
    pub channels: usize,
    /// Output channels of each block.
    pub conv: Vec<usize>,
    /// Widths of the dense layers; the last one is the number of classes.
    pub dense: Vec<usize>,
}

/// Most blocks, and most dense layers.
pub(crate) const MOST_LAYERS: usize = 8;

impl Network {
    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.dense.last().copied().unwrap_or(0)
    }

    /// Bytes of an image.
    #[must_use]
    pub fn pixels(&self) -> usize {
        self.channels * self.height * self.width
    }

    /// Height and width behind each block.
    ///
    /// # Errors
    /// [`Error::Network`] when a block would be empty.
    pub fn maps(&self) -> Result<Vec<(usize, usize)>, Error> {
        // Geometry does not depend on the image's channels: it is that of the CPU kernels' network.
        let Self { height, width, conv, dense, .. } = self.clone();
        fm_kernels::Network { height, width, conv, dense }.maps().map_err(|error| match error {
            fm_kernels::Error::Network(why) => Error::Network(why),
            error => Error::Network(error.to_string()),
        })
    }

    /// Refuses what the kernels do not compute.
    ///
    /// # Errors
    /// [`Error::Unsupported`] or [`Error::Network`] with the reason.
    pub fn check(&self) -> Result<(), Error> {
        let unsupported = |why: &str| Err(Error::Unsupported(why.to_owned()));
        if self.channels != 1 && self.channels != 3 {
            return Err(Error::Unsupported(format!("images of {} channels", self.channels)));
        }
        if self.conv.is_empty() {
            return unsupported("at least one convolution block is needed");
        }
        if self.dense.is_empty() {
            return Err(Error::Network("no dense layer".to_owned()));
        }
        if self.conv.contains(&0) || self.dense.contains(&0) {
            return Err(Error::Network("a layer of width zero".to_owned()));
        }
        if self.conv.len() > MOST_LAYERS || self.dense.len() > MOST_LAYERS {
            return unsupported("more than 8 convolution blocks or 8 dense layers");
        }
        if !(2..=256).contains(&self.classes()) {
            return unsupported("from 2 to 256 classes");
        }
        if self.height > 96 || self.width > 96 {
            return unsupported("images larger than 96x96");
        }
        if self.conv.iter().any(|&c| c > 512) || self.dense.iter().any(|&w| w > 2048) {
            return unsupported("more than 512 channels or 2,048 units in a layer");
        }
        self.maps().map(drop)
    }
}
