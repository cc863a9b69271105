//! Which runs make a group, and what the groups are called.

use std::path::Path;

use fm_report::{Wanted, collect};
use fm_run::{Facts, Identified, Role, RunSpec, files};
use toml::{Table, Value};

use crate::runs::put;

/// A run on a GPU, where every key means something.
fn run() -> Identified {
    let facts = Facts {
        device: "cuda:0".to_owned(),
        engine: "eager".to_owned(),
        data_sha256: "da7a".to_owned(),
        pretrain_sha256: None,
    };
    Identified { spec: RunSpec::default(), facts, provenance: Table::new() }
}

/// What such a run leaves, as far as a comparison reads it.
fn leave(dir: &Path, config: &str) {
    put(dir, files::CONFIG, config);
    put(dir, files::DONE, "0123456789abcdef\n");
    put(dir, files::CONFUSION, "true \\ predicted,cat,dog\r\ncat,5,1\r\ndog,0,7\r\n");
    let test = r#"{"accuracy": 0.9, "loss": 0.3, "macro_f1": 0.9}"#;
    put(
        dir,
        files::SUMMARY,
        &format!(r#"{{"name": "r", "epochs": 50, "train_seconds": 1, "test": {test}}}"#),
    );
}

/// Names and sizes of the groups that runs of these `config.toml` make.
fn groups(configs: &[String]) -> Vec<(String, usize)> {
    let dir = tempfile::tempdir().unwrap();
    for (index, config) in configs.iter().enumerate() {
        leave(&dir.path().join(index.to_string()), config);
    }
    let found = collect(&[dir.path().to_owned()], &Wanted::default()).unwrap();
    found.groups.into_iter().map(|group| (group.name, group.runs.len())).collect()
}

/// The run with another value of a key; of one that is resolved, with something else that it comes to.
fn other(key: &fm_run::Field) -> Identified {
    let mut other = run();
    match key.key.as_str() {
        "device" => "cpu".clone_into(&mut other.facts.device),
        "engine" => "another".clone_into(&mut other.facts.engine),
        "dataset" => "07e4".clone_into(&mut other.facts.data_sha256),
        _ => {
            let default = RunSpec::default().get(&key.key);
            let choice = key.choices.iter().find(|(name, _)| default != Some((*name).into()));
            let value = match (choice, key.value_name) {
                _ if key.switch => "true",
                (Some((name, _)), _) => name,
                (_, "NETWORK") => "encoder-mlp",
                (_, "HOW|FILE") => "classifier",
                (_, "N") => "7",
                (_, "X") => "0.5",
                (_, "SCHEDULE") => "cosine",
                (_, "OPERATION,OPERATION") => "flip",
                (_, "WEIGHTS") => "ema:0.9",
                (_, what) => panic!("{}: no other {what} is known here", key.key),
            };
            let table: Table = [(key.key.clone(), Value::from(value))].into_iter().collect();
            other.spec = other.spec.with(&table).unwrap();
        }
    }
    other
}

#[test]
fn every_key_that_decides_splits_groups_and_stands_in_their_names() {
    let deciding = RunSpec::fields().iter().filter(|field| field.role.decides());
    for field in deciding {
        let mut second = other(field);
        if field.role == Role::Replicates {
            let found = groups(&[run().to_toml(), second.to_toml()]);
            assert_eq!(found, [("cnn".to_owned(), 2)], "{}", field.key);
            continue;
        }
        second.spec.seed = 1;
        let found = groups(&[run().to_toml(), second.to_toml()]);
        assert_eq!(found.len(), 2, "{}: {found:?}", field.key);
        assert_ne!(found[0].0, found[1].0, "{}", field.key);
    }
}

#[test]
fn what_cannot_change_a_result_splits_nothing() {
    for field in RunSpec::fields().iter().filter(|field| !field.role.decides()) {
        let config = format!("{} = {}\n{}", field.key, value(field), run().to_toml());
        let mut second = run();
        second.spec.seed = 1;
        // What a record does not hold may stand in a file that was written by hand.
        let found = groups(&[config, second.to_toml()]);
        assert_eq!(found, [("cnn".to_owned(), 2)], "{}", field.key);
    }
}

/// Some value of a key, as TOML.
fn value(field: &fm_run::Field) -> &'static str {
    match field.value_name {
        "true|false" => "true",
        "N" => "3",
        "N,N" => "[1, 2]",
        "WEIGHTS,WEIGHTS" => "\"mean:3\"",
        "NAME" if !field.choices.is_empty() => "\"strict\"",
        _ => "\"elsewhere\"",
    }
}

#[test]
fn a_gpu_is_a_gpu_and_files_are_their_contents() {
    let mut second = run();
    second.spec.seed = 1;
    "cuda:3".clone_into(&mut second.facts.device);
    second.spec.dataset = "/elsewhere".into();
    assert_eq!(groups(&[run().to_toml(), second.to_toml()]), [("cnn".to_owned(), 2)]);

    let from = |file: &str, sha256: &str, seed: u64| {
        let mut run = run();
        run.spec.pretrain = fm_run::spec::Pretrain::File(file.into());
        run.facts.pretrain_sha256 = Some(sha256.to_owned());
        run.spec.seed = seed;
        run.to_toml()
    };
    let same = groups(&[from("a", "1111", 0), from("b", "1111", 1)]);
    assert_eq!(same, [("cnn fine-tuned from a".to_owned(), 2)]);
    let names = groups(&[from("a", "1111", 0), from("a", "2222", 1)]);
    assert_eq!(names[1].0, "cnn fine-tuned from a, pretrain 2222");
}

#[test]
fn names_say_everything_that_differs_and_no_more() {
    let with = |changes: &str| {
        let spec = RunSpec::default().with(&changes.parse().unwrap()).unwrap();
        Identified { spec, ..run() }.to_toml()
    };
    let names = |changes: &[&str]| -> Vec<String> {
        groups(&changes.iter().map(|c| with(c)).collect::<Vec<_>>()).into_iter().map(|g| g.0).collect()
    };
    assert_eq!(names(&["epochs = 5", "epochs = 10"]), ["cnn, 5 epochs", "cnn, 10 epochs"]);
    assert_eq!(
        names(&["lr = 0.1\nbatch-size = 8", "lr = 0.2"]),
        ["cnn, batch 8, learning rate 0.1", "cnn, batch 32, learning rate 0.2"]
    );
    assert_eq!(names(&["deterministic = true", "seed = 1"]), ["cnn, deterministic", "cnn"]);
    assert_eq!(names(&["protocol = \"notebook\"", ""]), ["cnn, notebook", "cnn, holdout"]);
    let arms = ["", "arch = \"encoder-mlp\"", "arch = \"encoder-mlp\"\nencoder = \"frozen\"\nlr = 0.1"];
    let rates = ["learning rate 0.001", "learning rate 0.001", "learning rate 0.1"];
    let named = ["cnn", "encoder-mlp joint", "encoder-mlp frozen on random"];
    let expected: Vec<String> =
        named.iter().zip(rates).map(|(name, rate)| format!("{name}, {rate}")).collect();
    assert_eq!(names(&arms), expected);
}

#[test]
fn a_statement_that_cannot_be_read_is_named() {
    let dir = tempfile::tempdir().unwrap();
    leave(dir.path(), &format!("epoch = 3\n{}", run().to_toml()));
    let error = collect(&[dir.path().to_owned()], &Wanted::default()).unwrap_err().to_string();
    assert!(error.ends_with("config.toml: unknown key 'epoch'"), "{error}");
}
