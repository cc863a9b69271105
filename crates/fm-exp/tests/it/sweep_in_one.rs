//! `fm-exp sweep GRID`: plan, run and merge in one, and what it says before, meanwhile and afterwards.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::made::{Place, command, run};

fn sweep(place: &Place, flags: &[&str]) -> Command {
    let mut command = command();
    command.args(["sweep", "--device", "cpu", "--engine", "fused", "--batch-size", "8", "--dataset"]);
    command.arg(place.data()).arg("--out").arg(place.out()).args(flags);
    command
}

fn step(name: &str, place: &Place, flags: &[&str]) -> Command {
    let mut command = command();
    command.args(["sweep", name]).arg("--out").arg(place.out()).args(flags);
    command
}

const GRID: [&str; 6] = ["--arch", "encoder-mlp,cnn", "--seeds", "0..1", "--epochs", "1,2"];

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

#[test]
fn one_command_plans_runs_and_merges() {
    let place = Place::new();
    let table = run(&mut sweep(&place, &[&GRID[..], &["--dry-run"]].concat()));
    let text = &table.succeeds().out;
    for piece in
        ["4 runs for 8 table rows", "batch-size 8", "encoder-mlp  1,2     0..1   2", "one run at a time"]
    {
        assert!(text.contains(piece), "{piece} in {text}");
    }
    assert!(!place.out().join("plan.json").exists());
    let ran = run(&mut sweep(&place, &GRID));
    assert!(ran.succeeds().out.contains("4 runs done") && ran.out.contains("8 rows in "), "{}", ran.out);
    assert!(ran.err.contains("4 runs for 8 table rows"), "the plan comes first: {}", ran.err);
    let merged = read(&place.out().join("runs.csv"));
    assert_eq!(merged.lines().count(), 9);
    // Given again there is nothing to do; a larger grid does the rest.
    let again = run(&mut sweep(&place, &GRID));
    assert!(again.succeeds().out.contains("4 of them before"), "{}", again.out);
    assert!(again.err.contains("about 0 s"), "{}", again.err);
    assert_eq!(read(&place.out().join("runs.csv")), merged);
    let more = run(&mut sweep(&place, &["--arch", "encoder-mlp,cnn", "--seeds", "0..2", "--epochs", "1,2"]));
    assert!(more.succeeds().out.contains("6 runs done, 4 of them before"), "{}", more.out);

    // The same as by its steps.
    let plan = place.data().join("plan.json");
    let mut planned = command();
    planned.args(["sweep", "plan", "--device", "cpu", "--engine", "fused", "--batch-size", "8", "--dataset"]);
    planned.arg(place.data()).args([
        "--arch",
        "encoder-mlp,cnn",
        "--seeds",
        "0-2",
        "--epochs",
        "1,2",
        "--out",
    ]);
    assert!(run(planned.arg(&plan)).succeeds().out.contains("6 runs in "));
    assert_eq!(read(&plan), read(&place.out().join("plan.json")));

    let said = run(&mut step("status", &place, &["--watch", "--json"]));
    let said: serde_json::Value = serde_json::from_str(&said.succeeds().out).unwrap();
    assert_eq!(said["share"], 1.0);
    assert!(said["runs"].as_array().unwrap().iter().all(|run| run["state"] == "done"));
}

#[test]
fn nothing_to_sweep_and_nothing_to_merge_are_errors() {
    let place = Place::new();
    run(command().args(["sweep", "--jobs", "2"]))
        .fails(2, &["a sweep needs something to vary", "--seeds 0..4"]);
    run(command().arg("sweep")).fails(2, &["Usage: fm-exp sweep"]);
    let plan = place.data().join("plan.json");
    let mut planned = command();
    planned.args(["sweep", "plan", "--device", "cpu", "--seeds", "0..1", "--dataset"]).arg(place.data());
    run(planned.args(["--batch-size", "8", "--out"]).arg(&plan)).succeeds();
    let merge = step("merge", &place, &["--allow-missing", "--plan", plan.to_str().unwrap()]);
    run(&mut { merge }).fails(9, &["2 of 2 runs are missing", "there is nothing to merge yet"]);
    assert!(!place.out().join("runs.csv").exists());
}

#[test]
fn the_status_names_the_phase_of_a_run_that_trains() {
    let place = Place::new();
    place.images("train", 12_000, 28, 28);
    place.labels("train", &(0..12_000).map(|i| (i % 3) as u8).collect::<Vec<u8>>());
    let flags =
        ["--arch", "encoder-mlp", "--pretrain", "autoencoder", "--epochs", "2", "--pretrain-epochs", "200"];
    let mut child = sweep(&place, &[&flags[..], &["--quiet"]].concat())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let seen = (0..1200).find_map(|_| {
        std::thread::sleep(Duration::from_millis(50));
        let text = run(&mut step("status", &place, &[])).out;
        text.contains("pretrain-autoencoder, epoch 1 of 200, ").then_some(text)
    });
    child.kill().unwrap();
    child.wait().unwrap();
    let text = seen.expect("a run in its pretraining");
    assert!(text.starts_with("1 runs: 1 running; 0 % of all epochs"), "{text}");
}
