//! The binary versions of CIFAR-10 and CIFAR-100: colour images with their labels.
//!
//! CIFAR-10 has five files to train on and one to test on. A file is records of 3,073 bytes, one after the other
//! with nothing before or behind: the label, then the red, the green and the blue plane of 32 rows of 32 pixels.
//! `batches.meta.txt` has a class name a line. CIFAR-100 has a file for each half and a byte more before each
//! label, the superclass, which is left out; `fine_label_names.txt` names the classes.
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

/// A binary version.
#[derive(Debug)]
pub struct Cifar {
    name: &'static str,
    a_file: &'static str,
    files: &'static [FileSpec],
    folder: &'static str,
    /// Bytes before the image, the last of them the label.
    labels: usize,
}

/// CIFAR-10.
pub static CIFAR_10: Cifar = Cifar {
    name: "CIFAR-10 binary",
    a_file: "a file of CIFAR-10's binary version",
    files: &FILES,
    folder: "cifar-10-batches-bin",
    labels: 1,
};

/// CIFAR-100, with its 100 classes.
pub static CIFAR_100: Cifar = Cifar {
    name: "CIFAR-100 binary",
    a_file: "a file of CIFAR-100's binary version",
    files: &FILES_100,
    folder: "cifar-100-binary",
    labels: 2,
};

/// CIFAR-100's classes by label, as `fine_label_names.txt` has them.
#[rustfmt::skip]
pub static FINE: [&str; 100] = [
    "apple", "aquarium_fish", "baby", "bear", "beaver", "bed", "bee", "beetle", "bicycle", "bottle",
    "bowl", "boy", "bridge", "bus", "butterfly", "camel", "can", "castle", "caterpillar", "cattle",
    "chair", "chimpanzee", "clock", "cloud", "cockroach", "couch", "crab", "crocodile", "cup", "dinosaur",
    "dolphin", "elephant", "flatfish", "forest", "fox", "girl", "hamster", "house", "kangaroo", "keyboard",
    "lamp", "lawn_mower", "leopard", "lion", "lizard", "lobster", "man", "maple_tree", "motorcycle", "mountain",
    "mouse", "mushroom", "oak_tree", "orange", "orchid", "otter", "palm_tree", "pear", "pickup_truck", "pine_tree",
    "plain", "plate", "poppy", "porcupine", "possum", "rabbit", "raccoon", "ray", "road", "rocket",
    "rose", "sea", "seal", "shark", "shrew", "skunk", "skyscraper", "snail", "snake", "spider",
    "squirrel", "streetcar", "sunflower", "sweet_pepper", "table", "tank", "telephone", "television", "tiger", "tractor",
    "train", "trout", "tulip", "turtle", "wardrobe", "whale", "willow_tree", "wolf", "woman", "worm",
];

static FILES_100: [FileSpec; 3] = [
    FileSpec { name: "train.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "test.bin", role: Role::Records(Half::Test) },
    FileSpec { name: "fine_label_names.txt", role: Role::ClassNames },
];

static FILES: [FileSpec; 7] = [
    FileSpec { name: "data_batch_1.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "data_batch_2.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "data_batch_3.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "data_batch_4.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "data_batch_5.bin", role: Role::Records(Half::Train) },
    FileSpec { name: "test_batch.bin", role: Role::Records(Half::Test) },
    FileSpec { name: "batches.meta.txt", role: Role::ClassNames },
];

impl Format for Cifar {
    fn name(&self) -> &'static str {
        self.name
    }

    fn a_file(&self) -> &'static str {
        self.a_file
    }

    fn files(&self) -> &[FileSpec] {
        self.files
    }

    fn folder(&self) -> Option<&'static str> {
        Some(self.folder)
    }

    fn read(&self, file: &FileSpec, input: Input<'_>) -> Result<Part, ReadError> {
        if file.role == Role::ClassNames {
            let read = input.bytes(classes::LIMIT)?;
            let content = Content::ClassNames(classes::parse(&read.data)?);
            return Ok(Part { content, sha256: read.sha256 });
        }
        let read = input.bytes(PAYLOAD_LIMIT)?;
        Ok(Part { content: split(read.data, self.labels)?, sha256: read.sha256 })
    }
}

/// Takes records apart, in place; `before` bytes stand before each image, the last of them the label.
fn split(mut bytes: Vec<u8>, before: usize) -> Result<Content, Malformed> {
    let (len, record) = (bytes.len(), before + SHAPE.len());
    let size = grouped(record as u64);
    if len == 0 {
        return Err(Malformed::new(format!("file is empty (0 bytes, a record has {size})"))
            .help("an interrupted download or copy? delete the file and get it again"));
    }
    if !len.is_multiple_of(record) {
        let (whole, rest) = (grouped((len / record) as u64), grouped((len % record) as u64));
        return Err(Malformed::new(format!(
            "{} bytes are {whole} records of {size} and {rest} bytes more",
            grouped(len as u64)
        ))
        .help("an interrupted download or copy, or another data set? delete the file and get it again"));
    }
    let labels: Vec<u8> = bytes.iter().skip(before - 1).step_by(record).copied().collect();
    for i in 0..labels.len() {
        bytes.copy_within(i * record + before..(i + 1) * record, i * SHAPE.len());
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
        split(bytes, 1).unwrap_err().to_string()
    }

    #[test]
    fn planes_stay_in_their_order() {
        let Content::Records { pixels, shape, labels } = split(records(3), 1).unwrap() else { panic!() };
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

    #[test]
    fn a_superclass_before_the_label_is_left_out() {
        let bytes: Vec<u8> = records(3).chunks(RECORD).flat_map(|record| [&[99], record].concat()).collect();
        assert_eq!(split(bytes, 2), split(records(3), 1));
        let error = split(records(3), 2).unwrap_err().to_string();
        assert_eq!(error, "9,219 bytes are 2 records of 3,074 and 3,071 bytes more");
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
            match split(bytes.clone(), 1) {
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
