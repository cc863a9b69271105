//! What can be wrong with a command, and what the user then sees.

use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::ffi::OsStrExt;
use std::process::Stdio;

use crate::made::{Place, command, run, write};

#[test]
fn row_21_batch_size_out_of_range() {
    let place = Place::new();
    place.run(&["--batch-size", "0"]).fails(2, &["--batch-size"]);
    // 60 images, five of which validate.
    let most = "--batch-size must be from 1 to 55 (the training images), got 56";
    let mut command = command();
    command.args(["--device", "cpu", "--batch-size", "56", "--dataset"]).arg(place.data());
    run(command.arg("--out").arg(place.out())).fails(2, &[most]);
}

#[test]
fn row_22_no_epochs_evaluate_the_untrained_model() {
    let place = Place::new();
    place.run(&["--epochs", "0", "--name", "none"]).succeeds();
    let text = std::fs::read_to_string(place.out().join("none/epochs.csv")).unwrap();
    assert_eq!(text.lines().count(), 1, "header only: {text}");
    assert!(place.out().join("none/DONE").exists());
}

#[test]
fn row_23_learning_rate_out_of_range() {
    let place = Place::new();
    for (given, shown) in [("NaN", "NaN"), ("inf", "inf"), ("0", "0"), ("-0.001", "-0.001")] {
        place.run(&["--lr", given]).fails(2, &[&format!("--lr must be finite and > 0, got {shown}")]);
    }
}

#[test]
fn row_24_unknown_architecture_or_device() {
    let place = Place::new();
    place.run(&["--arch", "cn"]).fails(2, &["unknown arch 'cn'", "help: did you mean `cnn`?"]);
    run(command().args(["--device", "gpu"])).fails(2, &["unknown device 'gpu'", "help: known are auto, cpu"]);
}

#[test]
fn rows_25_and_26_no_such_cuda_device() {
    if fm_cuda::driver::Driver::load().is_ok() {
        println!("skipped: this machine has an NVIDIA driver");
        return;
    }
    run(command().args(["--device", "cuda", "--arch", "cnn"]))
        .fails(5, &["--device cuda: no usable CUDA device", "note: no NVIDIA driver", "help: "]);
    run(command().args(["--device", "cuda:7"])).fails(5, &["--device cuda:7: no usable CUDA device"]);
}

#[test]
fn row_29_results_directory_not_writable() {
    let place = Place::new();
    write(&place.out(), b"a file where the directory should be");
    place.run(&["--epochs", "1"]).fails(4, &["cannot create", place.out().to_str().unwrap()]);
}

#[test]
fn row_31_a_directory_in_use() {
    let place = Place::new();
    let dir = place.out().join("busy");
    std::fs::create_dir_all(&dir).unwrap();
    write(&dir.join(".lock"), b"pid 812 since 2026-01-01T00:00:00Z\n");
    // The file alone means nothing: its owner is dead.
    let lock = std::fs::OpenOptions::new().read(true).write(true).open(dir.join(".lock")).unwrap();
    lock.lock().unwrap();
    place.run(&["--name", "busy"]).fails(8, &["is locked by pid 812 since 2026-01-01"]);
    drop(lock);
    place.run(&["--name", "busy"]).succeeds();
}

#[test]
fn row_32_another_run_is_never_overwritten_unasked() {
    let place = Place::new();
    place.run(&["--name", "x"]).succeeds();
    let before = std::fs::read(place.out().join("x/summary.json")).unwrap();
    let ran = place.run(&["--name", "x", "--lr", "0.01", "--seed", "4"]);
    ran.fails(
        7,
        &["a finished run of another configuration", "lr: there 0.001, here 0.01", "seed: there 0, here 4"],
    );
    assert!(!ran.err.contains("epochs: there"), "only what differs: {}", ran.err);
    place.run(&["--name", "x"]).fails(7, &["a finished run of the same configuration", "--overwrite"]);
    assert_eq!(std::fs::read(place.out().join("x/summary.json")).unwrap(), before);
    place.run(&["--name", "x", "--lr", "0.01", "--overwrite"]).succeeds();
}

#[test]
fn row_39_a_reader_that_goes_away() {
    let mut child = command()
        .args(["completions", "bash"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    drop(child.stdout.take());
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!((child.wait().unwrap().code(), err.as_str()), (Some(0), ""));
}

#[test]
fn row_40_paths_that_are_not_utf8() {
    let place = Place::new();
    let odd = place.out().join(OsStr::from_bytes(b"caf\xe9"));
    let data = place.data().with_file_name(OsStr::from_bytes(b"d\xe4ten"));
    std::fs::rename(place.data(), &data).unwrap();
    let mut command = command();
    command.args(["--device", "cpu", "--epochs", "1", "--batch-size", "8", "--name", "run"]);
    run(command.arg("--dataset").arg(&data).arg("--out").arg(&odd)).succeeds();
    assert!(odd.join("run/confusion.png").exists());
}

#[test]
fn unknown_flags_are_refused() {
    run(command().arg("--nesterov")).fails(2, &["unexpected argument '--nesterov'"]);
    run(command().args(["--arch", "cnn", "summary"])).fails(2, &["--arch comes after `summary`"]);
    run(command().args(["--json", "summary"])).succeeds();
    run(command().args(["--resume", "--overwrite"])).fails(2, &["cannot be used with"]);
}

#[test]
fn a_file_gives_way_to_the_environment_and_that_to_flags() {
    let place = Place::new();
    let file = place.out().with_file_name("run.toml");
    write(&file, b"seed = 1\nlr = 0.01\nbatch-size = 9\n");
    let mut command = place.command(&["--dry-run", "--config", file.to_str().unwrap(), "--seed", "3"]);
    let ran = run(command.env("FM_SEED", "2").env("FM_LR", "0.02"));
    ran.succeeds();
    for line in ["seed = 3", "lr = 0.02", "batch-size = 8"] {
        assert!(ran.out.contains(line), "{line} in {}", ran.out);
    }
    assert!(!place.out().exists(), "a dry run writes nothing");

    write(&file, b"sede = 1\n");
    place.run(&["--config", file.to_str().unwrap()]).fails(2, &["run.toml is not a configuration", "sede"]);
}
