//! What can be wrong with gzip, told from what the decompressor says.

use std::io;

use thiserror::Error;

use crate::idx::grouped;
use crate::read::ReadError;

/// What is wrong with gzip. Byte counts are of the decompressed file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum GzipError {
    #[error("not gzip (starts \"{}\")", start.escape_ascii())]
    NotGzip { start: Vec<u8> },
    #[error("gzip stream ends after {}", of(*len, *declared))]
    Truncated { len: u64, declared: Option<u64> },
    #[error("gzip stream ends after {} bytes", grouped(*len))]
    TruncatedAt { len: u64 },
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

/// What flate2 met, but for an early end. It has no error type: kinds and, for the checksum, words tell what it
/// was. `is_complete`: all data had come.
pub(crate) fn explain(error: io::Error, is_complete: bool) -> ReadError {
    let text = error.to_string();
    match error.kind() {
        io::ErrorKind::InvalidInput if text.contains("checksum") => GzipError::Checksum.into(),
        io::ErrorKind::InvalidInput if text.contains("header") && is_complete => GzipError::Garbage.into(),
        io::ErrorKind::InvalidInput => GzipError::Corrupt.into(),
        _ => ReadError::Io(error),
    }
}
