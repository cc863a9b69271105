//! `import`: pictures, tables and arrays become a data set that trains.

use std::io::{Cursor, Write as _};
use std::path::{Path, PathBuf};

use fm_data::idx::{self, IdxKind};
use image::{ImageFormat, Rgb, RgbImage};
use serde_json::Value;

use crate::made::{Ran, command, run, write};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        write(&path, bytes);
    }

    /// Pictures of a colour and size by class and number.
    fn pictures(&self, above: &str, classes: &[&str], n: u32) {
        for (class, name) in classes.iter().enumerate() {
            for i in 0..n {
                let bytes = picture(class as u32, i, 20 + 7 * (i % 5), 24 + 3 * (i % 4));
                self.put(&format!("{above}/{name}/{i}.png"), &bytes);
            }
        }
    }

    fn import(&self, source: &str, flags: &[&str]) -> Ran {
        run(command().arg("import").arg(self.path(source)).arg("--out").arg(self.path("out")).args(flags))
    }

    fn summary(&self) -> Value {
        serde_json::from_slice(&std::fs::read(self.path("out/import.json")).unwrap()).unwrap()
    }

    /// Trains on what was imported, and exports that as ONNX and as C of integers.
    fn trains_and_leaves(&self, arch: &str) {
        let (data, runs) = (self.path("out"), self.path("runs"));
        let trained = run(command()
            .args([
                "--arch",
                arch,
                "--epochs",
                "1",
                "--batch-size",
                "8",
                "--device",
                "cpu",
                "--overwrite",
                "--name",
                "run",
                "--quiet",
            ])
            .arg("--dataset")
            .arg(&data)
            .arg("--out")
            .arg(&runs));
        trained.succeeds();
        let (onnx, c) = (runs.join("net.onnx"), runs.join("c"));
        let exported = run(command()
            .arg("export")
            .arg(runs.join("run"))
            .args(["--int8", "--score", "--onnx"])
            .arg(&onnx)
            .arg("--c")
            .arg(&c));
        assert!(exported.succeeds().out.contains("in 8-bit integers"), "{}", exported.out);
        // The metadata of the model has the classes' names.
        let classes = std::fs::read_to_string(data.join("classes.txt")).unwrap();
        let model = String::from_utf8_lossy(&std::fs::read(&onnx).unwrap()).into_owned();
        assert!(classes.lines().all(|name| model.contains(&format!("\"{name}\""))), "{classes}");
        let header = std::fs::read_to_string(c.join("model.h")).unwrap();
        assert!(header.contains(&format!("MODEL_OUTPUTS {}", classes.lines().count())), "{header}");
    }

    fn names(&self, of: &str) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(self.path(of))
            .unwrap()
            .map(|e| e.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }
}

/// Mostly one channel, a bright block whose place depends on `i`.
fn picture(class: u32, i: u32, width: u32, height: u32) -> Vec<u8> {
    let image = RgbImage::from_fn(width, height, |x, y| {
        let bright = (x + i) % 9 < 4 && (y + 2 * i) % 8 < 5;
        let mut pixel = [20, (i % 30) as u8, 30];
        pixel[class as usize % 3] = if bright { 220 } else { 90 };
        Rgb(pixel)
    });
    let mut bytes = Vec::new();
    image.write_to(&mut Cursor::new(&mut bytes), ImageFormat::Png).unwrap();
    bytes
}

fn labels(path: &Path) -> Vec<u8> {
    idx::parse(&std::fs::read(path).unwrap(), IdxKind::Labels).unwrap().1.to_vec()
}

#[test]
fn a_folder_of_colour_pictures_trains_and_predicts() {
    let folder = Folder::new();
    folder.pictures("mine", &["red", "green", "blue"], 20);
    folder.put("mine/red/.DS_Store", b"x");
    let ran = folder.import("mine", &["--size", "16"]);
    assert!(ran.succeeds().out.contains("48") && ran.out.contains("--arch cnn@16x16x3"), "{}", ran.out);
    let expected = [
        "classes.txt",
        "contact.png",
        "import.json",
        "t10k-images-idx4-ubyte",
        "t10k-labels-idx1-ubyte",
        "train-images-idx4-ubyte",
        "train-labels-idx1-ubyte",
    ];
    assert_eq!(folder.names("out"), expected);
    assert_eq!(std::fs::read_to_string(folder.path("out/classes.txt")).unwrap(), "blue\ngreen\nred\n");
    let images = std::fs::read(folder.path("out/train-images-idx4-ubyte")).unwrap();
    let (header, pixels) = idx::parse(&images, IdxKind::Planes).unwrap();
    assert_eq!((header.n, header.channels, header.height, header.width), (48, 3, 16, 16));
    let train = labels(&folder.path("out/train-labels-idx1-ubyte"));
    assert_eq!([0, 1, 2].map(|class| train.iter().filter(|&&l| usize::from(l) == class).count()), [16; 3]);
    // Of each image the plane of its class is the brightest: blue is class 0 and plane 2.
    for (image, &label) in pixels.chunks(3 * 256).zip(&train) {
        let sums: Vec<u32> =
            image.chunks(256).map(|plane| plane.iter().map(|&v| u32::from(v)).sum()).collect();
        let brightest = (0..3).max_by_key(|&plane| sums[plane]).unwrap();
        assert_eq!(brightest, 2 - usize::from(label));
    }
    let data = folder.path("out");
    let trained = run(command()
        .args(["--arch", "8C3-MP2--16@16x16x3", "--epochs", "12", "--batch-size", "8", "--device", "cpu"])
        .args(["--name", "r", "--out"])
        .arg(folder.path("runs"))
        .arg("--dataset")
        .arg(&data));
    trained.succeeds();
    let said = run(command().arg("predict").arg(folder.path("runs/r")).arg(folder.path("mine/green/3.png")));
    assert!(said.succeeds().out.lines().nth(1).unwrap().contains("green"), "{}", said.out);
}

#[test]
fn splits_are_those_of_the_folders_or_drawn_by_seed() {
    let folder = Folder::new();
    folder.pictures("two/train", &["a", "b"], 12);
    folder.pictures("two/val", &["a", "b"], 3);
    let ran = folder.import("two", &["--grey"]);
    // The same pictures: what is across the halves is told with the files' names.
    ran.succeeds();
    for piece in ["there is no test folder", "images are in both halves", "train/a/0.png = val/a/0.png"] {
        assert!(ran.err.contains(piece), "no {piece:?} in {}", ran.err);
    }
    assert_eq!((&folder.summary()["train"], &folder.summary()["test"]), (&24.into(), &6.into()));
    folder.import("two", &[]).fails(7, &["out is there and not empty", "--out"]);

    let test = |seed: &str| {
        let folder = Folder::new();
        folder.pictures("one", &["a", "b"], 20);
        let ran = folder.import("one", &["--seed", seed, "--test-share", "0.25", "--json"]);
        ran.succeeds();
        let bytes = std::fs::read(folder.path("out/t10k-images-idx4-ubyte")).unwrap();
        (serde_json::from_str::<Value>(&ran.out).unwrap()["test"].clone(), bytes)
    };
    assert_eq!((test("1").0, test("1") == test("1"), test("1").1 == test("2").1), (10.into(), true, false));
}

#[test]
fn unreadable_files_are_named_and_nothing_is_left() {
    let folder = Folder::new();
    folder.pictures("mine", &["a", "b"], 12);
    folder.put("mine/a/note.txt", b"hello");
    folder.put("mine/b/cut.png", &picture(0, 0, 30, 30)[..80]);
    let ran = folder.import("mine", &[]);
    ran.fails(3, &["a/note.txt: unknown image format", "--skip-unreadable"]);
    std::fs::remove_file(folder.path("mine/a/note.txt")).unwrap();
    // Cut behind the header: found when it is decoded, in the midst of writing.
    folder.import("mine", &[]).fails(3, &["b/cut.png: not a readable image", "nothing was imported"]);
    assert_eq!(folder.names("."), ["mine"]);
    folder.import("mine", &["--skip-unreadable"]).succeeds();
    assert_eq!(folder.summary()["skipped"].as_array().unwrap().len(), 1);
}

#[test]
fn what_cannot_be_trained_on_is_refused() {
    let folder = Folder::new();
    folder.pictures("one", &["a"], 12);
    folder.import("one", &[]).fails(3, &["one class, a"]);
    std::fs::create_dir(folder.path("none")).unwrap();
    folder.import("none", &[]).fails(3, &["no images are there", "SOURCE/cat/1.png"]);
    folder.pictures("uneven/train", &["a", "b"], 12);
    folder.pictures("uneven/test", &["a", "b", "c"], 2);
    folder.import("uneven", &[]).fails(3, &["class c has test images and none to train on"]);
    folder.put("x.txt", b"");
    folder.import("x.txt", &[]).fails(3, &["is none of the files that are imported", "EMNIST"]);
    folder.import("nowhere", &[]).fails(3, &["is no file or directory"]);
    folder.import("one", &["--size", "3"]).fails(2, &["expected a side from 4 to 1024"]);
    folder.import("one", &["--test-share", "1"]).fails(2, &["--test-share"]);
}

#[test]
fn tables_of_pixels() {
    let folder = Folder::new();
    let row = |i: usize, label: &str| {
        let pixels: Vec<String> = (0..36).map(|p| ((i * 31 + p * 17) % 256).to_string()).collect();
        format!("{label},{}\n", pixels.join(","))
    };
    // Labels from 1, with a gap, and a heading.
    let heading: String = std::iter::once("label".to_owned())
        .chain((0..36).map(|p| format!("pixel{p}")))
        .collect::<Vec<_>>()
        .join(",");
    let rows: String = (0..60).map(|i| row(i, ["1", "2", "5"][i % 3])).collect();
    folder.put("t.csv", format!("{heading}\n{rows}").as_bytes());
    let ran = folder.import("t.csv", &[]);
    assert!(ran.succeeds().err.contains("of the labels 1 to 5, 2 are never used"), "{}", ran.err);
    assert_eq!(std::fs::read_to_string(folder.path("out/classes.txt")).unwrap(), "1\n2\n5\n");
    let images = std::fs::read(folder.path("out/train-images-idx3-ubyte")).unwrap();
    let (header, pixels) = idx::parse(&images, IdxKind::Images).unwrap();
    assert_eq!((header.height, header.width, header.n), (6, 6, 48));
    assert!(
        (0..60).any(|i| pixels[..36] == (0..36).map(|p| ((i * 31 + p * 17) % 256) as u8).collect::<Vec<_>>())
    );

    std::fs::remove_dir_all(folder.path("out")).unwrap();
    folder.put("b.csv", b"0,1,2,3,4\n1,0.5,0,0,0\n");
    folder.import("b.csv", &[]).fails(3, &["b.csv: line 2: column 2: 0.5 is no whole number", "multiply"]);
    folder.put("c.csv", b"0,1,2,3\n");
    folder.import("c.csv", &[]).fails(3, &["3 pixels are no square image", "--shape"]);
    folder.put("d.csv", b"a,b,c\n1,2,3\n");
    folder.import("d.csv", &[]).fails(3, &["no column is called label"]);
    folder.put("two/my_train.csv", rows.as_bytes());
    folder.put("two/my_test.csv", rows.as_bytes());
    folder.import("two", &["--shape", "4x9"]).succeeds();
    assert_eq!(folder.summary()["width"], 9);
}

/// An array as NumPy writes it.
fn npy(dtype: &str, shape: &str, bytes: &[u8]) -> Vec<u8> {
    let mut header = format!("{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({shape}), }}");
    while (header.len() + 11) % 64 != 0 {
        header.push(' ');
    }
    header.push('\n');
    [b"\x93NUMPY\x01\x00", &(header.len() as u16).to_le_bytes()[..], header.as_bytes(), bytes].concat()
}

#[test]
fn arrays_of_numpy() {
    let folder = Folder::new();
    let file = |arrays: &[(&str, Vec<u8>)]| {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        for (name, bytes) in arrays {
            zip.start_file(format!("{name}.npy"), zip::write::FileOptions::default()).unwrap();
            zip.write_all(bytes).unwrap();
        }
        zip.finish().unwrap().into_inner()
    };
    let pixels: Vec<u8> = (0..30 * 5 * 4 * 3).map(|i| (i * 7 % 251) as u8).collect();
    let classes: Vec<u8> = (0..30_i64).flat_map(|i| (i % 2).to_le_bytes()).collect();
    let train = [("x_train", npy("|u1", "30, 5, 4, 3", &pixels)), ("y_train", npy("<i8", "30, 1", &classes))];
    let test = [("x_test", npy("|u1", "30, 5, 4, 3", &pixels[..])), ("y_test", npy("<i8", "30,", &classes))];
    folder.put("a.npz", &file(&[train.clone(), test].concat()));
    let ran = folder.import("a.npz", &[]);
    assert!(ran.succeeds().err.contains("30 images are in both halves"), "{}", ran.err);
    let images = std::fs::read(folder.path("out/train-images-idx4-ubyte")).unwrap();
    let (header, planes) = idx::parse(&images, IdxKind::Planes).unwrap();
    assert_eq!((header.channels, header.height, header.width), (3, 5, 4));
    assert_eq!(planes[..3], [pixels[0], pixels[3], pixels[6]], "a plane for each channel");
    std::fs::remove_dir_all(folder.path("out")).unwrap();
    folder.put("b.npz", &file(&[("x", npy("<f4", "1, 2, 2", &[0; 16])), ("y", npy("|u1", "1,", &[0]))]));
    folder.import("b.npz", &[]).fails(3, &["array x is of type", "numpy.uint8"]);
    folder.put("c.npz", &file(&[("z", npy("|u1", "1,", &[0]))]));
    folder.import("c.npz", &[]).fails(3, &["holds z, and no images with labels", "x_train and y_train"]);
    folder.put("d.npz", b"PK nothing");
    folder.import("d.npz", &[]).fails(3, &["not an .npz file"]);
}

#[test]
fn cifar_and_emnist_as_they_come() {
    let folder = Folder::new();
    let record = |i: u32| -> Vec<u8> {
        let pixels = (0..3072_u32).map(|p| (i * 13 + p * 7) as u8);
        [(i / 3) as u8 % 20, (i % 3) as u8].into_iter().chain(pixels).collect()
    };
    folder.put("c/train.bin", &(0..30).flat_map(record).collect::<Vec<_>>());
    folder.put("c/test.bin", &(50..60).flat_map(record).collect::<Vec<_>>());
    folder.put("c/fine_label_names.txt", b"apple\nbear\ncup\n");
    folder.import("c", &["--size", "16", "--grey"]).succeeds();
    assert_eq!(folder.summary()["kind"], "CIFAR-100 binary");
    assert_eq!(std::fs::read_to_string(folder.path("out/classes.txt")).unwrap(), "apple\nbear\ncup\n");
    std::fs::remove_dir_all(folder.path("out")).unwrap();
    folder.import("c", &[]).succeeds();
    folder.trains_and_leaves("8C3-MP2-GAP@32x32x3");
    std::fs::remove_dir_all(folder.path("out")).unwrap();

    // An L, as EMNIST has it: rows and columns exchanged.
    let image = |i: usize| (0..784).map(move |p| if p / 28 == 3 || p % 28 == 25 { 250 - i as u8 } else { 0 });
    for (half, n) in [("train", 52), ("test", 26)] {
        let pixels: Vec<u8> = (0..n).flat_map(|i| image(i + n)).collect();
        folder.put(
            &format!("e/emnist-letters-{half}-images-idx3-ubyte"),
            &idx::encode_images(&pixels, n, 28, 28),
        );
        let labels: Vec<u8> = (0..n).map(|i| (i % 26 + 1) as u8).collect();
        folder.put(&format!("e/emnist-letters-{half}-labels-idx1-ubyte"), &idx::encode_labels(&labels));
    }
    folder.import("e", &[]).succeeds();
    let images = std::fs::read(folder.path("out/train-images-idx3-ubyte")).unwrap();
    let pixels = idx::parse(&images, IdxKind::Images).unwrap().1;
    let column_3 = (0..28).all(|y| pixels[28 * y + 3] > 0);
    assert!(column_3 && pixels[28 * 25..28 * 26].iter().all(|&p| p > 0) && pixels[10] == 0, "upright");
    assert_eq!(labels(&folder.path("out/train-labels-idx1-ubyte"))[..2], [0, 1]);
    assert!(std::fs::read_to_string(folder.path("out/classes.txt")).unwrap().starts_with("A\nB\n"));
    folder.trains_and_leaves("8C3-MP2-GAP");
}

#[test]
fn interrupted_it_leaves_nothing() {
    let folder = Folder::new();
    folder.pictures("mine", &["a", "b"], 400);
    let mut child = command()
        .arg("import")
        .arg(folder.path("mine"))
        .args(["--size", "256", "--out"])
        .arg(folder.path("out"))
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Once the directory is there that the data set is written to.
    let writing = || folder.names(".").iter().any(|name| name.starts_with(".tmp-fm-dir-"));
    while !writing() && child.try_wait().unwrap().is_none() {
        std::thread::sleep(std::time::Duration::from_millis(2));
    }
    let sent = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(sent.success());
    assert_eq!(output.status.code(), Some(130), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(folder.names("."), ["mine"]);
}
