//! Where a data set's files are, and in which format.
//!
//! ```text
//! --data-dir │ FM_DATA_DIR │ a directory as data set ─▸ there, or an error
//! otherwise: data/<folder> ─▸ <cache>/fm-exp/<folder> ─▸ /usr/share/datasets/<folder> ─▸ (a download)
//! ```
//!
//! A place that was named is never passed over. Of the others, one that has some of the files but not all is
//! passed over and reported. `<cache>` is `$XDG_CACHE_HOME`, or `~/.cache`; `<folder>` is the name, or `emnist`
//! for all of EMNIST. A published data set has one format, a directory is tried for each.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{DataError, count};
use crate::format::Format;
use crate::name::DatasetName;

/// A data set's files.
#[derive(Debug, Clone)]
pub struct Located {
    /// How they are written.
    pub format: &'static dyn Format,
    /// The directory they are in.
    pub dir: PathBuf,
    /// In the format's order, each with or without `.gz`; plain wins where both are there.
    pub files: Vec<PathBuf>,
    /// Places before it that had some of the files.
    pub passed_over: Vec<Looked>,
}

/// A place that was looked at in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Looked {
    /// The directory.
    pub dir: PathBuf,
    /// Whether it is there.
    pub exists: bool,
    /// Names of the files that it lacks.
    pub lacks: Vec<&'static str>,
    /// How many files there should be.
    pub of: usize,
}

impl Looked {
    const fn has_none(&self) -> bool {
        self.lacks.len() == self.of
    }
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.dir.display();
        if !self.exists {
            write!(f, "looked in {dir}: no such directory")
        } else if self.has_none() {
            write!(f, "looked in {dir}: none of the {} files", count(self.of))
        } else {
            write!(f, "looked in {dir}: lacks {}", self.lacks.join(", "))
        }
    }
}

/// Where to look, worked out once from the options and the environment.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Places {
    /// The one place that was named.
    pub named: Option<PathBuf>,
    /// The usual places, best first; of no use when one was named.
    pub usual: Vec<PathBuf>,
    /// Where a download goes; one of the usual places.
    pub cache: Option<PathBuf>,
}

impl Places {
    /// The places for `set`, with `data_dir` from the command line. Relative ones start from the current
    /// directory.
    #[must_use]
    pub fn of(set: &DatasetName, data_dir: Option<&Path>) -> Self {
        let path = |key| env::var_os(key).filter(|value| !value.is_empty()).map(PathBuf::from);
        // The XDG specification has relative paths ignored.
        let absolute = |path: &PathBuf| path.is_absolute();
        let home_cache = || path("HOME").map(|home| home.join(".cache")).filter(absolute);
        let cache = path("XDG_CACHE_HOME").filter(absolute).or_else(home_cache);
        Self::from_parts(set, data_dir, path("FM_DATA_DIR"), cache)
    }

    fn from_parts(
        set: &DatasetName,
        data_dir: Option<&Path>,
        variable: Option<PathBuf>,
        cache: Option<PathBuf>,
    ) -> Self {
        // A directory as data set is the more particular wish than the environment's.
        let own = if let DatasetName::Dir(dir) = set { Some(dir.clone()) } else { None };
        let named = data_dir.map(Path::to_owned).or(own).or(variable);
        let (None, Some(published)) = (&named, set.published()) else {
            return Self { named, ..Self::default() };
        };
        let folder = published.folder;
        let cache = cache.map(|dir| dir.join("fm-exp").join(folder));
        let usual = [
            Some(Path::new("data").join(folder)),
            cache.clone(),
            Some(Path::new("/usr/share/datasets").join(folder)),
        ];
        Self { named, usual: usual.into_iter().flatten().collect(), cache }
    }
}

/// Finds the files of `set`; a directory may be of any of `formats`.
///
/// # Errors
/// [`DataError::Missing`] with every place looked in; [`DataError::Ambiguous`] for a directory with files of
/// several data sets; [`DataError::Unreadable`] for a place that exists and can't be looked into.
pub fn locate(
    set: &DatasetName,
    places: &Places,
    formats: &[&'static dyn Format],
) -> Result<Located, DataError> {
    let own = set.published().map(|set| set.format);
    let formats = own.as_ref().map_or(formats, std::slice::from_ref);
    let mut looked: Vec<Looked> = Vec::new();
    for place in places.named.as_ref().map_or(&places.usual[..], std::slice::from_ref) {
        match look_for_any(place, formats)? {
            Ok((format, Found { dir, files })) => {
                let passed_over = looked.into_iter().filter(|place| !place.has_none()).collect();
                return Ok(Located { format, dir, files, passed_over });
            }
            Err(place) => looked.push(place),
        }
    }
    let files = match &looked[..] {
        [only] if places.named.is_some() => only.lacks.clone(),
        _ => formats.first().map_or_else(Vec::new, |format| format.files().iter().map(|f| f.name).collect()),
    };
    Err(DataError::Missing { set: set.clone(), files, looked })
}

/// All files of a format.
struct Found {
    dir: PathBuf,
    files: Vec<PathBuf>,
}

/// The one format whose files are all in `place`, or what lacks to the one that most files are there of.
fn look_for_any(
    place: &Path,
    formats: &[&'static dyn Format],
) -> Result<Result<(&'static dyn Format, Found), Looked>, DataError> {
    let (mut whole, mut nearest) = (Vec::new(), None::<Looked>);
    let present = |looked: &Looked| looked.of - looked.lacks.len();
    for &format in formats {
        match look(place, format)? {
            Ok(found) => whole.push((format, found)),
            Err(looked) => {
                if nearest.as_ref().is_none_or(|nearest| present(&looked) > present(nearest)) {
                    nearest = Some(looked);
                }
            }
        }
    }
    if whole.len() > 1 {
        let formats = whole.iter().map(|(format, _)| format.name()).collect();
        return Err(DataError::Ambiguous { dir: place.to_owned(), formats });
    }
    let nothing = || Looked { dir: place.to_owned(), exists: place.is_dir(), lacks: Vec::new(), of: 0 };
    Ok(whole.pop().ok_or_else(|| nearest.unwrap_or_else(nothing)))
}

/// All files of `format`, in `place` or in the folder there that the format's archive has.
fn look(place: &Path, format: &dyn Format) -> Result<Result<Found, Looked>, DataError> {
    let here = look_in(place, format)?;
    let folder = format.folder().map(|folder| place.join(folder)).filter(|folder| folder.is_dir());
    let (Err(looked), Some(folder)) = (&here, folder) else { return Ok(here) };
    let there = look_in(&folder, format)?;
    let is_nearer = there.as_ref().is_ok() || looked.has_none();
    Ok(if is_nearer { there } else { here })
}

fn look_in(dir: &Path, format: &dyn Format) -> Result<Result<Found, Looked>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: dir.to_owned(), source };
    let (mut files, mut lacks) = (Vec::new(), Vec::new());
    for file in format.files() {
        let plain = dir.join(file.name);
        let packed = dir.join(format!("{}.gz", file.name));
        if exists(&plain).map_err(unreadable)? {
            files.push(plain);
        } else if exists(&packed).map_err(unreadable)? {
            files.push(packed);
        } else {
            lacks.push(file.name);
        }
    }
    if lacks.is_empty() {
        return Ok(Ok(Found { dir: dir.to_owned(), files }));
    }
    Ok(Err(Looked { dir: dir.to_owned(), exists: dir.is_dir(), lacks, of: format.files().len() }))
}

fn exists(path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(_) => Ok(true),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
#[path = "source_tests.rs"]
mod tests;
