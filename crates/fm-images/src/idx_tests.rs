use proptest::prelude::*;

use super::*;
use IdxKind::{Images, Labels};

fn images() -> Vec<u8> {
    encode_images(&[7; 60], 5, 4, 3)
}

#[track_caller]
fn fails(bytes: &[u8], kind: IdxKind, message: &str) {
    assert_eq!(parse(bytes, kind).unwrap_err().to_string(), message);
}

/// The images with their dimensions replaced.
fn declared(n: u32, height: u32, width: u32) -> Vec<u8> {
    let mut bytes = images();
    for (i, dimension) in [n, height, width].into_iter().enumerate() {
        bytes[4 + 4 * i..8 + 4 * i].copy_from_slice(&dimension.to_be_bytes());
    }
    bytes
}

#[test]
fn header_bytes_are_the_format_s_own() {
    assert_eq!(images()[..16], [0, 0, 8, 3, 0, 0, 0, 5, 0, 0, 0, 4, 0, 0, 0, 3]);
    assert_eq!(encode_labels(&[9, 1]), [0, 0, 8, 1, 0, 0, 0, 2, 9, 1]);
}

#[test]
fn empty_and_truncated() {
    fails(&[], Images, "file is empty (0 bytes, header needs 16)");
    fails(&[], Labels, "file is empty (0 bytes, header needs 8)");
    fails(&images()[..9], Images, "header ends at byte 9 of 16");
    fails(&images()[..3], Images, "header ends at byte 3 of 16");
    fails(&images()[..75], Images, "data ends at byte 75 of 76");
    let large = encode_images(&vec![0; 47_040], 60, 28, 28);
    fails(&large[..47_000], Images, "data ends at byte 47,000 of 47,056");
}

#[test]
fn trailing() {
    let bytes = [images(), vec![0; 37]].concat();
    fails(&bytes, Images, "37 bytes after the declared data");
}

#[test]
fn wrong_magic_either_way() {
    let labels = encode_labels(&[1, 2, 3]);
    fails(&labels, Images, "magic 0x00000801 is a label file, expected images (0x00000803)");
    fails(&images(), Labels, "magic 0x00000803 is an image file, expected labels (0x00000801)");
    fails(b"<!DOCTYPE html>", Images, "magic 0x3C21444F is not IDX, expected images (0x00000803)");
    fails(
        &[0, 0, 8, 2, 0],
        Images,
        "magic 0x00000802 is an IDX file of 2 dimensions, expected images (0x00000803)",
    );
    // Too short for any header, but the magic says more than the length does.
    fails(&labels[..6], Images, "magic 0x00000801 is a label file, expected images (0x00000803)");
    assert!(parse(b"<!DOCTYPE html>", Images).unwrap_err().looks_like_text());
    assert!(!parse(&labels, Images).unwrap_err().looks_like_text());
}

#[test]
fn element_types() {
    let mut bytes = images();
    bytes[2] = 0x0D;
    fails(&bytes, Images, "IDX type 0x0D (float) is not supported, expected 0x08 (unsigned byte)");
    bytes[2] = 0x0A;
    fails(&bytes, Images, "magic 0x00000A03 is not IDX, expected images (0x00000803)");
}

#[test]
fn dimensions() {
    let all = u32::MAX;
    fails(
        &declared(all, all, all),
        Images,
        "header corrupt: 4294967295 x 4294967295 x 4294967295 bytes overflow 64 bits",
    );
    fails(&declared(1 << 24, 28, 28), Images, "header asks for 12.2 GiB, limit 1 GiB");
    fails(&declared(17_667_000, 28, 28), Images, "header asks for 12.9 GiB, limit 1 GiB");
    fails(&declared(0, 28, 28), Images, "declares 0 images");
    fails(&encode_labels(&[]), Labels, "declares 0 labels");
    fails(&declared(5, 0, 28), Images, "header corrupt: images of 0x28");
    // The limit itself is allowed: what then lacks is the data.
    assert_eq!(
        parse(&declared(1 << 10, 1 << 10, 1 << 10), Images).unwrap_err(),
        IdxError::TruncatedPayload { len: 76, declared: (1 << 30) + 16 }
    );
    assert_eq!(
        parse(&declared((1 << 30) + 1, 1, 1), Images).unwrap_err(),
        IdxError::TooLarge { bytes: (1 << 30) + 1 }
    );
}

#[test]
fn numbers_are_grouped_by_thousands() {
    for (n, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (47_040_016, "47,040,016")] {
        assert_eq!(grouped(n), text);
    }
}

proptest! {
    #[test]
    fn images_round_trip(n in 1usize..6, height in 1usize..9, width in 1usize..9, fill in any::<u8>()) {
        let pixels: Vec<u8> = (0..n * height * width).map(|i| (i as u8).wrapping_mul(fill)).collect();
        let bytes = encode_images(&pixels, n, height, width);
        let (header, payload) = parse(&bytes, Images).unwrap();
        prop_assert_eq!(header, Header { kind: Images, n, channels: 1, height, width });
        prop_assert_eq!(header.file_len(), bytes.len() as u64);
        prop_assert_eq!(payload, &pixels[..]);
    }

    #[test]
    fn labels_round_trip(labels in prop::collection::vec(any::<u8>(), 1..50)) {
        let bytes = encode_labels(&labels);
        prop_assert_eq!(parse(&bytes, Labels).unwrap().1, &labels[..]);
    }

    /// Whatever the bytes, an answer comes; and what is accepted writes back to the same bytes.
    #[test]
    fn arbitrary_bytes_never_panic(
        magic in prop_oneof![Just(vec![0, 0, 8, 1]), Just(vec![0, 0, 8, 3]), prop::collection::vec(any::<u8>(), 0..5)],
        rest in prop::collection::vec(prop_oneof![4 => Just(0u8), 1 => 1u8..4, 1 => any::<u8>()], 0..40),
    ) {
        let bytes = [magic, rest].concat();
        for kind in [Images, Labels] {
            if let Ok((header, payload)) = parse(&bytes, kind) {
                let again = match kind {
                    Images => encode_images(payload, header.n, header.height, header.width),
                    IdxKind::Planes => unreachable!("not among the kinds"),
                    Labels => encode_labels(payload),
                };
                prop_assert_eq!(&again, &bytes);
            }
        }
    }
}
