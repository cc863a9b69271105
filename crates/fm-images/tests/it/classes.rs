//! `classes.txt` beside four IDX files.

use fm_images::{DatasetName, Verify};

use crate::made::Place;

#[test]
fn names_come_from_the_file_and_leave_the_hash_alone() {
    let place = Place::new();
    let before = place.load().unwrap();
    place.put("classes.txt", b"cat\ndog\nice cream\n");
    let data = place.load().unwrap();
    assert_eq!(data.class_names, ["cat", "dog", "ice cream"]);
    assert_eq!(data.sha256, before.sha256);
}

#[test]
fn a_count_that_does_not_fit() {
    for (text, n) in [("cat\ndog", 2), ("a\nb\nc\nd", 4)] {
        let place = Place::new();
        place.put("classes.txt", text.as_bytes());
        let message = format!("{{}}: {n} class names, but the training labels have 3 classes");
        let error = place.fails_at("classes.txt", &message);
        assert!(error.help()[0].starts_with("put one name in each line"), "{:?}", error.help());
    }
    let place = Place::new();
    place.put("classes.txt", b"cat\ncat\ndog");
    place.fails_at("classes.txt", "{}: lines 1 and 2 are both \"cat\"");
}

#[test]
fn published_names_are_not_replaced_in_silence() {
    let place = Place::new();
    place.put("classes.txt", b"cat\ndog\nbird");
    let data = place.load_as(&DatasetName::KMNIST, Verify::Warn).unwrap();
    assert_eq!(data.class_names[0], "o");
    let file = place.path("classes.txt");
    assert_eq!(data.warnings, [format!("{} is not used: KMNIST names its classes itself", file.display())]);
}
