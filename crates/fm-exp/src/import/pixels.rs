//! Images in arrays: how their bytes lie, hashes, and labels as classes.

use std::collections::BTreeMap;

use fm_data::ImageShape;
use sha2::{Digest, Sha256};

use super::Print;

/// How the values of an image lie in a row of a table or an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Order {
    /// A plane for each channel.
    Planes,
    /// The channels of each pixel together, as NumPy has `[height, width, channels]`.
    Interleaved,
}

/// The shape and order of an image of these dimensions, `[h, w]`, `[h, w, c]`, `[c, h, w]` or `[h * w]`.
///
/// # Errors
/// When they are none of an image of one or three channels, in words.
pub(crate) fn layout(dimensions: &[usize]) -> Result<(ImageShape, Order), String> {
    let shape = |channels, height, width| ImageShape { channels, height, width };
    match *dimensions {
        [n] => {
            let side = n.isqrt();
            if side * side != n || n == 0 {
                return Err(format!(
                    "{n} pixels are no square image; say its shape with --shape, as in 28x20"
                ));
            }
            Ok((shape(1, side, side), Order::Planes))
        }
        [height, width] if height * width > 0 => Ok((shape(1, height, width), Order::Planes)),
        [height, width, c @ (1 | 3)] if height * width > 0 => {
            Ok((shape(c, height, width), Order::Interleaved))
        }
        [c @ (1 | 3), height, width] if height * width > 0 => Ok((shape(c, height, width), Order::Planes)),
        _ => Err(format!("{dimensions:?} is no shape of an image of one or three channels")),
    }
}

/// The image as planes.
pub(crate) fn planes(pixels: Vec<u8>, shape: ImageShape, order: Order) -> Vec<u8> {
    if order == Order::Planes || shape.channels == 1 {
        return pixels;
    }
    let n = shape.channels;
    (0..n).flat_map(|channel| pixels.iter().skip(channel).step_by(n).copied()).collect()
}

/// A hash of an image's bytes.
pub(crate) fn print(bytes: &[u8]) -> Print {
    let hash = Sha256::digest(bytes);
    let mut print = Print::default();
    let len = print.len();
    print.copy_from_slice(&hash[..len]);
    print
}

/// Labels as they stand in a file → classes by number. Numbers sort as numbers, other names by their letters.
/// With the classes come warnings: labels that begin at 1 and labels that are left out are numbered anew.
pub(crate) fn classes(labels: &[String]) -> (Vec<String>, Vec<usize>, Vec<String>) {
    let number = |name: &str| name.parse::<i64>().ok();
    let mut found: BTreeMap<&str, usize> = labels.iter().map(|label| (label.as_str(), 0)).collect();
    let mut names: Vec<&str> = found.keys().copied().collect();
    let numbers: Option<Vec<i64>> = names.iter().map(|name| number(name)).collect();
    if numbers.is_some() {
        names.sort_by_key(|name| number(name));
    }
    for (class, name) in names.iter().enumerate() {
        found.insert(name, class);
    }
    let indices = labels.iter().map(|label| found[label.as_str()]).collect();
    let warnings = numbers.map(|mut numbers| {
        numbers.sort_unstable();
        odd(&numbers)
    });
    (names.into_iter().map(str::to_owned).collect(), indices, warnings.into_iter().flatten().collect())
}

fn odd(numbers: &[i64]) -> Option<String> {
    let (first, last) = (*numbers.first()?, *numbers.last()?);
    let gaps = (last - first + 1) as usize - numbers.len();
    match (first, gaps) {
        (0, 0) => None,
        (_, 0) => Some(format!(
            "labels count from {first}: classes are numbered from 0 and keep {first} to {last} as names"
        )),
        _ => Some(format!(
            "of the labels {first} to {last}, {gaps} are never used: classes are numbered anew, from 0, and keep their labels as names"
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layouts() {
        let shape = |channels, height, width| ImageShape { channels, height, width };
        assert_eq!(layout(&[784]), Ok((shape(1, 28, 28), Order::Planes)));
        assert_eq!(layout(&[5, 7]), Ok((shape(1, 5, 7), Order::Planes)));
        assert_eq!(layout(&[5, 7, 3]), Ok((shape(3, 5, 7), Order::Interleaved)));
        assert_eq!(layout(&[3, 5, 7]), Ok((shape(3, 5, 7), Order::Planes)));
        assert!(layout(&[3072]).unwrap_err().contains("3072 pixels are no square image"));
        assert!(layout(&[5, 7, 4]).is_err() && layout(&[0, 7]).is_err() && layout(&[1, 2, 3, 4]).is_err());
        assert_eq!(planes(vec![1, 2, 3, 4, 5, 6], shape(3, 1, 2), Order::Interleaved), [1, 4, 2, 5, 3, 6]);
    }

    #[test]
    fn labels_become_classes() {
        let of = |labels: &[&str]| classes(&labels.iter().map(|&l| l.to_owned()).collect::<Vec<_>>());
        assert_eq!(of(&["2", "10", "0", "1"]).0, ["0", "1", "2", "10"]);
        assert_eq!(of(&["1", "2", "1"]).1, [0, 1, 0]);
        assert!(of(&["1", "2", "3"]).2[0].starts_with("labels count from 1"));
        assert!(of(&["0", "2", "5"]).2[0].starts_with("of the labels 0 to 5, 3 are never used"));
        assert!(of(&["0", "1"]).2.is_empty() && of(&["dog", "cat"]).2.is_empty());
        assert_eq!(of(&["dog", "cat", "7"]).0, ["7", "cat", "dog"]);
    }
}
