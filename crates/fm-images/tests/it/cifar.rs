//! The binary versions of CIFAR-10 and CIFAR-100.

use fm_images::formats::cifar::{FINE, RECORD, SHAPE};
use fm_images::formats::{CIFAR_10, CIFAR_100};
use fm_images::{DatasetName, Format, Verify};

use crate::made::{Place, gzip};

const CLASSES: &str = "airplane\nautomobile\nbird\ncat\ndeer\ndog\nfrog\nhorse\nship\ntruck\n\n";

/// Ten records; image `i` of file `file` has label `i` and is all `20 * file + 2 * i` but for its blue plane,
/// which is one lighter.
fn batch(file: usize) -> Vec<u8> {
    let record = |i: usize| {
        let value = (20 * file + 2 * i) as u8;
        [vec![i as u8], vec![value; 2048], vec![value + 1; 1024]].concat()
    };
    (0..10).flat_map(record).collect()
}

fn place() -> Place {
    let place = Place::empty();
    for (i, file) in CIFAR_10.files()[..6].iter().enumerate() {
        place.put(file.name, &batch(i));
    }
    place.put("batches.meta.txt", CLASSES.as_bytes());
    place
}

#[test]
fn a_directory_of_batches_loads() {
    let place = place();
    let data = place.load().unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.shape()), (50, 10, SHAPE));
    assert_eq!(
        (data.classes, &data.class_names[..2]),
        (10, &["airplane".to_owned(), "automobile".into()][..])
    );
    assert_eq!(data.train.labels[..12], [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 0, 1]);
    // The third image of the fourth batch.
    let image = data.train.image(32);
    assert_eq!((image.len(), image[0], image[2047], image[2048]), (3072, 64, 64, 65));
    assert_eq!(data.test.image(9)[3071], 119);
    assert_eq!(data.files.len(), 7);
    assert!(data.warnings.is_empty(), "{:?}", data.warnings);
}

#[test]
fn by_name_gzipped_and_in_the_archive_s_folder() {
    let plain = place().load().unwrap();
    let place = Place::empty();
    std::fs::create_dir(place.path("cifar-10-batches-bin")).unwrap();
    for (i, file) in CIFAR_10.files()[..6].iter().enumerate() {
        place.put(&format!("cifar-10-batches-bin/{}.gz", file.name), &gzip(&batch(i)));
    }
    place.put("cifar-10-batches-bin/batches.meta.txt", CLASSES.as_bytes());
    let packed = place.load_as(&DatasetName::CIFAR_10, Verify::Warn).unwrap();
    assert_eq!(packed.train, plain.train);
    assert_eq!(packed.sha256, plain.sha256);
    assert_eq!(packed.dir, place.path("cifar-10-batches-bin"));
    assert_eq!(packed.class_names, plain.class_names);
}

#[test]
fn a_hundred_classes_by_name() {
    let place = Place::empty();
    let record =
        |i: usize| [vec![(i % 20) as u8, (i % 100) as u8], vec![(i % 251) as u8; SHAPE.len()]].concat();
    place.put("train.bin", &(0..200).flat_map(record).collect::<Vec<_>>());
    place.put("test.bin", &(300..400).flat_map(record).collect::<Vec<_>>());
    place.put("fine_label_names.txt", FINE.join("\n").as_bytes());
    let data = place.load_as(&DatasetName::CIFAR_100, Verify::Warn).unwrap();
    assert_eq!((data.train.len(), data.test.len(), data.classes, data.shape()), (200, 100, 100, SHAPE));
    assert_eq!((data.class_names[0].as_str(), data.class_names[99].as_str()), ("apple", "worm"));
    assert_eq!((data.train.labels[199], data.train.image(199)[0]), (99, 199));
    assert_eq!(data.files.len(), CIFAR_100.files().len());
}

#[test]
fn wrong_sizes_name_the_first_bad_file() {
    let place = place();
    place.put("data_batch_5.bin", &batch(4)[..RECORD / 2]);
    place.put("data_batch_2.bin", &batch(1)[..2 * RECORD + 5]);
    let error = place.fails_at("data_batch_2.bin", "{}: 6,151 bytes are 2 records of 3,073 and 5 bytes more");
    assert!(error.help()[0].contains("interrupted download"), "{:?}", error.help());
    place.put("data_batch_2.bin", &[]);
    place.fails_at("data_batch_2.bin", "{}: file is empty (0 bytes, a record has 3,073)");
    place.put("data_batch_2.bin", &gzip(&batch(1))[..40]);
    let error = place.load().unwrap_err().to_string();
    assert!(error.contains("data_batch_2.bin: gzip stream ends after "), "{error}");
}

#[test]
fn labels_out_of_range() {
    let place = place();
    let mut bytes = batch(2);
    bytes[3 * RECORD] = 10;
    place.put("data_batch_3.bin", &bytes);
    place.fails_at("data_batch_3.bin", "{}: label 10 at index 3, valid 0 to 9");
    place.put("data_batch_3.bin", &batch(2));
    place.put("batches.meta.txt", b"a\nb\nc");
    place.fails_at("data_batch_1.bin", "{}: label 3 at index 3, valid 0 to 2");
}

#[test]
fn a_training_batch_as_test_batch() {
    let place = place();
    place.put("test_batch.bin", &batch(3));
    let train = place.path("data_batch_4.bin").display().to_string();
    place.fails_at("test_batch.bin", &format!("{{}} is identical to {train}"));
}

#[test]
fn names_that_are_none_and_files_that_lack() {
    let place = place();
    place.put("batches.meta.txt", b"a\n\nb");
    place.fails_at("batches.meta.txt", "{}: line 2 is empty");
    std::fs::remove_file(place.path("batches.meta.txt")).unwrap();
    let error = place.load_as(&DatasetName::CIFAR_10, Verify::Warn).unwrap_err();
    assert_eq!(error.to_string(), "cannot find batches.meta.txt[.gz]");
    assert_eq!(
        error.help(),
        ["put the seven files into data/cifar-10, or name their directory with --data-dir; plain or gzipped"]
    );
    let directory = place.path("data_batch_1.bin");
    std::fs::remove_file(&directory).unwrap();
    std::fs::create_dir(&directory).unwrap();
    place.put("batches.meta.txt", CLASSES.as_bytes());
    place.fails_at("data_batch_1.bin", "{} is a directory, expected a file of CIFAR-10's binary version");
}
