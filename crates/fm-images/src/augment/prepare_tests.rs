//! Tests of prepared batches: what they depend on, and how their draws are distributed.

use super::*;
use crate::labelled::ImageShape;

/// Images in which every pixel differs from its neighbours, of odd and even sides and 1 and 3 planes.
pub(in crate::augment) fn images() -> Vec<(Vec<u8>, ImageShape)> {
    let shapes = [(1, 1, 1), (1, 4, 7), (3, 5, 4), (1, 8, 8), (3, 3, 3)];
    shapes
        .map(|(channels, height, width)| {
            let shape = ImageShape { channels, height, width };
            ((0..shape.len()).map(|i| (i * 37 % 251) as u8 + 1).collect(), shape)
        })
        .to_vec()
}

/// An image pixel by pixel: channel, row, column.
pub(in crate::augment) fn planes(shape: ImageShape, pixel: impl Fn(usize, usize, usize) -> u8) -> Vec<u8> {
    let pixel = &pixel;
    let rows = (0..shape.channels).flat_map(|c| (0..shape.height).map(move |y| (c, y)));
    rows.flat_map(|(c, y)| (0..shape.width).map(move |x| pixel(c, y, x))).collect()
}

fn file(n: usize, shape: ImageShape) -> Labelled {
    let images = (0..n * shape.len()).map(|i| (i * 131 % 255) as u8 + 1).collect();
    Labelled::new(images, (0..n).map(|i| (i % 10) as u8).collect(), shape)
}

const SHAPE: ImageShape = ImageShape { channels: 3, height: 6, width: 5 };

fn augment(text: &str) -> Augment {
    text.parse().unwrap()
}

fn prepared(text: &str, file: &Labelled, rows: &[u32], seed: u64, epoch: u32) -> Prepared {
    let all: Vec<u32> = (0..file.len() as u32).collect();
    let mut out = Prepared::default();
    augment(text).prepare(file, rows, &all, seed, epoch, &mut out);
    out
}

const SPECS: [&str; 6] = ["none", "flip", "shift2", "erase3", "mixup0.4", "flip,shift1,erase2,mixup1"];

#[test]
fn none_copies() {
    let file = file(7, SHAPE);
    let rows = [3, 0, 3, 6];
    let out = prepared("none", &file, &rows, 1, 1);
    let plain = file.select(&rows);
    assert_eq!((out.pixels, out.labels), (plain.images, plain.labels));
    assert!(out.partners.is_empty() && out.lambda.is_empty());
}

/// One image is the same alone, in any batch, in any order, and in memory that held another batch.
#[test]
fn an_image_depends_on_seed_epoch_and_row_alone() {
    let (file, len) = (file(40, SHAPE), SHAPE.len());
    let all: Vec<u32> = (0..40).collect();
    let shuffled = crate::epoch_order(&all, 9, 9);
    for spec in SPECS {
        let whole = prepared(spec, &file, &all, 11, 4);
        let mut out = prepared("mixup3", &file, &[1; 64], 0, 0);
        for size in [1, 7, 40] {
            for rows in shuffled.chunks(size) {
                augment(spec).prepare(&file, rows, &all, 11, 4, &mut out);
                assert_eq!(out.labels.len(), rows.len());
                for (i, &row) in rows.iter().enumerate() {
                    let row = row as usize;
                    assert_eq!(
                        out.pixels[i * len..][..len],
                        whole.pixels[row * len..][..len],
                        "{spec}, row {row}"
                    );
                    assert_eq!(out.labels[i], whole.labels[row]);
                    assert_eq!(out.partners.get(i), whole.partners.get(row));
                    assert_eq!(out.lambda.get(i), whole.lambda.get(row));
                }
            }
        }
        if spec != "none" {
            for other in [prepared(spec, &file, &all, 11, 5), prepared(spec, &file, &all, 12, 4)] {
                assert_ne!(other.pixels, whole.pixels, "{spec}");
            }
        }
    }
}

/// What an operation draws does not depend on which others are named: where `flip` alone mirrors an image,
/// `flip,shift1` mirrors it too.
#[test]
fn naming_another_operation_changes_no_draw() {
    let shape = ImageShape { channels: 1, height: 8, width: 8 };
    let file = file(50, shape);
    let rows: Vec<u32> = (0..50).collect();
    let flipped = prepared("flip", &file, &rows, 2, 3);
    let flipped = Labelled::new(flipped.pixels, flipped.labels, shape);
    let both = prepared("flip,erase4", &file, &rows, 2, 3);
    let erased = prepared("erase4", &file, &rows, 2, 3);
    for i in 0..50 {
        let of = |all: &[u8]| all[i * 64..][..64].to_vec();
        let zeros = |image: &[u8]| image.iter().map(|&b| b == 0).collect::<Vec<_>>();
        assert_eq!(zeros(&of(&both.pixels)), zeros(&of(&erased.pixels)));
        let kept = of(&both.pixels).into_iter().zip(flipped.image(i)).filter(|(b, _)| *b > 0);
        for (b, &f) in kept {
            assert_eq!(b, f);
        }
    }
}

/// Batches are written into the memory of the batch before.
#[test]
fn memory_is_used_again() {
    let file = file(64, SHAPE);
    let rows: Vec<u32> = (0..64).collect();
    let augment = augment("flip,mixup1");
    let mut out = Prepared::default();
    let places = |out: &Prepared| {
        let bytes = (out.pixels.as_ptr(), out.labels.as_ptr(), out.partners.as_ptr(), out.partner.as_ptr());
        (bytes, out.lambda.as_ptr())
    };
    augment.prepare(&file, &rows[..32], &rows, 1, 1, &mut out);
    let first = places(&out);
    for batch in [&rows[32..], &rows[..5], &rows[..32]] {
        augment.prepare(&file, batch, &rows, 1, 1, &mut out);
        assert_eq!(places(&out), first);
    }
}

/// Five standard deviations around what is expected of `n` draws, each with probability `p`.
fn expect(count: usize, n: usize, p: f64, what: &str) {
    let (n, count) = (n as f64, count as f64);
    let width = 5.0 * (n * p * (1.0 - p)).sqrt();
    assert!((count - n * p).abs() < width, "{what}: {count} of {n}, expected {} ± {width}", n * p);
}

#[test]
fn half_are_flipped_and_every_offset_is_as_likely() {
    let n = 20_000;
    let shape = ImageShape { channels: 1, height: 3, width: 3 };
    let file = Labelled::new([1, 2, 3, 4, 5, 6, 7, 8, 9].repeat(n), vec![0; n], shape);
    let rows: Vec<u32> = (0..n as u32).collect();
    let flips = prepared("flip", &file, &rows, 3, 1).pixels;
    expect(flips.chunks(9).filter(|image| image[0] == 3).count(), n, 0.5, "flipped");
    let moved = prepared("shift2", &file, &rows, 3, 1).pixels;
    let mut counts = std::collections::BTreeMap::new();
    for image in moved.chunks(9) {
        *counts.entry(image).or_insert(0) += 1;
    }
    assert_eq!(counts.len(), 25);
    for &count in counts.values() {
        expect(count, n, 1.0 / 25.0, "an offset");
    }
}

#[test]
fn every_centre_is_as_likely() {
    let n = 20_000;
    let shape = ImageShape { channels: 1, height: 4, width: 5 };
    let file = Labelled::new(vec![255; 20 * n], vec![0; n], shape);
    let rows: Vec<u32> = (0..n as u32).collect();
    let erased = prepared("erase1", &file, &rows, 3, 1).pixels;
    let mut counts = [0; 20];
    for image in erased.chunks(20) {
        let erased = image.iter().position(|&b| b == 0).unwrap();
        assert!(image[erased + 1..].iter().all(|&b| b > 0), "one pixel alone");
        counts[erased] += 1;
    }
    for count in counts {
        expect(count, n, 0.05, "a centre");
    }
}

/// Partners are training rows, each as likely, drawn with their own changes; the bytes are the rounded mean.
#[test]
fn mixing_is_the_rounded_mean_with_the_partner_as_training_sees_it() {
    let shape = ImageShape { channels: 1, height: 2, width: 2 };
    let n = 200;
    let pixels = (0..4 * n).map(|i| (i * 97 % 256) as u8).collect();
    let file = Labelled::new(pixels, (0..n).map(|i| i as u8).collect(), shape);
    let training: Vec<u32> = (0..100).map(|i| 2 * i).collect();
    let rows = training.repeat(1);
    let (mixed, alone) = (augment("flip,mixup0.7"), augment("flip"));
    let (mut seen, mut out, mut plain) = (vec![0; n], Prepared::default(), Prepared::default());
    for epoch in 0..100 {
        mixed.prepare(&file, &rows, &training, 8, epoch, &mut out);
        alone.prepare(&file, &(0..n as u32).collect::<Vec<_>>(), &training, 8, epoch, &mut plain);
        for (i, &row) in rows.iter().enumerate() {
            let (partner, lambda) = (usize::from(out.partners[i]), f64::from(out.lambda[i]));
            seen[partner] += 1;
            for p in 0..4 {
                let (a, b) = (plain.pixels[row as usize * 4 + p], plain.pixels[partner * 4 + p]);
                let mean = lambda * f64::from(a) + (1.0 - lambda) * f64::from(b);
                assert_eq!(u32::from(out.pixels[i * 4 + p]), (mean + 0.5).floor() as u32);
            }
        }
    }
    for (row, count) in seen.into_iter().enumerate() {
        if row % 2 == 0 { expect(count, 10_000, 0.01, "a partner") } else { assert_eq!(count, 0) }
    }
}

#[test]
fn mixing_rounds_every_pair_of_bytes() {
    let bytes: Vec<u8> = (0..=255).collect();
    for share in (0..=ONE).step_by(257).chain([1, ONE / 2, ONE - 1, ONE]) {
        for own in 0..=255 {
            let mut image = vec![own; 256];
            mix(&mut image, &bytes, share);
            for (&mixed, &other) in image.iter().zip(&bytes) {
                let sum = u32::from(own) * share + u32::from(other) * (ONE - share);
                assert_eq!(u32::from(mixed), (sum + ONE / 2) / ONE, "{own}, {other}, {share}");
            }
        }
    }
}
