//! The one writer of files. A file is either what it was or what it is to be, never half of it: written
//! beside its place under another name, brought to the disk, renamed, and the directory brought to the disk.
//! The exception grows row by row ([`Growing`]), and on resume the checkpoint records its valid length.
//!
//! Every operation asks [`fault::disk`] first, so that tests can let each of them fail.

use std::fs::{self, File, Permissions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};
use crate::fault;

/// How names of files begin that are not in their place yet.
const TEMPORARY: &str = ".tmp-";

/// Puts `bytes` at `path`, replacing what is there.
///
/// # Errors
/// When the directory cannot be written, or the disk is full; then `path` is what it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes).map_err(|e| Error::io("write", path, &e))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    fault::disk()?;
    let mut file = tempfile::Builder::new()
        .prefix(TEMPORARY)
        // As for any file that one creates: the umask decides, not tempfile's 0600.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(dir)?;
    fault::disk()?;
    file.write_all(bytes)?;
    fault::disk()?;
    file.as_file().sync_all()?;
    fault::disk()?;
    file.persist(path)?;
    sync_dir(dir)
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

/// Removes what a writer that was killed has left in `dir`. Nobody else may be writing there.
pub(super) fn sweep(dir: &Path) {
    let Ok(entries) = fs::read_dir(dir) else { return };
    let left = entries.flatten().filter(|e| e.file_name().to_string_lossy().starts_with(TEMPORARY));
    for entry in left {
        let _ = fs::remove_file(entry.path());
    }
}

/// A file that grows row by row.
#[derive(Debug)]
pub struct Growing {
    path: PathBuf,
    file: File,
}

/// Creates or empties the file at `path`, for those that grow row by row.
///
/// # Errors
/// When it cannot be created.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn create(path: &Path) -> Result<Growing> {
    let make = || {
        fault::disk()?;
        let file = File::create(path)?;
        sync_dir(path.parent().unwrap_or(Path::new(".")))?;
        Ok(Growing { path: path.to_owned(), file })
    };
    make().map_err(|e| Error::io("create", path, &e))
}

/// Opens the file at `path` to continue after its first `len` bytes; what follows them is cut off. Says whether
/// anything was.
///
/// # Errors
/// When it cannot be opened, or is shorter.
pub fn resume(path: &Path, len: u64) -> Result<(Growing, bool)> {
    let open = || {
        fault::disk()?;
        let mut file = File::options().read(true).write(true).open(path)?;
        let found = file.metadata()?.len();
        if found < len {
            let text = format!("has {found} bytes, the checkpoint knows {len}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        fault::disk()?;
        file.set_len(len)?;
        file.seek(io::SeekFrom::End(0))?;
        Ok((Growing { path: path.to_owned(), file }, found > len))
    };
    open().map_err(|e| Error::io("resume", path, &e).help("start again with --overwrite"))
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
