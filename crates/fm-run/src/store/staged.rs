//! A directory that appears whole or not at all: filled beside its place under another name, then renamed.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::atomic;
use crate::error::{Error, Kind, Result};
use crate::fault;

/// How names of directories begin that are not in their place yet.
const TEMPORARY: &str = ".tmp-fm-dir-";

/// The file in such a directory that its writer holds a lock on, so that what a killed one has left can be told
/// from what is being filled.
const LOCK: &str = ".lock";

/// A directory that is being filled. Dropped without [`commit`](Self::commit), it is removed.
#[derive(Debug)]
pub struct Staged {
    place: PathBuf,
    dir: TempDir,
    lock: File,
}

impl Staged {
    /// A new directory beside `place`, whose parents are created. What writers that were killed have left there is
    /// removed.
    ///
    /// # Errors
    /// When `place` is there and is no empty directory, or nothing can be created beside it.
    pub fn new(place: &Path) -> Result<Self> {
        refuse_filled(place)?;
        let above = place.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        atomic::create_dir(above)?;
        sweep(above);
        let make = || {
            fault::disk()?;
            let mut builder = tempfile::Builder::new();
            // As for any directory that one creates: the umask decides, not tempfile's 0700.
            let mode = <fs::Permissions as std::os::unix::fs::PermissionsExt>::from_mode(0o777);
            let dir = builder.prefix(TEMPORARY).permissions(mode).tempdir_in(above)?;
            fault::disk()?;
            let lock = File::options().write(true).create_new(true).open(dir.path().join(LOCK))?;
            lock.try_lock().map_err(std::io::Error::from)?;
            Ok((dir, lock))
        };
        let (dir, lock) = make().map_err(|e| Error::io("create a directory in", above, &e))?;
        Ok(Self { place: place.to_owned(), dir, lock })
    }

    /// Where to put the files.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Puts the directory in its place.
    ///
    /// # Errors
    /// When something has come there meanwhile, or it cannot be renamed; then nothing is left.
    pub fn commit(self) -> Result<()> {
        let Self { place, dir, lock } = self;
        let put = || {
            fault::disk()?;
            fs::remove_file(dir.path().join(LOCK))?;
            fault::disk()?;
            // Takes the place of an empty directory and of nothing else.
            fs::rename(dir.path(), &place)
        };
        put().map_err(|e| Error::io("create", &place, &e))?;
        drop(lock);
        // The name that it would remove is there no more.
        let _ = dir.keep();
        Ok(())
    }
}

fn refuse_filled(place: &Path) -> Result<()> {
    let filled = match fs::read_dir(place) {
        Ok(mut entries) => entries.next().is_some(),
        Err(_) => place.symlink_metadata().is_ok(),
    };
    if !filled {
        return Ok(());
    }
    Err(Error::new(Kind::Mismatch, format!("{} is there and not empty", place.display()))
        .help("choose another directory with --out, or remove it"))
}

/// Removes directories in `above` whose writers were killed.
fn sweep(above: &Path) {
    let Ok(entries) = fs::read_dir(above) else { return };
    let left = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(TEMPORARY));
    for path in left.filter(|e| e.file_type().is_ok_and(|kind| kind.is_dir())).map(|e| e.path()) {
        // Without the file, its writer has just created it or is about to rename it.
        let lock = atomic::not_through_links().write(true).open(path.join(LOCK));
        if lock.is_ok_and(|lock| lock.try_lock().is_ok()) {
            let _ = fs::remove_dir_all(&path);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_or_not_at_all() {
        let above = tempfile::tempdir().unwrap();
        let place = above.path().join("a/b");
        let names = |dir: &Path| {
            let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|e| e.unwrap().file_name()).collect();
            names.sort();
            names
        };
        let staged = Staged::new(&place).unwrap();
        super::super::write(&staged.path().join("x"), b"1").unwrap();
        assert!(!place.exists());
        drop(staged);
        assert!(names(place.parent().unwrap()).is_empty());

        fs::create_dir(&place).unwrap();
        let staged = Staged::new(&place).unwrap();
        super::super::write(&staged.path().join("x"), b"1").unwrap();
        staged.commit().unwrap();
        assert_eq!((names(&place), names(place.parent().unwrap())), (vec!["x".into()], vec!["b".into()]));
        let error = Staged::new(&place).unwrap_err();
        assert_eq!((error.exit_code(), error.message().ends_with("is there and not empty")), (7, true));
    }

    #[test]
    fn what_a_killed_writer_left_goes_and_what_is_being_filled_stays() {
        let above = tempfile::tempdir().unwrap();
        let filling = Staged::new(&above.path().join("a")).unwrap();
        let left = above.path().join(format!("{TEMPORARY}x"));
        fs::create_dir(&left).unwrap();
        super::super::write(&left.join(LOCK), b"").unwrap();
        let other = Staged::new(&above.path().join("b")).unwrap();
        assert!(!left.exists() && filling.path().exists() && other.path().exists());
    }
}
