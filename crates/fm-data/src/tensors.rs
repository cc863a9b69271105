//! Images and labels on a device, and batches of them.
//!
//! ```text
//! Labelled ─ once ─▸ u8 [n, C, H, W] and i64 [n] ─ rows ─▸ gather ─▸ cut ─▸ f32 ─▸ × 1/255 ─▸ [b, C, h, w]
//! ```
//!
//! Bytes stay bytes until a batch needs them: 55 MB for 70,000 images of 28×28 instead of 220, and a quarter
//! of the memory traffic. Every step runs on the device and none waits for it. A byte becomes the number that
//! [`fm_images::pixel`] says, on every device.

use fm_images::{Labelled, PIXEL_SCALE};
use tch::{Device, Kind, TchError, Tensor};

/// A labelled set on a device.
#[derive(Debug)]
pub struct Resident {
    images: Tensor,
    labels: Tensor,
    /// [`PIXEL_SCALE`], as a tensor on the device.
    scale: Tensor,
}

impl Resident {
    /// Copies `data` to `device`.
    ///
    /// # Errors
    /// When the device has no room.
    pub fn new(data: &Labelled, device: Device) -> Result<Self, TchError> {
        let size = [data.len(), data.channels, data.height, data.width].map(|n| n as i64);
        Ok(Self {
            images: Tensor::f_from_data_size(&data.images, &size, Kind::Uint8)?.f_to_device(device)?,
            labels: Tensor::f_from_slice(&data.labels)?.f_to_device(device)?.f_to_kind(Kind::Int64)?,
            scale: Tensor::f_from_slice(&[PIXEL_SCALE])?.f_squeeze()?.f_to_device(device)?,
        })
    }

    /// Number of images.
    #[must_use]
    pub fn len(&self) -> usize {
        self.labels.size()[0] as usize
    }

    /// Whether there are no images.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// All images as bytes, `u8 [n, channels, height, width]`, on the device.
    pub const fn images(&self) -> &Tensor {
        &self.images
    }

    /// All labels, `i64 [n]`, on the device.
    pub const fn labels(&self) -> &Tensor {
        &self.labels
    }

    /// The images at `rows`, `f32 [b, channels, h, w]` from 0 to 1, and their labels, `i64 [b]`.
    ///
    /// `rows` is `i64 [b]` on the same device, every row less than [`len`](Self::len): a GPU can't say
    /// otherwise without stopping the process. `crop` is the height and width of the top-left part to keep,
    /// at most the images' own.
    ///
    /// # Errors
    /// When a shape, type or device doesn't fit, or memory is short.
    pub fn batch(&self, rows: &Tensor, crop: (i64, i64)) -> Result<(Tensor, Tensor), TchError> {
        let images = self.images.f_index_select(0, rows)?.f_narrow(2, 0, crop.0)?.f_narrow(3, 0, crop.1)?;
        let images = images.f_to_kind(Kind::Float)?.f_mul_(&self.scale)?;
        Ok((images, self.labels.f_index_select(0, rows)?))
    }
}

#[cfg(test)]
mod tests {
    use fm_images::pixel;

    use super::*;

    /// Three images of 2×3 whose pixels count up by 10.
    fn resident() -> Resident {
        let images = (0..18).map(|i| i * 10).collect();
        let data = Labelled { images, labels: vec![4, 5, 6], channels: 1, height: 2, width: 3 };
        Resident::new(&data, Device::Cpu).unwrap()
    }

    #[test]
    fn a_batch_is_gathered_cut_and_scaled() {
        let data = resident();
        let rows = Tensor::from_slice(&[2i64, 0]);
        let (images, labels) = data.batch(&rows, (2, 2)).unwrap();
        assert_eq!(images.size(), [2, 1, 2, 2]);
        assert_eq!((images.kind(), labels.kind()), (Kind::Float, Kind::Int64));
        assert!(images.is_contiguous());
        let values = Vec::<f32>::try_from(images.view(-1)).unwrap();
        assert_eq!(values, [120, 130, 150, 160, 0, 10, 30, 40].map(pixel));
        assert_eq!(Vec::<i64>::try_from(labels).unwrap(), [6, 4]);
        // The stored bytes are as they were.
        assert_eq!(data.images().sum(Kind::Int64).int64_value(&[]), (0..18).map(|i| i * 10).sum::<i64>());
    }

    #[test]
    fn planes_are_cut_each() {
        // Two images of three planes of 2×2.
        let data =
            Labelled { images: (0..24).collect(), labels: vec![0, 1], channels: 3, height: 2, width: 2 };
        let data = Resident::new(&data, Device::Cpu).unwrap();
        assert_eq!(data.images().size(), [2, 3, 2, 2]);
        let (images, _) = data.batch(&Tensor::from_slice(&[1i64]), (2, 1)).unwrap();
        assert_eq!(images.size(), [1, 3, 2, 1]);
        let values = Vec::<f32>::try_from(images.contiguous().view(-1)).unwrap();
        assert_eq!(values, [12, 14, 16, 18, 20, 22].map(pixel));
    }

    /// To the bit, and not the quotient: see [`fm_images::pixel`].
    #[test]
    fn every_byte_is_exactly_the_pixel_that_kernels_see() {
        let images: Vec<u8> = (0..=255).collect();
        let data = Labelled { images, labels: vec![0], channels: 1, height: 16, width: 16 };
        let (batch, _) =
            Resident::new(&data, Device::Cpu).unwrap().batch(&Tensor::from_slice(&[0i64]), (16, 16)).unwrap();
        let values = Vec::<f32>::try_from(batch.view(-1)).unwrap();
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<_>>();
        assert_eq!(bits(values), bits((0..=255).map(pixel).collect()));
    }

    #[test]
    fn a_bad_crop_or_row_is_an_error() {
        let data = resident();
        assert!(data.batch(&Tensor::from_slice(&[0i64]), (3, 3)).is_err());
        assert!(data.batch(&Tensor::from_slice(&[3i64]), (2, 3)).is_err());
    }
}
