//! Images with their labels, in memory.

use std::fmt;

/// The shape of an image; its bytes are one plane per channel, each row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ImageShape {
    /// Planes: 1 for grey, 3 for red, green and blue in that order.
    pub channels: usize,
    /// Rows, in pixels.
    pub height: usize,
    /// Columns, in pixels.
    pub width: usize,
}

impl ImageShape {
    /// Bytes of an image.
    #[must_use]
    pub const fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether an image has no bytes.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }
}

impl fmt::Display for ImageShape {
    /// `28x28` for grey images, `32x32x3` for others.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.height, self.width)?;
        if self.channels == 1 { Ok(()) } else { write!(f, "x{}", self.channels) }
    }
}

/// Images and their labels, row by row.
#[derive(Clone, PartialEq, Eq)]
pub struct Labelled {
    /// `[n, channels, height, width]`, 0 to 255.
    pub images: Vec<u8>,
    /// Class indices, `[n]`.
    pub labels: Vec<u8>,
    /// Planes of an image: 1 for grey, 3 for red, green and blue.
    pub channels: usize,
    /// Rows of an image, in pixels.
    pub height: usize,
    /// Columns of an image, in pixels.
    pub width: usize,
}

impl Labelled {
    /// Images `[n, channels, height, width]` of `shape` and labels `[n]`.
    ///
    /// # Panics
    /// When there are not as many bytes as labels and shape say.
    #[must_use]
    pub fn new(images: Vec<u8>, labels: Vec<u8>, shape: ImageShape) -> Self {
        assert_eq!(images.len(), labels.len() * shape.len(), "{} images of {shape}", labels.len());
        let ImageShape { channels, height, width } = shape;
        Self { images, labels, channels, height, width }
    }

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

    /// Of every image.
    #[must_use]
    pub const fn shape(&self) -> ImageShape {
        ImageShape { channels: self.channels, height: self.height, width: self.width }
    }

    /// Image `i`, `[channels, height, width]`.
    ///
    /// # Panics
    /// When `i` isn't less than [`len`](Self::len).
    #[must_use]
    pub fn image(&self, i: usize) -> &[u8] {
        let len = self.shape().len();
        &self.images[i * len..(i + 1) * len]
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
        write!(f, "Labelled({} images of {})", self.len(), self.shape())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_all_its_planes() {
        let shape = ImageShape { channels: 3, height: 1, width: 2 };
        let set = Labelled::new((0..18).collect(), vec![0, 1, 2], shape);
        assert_eq!(set.image(1), [6, 7, 8, 9, 10, 11]);
        let some = set.select(&[2, 0]);
        assert_eq!((&some.images[..3], &some.labels[..]), (&[12, 13, 14][..], &[2, 0][..]));
        assert_eq!(some.shape(), shape);
    }

    #[test]
    fn shapes_in_words() {
        assert_eq!(ImageShape { channels: 1, height: 28, width: 27 }.to_string(), "28x27");
        assert_eq!(ImageShape { channels: 3, height: 32, width: 31 }.to_string(), "32x31x3");
    }
}
