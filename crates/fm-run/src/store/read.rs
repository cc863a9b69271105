//! Reading files that anybody may name: regular ones alone, without waiting, and no more than a bound.
//!
//! A FIFO would block for ever and a device has no end.

use std::fs::{File, FileType};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use crate::error::{Error, Kind, Result};

/// The most bytes of a file of keys: a configuration, a grid.
pub const MAX_KEYS: u64 = 1 << 20;

/// The most bytes of a table: 10 million rows and more.
pub const MAX_TABLE: u64 = 1 << 30;

/// All bytes of the file at `path`.
///
/// # Errors
/// [`Kind::Io`] when it cannot be read, is no regular file, or has more than `limit` bytes.
pub fn read(path: &Path, limit: u64) -> Result<Vec<u8>> {
    bytes(path, limit).map_err(|e| Error::io("read", path, &e))
}

/// [`read`] with the system's own error.
///
/// # Errors
/// As [`read`].
pub(crate) fn bytes(path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    // A socket cannot be opened at all; the look at the opened file leaves no time for a swap.
    regular(std::fs::metadata(path)?.file_type())?;
    let file = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path)?;
    let metadata = file.metadata()?;
    regular(metadata.file_type())?;
    let mut bytes = Vec::new();
    if metadata.len() <= limit {
        bytes.try_reserve_exact(metadata.len() as usize)?;
        // A file may grow, and those in /proc have no length at all.
        file.take(limit + 1).read_to_end(&mut bytes)?;
    }
    if bytes.len() as u64 > limit || metadata.len() > limit {
        return Err(io::Error::other(format!("more than {limit} bytes, which is the limit for such a file")));
    }
    Ok(bytes)
}

/// [`read`] for a file of UTF-8 text.
///
/// # Errors
/// As [`read`], and when it is not text.
pub fn read_text(path: &Path, limit: u64) -> Result<String> {
    String::from_utf8(read(path, limit)?)
        .map_err(|_| Error::new(Kind::Io, format!("cannot read {}: it is not UTF-8 text", path.display())))
}

fn regular(kind: FileType) -> io::Result<()> {
    if kind.is_file() {
        return Ok(());
    }
    let what = match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(io::Error::other(format!("it is {what}, expected a file")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regular_files_within_the_limit_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a");
        super::super::write(&path, b"12345").unwrap();
        assert_eq!(read(&path, 5).unwrap(), b"12345");
        assert_eq!(read_text(&path, 5).unwrap(), "12345");
        let text = |path: &Path, limit| read(path, limit).unwrap_err().to_string();
        assert!(text(&path, 4).ends_with(": more than 4 bytes, which is the limit for such a file"));
        let fifo = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert!(text(&fifo, 5).ends_with("it is a FIFO, expected a file"));
        assert_eq!(text(Path::new("/dev/zero"), 5), "cannot read /dev/zero: it is a device, expected a file");
        assert!(text(dir.path(), 5).ends_with("it is a directory, expected a file"));
        assert_eq!(text(Path::new("/nowhere/x"), 5), "cannot read /nowhere/x: no such file or directory");
        // Endless, but a regular file whose length is 0.
        assert!(read(Path::new("/proc/self/maps"), 10).is_err());
        super::super::write(&path, b"\xFF").unwrap();
        assert!(read_text(&path, 5).unwrap_err().message().ends_with("it is not UTF-8 text"));
    }
}
