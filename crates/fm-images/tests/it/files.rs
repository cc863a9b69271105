//! The bytes of made files.

use std::io::Write;
use std::path::Path;

use fm_images::idx;

/// Sixty training and thirty test images of 4×3 in three classes, in the order of the IDX format's files.
pub(crate) fn files() -> [Vec<u8>; 4] {
    let pixels = |n: usize, salt: usize| (0..n * 12).map(|i| (i * 37 + salt) as u8).collect::<Vec<_>>();
    let labels = |n: u8| (0..n).map(|i| i % 3).collect::<Vec<_>>();
    [
        idx::encode_images(&pixels(60, 0), 60, 4, 3),
        idx::encode_labels(&labels(60)),
        idx::encode_images(&pixels(30, 5), 30, 4, 3),
        idx::encode_labels(&labels(30)),
    ]
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[expect(clippy::disallowed_methods, reason = "made data needs no crash safety")]
pub(crate) fn write(path: &Path, bytes: &[u8]) {
    std::fs::write(path, bytes).unwrap();
}
