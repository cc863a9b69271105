//! Whether files are the published ones.
//!
//! The SHA-256 of the decompressed file is compared, because packagers compress anew. Fashion-MNIST's are of
//! the files at <https://github.com/zalandoresearch/fashion-mnist>, MNIST's of those that PyTorch and
//! TensorFlow mirror. For KMNIST, none are known.

use std::fmt;

use crate::name::DatasetName;

/// What to do about files that differ from the published ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Say so and go on.
    #[default]
    Warn,
    /// Refuse them.
    Strict,
}

/// The outcome for one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verification {
    /// It is the published file.
    Verified,
    /// It is another file.
    Differs {
        /// SHA-256 of the published one.
        published: &'static str,
        /// The data set's title.
        title: String,
    },
    /// Nothing to compare with.
    Unknown,
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Verified => f.write_str("verified"),
            Self::Differs { title, .. } => write!(f, "differs from published {title}"),
            Self::Unknown => f.write_str("no published hash known"),
        }
    }
}

/// Published SHA-256 of the decompressed files, in the order of [`FILES`](crate::name::FILES).
#[must_use]
pub const fn published(set: &DatasetName) -> Option<[&'static str; 4]> {
    match set {
        DatasetName::FashionMnist => Some([
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ]),
        DatasetName::Mnist => Some([
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ]),
        DatasetName::Kmnist | DatasetName::Dir(_) => None,
    }
}

/// Compares `sha256`, of the decompressed file at `index` of [`FILES`](crate::name::FILES).
#[must_use]
pub fn verify(set: &DatasetName, index: usize, sha256: &str) -> Verification {
    match published(set).map(|hashes| hashes[index]) {
        None => Verification::Unknown,
        Some(hash) if hash == sha256 => Verification::Verified,
        Some(published) => Verification::Differs { published, title: set.title() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes() {
        let hash = "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2";
        assert_eq!(verify(&DatasetName::Mnist, 3, hash), Verification::Verified);
        // The right hash at the wrong place.
        let differs = verify(&DatasetName::Mnist, 1, hash);
        assert_eq!(differs.to_string(), "differs from published MNIST");
        assert_eq!(verify(&DatasetName::Kmnist, 3, hash).to_string(), "no published hash known");
    }

    #[test]
    fn hashes_are_64_lower_case_digits_and_all_different() {
        let all: Vec<_> =
            [DatasetName::FashionMnist, DatasetName::Mnist].iter().filter_map(published).flatten().collect();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(distinct.len(), 8);
        assert!(all.iter().all(|h| h.len() == 64 && h.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))));
    }
}
