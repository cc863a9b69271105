//! The real Fashion-MNIST, where Debian's package has put it.

use std::path::Path;
use std::time::Instant;

use fm_images::{DatasetName, FORMATS, Places, Verification, Verify};

const DIR: &str = "/usr/share/datasets/fashion-mnist";

#[test]
fn fashion_mnist_is_what_was_published() {
    if !Path::new(DIR).is_dir() {
        println!("skipped: {DIR} is not there (package dataset-fashion-mnist)");
        return;
    }
    let name = DatasetName::FASHION_MNIST;
    let places = Places::of(&name, Some(Path::new(DIR)));
    let start = Instant::now();
    let data = fm_images::load(&name, &places, FORMATS, Verify::Strict).unwrap();
    println!("loaded in {:.3} s", start.elapsed().as_secs_f64());

    assert!(data.files.iter().all(|file| file.verification == Verification::Verified));
    assert!(data.warnings.is_empty(), "{:?}", data.warnings);
    assert_eq!((data.train.len(), data.test.len(), data.height, data.width), (60_000, 10_000, 28, 28));

    let n = data.train.images.len() as f64;
    let sum: u64 = data.train.images.iter().map(|&v| u64::from(v)).sum();
    let squares: u64 = data.train.images.iter().map(|&v| u64::from(v).pow(2)).sum();
    let mean = sum as f64 / n;
    let deviation = (squares as f64 / n - mean * mean).sqrt();
    assert!((mean / 255.0 - 0.28604).abs() < 5e-6, "mean {}", mean / 255.0);
    assert!((deviation / 255.0 - 0.35302).abs() < 5e-6, "standard deviation {}", deviation / 255.0);

    for (set, expected) in [(&data.train, 6000), (&data.test, 1000)] {
        let mut counts = [0; 10];
        for &label in &set.labels {
            counts[usize::from(label)] += 1;
        }
        assert_eq!(counts, [expected; 10]);
    }
    let split = fm_images::stratified(&data.train.labels, data.classes, 5000, 0).unwrap();
    let mut held = [0; 10];
    for &row in &split.val {
        held[usize::from(data.train.labels[row as usize])] += 1;
    }
    assert_eq!(held, [500; 10]);
}
