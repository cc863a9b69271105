//! CIFAR-10's binary version: colour images with their labels, in five files to train on and one to test on.
//!
//! A file is records of 3,073 bytes, one after the other with nothing before or behind: the label, then the
//! red, the green and the blue plane of 32 rows of 32 pixels. `batches.meta.txt` has a class name a line.
//! Source: <https://www.cs.toronto.edu/~kriz/cifar.html>, "Binary version".

use crate::classes;
use crate::format::{Content, FileSpec, Format, Half, Part, Role};
use crate::idx::{PAYLOAD_LIMIT, grouped};
use crate::input::Input;
use crate::labelled::ImageShape;
use crate::read::{Malformed, ReadError};

/// Of every image.
pub const SHAPE: ImageShape = ImageShape { channels: 3, height: 32, width: 32 };

/// Bytes of a label and an image.
pub const RECORD: usize = 1 + SHAPE.len();

/// The binary version of CIFAR-10.
#[derive(Debug)]
pub struct Cifar10;

/// The format; it has no settings.
pub static CIFAR_10: Cifar10 = Cifar10;

static FILES: [FileSpec; 7] = [
    FileSpec { name: "data_batch_1.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "data_batch_2.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "data_batch_3.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "data_batch_4.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "data_batch_5.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "test_batch.bin", role: Role::Records(Half::Test) },
    FileSpec { name: "batches.meta.txt", role: Role::ClassNames },
];

impl Format for Cifar10 {
    fn name(&self) -> &'static str {
        "CIFAR-10 binary"
    }

    fn a_file(&self) -> &'static str {
        "a file of CIFAR-10's binary version"
    }

    fn files(&self) -> &[FileSpec] {
        &FILES
    }

    fn folder(&self) -> Option<&'static str> {
        Some("cifar-10-batches-bin")
    }

    fn read(&self, file: &FileSpec, input: Input<'_>) -> Result<Part, ReadError> {
        if file.role == Role::ClassNames {
            let read = input.bytes(classes::LIMIT)?;
            let content = Content::ClassNames(classes::parse(&read.data)?);
            return Ok(Part { content, sha256: read.sha256 });
        }
        let read = input.bytes(PAYLOAD_LIMIT)?;
        Ok(Part { content: split(read.data)?, sha256: read.sha256 })
    }
}

/// Takes records apart, in place.
fn split(mut bytes: Vec<u8>) -> Result<Content, Malformed> {
    let len = bytes.len();
    if len == 0 {
        return Err(Malformed::new("file is empty (0 bytes, a record has 3,073)")
            .help("an interrupted download or copy? delete the file and get it again"));
    }
    if !len.is_multiple_of(RECORD) {
        let (whole, rest) = (grouped((len / RECORD) as u64), grouped((len % RECORD) as u64));
        return Err(Malformed::new(format!(
            "{} bytes are {whole} records of 3,073 and {rest} bytes more",
            grouped(len as u64)
        ))
        .help("an interrupted download or copy, or CIFAR-100? delete the file and get it again"));
    }
    let labels: Vec<u8> = bytes.iter().step_by(RECORD).copied().collect();
    for i in 0..labels.len() {
        bytes.copy_within(i * RECORD + 1..(i + 1) * RECORD, i * SHAPE.len());
    }
    bytes.truncate(labels.len() * SHAPE.len());
    Ok(Content::Records { pixels: bytes, shape: SHAPE, labels })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Record `i` has label `i` and planes of `10 i`, `10 i + 1` and `10 i + 2`.
    fn records(n: u8) -> Vec<u8> {
        let plane = |value: u8| [value; 1024];
        (0..n)
            .flat_map(|i| [&[i][..], &plane(10 * i), &plane(10 * i + 1), &plane(10 * i + 2)].concat())
            .collect()
    }

    fn fails(bytes: Vec<u8>) -> String {
        split(bytes).unwrap_err().to_string()
    }

    #[test]
    fn planes_stay_in_their_order() {
        let Content::Records { pixels, shape, labels } = split(records(3)).unwrap() else { panic!() };
        assert_eq!((labels, shape, pixels.len()), (vec![0, 1, 2], SHAPE, 3 * 3072));
        let planes: Vec<u8> = pixels.chunks(1024).map(|plane| plane[0]).collect();
        assert_eq!(planes, [0, 1, 2, 10, 11, 12, 20, 21, 22]);
        assert!(pixels.chunks(1024).all(|plane| plane.iter().all(|&value| value == plane[0])));
    }

    #[test]
    fn cut_records() {
        assert_eq!(fails(Vec::new()), "file is empty (0 bytes, a record has 3,073)");
        let mut bytes = records(2);
        bytes.pop();
        assert_eq!(fails(bytes), "6,145 bytes are 1 records of 3,073 and 3,072 bytes more");
    }

    proptest! {
        /// Whatever the bytes, an answer comes; and what is accepted writes back to the same bytes.
        #[test]
        fn what_is_accepted_is_what_was_there(
            whole in 0usize..4,
            rest in prop_oneof![Just(0usize), 1usize..RECORD],
            salt in any::<u8>(),
        ) {
            let bytes: Vec<u8> = (0..whole * RECORD + rest).map(|i| (i as u8).wrapping_mul(salt)).collect();
            match split(bytes.clone()) {
                Err(_) => prop_assert!(whole == 0 || rest > 0),
                Ok(Content::Records { pixels, labels, .. }) => {
                    prop_assert_eq!(rest, 0);
                    let images = pixels.chunks(SHAPE.len());
                    let again: Vec<u8> =
                        labels.iter().zip(images).flat_map(|(&label, image)| [&[label], image].concat()).collect();
                    prop_assert_eq!(again, bytes);
                }
                Ok(other) => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
