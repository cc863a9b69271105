//! The forward and backward pass against PyTorch and Keras.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says where")]

mod golden;
mod graph_net;

use fm_models::{Mode, Net};
use fm_net::{Draws, Network, Scope};
use golden::{Golden, difference};
use tch::{Device, Kind, Reduction, Tensor};

/// Images `[8, 1, h, w]` in [0, 1], cut to what the network sees, and labels of one of the four batches.
fn batch(network: &Network, golden: &Golden, index: usize) -> (Tensor, Tensor) {
    let (h, w) = network.seen();
    let images = Tensor::from_slice(&golden.images()[index * 8 * 784..][..8 * 784]).view([8, 1, 28, 28]);
    let images = images.narrow(2, 0, h as i64).narrow(3, 0, w as i64).to_kind(Kind::Float) / 255.0;
    let labels: Vec<i64> = golden.labels()[index * 8..][..8].iter().map(|&l| i64::from(l)).collect();
    (images, Tensor::from_slice(&labels))
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.contiguous().view(-1)).unwrap()
}

#[track_caller]
fn check(arch: &str, framework: &str) {
    let network = Network::new(&arch.parse().unwrap(), 10).unwrap();
    let (common, expected) = (Golden::open(arch, "common"), Golden::open(arch, framework));
    let net = {
        let mut net = Net::new(&network, &common.weights(&network, "init"), Device::Cpu).unwrap();
        net.train_only(Scope::All);
        net
    };
    let draws = Draws { seed: 0, phase: 0, step: 0 };
    let mut logits = Vec::new();
    for index in 0..4 {
        let (images, labels) = batch(&network, &common, index);
        let out = net.forward(&images, Mode::Train(&draws)).unwrap();
        logits.extend(values(&out));
        let loss = out.cross_entropy_loss::<Tensor>(&labels, None, Reduction::Mean, -100, 0.0);
        let apart = difference(&values(&loss.view(1)), &expected.floats(&format!("loss.{index}")));
        assert!(apart < 1e-5, "{arch} {framework} loss of batch {index}: {apart:e}");
        if index == 0 {
            loss.backward();
            let gradients = expected.weights(&network, "grad");
            for ((name, tensor), gradient) in net.params(Scope::All).zip(&gradients) {
                let apart = difference(&values(&tensor.grad()), &gradient.data);
                assert!(apart < 1e-5, "{arch} {framework} gradient of {name}: {apart:e}");
            }
        }
    }
    let apart = difference(&logits, &expected.floats("logits"));
    assert!(apart < 1e-5, "{arch} {framework} logits: {apart:e}");
}

#[test]
fn cnn_agrees_with_pytorch() {
    check("cnn", "pytorch");
}

#[test]
fn cnn_agrees_with_keras() {
    check("cnn", "keras");
}

#[test]
fn encoder_mlp_agrees_with_pytorch() {
    check("encoder-mlp", "pytorch");
}

#[test]
fn encoder_mlp_agrees_with_keras() {
    check("encoder-mlp", "keras");
}

#[test]
fn wrong_weights_are_refused() {
    let network = Network::new(&"cnn".parse().unwrap(), 10).unwrap();
    let mut weights = fm_net::init::initial(&network, 0);
    weights[0].shape = vec![9, 32];
    let error = Net::new(&network, &weights, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("encoder.conv1.weight is [9, 32], expected [32, 1, 3, 3]"), "{error}");
    weights.remove(0);
    let error = Net::new(&network, &weights, Device::Cpu).unwrap_err().to_string();
    assert!(error.contains("encoder.conv1.weight"), "{error}");
}

#[test]
fn only_the_scope_trains() {
    let network = Network::new(&"encoder-mlp".parse().unwrap(), 10).unwrap();
    let mut net = Net::new(&network, &fm_net::init::initial(&network, 0), Device::Cpu).unwrap();
    for (scope, first, last) in
        [(Scope::Head, false, true), (Scope::Encoder, true, false), (Scope::All, true, true)]
    {
        net.train_only(scope);
        let trains: Vec<bool> = net.params(Scope::All).map(|(_, tensor)| tensor.requires_grad()).collect();
        assert_eq!((trains[0], trains[9]), (first, last), "{scope:?}");
        assert_eq!(net.params(scope).count(), trains.iter().filter(|t| **t).count());
    }
}
