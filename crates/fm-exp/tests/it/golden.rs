//! Twenty Adam steps of every engine against PyTorch's and Keras'.

#[path = "../../../fm-models/tests/it/golden.rs"]
mod files;

use std::path::PathBuf;

use files::{Golden, difference};
use fm_data::{Dataset, DatasetName, LoadOptions, idx};
use fm_net::{Network, Scope};
use fm_train::engine::{CodeStore, Engine, Source, Totals};
use fm_train::{Objective, Phase};

use crate::engines::{eager, fused, network, outputs, step};
use crate::made::write;

/// The golden images as a data set; the test file holds the same images in reverse.
fn dataset(golden: &Golden) -> Dataset {
    let dir = tempfile::tempdir().unwrap();
    let (images, labels) = (golden.images(), golden.labels());
    let back: Vec<u8> = images.chunks(784).rev().flatten().copied().collect();
    let back_labels: Vec<u8> = labels.iter().rev().copied().collect();
    for (name, bytes) in [
        ("train-images-idx3-ubyte", idx::encode_images(&images, 32, 28, 28)),
        ("train-labels-idx1-ubyte", idx::encode_labels(&labels)),
        ("t10k-images-idx3-ubyte", idx::encode_images(&back, 32, 28, 28)),
        ("t10k-labels-idx1-ubyte", idx::encode_labels(&back_labels)),
    ] {
        write(&dir.path().join(name), &bytes);
    }
    let name = DatasetName::from(PathBuf::from(dir.path()));
    fm_data::load(&name, &LoadOptions::default()).unwrap()
}

fn check(engine: &mut dyn Engine, network: &Network, expected: &Golden, what: &str) {
    let rows: Vec<u32> = (0..32).collect();
    let apart = difference(&outputs(engine, Source::Train, &rows), &expected.floats("logits"));
    assert!(apart < 1e-5, "{what}: logits {apart:e}");

    steps(engine, &Phase::classify("train", network, Scope::All, 1, 1e-3), expected, what);
}

/// Twenty steps of a phase: losses and weights.
fn steps(engine: &mut dyn Engine, phase: &Phase, expected: &Golden, what: &str) {
    let rows: Vec<u32> = (0..32).collect();
    engine.begin_phase(0, phase).unwrap();
    let mut losses = Vec::new();
    for number in 0..20 {
        engine.begin_epoch(&rows, Totals::default()).unwrap();
        engine.step(&step(phase, number % 4 * 8..number % 4 * 8 + 8, number as u64)).unwrap();
        let totals = engine.drain().unwrap();
        assert_eq!((totals.images, totals.diverged_at), (8, None));
        losses.push((totals.loss_sum / 8.0) as f32);
    }
    let apart = difference(&losses, &expected.floats("losses"));
    assert!(apart < 1e-4, "{what}: losses {apart:e}");
    for (got, want) in engine.weights().unwrap().iter().zip(expected.weights(&phase.network, "final")) {
        let apart = difference(&got.data, &want.data);
        assert!(apart < 1e-4, "{what}: {} after 20 steps {apart:e}", want.name);
    }
}

#[track_caller]
fn check_all(arch: &str) {
    let network = network(arch, 10);
    let common = Golden::open(arch, "common");
    let (data, init) = (dataset(&common), common.weights(&network, "init"));
    for framework in ["pytorch", "keras"] {
        let expected = Golden::open(arch, framework);
        let mut eager = eager(&network, &init, &data, CodeStore::unlimited());
        check(&mut eager, &network, &expected, &format!("{arch} eager {framework}"));
        let mut fused = fused(&network, &init, &data, CodeStore::unlimited());
        check(&mut fused, &network, &expected, &format!("{arch} fused {framework}"));
    }
}

#[test]
fn a_head_on_a_frozen_encoder_trains_as_pytorchs_does() {
    let network = network("encoder-mlp", 10);
    let common = Golden::open("encoder-mlp", "common");
    let (data, init) = (dataset(&common), common.weights(&network, "init"));
    let expected = Golden::open("frozen", "pytorch");
    let phase = Phase::classify("head", &network, Scope::Head, 1, 1e-3);
    // In memory, and with room for nothing: on the disk.
    let dir = tempfile::tempdir().unwrap();
    for codes in [CodeStore::unlimited(), CodeStore { limit: 0, dir: dir.path() }] {
        let mut eager = eager(&network, &init, &data, codes);
        steps(&mut eager, &phase, &expected, "eager");
        let mut fused = fused(&network, &init, &data, codes);
        steps(&mut fused, &phase, &expected, "fused");
        for engine in [&mut eager as &mut dyn Engine, &mut fused] {
            // Validation from the codes is what the whole network says of the same images.
            let rows: Vec<u32> = (0..32).collect();
            let back: Vec<u32> = rows.iter().rev().copied().collect();
            let from_codes = outputs(engine, Source::Train, &rows);
            let whole = outputs(engine, Source::Test, &back);
            assert!(difference(&from_codes, &whole) < 1e-5);
            let encoder = engine.weights().unwrap();
            assert_eq!(encoder[..4], init[..4], "a frozen encoder keeps every bit");
        }
    }
}

#[test]
fn an_autoencoder_trains_as_pytorchs_does() {
    let network = Network::autoencoder(&"encoder-mlp".parse().unwrap()).unwrap();
    let data = dataset(&Golden::open("encoder-mlp", "common"));
    let expected = Golden::open("autoencoder", "pytorch");
    let init = expected.weights(&network, "init");
    let mut eager = eager(&network, &init, &data, CodeStore::unlimited());
    let rows: Vec<u32> = (0..32).collect();
    let apart = difference(&outputs(&mut eager, Source::Train, &rows), &expected.floats("outputs"));
    assert!(apart < 1e-5, "reconstructions {apart:e}");
    let phase =
        Phase { objective: Objective::Reconstruct, ..Phase::classify("ae", &network, Scope::All, 1, 1e-3) };
    steps(&mut eager, &phase, &expected, "autoencoder");
}

#[test]
fn cnn_trains_as_pytorch_and_keras_do() {
    check_all("cnn");
}

#[test]
fn encoder_mlp_trains_as_pytorch_and_keras_do() {
    check_all("encoder-mlp");
}
