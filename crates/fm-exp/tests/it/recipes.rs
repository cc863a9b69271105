//! Recipes in whole runs: killed and resumed, with any number of threads, and branched off.

use std::path::PathBuf;

use serde_json::Value;

use crate::made::{Place, run};
use crate::resume::{same, start, wait_for_rows};

/// A recipe of decoupled decay.
pub(crate) const ADAMW: [&str; 8] =
    ["--optimizer", "adamw", "--weight-decay", "0.1", "--schedule", "cosine", "--label-smoothing", "0.1"];

/// What a recipe can hold, together: every optimizer on every engine that has it, and every schedule.
const RECIPES: [(&str, &[&str]); 8] = [
    ("fused", &ADAMW),
    ("fused", &["--optimizer", "sgd", "--lr", "0.02", "--weight-decay", "0.01", "--schedule", "one-cycle"]),
    ("fused", &["--optimizer", "adam", "--schedule", "wsd:0.5", "--label-smoothing", "0.1"]),
    ("eager", &["--optimizer", "adam", "--schedule", "constant"]),
    ("fused", &["--optimizer", "muon", "--weight-decay", "0.1", "--schedule", "cosine"]),
    ("eager", &["--optimizer", "muon", "--weight-decay", "0.1", "--schedule", "step:0.1@0.5,0.75"]),
    (
        "eager",
        &[
            "--optimizer",
            "sgd",
            "--momentum",
            "0.8",
            "--schedule",
            "wsd",
            "--decay-all",
            "--weight-decay=0.1",
        ],
    ),
    ("eager", &["--optimizer", "adamw", "--schedule", "cosine:0.1", "--label-smoothing", "0.2"]),
];
const ALWAYS: [&str; 8] = [
    "--augment",
    "flip,shift1,erase2,mixup0.2",
    "--average",
    "ema:0.9,mean:4",
    "--warmup",
    "1.5",
    "--seed",
    "3",
];
/// Directories and files of the averages.
const AVERAGES: [&str; 2] = ["ema", "mean"];

fn flags<'a>(name: &'a str, engine: &'a str, recipe: &[&'a str], epochs: &'a str) -> Vec<&'a str> {
    let run = ["--name", name, "--engine", engine, "--epochs", epochs, "--arch", "encoder-mlp"];
    [&run[..], &ALWAYS, recipe].concat()
}

fn bytes(place: &Place, path: &str) -> Vec<u8> {
    let path: PathBuf = place.out().join(path);
    std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

#[track_caller]
fn same_averages(place: &Place, a: &str, b: &str) {
    for average in AVERAGES {
        for file in ["model.safetensors", "predictions.csv", "confusion.csv"] {
            let of = |name: &str| bytes(place, &format!("{name}/{average}/{file}"));
            assert!(of(a) == of(b), "{average}/{file} of {a} and {b} differ");
        }
    }
}

#[test]
fn killed_and_resumed_equals_uninterrupted_for_every_recipe() {
    for (index, (engine, recipe)) in RECIPES.into_iter().enumerate() {
        let place = Place::new();
        let epochs = if engine == "fused" { "40" } else { "16" };
        place.run(&flags("whole", engine, recipe, epochs)).succeeds();
        let resumed = [flags("killed", engine, recipe, epochs), vec!["--resume"]].concat();
        for (wait, signal) in [(1, "KILL"), (5, "TERM"), (9, "KILL")] {
            let mut child = start(&place, &resumed);
            wait_for_rows(&place, "killed", wait);
            let pid = child.id().to_string();
            assert!(
                std::process::Command::new("kill").args(["-s", signal, &pid]).status().unwrap().success()
            );
            child.wait().unwrap();
        }
        let ran = place.run(&resumed);
        assert!(ran.succeeds().err.contains("resuming"), "recipe {index}: {}", ran.err);
        same(&place, "whole", "killed");
        same_averages(&place, "whole", "killed");
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    for (index, (engine, recipe)) in RECIPES.into_iter().enumerate().filter(|(_, r)| r.0 == "fused") {
        let place = Place::new();
        for threads in ["1", "2", "3", "4", "7"] {
            let command = place.command(&flags(threads, engine, recipe, "3"));
            let args: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            let at = args.iter().position(|arg| arg == "--threads").unwrap() + 1;
            let mut command = std::process::Command::new(command.get_program());
            command.args(&args[..at]).arg(threads).args(&args[at + 1..]);
            run(&mut command).succeeds();
            if threads != "1" {
                let model = |name: &str| bytes(&place, &format!("{name}/model.safetensors"));
                assert!(model("1") == model(threads), "recipe {index} with {threads} threads");
                same_averages(&place, "1", threads);
            }
        }
    }
}

/// Every length that branches off has the bits, the scores and the id of a run of its own; so has the trunk.
#[test]
fn branches_are_runs_of_their_own() {
    let lengths = ["3", "5", "9"];
    for (engine, arch) in [("fused", "encoder-mlp"), ("eager", "6C3.same.bn-MP2--8-D30")] {
        let place = Place::new();
        let flags = |name, epochs| {
            let run = ["--name", name, "--engine", engine, "--arch", arch, "--epochs", epochs];
            [&run[..], &["--schedule", "wsd:0.4", "--augment", "flip,shift1", "--optimizer", "adamw"]]
                .concat()
        };
        let mut trunk = flags("trunk", "14");
        trunk.extend(["--score-at", "3,5,9", "--checkpoint-every", "4"]);
        // Killed on the way: a branch is taken again.
        let resumed = [trunk.clone(), vec!["--resume"]].concat();
        let mut child = start(&place, &resumed);
        wait_for_rows(&place, "trunk", 3);
        child.kill().unwrap();
        child.wait().unwrap();
        place.run(&resumed).succeeds();
        place.run(&flags("alone", "14")).succeeds();
        same(&place, "trunk", "alone");
        let read = |path: String| -> Value { serde_json::from_slice(&bytes(&place, &path)).unwrap() };
        for length in lengths {
            place.run(&flags(length, length)).succeeds();
            let there = format!("trunk/at-{length}");
            for file in ["predictions.csv", "confusion.csv"] {
                let same =
                    bytes(&place, &format!("{length}/{file}")) == bytes(&place, &format!("{there}/{file}"));
                assert!(same, "{engine}: {file} after {length} epochs");
            }
            let (own, branch) =
                (read(format!("{length}/summary.json")), read(format!("{there}/summary.json")));
            for key in ["run_id", "test", "val", "epochs", "epochs_trained", "scored_epoch", "schedule"] {
                assert_eq!(own[key], branch[key], "{key} after {length} epochs");
            }
        }
    }
}

#[test]
fn averages_are_runs_that_leave_them() {
    let place = Place::new();
    let flags = |name, more: [&'static str; 2]| {
        [&["--name", name, "--engine", "fused", "--epochs", "6"][..], &more].concat()
    };
    place.run(&flags("both", ["--average", "ema:0.9,mean:3"])).succeeds();
    place.run(&flags("plain", ["--seed", "0"])).succeeds();
    for (weights, name) in [("ema:0.9", "ema"), ("mean:3", "mean")] {
        place.run(&flags(name, ["--weights", weights])).succeeds();
        let read = |path: &str| -> Value { serde_json::from_slice(&bytes(&place, path)).unwrap() };
        let (own, beside) =
            (read(&format!("{name}/summary.json")), read(&format!("both/{name}/summary.json")));
        for key in ["run_id", "test", "val", "weights"] {
            assert_eq!(own[key], beside[key], "{key} of {weights}");
        }
        assert!(
            bytes(&place, &format!("{name}/predictions.csv"))
                == bytes(&place, &format!("both/{name}/predictions.csv"))
        );
        // What the run would have left without averaging is beside it in turn.
        assert_eq!(read(&format!("{name}/last/summary.json"))["test"], read("plain/summary.json")["test"]);
    }
    let runs = String::from_utf8(bytes(&place, "runs.csv")).unwrap();
    assert!(runs.lines().next().unwrap().contains("ema_test_acc"), "{runs}");
    let epochs = String::from_utf8(bytes(&place, "both/epochs.csv")).unwrap();
    assert!(!epochs.lines().nth(3).unwrap().ends_with(','), "averages are validated: {epochs}");
}

/// With a constant rate, runs of 4, 5 and 6 epochs leave the weights of which a run of 6 leaves the mean.
#[test]
fn the_mean_is_that_of_the_last_epochs_weights() {
    let place = Place::new();
    let train = |name: &str, more: &[&str]| {
        let run = ["--name", name, "--engine", "fused", "--arch", "encoder-mlp"];
        place.run(&[&run[..], more].concat()).succeeds();
        let file = bytes(&place, &format!("{name}/model.safetensors"));
        let file = safetensors::SafeTensors::deserialize(&file).unwrap();
        let mut tensors = fm_run::model_file::tensors(&file, "").unwrap();
        tensors.sort_by(|a, b| a.name.cmp(&b.name));
        tensors
    };
    let found = train("mean", &["--epochs", "6", "--weights", "mean:3"]);
    let last = ["4", "5", "6"].map(|epochs| train(epochs, &["--epochs", epochs]));
    assert!(!found.is_empty());
    for (at, tensor) in found.iter().enumerate() {
        for (i, value) in tensor.data.iter().enumerate() {
            let sum: f64 = last.iter().map(|run| f64::from(run[at].data[i])).sum();
            assert_eq!(value.to_bits(), ((sum / 3.0) as f32).to_bits(), "{} at {i}", tensor.name);
        }
        assert_ne!(tensor.data, last[2][at].data, "{} has moved", tensor.name);
    }
}

#[test]
fn what_cannot_be_is_refused_by_name() {
    let place = Place::new();
    for (flags, pieces) in [
        (
            &["--precision", "tf32", "--device", "cpu"][..],
            &[
                "no engine covers encoder-mlp on cpu",
                "fused: not covered: --precision tf32: it computes in fp32 on cpu",
                "eager: not covered: --precision tf32",
            ][..],
        ),
        (
            &["--precision", "tf32", "--device", "cpu", "--engine", "eager"],
            &["--engine eager: not covered: --precision tf32: it computes in fp32 on cpu"],
        ),
        (&["--precision", "fp16"], &["--precision"]),
        (&["--weight-decay", "0.1"], &["Keras' Adam has none", "--optimizer adamw"]),
        (&["--momentum", "0.5"], &["--momentum is of sgd and muon"]),
        (
            &["--schedule", "cosine", "--score-at", "2"],
            &["--schedule cosine", "use --schedule constant or wsd"],
        ),
        (&["--encoder", "frozen", "--augment", "flip"], &["--augment flip", "codes that are computed once"]),
        (&["--augment", "shift40"], &["shift40 does not fit"]),
        (&["--augment", "flop"], &["unknown augmentation 'flop'", "there is none, flip"]),
        (&["--schedule", "linear"], &["must be constant, cosine[:FLOOR]"]),
        (&["--recipe", "best"], &["there is no recipe 'best'", "notebook, strong"]),
        (&["--average", "ema:0.9", "--weights", "ema:0.99"], &["cannot both be kept"]),
    ] {
        place.run(&[flags, &["--arch", "encoder-mlp", "--epochs", "4"]].concat()).fails(2, pieces);
    }
}

#[test]
fn mirror_images_are_scored_apart() {
    let place = Place::new();
    place.run(&["--name", "r", "--epochs", "3", "--arch", "encoder-mlp"]).succeeds();
    let run = place.out().join("r");
    let eval = |more: &[&str]| {
        let mut command = crate::made::command();
        command
            .arg("eval")
            .arg(&run)
            .args(["--threads", "1", "--json", "--dataset"])
            .arg(place.data())
            .args(more);
        let ran = crate::made::run(&mut command);
        serde_json::from_str::<Value>(&ran.succeeds().out).unwrap()
    };
    let (plain, both) = (eval(&[]), eval(&["--flip"]));
    assert_eq!(plain["test"], both["test"]);
    assert!(plain.get("test_with_mirror_images").is_none());
    // The images are bands from side to side: mirrored they are other images of the same class.
    assert_ne!(both["test_with_mirror_images"]["loss"], both["test"]["loss"]);
    assert!(run.join("eval/data-test/flip/predictions.csv").exists());
}
