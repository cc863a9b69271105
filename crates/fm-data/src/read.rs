//! Reading one IDX file, plain or gzipped.
//!
//! ```text
//! path ─ regular file? ─▸ Read ─ gzip magic? ─▸ header ─ checked ─▸ payload ─ nothing behind it ─▸ IdxFile
//! ```
//!
//! The content decides whether it is gzip, not the name; only a `.gz` that isn't gzip is refused, because it
//! is most often a saved error page. Never more is decompressed than the header declares plus a short look
//! behind it, so a gzip bomb costs no memory. All members of a gzip file count, as in RFC 1952.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Cursor, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::error::DataError;
use crate::idx::{Header, IdxError, IdxKind, grouped};

/// Bytes looked at behind the declared data, to say how many there are.
const LOOK_BEHIND: u64 = 64 << 10;

/// Large enough that a 26 MB file isn't read in thousands of calls.
const BUFFER: usize = 256 << 10;

/// A checked file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdxFile {
    /// What it declares.
    pub header: Header,
    /// `header.payload_len()` bytes: pixels by row, or labels.
    pub payload: Vec<u8>,
    /// Of the decompressed file with its header, in lower-case hexadecimal.
    pub sha256: String,
}

/// What is wrong with gzip. Byte counts are of the decompressed file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum GzipError {
    #[error("not gzip (starts \"{}\")", start.escape_ascii())]
    NotGzip { start: Vec<u8> },
    #[error("gzip stream ends after {}", of(*len, *declared))]
    Truncated { len: u64, declared: Option<u64> },
    #[error("gzip stream ends inside its checksum")]
    TruncatedChecksum,
    #[error("gzip stream is corrupt")]
    Corrupt,
    #[error("gzip checksum mismatch")]
    Checksum,
    #[error("decompresses past the declared {} bytes; stopped", grouped(*declared))]
    Bomb { declared: u64 },
    #[error("bytes that are not gzip after the declared data")]
    Garbage,
}

fn of(len: u64, declared: Option<u64>) -> String {
    match declared {
        Some(declared) => format!("{} of {} bytes", grouped(len), grouped(declared)),
        None => format!("{} bytes, inside the header", grouped(len)),
    }
}

/// What is wrong with a stream of IDX bytes, before a path is put to it.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The decompressed bytes.
    #[error(transparent)]
    Idx(#[from] IdxError),
    /// The compression.
    #[error(transparent)]
    Gzip(#[from] GzipError),
    /// The medium.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads and checks the file at `path`. Only regular files are read: a FIFO would block.
///
/// # Errors
/// Names `path` in every case; see [`IdxError`] and [`GzipError`].
pub fn read_path(path: &Path, kind: IdxKind) -> Result<IdxFile, DataError> {
    let file = open(path)?;
    let named_gz = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("gz"));
    read_idx(file, kind, named_gz).map_err(|error| match error {
        ReadError::Idx(source) => DataError::Idx { path: path.to_owned(), source },
        ReadError::Gzip(source) => DataError::Gzip { path: path.to_owned(), source },
        ReadError::Io(source) => DataError::Unreadable { path: path.to_owned(), source },
    })
}

fn open(path: &Path) -> Result<File, DataError> {
    let unreadable = |source| DataError::Unreadable { path: path.to_owned(), source };
    // A socket can't be opened at all; the metadata of the opened file then leaves no time for a swap.
    check_regular(path, std::fs::metadata(path).map_err(unreadable)?.file_type())?;
    let mut options = File::options();
    let file = options.read(true).custom_flags(libc::O_NONBLOCK).open(path).map_err(unreadable)?;
    check_regular(path, file.metadata().map_err(unreadable)?.file_type())?;
    Ok(file)
}

fn check_regular(path: &Path, kind: std::fs::FileType) -> Result<(), DataError> {
    if kind.is_file() {
        return Ok(());
    }
    let what = match () {
        () if kind.is_dir() => "a directory",
        () if kind.is_fifo() => "a FIFO",
        () if kind.is_socket() => "a socket",
        () => "a device",
    };
    Err(DataError::NotRegular { path: path.to_owned(), what })
}

/// Reads and checks a whole file from `reader`, to its end. The result doesn't depend on how many bytes
/// each read gives. `named_gz`: the name ends in `.gz`, so other content is refused.
pub fn read_idx<R: Read>(reader: R, kind: IdxKind, named_gz: bool) -> Result<IdxFile, ReadError> {
    let mut reader = BufReader::with_capacity(BUFFER, FullReads { inner: reader, failed: None });
    let mut start = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut start)?;
    let is_gzip = start.starts_with(&[0x1F, 0x8B]);
    if named_gz && !is_gzip && !start.is_empty() {
        return Err(GzipError::NotGzip { start }.into());
    }
    let whole = Cursor::new(start).chain(reader);
    if is_gzip { read_gzip(whole, kind) } else { read_plain(whole, kind) }
}

/// Fills every read to the brim but for the last: what flate2 says of a damaged stream depends on the pieces
/// in which it gets it, and an interrupted read inside a gzip header is its end for flate2.
struct FullReads<R> {
    inner: R,
    failed: Option<io::Error>,
}

impl<R: Read> Read for FullReads<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut n = 0;
        while n < into.len() && self.failed.is_none() {
            match self.inner.read(&mut into[n..]) {
                Ok(0) => break,
                Ok(more) => n += more,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => self.failed = Some(error),
            }
        }
        match self.failed.take_if(|_| n == 0) {
            Some(error) => Err(error),
            None => Ok(n),
        }
    }
}

fn read_plain(mut reader: impl Read, kind: IdxKind) -> Result<IdxFile, ReadError> {
    let mut parts = Parts::default();
    parts.fill(&mut reader, kind).map_err(|stop| match stop {
        Stop::Idx(error) => ReadError::Idx(error),
        Stop::Io(error) => ReadError::Io(error),
    })?;
    parts.finish(kind)
}

fn read_gzip(reader: impl BufRead, kind: IdxKind) -> Result<IdxFile, ReadError> {
    let mut parts = Parts::default();
    match parts.fill(&mut MultiGzDecoder::new(reader), kind) {
        Ok(()) if parts.behind.len() as u64 > LOOK_BEHIND => {
            Err(GzipError::Bomb { declared: parts.len() - parts.behind.len() as u64 }.into())
        }
        Ok(()) => parts.finish(kind),
        Err(Stop::Idx(error)) => Err(error.into()),
        Err(Stop::Io(error)) => Err(parts.gzip_error(error)),
    }
}

/// Why filling stopped early.
enum Stop {
    Idx(IdxError),
    Io(io::Error),
}

/// What has been read so far, so that an error can say how far it came.
#[derive(Default)]
struct Parts {
    head: Vec<u8>,
    header: Option<Header>,
    payload: Vec<u8>,
    behind: Vec<u8>,
}

impl Parts {
    fn fill(&mut self, reader: &mut impl Read, kind: IdxKind) -> Result<(), Stop> {
        reader.by_ref().take(kind.header_len() as u64).read_to_end(&mut self.head).map_err(Stop::Io)?;
        let header = Header::parse(&self.head, kind).map_err(Stop::Idx)?;
        self.header = Some(header);
        // The header has passed the limit; a machine without even that much room is an error, not an abort.
        let len = header.payload_len();
        self.payload.try_reserve_exact(len).map_err(|_| Stop::Io(io::ErrorKind::OutOfMemory.into()))?;
        // In pieces: a read clears the memory that it is offered, which would make a gigabyte of it real for
        // a header that only claims one.
        while self.payload.len() < len {
            let piece = BUFFER.min(len - self.payload.len());
            let n = reader.by_ref().take(piece as u64).read_to_end(&mut self.payload).map_err(Stop::Io)?;
            if n < piece {
                break;
            }
        }
        // Reading to the end also makes the decoder check its checksum.
        reader.by_ref().take(LOOK_BEHIND + 1).read_to_end(&mut self.behind).map_err(Stop::Io)?;
        Ok(())
    }

    fn len(&self) -> u64 {
        (self.head.len() + self.payload.len() + self.behind.len()) as u64
    }

    fn finish(self, kind: IdxKind) -> Result<IdxFile, ReadError> {
        let header = match self.header {
            Some(header) => header,
            None => Header::parse(&self.head, kind)?,
        };
        if self.payload.len() < header.payload_len() {
            return Err(IdxError::TruncatedPayload { len: self.len(), declared: header.file_len() }.into());
        }
        if !self.behind.is_empty() {
            let extra = self.behind.len() as u64;
            let at_least = extra > LOOK_BEHIND;
            return Err(IdxError::Trailing { extra: extra.min(LOOK_BEHIND), at_least }.into());
        }
        let sha256 = hex(&Sha256::new().chain_update(&self.head).chain_update(&self.payload).finalize());
        Ok(IdxFile { header, payload: self.payload, sha256 })
    }

    /// flate2 has no error type: kinds and, for the checksum, words tell what it was.
    fn gzip_error(&self, error: io::Error) -> ReadError {
        let declared = self.header.map(|header| header.file_len());
        let is_complete = declared.is_some_and(|declared| self.len() >= declared);
        let text = error.to_string();
        match error.kind() {
            io::ErrorKind::UnexpectedEof if is_complete => GzipError::TruncatedChecksum.into(),
            io::ErrorKind::UnexpectedEof => GzipError::Truncated { len: self.len(), declared }.into(),
            io::ErrorKind::InvalidInput if text.contains("checksum") => GzipError::Checksum.into(),
            io::ErrorKind::InvalidInput if text.contains("header") && is_complete => {
                GzipError::Garbage.into()
            }
            io::ErrorKind::InvalidInput => GzipError::Corrupt.into(),
            _ => ReadError::Io(error),
        }
    }
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
