//! Made data sets in temporary directories.

use std::path::{Path, PathBuf};

use fm_images::formats::IDX;
use fm_images::{DataError, Dataset, DatasetName, FORMATS, Format, Places, Verify};

use crate::files::write;
pub(crate) use crate::files::{files, gzip};

/// A directory with a made data set.
pub(crate) struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    /// Four made IDX files.
    pub(crate) fn new() -> Self {
        let place = Self::empty();
        for (file, bytes) in IDX.files().iter().zip(files()) {
            place.put(file.name, &bytes);
        }
        place
    }

    pub(crate) fn empty() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
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
        self.load_as(&DatasetName::Dir(self.dir().to_owned()), Verify::Warn)
    }

    pub(crate) fn load_as(&self, name: &DatasetName, verify: Verify) -> Result<Dataset, DataError> {
        fm_images::load(name, &Places::of(name, Some(self.dir())), FORMATS, verify)
    }

    /// Fails with `message`, which has `{}` where the path of `file` stands.
    #[track_caller]
    pub(crate) fn fails_at(&self, file: &str, message: &str) -> DataError {
        let error = self.load().unwrap_err();
        assert_eq!(error.to_string(), message.replace("{}", &self.path(file).display().to_string()));
        error
    }
}
