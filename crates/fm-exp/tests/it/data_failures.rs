//! What can be wrong with a data set, and what the user then sees.

use std::io::Write;
use std::process::Command;

use crate::made::{Place, command, run};

const IMAGES: &str = "train-images-idx3-ubyte";
const LABELS: &str = "train-labels-idx1-ubyte";

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Replaces the training images by `change` of them, and runs.
#[track_caller]
fn changed(file: &str, change: impl FnOnce(&mut Vec<u8>), pieces: &[&str]) {
    let place = Place::new();
    let mut bytes = place.read(file);
    change(&mut bytes);
    place.file(file, &bytes);
    place.run(&[]).fails(3, &[&[file], pieces].concat());
}

/// Replaces the training images by a gzipped file, and runs.
#[track_caller]
fn gzipped(change: impl FnOnce(Vec<u8>) -> Vec<u8>, pieces: &[&str]) {
    let place = Place::new();
    let bytes = change(place.read(IMAGES));
    place.remove(IMAGES);
    place.file(&format!("{IMAGES}.gz"), &bytes);
    place.run(&[]).fails(3, &[&[IMAGES], pieces].concat());
}

#[test]
fn row_01_missing_file() {
    let place = Place::new();
    place.remove(IMAGES);
    let data = place.data();
    place
        .run(&[])
        .fails(3, &["cannot find train-images-idx3-ubyte[.gz]", "note:", data.to_str().unwrap(), "help:"]);
}

#[test]
fn row_02_unreadable_directory() {
    let place = Place::new();
    let denied = std::os::unix::fs::PermissionsExt::from_mode(0o000);
    std::fs::set_permissions(place.data(), denied).unwrap();
    // Root reads everything unless it gives up that right.
    let plain = place.command(&[]);
    let mut setpriv = Command::new("setpriv");
    setpriv.args(["--bounding-set", "-dac_override,-dac_read_search"]);
    setpriv.args(["--inh-caps", "-dac_override,-dac_read_search"]);
    setpriv.arg(plain.get_program()).args(plain.get_args());
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0);
    let ran = if is_root { run(&mut setpriv) } else { place.run(&[]) };
    let allowed = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(place.data(), allowed).unwrap();
    ran.fails(4, &["cannot read", place.data().to_str().unwrap(), "permission denied"]);
}

#[test]
fn row_03_directory_or_fifo() {
    let place = Place::new();
    place.remove(IMAGES);
    std::fs::create_dir(place.data().join(IMAGES)).unwrap();
    place.run(&[]).fails(3, &[IMAGES, "is a directory, expected an IDX file"]);

    let place = Place::new();
    place.remove(IMAGES);
    assert!(Command::new("mkfifo").arg(place.data().join(IMAGES)).status().unwrap().success());
    place.run(&[]).fails(3, &[IMAGES, "expected an IDX file"]);
}

#[test]
fn row_04_empty_file() {
    changed(IMAGES, Vec::clear, &["file is empty (0 bytes, header needs 16)"]);
}

#[test]
fn row_05_truncated_header() {
    changed(IMAGES, |b| b.truncate(9), &["header ends at byte 9 of 16"]);
}

#[test]
fn row_06_truncated_gzip() {
    gzipped(
        |bytes| {
            let whole = gzip(&bytes);
            whole[..whole.len() / 2].to_vec()
        },
        &["gzip stream ends after", "of 47,056 bytes"],
    );
}

#[test]
fn row_07_wrong_gzip_checksum() {
    gzipped(
        |bytes| {
            let mut whole = gzip(&bytes);
            let crc = whole.len() - 8;
            whole[crc] ^= 1;
            whole
        },
        &["gzip checksum mismatch"],
    );
}

#[test]
fn row_08_a_web_page() {
    gzipped(
        |_| b"<!DOCTYPE html><html>404</html>".to_vec(),
        &["not gzip (starts \"<!DO", "saved error page"],
    );
}

#[test]
fn row_09_gzip_bomb() {
    gzipped(
        |mut bytes| {
            bytes.resize(bytes.len() + 50_000_000, 0);
            gzip(&bytes)
        },
        &["decompresses past the declared"],
    );
}

#[test]
fn row_10_labels_where_images_belong() {
    let place = Place::new();
    place.file(IMAGES, &place.read(LABELS));
    place.run(&[]).fails(3, &[IMAGES, "magic 0x00000801 is a label file, expected images (0x00000803)"]);
}

#[test]
fn row_11_unsupported_element_type() {
    changed(IMAGES, |b| b[2] = 0x0D, &["IDX type 0x0D (float) is not supported, expected 0x08"]);
}

#[test]
fn row_12_dimensions_that_overflow() {
    changed(IMAGES, |b| b[4..16].fill(0xFF), &["header corrupt"]);
}

#[test]
fn row_13_huge_declared_size() {
    // 16,777,216 images of 28x28: 12.25 GiB.
    changed(
        IMAGES,
        |b| b[4..8].copy_from_slice(&[1, 0, 0, 0]),
        &["header asks for 12.2", "GiB, limit 1 GiB"],
    );
}

#[test]
fn row_14_zero_images() {
    changed(IMAGES, |b| b[4..8].fill(0), &["declares 0 images"]);
}

#[test]
fn row_15_not_the_models_size() {
    let place = Place::new();
    place.images("train", 60, 32, 32);
    place.images("t10k", 30, 32, 32);
    let help = "--arch cnn@32x32 is the same network for such images";
    place.run(&["--arch", "cnn"]).fails(3, &["images are 32x32, model cnn expects 28x28", help]);
    place.run(&["--arch", "cnn@32x32", "--epochs", "1"]).succeeds();
}

#[test]
fn row_42_colours_for_a_network_of_grey_images() {
    let place = Place::new();
    std::fs::remove_dir_all(place.data()).unwrap();
    std::fs::create_dir(place.data()).unwrap();
    let batch = |salt: u8| -> Vec<u8> {
        (0..10).flat_map(|label| [vec![label], vec![10 * label + salt; 3072]].concat()).collect()
    };
    for i in 1..=5 {
        place.file(&format!("data_batch_{i}.bin"), &batch(i));
    }
    place.file("test_batch.bin", &batch(6));
    place.file("batches.meta.txt", b"a\nb\nc\nd\ne\nf\ng\nh\ni\nj\n");
    let pieces =
        ["images are 32x32x3, model cnn@32x32 expects 32x32", "note: data set ", "--arch cnn@32x32x3 is"];
    place.run(&["--arch", "cnn@32x32"]).fails(3, &pieces);
    let colour = ["--arch", "8C3.same.bn-MP2-16DS3-GAP@32x32x3", "--epochs", "1", "--name", "colour"];
    place.run(&colour).succeeds();
    let fused = [&colour[..], &["--overwrite", "--engine", "fused"]].concat();
    place.run(&fused).succeeds();
    place.file("data_batch_4.bin", &batch(4)[1..]);
    let pieces = ["data_batch_4.bin: 30,729 bytes are 9 records of 3,073 and 3,072 bytes more", "help: "];
    place.run(&["--arch", "cnn@32x32"]).fails(3, &pieces);
}

#[test]
fn row_16_counts_differ() {
    let place = Place::new();
    place.labels("train", &[0; 59]);
    place.run(&[]).fails(3, &["60 images but 59 labels", IMAGES, LABELS]);
}

#[test]
fn row_17_label_out_of_range() {
    // The class count of a directory comes from its training labels; the test labels must keep to it.
    let place = Place::new();
    let mut labels: Vec<u8> = (0..30).map(|i| i % 3).collect();
    labels[11] = 10;
    place.labels("t10k", &labels);
    place.run(&[]).fails(3, &["t10k-labels-idx1-ubyte", "label 10 at index 11, valid 0 to 2"]);
    // A named data set has ten.
    let named = Place::new();
    let mut labels: Vec<u8> = (0..60).map(|i| i % 3).collect();
    labels[47] = 10;
    named.labels("train", &labels);
    let mut command = command();
    command
        .args(["--device", "cpu", "--epochs", "0", "--dataset", "fashion-mnist", "--data-dir"])
        .arg(named.data());
    run(command.arg("--out").arg(named.out())).fails(3, &[LABELS, "label 10 at index 47, valid 0 to 9"]);
}

#[test]
fn row_18_trailing_bytes() {
    changed(IMAGES, |b| b.extend([0; 37]), &["37 bytes after the declared data"]);
    gzipped(|bytes| [gzip(&bytes), gzip(&[0; 37])].concat(), &["after the declared data"]);
}

#[test]
fn row_19_valid_but_not_what_was_published() {
    let place = Place::new();
    let named = |flags: &[&str]| {
        let mut command = command();
        command.args(["--device", "cpu", "--epochs", "0", "--batch-size", "8", "--dataset", "fashion-mnist"]);
        run(command.arg("--data-dir").arg(place.data()).arg("--out").arg(place.out()).args(flags))
    };
    let ran = named(&[]);
    ran.succeeds();
    assert!(ran.err.contains("SHA-256 differs from published Fashion-MNIST"), "{}", ran.err);
    named(&["--verify", "strict"]).fails(3, &["SHA-256 differs from published Fashion-MNIST"]);
}

#[test]
fn row_20_training_file_as_test_file() {
    let place = Place::new();
    place.file("t10k-images-idx3-ubyte", &place.read(IMAGES));
    place.file("t10k-labels-idx1-ubyte", &place.read(LABELS));
    place.run(&[]).fails(3, &["t10k-images-idx3-ubyte", "is identical to", IMAGES]);
}
