//! Whether files are the published ones.
//!
//! The SHA-256 of the decompressed file is compared, because packagers compress anew. Which are published,
//! the [`catalog`](crate::catalog) says.

use std::fmt;

use crate::name::DatasetName;

/// What to do about files that differ from the published ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Verify {
    /// Print a warning and continue.
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

/// Compares `sha256`, of the decompressed file at `index` of the format's files.
#[must_use]
pub fn verify(set: &DatasetName, index: usize, sha256: &str) -> Verification {
    let hashes = set.published().and_then(|set| set.sha256);
    match hashes.map(|hashes| hashes[index]) {
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
        assert_eq!(verify(&DatasetName::MNIST, 3, hash), Verification::Verified);
        // The right hash at the wrong place.
        let differs = verify(&DatasetName::MNIST, 1, hash);
        assert_eq!(differs.to_string(), "differs from published MNIST");
        assert_eq!(verify(&DatasetName::KMNIST, 3, hash).to_string(), "no published hash known");
    }
}
