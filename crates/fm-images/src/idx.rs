//! The IDX format: a big-endian header, then the elements, one byte each.
//!
//! Bytes go in, a checked [`Header`] and the payload come out; nothing here touches files or allocates for
//! what a header claims. Grey images are `[n, height, width]` with magic `0x00000803`, images of several channels
//! `[n, channels, height, width]` with magic `0x00000804`, labels `[n]` with magic `0x00000801`: two zero bytes,
//! the element type (8, unsigned byte), the number of dimensions, then one `u32` for each dimension. Source: <http://yann.lecun.com/exdb/mnist/>, "the IDX file format".

use thiserror::Error;

use crate::labelled::ImageShape;

/// The most payload bytes that a header may ask for: 1 GiB.
pub const PAYLOAD_LIMIT: u64 = 1 << 30;

/// As many as a network takes.
const MAX_CHANNELS: u32 = 4;

/// What a file must hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum IdxKind {
    /// `[n, height, width]` grey values.
    Images,
    /// `[n, channels, height, width]`, a plane for each channel.
    Planes,
    /// `[n]` class indices.
    Labels,
}

impl IdxKind {
    /// The first four bytes of a file of this kind, as a number.
    #[must_use]
    pub const fn magic(self) -> u32 {
        match self {
            Self::Images => 0x0803,
            Self::Planes => 0x0804,
            Self::Labels => 0x0801,
        }
    }

    /// Bytes before the payload.
    #[must_use]
    pub const fn header_len(self) -> usize {
        match self {
            Self::Images => 16,
            Self::Planes => 20,
            Self::Labels => 8,
        }
    }

    const fn plural(self) -> &'static str {
        match self {
            Self::Images => "images",
            Self::Planes => "images of several channels",
            Self::Labels => "labels",
        }
    }

    /// The other kind in words, for a file that was given in the wrong place.
    const fn as_file(self) -> &'static str {
        match self {
            Self::Images => "an image file",
            Self::Planes => "a file of images of several channels",
            Self::Labels => "a label file",
        }
    }
}

/// What is wrong with IDX bytes. Offsets and lengths are in bytes of the decompressed file.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum IdxError {
    #[error("file is empty (0 bytes, header needs {needed})")]
    Empty { needed: usize },
    #[error("header ends at byte {len} of {needed}")]
    TruncatedHeader { len: usize, needed: usize },
    #[error("{}", wrong_magic(*found, *expected))]
    WrongMagic { found: u32, expected: IdxKind },
    #[error("IDX type 0x{code:02X} ({}) is not supported, expected 0x08 (unsigned byte)", type_name(*code))]
    ElementType { code: u8 },
    #[error("header corrupt: {n} x {height} x {width} bytes overflow 64 bits")]
    Overflow { n: u32, height: u32, width: u32 },
    #[error("header corrupt: images of {height}x{width}")]
    EmptyImages { height: u32, width: u32 },
    #[error("header corrupt: images of {channels} channels, at most 4 are read")]
    Channels { channels: u32 },
    #[error("header asks for {:.1} GiB, limit 1 GiB", *bytes as f64 / PAYLOAD_LIMIT as f64)]
    TooLarge { bytes: u64 },
    #[error("declares 0 {}", .0.plural())]
    NoItems(IdxKind),
    #[error("data ends at byte {} of {}", grouped(*len), grouped(*declared))]
    TruncatedPayload { len: u64, declared: u64 },
    #[error("{}{} bytes after the declared data", if *at_least { "more than " } else { "" }, grouped(*extra))]
    Trailing { extra: u64, at_least: bool },
}

impl IdxError {
    /// Whether the file starts as readable text, which a saved error page does.
    #[must_use]
    pub fn looks_like_text(&self) -> bool {
        matches!(self, Self::WrongMagic { found, .. }
            if found.to_be_bytes().iter().all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace()))
    }
}

/// A checked header: at least one item, at least one pixel each, and a payload within [`PAYLOAD_LIMIT`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Which of the two layouts.
    pub kind: IdxKind,
    /// Number of images or labels.
    pub n: usize,
    /// Planes of an image; 1 but for [`IdxKind::Planes`].
    pub channels: usize,
    /// Rows of an image; 1 for labels.
    pub height: usize,
    /// Columns of an image; 1 for labels.
    pub width: usize,
}

impl Header {
    /// Reads the header at the start of `bytes`; what follows it is ignored.
    pub fn parse(bytes: &[u8], kind: IdxKind) -> Result<Self, IdxError> {
        let needed = kind.header_len();
        if bytes.is_empty() {
            return Err(IdxError::Empty { needed });
        }
        // Magic before length: for a nine-byte label file given as images, the wrong magic is the more useful error.
        if let Some(found) = word(bytes, 0) {
            check_magic(found, kind)?;
        }
        if bytes.len() < needed {
            return Err(IdxError::TruncatedHeader { len: bytes.len(), needed });
        }
        let dimension = |i: usize| word(bytes, 4 + 4 * i).unwrap_or(1);
        let (n, channels, height, width) = match kind {
            IdxKind::Images => (dimension(0), 1, dimension(1), dimension(2)),
            IdxKind::Planes => (dimension(0), dimension(1), dimension(2), dimension(3)),
            IdxKind::Labels => (dimension(0), 1, 1, 1),
        };
        if !(1..=MAX_CHANNELS).contains(&channels) {
            return Err(IdxError::Channels { channels });
        }
        let pixels = u64::from(height) * u64::from(width);
        let bytes = pixels.checked_mul(u64::from(channels)).and_then(|len| len.checked_mul(u64::from(n)));
        let Some(len) = bytes else {
            return Err(IdxError::Overflow { n, height, width });
        };
        if n == 0 {
            return Err(IdxError::NoItems(kind));
        }
        if pixels == 0 {
            return Err(IdxError::EmptyImages { height, width });
        }
        if len > PAYLOAD_LIMIT {
            return Err(IdxError::TooLarge { bytes: len });
        }
        let [n, channels, height, width] = [n, channels, height, width].map(|n| n as usize);
        Ok(Self { kind, n, channels, height, width })
    }

    /// Bytes of the elements, without the header.
    #[must_use]
    pub const fn payload_len(&self) -> usize {
        self.n * self.channels * self.height * self.width
    }

    /// Bytes of the whole decompressed file.
    #[must_use]
    pub const fn file_len(&self) -> u64 {
        (self.kind.header_len() + self.payload_len()) as u64
    }
}

/// Parses a whole decompressed file into its header and its payload of `header.payload_len()` bytes.
pub fn parse(bytes: &[u8], kind: IdxKind) -> Result<(Header, &[u8]), IdxError> {
    let header = Header::parse(bytes, kind)?;
    let (len, declared) = (bytes.len() as u64, header.file_len());
    if len < declared {
        return Err(IdxError::TruncatedPayload { len, declared });
    }
    if len > declared {
        return Err(IdxError::Trailing { extra: len - declared, at_least: false });
    }
    Ok((header, &bytes[kind.header_len()..]))
}

/// Writes `n` images of `height` × `width` as an IDX file.
///
/// # Panics
/// When `pixels` isn't `n * height * width` long, or a dimension exceeds `u32`.
#[must_use]
pub fn encode_images(pixels: &[u8], n: usize, height: usize, width: usize) -> Vec<u8> {
    assert_eq!(pixels.len(), n * height * width, "{n} images of {height}x{width}");
    encode(IdxKind::Images, &[n, height, width], pixels)
}

/// The bytes before the payload of a file of `n` images of `shape`: of three dimensions for grey images, of four
/// for others.
///
/// # Panics
/// When a dimension exceeds `u32`.
#[must_use]
pub fn images_header(n: usize, shape: ImageShape) -> Vec<u8> {
    let ImageShape { channels, height, width } = shape;
    if channels == 1 {
        encode(IdxKind::Images, &[n, height, width], &[])
    } else {
        encode(IdxKind::Planes, &[n, channels, height, width], &[])
    }
}

/// Writes labels as an IDX file.
///
/// # Panics
/// When there are more than `u32` counts.
#[must_use]
pub fn encode_labels(labels: &[u8]) -> Vec<u8> {
    encode(IdxKind::Labels, &[labels.len()], labels)
}

fn encode(kind: IdxKind, dimensions: &[usize], payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(kind.header_len() + payload.len());
    out.extend(kind.magic().to_be_bytes());
    for &dimension in dimensions {
        out.extend(u32::try_from(dimension).expect("IDX dimensions are 32 bits wide").to_be_bytes());
    }
    out.extend_from_slice(payload);
    out
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at + 4)?;
    Some(u32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]))
}

fn check_magic(found: u32, expected: IdxKind) -> Result<(), IdxError> {
    if found == expected.magic() {
        return Ok(());
    }
    let [a, b, code, dimensions] = found.to_be_bytes();
    let known_type = (0x09..=0x0E).contains(&code) && code != 0x0A;
    if (a, b) == (0, 0) && known_type && (1..=4).contains(&dimensions) {
        return Err(IdxError::ElementType { code });
    }
    Err(IdxError::WrongMagic { found, expected })
}

fn wrong_magic(found: u32, expected: IdxKind) -> String {
    let what = match found {
        0x0801 => IdxKind::Labels.as_file().to_owned(),
        0x0803 => IdxKind::Images.as_file().to_owned(),
        0x0804 => IdxKind::Planes.as_file().to_owned(),
        0x0802 | 0x0805..=0x08FF => format!("an IDX file of {} dimensions", found & 0xFF),
        _ => "not IDX".to_owned(),
    };
    format!("magic 0x{found:08X} is {what}, expected {} (0x{:08X})", expected.plural(), expected.magic())
}

const fn type_name(code: u8) -> &'static str {
    match code {
        0x09 => "signed byte",
        0x0B => "short",
        0x0C => "int",
        0x0D => "float",
        0x0E => "double",
        _ => "unknown",
    }
}

/// `47040016` as `47,040,016`.
pub(crate) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
#[path = "idx_tests.rs"]
mod tests;
