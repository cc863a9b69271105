//! Prolonging a run: the same as a run of that length from the start; and names that keep runs apart.

use std::path::Path;

use crate::made::{Place, command, run};
use crate::resume::same;

/// A short run that is prolonged, and one of the whole length.
#[track_caller]
fn prolonged_is_whole(flags: &[&str]) {
    let place = Place::new();
    let train = |name: &str, epochs: &str, more: &[&str]| {
        place.run(&[&["--name", name, "--epochs", epochs, "--seed", "3"], flags, more].concat())
    };
    train("short", "3", &[]).succeeds();
    train("short", "7", &["--resume"]).succeeds();
    train("whole", "7", &[]).succeeds();
    same(&place, "short", "whole");
    let config = |name: &str| std::fs::read_to_string(place.out().join(name).join("config.toml")).unwrap();
    let keys = |name: &str| config(name).split("[provenance]").next().unwrap().to_owned();
    assert_eq!(keys("short"), keys("whole"));
    let done = |name: &str| std::fs::read_to_string(place.out().join(name).join("DONE")).unwrap();
    assert_eq!(done("short"), done("whole"));
    let table = std::fs::read_to_string(place.out().join("runs.csv")).unwrap();
    assert_eq!(table.lines().count(), 3, "the longer run has replaced the shorter: {table}");
    // Again there is nothing to do.
    assert!(train("short", "7", &["--resume"]).succeeds().err.contains("finished already"));
}

#[test]
fn a_prolonged_run_is_a_run_of_that_length_fused() {
    prolonged_is_whole(&["--arch", "encoder-mlp", "--engine", "fused"]);
}

#[test]
fn a_prolonged_run_is_a_run_of_that_length_eager() {
    prolonged_is_whole(&["--arch", "cnn", "--engine", "eager", "--optimizer", "muon"]);
}

#[test]
fn a_prolonged_run_keeps_its_phases_warm_up_and_averages() {
    prolonged_is_whole(&[
        "--arch",
        "encoder-mlp",
        "--engine",
        "fused",
        "--pretrain",
        "autoencoder",
        "--pretrain-epochs",
        "1",
        "--unfreeze-at",
        "1",
        "--warmup",
        "2",
        "--average",
        "ema:0.9,mean:4",
        "--augment",
        "none",
    ]);
    prolonged_is_whole(&["--arch", "encoder-mlp", "--encoder", "frozen", "--score-at", "2"]);
}

#[test]
fn what_cannot_be_prolonged_says_why() {
    let place = Place::new();
    let train = |more: &[&str]| place.run(&[&["--arch", "encoder-mlp", "--name", "r"], more].concat());
    train(&["--epochs", "2", "--schedule", "cosine"]).succeeds();
    let longer = ["--epochs", "5", "--schedule", "cosine", "--resume"];
    train(&longer).fails(
        7,
        &[
            "epochs: there 2, here 5",
            "a run of 2 is not the beginning of one of 5 epochs: with --schedule cosine the learning rate depends",
            "--overwrite",
        ],
    );
    train(&["--epochs", "2", "--patience", "2", "--overwrite"]).succeeds();
    train(&["--epochs", "5", "--patience", "2", "--resume"]).fails(7, &["with --patience it left its best"]);
    train(&["--epochs", "2", "--overwrite"]).succeeds();
    train(&["--epochs", "5"]).fails(7, &["prolong it with --resume"]);
    train(&["--epochs", "5", "--lr", "0.01", "--resume"]).fails(7, &["lr: there 0.001, here 0.01"]);
    train(&["--epochs", "1", "--resume"]).fails(7, &["epochs: there 2, here 1"]);
    // As runs are published: without checkpoints. What is there stays.
    std::fs::remove_dir_all(place.out().join("r/checkpoint")).unwrap();
    train(&["--epochs", "5", "--resume"])
        .fails(7, &["without a checkpoint to prolong it from", "--overwrite"]);
    assert!(place.out().join("r/DONE").exists() && place.out().join("r/model.safetensors").exists());
}

/// Whichever operation on a file fails, the same command ends as if none had.
#[test]
#[cfg(debug_assertions)]
fn an_interrupted_prolonging_is_resumed() {
    let place = Place::new();
    let flags = ["--arch", "encoder-mlp", "--engine", "fused", "--name"];
    let train = |name: &str, more: &[&str]| place.command(&[&flags[..], &[name], more].concat());
    run(&mut train("whole", &["--epochs", "4"])).succeeds();
    for fault in [2, 9, 14, 20, 26, 33] {
        run(&mut train("r", &["--epochs", "2", "--overwrite"])).succeeds();
        let mut failing = train("r", &["--epochs", "4", "--resume"]);
        run(failing.env("FM_FAULT", format!("no-space:{fault}"))).fails(4, &["no space left"]);
        run(&mut train("r", &["--epochs", "4", "--resume"])).succeeds();
        same(&place, "r", "whole");
    }
}

#[test]
fn a_longer_run_without_a_name_begins_where_a_shorter_one_ended() {
    let place = Place::new();
    let train = |epochs: &str, more: &[&str]| {
        place.run(&[&["--arch", "encoder-mlp", "--engine", "fused", "--epochs", epochs], more].concat())
    };
    train("2", &[]).succeeds();
    train("3", &[]).succeeds();
    let ran = train("6", &["--resume"]);
    assert!(ran.succeeds().err.contains("is the beginning of this run"), "{}", ran.err);
    assert!(ran.err.contains("resuming after epoch 3"), "{}", ran.err);
    train("6", &["--name", "whole"]).succeeds();
    let names: Vec<String> = std::fs::read_dir(place.out())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.starts_with("encoder-mlp-6ep"))
        .collect();
    same(&place, &names[0], "whole");
    assert!(
        place.out().join(names[0].replace("-6ep", "-3ep")).join("DONE").exists(),
        "the shorter one stays"
    );
}

/// The directory that a run would have.
fn named(data: &Path, flags: &[&str]) -> String {
    let mut command = command();
    command.args(["--dry-run", "--dataset"]).arg(data).args(flags);
    let ran = run(&mut command);
    let line = ran.succeeds().out.lines().last().unwrap().to_owned();
    line.strip_prefix("would write results/").unwrap().to_owned()
}

#[test]
fn runs_of_different_settings_have_different_names() {
    let (place, other) = (Place::new(), Place::new());
    other.labels("train", &(0..60).map(|i| (i + 1) % 3).collect::<Vec<u8>>());
    let common = ["--batch-size", "8"];
    let settings: [&[&str]; 14] = [
        &[],
        &["--lr", "0.003"],
        &["--lr", "0.003", "--momentum", "0.8", "--optimizer", "sgd"],
        &["--epochs", "3"],
        &["--seed", "1"],
        &["--arch", "encoder-mlp"],
        &["--arch", "encoder-mlp", "--encoder", "frozen"],
        &["--arch", "encoder-mlp", "--pretrain", "autoencoder"],
        &["--arch", "encoder-mlp", "--pretrain", "autoencoder", "--pretrain-epochs", "2"],
        &["--patience", "3"],
        &["--engine", "eager"],
        &["--score-at", "1"],
        &["--label-smoothing", "0.1"],
        &["--augment", "flip"],
    ];
    let mut names: Vec<String> =
        settings.iter().map(|flags| named(&place.data(), &[&common[..], flags].concat())).collect();
    names.push(named(&other.data(), &common));
    let distinct: std::collections::BTreeSet<&String> = names.iter().collect();
    assert_eq!(distinct.len(), names.len(), "{names:?}");
    assert!(
        names[1].starts_with("cnn-50ep-seed0-data~") && names[1].ends_with("-batch-size8-lr0.003"),
        "{names:?}"
    );
    // What cannot change a result, and what comes to the same here, changes no name.
    let first = named(&place.data(), &common);
    for flags in [["--threads", "1"], ["--checkpoint-every", "2"], ["--code-memory", "9"]] {
        assert_eq!(named(&place.data(), &[&common[..], &flags].concat()), first);
    }
    if fm_cuda::driver::Driver::load().is_err() {
        assert_eq!(
            named(&place.data(), &[&common[..], &["--device", "cpu", "--engine", "fused"]].concat()),
            first
        );
    }
}
