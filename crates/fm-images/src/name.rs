//! Which data set: a published one by name, or a directory of one's own.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::catalog::{self, CATALOG, Published};

/// A data set as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum DatasetName {
    /// A published one; which names there are, [`CATALOG`] says.
    Published(&'static Published),
    /// The files in a directory, whatever they show.
    Dir(PathBuf),
}

impl DatasetName {
    /// Zalando's ten kinds of clothing.
    pub const FASHION_MNIST: Self = Self::Published(&catalog::FASHION_MNIST);
    /// LeCun's ten digits.
    pub const MNIST: Self = Self::Published(&catalog::MNIST);
    /// Ten cursive hiragana.
    pub const KMNIST: Self = Self::Published(&catalog::KMNIST);
    /// Ten kinds of animals and vehicles in colour.
    pub const CIFAR_10: Self = Self::Published(&catalog::CIFAR_10);
    /// A hundred kinds of things in colour.
    pub const CIFAR_100: Self = Self::Published(&catalog::CIFAR_100);

    /// Its row of the catalog; none for a directory.
    #[must_use]
    pub const fn published(&self) -> Option<&'static Published> {
        match self {
            Self::Published(set) => Some(set),
            Self::Dir(_) => None,
        }
    }

    /// The name in paths and on the command line; none for a directory.
    #[must_use]
    pub fn slug(&self) -> Option<&'static str> {
        self.published().map(|set| set.slug)
    }

    /// The name in prose.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::Published(set) => set.title.to_owned(),
            Self::Dir(path) => path.display().to_string(),
        }
    }

    /// The class names by label, from the data set's publication; none for a directory.
    #[must_use]
    pub fn class_names(&self) -> Option<&'static [&'static str]> {
        self.published().map(|set| set.classes)
    }
}

impl Default for DatasetName {
    /// Fashion-MNIST.
    fn default() -> Self {
        Self::FASHION_MNIST
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Published(set) => f.write_str(set.slug),
            Self::Dir(path) => path.display().fmt(f),
        }
    }
}

impl From<PathBuf> for DatasetName {
    /// A known name, or else a directory; `./mnist` is the directory of that name. Total, so that a path
    /// that isn't UTF-8 works too.
    fn from(path: PathBuf) -> Self {
        let known = path.to_str().and_then(|text| CATALOG.iter().find(|set| set.slug == text));
        known.map_or(Self::Dir(path), |set| Self::Published(set))
    }
}

impl FromStr for DatasetName {
    type Err = std::convert::Infallible;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Ok(Self::from(PathBuf::from(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_directories() {
        for text in
            ["fashion-mnist", "mnist", "kmnist", "cifar-10", "cifar-100", "emnist-balanced", "emnist-letters"]
        {
            let name: DatasetName = text.parse().unwrap();
            assert_eq!(name.slug(), Some(text));
            assert_eq!(name.to_string(), text);
        }
        for text in ["./mnist", "/data/own", "MNIST", "emnist"] {
            assert_eq!(text.parse::<DatasetName>().unwrap(), DatasetName::Dir(PathBuf::from(text)));
        }
        assert_eq!("mnist".parse(), Ok(DatasetName::MNIST));
        assert_eq!(DatasetName::default(), DatasetName::FASHION_MNIST);
    }

    #[test]
    fn a_path_that_is_not_utf_8_stays_itself() {
        use std::os::unix::ffi::OsStringExt;
        let path = PathBuf::from(std::ffi::OsString::from_vec(vec![b'd', 0xFF]));
        assert_eq!(DatasetName::from(path.clone()), DatasetName::Dir(path));
    }
}
