//! Whole data sets: what is accepted, and what the messages say.

use fm_images::{DataError, DatasetName, ErrorKind, Verification, Verify, idx};

use crate::made::{Place, files, gzip};

const IMAGES: &str = "train-images-idx3-ubyte";

#[track_caller]
fn fails(place: &Place, message: &str) -> DataError {
    let error = place.load().unwrap_err();
    assert_eq!(error.to_string(), message);
    assert_eq!(error.kind(), ErrorKind::Data);
    error
}

#[test]
fn a_directory_loads() {
    let place = Place::new();
    let data = place.load().unwrap();
    assert_eq!((data.train.len(), data.test.len()), (60, 30));
    assert_eq!((data.channels, data.height, data.width, data.classes), (1, 4, 3, 3));
    assert_eq!(data.class_names, ["0", "1", "2"]);
    assert_eq!(data.dir, place.dir());
    assert_eq!(data.train.image(1), &files()[0][28..40]);
    assert!(data.warnings.is_empty(), "{:?}", data.warnings);
    assert!(data.files.iter().all(|file| file.verification == Verification::Unknown));

    let some = data.train.select(&[2, 0]);
    assert_eq!(some.labels, [2, 0]);
    assert_eq!(some.image(0), data.train.image(2));
    assert_eq!(some.image(1), data.train.image(0));
}

#[test]
fn compression_changes_neither_data_nor_hash() {
    let plain = Place::new();
    let mixed = Place::new();
    std::fs::remove_file(mixed.path(IMAGES)).unwrap();
    mixed.put("train-images-idx3-ubyte.gz", &gzip(&files()[0]));
    // Gzip under a plain name.
    mixed.put("t10k-images-idx3-ubyte", &gzip(&files()[2]));
    let (plain, mixed) = (plain.load().unwrap(), mixed.load().unwrap());
    assert_eq!(plain.train, mixed.train);
    assert_eq!(plain.test, mixed.test);
    assert_eq!(plain.sha256, mixed.sha256);
    assert_eq!(plain.sha256.len(), 64);
    assert_ne!(plain.files[0].path.file_name(), mixed.files[0].path.file_name());
}

/// Run ids are made from it: it must never change for the same files.
#[test]
fn the_hash_of_four_idx_files_is_what_it_always_was() {
    let sha256 = Place::new().load().unwrap().sha256;
    assert_eq!(sha256, "8790dc9a62fe086d39ab7fc5e04f090ea97eb9b02995b7c28f81a7e9e51226e8");
}

#[test]
fn the_hash_depends_on_every_file() {
    let place = Place::new();
    let before = place.load().unwrap().sha256;
    let mut labels = files()[3].clone();
    labels[8] = 1;
    place.put("t10k-labels-idx1-ubyte", &labels);
    assert_ne!(place.load().unwrap().sha256, before);
}

#[test]
fn counts_differ() {
    let place = Place::new();
    place.put("train-labels-idx1-ubyte", &idx::encode_labels(&[0; 59]));
    let error = fails(&place, &format!("{}: 60 images but 59 labels", place.dir().display()));
    assert!(error.notes()[0].contains(IMAGES) && error.notes()[1].contains("train-labels"));
}

#[test]
fn labels_out_of_range() {
    let place = Place::new();
    let mut labels = vec![0; 30];
    labels[11] = 3;
    place.put("t10k-labels-idx1-ubyte", &idx::encode_labels(&labels));
    let path = place.path("t10k-labels-idx1-ubyte");
    fails(&place, &format!("{}: label 3 at index 11, valid 0 to 2", path.display()));

    // A known data set has ten classes whatever its labels.
    let place = Place::new();
    let mut labels = vec![0; 60];
    labels[47] = 10;
    place.put("train-labels-idx1-ubyte", &idx::encode_labels(&labels));
    let error = place.load_as(&DatasetName::KMNIST, Verify::Warn).unwrap_err();
    assert!(
        error.to_string().ends_with("train-labels-idx1-ubyte: label 10 at index 47, valid 0 to 9"),
        "{error}"
    );
}

#[test]
fn test_images_of_another_size() {
    let place = Place::new();
    place.put("t10k-images-idx3-ubyte", &idx::encode_images(&[0; 360], 30, 3, 4));
    let path = place.path("t10k-images-idx3-ubyte");
    fails(&place, &format!("{}: images are 3x4, training images are 4x3", path.display()));
}

#[test]
fn training_images_as_test_images() {
    let place = Place::new();
    // Compressed, the copy is other bytes and the same images.
    place.put("t10k-images-idx3-ubyte", &gzip(&files()[0]));
    place.put("t10k-labels-idx1-ubyte", &files()[1]);
    let (test, train) = (place.path("t10k-images-idx3-ubyte"), place.path(IMAGES));
    fails(&place, &format!("{} is identical to {}", test.display(), train.display()));
}

#[test]
fn errors_of_single_files_name_them() {
    let place = Place::new();
    place.put(IMAGES, &files()[0][..9]);
    fails(&place, &format!("{}: header ends at byte 9 of 16", place.path(IMAGES).display()));

    let place = Place::new();
    std::fs::remove_file(place.path(IMAGES)).unwrap();
    place.put("train-images-idx3-ubyte.gz", b"<!DOCTYPE html>");
    let path = place.path("train-images-idx3-ubyte.gz");
    let error = fails(&place, &format!("{}: not gzip (starts \"<!DO\")", path.display()));
    assert!(error.help()[0].contains("saved error page?"));

    // Of two bad files, always the first.
    let place = Place::new();
    place.put("t10k-labels-idx1-ubyte", b"");
    place.put("train-labels-idx1-ubyte", b"");
    let path = place.path("train-labels-idx1-ubyte");
    fails(&place, &format!("{}: file is empty (0 bytes, header needs 8)", path.display()));
}

#[test]
fn missing_files() {
    let place = Place::new();
    std::fs::remove_file(place.path(IMAGES)).unwrap();
    let error = fails(&place, "cannot find train-images-idx3-ubyte[.gz]");
    assert_eq!(error.notes(), [format!("looked in {}: lacks {IMAGES}", place.dir().display())]);
    assert!(error.help()[0].starts_with("known data sets are fashion-mnist, mnist, kmnist, cifar-10, "));
    for (name, meant) in [("fashion_mnist", "fashion-mnist"), ("CIFAR10", "cifar-10")] {
        let name = DatasetName::from(std::path::PathBuf::from(name));
        let error = place.load_as(&name, Verify::Warn).unwrap_err();
        assert_eq!(error.help()[0], format!("did you mean {meant}?"));
    }
}

#[test]
fn valid_but_not_what_was_published() {
    let place = Place::new();
    let data = place.load_as(&DatasetName::FASHION_MNIST, Verify::Warn).unwrap();
    assert_eq!(data.warnings.len(), 1);
    assert!(
        data.warnings[0].contains("SHA-256 differs from published Fashion-MNIST: train-images-idx3-ubyte, ")
    );
    assert_eq!(data.files[3].verification.to_string(), "differs from published Fashion-MNIST");
    assert_eq!((data.classes, data.class_names[9].as_str()), (10, "Ankle boot"));

    let error = place.load_as(&DatasetName::FASHION_MNIST, Verify::Strict).unwrap_err();
    let dir = place.dir().display();
    assert_eq!(error.to_string(), format!("{dir}: SHA-256 differs from published Fashion-MNIST"));
    assert_eq!(error.notes().len(), 4);

    // Strict can't be kept without a hash, which is said.
    let unknown = place.load_as(&DatasetName::KMNIST, Verify::Strict).unwrap();
    assert_eq!(unknown.warnings, ["KMNIST: no published SHA-256 known, so nothing was verified"]);
}

#[test]
fn a_directory_as_data_set_and_another_named() {
    let place = Place::new();
    let data = place.load_as(&DatasetName::Dir("elsewhere".into()), Verify::Warn).unwrap();
    assert_eq!(data.warnings, [format!("data set elsewhere is read from {}", place.dir().display())]);
}
