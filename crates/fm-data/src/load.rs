//! Loading a data set, with a download where it is nowhere on this machine.

use std::path::PathBuf;

use fm_images::{DataError, Dataset, DatasetName, FORMATS, Format, Places, Verify};

use crate::fetch;

/// How to find and check a data set.
#[derive(Debug, Clone)]
pub struct LoadOptions {
    /// The directory with the files; without it, the usual places.
    pub data_dir: Option<PathBuf>,
    /// What to do about files that differ from the published ones.
    pub verify: Verify,
    /// Whether to download a known data set that is nowhere.
    pub download: bool,
    /// Whether a download shows a bar on stderr, if that is a terminal.
    pub progress: bool,
    /// The formats that a directory is tried for.
    pub formats: Vec<&'static dyn Format>,
}

impl Default for LoadOptions {
    fn default() -> Self {
        Self {
            data_dir: None,
            verify: Verify::Warn,
            download: true,
            progress: true,
            formats: FORMATS.to_vec(),
        }
    }
}

/// Finds, reads and checks a data set; downloads a known one that is nowhere, if `options` allow it.
///
/// # Errors
/// See [`DataError`]: files that are missing, damaged or don't fit together.
pub fn load(name: &DatasetName, options: &LoadOptions) -> Result<Dataset, DataError> {
    let places = Places::of(name, options.data_dir.as_deref());
    load_from(name, options, &places, &fetch::mirrors(name))
}

/// [`load`] with the places to look in and the mirrors to download from given; `options.data_dir` is not
/// looked at.
pub fn load_from(
    name: &DatasetName,
    options: &LoadOptions,
    places: &Places,
    mirrors: &[String],
) -> Result<Dataset, DataError> {
    let here = || fm_images::load(name, places, &options.formats, options.verify);
    match (here(), &places.cache) {
        (Err(DataError::Missing { looked, .. }), Some(cache)) if options.download && !mirrors.is_empty() => {
            fetch::fetch(name, cache, mirrors, options.progress).map_err(|error| error.after(looked))?;
            here()
        }
        (result, _) => result,
    }
}
