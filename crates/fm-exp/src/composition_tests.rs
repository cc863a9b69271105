//! What the flags of composition mean, and what they refuse.

use super::*;

fn spec(text: &str) -> ArchSpec {
    text.parse().unwrap()
}

fn check(args: &RunArgs) -> Result<Composition> {
    Composition::check(args, spec("encoder-mlp"), 20)
}

fn args() -> RunArgs {
    RunArgs::default()
}

fn of(bytes: &[u8]) -> ModelFile {
    ModelFile { path: "x".into(), bytes: bytes.to_vec() }
}

#[test]
fn arms_have_names_and_phases() {
    let frozen = |pretrain: Option<&str>| RunArgs {
        encoder: Some(EncoderMode::Frozen),
        pretrain: pretrain.map(PathBuf::from),
        ..args()
    };
    let cases = [
        (args(), "joint", "", vec!["train 20"]),
        (frozen(None), "frozen on random", "-frozen-on-random", vec!["head 20"]),
        (
            frozen(Some("autoencoder")),
            "frozen on autoencoder",
            "-frozen-on-autoencoder",
            vec!["pretrain-autoencoder 5", "head 20"],
        ),
        (
            RunArgs { pretrain: Some("classifier".into()), pretrain_epochs: Some(2), ..args() },
            "fine-tuned from classifier",
            "-fine-tuned-from-classifier",
            vec!["pretrain-classifier 2", "train 20"],
        ),
        (
            RunArgs { pretrain: Some("a/b c.safetensors".into()), unfreeze_at: Some(3), ..args() },
            "fine-tuned from a/b c.safetensors (head first for 3)",
            "-fine-tuned-from-file-head-first-for-3",
            vec!["head 3", "train 17"],
        ),
    ];
    let network = Network::new(spec("encoder-mlp"), 10);
    for (args, arm, slug, phases) in cases {
        let found = check(&args).unwrap();
        assert_eq!((found.arm().as_str(), found.slug().as_str()), (arm, slug));
        let names = found.phases(&network, 20, 1e-3).into_iter().map(|p| format!("{} {}", p.name, p.epochs));
        assert_eq!(names.collect::<Vec<_>>(), phases);
    }
}

#[test]
fn batches_go_on_where_the_head_left_off() {
    let network = Network::new(spec("encoder-mlp"), 10);
    let found = check(&RunArgs { unfreeze_at: Some(3), encoder_lr: Some(1e-4), ..args() }).unwrap();
    let phases = found.phases(&network, 20, 1e-3);
    assert_eq!(phases.iter().map(|p| p.order_start).collect::<Vec<_>>(), [0, 3]);
    let rates: Vec<(f64, f64)> = phases.iter().map(|p| (p.encoder_lr, p.lr)).collect();
    assert_eq!(rates, [(1e-3, 1e-3), (1e-4, 1e-3)]);
}

#[test]
fn what_makes_no_sense_is_refused() {
    let message = |args: RunArgs| check(&args).unwrap_err().to_string();
    let frozen = RunArgs { encoder: Some(EncoderMode::Frozen), ..args() };
    let auto = || Some(PathBuf::from("autoencoder"));
    for (args, expected) in [
        (RunArgs { encoder_lr: Some(1e-4), ..frozen.clone() }, "--encoder-lr: a frozen encoder has no"),
        (RunArgs { unfreeze_at: Some(2), ..frozen.clone() }, "--unfreeze-at: with --encoder frozen"),
        (
            RunArgs { unfreeze_at: Some(20), ..args() },
            "--unfreeze-at must be from 1 to below --epochs (20), got 20",
        ),
        (RunArgs { unfreeze_at: Some(0), ..args() }, "--unfreeze-at must be from 1"),
        (RunArgs { encoder_lr: Some(-1.0), ..args() }, "--encoder-lr must be finite and > 0, got -1"),
        (RunArgs { pretrain_epochs: Some(2), ..args() }, "--pretrain-epochs needs --pretrain"),
        (RunArgs { pretrain_epochs: Some(0), pretrain: auto(), ..args() }, "must be at least 1, got 0"),
    ] {
        assert!(message(args).contains(expected), "{expected}");
    }
    let cnn = Composition::check(&frozen, spec("cnn"), 20).unwrap_err().to_string();
    assert!(cnn.contains("--encoder needs an architecture of encoder and head"), "{cnn}");
    assert!(cnn.contains("--arch encoder-mlp"), "{cnn}");
    let small = RunArgs { pretrain: Some("classifier".into()), ..args() };
    let small = Composition::check(&small, spec("encoder-mlp@12x12"), 20).unwrap_err().to_string();
    assert!(small.contains("--pretrain classifier trains a cnn"), "{small}");
}

#[test]
fn a_file_must_hold_the_encoder() {
    let network = Network::new(spec("encoder-mlp"), 10);
    let cnn = Network::new(spec("cnn"), 10);
    let weights = fm_models::init::initial(&cnn, 3);
    let bytes = crate::model_file::encode(&weights, &std::collections::BTreeMap::new()).unwrap();
    let given = encoder_of(&of(&bytes), &network).unwrap();
    assert_eq!(given.weights, weights[..4], "a cnn's first two blocks");

    let mut wrong = weights;
    wrong[1].shape = vec![4, 8];
    wrong.remove(3);
    let bytes = crate::model_file::encode(&wrong, &std::collections::BTreeMap::new()).unwrap();
    let error = encoder_of(&of(&bytes), &network).unwrap_err();
    assert_eq!(error.exit_code(), 7);
    for piece in ["encoder.conv1.bias is [4, 8], expected [32]", "missing encoder.conv2.bias [64]", "file x"]
    {
        assert!(error.to_string().contains(piece), "{piece} in {error}");
    }
    assert_eq!(encoder_of(&of(b"PK"), &network).unwrap_err().exit_code(), 7);
}
