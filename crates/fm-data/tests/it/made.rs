//! Made data sets in temporary directories.

use std::io::Write;
use std::path::{Path, PathBuf};

use fm_data::{DataError, Dataset, DatasetName, FILES, LoadOptions, Verify, idx};

/// Sixty training and thirty test images of 4×3 in three classes, in the order of [`FILES`].
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

/// A directory with a made data set.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        for ((name, _), bytes) in FILES.iter().zip(files()) {
            place.put(name, &bytes);
        }
        place
    }

    pub(crate) fn dir(&self) -> &Path {
        self.dir.path()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir().join(name)
    }

    pub(crate) fn put(&self, name: &str, bytes: &[u8]) {
        write(&self.path(name), bytes);
    }

    pub(crate) fn load(&self) -> Result<Dataset, DataError> {
        fm_data::load(&DatasetName::Dir(self.dir().to_owned()), &LoadOptions::default())
    }

    pub(crate) fn load_as(&self, name: &DatasetName, verify: Verify) -> Result<Dataset, DataError> {
        let data_dir = Some(self.dir().to_owned());
        fm_data::load(name, &LoadOptions { data_dir, verify, ..LoadOptions::default() })
    }
}
