//! `fm-exp atlas` on made data, and scores with a mask.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use fm_data::idx;
use serde_json::Value;

use crate::made::{Place, Ran, command, run, write};

/// Training images whose labels are wrong.
const WRONG: [usize; 4] = [40, 85, 130, 181];
/// Pixels of an image.
const SIZE: usize = 28 * 28;

/// 240 training images in three classes that are easily told apart, four of them with a label of another class, one there
/// twice, and one that is test image 4 too.
fn place() -> Place {
    let place = Place::new();
    let label = |i: usize| if WRONG.contains(&i) { (i + 1) % 3 } else { i % 3 };
    place.labels("train", &(0..240).map(|i| label(i) as u8).collect::<Vec<_>>());
    let (mut train, test) = (images(0, 240), images(1000, 30));
    train.copy_within(9 * SIZE..10 * SIZE, 99 * SIZE);
    train[7 * SIZE..8 * SIZE].copy_from_slice(&test[4 * SIZE..5 * SIZE]);
    for (name, pixels, n) in [("train", train, 240), ("t10k", test, 30)] {
        place.file(&format!("{name}-images-idx3-ubyte"), &idx::encode_images(&pixels, n, 28, 28));
    }
    place
}

/// Images in which class `i % 3` is bright in a band of its own, with noise that no two share.
fn images(first: usize, n: usize) -> Vec<u8> {
    let pixel = |i: usize, p: usize| {
        let band = if p / 28 * 3 / 28 == i % 3 { 120 } else { 20 };
        band + (((first + i) * SIZE + p) as u32).wrapping_mul(2_654_435_761).rotate_left(13) % 80
    };
    (0..n).flat_map(|i| (0..SIZE).map(move |p| pixel(i, p) as u8)).collect()
}

fn atlas(place: &Place, flags: &[&str]) -> Command {
    let mut command = command();
    command.args(["atlas", "--device", "cpu", "--engine", "fused", "--batch-size", "8", "--dataset"]);
    command.arg(place.data()).args(["--arch", "4C3-MP2--8", "--epochs", "4", "--lr", "0.01"]).args(flags);
    command
}

fn json(ran: &Ran) -> Value {
    serde_json::from_str(&ran.succeeds().out).unwrap()
}

/// The rows of a table, by the columns' names.
fn rows(path: &Path) -> Vec<std::collections::BTreeMap<String, String>> {
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>());
    let header = lines.next().unwrap();
    lines.map(|cells| header.iter().cloned().zip(cells).collect()).collect()
}

#[test]
fn wrong_labels_and_duplicates_are_found_and_an_interrupted_atlas_goes_on() {
    let place = place();
    let out = place.out();
    let flags = ["--out", out.to_str().unwrap(), "--runs"];
    let dry = run(&mut atlas(&place, &[&flags[..], &["6", "--dry-run"]].concat()));
    assert!(dry.succeeds().out.contains("6 runs") && dry.out.contains("holdout-share 0.5"), "{}", dry.out);
    assert!(dry.err.contains("about 3 runs of each training image"), "{}", dry.err);
    // As if the rest had been interrupted.
    run(&mut atlas(&place, &[&flags[..], &["2"]].concat())).succeeds();
    let made = json(&run(&mut atlas(&place, &[&flags[..], &["8", "--json", "--suspects", "4"]].concat())));
    assert_eq!(
        (&made["runs"], &made["epochs"], &made["test"]["runs_min"]),
        (&8.into(), &4.into(), &8.into())
    );
    assert!((made["train"]["runs_mean"].as_f64().unwrap() - 4.0).abs() < 0.1, "{made}");
    let exact = &made["duplicates"]["exact"];
    assert_eq!((&exact["within_train"], &exact["train_and_test"]), (&1.into(), &1.into()), "{made}");

    let to = out.join("atlas");
    let suspects = rows(&to.join("suspects.csv"));
    let found: BTreeSet<usize> = suspects.iter().map(|row| row["index"].parse().unwrap()).collect();
    assert_eq!(found, BTreeSet::from(WRONG));
    assert!(
        suspects.iter().all(|row| row["set"] == "train" && row["suspicion"].parse::<f64>().unwrap() > 0.3)
    );
    let twice = rows(&to.join("duplicates.csv"));
    let pair = |row: &std::collections::BTreeMap<String, String>| {
        ["kind", "set_a", "index_a", "set_b", "index_b"].map(|column| row[column].clone()).join(" ")
    };
    let exact: Vec<String> = twice.iter().map(pair).filter(|text| text.starts_with("exact")).collect();
    assert_eq!(exact, ["exact train 7 test 4", "exact train 9 train 99"]);
    assert_eq!(rows(&to.join("images.csv")).len(), 270);
    for file in ["missed.csv", "summary.json", "hardest.png", "suspects.svg", "missed.png", "atlas.html"] {
        assert!(to.join(file).exists(), "{file}");
    }
    let html = std::fs::read_to_string(to.join("atlas.html")).unwrap();
    assert!(!html.contains("{{") && !html.contains("http://") && !html.contains("https://"));

    // Again from what is there: the same bytes.
    let before = std::fs::read(to.join("images.csv")).unwrap();
    let again = run(command().arg("atlas").arg(&out));
    assert!(again.succeeds().out.contains("8 runs of 4C3-MP2--8, 4 epochs"), "{}", again.out);
    assert_eq!(std::fs::read(to.join("images.csv")).unwrap(), before);
}

#[test]
fn what_makes_no_atlas_is_said() {
    let place = Place::new();
    let refused = |flags: &[&str]| run(&mut atlas(&place, flags));
    refused(&["--runs", "2", "--lr", "0.1,0.2"]).fails(2, &["differ by their seeds alone"]);
    refused(&["--runs", "2", "--patience", "1"]).fails(2, &["the same number of epochs"]);
    refused(&["--runs", "2", "--protocol", "notebook"]).fails(2, &["--holdout-share"]);
    refused(&["--runs", "2", "--holdout-share", "1"]).fails(2, &["must be above 0 and below 1"]);
    refused(&["--runs", "1"]).fails(2, &["--runs"]);
    let out = place.out();
    place.run(&["--epochs", "1", "--name", "plain"]).succeeds();
    run(command().arg("atlas").arg(&out)).fails(7, &["has predictions_by_epoch.npz", "--holdout-share"]);
}

#[test]
fn an_interrupted_run_leaves_the_same_predictions_of_every_epoch() {
    let place = Place::new();
    let flags = ["--epochs", "4", "--holdout-share", "0.4", "--predictions-by-epoch", "--name"];
    let file = |name: &str| std::fs::read(place.out().join(name).join("predictions_by_epoch.npz")).unwrap();
    place.run(&[&flags[..], &["whole"]].concat()).succeeds();
    place.run(&[&flags[..], &["cut", "--stop-after", "2"]].concat()).fails(75, &["stopped after epoch 2"]);
    place.run(&[&flags[..], &["cut", "--resume"]].concat()).succeeds();
    assert_eq!(file("cut"), file("whole"));
    // The key is no part of what the run is, and without it the run has the same weights.
    place.run(&["--epochs", "4", "--holdout-share", "0.4", "--name", "plain"]).succeeds();
    let model = |name: &str| std::fs::read(place.out().join(name).join("model.safetensors")).unwrap();
    assert_eq!(model("plain"), model("whole"));
    assert!(!place.out().join("plain/predictions_by_epoch.npz").exists());
    // A run that did not keep the epochs before cannot keep those that follow.
    place.run(&["--epochs", "4", "--name", "late", "--stop-after", "2"]).fails(75, &[]);
    place
        .run(&["--epochs", "4", "--name", "late", "--resume", "--predictions-by-epoch"])
        .fails(4, &["predictions_by_epoch.npz", "leave --predictions-by-epoch out"]);
}

#[test]
fn a_mask_scores_beside_all_images() {
    let place = Place::new();
    for seed in ["0", "1"] {
        place.run(&["--epochs", "1", "--seed", seed, "--name", &format!("run{seed}")]).succeeds();
    }
    let mask = place.data().join("mask.csv");
    write(&mask, b"set,index\ntest,0\ntest,4\ntrain,7\n");
    let flag = ["--mask", mask.to_str().unwrap()];
    let said: Vec<(bool, f64)> = rows(&place.out().join("run0/predictions.csv"))
        .iter()
        .enumerate()
        .filter(|(row, _)| ![0, 4].contains(row))
        .map(|(_, row)| (row["true"] == row["predicted"], row["loss"].parse().unwrap()))
        .collect();
    let accuracy = said.iter().filter(|(right, _)| *right).count() as f64 / 28.0;
    let loss = said.iter().map(|(_, loss)| loss).sum::<f64>() / 28.0;

    let all = json(&run(command().arg("compare").arg(place.out().join("run0")).args(flag).arg("--json")));
    let mean = |json: &Value, measure: &str| json["groups"][0]["measures"][measure]["mean"].as_f64().unwrap();
    assert!((mean(&all["masked"], "accuracy") - accuracy).abs() < 1e-12);
    assert!((mean(&all["masked"], "loss") - loss).abs() < 1e-6);
    assert_eq!((&all["masked"]["left_out"], &all["masked"]["images"]), (&2.into(), &28.into()));
    let plain = json(&run(command().arg("compare").arg(place.out().join("run0")).arg("--json")));
    assert_eq!(mean(&all, "accuracy").to_bits(), mean(&plain, "accuracy").to_bits(), "all images stay");
    let text = run(command().arg("compare").arg(place.out()).args(flag));
    assert!(text.succeeds().out.contains("\nwithout 2 of 30 test images, those of "), "{}", text.out);
    let csv = run(command().arg("compare").arg(place.out()).args(flag).arg("--csv"));
    let lines: Vec<&str> = csv.succeeds().out.lines().collect();
    assert!(lines[0].ends_with(",left_out") && lines.iter().any(|line| line.ends_with(",2")));

    // Tables of earlier versions have no losses, which probabilities of 0.000000 do not give back.
    for name in ["run0", "run1"] {
        let path = place.out().join(name).join("predictions.csv");
        let text = std::fs::read_to_string(&path).unwrap();
        let without = |line: &str| {
            let cells: Vec<&str> = line.split(',').take(5).collect();
            let p_true = if cells[0] == "index" { cells[3] } else { "0.000000" };
            [cells[0], cells[1], cells[2], p_true, cells[4]].join(",") + "\r\n"
        };
        write(&path, text.lines().map(without).collect::<String>().as_bytes());
    }
    let older = json(&run(command().arg("compare").arg(place.out()).args(flag).arg("--json")));
    let measures = &older["masked"]["groups"][0]["measures"];
    assert!(measures["loss"].is_null() && measures["accuracy"]["mean"].is_number(), "{measures}");

    let eval = json(&run(command().arg("eval").arg(place.out().join("run0")).args(flag).arg("--json")));
    assert!((eval["test_masked"]["accuracy"].as_f64().unwrap() - accuracy).abs() < 1e-12, "{eval}");
    assert_eq!((&eval["test_masked"]["left_out"], &eval["test"]["images"]), (&2.into(), &30.into()));
    let elsewhere = place.data().join("val");
    let val = ["--split", "val", "--out", elsewhere.to_str().unwrap()];
    let text = run(command().arg("eval").arg(place.out().join("run0")).args(flag).args(val));
    assert!(text.succeeds().out.contains("  without "), "{}", text.out);

    write(&mask, b"index\n30\n");
    let beyond = run(command().arg("compare").arg(place.out()).args(flag));
    beyond.fails(7, &["row 2: index 30, and there are 30 test images"]);
    run(command().arg("compare").arg(place.out()).args(flag).args(["--on", "val"])).fails(2, &["--mask"]);
    let every: Vec<String> = (0..30).map(|row: usize| row.to_string()).collect();
    write(&mask, format!("index\n{}\n", every.join("\n")).as_bytes());
    run(command().arg("compare").arg(place.out()).args(flag)).fails(2, &["the mask leaves no test image"]);
}
