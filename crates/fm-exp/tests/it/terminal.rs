//! At a terminal: completion in real shells, the screen of a run, errors for programs, event files.

use std::path::Path;
use std::process::Command;

use crate::made::{Place, command, run};

fn script(program: &str, path: &str) -> Command {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut script = Command::new(program);
    script.arg(root.join(path)).env("FM_EXP", env!("CARGO_BIN_EXE_fm-exp"));
    script
}

fn is_installed(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok()
}

#[track_caller]
fn completes(shell: &str) {
    for program in [shell, "python3"] {
        if !is_installed(program) {
            println!("skipped: {program} is not installed");
            return;
        }
    }
    let ran = run(script("python3", "scripts/completions.py").arg(shell));
    assert!(ran.succeeds().out.contains("are completed as they should be"), "{}", ran.out);
}

#[test]
fn bash_completes_flags_and_values() {
    completes("bash");
}

#[test]
fn zsh_completes_flags_and_values() {
    completes("zsh");
}

#[test]
fn a_screen_of_80_columns_keeps_a_line_per_epoch() {
    let place = Place::new();
    place.images("train", 12_000, 28, 28);
    place.labels("train", &(0..12_000).map(|i| (i % 3) as u8).collect::<Vec<u8>>());
    let ran = run(script("bash", "scripts/terminal.sh").arg("--dataset").arg(place.data()));
    println!("{}", ran.succeeds().out);
    assert!(ran.out.contains("skipped") || ran.out.contains("80 columns hold the bar"), "{}", ran.out);
}

#[test]
fn an_error_is_json_where_json_was_asked_for() {
    let place = Place::new();
    let error = |flags: &[&str], code: i32| -> serde_json::Value {
        let ran = place.run(&[flags, &["--json"]].concat());
        ran.fails(code, &["error: "]);
        let said: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
        assert_eq!(said["error"]["exit_code"], code);
        said["error"].clone()
    };
    let said = error(&["--lr", "0"], 2);
    assert_eq!(
        (&said["kind"], &said["message"]),
        (&"usage".into(), &"--lr must be finite and > 0, got 0".into())
    );
    // Those of the command line's own reader too.
    assert!(error(&["--nesterov"], 2)["message"].as_str().unwrap().contains("--nesterov"));
    place.run(&["--name", "r"]).succeeds();
    assert!(error(&["--name", "r", "--lr", "0.1"], 7)["notes"][0].as_str().unwrap().starts_with("lr: there"));
}

#[test]
fn colours_are_those_of_the_flag() {
    let place = Place::new();
    assert!(
        place.run(&["--lr", "0", "--color", "always"]).err.starts_with("\u{1b}[1;31merror:\u{1b}[0m --lr")
    );
    assert!(place.run(&["--lr", "0"]).err.starts_with("error: --lr"));
}

#[test]
fn numbers_below_zero_are_values() {
    let place = Place::new();
    place.run(&["--epochs", "-1"]).fails(2, &["--epochs must be a whole number from 0", "got '-1'"]);
    place.run(&["--seed", "-1"]).fails(2, &["--seed must be a whole number from 0"]);
    run(command().args(["eval", "nowhere", "--hard", "-1"]))
        .fails(2, &["invalid value '-1' for '--hard <N>'"]);
}

#[test]
fn a_run_says_what_it_is_about_to_do_and_when_it_has_learned_nothing() {
    let place = Place::new();
    let ran = place.run(&["--arch", "encoder-mlp", "--epochs", "1", "--lr", "100", "--name", "r"]);
    let text = &ran.succeeds().err;
    let first = format!("encoder-mlp on {}: 1 epoch, seed 0, fused engine on cpu", place.data().display());
    assert!(text.contains(&first), "{text}");
    assert!(text.contains("55 images train, 5 validate, 30 test, in batches of 8"), "{text}");
    assert!(text.contains("the network has learned nothing"), "{text}");
    let mut misspelt = place.command(&["--name", "s"]);
    let ran = run(misspelt.env("FM_EPOCH", "3"));
    assert!(
        ran.succeeds().err.contains("FM_EPOCH is unknown and ignored; did you mean FM_EPOCHS?"),
        "{}",
        ran.err
    );
}

#[test]
fn bench_hides_what_it_refuses() {
    let help = run(command().args(["bench", "--help"]));
    let offered = |flag: &str| help.out.lines().any(|line| line.trim_start().starts_with(flag));
    for flag in ["--resume", "--overwrite", "--patience", "--score-at", "--dry-run"] {
        assert!(!offered(flag), "{flag}");
        let value: &[&str] =
            if ["--patience", "--score-at"].contains(&flag) { &[flag, "3"] } else { &[flag] };
        run(command().arg("bench").args(value))
            .fails(2, &["bench trains nothing that is kept: it takes no --"]);
    }
    assert!(offered("--rounds") && offered("--arch"), "{}", help.out);
}

/// The data of TFRecord's records, each with its length before and masked checksums of both.
fn records(bytes: &[u8]) -> Vec<Vec<u8>> {
    let crc = |bytes: &[u8]| {
        let plain = !bytes.iter().fold(u32::MAX, |crc, &byte| {
            (0..8).fold(
                crc ^ u32::from(byte),
                |crc, _| if crc & 1 == 1 { crc >> 1 ^ 0x82f6_3b78 } else { crc >> 1 },
            )
        });
        plain.rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes()
    };
    let (mut rest, mut records) = (bytes, Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(rest[8..12], crc(&rest[..8]));
        let data = &rest[12..12 + length];
        assert_eq!(rest[12 + length..16 + length], crc(data));
        records.push(data.to_vec());
        rest = &rest[16 + length..];
    }
    records
}

#[test]
fn event_files_hold_every_epoch_once_per_session() {
    let place = Place::new();
    let train = |more: &[&str]| {
        place.run(&[&["--arch", "encoder-mlp", "--name", "r", "--tensorboard"], more].concat())
    };
    train(&["--epochs", "3"]).succeeds();
    let files = || -> Vec<_> {
        let entries = std::fs::read_dir(place.out().join("r/tensorboard")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let all = records(&std::fs::read(&files()[0]).unwrap());
    // The version, the start of the session, three epochs and the end.
    assert_eq!((files().len(), all.len()), (1, 6));
    assert!(all[0].windows(13).any(|piece| piece == b"brain.Event:2"));
    let has = |record: &[u8], tag: &str| record.windows(tag.len()).any(|piece| piece == tag.as_bytes());
    for record in &all[2..5] {
        assert!(
            ["loss/train", "loss/val", "accuracy/val", "learning_rate"].iter().all(|tag| has(record, tag))
        );
    }
    assert!(has(&all[5], "accuracy/test"));
    // A prolonged run begins another file; one that is replaced leaves none.
    train(&["--epochs", "5", "--resume"]).succeeds();
    let counts: Vec<usize> =
        files().iter().map(|path| records(&std::fs::read(path).unwrap()).len()).collect();
    assert_eq!(counts.iter().sum::<usize>(), 6 + 5, "two epochs more, {counts:?}");
    place.run(&["--name", "r", "--overwrite"]).succeeds();
    assert!(!place.out().join("r/tensorboard").exists());
}
