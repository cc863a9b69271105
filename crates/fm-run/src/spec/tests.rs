//! What keys mean, and which of them make another run.

use super::*;
use crate::{Facts, Identified};

fn checked(text: &str) -> Result<RunSpec> {
    RunSpec::read(&text.parse().unwrap())?.check()
}

fn identified(text: &str, device: &str) -> Identified {
    let spec = checked(text).unwrap();
    let facts = Facts {
        device: device.to_owned(),
        engine: "eager".to_owned(),
        data_sha256: "abc".to_owned(),
        pretrain_sha256: None,
    };
    Identified { spec, facts, provenance: Table::new() }
}

fn message(text: &str) -> String {
    checked(text).unwrap_err().to_string()
}

/// A value of every key that differs from its default.
fn changed(key: &str) -> &'static str {
    match key {
        "arch" => "'32C3-MP2--16'",
        "device" => "'cuda'",
        "epochs" | "batch-size" | "threads" | "checkpoint-every" | "code-memory" | "seed" | "seed-init"
        | "seed-order" | "seed-augment" => "3",
        "lr" | "warmup" => "0.5",
        "protocol" => "'notebook'",
        "patience" => "2",
        "engine" => "'fused'",
        "deterministic" | "fast-dev-run" | "overwrite" | "tensorboard" | "predictions-by-epoch" => "true",
        "precision" => "'tf32'",
        "optimizer" => "'sgd'",
        "momentum" => "0.5\noptimizer = 'sgd'",
        "weight-decay" => "0.5\noptimizer = 'adamw'",
        "decay-all" => "true\nweight-decay = 0.5\noptimizer = 'adamw'",
        "schedule" => "'cosine'",
        "label-smoothing" => "0.1",
        "augment" => "'flip'",
        "weights" => "'ema:0.99'",
        "average" => "['mean:3']",
        "encoder" => "'frozen'",
        "pretrain" => "'autoencoder'",
        "pretrain-epochs" => "2\npretrain = 'classifier'",
        "encoder-lr" | "holdout-share" => "0.25",
        "unfreeze-at" => "4",
        "dataset" | "data-dir" | "out" | "name" => "'x'",
        "verify" => "'strict'",
        "score-at" => "[2]",
        other => panic!("no example for {other}: a key was added; say how a test changes it"),
    }
}

#[test]
fn every_key_that_decides_changes_the_id_and_no_other_does() {
    for field in RunSpec::fields() {
        let key = &field.key;
        let mut other = identified(&format!("{key} = {}", changed(key)), "cuda:0");
        let mut base = identified("", "cuda:0");
        match key.as_str() {
            // What these come to is known only with a machine and data; see the tests of whole runs.
            "device" => base.facts.device = "cpu".to_owned(),
            "engine" => other.facts.engine = "fused".to_owned(),
            "dataset" => other.facts.data_sha256 = "def".to_owned(),
            _ => {}
        }
        let same = base.run_id() == other.run_id();
        match field.role {
            Role::Decides | Role::Replicates | Role::Resolved(_) => assert!(!same, "{key} decides"),
            Role::Aside(why) | Role::Place(why) => {
                assert!(same, "{key} does not decide: {why}");
                assert!(why.len() > 10, "{key}: the reason is stated");
            }
        }
    }
}

#[test]
fn ids_are_those_of_published_runs() {
    let mut run = identified("protocol = 'notebook'", "cpu");
    run.facts.engine = "fused".to_owned();
    DATA.clone_into(&mut run.facts.data_sha256);
    assert_eq!(run.run_id(), REFERENCE);
    let mut run = identified("arch = 'encoder-mlp'\nepochs = 20\npretrain = 'autoencoder'", "cpu");
    run.facts.engine = "eager+fused".to_owned();
    DATA.clone_into(&mut run.facts.data_sha256);
    assert_eq!(run.run_id(), COMPOSITION);
}

/// Of Fashion-MNIST's four files.
const DATA: &str = "5cf0562c46b89a77940b86f40a9a4325e7bed59d53ec555c4d14f0bed41ca53a";
/// `cnn`, seed 0, in results/reference-cpu.
const REFERENCE: &str = "0a8a549ca2e26d8b";
/// `encoder-mlp` fine-tuned from an autoencoder, seed 0, in results/composition-cpu.
const COMPOSITION: &str = "2a8ced2589436a40";

#[test]
fn deterministic_is_another_run_where_it_can_change_bits() {
    let id = |device, text| identified(text, device).run_id();
    assert_eq!(id("cpu", "deterministic = true"), id("cpu", ""));
    assert_ne!(id("cuda:0", "deterministic = true"), id("cuda:0", ""));
    assert_eq!(id("cuda:0", ""), id("cuda:1", ""), "which GPU computes is no part of the run");
}

#[test]
fn config_toml_reads_back_as_the_same_run() {
    let first = identified("epochs = 7\nlr = 3e-4\npatience = 2", "cpu");
    let read = crate::read_config(&first.to_toml()).unwrap();
    assert_eq!((read.run_id(), &read.facts), (first.run_id(), &first.facts));
    assert_eq!(first.differences(&first.to_toml()), Some(vec![]));
    // The engines of phases that took turns read back as auto's choice.
    let mut turns = first;
    turns.facts.engine = "eager+fused".to_owned();
    let read = crate::read_config(&turns.to_toml()).unwrap();
    assert_eq!((read.spec.engine.as_str(), read.facts.engine.as_str()), ("auto", "eager+fused"));
}

#[test]
fn where_the_data_lie_is_recorded_and_no_difference() {
    let here = identified("data-dir = 'x y'", "cpu");
    let read = crate::read_config(&here.to_toml()).unwrap();
    assert_eq!(read.spec.data_dir, Some("x y".into()));
    assert_eq!(identified("", "cpu").differences(&here.to_toml()), Some(vec![]));
    assert_eq!(identified("", "cpu").run_id(), here.run_id());
}

#[test]
fn differences_are_listed_key_by_key() {
    let old = identified("lr = 3e-4\npatience = 2", "cpu").to_toml();
    let lines = identified("", "cpu").differences(&old).unwrap();
    assert_eq!(lines, ["lr: there 0.0003, here 0.001", "patience: there 2, here unset"]);
    assert_eq!(identified("", "cpu").differences("no = 'config'"), None);
}

#[test]
fn usage_errors_name_the_flag() {
    for (text, expected) in [
        ("lr = nan", "--lr must be finite and > 0, got NaN"),
        ("lr = inf", "--lr must be finite and > 0, got inf"),
        ("lr = -1.0", "--lr must be finite and > 0, got -1"),
        ("lr = 'x'", "--lr must be a number, got 'x'"),
        ("epochs = -1", "--epochs must be a whole number from 0 to 4294967295, got '-1'"),
        ("protocol = 'x'", "--protocol must be one of holdout, notebook, got 'x'"),
        ("epoch = 1", "unknown key 'epoch'\n  help: did you mean `epochs`?"),
        ("name = '../x'", "--name must be a plain directory name, got '../x'"),
        (
            "device = 'gpu'",
            "unknown device 'gpu'\n  help: known are auto, cpu, cuda and cuda:N, such as cuda:0",
        ),
        ("encoder = 'frozen'\nencoder-lr = 1e-4", "--encoder-lr: a frozen encoder has no learning rate"),
        ("encoder = 'frozen'\nunfreeze-at = 2", "--unfreeze-at: with --encoder frozen nothing is unfrozen"),
        ("unfreeze-at = 50", "--unfreeze-at must be from 1 to below --epochs (50), got 50"),
        ("encoder-lr = -1.0", "--encoder-lr must be finite and > 0, got -1"),
        ("pretrain-epochs = 2", "--pretrain-epochs needs --pretrain autoencoder or classifier"),
        ("pretrain-epochs = 0\npretrain = 'autoencoder'", "--pretrain-epochs must be at least 1, got 0"),
    ] {
        assert_eq!(message(text), expected, "{text}");
    }
    let cn = message("arch = 'cn'");
    assert!(cn.starts_with("unknown arch 'cn'") && cn.contains("did you mean `cnn`?"), "{cn}");
}

#[test]
fn recipes_have_names() {
    for (text, arm, directory) in [
        ("", "joint", "cnn-50ep-seed0"),
        ("encoder = 'frozen'\nepochs = 20", "frozen on random", "cnn-frozen-on-random-20ep-seed0"),
        (
            "pretrain = 'a/b c.safetensors'\nunfreeze-at = 3\nprotocol = 'notebook'",
            "fine-tuned from a/b c.safetensors (head first for 3)",
            "cnn-fine-tuned-from-file-head-first-for-3-notebook-50ep-seed0",
        ),
        ("fast-dev-run = true", "joint", "fast-dev-run"),
    ] {
        let run = identified(text, "cpu");
        assert_eq!((run.spec.arm().as_str(), run.spec.directory().as_str()), (arm, directory));
    }
}

#[test]
fn paths_that_are_not_utf8_come_back() {
    use std::os::unix::ffi::OsStrExt;
    let odd = std::ffi::OsStr::from_bytes(b"d\xe4ten/caf\xe9\xc3\xa9");
    assert_eq!(from_text(&to_text(odd)), odd);
    assert_eq!(to_text(std::ffi::OsStr::new("plain/é")), "plain/é");
}

#[test]
fn branches_cost_their_cool_downs() {
    let cost = |text| checked(text).unwrap().trained_epochs();
    assert_eq!(cost("epochs = 40\nschedule = 'wsd'\nscore-at = [5, 10, 20]"), 40 + 1 + 2 + 4);
    assert_eq!(cost("epochs = 40\nscore-at = [5, 10, 20]"), 40);
}
