use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use proptest::prelude::*;

use super::*;
use crate::idx::{encode_images, encode_labels};
use IdxKind::Images;

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Sixty images that don't compress to nothing.
fn images() -> Vec<u8> {
    let pixels: Vec<u8> = (0..47_040u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    encode_images(&pixels, 60, 28, 28)
}

fn message(bytes: &[u8], named_gz: bool) -> String {
    read_idx(bytes, Images, named_gz).unwrap_err().to_string()
}

/// Gives as many bytes at a time as `sizes` say, over and over, and sometimes none yet.
struct Chunked<'a> {
    bytes: &'a [u8],
    sizes: Vec<usize>,
    turn: usize,
}

impl Read for Chunked<'_> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.turn += 1;
        let size = self.sizes[self.turn % self.sizes.len()];
        if size == 0 {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = size.min(into.len()).min(self.bytes.len());
        into[..n].copy_from_slice(&self.bytes[..n]);
        self.bytes = &self.bytes[n..];
        Ok(n)
    }
}

#[test]
fn plain_and_gzip_alike_whatever_the_name() {
    let bytes = images();
    let plain = read_idx(&bytes[..], Images, false).unwrap();
    assert_eq!(plain.payload, bytes[16..]);
    assert_eq!(plain.sha256, hex(&Sha256::digest(&bytes)));
    assert_eq!(read_idx(&gzip(&bytes)[..], Images, true).unwrap(), plain);
    assert_eq!(read_idx(&gzip(&bytes)[..], Images, false).unwrap(), plain);
    // A file split over members is the file.
    let members = [gzip(&bytes[..1000]), gzip(&bytes[1000..]), gzip(&[])].concat();
    assert_eq!(read_idx(&members[..], Images, true).unwrap(), plain);
}

#[test]
fn not_gzip() {
    assert_eq!(message(b"<!DOCTYPE html>", true), "not gzip (starts \"<!DO\")");
    assert_eq!(message(&images(), true), "not gzip (starts \"\\x00\\x00\\x08\\x03\")");
    assert_eq!(message(b"", true), "file is empty (0 bytes, header needs 16)");
    assert_eq!(
        message(b"<!DOCTYPE html>", false),
        "magic 0x3C21444F is not IDX, expected images (0x00000803)"
    );
}

#[test]
fn truncated_gzip() {
    let whole = gzip(&images());
    let text = message(&whole[..whole.len() / 2], true);
    let n = text
        .strip_prefix("gzip stream ends after ")
        .and_then(|t| t.strip_suffix(" of 47,056 bytes"))
        .unwrap();
    let n: u64 = n.replace(',', "").parse().unwrap();
    assert!(n > 16 && n < 47_056, "{n}");
    assert_eq!(message(&whole[..whole.len() - 8], true), "gzip stream ends inside its checksum");
    assert_eq!(message(&whole[..5], true), "gzip stream ends after 0 bytes, inside the header");
}

#[test]
fn damaged_gzip() {
    let whole = gzip(&images());
    let mut checksum = whole.clone();
    let crc = whole.len() - 8;
    checksum[crc] ^= 1;
    assert_eq!(message(&checksum, true), "gzip checksum mismatch");
    // A reserved block type right after the ten-byte header.
    let mut block = whole;
    block[10] = 0xFF;
    assert_eq!(message(&block, true), "gzip stream is corrupt");
}

#[test]
fn behind_the_data() {
    let bytes = images();
    let members = [gzip(&bytes), gzip(&[0; 37])].concat();
    assert_eq!(message(&members, true), "37 bytes after the declared data");
    assert_eq!(message(&[bytes.clone(), vec![0; 37]].concat(), false), "37 bytes after the declared data");
    assert_eq!(
        message(&[gzip(&bytes), vec![7; 37]].concat(), true),
        "bytes that are not gzip after the declared data"
    );
    let long = [bytes, vec![0; 70_000]].concat();
    assert_eq!(message(&long, false), "more than 65,536 bytes after the declared data");
}

#[test]
fn a_bomb_is_stopped() {
    let mut bytes = images();
    bytes.resize(bytes.len() + 50_000_000, 0);
    assert_eq!(message(&gzip(&bytes), true), "decompresses past the declared 47,056 bytes; stopped");
    let short = gzip(&images()[..40_000]);
    assert_eq!(message(&short, true), "data ends at byte 40,000 of 47,056");
}

#[test]
fn a_header_that_only_claims_a_gigabyte_gets_no_memory() {
    /// The bytes, and the most that was asked for at once.
    struct Asked<'a>(&'a [u8], usize);
    impl Read for Asked<'_> {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            self.1 = self.1.max(into.len());
            self.0.read(into)
        }
    }
    let mut bytes = encode_labels(&vec![0; 3_000_000]);
    bytes[4..8].copy_from_slice(&(1u32 << 30).to_be_bytes());
    let mut reader = Asked(&bytes, 0);
    let error = read_idx(&mut reader, IdxKind::Labels, false).unwrap_err();
    assert_eq!(error.to_string(), "data ends at byte 3,000,008 of 1,073,741,832");
    assert!(reader.1 <= BUFFER, "{} bytes offered to one read", reader.1);
}

#[test]
fn the_medium_s_errors_stay_its_own() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::from_raw_os_error(libc::EIO))
        }
    }
    let start = &gzip(&images())[..1000];
    let error = read_idx(start.chain(Broken), Images, true).unwrap_err();
    assert!(matches!(error, ReadError::Io(e) if e.raw_os_error() == Some(libc::EIO)));
}

#[test]
fn bytes_of_any_kind_within_a_limit() {
    let bytes: Vec<u8> = (0..600_000u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    let packed = gzip(&bytes);
    let expected = Bytes { data: bytes.clone(), sha256: hex(&Sha256::digest(&bytes)) };
    for limit in [600_000, 1 << 30] {
        assert_eq!(read_bytes(&bytes[..], limit, false).unwrap(), expected);
        assert_eq!(read_bytes(&packed[..], limit, true).unwrap(), expected);
    }
    let fails = |bytes: &[u8], limit| read_bytes(bytes, limit, true).unwrap_err().to_string();
    let bomb = gzip(&vec![0; 50_000_000]);
    assert_eq!(fails(&bomb, 599_999), "more than 599,999 bytes, which is the limit");
    assert!(fails(&packed[..packed.len() / 2], 1 << 30).starts_with("gzip stream ends after "));
    assert_eq!(fails(b"<!DOCTYPE html>", 100), "not gzip (starts \"<!DO\")");
    assert_eq!(fails(&[&packed[..], &[7; 37]].concat(), 1 << 30), GzipError::Garbage.to_string());
    assert_eq!(read_bytes(&b""[..], 10, false).unwrap().data, b"");
}

proptest! {
    /// The same outcome, good or bad, however the bytes come in.
    #[test]
    fn independent_of_chunking(
        sizes in prop::collection::vec(0usize..900, 1..6).prop_filter("progress", |s| s.iter().any(|&n| n > 0)),
        n in 1usize..40,
        keep in 0usize..400,
        damage in prop::option::of((0usize..400, any::<u8>())),
        compressed in any::<bool>(),
    ) {
        let labels: Vec<u8> = (0..n).map(|i| (i * i) as u8).collect();
        let mut bytes = encode_labels(&labels);
        if compressed {
            bytes = gzip(&bytes);
        }
        if let Some((at, value)) = damage && at < bytes.len() {
            bytes[at] = value;
        }
        bytes.truncate(keep);
        let outcome = |r: Result<IdxFile, ReadError>| r.map_err(|e| e.to_string());
        let whole = outcome(read_idx(&bytes[..], IdxKind::Labels, compressed));
        let chunked = Chunked { bytes: &bytes, sizes, turn: 0 };
        prop_assert_eq!(outcome(read_idx(chunked, IdxKind::Labels, compressed)), whole);
    }
}
