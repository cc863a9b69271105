//! A file's bytes on their way into a format: opened with care, gzip undone, within limits, hashed.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use crate::error::DataError;
use crate::idx::IdxKind;
use crate::read::{self, Bytes, IdxFile, ReadError};

/// A file that has not been read yet.
pub struct Input<'a> {
    reader: Box<dyn Read + 'a>,
    named_gz: bool,
}

impl<'a> Input<'a> {
    /// `reader` gives the file from its start, compressed or not; `named_gz`: its name ends in `.gz`, so
    /// other content is refused.
    pub fn new(reader: impl Read + 'a, named_gz: bool) -> Self {
        Self { reader: Box::new(reader), named_gz }
    }

    /// Reads an IDX file to its end.
    pub fn idx(self, kind: IdxKind) -> Result<IdxFile, ReadError> {
        read::read_idx(self.reader, kind, self.named_gz)
    }

    /// Reads a file to its end that doesn't say how long it is.
    ///
    /// # Errors
    /// When it has more than `limit` bytes after decompression; they are not read.
    pub fn bytes(self, limit: u64) -> Result<Bytes, ReadError> {
        read::read_bytes(self.reader, limit, self.named_gz)
    }
}

/// Opens the file at `path`, which must be a regular one: a FIFO would block. `expected` is what it should
/// be, with its article.
pub fn open(path: &Path, expected: &'static str) -> Result<Input<'static>, DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
    // A socket can't be opened at all; the metadata of the opened file then leaves no time for a swap.
    check_regular(path, expected, std::fs::metadata(path).map_err(unreadable)?.file_type())?;
    let mut options = File::options();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    check_regular(path, expected, file.metadata().map_err(unreadable)?.file_type())?;
    let named_gz = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    Ok(Input::new(file, named_gz))
}

fn check_regular(path: &Path, expected: &'static str, kind: std::fs::FileType) -> Result<(), DataError> {
    if kind.is_file() {
        return Ok(());
    }
    let what = match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(DataError::NotRegular { path: path.to_owned(), what, expected })
}

impl ReadError {
    /// With the path of the file.
    #[must_use]
    pub fn at(self, path: &Path) -> DataError {
        let path = path.to_owned();
        match self {
            Self::Idx(source) => DataError::Idx { path, source },
            Self::Gzip(source) => DataError::Gzip { path, source },
            Self::Malformed(source) => DataError::Malformed { path, source },
            Self::Io(source) => DataError::Unreadable { path, source },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_and_without_blocking() {
        let dir = tempfile::tempdir().unwrap();
        let text = |path: &Path| open(path, "an IDX file").err().unwrap().to_string();
        assert!(text(dir.path()).ends_with("is a directory, expected an IDX file"));
        let fifo = dir.path().join("fifo");
        assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
        assert_eq!(text(&fifo), format!("{} is a FIFO, expected an IDX file", fifo.display()));
        assert_eq!(text(Path::new("/dev/null")), "/dev/null is a device, expected an IDX file");
        assert_eq!(text(Path::new("/nowhere/x")), "cannot read /nowhere/x: no such file or directory");
    }
}
