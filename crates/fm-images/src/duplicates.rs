//! Images that are there twice, byte by byte or nearly, within a file and between files.
//!
//! Two images are as far apart as their pixels are after each image's mean is taken away and its length made 1:
//! `d = sqrt(2 - 2r)` with Pearson's correlation `r` of their bytes, from 0 to 2. Brightness and contrast do not count.
//!
//! Every pair within the distance that is asked for is found, without comparing all pixels of all pairs: sums over
//! blocks of 4 by 4 pixels, divided by the root of the pixels in each, are coordinates in an orthonormal system, so
//! that images are never farther apart in them than they are. Images are sorted by the coordinate that varies most;
//! pairs that are close there go through the others, in falling order of variance, and those that stay close are
//! compared exactly.

use std::collections::HashMap;
use std::thread;

use crate::labelled::{ImageShape, Labelled};

/// Rows and columns of a block.
const BLOCK: usize = 4;
/// Coordinates that are added up before the sum is looked at.
const LANES: usize = 8;

/// Two images, numbered over all files in their order.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Twins {
    /// The one that comes first.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// How far apart they are: 0 where every byte is the same.
    pub distance: f32,
}

/// Pairs of images of one shape that are at most so far apart, the closest first. Of images that are the same byte by
/// byte each is paired with the first of them alone, and only the first with others. Images of one colour have no
/// correlation: they are found where they are the same.
///
/// # Panics
/// When the files' images differ in shape, or a thread cannot be started.
#[must_use]
pub fn duplicates(files: &[&Labelled], most: f32) -> Vec<Twins> {
    let Some(shape) = files.first().map(|file| file.shape()) else { return Vec::new() };
    assert!(files.iter().all(|file| file.shape() == shape), "files of one shape");
    let images: Vec<&[u8]> = files.iter().flat_map(|file| file.images.chunks_exact(shape.len())).collect();
    let mut found = Vec::new();
    let mut first_of: HashMap<&[u8], usize> = HashMap::with_capacity(images.len());
    let mut different = Vec::new();
    for (second, image) in images.iter().enumerate() {
        let first = *first_of.entry(image).or_insert(second);
        if first == second {
            different.push(second);
        } else {
            found.push(Twins { first, second, distance: 0.0 });
        }
    }
    let points: Vec<Point> = different.iter().filter_map(|&at| Point::of(at, images[at], shape)).collect();
    found.extend(near(&Sorted::new(points), &images, most));
    found.sort_by(|a, b| {
        a.distance.total_cmp(&b.distance).then((a.first, a.second).cmp(&(b.first, b.second)))
    });
    found
}

/// An image in the coordinates of its blocks.
struct Point {
    image: usize,
    mean: f64,
    /// Length of its pixels less their mean.
    length: f64,
    blocks: Vec<f32>,
}

impl Point {
    /// None where the image is of one colour.
    fn of(image: usize, pixels: &[u8], shape: ImageShape) -> Option<Self> {
        let n = pixels.len() as f64;
        let sum: u64 = pixels.iter().map(|&p| u64::from(p)).sum();
        let squares: u64 = pixels.iter().map(|&p| u64::from(p) * u64::from(p)).sum();
        let mean = sum as f64 / n;
        let length = (squares as f64 - sum as f64 * mean).max(0.0).sqrt();
        if length < 1e-6 {
            return None;
        }
        let mut blocks = Vec::new();
        for plane in pixels.chunks_exact(shape.height * shape.width) {
            for top in (0..shape.height).step_by(BLOCK) {
                for left in (0..shape.width).step_by(BLOCK) {
                    let (bottom, right) = ((top + BLOCK).min(shape.height), (left + BLOCK).min(shape.width));
                    let rows = (top..bottom).map(|y| &plane[y * shape.width + left..y * shape.width + right]);
                    let sum: u32 = rows.flatten().map(|&p| u32::from(p)).sum();
                    let area = ((bottom - top) * (right - left)) as f64;
                    blocks.push(((f64::from(sum) - area * mean) / (area.sqrt() * length)) as f32);
                }
            }
        }
        Some(Self { image, mean, length, blocks })
    }

    /// How far apart two are, by all their pixels.
    fn distance(&self, other: &Self, images: &[&[u8]]) -> f32 {
        let (a, b) = (images[self.image], images[other.image]);
        let product: u64 = a.iter().zip(b).map(|(&a, &b)| u64::from(a) * u64::from(b)).sum();
        let r = (product as f64 - a.len() as f64 * self.mean * other.mean) / (self.length * other.length);
        (2.0 - 2.0 * r).max(0.0).sqrt() as f32
    }
}

/// Points by the coordinate that varies most, and all coordinates in falling order of variance, padded to whole lanes.
struct Sorted {
    points: Vec<Point>,
    rows: Vec<f32>,
    width: usize,
}

impl Sorted {
    fn new(mut points: Vec<Point>) -> Self {
        let len = points.first().map_or(0, |point| point.blocks.len());
        let n = points.len().max(1) as f64;
        let variance = |at: usize| {
            let values = points.iter().map(|point| f64::from(point.blocks[at]));
            let mean = values.clone().sum::<f64>() / n;
            values.map(|value| (value - mean).powi(2)).sum::<f64>()
        };
        let variances: Vec<f64> = (0..len).map(variance).collect();
        let mut order: Vec<usize> = (0..len).collect();
        order.sort_by(|&i, &j| variances[j].total_cmp(&variances[i]));
        let widest = order.first().copied().unwrap_or(0);
        points.sort_by(|a, b| a.blocks[widest].total_cmp(&b.blocks[widest]));
        let width = len.next_multiple_of(LANES);
        let mut rows = vec![0.0; points.len() * width];
        for (row, point) in rows.chunks_exact_mut(width.max(1)).zip(&mut points) {
            row.iter_mut().zip(&order).for_each(|(value, &at)| *value = point.blocks[at]);
            point.blocks = Vec::new();
        }
        Self { points, rows, width }
    }

    fn row(&self, at: usize) -> &[f32] {
        &self.rows[at * self.width..(at + 1) * self.width]
    }
}

/// All pairs within a distance.
fn near(sorted: &Sorted, images: &[&[u8]], most: f32) -> Vec<Twins> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    // Rounding must leave none out.
    let (reach, square) = (most + 1e-4, (most + 1e-4).powi(2));
    let search = |turn: usize| {
        let mut found = Vec::new();
        for i in (turn..sorted.points.len()).step_by(threads) {
            let (point, a) = (&sorted.points[i], sorted.row(i));
            for j in i + 1..sorted.points.len() {
                let b = sorted.row(j);
                if b[0] - a[0] > reach {
                    break;
                }
                if !within(a, b, square) {
                    continue;
                }
                let other = &sorted.points[j];
                let distance = point.distance(other, images);
                if distance <= most {
                    let (first, second) = (point.image.min(other.image), point.image.max(other.image));
                    found.push(Twins { first, second, distance });
                }
            }
        }
        found
    };
    thread::scope(|scope| {
        let started: Vec<_> = (0..threads).map(|turn| scope.spawn(move || search(turn))).collect();
        started.into_iter().flat_map(|thread| thread.join().expect("a search does not panic")).collect()
    })
}

/// Whether the squared distance is at most so large.
fn within(a: &[f32], b: &[f32], most: f32) -> bool {
    let mut sum = 0.0;
    for (a, b) in a.as_chunks::<LANES>().0.iter().zip(b.as_chunks::<LANES>().0) {
        sum += a.iter().zip(b).map(|(a, b)| (a - b) * (a - b)).sum::<f32>();
        if sum > most {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHAPE: ImageShape = ImageShape { channels: 1, height: 6, width: 7 };

    /// Images that look alike in groups of five, each group with noise of its own size.
    fn made(n: usize) -> Vec<u8> {
        let noise = |i: usize, p: usize| (i * 7919 + p * 104_729) % 97;
        let pixel = |i: usize, p: usize| 40 + noise(i / 5, p) + noise(1000 + i, p) * (i / 5 + 1) / 40;
        (0..n).flat_map(|i| (0..SHAPE.len()).map(move |p| pixel(i, p) as u8)).collect()
    }

    fn file(images: Vec<u8>) -> Labelled {
        let labels = vec![0; images.len() / SHAPE.len()];
        Labelled::new(images, labels, SHAPE)
    }

    fn pearson(a: &[u8], b: &[u8]) -> f64 {
        let mean = |x: &[u8]| x.iter().copied().map(f64::from).sum::<f64>() / x.len() as f64;
        let (ma, mb) = (mean(a), mean(b));
        let product = |x: &[u8], mx: f64, y: &[u8], my: f64| {
            x.iter().zip(y).map(|(&x, &y)| (f64::from(x) - mx) * (f64::from(y) - my)).sum::<f64>()
        };
        product(a, ma, b, mb) / (product(a, ma, a, ma) * product(b, mb, b, mb)).sqrt()
    }

    #[test]
    fn every_pair_within_the_distance_is_found_and_no_other() {
        let (train, test) = (file(made(60)), file(made(100).split_off(60 * SHAPE.len())));
        let all: Vec<&[u8]> = [&train, &test].iter().flat_map(|f| f.images.chunks(SHAPE.len())).collect();
        let found = duplicates(&[&train, &test], 0.3);
        let mut expected = Vec::new();
        for i in 0..100 {
            for j in i + 1..100 {
                let distance = (2.0 - 2.0 * pearson(all[i], all[j])).max(0.0).sqrt();
                if distance <= 0.3 {
                    expected.push((i, j, distance));
                }
            }
        }
        let mut pairs: Vec<(usize, usize, f32)> =
            found.iter().map(|t| (t.first, t.second, t.distance)).collect();
        assert!(found.is_sorted_by_key(|twins| twins.distance) && expected.len() > 50, "{}", expected.len());
        pairs.sort_by_key(|&(i, j, _)| (i, j));
        assert_eq!(pairs.len(), expected.len());
        for (found, expected) in pairs.iter().zip(&expected) {
            assert_eq!((found.0, found.1), (expected.0, expected.1));
            assert!((f64::from(found.2) - expected.2).abs() < 1e-5, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn the_same_bytes_are_at_zero_and_brightness_does_not_count() {
        let base: Vec<u8> = (0..SHAPE.len()).map(|p| (p * p % 50) as u8).collect();
        let brighter: Vec<u8> = base.iter().map(|p| 3 * p + 20).collect();
        let flat = vec![9; SHAPE.len()];
        let images = [&base, &flat, &base, &brighter, &flat, &base].map(Vec::as_slice).concat();
        let found = duplicates(&[&file(images)], 0.01);
        let pairs: Vec<(usize, usize)> = found.iter().map(|twins| (twins.first, twins.second)).collect();
        assert_eq!(pairs, [(0, 2), (0, 5), (1, 4), (0, 3)]);
        assert!(found.iter().all(|twins| twins.distance < 1e-3));
        assert!(duplicates(&[], 1.0).is_empty() && duplicates(&[&file(Vec::new())], 1.0).is_empty());
    }
}
