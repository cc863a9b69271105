//! Architecture specifications: the strings that users type and files carry.
//!
//! `cnn` and `encoder-mlp` are the notebook's networks for 28×28 images. `cnn@32x48` is the same stack of
//! layers for images 32 pixels high and 48 wide; its first dense layer is larger accordingly. Every
//! specification prints back to the string that it was parsed from.

use std::fmt;
use std::str::FromStr;

use thiserror::Error;

/// The image size that a specification without `@` means: Fashion-MNIST's.
const NOTEBOOK_SIZE: (usize, usize) = (28, 28);

/// A family of networks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Arch {
    /// Three convolution blocks (32, 64, 64 filters) and dense layers of 128 and one unit per class.
    Cnn,
    /// Two convolution blocks (32, 64 filters) as encoder; dense layers of 64, 32 and one per class.
    EncoderMlp,
}

impl Arch {
    /// Every architecture, in the order of the documentation.
    pub const ALL: [Arch; 2] = [Arch::Cnn, Arch::EncoderMlp];

    /// The name that users type.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Arch::Cnn => "cnn",
            Arch::EncoderMlp => "encoder-mlp",
        }
    }

    /// Filters of each convolution block (3×3 valid convolution, ReLU, 2×2 max-pool).
    pub(crate) fn filters(self) -> &'static [usize] {
        match self {
            Arch::Cnn => &[32, 64, 64],
            Arch::EncoderMlp => &[32, 64],
        }
    }

    /// Units of the dense layers before the last, which has one unit per class.
    pub(crate) fn hidden(self) -> &'static [usize] {
        match self {
            Arch::Cnn => &[128],
            Arch::EncoderMlp => &[64, 32],
        }
    }
}

/// An architecture for one image size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ArchSpec {
    /// The family.
    pub arch: Arch,
    /// Image height in pixels.
    pub height: usize,
    /// Image width in pixels.
    pub width: usize,
}

impl ArchSpec {
    /// `arch` for 28×28 images.
    #[must_use]
    pub fn notebook(arch: Arch) -> Self {
        Self { arch, height: NOTEBOOK_SIZE.0, width: NOTEBOOK_SIZE.1 }
    }

    /// The smallest image side for which no layer is left without a pixel: 22 for `cnn`, 10 for
    /// `encoder-mlp`.
    #[must_use]
    pub fn min_side(self) -> usize {
        self.arch.filters().iter().fold(1, |side, _| 2 * side + 2)
    }
}

impl fmt::Display for ArchSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.arch.name())?;
        if (self.height, self.width) != NOTEBOOK_SIZE {
            write!(f, "@{}x{}", self.height, self.width)?;
        }
        Ok(())
    }
}

/// Why a string is not an architecture.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum SpecError {
    /// No architecture has this name.
    #[error("unknown arch '{0}'")]
    Unknown(String),
    /// What follows `@` is not HEIGHTxWIDTH.
    #[error("'{0}' is not an image size, expected HEIGHTxWIDTH such as 32x32")]
    Size(String),
    /// The image would vanish inside the network, or is absurdly large.
    #[error("{arch} takes images with sides of {min} to {max} pixels, got {height}x{width}")]
    OutOfRange {
        /// The architecture's name.
        arch: &'static str,
        /// Smallest side.
        min: usize,
        /// Largest side.
        max: usize,
        /// The height asked for.
        height: usize,
        /// The width asked for.
        width: usize,
    },
}

/// Past this the first dense layer alone would have hundreds of millions of weights.
const MAX_SIDE: usize = 1024;

impl FromStr for ArchSpec {
    type Err = SpecError;

    fn from_str(text: &str) -> Result<Self, SpecError> {
        let (name, size) = text.split_once('@').map_or((text, None), |(name, size)| (name, Some(size)));
        let arch = Arch::ALL
            .into_iter()
            .find(|arch| arch.name() == name)
            .ok_or_else(|| SpecError::Unknown(name.to_owned()))?;
        let mut spec = Self::notebook(arch);
        if let Some(size) = size {
            let parsed = size.split_once('x').and_then(|(h, w)| Some((h.parse().ok()?, w.parse().ok()?)));
            (spec.height, spec.width) = parsed.ok_or_else(|| SpecError::Size(size.to_owned()))?;
            let (min, max) = (spec.min_side(), MAX_SIDE);
            if !(min..=max).contains(&spec.height) || !(min..=max).contains(&spec.width) {
                let (height, width) = (spec.height, spec.width);
                return Err(SpecError::OutOfRange { arch: arch.name(), min, max, height, width });
            }
        }
        Ok(spec)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_back_what_it_parsed() {
        for text in ["cnn", "encoder-mlp", "cnn@32x48", "encoder-mlp@10x10"] {
            assert_eq!(text.parse::<ArchSpec>().unwrap().to_string(), text);
        }
        assert_eq!("cnn@28x28".parse::<ArchSpec>().unwrap().to_string(), "cnn");
    }

    #[test]
    fn refuses_with_the_reason() {
        let error = |text: &str| text.parse::<ArchSpec>().unwrap_err().to_string();
        assert_eq!(error("cn"), "unknown arch 'cn'");
        assert_eq!(error("cnn@32"), "'32' is not an image size, expected HEIGHTxWIDTH such as 32x32");
        assert_eq!(error("cnn@21x28"), "cnn takes images with sides of 22 to 1024 pixels, got 21x28");
        assert_eq!(
            error("encoder-mlp@9x28"),
            "encoder-mlp takes images with sides of 10 to 1024 pixels, got 9x28"
        );
    }
}
