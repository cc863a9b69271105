//! Which data set: a published one by name, or a directory of one's own.
//!
//! The name says where to look and download, what the classes are called and which hashes were published;
//! the four file names are the same for every data set.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use crate::idx::IdxKind::{self, Images, Labels};

/// The four files of a data set, in the order of every list of four in this crate.
pub const FILES: [(&str, IdxKind); 4] = [
    ("train-images-idx3-ubyte", Images),
    ("train-labels-idx1-ubyte", Labels),
    ("t10k-images-idx3-ubyte", Images),
    ("t10k-labels-idx1-ubyte", Labels),
];

/// A data set as asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub enum DatasetName {
    /// Ten kinds of clothing: Xiao, Rasul and Vollgraf (2017), <https://arxiv.org/abs/1708.07747>.
    #[default]
    FashionMnist,
    /// Ten handwritten digits: LeCun, Cortes and Burges (1998).
    Mnist,
    /// Ten cursive hiragana: Clanuwat et al. (2018), <https://arxiv.org/abs/1812.01718>.
    Kmnist,
    /// The four files in a directory, whatever they show.
    Dir(PathBuf),
}

impl DatasetName {
    /// The name in paths and on the command line; none for a directory.
    #[must_use]
    pub const fn slug(&self) -> Option<&'static str> {
        match self {
            Self::FashionMnist => Some("fashion-mnist"),
            Self::Mnist => Some("mnist"),
            Self::Kmnist => Some("kmnist"),
            Self::Dir(_) => None,
        }
    }

    /// The name in prose.
    #[must_use]
    pub fn title(&self) -> String {
        match self {
            Self::FashionMnist => "Fashion-MNIST".to_owned(),
            Self::Mnist => "MNIST".to_owned(),
            Self::Kmnist => "KMNIST".to_owned(),
            Self::Dir(path) => path.display().to_string(),
        }
    }

    /// The ten class names by label, from the data set's publication; none for a directory. KMNIST's
    /// hiragana are written in Latin letters, which every font and spreadsheet has.
    #[must_use]
    pub const fn class_names(&self) -> Option<[&'static str; 10]> {
        match self {
            Self::FashionMnist => Some([
                "T-shirt/top",
                "Trouser",
                "Pullover",
                "Dress",
                "Coat",
                "Sandal",
                "Shirt",
                "Sneaker",
                "Bag",
                "Ankle boot",
            ]),
            Self::Mnist => Some(["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"]),
            Self::Kmnist => Some(["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"]),
            Self::Dir(_) => None,
        }
    }
}

impl fmt::Display for DatasetName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Dir(path) => path.display().fmt(f),
            named => f.write_str(named.slug().unwrap_or_default()),
        }
    }
}

impl From<PathBuf> for DatasetName {
    /// A known name, or else a directory; `./mnist` is the directory of that name. Total, so that a path
    /// that isn't UTF-8 works too.
    fn from(path: PathBuf) -> Self {
        match path.to_str() {
            Some("fashion-mnist") => Self::FashionMnist,
            Some("mnist") => Self::Mnist,
            Some("kmnist") => Self::Kmnist,
            _ => Self::Dir(path),
        }
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
        for text in ["fashion-mnist", "mnist", "kmnist"] {
            let name: DatasetName = text.parse().unwrap();
            assert_eq!(name.slug(), Some(text));
            assert_eq!(name.to_string(), text);
        }
        for text in ["./mnist", "/data/own", "MNIST"] {
            assert_eq!(text.parse::<DatasetName>().unwrap(), DatasetName::Dir(PathBuf::from(text)));
        }
    }

    #[test]
    fn a_path_that_is_not_utf_8_stays_itself() {
        use std::os::unix::ffi::OsStringExt;
        let path = PathBuf::from(std::ffi::OsString::from_vec(vec![b'd', 0xFF]));
        assert_eq!(DatasetName::from(path.clone()), DatasetName::Dir(path));
    }
}
