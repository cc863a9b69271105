//! Where a data set's four files are.
//!
//! ```text
//! --data-dir │ FM_DATA_DIR │ a directory as data set ─▸ there, or an error
//! otherwise: data/<name> ─▸ <cache>/fm-exp/<name> ─▸ /usr/share/datasets/<name> ─▸ (fetch into the cache)
//! ```
//!
//! A place that was named is never passed over. Of the others, one that has some of the four files but not
//! all is passed over and reported. `<cache>` is `$XDG_CACHE_HOME`, or `~/.cache`.

use std::env;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::DataError;
use crate::name::{DatasetName, FILES};

/// The four files, in the order of [`FILES`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// The directory they are in.
    pub dir: PathBuf,
    /// Each with or without `.gz`; plain wins where both are there.
    pub files: [PathBuf; 4],
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
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dir = self.dir.display();
        match self.lacks.len() {
            _ if !self.exists => write!(f, "looked in {dir}: no such directory"),
            4 => write!(f, "looked in {dir}: none of the four files"),
            _ => write!(f, "looked in {dir}: lacks {}", self.lacks.join(", ")),
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
        let (None, Some(slug)) = (&named, set.slug()) else {
            return Self { named, ..Self::default() };
        };
        let cache = cache.map(|dir| dir.join("fm-exp").join(slug));
        let usual = [
            Some(Path::new("data").join(slug)),
            cache.clone(),
            Some(Path::new("/usr/share/datasets").join(slug)),
        ];
        Self { named, usual: usual.into_iter().flatten().collect(), cache }
    }
}

/// Finds the four files of `set`.
///
/// # Errors
/// [`DataError::Missing`] with every place looked in; [`DataError::Unreadable`] for a place that exists and
/// can't be looked into.
pub fn locate(set: &DatasetName, places: &Places) -> Result<Located, DataError> {
    let mut looked = Vec::new();
    for dir in places.named.as_ref().map_or(&places.usual[..], std::slice::from_ref) {
        match look(dir)? {
            Ok(files) => {
                let passed_over =
                    looked.into_iter().filter(|l: &Looked| l.lacks.len() < FILES.len()).collect();
                return Ok(Located { dir: dir.clone(), files, passed_over });
            }
            Err(place) => looked.push(place),
        }
    }
    let files = match &looked[..] {
        [only] if places.named.is_some() => only.lacks.clone(),
        _ => FILES.iter().map(|(name, _)| *name).collect(),
    };
    Err(DataError::Missing { set: set.clone(), files, looked })
}

fn look(dir: &Path) -> Result<Result<[PathBuf; 4], Looked>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: dir.to_owned(), source };
    let mut files = [const { None }; 4];
    for (file, (name, _)) in files.iter_mut().zip(FILES) {
        for candidate in [dir.join(name), dir.join(format!("{name}.gz"))] {
            if file.is_none() && exists(&candidate).map_err(unreadable)? {
                *file = Some(candidate);
            }
        }
    }
    let lacks: Vec<_> =
        FILES.iter().zip(&files).filter(|(_, f)| f.is_none()).map(|((name, _), _)| *name).collect();
    match files {
        [Some(a), Some(b), Some(c), Some(d)] => Ok(Ok([a, b, c, d])),
        _ => Ok(Err(Looked { dir: dir.to_owned(), exists: dir.is_dir(), lacks })),
    }
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
