//! What the keys of composition mean, and what they refuse.

use super::*;

fn spec(text: &str) -> RunSpec {
    RunSpec::read(&text.parse().unwrap()).unwrap().check().unwrap()
}

fn net(arch: &str) -> Network {
    Network::new(&arch.parse().unwrap(), 10).unwrap()
}

fn named(text: &str) -> Vec<String> {
    let phases = phases(&spec(text), &net("encoder-mlp")).unwrap();
    phases.into_iter().map(|p| format!("{} {}", p.name, p.epochs)).collect()
}

fn of(bytes: &[u8]) -> ModelFile {
    ModelFile { path: "x".into(), bytes: bytes.to_vec() }
}

#[test]
fn recipes_are_phases() {
    for (text, phases) in [
        ("epochs = 20", vec!["train 20"]),
        ("epochs = 20\nencoder = 'frozen'", vec!["head 20"]),
        (
            "epochs = 20\nencoder = 'frozen'\npretrain = 'autoencoder'",
            vec!["pretrain-autoencoder 5", "head 20"],
        ),
        (
            "epochs = 20\npretrain = 'classifier'\npretrain-epochs = 2",
            vec!["pretrain-classifier 2", "train 20"],
        ),
        ("epochs = 20\npretrain = 'a/b c.safetensors'\nunfreeze-at = 3", vec!["head 3", "train 17"]),
    ] {
        assert_eq!(named(text), phases, "{text}");
    }
}

#[test]
fn batches_continue_where_the_head_ended() {
    let phases =
        phases(&spec("epochs = 20\nunfreeze-at = 3\nencoder-lr = 1e-4"), &net("encoder-mlp")).unwrap();
    assert_eq!(phases.iter().map(|p| p.order_start).collect::<Vec<_>>(), [0, 3]);
    let rates: Vec<(f64, f64)> = phases.iter().map(|p| (p.rates(0, 1).encoder, p.rates(0, 1).head)).collect();
    assert_eq!(rates, [(1e-3, 1e-3), (1e-4, 1e-3)]);
}

#[test]
fn a_network_must_have_what_the_recipe_asks_for() {
    let message = |text: &str, arch: &str| phases(&spec(text), &net(arch)).unwrap_err().to_string();
    let none = message("encoder = 'frozen'", "MP2--64");
    assert!(none.starts_with("--encoder needs an encoder with parameters, and MP2--64 has none"), "{none}");
    let small = message("pretrain = 'classifier'", "encoder-mlp@12x12");
    assert!(small.starts_with("--pretrain classifier: trains a cnn: "), "{small}");
    let other = message("pretrain = 'classifier'", "16C3-MP2--64");
    assert!(
        other.contains("trains a cnn, whose encoder has no encoder.conv1.weight [16, 1, 3, 3]"),
        "{other}"
    );
    let residual = message("pretrain = 'autoencoder'", "16C3.same.bn-16R3-GAP");
    assert!(residual.starts_with("--pretrain autoencoder: "), "{residual}");
}

#[test]
fn a_file_must_hold_the_encoder() {
    let (network, cnn) = (net("encoder-mlp"), net("cnn"));
    let weights = fm_net::init::initial(&cnn, 3);
    let encode = |tensors: &[NamedTensor]| {
        fm_run::model_file::encode(tensors, &std::collections::BTreeMap::new()).unwrap()
    };
    let given = encoder_of(&of(&encode(&weights)), &network).unwrap();
    assert_eq!(given.weights, weights[..4], "a cnn's first two blocks");

    let mut wrong = weights;
    wrong[1].shape = vec![4, 8];
    wrong.remove(3);
    let error = encoder_of(&of(&encode(&wrong)), &network).unwrap_err();
    assert_eq!(error.exit_code(), 7);
    for piece in ["encoder.conv1.bias is [4, 8], expected [32]", "missing encoder.conv2.bias [64]", "file x"]
    {
        assert!(error.to_string().contains(piece), "{piece} in {error}");
    }
    assert_eq!(encoder_of(&of(b"PK"), &network).unwrap_err().exit_code(), 7);
}
