//! Reading one file, plain or gzipped: IDX, or bytes of any kind within a limit.
//!
//! ```text
//! Read ─ gzip magic? ─┬▸ header ─ checked ─▸ payload ─ nothing behind it ─▸ IdxFile
//!                     └▸ bytes up to a limit ─ nothing behind them ─▸ Bytes
//! ```
//!
//! The content decides whether it is gzip, not the name; only a `.gz` that isn't gzip is refused, because it
//! is most often a saved error page. Never more is decompressed than the header declares plus a short look
//! behind it, so a gzip bomb costs no memory. All members of a gzip file count, as in RFC 1952.

use std::io::{self, BufRead, BufReader, Cursor, Read};

use flate2::bufread::MultiGzDecoder;
use sha2::{Digest, Sha256};
use thiserror::Error;

pub use crate::gzip::GzipError;
use crate::gzip::explain;
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

/// What is wrong with a file's decompressed bytes, in the words of its format.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{message}")]
pub struct Malformed {
    message: String,
    help: Option<String>,
}

impl Malformed {
    /// `message` is in lower case, without a final period, and follows the path of the file.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), help: None }
    }

    /// With the remedy.
    #[must_use]
    pub fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    /// The remedy, if one is known.
    #[must_use]
    pub fn remedy(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

/// A whole file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bytes {
    /// Decompressed.
    pub data: Vec<u8>,
    /// Of `data`, in lower-case hexadecimal.
    pub sha256: String,
}

/// What is wrong with a stream of bytes, before a path is put to it.
#[derive(Debug, Error)]
pub enum ReadError {
    /// The decompressed bytes of an IDX file.
    #[error(transparent)]
    Idx(#[from] IdxError),
    /// The decompressed bytes of another file.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The compression.
    #[error(transparent)]
    Gzip(#[from] GzipError),
    /// The medium.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads and checks a whole file from `reader`, to its end. The result doesn't depend on how many bytes
/// each read gives. `named_gz`: the name ends in `.gz`, so other content is refused.
pub fn read_idx(reader: impl Read, kind: IdxKind, named_gz: bool) -> Result<IdxFile, ReadError> {
    let (whole, is_gzip) = begin(reader, named_gz)?;
    if is_gzip { read_gzip(whole, kind) } else { read_plain(whole, kind) }
}

/// Reads a whole file from `reader`, to its end, if that comes within `limit` decompressed bytes. Memory grows
/// with what comes.
pub fn read_bytes(reader: impl Read, limit: u64, named_gz: bool) -> Result<Bytes, ReadError> {
    let (mut whole, is_gzip) = begin(reader, named_gz)?;
    let mut data = Vec::new();
    let filled = if is_gzip {
        fill(&mut data, &mut MultiGzDecoder::new(whole), limit)
    } else {
        fill(&mut data, &mut whole, limit)
    };
    let len = data.len() as u64;
    filled.map_err(|error| match error.kind() {
        io::ErrorKind::UnexpectedEof if is_gzip => GzipError::TruncatedAt { len }.into(),
        _ if is_gzip => explain(error, len > 0),
        _ => error.into(),
    })?;
    if len > limit {
        return Err(Malformed::new(format!("more than {} bytes, which is the limit", grouped(limit))).into());
    }
    let sha256 = hex(&Sha256::digest(&data));
    Ok(Bytes { data, sha256 })
}

/// Appends what `reader` gives, at most a byte more than `limit`.
fn fill(data: &mut Vec<u8>, reader: &mut impl Read, limit: u64) -> io::Result<()> {
    let most = limit as usize + 1;
    while data.len() < most {
        let piece = BUFFER.min(most - data.len());
        if data.capacity() - data.len() < piece {
            let more = data.len().max(piece).min(most - data.len());
            data.try_reserve_exact(more).map_err(|_| io::Error::from(io::ErrorKind::OutOfMemory))?;
        }
        if reader.by_ref().take(piece as u64).read_to_end(data)? < piece {
            break;
        }
    }
    Ok(())
}

/// The file from its start, and whether it is gzip.
fn begin(reader: impl Read, named_gz: bool) -> Result<(impl BufRead, bool), ReadError> {
    let mut reader = BufReader::with_capacity(BUFFER, FullReads { inner: reader, failed: None });
    let mut start = Vec::with_capacity(4);
    reader.by_ref().take(4).read_to_end(&mut start)?;
    let is_gzip = start.starts_with(&[0x1F, 0x8B]);
    if named_gz && !is_gzip && !start.is_empty() {
        return Err(GzipError::NotGzip { start }.into());
    }
    Ok((Cursor::new(start).chain(reader), is_gzip))
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

    fn gzip_error(&self, error: io::Error) -> ReadError {
        let declared = self.header.map(|header| header.file_len());
        let is_complete = declared.is_some_and(|declared| self.len() >= declared);
        match error.kind() {
            io::ErrorKind::UnexpectedEof if is_complete => GzipError::TruncatedChecksum.into(),
            io::ErrorKind::UnexpectedEof => GzipError::Truncated { len: self.len(), declared }.into(),
            _ => explain(error, is_complete),
        }
    }
}

/// Lower-case hexadecimal.
#[must_use]
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
