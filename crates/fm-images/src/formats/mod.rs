//! The formats that are known.

pub mod cifar;
pub mod idx_files;

pub use cifar::{CIFAR_10, CIFAR_100};
pub use idx_files::{
    EMNIST_BALANCED, EMNIST_BYCLASS, EMNIST_BYMERGE, EMNIST_DIGITS, EMNIST_LETTERS, EMNIST_MNIST, IDX,
    IDX_PLANES,
};

use crate::format::Format;

/// Every format that a directory is tried for. Where a directory holds none, the first is what is asked for.
pub static FORMATS: &[&dyn Format] = &[
    &IDX,
    &IDX_PLANES,
    &CIFAR_10,
    &CIFAR_100,
    &EMNIST_BYCLASS,
    &EMNIST_BYMERGE,
    &EMNIST_BALANCED,
    &EMNIST_LETTERS,
    &EMNIST_DIGITS,
    &EMNIST_MNIST,
];

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::format::{Half, Role};

    /// A directory could not be told to be of one format if two had their images in the same files.
    #[test]
    fn no_two_formats_share_a_file_of_images_and_each_has_both_halves() {
        let mut names = HashSet::new();
        for format in FORMATS {
            let with_images = |role| matches!(role, Role::Images(_) | Role::Records(_));
            let mut images = format.files().iter().filter(|file| with_images(file.role));
            assert!(images.all(|file| names.insert(file.name)), "{}", format.name());
            for half in [Half::Train, Half::Test] {
                let count = |role: Role| format.files().iter().filter(|file| file.role == role).count();
                assert_eq!(count(Role::Images(half)), count(Role::Labels(half)), "{}", format.name());
                assert!(count(Role::Images(half)) + count(Role::Records(half)) > 0, "{}", format.name());
            }
        }
    }
}
