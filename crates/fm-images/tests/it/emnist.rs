//! EMNIST's six divisions.

use fm_images::{DatasetName, Verify, idx};

use crate::made::Place;

/// Made files of `split`: as many images of 2×2 as labels; the image's first row is 1 and 2.
fn put(place: &Place, split: &str, train: &[u8], test: &[u8]) {
    for (half, labels, salt) in [("train", train, 0), ("test", test, 100)] {
        let pixels: Vec<u8> = labels.iter().flat_map(|_| [1, 2, 3, 4].map(|v| v + salt)).collect();
        let images = idx::encode_images(&pixels, labels.len(), 2, 2);
        place.put(&format!("emnist-{split}-{half}-images-idx3-ubyte"), &images);
        place.put(&format!("emnist-{split}-{half}-labels-idx1-ubyte"), &idx::encode_labels(labels));
    }
}

#[test]
fn images_stand_upright_and_classes_are_the_published() {
    let place = Place::empty();
    put(&place, "balanced", &[0, 10, 46], &[36, 37, 38]);
    // The classes are the format's, whether or not it is asked for by name.
    let by_name = place.load_as(&"emnist-balanced".parse().unwrap(), Verify::Warn).unwrap();
    let data = place.load().unwrap();
    assert_eq!(data.class_names, by_name.class_names);
    assert_eq!((data.classes, data.train.image(0)), (47, &[1, 3, 2, 4][..]));
    let names = [0, 10, 35, 36, 37, 38, 46].map(|label: usize| data.class_names[label].as_str());
    assert_eq!(names, ["0", "A", "Z", "a", "b", "d", "t"]);
}

#[test]
fn letters_begin_at_a() {
    let place = Place::empty();
    put(&place, "letters", &[1, 2, 26], &[26, 3]);
    let data = place.load().unwrap();
    assert_eq!((&data.train.labels[..], &data.test.labels[..]), (&[0, 1, 25][..], &[25, 2][..]));
    assert_eq!((data.classes, data.class_names[0].as_str(), data.class_names[25].as_str()), (26, "A", "Z"));
    put(&place, "letters", &[1, 2], &[1, 27]);
    let file = "emnist-letters-test-labels-idx1-ubyte";
    let error = place.fails_at(file, "{}: label 27 at index 1, valid 1 to 26");
    assert_eq!(error.help(), ["labels of EMNIST letters count from 1"]);
}

#[test]
fn labels_out_of_range() {
    let place = Place::empty();
    put(&place, "digits", &[0, 9], &[10]);
    place.fails_at("emnist-digits-test-labels-idx1-ubyte", "{}: label 10 at index 0, valid 0 to 9");
}

#[test]
fn six_in_one_directory() {
    let place = Place::empty();
    for split in ["byclass", "bymerge", "balanced", "letters", "digits", "mnist"] {
        put(&place, split, &[1, 2, 3], &[4, 5]);
    }
    let error = place.load().unwrap_err().to_string();
    assert!(error.contains("holds several data sets: EMNIST byclass, EMNIST bymerge, "), "{error}");
    for (split, classes) in
        [("byclass", 62), ("bymerge", 47), ("balanced", 47), ("letters", 26), ("digits", 10), ("mnist", 10)]
    {
        let name: DatasetName = format!("emnist-{split}").parse().unwrap();
        assert_eq!(place.load_as(&name, Verify::Warn).unwrap().classes, classes, "{split}");
    }
}
