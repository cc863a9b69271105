//! Interrupted and resumed equals uninterrupted, and what damaged checkpoints say.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use crate::made::{Place, Ran, run, write};
use crate::outputs::untimed;

/// A run of 60 short epochs with patience and validation, so that the best epoch's weights are in play.
fn flags<'a>(name: &'a str, engine: &'a str) -> Vec<&'a str> {
    vec![
        "--epochs",
        "60",
        "--seed",
        "3",
        "--patience",
        "60",
        "--name",
        name,
        "--engine",
        engine,
        "--arch",
        "encoder-mlp",
    ]
}

/// Everything that must be the same: model, tables, and every tensor of the last checkpoint.
#[track_caller]
pub(crate) fn same(place: &Place, a: &str, b: &str) {
    let dir = |name: &str| place.out().join(name);
    for file in ["model.safetensors", "predictions.csv", "confusion.csv"] {
        let read = |name: &str| std::fs::read(dir(name).join(file)).unwrap();
        assert!(read(a) == read(b), "{file} of {a} and {b} differ");
    }
    assert_eq!(untimed(&dir(a).join("epochs.csv")), untimed(&dir(b).join("epochs.csv")));
    let last = |name: &str| std::fs::read(newest(&dir(name), "safetensors")).unwrap();
    assert!(last(a) == last(b), "the last checkpoints of {a} and {b} differ");
}

/// The checkpoint file with the highest number.
fn newest(run: &Path, extension: &str) -> PathBuf {
    let files = std::fs::read_dir(run.join("checkpoint")).unwrap().map(|f| f.unwrap().path());
    let number = |p: &PathBuf| p.file_stem().unwrap().to_str().unwrap().parse::<u64>().unwrap_or(0);
    files.filter(|p| p.extension().is_some_and(|e| e == extension)).max_by_key(number).unwrap()
}

pub(crate) fn start(place: &Place, flags: &[&str]) -> Child {
    place.command(flags).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// Waits until the run has written its n-th row, so that there is something to go on from.
pub(crate) fn wait_for_rows(place: &Place, name: &str, n: usize) {
    let path = place.out().join(name).join("epochs.csv");
    for _ in 0..6000 {
        if std::fs::read_to_string(&path).is_ok_and(|text| text.lines().count() > n) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("no {n} rows in {} within a minute", path.display());
}

fn resume(place: &Place, name: &str, engine: &str) -> Ran {
    place.run(&[flags(name, engine), vec!["--resume"]].concat())
}

#[track_caller]
fn killed_and_resumed(engine: &str) {
    let place = Place::new();
    place.run(&flags("whole", engine)).succeeds();
    for wait in [1, 17, 40] {
        let mut child = start(&place, &[flags("killed", engine), vec!["--resume"]].concat());
        wait_for_rows(&place, "killed", wait);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let ran = resume(&place, "killed", engine);
    ran.succeeds();
    assert!(ran.err.contains("resuming after epoch"), "{}", ran.err);
    same(&place, "whole", "killed");
}

#[test]
fn row_33_killed_and_resumed_fused() {
    killed_and_resumed("fused");
}

#[test]
fn row_33_killed_and_resumed_eager() {
    killed_and_resumed("eager");
}

/// Batch norm, dropout in both parts, residual blocks, a depthwise, a strided and a padded convolution, global
/// pooling: everything that has state of its own, or draws.
#[test]
fn row_33_killed_and_resumed_with_statistics_and_draws() {
    let place = Place::new();
    let arch = "6C3.same.bn-D20-8R3.s2-DW3.same.bn-SD30-10DS3.s2-12IR3.e2.se2-GAP--14-D40";
    let flags = |name| {
        let run = ["--epochs", "14", "--seed", "3", "--patience", "60", "--name", name];
        [&run[..], &["--engine", "eager", "--arch", arch]].concat()
    };
    place.run(&flags("whole")).succeeds();
    for wait in [1, 5, 9] {
        let mut child = start(&place, &[flags("killed"), vec!["--resume"]].concat());
        wait_for_rows(&place, "killed", wait);
        child.kill().unwrap();
        child.wait().unwrap();
    }
    place.run(&[flags("killed"), vec!["--resume"]].concat()).succeeds();
    same(&place, "whole", "killed");
    let model = std::fs::read(place.out().join("whole/model.safetensors")).unwrap();
    let names = String::from_utf8_lossy(&model);
    assert!(
        names.contains("encoder.norm1.running_var") && names.contains("encoder.block2.norm1.running_mean")
    );
}

#[test]
fn row_34_signals_save_and_the_run_goes_on_within_the_epoch() {
    let place = Place::new();
    place.run(&flags("whole", "fused")).succeeds();
    for (signal, code) in [("TERM", 75), ("USR1", 75), ("INT", 130)] {
        let mut child = start(&place, &[flags("stopped", "fused"), vec!["--resume"]].concat());
        let rows = untimed_rows(&place, "stopped");
        wait_for_rows(&place, "stopped", rows + 2);
        let pid = child.id().to_string();
        assert!(std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success());
        assert_eq!(child.wait().unwrap().code(), Some(code), "{signal}");
    }
    resume(&place, "stopped", "fused").succeeds();
    same(&place, "whole", "stopped");
}

fn untimed_rows(place: &Place, name: &str) -> usize {
    let path = place.out().join(name).join("epochs.csv");
    std::fs::read_to_string(path).map_or(0, |text| text.lines().count().saturating_sub(1))
}

/// A run that was stopped after some epochs, to damage.
fn stopped(name: &str) -> Place {
    let place = Place::new();
    let mut child = start(&place, &flags(name, "fused"));
    wait_for_rows(&place, name, 4);
    child.kill().unwrap();
    child.wait().unwrap();
    place
}

#[test]
fn an_unfinished_run_offers_to_go_on_and_a_finished_one_is_left_alone() {
    let place = stopped("r");
    place.run(&flags("r", "fused")).fails(7, &["an unfinished run of the same configuration", "--resume"]);
    resume(&place, "r", "fused").succeeds();
    let before = std::fs::metadata(place.out().join("r/DONE")).unwrap().modified().unwrap();
    let ran = resume(&place, "r", "fused");
    assert!(ran.succeeds().err.contains("is finished already"), "{}", ran.err);
    assert_eq!(std::fs::metadata(place.out().join("r/DONE")).unwrap().modified().unwrap(), before);
    let other = [flags("r", "fused"), vec!["--resume", "--lr", "0.5"]].concat();
    place.run(&other).fails(7, &["another configuration", "lr: there 0.001, here 0.5"]);
}

#[test]
fn row_35_checkpoint_of_another_architecture() {
    let place = stopped("r");
    place.run(&["--arch", "cnn", "--epochs", "1", "--name", "cnn"]).succeeds();
    std::fs::remove_dir_all(place.out().join("r/checkpoint")).unwrap();
    std::fs::rename(place.out().join("cnn/checkpoint"), place.out().join("r/checkpoint")).unwrap();
    let pieces =
        ["unexpected encoder.conv3.weight", "missing head.dense3.bias", "head.dense1.weight is [128, 64]"];
    resume(&place, "r", "fused").fails(7, &pieces);
}

#[test]
fn row_36_corrupt_checkpoints() {
    let place = stopped("r");
    let damage = |path: &Path| {
        let mut bytes = std::fs::read(path).unwrap();
        let middle = bytes.len() / 2;
        bytes[middle] ^= 0x40;
        write(path, &bytes);
    };
    let dir = place.out().join("r");
    let last = newest(&dir, "json").with_extension("safetensors");
    damage(&last);
    let copy = place.out().join("both");
    assert!(run(std::process::Command::new("cp").arg("-r").arg(&dir).arg(&copy)).code == 0);

    place.run(&flags("whole", "fused")).succeeds();
    let ran = resume(&place, "r", "fused");
    assert!(ran.succeeds().err.contains("checksum mismatch, using the previous one"), "{}", ran.err);
    for file in ["model.safetensors", "predictions.csv"] {
        let read = |name: &str| std::fs::read(place.out().join(name).join(file)).unwrap();
        assert!(read("whole") == read("r"), "{file}");
    }

    for file in std::fs::read_dir(copy.join("checkpoint")).unwrap().map(|f| f.unwrap().path()) {
        if file.extension().is_some_and(|e| e == "safetensors") && file.file_name() != last.file_name() {
            damage(&file);
        }
    }
    resume(&place, "both", "fused").fails(7, &["no checkpoint in", "checksum mismatch", "--overwrite"]);
}

#[test]
fn row_37_newer_checkpoint_format() {
    let place = stopped("r");
    for file in std::fs::read_dir(place.out().join("r/checkpoint")).unwrap().map(|f| f.unwrap().path()) {
        if file.extension().is_some_and(|e| e == "json") {
            let text = std::fs::read_to_string(&file).unwrap().replace("\"format\": 2", "\"format\": 3");
            write(&file, text.as_bytes());
        }
    }
    resume(&place, "r", "fused").fails(7, &["format 3, this build reads up to 2"]);
}

#[test]
fn row_38_torn_last_row() {
    let place = stopped("r");
    let path = place.out().join("r/epochs.csv");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend(b"0123456789abcdef,encoder-mlp,3,tra");
    write(&path, &bytes);
    place.run(&flags("whole", "fused")).succeeds();
    let ran = resume(&place, "r", "fused");
    assert!(ran.succeeds().err.contains("is cut back to the checkpoint's"), "{}", ran.err);
    same(&place, "whole", "r");
}

#[test]
fn row_28_a_diverged_run_says_where_and_keeps_its_checkpoint() {
    let place = Place::new();
    let ran = place.run(&["--epochs", "30", "--lr", "1e30", "--name", "r"]);
    ran.fails(6, &["loss became NaN or infinite at epoch", "(step", "help: use a smaller --lr"]);
    assert!(!place.out().join("r/DONE").exists());
    let rows = untimed(&place.out().join("r/epochs.csv"));
    let last = rows.last().expect("the epoch that diverged has a row");
    assert!(!last[5].parse::<f64>().unwrap().is_finite(), "train_loss: {last:?}");
    assert_eq!((last[7].as_str(), last[8].as_str()), ("", ""), "nothing was validated: {last:?}");
    // The rate as it is typed, not with 308 zeros.
    let ran = place.run(&["--epochs", "30", "--lr", "1e308", "--name", "far"]);
    ran.fails(6, &["help: use a smaller --lr; this was 1e308\n"]);
}
