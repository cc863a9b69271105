//! The one writer of files. A file is either what it was or what it is to be, never half of it: written
//! beside its place under another name, brought to the disk, renamed, and the directory brought to the disk.

use std::fs::{File, Permissions};
use std::io::{self, Seek, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use crate::error::{Error, Result};

/// How names of files that are being written begin.
pub(super) const PREFIX: &str = ".tmp-";

/// Puts `bytes` at `path`, replacing what is there.
///
/// # Errors
/// When the directory cannot be written, or the disk is full; then `path` is what it was.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes).map_err(|e| Error::io("write", path, &e))
}

fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let dir = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new()
        .prefix(PREFIX)
        // As for any file that one creates: the umask decides, not tempfile's 0600.
        .permissions(Permissions::from_mode(0o666))
        .tempfile_in(dir)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path)?;
    File::open(dir)?.sync_all()
}

/// Creates or empties the file at `path`, for those that grow row by row.
///
/// # Errors
/// When it cannot be created.
#[expect(clippy::disallowed_methods, reason = "the one place that may")]
pub fn create(path: &Path) -> Result<File> {
    File::create(path).map_err(|e| Error::io("create", path, &e))
}

/// Opens the file at `path` to go on after its first `len` bytes; what follows them is cut off. Says whether
/// anything was.
///
/// # Errors
/// When it cannot be opened, or is shorter.
pub fn resume(path: &Path, len: u64) -> Result<(File, bool)> {
    let open = || {
        let mut file = File::options().read(true).write(true).open(path)?;
        let found = file.metadata()?.len();
        if found < len {
            let text = format!("has {found} bytes, the checkpoint knows {len}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        file.set_len(len)?;
        file.seek(io::SeekFrom::End(0))?;
        Ok((file, found > len))
    };
    open().map_err(|e| Error::io("go on with", path, &e))
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
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 1);
    }

    #[test]
    fn names_the_path_that_failed() {
        let error = write(Path::new("/proc/none/a.csv"), b"").unwrap_err();
        assert_eq!(error.exit_code(), 4);
        assert!(error.message().contains("/proc/none/a.csv"), "{error}");
    }
}
