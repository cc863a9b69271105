//! Made images: 8×8, in three classes, each with a bright band of its own.

use std::path::Path;

use fm_images::{ImageShape, Labelled};
use fm_run::error::Result;
use fm_run::store;

use crate::pixels;

const SHAPE: ImageShape = ImageShape { channels: 1, height: 8, width: 8 };
const CLASSES: usize = 3;

/// Writes 96 images to train on and 30 to test on.
pub(crate) fn write(dir: &Path) -> Result<()> {
    for (name, n, offset) in [("train.pixels", 96, 0), ("test.pixels", 30, 7)] {
        store::write(&dir.join(name), pixels::encode(&images(n, offset)).as_bytes())?;
    }
    Ok(())
}

fn images(n: usize, offset: usize) -> Labelled {
    let pixel = |i: usize, p: usize| {
        let noise = (i * 31 + p * 17 + offset) % 90;
        let bright = p / SHAPE.width * CLASSES / SHAPE.height == i % CLASSES;
        (noise + if bright { 120 } else { 20 }) as u8
    };
    let pixels = (0..n).flat_map(|i| (0..SHAPE.len()).map(move |p| pixel(i, p))).collect();
    Labelled::new(pixels, (0..n).map(|i| (i % CLASSES) as u8).collect(), SHAPE)
}
