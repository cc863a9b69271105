//! Kills, slips and other people's hands: whatever happens, the command that the message names goes on.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::made::{Place, Ran, command, run, write};
use crate::outputs::untimed;

pub(crate) fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

pub(crate) fn sweep(what: &str, plan: &Path, out: &Path, flags: &[&str]) -> Ran {
    let mut sweep = command();
    sweep.args(["sweep", what, "--plan"]).arg(plan).arg("--out").arg(out);
    run(sweep.args(flags))
}

/// A plan of short runs, in a file.
pub(crate) fn plan(place: &Place, flags: &[&str]) -> PathBuf {
    let mut sweep = command();
    sweep.args(["sweep", "plan", "--set", "device=cpu", "--set", "engine=fused", "--batch-size", "8"]);
    let ran = run(sweep.arg("--dataset").arg(place.data()).args(flags));
    let path = place.data().join("plan.json");
    write(&path, ran.succeeds().out.as_bytes());
    path
}

/// Stopped after some rows, on request.
fn stopped(place: &Place, name: &str, epochs: &str) {
    let flags = ["--epochs", epochs, "--name", name];
    let mut child = place.command(&flags).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let table = place.out().join(name).join("epochs.csv");
    while !std::fs::read_to_string(&table).is_ok_and(|text| text.lines().count() > 3) {
        assert_eq!(child.try_wait().unwrap(), None, "it ended before it was stopped");
        std::thread::sleep(Duration::from_millis(5));
    }
    let pid = child.id().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(75));
}

#[test]
fn a_table_of_epochs_that_a_spreadsheet_saved_costs_nothing() {
    let place = Place::new();
    place.run(&["--epochs", "80", "--name", "whole"]).succeeds();
    let whole = untimed(&place.out().join("whole/epochs.csv"));
    let edit = |text: &str| {
        let quoted = |line: &str| line.split(',').map(|c| format!("\"{c}\"")).collect::<Vec<_>>().join(",");
        let mut sorted: Vec<&str> = text.lines().collect();
        sorted[1..].reverse();
        [
            format!("\u{feff}{text}"),
            text.lines().map(quoted).collect::<Vec<_>>().join("\r\n") + "\r\n",
            text.replace(',', ";"),
            text.replace("\r\n", "\n"),
            sorted.join("\r\n") + "\r\n",
            String::new(),
        ]
    };
    for kind in 0..=6 {
        let name = format!("r{kind}");
        stopped(&place, &name, "80");
        let path = place.out().join(&name).join("epochs.csv");
        match edit(&text(&path)).get(kind) {
            Some(edited) => write(&path, edited.as_bytes()),
            None => std::fs::remove_file(&path).unwrap(),
        }
        let edited = std::fs::read_to_string(&path).unwrap_or_default();
        let ran = place.run(&["--epochs", "80", "--name", &name, "--resume"]);
        ran.succeeds();
        let identified = |rows: &[Vec<String>]| rows.iter().map(|row| row[1..].to_vec()).collect::<Vec<_>>();
        assert_eq!(identified(&untimed(&path)), identified(&whole), "edit {kind}");
        let aside = path.with_file_name("epochs-edited.csv");
        assert_eq!(std::fs::read_to_string(aside).unwrap_or_default(), edited, "edit {kind}");
    }
}

#[test]
fn a_table_of_runs_is_looked_at_before_training_and_merging_never_replaces_it() {
    let place = Place::new();
    let runs = place.out().join("runs.csv");
    place.run(&["--name", "keep"]).succeeds();
    let kept = text(&runs);
    let plan = plan(&place, &["--epochs", "1"]);
    sweep("run", &plan, &place.out(), &[]).succeeds();
    sweep("merge", &plan, &place.out(), &[]).fails(7, &["table of single runs", "move it to another name"]);
    assert_eq!(text(&runs), kept);
    std::fs::rename(&runs, place.out().join("single.csv")).unwrap();
    sweep("merge", &plan, &place.out(), &[]).succeeds();
    let merged = text(&runs);
    let ran = place.run(&["--epochs", "3000", "--name", "after"]);
    ran.fails(7, &["is the merged table of a sweep", "--no-record"]);
    assert!(!place.out().join("after").exists() && text(&runs) == merged);
    place.run(&["--name", "after", "--no-record"]).succeeds();

    // What cannot be read costs no training and no earlier run.
    write(&runs, b"a title\r\nname,run_id\r\n");
    place.run(&["--name", "keep", "--overwrite"]).fails(4, &["no column `name`", "move it away"]);
    assert!(place.out().join("keep/DONE").exists());
}

#[test]
fn an_interrupted_overwrite_is_gone_on_with() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let place = Place::new();
    let flags = ["--epochs", "2", "--score-at", "1", "--name", "x"];
    for (n, how) in [(1, "--resume"), (2, "--resume"), (3, "--overwrite"), (7, "--resume"), (16, "--resume")]
    {
        place.run(&["--epochs", "3", "--score-at", "1,2", "--name", "x", "--overwrite"]).succeeds();
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=unlink,unlinkat,rmdir", "-e"]);
        traced.arg(format!("inject=unlink,unlinkat,rmdir:signal=KILL:when={n}"));
        let inner = place.command(&[&flags[..], &["--overwrite"]].concat());
        traced.arg(inner.get_program()).args(inner.get_args());
        let ran = run(&mut traced);
        assert!(ran.code != 0 && place.out().join("x/.clearing").exists(), "killed at call {n}: {}", ran.err);
        place.run(&[&flags[..], &[how]].concat()).succeeds();
        assert!(!place.out().join("x/at-2").exists() && !place.out().join("x/.clearing").exists());
        assert!(place.out().join("x/at-1/summary.json").exists());
    }
    // A sweep that trains again what it must, and dies meanwhile.
    let out = place.out().join("s");
    sweep("run", &plan(&place, &["--epochs", "3"]), &out, &[]).succeeds();
    let plan = plan(&place, &["--epochs", "1,3"]);
    let dir = out.join("cnn-3ep-seed0");
    std::fs::remove_file(dir.join("DONE")).unwrap();
    std::fs::remove_file(dir.join("config.toml")).unwrap();
    write(&dir.join(".clearing"), b"");
    sweep("run", &plan, &out, &[]).succeeds();
    sweep("merge", &plan, &out, &[]).succeeds();
}

#[test]
fn the_last_of_two_flags_wins_and_variables_are_named() {
    let place = Place::new();
    let ran = place.run(&["--epochs", "1", "--epochs", "2", "--name", "r", "--dry-run"]);
    assert!(ran.succeeds().out.contains("epochs = 2"), "{}", ran.out);
    // Lists add up as before.
    let ran = run(command()
        .args(["sweep", "plan", "--set", "lr=0.1", "--set", "seed=4", "--set", "device=cpu"])
        .arg("--dataset")
        .arg(place.data()));
    assert!(ran.succeeds().out.contains("\"lr\": 0.1") && ran.out.contains("\"seed\": 4"), "{}", ran.out);

    let with = |name: &str, value: &str, flags: &[&str]| run(place.command(flags).env(name, value));
    with("FM_LR", "abc", &[]).fails(2, &["FM_LR: --lr must be a number, got 'abc'"]);
    with("FM_PROTOCOL", "abc", &[]).fails(2, &["FM_PROTOCOL: --protocol must be one of"]);
    with("FM_ENGINE", "abc", &[]).fails(2, &["FM_ENGINE must be one of cuda, fused, eager, auto"]);
    place.run(&["--protocol", "abc"]).fails(2, &["invalid value 'abc' for '--protocol"]);
    let dry = ["--dry-run", "--epochs", "3"];
    with("FM_LR", "", &dry).succeeds();
    assert!(with("FM_SCORE_AT", "2", &dry).succeeds().out.contains("score-at = [2]"));
    assert!(with("FM_ANYTHING", "2", &dry).succeeds().err.contains("FM_ANYTHING is unknown and ignored"));
    for (name, value) in [("FM_EPOCHS", "abc"), ("FM_PROTOCOL", "abc"), ("FM_ENGINE", "abc")] {
        run(command().args(["summary", "--arch", "cnn"]).env(name, value)).succeeds();
    }
}

#[test]
fn nothing_half_written_stays() {
    if Command::new("strace").arg("-V").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let place = Place::new();
    let flags = ["--epochs", "3", "--score-at", "1", "--name", "x", "--resume"];
    for n in [3, 9, 15, 25, 27] {
        let mut traced = Command::new("strace");
        traced.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=fsync", "-e"]);
        traced.arg(format!("inject=fsync:signal=KILL:when={n}"));
        let inner = place.command(&flags);
        traced.arg(inner.get_program()).args(inner.get_args());
        run(&mut traced);
    }
    place.run(&flags).succeeds();
    let mut dirs = vec![place.out()];
    while let Some(dir) = dirs.pop() {
        for path in std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()) {
            assert!(!path.file_name().unwrap().to_str().unwrap().starts_with(".tmp-"), "{}", path.display());
            dirs.extend(path.is_dir().then_some(path));
        }
    }
}

#[test]
fn a_checkpoint_of_the_last_number_is_none() {
    let place = Place::new();
    stopped(&place, "r", "150");
    let dir = place.out().join("r/checkpoint");
    for name in ["18446744073709551615.json", "0x7.json", "007.json"] {
        write(&dir.join(name), b"{}");
    }
    place.run(&["--epochs", "150", "--name", "r", "--resume"]).succeeds();
    assert!(!dir.join("0.json").exists(), "the number after the last is not 0");
}
