//! `eval`, `predict` and `encode` on a model trained here.

use std::io::Cursor;
use std::path::{Path, PathBuf};

use image::{DynamicImage, GrayImage, ImageFormat, Luma, LumaA, Rgb};

use crate::faults::Tmpfs;
use crate::made::{Place, Ran, command, run, write};

fn trained() -> Place {
    let place = Place::new();
    place.run(&["--arch", "encoder-mlp", "--epochs", "20", "--name", "r"]).succeeds();
    place
}

fn on(place: &Place, subcommand: &str, flags: &[&str]) -> Ran {
    let mut command = command();
    command
        .arg(subcommand)
        .arg(place.out().join("r"))
        .args(["--device", "cpu", "--threads", "1"])
        .args(flags);
    run(&mut command)
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[test]
fn eval_repeats_what_the_run_found_and_shows_the_hard_ones() {
    let place = trained();
    let (dir, eval) = (place.out().join("r"), place.out().join("r/eval/data-test"));
    let ran = on(&place, "eval", &["--logits", "--hard", "5"]);
    assert!(ran.succeeds().out.contains("accuracy"), "{}", ran.out);
    for file in ["confusion.csv", "confusion_normalized.csv", "per_class.csv", "predictions.csv"] {
        assert_eq!(read(&eval.join(file)), read(&dir.join(file)), "{file}");
    }
    let json = |path: PathBuf| -> serde_json::Value { serde_json::from_slice(&read(&path)).unwrap() };
    assert_eq!(json(eval.join("summary.json"))["test"], json(dir.join("summary.json"))["test"]);
    let logits = read(&eval.join("logits.npy"));
    assert_eq!(logits.len() % 64, (30 * 3 * 4) % 64, "30 rows of 3 after a header");

    // As the run has left it: the temperature of its validation images, and the bins of both.
    assert_eq!(
        json(eval.join("summary.json"))["temperature_scaled"],
        json(dir.join("summary.json"))["temperature_scaled"]
    );
    let bins = String::from_utf8(read(&eval.join("calibration.csv"))).unwrap();
    assert!(
        bins.starts_with("temperature,low,high,images,confidence,accuracy\r\n1.000000,0.000000,"),
        "{bins}"
    );
    assert_eq!(bins.lines().count(), 1 + 2 * 15);
    let images = |line: &str| line.split(',').nth(3).unwrap().parse::<usize>().unwrap();
    let test = json(dir.join("summary.json"))["test"]["images"].as_u64().unwrap() as usize;
    assert_eq!(bins.lines().skip(1).map(images).sum::<usize>(), 2 * test);
    assert!(read(&eval.join("calibration.png")).starts_with(b"\x89PNG"));
    assert!(ran.out.contains("  calibration     calibration error "), "{}", ran.out);

    // On the training file there is nothing wrong; with labels moved by one, there is.
    place.labels("t10k", &(0..30).map(|i| if i < 4 { (i + 1) % 3 } else { i % 3 }).collect::<Vec<u8>>());
    let eval = place.out().join("moved");
    on(&place, "eval", &["--hard", "3", "--json", "--out", eval.to_str().unwrap()]).succeeds();
    let hard = String::from_utf8(read(&eval.join("hard.csv"))).unwrap();
    let rows: Vec<Vec<&str>> = hard.lines().skip(1).map(|row| row.split(',').collect()).collect();
    assert_eq!(rows.len(), 3, "{hard}");
    let sure: Vec<f64> = rows.iter().map(|row| row[3].parse().unwrap()).collect();
    assert!(sure.is_sorted_by(|a, b| a >= b) && rows.iter().all(|row| row[1] != row[2]), "{hard}");
    assert!(read(&eval.join("hard.png")).starts_with(b"\x89PNG"));
    on(&place, "eval", &["--hard", "0"]).fails(2, &["--hard"]);
}

#[test]
fn beside_a_run_that_is_read_only_there_is_another_place() {
    let place = Place::new();
    let out = place.out();
    std::fs::create_dir(&out).unwrap();
    if !Tmpfs::mount(&out, "size=64m") {
        println!("skipped: mounting needs root");
        return;
    }
    let mounted = Tmpfs(&out);
    place.run(&["--arch", "encoder-mlp", "--epochs", "1", "--name", "r"]).succeeds();
    on(&place, "eval", &[]).succeeds();
    assert!(Tmpfs::mount(&out, "remount,ro"));
    // The directory of eval is there, that of encode is not.
    for what in ["eval", "encode"] {
        on(&place, what, &[]).fails(4, &["r/", "help: choose another directory with --out"]);
    }
    let elsewhere = place.data().join("e");
    on(&place, "eval", &["--out", elsewhere.to_str().unwrap()]).succeeds();
    drop(mounted);
}

#[test]
fn eval_of_other_data_says_what_does_not_fit() {
    let place = trained();
    let other = Place::new();
    for (which, n) in [("train", 60), ("t10k", 30)] {
        other.labels(which, &(0..n).map(|i| i % 5).collect::<Vec<u8>>());
    }
    let dir = other.data();
    let flags = ["--dataset", dir.to_str().unwrap()];
    on(&place, "eval", &flags).fails(3, &["the data set has 5 classes, the model 3"]);
    for (which, n) in [("train", 60), ("t10k", 30)] {
        other.labels(which, &(0..n).map(|i| i % 2).collect::<Vec<u8>>());
    }
    let fewer = on(
        &place,
        "eval",
        &[&flags[..], &["--out", other.out().to_str().unwrap(), "--split", "train"]].concat(),
    );
    fewer.succeeds();
    assert_eq!(String::from_utf8(read(&other.out().join("predictions.csv"))).unwrap().lines().count(), 61);
    other.images("train", 60, 30, 30);
    other.images("t10k", 30, 30, 30);
    on(&place, "eval", &flags).fails(3, &["images are 30x30, the model takes 28x28"]);
    // No --arch brings them together, and the help does not say so.
    let wrong = on(&place, "eval", &[&flags[..], &["--arch", "encoder-mlp@30x30"]].concat());
    wrong.fails(7, &["weights do not fit encoder-mlp@30x30", "leave --arch out: the file says encoder-mlp"]);
    let nowhere = run(command().args(["eval", "nowhere"]));
    nowhere.fails(4, &["cannot read nowhere", "a run's directory or a model.safetensors"]);
}

/// The made data's class: a bright band in the upper, middle or lower third.
fn band(class: u32, width: u32, height: u32) -> GrayImage {
    GrayImage::from_fn(width, height, |_, y| Luma([if y * 3 / height == class { 180 } else { 40 }]))
}

fn save(path: &Path, image: &DynamicImage, format: ImageFormat) {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    write(path, bytes.get_ref());
}

#[test]
fn predict_takes_pictures_of_any_kind_and_size() {
    let place = trained();
    let dir = place.data();
    let mut wanted = Vec::new();
    let mut image = |name: &str, class: u32, image: DynamicImage, format| {
        save(&dir.join(name), &image, format);
        wanted.push((dir.join(name), class));
    };
    let grey = |class, w, h| DynamicImage::ImageLuma8(band(class, w, h));
    image("small.png", 0, grey(0, 28, 28), ImageFormat::Png);
    image("large.jpg", 1, grey(1, 640, 640), ImageFormat::Jpeg);
    image("deep.png", 2, DynamicImage::ImageLuma16(grey(2, 90, 90).to_luma16()), ImageFormat::Png);
    let color = grey(1, 99, 99).to_rgb8();
    image("colour.png", 1, DynamicImage::ImageRgb8(color), ImageFormat::Png);
    // Two bands are dark in a light picture: inverted, the middle one is bright.
    let mut dark = band(1, 60, 60);
    image::imageops::invert(&mut dark);
    image("dark.png", 1, DynamicImage::ImageLuma8(dark), ImageFormat::Png);
    // Transparent but for a black middle band.
    let through =
        image::GrayAlphaImage::from_fn(57, 57, |_, y| LumaA([0, if y / 19 == 1 { 255 } else { 0 }]));
    image("through.png", 1, DynamicImage::ImageLumaA8(through), ImageFormat::Png);

    let paths: Vec<&str> = wanted.iter().map(|(path, _)| path.to_str().unwrap()).collect();
    let ran = on(&place, "predict", &[&paths[..], &["--json"]].concat());
    let said: serde_json::Value = serde_json::from_str(&ran.succeeds().out).unwrap();
    for ((path, class), said) in wanted.iter().zip(said.as_array().unwrap()) {
        assert_eq!(said["top"][0]["label"], *class, "{}: {said}", path.display());
        assert_eq!(said["image"], path.to_str().unwrap());
        let sum: f64 =
            said["top"].as_array().unwrap().iter().map(|t| t["probability"].as_f64().unwrap()).sum();
        assert!((sum - 1.0).abs() < 1e-6, "three of three classes: {said}");
    }
    assert_eq!(
        (&said[1]["width"], &said[4]["inverted"], &said[5]["inverted"]),
        (&640.into(), &true.into(), &true.into())
    );

    // Shapes that nothing was trained on are answered too.
    save(
        &dir.join("dot.png"),
        &DynamicImage::ImageRgb8(image::RgbImage::from_pixel(1, 1, Rgb([9, 9, 9]))),
        ImageFormat::Png,
    );
    save(&dir.join("tall.png"), &grey(0, 3, 2000), ImageFormat::Png);
    let (dot, tall, show) = (dir.join("dot.png"), dir.join("tall.png"), place.out().join("shown"));
    let ran = on(
        &place,
        "predict",
        &[dot.to_str().unwrap(), tall.to_str().unwrap(), "--show", show.to_str().unwrap()],
    );
    assert!(ran.succeeds().out.contains("(1x1, dark background, not inverted)"), "{}", ran.out);
    assert!(ran.out.contains("(3x2000, "), "{}", ran.out);
    assert!(read(&show.join("seen.png")).starts_with(b"\x89PNG"));
}

#[test]
fn predict_refuses_what_is_no_image() {
    let place = trained();
    let dir = place.data();
    let mut good = Cursor::new(Vec::new());
    band(0, 40, 40).write_to(&mut good, ImageFormat::Png).unwrap();
    let good = good.into_inner();
    // A header that promises more than anyone has: width and height are the bytes 16 to 23; their checksum follows.
    let mut huge = good.clone();
    huge[16..24].copy_from_slice(&[0, 0, 0x70, 0, 0, 0, 0x70, 0]);
    let crc = crc32(&huge[12..29]);
    huge[29..33].copy_from_slice(&crc.to_be_bytes());
    let files: [(&str, &[u8], &str); 6] = [
        ("text.png", b"this is no picture", "unknown image format; use PNG or JPEG"),
        ("empty.jpg", b"", "an empty file"),
        ("half.png", &good[..good.len() / 2], "not a readable image"),
        ("huge.png", &huge, "28672x28672 pixels, at most"),
        ("start.jpg", b"\xff\xd8\xff\xe0\x00\x10JFIF", "not a readable image"),
        ("data.gif", b"GIF89a\x01\x00\x01\x00\x00\x00\x00;", "not"),
    ];
    for (name, bytes, reason) in files {
        write(&dir.join(name), bytes);
        on(&place, "predict", &[dir.join(name).to_str().unwrap()]).fails(3, &[name, reason, "PNG or JPEG"]);
    }
    on(&place, "predict", &[place.out().to_str().unwrap()]).fails(3, &["has no PNG or JPEG files in it"]);
    write(&dir.join("good.png"), &good);
    let name = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let all = on(&place, "predict", &[&name("good.png"), &name("text.png"), &name("gone.png")]);
    all.fails(3, &["text.png: unknown image format", "gone.png: "]);
    assert!(all.out.starts_with(&name("good.png")), "the others are predicted: {}", all.out);
    let none = on(&place, "predict", &[&name("text.png"), &name("gone.png")]);
    none.fails(3, &["none of 2 files is an image", "text.png: unknown", "gone.png: "]);
}

#[test]
fn predict_takes_folders_and_writes_tables() {
    let place = trained();
    let (dir, table) = (place.out().join("pictures"), place.out().join("predicted.csv"));
    std::fs::create_dir(&dir).unwrap();
    let grey = |class| DynamicImage::ImageLuma8(band(class, 40, 40));
    save(&dir.join("b.PNG"), &grey(2), ImageFormat::Png);
    save(&dir.join("a.jpg"), &grey(1), ImageFormat::Jpeg);
    save(
        &dir.join("plain.png"),
        &DynamicImage::ImageLuma8(GrayImage::from_pixel(9, 9, Luma([255]))),
        ImageFormat::Png,
    );
    write(&dir.join("notes.txt"), b"no picture");
    let ran = on(&place, "predict", &[dir.to_str().unwrap(), "--top", "1", "--csv", table.to_str().unwrap()]);
    assert!(ran.succeeds().err.contains("plain.png is of one colour"), "{}", ran.err);
    let noisy = place.out().join("noisy.png");
    let noise = GrayImage::from_fn(40, 40, |x, y| Luma([((x * 37 + y * 101) * (x + 3) % 251) as u8]));
    save(&noisy, &DynamicImage::ImageLuma8(noise), ImageFormat::Png);
    let trimmed = on(&place, "predict", &[noisy.to_str().unwrap(), "--trim"]);
    assert!(trimmed.succeeds().err.contains("--trim found no plain background"), "{}", trimmed.err);
    let text = String::from_utf8(read(&table)).unwrap();
    let rows: Vec<Vec<&str>> = text.lines().skip(1).map(|row| row.split(',').collect()).collect();
    assert_eq!(rows.len(), 3, "one class each: {text}");
    assert!(rows[0][0].ends_with("a.jpg") && rows[0][1..3] == ["1", "1"] && rows[1][2] == "2", "{text}");
    on(&place, "predict", &[dir.to_str().unwrap(), "--top", "0"]).fails(2, &["--top must be at least 1"]);
}

/// The checksum of PNG's chunks (ISO 3309).
fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, &byte| {
        (0..8).fold(
            crc ^ u32::from(byte),
            |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 },
        )
    })
}

#[test]
fn encode_leaves_codes_labels_and_the_plane() {
    let place = trained();
    let ran = on(&place, "encode", &["--json"]);
    let said: serde_json::Value = serde_json::from_str(&ran.succeeds().out).unwrap();
    assert_eq!((&said["images"], &said["code_length"]), (&30.into(), &1600.into()));
    let shares: Vec<f64> =
        said["explained_variance"].as_array().unwrap().iter().map(|s| s.as_f64().unwrap()).collect();
    assert!(shares[0] >= shares[1] && shares[1] > 0.0 && shares[0] + shares[1] <= 1.0, "{shares:?}");

    let dir = place.out().join("r/codes");
    let codes = read(&dir.join("codes.npy"));
    assert!(String::from_utf8_lossy(&codes[..128]).contains("(30, 1600"));
    let values: Vec<f32> = codes[codes.len() - 30 * 1600 * 4..]
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
        .collect();
    assert!(values.iter().all(|v| *v >= 0.0) && values.iter().any(|v| *v > 0.0), "after ReLU");
    let labels = read(&dir.join("labels.npy"));
    assert_eq!(labels[labels.len() - 30..], (0..30).map(|i| i % 3).collect::<Vec<u8>>());
    let table = String::from_utf8(read(&dir.join("codes.csv"))).unwrap();
    let second: Vec<f32> =
        table.lines().nth(2).unwrap().split(',').skip(3).map(|v| v.parse().unwrap()).collect();
    assert_eq!(second, values[1600..3200], "the same numbers, to the bit");
    assert_eq!(String::from_utf8(read(&dir.join("pca.csv"))).unwrap().lines().count(), 31);
    assert!(read(&dir.join("pca.png")).starts_with(b"\x89PNG"));
    on(&place, "encode", &["--split", "train", "--no-csv", "--out", place.out().join("c").to_str().unwrap()])
        .succeeds();
    assert!(!place.out().join("c/codes.csv").exists());
}

#[test]
fn weights_of_16_bits_and_files_of_torch_save() {
    use safetensors::tensor::{Dtype, SafeTensors, TensorView};
    let place = trained();
    let (run_dir, other) = (place.out().join("r"), place.out().join("bf16.safetensors"));
    let bytes = read(&run_dir.join("model.safetensors"));
    let file = SafeTensors::deserialize(&bytes).unwrap();
    // bfloat16 is the first half of a 32-bit float.
    let halves: Vec<(String, Vec<usize>, Vec<u8>)> = file
        .iter()
        .map(|(name, view)| {
            let data = view.data().chunks(4).flat_map(|v| [v[2], v[3]]).collect();
            (name.to_owned(), view.shape().to_vec(), data)
        })
        .collect();
    let views = halves.iter().map(|(name, shape, data)| {
        (name.as_str(), TensorView::new(Dtype::BF16, shape.clone(), data).unwrap())
    });
    write(&other, &safetensors::serialize(views, None).unwrap());
    let eval = |model: &Path| {
        let mut command = command();
        command.arg("eval").arg(model).args([
            "--arch",
            "encoder-mlp",
            "--json",
            "--device",
            "cpu",
            "--dataset",
        ]);
        run(command.arg(place.data()).arg("--out").arg(place.out().join("e")))
    };
    let said: serde_json::Value = serde_json::from_str(&eval(&other).succeeds().out).unwrap();
    assert_eq!(said["test"]["accuracy"], 1.0);
    assert_eq!(said["model"], other.display().to_string());
    let pt = place.out().join("model.pt");
    write(&pt, b"PK\x03\x04 and so on");
    eval(&pt).fails(
        7,
        &["this is a file of torch.save", "safetensors.torch.save_file(model.state_dict()", "model.pt"],
    );
}

#[test]
fn an_onnx_file_and_what_export_refuses() {
    let place = trained();
    let path = place.out().join("m.onnx");
    let ran = on(&place, "export", &["--onnx", path.to_str().unwrap(), "--bytes"]);
    assert!(ran.succeeds().out.contains("m.onnx"), "{}", ran.out);
    assert!(read(&path).windows(4).any(|piece| piece == b"Gemm"));
    on(&place, "export", &[]).fails(2, &["--onnx"]);
    let dir = place.out().join("c");
    let ran = on(&place, "export", &["--c", dir.to_str().unwrap(), "--int8", "--score", "--name", "net"]);
    assert!(ran.succeeds().out.contains("accuracy: 1.0000 in floats, 1.0000 in 8-bit"), "{}", ran.out);
    assert!(String::from_utf8(read(&dir.join("net.c"))).unwrap().contains("int8_t"));
    on(&place, "export", &["--c", dir.to_str().unwrap(), "--name", "9"]).fails(2, &["no name in C"]);
}
