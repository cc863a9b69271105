//! Four IDX files: images and labels, to train on and to test on.
//!
//! MNIST's four names are what most data sets use. Images of several channels have four dimensions and are called
//! `idx4`, as MNIST's names say `idx3` of three. EMNIST (Cohen, Afshar, Tapson and van Schaik, 2017,
//! <https://arxiv.org/abs/1702.05373>) has six divisions of the same characters under names of their own. Its
//! images lie in the files with rows and columns exchanged, which is undone here, and the labels of its
//! letters count from 1, which become 0 to 25.

use crate::format::{Content, FileSpec, Format, Half, Part, Role};
use crate::idx::{Header, IdxKind};
use crate::input::Input;
use crate::labelled::ImageShape;
use crate::read::{Malformed, ReadError};

/// Data sets in four IDX files of certain names.
#[derive(Debug)]
pub struct IdxFiles {
    name: &'static str,
    files: [FileSpec; 4],
    folder: Option<&'static str>,
    classes: Option<&'static [&'static str]>,
    first_label: u8,
    transposed: bool,
    images: IdxKind,
}

/// MNIST's file names; the classes are whatever the labels say.
pub static IDX: IdxFiles = IdxFiles {
    name: "IDX",
    files: four([
        "train-images-idx3-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx3-ubyte",
        "t10k-labels-idx1-ubyte",
    ]),
    folder: None,
    classes: None,
    first_label: 0,
    transposed: false,
    images: IdxKind::Images,
};

/// The same for images of several channels, `[n, channels, height, width]`: red, green and blue for three.
pub static IDX_PLANES: IdxFiles = IdxFiles {
    name: "IDX of several channels",
    files: four([
        "train-images-idx4-ubyte",
        "train-labels-idx1-ubyte",
        "t10k-images-idx4-ubyte",
        "t10k-labels-idx1-ubyte",
    ]),
    folder: None,
    classes: None,
    first_label: 0,
    transposed: false,
    images: IdxKind::Planes,
};

/// The classes of EMNIST ByClass: digits, upper case, lower case.
pub(crate) const BY_CLASS: [&str; 62] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K",
    "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "a", "b", "c", "d", "e", "f",
    "g", "h", "i", "j", "k", "l", "m", "n", "o", "p", "q", "r", "s", "t", "u", "v", "w", "x", "y", "z",
];
/// The classes of EMNIST ByMerge and Balanced: of the lower-case letters, only those that do not look like
/// their upper case.
pub(crate) const BY_MERGE: [&str; 47] = [
    "0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K",
    "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U", "V", "W", "X", "Y", "Z", "a", "b", "d", "e", "f", "g",
    "h", "n", "q", "r", "t",
];
/// The ten digits.
pub(crate) const DIGITS: [&str; 10] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
/// The classes of EMNIST Letters; upper and lower case are one.
pub(crate) const LETTERS: [&str; 26] = [
    "A", "B", "C", "D", "E", "F", "G", "H", "I", "J", "K", "L", "M", "N", "O", "P", "Q", "R", "S", "T", "U",
    "V", "W", "X", "Y", "Z",
];

macro_rules! emnist {
    ($split:literal, $classes:expr, $first_label:expr) => {
        IdxFiles {
            name: concat!("EMNIST ", $split),
            files: four([
                concat!("emnist-", $split, "-train-images-idx3-ubyte"),
                concat!("emnist-", $split, "-train-labels-idx1-ubyte"),
                concat!("emnist-", $split, "-test-images-idx3-ubyte"),
                concat!("emnist-", $split, "-test-labels-idx1-ubyte"),
            ]),
            // As NIST's zip file has them.
            folder: Some("gzip"),
            classes: Some($classes),
            first_label: $first_label,
            transposed: true,
            images: IdxKind::Images,
        }
    };
}

/// 62 classes, as unbalanced as writing is.
pub static EMNIST_BYCLASS: IdxFiles = emnist!("byclass", &BY_CLASS, 0);
/// 47 classes: letters whose cases look alike are one.
pub static EMNIST_BYMERGE: IdxFiles = emnist!("bymerge", &BY_MERGE, 0);
/// The same 47 classes with as many images each.
pub static EMNIST_BALANCED: IdxFiles = emnist!("balanced", &BY_MERGE, 0);
/// 26 letters.
pub static EMNIST_LETTERS: IdxFiles = emnist!("letters", &LETTERS, 1);
/// Ten digits, 280,000 images.
pub static EMNIST_DIGITS: IdxFiles = emnist!("digits", &DIGITS, 0);
/// Ten digits, as many images as MNIST has.
pub static EMNIST_MNIST: IdxFiles = emnist!("mnist", &DIGITS, 0);

/// The names in the order of images and labels to train on, then to test on.
const fn four(names: [&'static str; 4]) -> [FileSpec; 4] {
    [
        FileSpec { name: names[0], role: Role::Images(Half::Train) },
        FileSpec { name: names[1], role: Role::Labels(Half::Train) },
        FileSpec { name: names[2], role: Role::Images(Half::Test) },
        FileSpec { name: names[3], role: Role::Labels(Half::Test) },
    ]
}

impl Format for IdxFiles {
    fn name(&self) -> &'static str {
        self.name
    }

    fn a_file(&self) -> &'static str {
        "an IDX file"
    }

    fn files(&self) -> &[FileSpec] {
        &self.files
    }

    fn folder(&self) -> Option<&'static str> {
        self.folder
    }

    fn class_names(&self) -> Option<&'static [&'static str]> {
        self.classes
    }

    fn read(&self, file: &FileSpec, input: Input<'_>) -> Result<Part, ReadError> {
        let kind = if matches!(file.role, Role::Labels(_)) { IdxKind::Labels } else { self.images };
        let read = input.idx(kind)?;
        let mut payload = read.payload;
        let content = if kind == IdxKind::Labels {
            self.count_from_zero(&mut payload)?;
            Content::Labels(payload)
        } else {
            let Header { channels, height, width, .. } = read.header;
            let mut shape = ImageShape { channels, height, width };
            if self.transposed {
                transpose(&mut payload, &mut shape);
            }
            Content::Images { pixels: payload, shape }
        };
        Ok(Part { content, sha256: read.sha256 })
    }
}

impl IdxFiles {
    /// Labels that count from elsewhere are checked here, where the message can name them as the file does.
    fn count_from_zero(&self, labels: &mut [u8]) -> Result<(), Malformed> {
        let (first, Some(classes)) = (self.first_label, self.classes) else { return Ok(()) };
        if first == 0 {
            return Ok(());
        }
        let last = first + (classes.len() - 1) as u8;
        if let Some(index) = labels.iter().position(|label| !(first..=last).contains(label)) {
            let text = format!("label {} at index {index}, valid {first} to {last}", labels[index]);
            return Err(Malformed::new(text).help(format!("labels of {} count from {first}", self.name)));
        }
        for label in labels {
            *label -= first;
        }
        Ok(())
    }
}

/// Exchanges rows and columns of each image.
fn transpose(pixels: &mut [u8], shape: &mut ImageShape) {
    let (height, width) = (shape.height, shape.width);
    let mut before = vec![0; height * width];
    for image in pixels.chunks_exact_mut(height * width) {
        before.copy_from_slice(image);
        for (at, value) in image.iter_mut().enumerate() {
            *value = before[at % height * width + at / height];
        }
    }
    (shape.height, shape.width) = (width, height);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::idx::{encode_images, encode_labels};

    fn read(format: &IdxFiles, index: usize, bytes: &[u8]) -> Result<Content, String> {
        let part = format.read(&format.files[index], Input::new(bytes, false));
        part.map(|part| part.content).map_err(|e| e.to_string())
    }

    #[test]
    fn emnist_s_images_are_put_upright() {
        // Two images of 2x3; as upright ones they are 3x2.
        let bytes = encode_images(&[1, 2, 3, 4, 5, 6, 11, 12, 13, 14, 15, 16], 2, 2, 3);
        let shape = ImageShape { channels: 1, height: 3, width: 2 };
        let pixels = vec![1, 4, 2, 5, 3, 6, 11, 14, 12, 15, 13, 16];
        assert_eq!(read(&EMNIST_DIGITS, 0, &bytes).unwrap(), Content::Images { pixels, shape });
        let Content::Images { pixels, .. } = read(&IDX, 0, &bytes).unwrap() else { panic!() };
        assert_eq!(pixels[..3], [1, 2, 3]);
    }

    #[test]
    fn several_channels_have_four_dimensions() {
        let shape = ImageShape { channels: 3, height: 1, width: 2 };
        let mut bytes = crate::idx::images_header(2, shape);
        assert_eq!(bytes[..8], [0, 0, 8, 4, 0, 0, 0, 2]);
        bytes.extend(0..12);
        let pixels = (0..12).collect();
        assert_eq!(read(&IDX_PLANES, 0, &bytes).unwrap(), Content::Images { pixels, shape });
        let error = read(&IDX, 0, &bytes).unwrap_err();
        assert!(error.contains("0x00000804 is a file of images of several channels"), "{error}");
        bytes[7] = 3;
        assert_eq!(read(&IDX_PLANES, 0, &bytes).unwrap_err(), "data ends at byte 32 of 38");
        bytes[11] = 9;
        let error = read(&IDX_PLANES, 0, &bytes).unwrap_err();
        assert_eq!(error, "header corrupt: images of 9 channels, at most 4 are read");
    }

    #[test]
    fn letters_count_from_one() {
        assert_eq!(read(&EMNIST_LETTERS, 1, &encode_labels(&[1, 26])).unwrap(), Content::Labels(vec![0, 25]));
        let error = read(&EMNIST_LETTERS, 1, &encode_labels(&[1, 0])).unwrap_err();
        assert_eq!(error, "label 0 at index 1, valid 1 to 26");
        let error = read(&EMNIST_LETTERS, 3, &encode_labels(&[27])).unwrap_err();
        assert_eq!(error, "label 27 at index 0, valid 1 to 26");
    }

    #[test]
    fn merged_classes_are_the_published_ones() {
        // The upper-case letters that stand for both cases, by the paper.
        let merged = "CIJKLMOPSUVWXYZ";
        let expected: Vec<&str> =
            BY_CLASS.into_iter().filter(|c| !merged.to_lowercase().contains(c)).collect();
        assert_eq!(BY_MERGE[..], expected[..]);
        assert_eq!(LETTERS[..], BY_CLASS[10..36]);
    }
}
