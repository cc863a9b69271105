//! The published data sets: what is known of each, in one row.

use std::hash::{Hash, Hasher};

use crate::format::Format;
use crate::formats::{self, idx_files};

/// A data set that has a name.
#[derive(Debug)]
pub struct Published {
    /// The name on the command line and in files.
    pub slug: &'static str,
    /// The name in prose.
    pub title: &'static str,
    /// The directory's name in the usual places.
    pub folder: &'static str,
    /// How its files are written.
    pub format: &'static dyn Format,
    /// The class names by label, from the publication.
    pub classes: &'static [&'static str],
    /// SHA-256 of the decompressed files in the format's order, where they are known.
    pub sha256: Option<&'static [&'static str]>,
    /// How to download it.
    pub download: Download,
    /// How else to get it, a line each.
    pub help: &'static [&'static str],
}

/// How a data set is downloaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Download {
    /// Each file, gzipped.
    Files {
        /// Addresses to which a file's name and `.gz` are added, best first.
        mirrors: &'static [&'static str],
    },
    /// All files in one gzipped tar archive.
    Archive {
        /// Addresses to which the archive's name is added, best first.
        mirrors: &'static [&'static str],
        /// The archive's name.
        name: &'static str,
        /// The archive's MD5, as published.
        md5: &'static str,
    },
    /// Not at all; [`Published::help`] says why.
    ByHand,
}

impl Download {
    /// Addresses to which a name is added, best first.
    #[must_use]
    pub const fn mirrors(&self) -> &'static [&'static str] {
        match self {
            Self::Files { mirrors } | Self::Archive { mirrors, .. } => mirrors,
            Self::ByHand => &[],
        }
    }
}

impl PartialEq for Published {
    fn eq(&self, other: &Self) -> bool {
        self.slug == other.slug
    }
}

impl Eq for Published {}

impl Hash for Published {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.slug.hash(state);
    }
}

/// Every published data set, by the order in which messages list them.
pub static CATALOG: &[&Published] = &[
    &FASHION_MNIST,
    &MNIST,
    &KMNIST,
    &CIFAR_10,
    &CIFAR_100,
    &EMNIST_BYCLASS,
    &EMNIST_BYMERGE,
    &EMNIST_BALANCED,
    &EMNIST_LETTERS,
    &EMNIST_DIGITS,
    &EMNIST_MNIST,
];

/// Ten kinds of clothing: Xiao, Rasul and Vollgraf (2017), <https://arxiv.org/abs/1708.07747>. The hashes are
/// of the files at <https://github.com/zalandoresearch/fashion-mnist>.
pub static FASHION_MNIST: Published = Published {
    slug: "fashion-mnist",
    title: "Fashion-MNIST",
    folder: "fashion-mnist",
    format: &formats::IDX,
    classes: &[
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
    ],
    sha256: Some(&[
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ]),
    download: Download::Files {
        mirrors: &[
            "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
            "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        ],
    },
    help: &["scripts/setup.sh gets it", "on Debian and Ubuntu: apt-get install dataset-fashion-mnist"],
};

/// Ten handwritten digits: LeCun, Cortes and Burges (1998). The hashes are of the files that PyTorch and
/// TensorFlow mirror.
pub static MNIST: Published = Published {
    slug: "mnist",
    title: "MNIST",
    folder: "mnist",
    format: &formats::IDX,
    classes: &idx_files::DIGITS,
    sha256: Some(&[
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
    download: Download::Files {
        mirrors: &[
            "https://ossci-datasets.s3.amazonaws.com/mnist/",
            "https://storage.googleapis.com/cvdf-datasets/mnist/",
        ],
    },
    help: &[],
};

/// Ten cursive hiragana: Clanuwat et al. (2018), <https://arxiv.org/abs/1812.01718>. Their names are written
/// in Latin letters, which every font and spreadsheet has.
pub static KMNIST: Published = Published {
    slug: "kmnist",
    title: "KMNIST",
    folder: "kmnist",
    format: &formats::IDX,
    classes: &["o", "ki", "su", "tsu", "na", "ha", "ma", "ya", "re", "wo"],
    sha256: None,
    download: Download::Files { mirrors: &["https://codh.rois.ac.jp/kmnist/dataset/kmnist/"] },
    help: &[],
};

/// Ten kinds of animals and vehicles in colour: Krizhevsky (2009),
/// <https://www.cs.toronto.edu/~kriz/cifar.html>, which has the archive's MD5.
pub static CIFAR_10: Published = Published {
    slug: "cifar-10",
    title: "CIFAR-10",
    folder: "cifar-10",
    format: &formats::CIFAR_10,
    classes: &["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    sha256: None,
    download: Download::Archive {
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        name: "cifar-10-binary.tar.gz",
        md5: "c32a1d4ab5d03f1284b67883e8d87530",
    },
    help: &[],
};

/// A hundred kinds of things in colour, from the same place.
pub static CIFAR_100: Published = Published {
    slug: "cifar-100",
    title: "CIFAR-100",
    folder: "cifar-100",
    format: &formats::CIFAR_100,
    classes: &formats::cifar::FINE,
    sha256: None,
    download: Download::Archive {
        mirrors: &["https://www.cs.toronto.edu/~kriz/"],
        name: "cifar-100-binary.tar.gz",
        md5: "03b5dce01913d631647c71ecec9e9cb8",
    },
    help: &[],
};

macro_rules! emnist {
    ($split:literal, $title:literal, $format:expr, $classes:expr) => {
        Published {
            slug: concat!("emnist-", $split),
            title: concat!("EMNIST ", $title),
            // One directory for all six, as they come in one archive.
            folder: "emnist",
            format: $format,
            classes: $classes,
            sha256: None,
            download: Download::ByHand,
            help: &[
                "EMNIST comes as one archive of 535 MB, which is not downloaded by itself: get \
                 https://biometrics.nist.gov/cs_links/EMNIST/gzip.zip",
                concat!("put its four files gzip/emnist-", $split, "-*.gz into data/emnist"),
            ],
        }
    };
}

/// 62 classes of handwritten characters: Cohen et al. (2017), <https://arxiv.org/abs/1702.05373>.
pub static EMNIST_BYCLASS: Published =
    emnist!("byclass", "ByClass", &formats::EMNIST_BYCLASS, &idx_files::BY_CLASS);
/// The same characters in 47 classes.
pub static EMNIST_BYMERGE: Published =
    emnist!("bymerge", "ByMerge", &formats::EMNIST_BYMERGE, &idx_files::BY_MERGE);
/// As many of each of the 47.
pub static EMNIST_BALANCED: Published =
    emnist!("balanced", "Balanced", &formats::EMNIST_BALANCED, &idx_files::BY_MERGE);
/// The letters, of either case.
pub static EMNIST_LETTERS: Published =
    emnist!("letters", "Letters", &formats::EMNIST_LETTERS, &idx_files::LETTERS);
/// The digits.
pub static EMNIST_DIGITS: Published =
    emnist!("digits", "Digits", &formats::EMNIST_DIGITS, &idx_files::DIGITS);
/// Digits, as many as MNIST's.
pub static EMNIST_MNIST: Published = emnist!("mnist", "MNIST", &formats::EMNIST_MNIST, &idx_files::DIGITS);

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn rows_are_whole() {
        let slugs: HashSet<_> = CATALOG.iter().map(|set| set.slug).collect();
        assert_eq!(slugs.len(), CATALOG.len());
        for set in CATALOG {
            assert!(set.sha256.is_none_or(|all| all.len() == set.format.files().len()), "{}", set.slug);
            assert!(set.format.class_names().is_none_or(|names| names == set.classes), "{}", set.slug);
            assert!(set.download.mirrors().iter().all(|url| url.ends_with('/')), "{}", set.slug);
            assert!(set.download.mirrors().first().is_none_or(|url| url.starts_with("https://")));
            assert!(set.download != Download::ByHand || !set.help.is_empty(), "{}", set.slug);
        }
        let counts = CATALOG.iter().map(|set| set.classes.len());
        assert_eq!(counts.collect::<Vec<_>>(), [10, 10, 10, 10, 100, 62, 47, 47, 26, 10, 10]);
    }

    #[test]
    fn hashes_are_64_lower_case_digits_and_all_different() {
        let all: Vec<_> = CATALOG.iter().filter_map(|set| set.sha256).flatten().collect();
        let distinct: HashSet<_> = all.iter().collect();
        assert_eq!((all.len(), distinct.len()), (8, 8));
        let is_digit = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
        assert!(all.iter().all(|hash| hash.len() == 64 && hash.bytes().all(is_digit)));
    }
}
