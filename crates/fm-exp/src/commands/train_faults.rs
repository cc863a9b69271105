//! Whatever operation on a file fails, the run can be resumed, and ends as if none had failed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use fm_data::idx;

use super::*;
use fm_run::fault::armed::{Fault, arm, is_waiting};
use fm_run::store;

/// A data set of 48 training and 12 test images of 10×10 in three classes.
fn data(dir: &Path) {
    for (which, n) in [("train", 48), ("t10k", 12)] {
        let pixels: Vec<u8> = (0..n * 100).map(|i| (i * 37 + i / 100 % 3 * 80) as u8).collect();
        let labels: Vec<u8> = (0..n).map(|i| (i % 3) as u8).collect();
        let put =
            |name: &str, bytes: &[u8]| store::write(&dir.join(format!("{which}-{name}")), bytes).unwrap();
        put("images-idx3-ubyte", &idx::encode_images(&pixels, n, 10, 10));
        put("labels-idx1-ubyte", &idx::encode_labels(&labels));
    }
}

/// Three epochs on it, or what is left of them.
fn train(data: &Path, out: &Path) -> Result<String> {
    let mut args = RunArgs::default();
    args.process.resume = true;
    let (data, out) = (data.to_str().unwrap(), out.to_str().unwrap());
    let keys = [
        ("arch", "encoder-mlp@10x10"),
        ("device", "cpu"),
        ("epochs", "3"),
        ("batch-size", "16"),
        ("threads", "1"),
        ("patience", "3"),
        ("dataset", data),
        ("out", out),
        ("name", "r"),
    ];
    args.keys.table.extend(keys.map(|(key, text)| (key.to_owned(), text.into())));
    super::run(args, false, &Console { bars: None, quiet: true })
}

/// Every file below `dir`; locks and the count of steps are no result.
fn files(dir: &Path) -> BTreeSet<PathBuf> {
    let mut found = BTreeSet::new();
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() { found.extend(files(&path)) } else { found.extend([path]) }
    }
    found
}

/// What a run has left: names of all files, and the contents of those that depend on nothing but the run.
fn left(out: &Path) -> BTreeMap<PathBuf, String> {
    let digest = |path: &Path| {
        let name = path.file_name().unwrap().to_str().unwrap();
        let timed = ["epochs.csv", "runs.csv"].contains(&name);
        if timed {
            return untimed(path);
        }
        let varies = [".json", ".toml", ".lock", ".progress"].iter().any(|end| name.ends_with(end));
        if varies { String::new() } else { format!("{:?}", std::fs::read(path).unwrap()) }
    };
    files(out).into_iter().map(|path| (path.strip_prefix(out).unwrap().to_owned(), digest(&path))).collect()
}

/// A table without its columns of times.
fn untimed(path: &Path) -> String {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let header = reader.headers().unwrap().clone();
    let varies = |name: &str| name.ends_with("seconds") || name.ends_with("second") || name == "finished";
    let rows = reader.records().map(|row| {
        let row = row.unwrap();
        let cells = row.iter().zip(&header).filter(|(_, name)| !varies(name));
        cells.map(|(cell, _)| cell.to_owned()).collect::<Vec<_>>().join(",")
    });
    rows.collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn same(whole: &BTreeMap<PathBuf, String>, out: &Path, what: &str) {
    let now = left(out);
    assert_eq!(now.keys().collect::<Vec<_>>(), whole.keys().collect::<Vec<_>>(), "{what}: files");
    for (path, content) in whole {
        assert!(now[path] == *content, "{what}: {} differs", path.display());
    }
}

/// A place with data and an uninterrupted run, and what that left.
fn place() -> (tempfile::TempDir, BTreeMap<PathBuf, String>) {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("data")).unwrap();
    data(&dir.path().join("data"));
    train(&dir.path().join("data"), &dir.path().join("whole")).unwrap();
    let whole = left(&dir.path().join("whole"));
    assert!(whole.contains_key(Path::new("r/DONE")) && whole.contains_key(Path::new("runs.csv")));
    (dir, whole)
}

#[test]
fn any_single_operation_may_fail() {
    let (dir, whole) = place();
    let mut messages = BTreeSet::new();
    for n in 1.. {
        // Five operations make a file: with both faults in turn, each of them meets both.
        let fault = if n % 2 == 0 { Fault::NoSpace } else { Fault::IoError };
        let (data, out) = (dir.path().join("data"), dir.path().join(format!("out{n}")));
        arm(Some((fault, n)));
        let first = train(&data, &out);
        let unmet = is_waiting();
        arm(None);
        if unmet {
            assert!(first.is_ok() && n > 100, "{n} operations: {first:?}");
            break;
        }
        let error = first.expect_err("a failed operation is never passed over");
        assert_eq!(error.exit_code(), 4, "operation {n}: {error}");
        let text = error.to_string();
        let expected = if fault == Fault::NoSpace { "no space left to " } else { "input/output error" };
        assert!(text.contains(expected), "operation {n}: {text}");
        assert!(!out.join("r/DONE").exists() || text.contains("DONE"), "operation {n} comes before DONE");
        messages.extend(text.contains("previous checkpoint intact").then_some("kept"));
        messages.extend(text.contains("no checkpoint yet").then_some("none"));

        train(&data, &out).unwrap_or_else(|error| panic!("after operation {n}: {error}"));
        same(&whole, &out, &format!("operation {n}"));
        std::fs::remove_dir_all(out).unwrap();
    }
    assert_eq!(messages.into_iter().collect::<Vec<_>>(), ["kept", "none"]);
}

#[test]
fn failures_may_follow_one_another() {
    let (dir, whole) = place();
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    // Primes, so that failures come at other places each time; the run gets a little further in between.
    for n in [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37, 41, 43, 47, 53, 59] {
        arm(Some((if n % 4 == 1 { Fault::NoSpace } else { Fault::IoError }, n)));
        let result = train(&data, &out);
        arm(None);
        assert!(result.is_err() || out.join("r/DONE").exists(), "{result:?}");
    }
    train(&data, &out).unwrap();
    same(&whole, &out, "after many failures");
}

#[test]
fn what_a_killed_writer_left_is_swept_away() {
    let (dir, whole) = place();
    let (data, out) = (dir.path().join("data"), dir.path().join("out"));
    arm(Some((Fault::IoError, 60)));
    train(&data, &out).unwrap_err();
    arm(None);
    for place in ["", "r", "r/checkpoint"] {
        store::write(&out.join(place).join(".tmp-fm-x1Y2z3"), b"half").unwrap();
    }
    train(&data, &out).unwrap();
    same(&whole, &out, "swept");
}
