//! The one writer of files. A file is either what it was or what it is to be, never half of it: written
//! beside its place under another name, brought to the disk, renamed, and the directory brought to the disk.
//! The exception grows row by row ([`Growing`]), and on resume the checkpoint records its valid length.
//!
//! Every operation asks [`fault::disk`] first, so that tests can let each of them fail.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;
use tempfile::NamedTempFile;

use crate::error::{Error, Result};
use crate::fault;

/// How names of files begin that are not in their place yet. Their writers hold a lock on them, so that what
/// a killed one has left can be told from what is being written.
const TEMPORARY: &str = ".tmp-fm-";

/// Puts `bytes` at `path`, replacing what is there.
///
/// # Errors
/// When the directory cannot be written, or the disk is full; then `path` is what it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes).map_err(|e| Error::io("write", path, &e))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = match path.parent() {
        Some(dir) if !dir.as_os_str().is_empty() => dir,
        _ => Path::new("."),
    };
    fault::disk()?;
    sweep(dir);
    let mut file = temporary(dir)?;
    fault::disk()?;
    file.write_all(bytes)?;
    fault::disk()?;
    file.as_file().sync_all()?;
    fault::disk()?;
    file.persist(path)?;
    sync_dir(dir)
}

/// A new file in `dir` that [`sweep`] takes for one in use.
fn temporary(dir: &Path) -> io::Result<NamedTempFile> {
    loop {
        let file = tempfile::Builder::new()
            .prefix(TEMPORARY)
            // As for any file that one creates: the umask decides, not tempfile's 0600.
            .permissions(Permissions::from_mode(0o666))
            .tempfile_in(dir)?;
        // A sweeper that came between creating and locking it has removed it, or is about to. Where files
        // cannot be locked, sweepers cannot lock them either and leave them alone.
        let swept = matches!(file.as_file().try_lock(), Err(TryLockError::WouldBlock))
            || file.as_file().metadata()?.nlink() == 0;
        if !swept {
            return Ok(file);
        }
    }
}

/// Brings a directory's names to the disk.
fn sync_dir(dir: &Path) -> io::Result<()> {
    fault::disk()?;
    has_no_sync(File::open(dir)?.sync_all())
}

/// Some file systems cannot bring a directory to the disk (FUSE, CIFS): they order their changes themselves, or
/// not at all, and there is nothing to be done about it.
fn has_no_sync(synced: io::Result<()>) -> io::Result<()> {
    synced.or_else(|e| match e.raw_os_error() {
        Some(libc::EINVAL | libc::ENOTSUP | libc::ENOSYS) => Ok(()),
        _ => Err(e),
    })
}

/// The error of a lock that could not be had, though nobody holds it.
pub(super) fn no_lock(path: &Path, error: &io::Error) -> Error {
    let failed = Error::io("lock", path, error);
    match error.raw_os_error() {
        Some(libc::ENOLCK | libc::ENOTSUP | libc::ENOSYS | libc::EINVAL) => failed
            .note("this file system has no locks, without which two runs could write the same files")
            .help("choose another place with --out, or mount it with locks (NFS: lockd on both ends, or local_lock=flock)"),
        _ => failed,
    }
}

/// Creates a directory and those above it, where they are not there yet.
///
/// # Errors
/// When it cannot be created.
pub fn create_dir(dir: &Path) -> Result<()> {
    let make = || {
        if dir.is_dir() {
            return Ok(());
        }
        fault::disk()?;
        fs::create_dir_all(dir)?;
        // `a` lies in no named directory, but in the current one.
        let above = dir.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        sync_dir(above)
    };
    make().map_err(|e| Error::io("create", dir, &e))
}

/// Removes what writers that were killed have left in `dir`, and nothing that is being written.
pub(super) fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let left = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(TEMPORARY));
    for path in left.filter(|e| e.file_type().is_ok_and(|kind| kind.is_file())).map(|e| e.path()) {
        // The lock is held while the file is removed: nobody can begin to use it meanwhile.
        if let Ok(file) = not_through_links().write(true).open(&path)
            && file.try_lock().is_ok()
        {
            let _ = fs::remove_file(&path);
        }
    }
}

/// Opens files themselves, and none that a symbolic link leads to: a link in a run's directory must not make a
/// file elsewhere a file of the run.
pub(super) fn not_through_links() -> OpenOptions {
    let mut options = File::options();
    options.custom_flags(OFlags::NOFOLLOW.bits().cast_signed());
    options
}

/// A file that grows row by row.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    file: File,
}

/// Puts an empty file at `path`, in place of what is there, for those that grow row by row.
///
/// # Errors
/// When it cannot be created.
pub fn create(path: &Path) -> Result<Growing> {
    replace(path, b"").map_err(|e| Error::io("create", path, &e))?;
    resume(path, 0)
}

/// Opens the file at `path` to continue after its first `len` bytes; what follows them is cut off.
///
/// # Errors
/// When it cannot be opened, or is shorter.
pub fn resume(path: &Path, len: u64) -> Result<Growing> {
    let open = || {
        fault::disk()?;
        let mut file = not_through_links().read(true).write(true).open(path)?;
        let found = file.metadata()?.len();
        if found < len {
            let text = format!("has {found} bytes of {len}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        fault::disk()?;
        file.set_len(len)?;
        file.seek(io::SeekFrom::End(0))?;
        Ok(Growing { path: path.to_owned(), file })
    };
    open().map_err(|e| Error::io("resume", path, &e))
}

impl Growing {
    /// Adds `bytes` at the end and brings them to the disk. After an error some of them may be there.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn append(&mut self, bytes: &[u8]) -> Result<()> {
        let Self { path, file } = self;
        let mut add = || {
            if let Err(error) = fault::disk() {
                // As on a disk that fills up: a part arrives.
                file.write_all(&bytes[..bytes.len() / 2])?;
                return Err(error);
            }
            file.write_all(bytes)?;
            fault::disk()?;
            file.sync_data()
        };
        add().map_err(|e| Error::io("write", path, &e))
    }

    /// Replaces the first bytes. They are not brought to the disk: they outlive the process, not the machine.
    ///
    /// # Errors
    /// When they cannot be written.
    pub fn note(&self, bytes: &[u8]) -> Result<()> {
        let put = || fault::disk().and_then(|()| self.file.write_all_at(bytes, 0));
        put().map_err(|e| Error::io("write", &self.path, &e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replaces_whole_and_leaves_nothing_beside() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        write(&path, b"old").unwrap();
        write(&path, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_system_without_directory_sync_or_locks() {
        let failed = |errno| Err(io::Error::from_raw_os_error(errno));
        for errno in [libc::EINVAL, libc::ENOTSUP, libc::ENOSYS] {
            assert!(has_no_sync(failed(errno)).is_ok());
        }
        assert!(has_no_sync(failed(libc::EIO)).is_err() && has_no_sync(failed(libc::ENOSPC)).is_err());
        for errno in [libc::ENOLCK, libc::EOPNOTSUPP, libc::ENOSYS] {
            let error = no_lock(Path::new("/x/.lock"), &io::Error::from_raw_os_error(errno));
            assert!(
                error.exit_code() == 4 && error.to_string().contains("help: choose another place with --out")
            );
        }
        assert!(
            !no_lock(Path::new("/x"), &io::Error::from_raw_os_error(libc::EIO)).to_string().contains("--out")
        );
    }

    #[test]
    fn what_a_killed_writer_left_goes_and_what_is_being_written_stays() {
        let dir = tempfile::tempdir().unwrap();
        let writing = temporary(dir.path()).unwrap();
        let left = dir.path().join(format!("{TEMPORARY}x1Y2z3"));
        let others = dir.path().join(".tmp-of-somebody-else");
        for path in [&left, &others] {
            drop(File::options().write(true).create_new(true).open(path).unwrap());
        }
        write(&dir.path().join("a.csv"), b"new").unwrap();
        assert!(!left.exists() && others.exists() && writing.path().exists());
    }

    #[test]
    fn files_that_grow_take_the_place_of_links() {
        let dir = tempfile::tempdir().unwrap();
        let (letter, path) = (dir.path().join("letter.txt"), dir.path().join("epochs.csv"));
        write(&letter, b"dear sir").unwrap();
        std::os::unix::fs::symlink(&letter, &path).unwrap();
        create(&path).unwrap().append(b"row").unwrap();
        assert_eq!(
            (fs::read(&letter).unwrap(), fs::read(&path).unwrap()),
            (b"dear sir".into(), b"row".into())
        );
    }

    #[test]
    fn names_the_path_that_failed() {
        let error = write(Path::new("/proc/none/a.csv"), b"").unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(error.message().contains("/proc/none/a.csv"), "{error}");
    }

    #[test]
    #[cfg(debug_assertions)]
    fn old_or_new_whichever_operation_fails() {
        use fault::armed::{Fault, arm};
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a.csv");
        let mut seen = Vec::new();
        for n in 1..=6 {
            write(&path, b"old").unwrap();
            arm(Some((Fault::NoSpace, n)));
            let result = write(&path, b"newer");
            arm(None);
            seen.push((result.is_ok(), fs::read_to_string(&path).unwrap()));
            assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1, "operation {n} left a file");
        }
        // Create, write, sync and rename leave the old; a directory that is not synced holds the new.
        let old = (false, "old".to_owned());
        let new = |ok| (ok, "newer".to_owned());
        assert_eq!(seen, [old.clone(), old.clone(), old.clone(), old, new(false), new(true)]);
    }
}
