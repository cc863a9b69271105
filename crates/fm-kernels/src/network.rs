//! The public description of a network and its geometry.

use crate::Error;

/// A chain of convolution blocks and dense layers on grey images of one size.
///
/// Each block is a 3x3 valid convolution with bias, ReLU and a 2x2 floor max-pooling. The hidden
/// dense layers have a ReLU each; the last one gives the class scores.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Network {
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
    /// Output channels of each block.
    pub conv: Vec<usize>,
    /// Widths of the dense layers; the last one is the number of classes.
    pub dense: Vec<usize>,
}

impl Network {
    /// Three blocks of 32, 64 and 64 channels, and dense layers of 128 and `classes`.
    #[must_use]
    pub fn cnn(height: usize, width: usize, classes: usize) -> Self {
        Self { height, width, conv: vec![32, 64, 64], dense: vec![128, classes] }
    }

    /// Two blocks of 32 and 64 channels, and dense layers of 64, 32 and `classes`.
    #[must_use]
    pub fn encoder_mlp(height: usize, width: usize, classes: usize) -> Self {
        Self { height, width, conv: vec![32, 64], dense: vec![64, 32, classes] }
    }

    /// Number of classes.
    #[must_use]
    pub fn classes(&self) -> usize {
        self.dense.last().copied().unwrap_or(0)
    }

    /// Height and width behind each block.
    ///
    /// # Errors
    /// [`Error::Network`] when a block would be empty.
    pub fn maps(&self) -> Result<Vec<(usize, usize)>, Error> {
        let (mut height, mut width) = (self.height, self.width);
        let mut maps = Vec::with_capacity(self.conv.len());
        for block in 1..=self.conv.len() {
            if height < 4 || width < 4 {
                return Err(Error::Network(format!("block {block} gets only {height}x{width} pixels")));
            }
            (height, width) = ((height - 2) / 2, (width - 2) / 2);
            maps.push((height, width));
        }
        Ok(maps)
    }

    /// Number of features behind the blocks: the length of one code.
    ///
    /// # Errors
    /// [`Error::Network`] when a block would be empty.
    pub fn features(&self) -> Result<usize, Error> {
        let maps = self.maps()?;
        let (height, width) = maps.last().copied().unwrap_or((self.height, self.width));
        Ok(height * width * self.conv.last().copied().unwrap_or(1))
    }

    /// Number of parameters.
    ///
    /// # Errors
    /// [`Error::Network`] when a block would be empty.
    pub fn parameters(&self) -> Result<usize, Error> {
        let mut inputs = 1;
        let mut count = 0;
        for &channels in &self.conv {
            count += channels * (inputs * 9 + 1);
            inputs = channels;
        }
        inputs = self.features()?;
        for &width in &self.dense {
            count += width * (inputs + 1);
            inputs = width;
        }
        Ok(count)
    }

    /// Refuses what the kernels cannot run.
    ///
    /// # Errors
    /// [`Error::Unsupported`] or [`Error::Network`] with the reason.
    pub fn check(&self) -> Result<(), Error> {
        let unsupported = |why: &str| Err(Error::Unsupported(why.to_owned()));
        if self.conv.is_empty() {
            return unsupported("at least one convolution block is needed");
        }
        if self.dense.is_empty() {
            return Err(Error::Network("no dense layer".to_owned()));
        }
        if self.conv.contains(&0) || self.dense.contains(&0) {
            return Err(Error::Network("a layer of width zero".to_owned()));
        }
        if !(2..=256).contains(&self.classes()) {
            return unsupported("from 2 to 256 classes");
        }
        if self.height > 1024 || self.width > 1024 {
            return unsupported("images larger than 1024x1024");
        }
        if self.conv.iter().any(|&c| c > 1024) || self.dense.iter().any(|&w| w > 1 << 16) {
            return unsupported("more than 1024 channels or 65,536 units in a layer");
        }
        if self.parameters()? > 1 << 27 {
            return unsupported("more than 2^27 parameters");
        }
        Ok(())
    }
}
