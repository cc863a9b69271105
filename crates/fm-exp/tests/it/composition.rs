//! Encoder and head put together: what is frozen stays, what is shared is shared, and nothing of one phase
//! acts in the next.

use std::path::Path;

use fm_data::{Dataset, DatasetName, LoadOptions};
use fm_net::{NamedTensor, Network, Scope, init};
use fm_train::Phase;
use fm_train::engine::{CodeStore, Engine, Totals};
use safetensors::SafeTensors;

use crate::engines::{eager, fused, network, step};
use crate::made::Place;

/// A run of encoder-mlp under a name of its own.
fn train(place: &Place, name: &str, flags: &[&str]) -> String {
    let common = ["--arch", "encoder-mlp", "--name", name];
    let epochs: &[&str] = if flags.contains(&"--epochs") { &[] } else { &["--epochs", "2"] };
    let flags = [&common[..], epochs, flags].concat();
    place.run(&flags).succeeds().err.clone()
}

/// Tensors of a run's model by name, as bytes.
pub(crate) fn model(place: &Place, name: &str) -> Vec<(String, Vec<u8>)> {
    let bytes = std::fs::read(place.out().join(name).join("model.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let mut tensors: Vec<_> = file.iter().map(|(n, t)| (n.to_owned(), t.data().to_vec())).collect();
    tensors.sort();
    tensors
}

pub(crate) fn part(tensors: &[(String, Vec<u8>)], prefix: &str) -> Vec<(String, Vec<u8>)> {
    tensors.iter().filter(|(name, _)| name.starts_with(prefix)).cloned().collect()
}

pub(crate) fn column(path: &Path, name: &str) -> Vec<String> {
    let mut reader = csv::Reader::from_path(path).unwrap();
    let at = reader.headers().unwrap().iter().position(|h| h == name).unwrap();
    reader.records().map(|row| row.unwrap()[at].to_owned()).collect()
}

#[test]
fn arms_of_a_seed_start_from_the_same_bytes() {
    let place = Place::new();
    let pretrained = ["--pretrain", "classifier", "--pretrain-epochs", "1"];
    let frozen = ["--encoder", "frozen"];
    train(&place, "joint", &["--epochs", "0"]);
    train(&place, "random", &[&frozen[..], &["--epochs", "0"]].concat());
    train(&place, "tuned", &[&pretrained[..], &["--epochs", "0"]].concat());
    train(&place, "on-classifier", &[&pretrained[..], &frozen, &["--epochs", "0"]].concat());
    let [joint, random, tuned, on] =
        ["joint", "random", "tuned", "on-classifier"].map(|name| model(&place, name));
    assert_eq!(joint, random);
    assert_eq!(tuned, on);
    assert_eq!(part(&joint, "head."), part(&on, "head."));
    assert_ne!(part(&joint, "encoder."), part(&on, "encoder."), "it was pretrained");
}

#[test]
fn a_frozen_encoder_is_the_one_that_was_given() {
    let place = Place::new();
    train(&place, "first", &["--pretrain", "autoencoder", "--pretrain-epochs", "2"]);
    let first = place.out().join("first");
    let file = first.join("model.safetensors");
    let err = train(&place, "frozen", &["--encoder", "frozen", "--pretrain", file.to_str().unwrap()]);
    assert!(err.contains("104643 parameters train, 18816 are frozen"), "{err}");
    let (given, frozen) = (model(&place, "first"), model(&place, "frozen"));
    assert_eq!(part(&given, "encoder."), part(&frozen, "encoder."));
    assert_ne!(part(&given, "head."), part(&frozen, "head."));

    // A run's directory is as good as its file, and spilled codes as good as codes in memory.
    let dir = first.to_str().unwrap();
    let flags = ["--encoder", "frozen", "--pretrain", dir, "--code-memory", "0"];
    let err = train(&place, "spilled", &flags);
    assert!(err.contains("MB on disk"), "{err}");
    assert_eq!(model(&place, "spilled"), frozen);
}

#[test]
fn phases_show_in_the_table_and_in_the_pictures() {
    let place = Place::new();
    let flags = ["--pretrain", "autoencoder", "--pretrain-epochs", "1", "--unfreeze-at", "1"];
    train(&place, "run", &flags);
    let dir = place.out().join("run");
    let csv = dir.join("epochs.csv");
    assert_eq!(column(&csv, "phase"), ["pretrain-autoencoder", "head", "train"]);
    assert_eq!(column(&csv, "epoch"), ["1", "2", "3"]);
    assert_eq!(column(&csv, "trainable_params"), ["37569", "104643", "123459"]);
    assert_eq!(column(&csv, "train_acc")[0], "", "an autoencoder classifies nothing");
    for file in ["reconstructions.svg", "reconstructions.png", "curves.png"] {
        assert!(dir.join(file).metadata().unwrap().len() > 1000, "{file}");
    }
    let summary: serde_json::Value =
        serde_json::from_slice(&std::fs::read(dir.join("summary.json")).unwrap()).unwrap();
    assert_eq!(summary["arm"], "fine-tuned from autoencoder (head first for 1)");
    assert_eq!(summary["engine"], "fused");
    assert_eq!(
        column(&place.out().join("runs.csv"), "arm"),
        ["fine-tuned from autoencoder (head first for 1)"]
    );
}

#[test]
fn flags_that_make_no_sense_and_files_that_do_not_fit() {
    let place = Place::new();
    place
        .run(&["--arch", "MP2--16", "--encoder", "frozen"])
        .fails(2, &["--encoder needs an encoder with parameters, and MP2--16 has none"]);
    let mlp = |flags: &[&str]| place.run(&[&["--arch", "encoder-mlp"], flags].concat());
    mlp(&["--pretrain", "autoencodr"]).fails(3, &["autoencodr", "--pretrain takes none, autoencoder"]);
    let data = place.data().join("train-labels-idx1-ubyte");
    mlp(&["--pretrain", data.to_str().unwrap()]).fails(7, &["not a safetensors file", "train-labels"]);
    mlp(&["--encoder", "frozen", "--encoder-lr", "1e-4"]).fails(2, &["--encoder-lr"]);
    assert!(!place.out().exists(), "nothing was written");
}

fn steps(engine: &mut dyn Engine, phase: &Phase) -> Vec<NamedTensor> {
    let rows: Vec<u32> = (0..24).collect();
    engine.begin_phase(0, phase).unwrap();
    engine.begin_epoch(&rows, Totals::default()).unwrap();
    for number in 0..3 {
        engine.step(&step(phase, number * 8..number * 8 + 8, number as u64)).unwrap();
    }
    engine.drain().unwrap();
    engine.weights().unwrap()
}

fn engines<'a>(network: &Network, weights: &[NamedTensor], data: &'a Dataset) -> Vec<Box<dyn Engine + 'a>> {
    let codes = CodeStore::unlimited();
    vec![Box::new(eager(network, weights, data, codes)), Box::new(fused(network, weights, data, codes))]
}

#[test]
fn nothing_of_a_phase_acts_in_the_next() {
    let place = Place::new();
    let data = fm_data::load(&DatasetName::from(place.data()), &LoadOptions::default()).unwrap();
    let network = network("encoder-mlp", 3);
    let start = init::initial(&network, 0);
    let phase = |scope| Phase::classify("phase", &network, scope, 1, 1e-2);
    for mut engine in engines(&network, &start, &data) {
        let name = engine.name();
        let joint = steps(engine.as_mut(), &phase(Scope::All));
        let encoder = |weights: &[NamedTensor]| weights[..4].to_vec();
        assert_ne!(encoder(&joint), encoder(&start));
        // A gradient or moment of the joint phase would move the encoder now.
        let head = steps(engine.as_mut(), &phase(Scope::Head));
        assert_eq!(encoder(&head), encoder(&joint), "{name}: frozen");
        assert_ne!(head[4..], joint[4..], "{name}: the head trains");
        // And one of either phase would show against an engine that has no past.
        let again = steps(engine.as_mut(), &phase(Scope::All));
        let fresh = engines(&network, &head, &data).into_iter().find(|e| e.name() == name);
        assert_eq!(steps(fresh.unwrap().as_mut(), &phase(Scope::All)), again, "{name}: unfrozen");
        assert_ne!(encoder(&again), encoder(&head));
    }
}
