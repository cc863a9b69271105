//! What a checkpoint holds comes back to the last bit, and nothing else does.

use proptest::prelude::*;

use super::*;

fn network() -> Network {
    Network::new(&"encoder-mlp@10x10".parse().unwrap(), 3).unwrap()
}

fn checkpoint() -> Checkpoint {
    let weights = fm_net::init::initial(&network(), 1);
    let zeros = |w: &NamedTensor| NamedTensor { data: vec![0.0; w.data.len()], ..w.clone() };
    let m: Vec<NamedTensor> = weights.iter().map(zeros).collect();
    let best = Best { epoch: 2, loss: 0.25, weights: fm_net::init::initial(&network(), 2) };
    let totals = Totals { loss_sum: 0.1 + 0.2, correct: 3, images: 4, diverged_at: None };
    let recent = VecDeque::from([weights.clone(), m.clone()]);
    let partial = Some(Partial { steps: 7, totals, seconds: 0.5 });
    let position = Position {
        phase: 1,
        phase_epochs: 2,
        epochs: 3,
        seconds: 1.0 / 3.0,
        best: Some(best),
        recent,
        partial,
    };
    Checkpoint { position, state: State::of(weights).with("v", m.clone()).with("m", m).counting("step", 99) }
}

fn identity() -> Identity {
    Identity {
        run_id: "0123456789abcdef".to_owned(),
        engine: "fused".to_owned(),
        device: "cpu".to_owned(),
        threads: 2,
        data_sha256: "abc".to_owned(),
        versions: BTreeMap::new(),
    }
}

#[test]
fn reads_back_to_the_last_bit() {
    let (tensors, meta) = encode(&checkpoint(), &identity(), 1234).unwrap();
    let read = decode(&tensors, &meta, "0123456789abcdef", &[&network(); 2]).unwrap();
    assert_eq!(read, Read { checkpoint: checkpoint(), identity: identity(), epochs_csv_bytes: 1234 });
}

#[test]
fn numbers_survive_json_to_the_last_bit() {
    // Decimal fractions that a careless parser rounds the wrong way are about one in ten.
    for i in 1..5000_u32 {
        let loss_sum = f64::from(i) * 0.123_456_789 + 1.0 / f64::from(i);
        let text = serde_json::to_string(&Totals { loss_sum, ..Totals::default() }).unwrap();
        let read: Totals = serde_json::from_str(&text).unwrap();
        assert_eq!(read.loss_sum.to_bits(), loss_sum.to_bits(), "{text}");
    }
}

#[test]
fn another_machine_is_told() {
    let here = Identity { device: "cuda:0".to_owned(), threads: 8, ..identity() };
    assert_eq!(identity().differences(&here), ["saved with device cpu, now cuda:0"]);
    let eager = Identity { engine: "eager".to_owned(), ..identity() };
    assert_eq!(eager.differences(&here).len(), 2);
}

#[test]
fn says_what_is_wrong() {
    let (tensors, meta) = encode(&checkpoint(), &identity(), 0).unwrap();
    let message = |tensors: &[u8], meta: &[u8], run_id: &str, network: &Network| {
        let error = decode(tensors, meta, run_id, &[network; 2]).unwrap_err();
        assert_eq!(error.exit_code(), 7);
        error.to_string()
    };
    let id = "0123456789abcdef";
    let mut damaged = tensors.clone();
    *damaged.last_mut().unwrap() ^= 1;
    assert_eq!(message(&damaged, &meta, id, &network()), "checksum mismatch");
    assert_eq!(message(&tensors[..100], &meta, id, &network()), "checksum mismatch");
    let other = String::from_utf8(meta.clone()).unwrap().replace("\"epochs\": 3", "\"epochs\": 4");
    assert_eq!(message(&tensors, other.as_bytes(), id, &network()), "checksum mismatch");
    let newer = String::from_utf8(meta.clone()).unwrap().replace("\"format\": 2", "\"format\": 3");
    assert_eq!(message(&tensors, newer.as_bytes(), id, &network()), "format 3, this build reads up to 2");
    assert!(message(&tensors, &meta[..50], id, &network()).starts_with("not a checkpoint"));
    assert!(message(&tensors, &meta, "x", &network()).contains("belongs to run 0123456789abcdef"));
    let cnn = Network::new(&"cnn".parse().unwrap(), 10).unwrap();
    let text = message(&tensors, &meta, id, &cnn);
    for piece in
        ["missing encoder.conv3.weight", "head.dense1.weight is [64, 64]", "unexpected head.dense3.bias"]
    {
        assert!(text.contains(piece), "{piece} in {text}");
    }
}

/// The files of [`checkpoint`], encoded once.
fn files() -> &'static (Vec<u8>, Vec<u8>) {
    static FILES: std::sync::OnceLock<(Vec<u8>, Vec<u8>)> = std::sync::OnceLock::new();
    FILES.get_or_init(|| encode(&checkpoint(), &identity(), 1234).unwrap())
}

/// Both files with checksums that fit, as only somebody who means it can make them.
fn signed(tensors: &[u8], change: impl Fn(&mut Meta)) -> Vec<u8> {
    let mut meta: Meta = serde_json::from_slice(&files().1).unwrap();
    change(&mut meta);
    meta.tensors_sha256 = sha256(tensors);
    meta.sha256 = meta.digest().unwrap();
    serde_json::to_vec(&meta).unwrap()
}

fn read(tensors: &[u8], meta: &[u8]) -> Result<Read> {
    decode(tensors, meta, &identity().run_id, &[&network(); 2])
}

#[test]
fn numbers_that_do_not_add_up() {
    let meta = signed(&files().0, |meta| meta.epochs = 1);
    assert_eq!(read(&files().0, &meta).unwrap_err().message(), "its best epoch is 2, of 1 trained");
    let mut tensors = files().0.clone();
    let at = tensors.windows(8).position(|w| w == b"m.head.d").unwrap();
    tensors[at + 2] = b'x';
    let error = read(&tensors, &signed(&tensors, |_| {})).unwrap_err();
    assert!(error.message().starts_with("m of xead.dense"), "{error}");
}

/// More than proptest's own 256 cases; `PROPTEST_CASES` asks for others.
fn many() -> ProptestConfig {
    let asked = std::env::var_os("PROPTEST_CASES").is_some();
    if asked { ProptestConfig::default() } else { ProptestConfig::with_cases(1000) }
}

proptest! {
    #![proptest_config(many())]

    /// Sums of an interrupted epoch are added to: a last bit that is lost would show in `epochs.csv`.
    #[test]
    fn numbers_read_back_to_the_last_bit(loss_sum in any::<f64>(), seconds in 0.0..1e9, loss in 0.0..10.0) {
        prop_assume!(loss_sum.is_finite());
        let meta = signed(&files().0, |meta| {
            meta.partial = Some(Partial { totals: Totals { loss_sum, ..Totals::default() }, ..Partial::default() });
            meta.train_seconds = seconds;
            meta.best = Some((2, loss));
        });
        let position = read(&files().0, &meta).unwrap().checkpoint.position;
        prop_assert_eq!(position.partial.unwrap().totals.loss_sum.to_bits(), loss_sum.to_bits());
        prop_assert_eq!(position.seconds.to_bits(), seconds.to_bits());
        prop_assert_eq!(position.best.unwrap().loss.to_bits(), loss.to_bits());
    }

    /// One changed byte, wherever: an error, or (white space of the JSON) the same checkpoint.
    #[test]
    fn no_damage_goes_unseen(in_meta in any::<bool>(), at in any::<prop::sample::Index>(), bits in 1u8..) {
        let (mut tensors, mut meta) = files().clone();
        let damaged = if in_meta { &mut meta } else { &mut tensors };
        let at = at.index(damaged.len());
        damaged[at] ^= bits;
        if let Ok(found) = read(&tensors, &meta) {
            prop_assert!(in_meta, "byte {} of the tensors", at);
            prop_assert_eq!(found.checkpoint, checkpoint());
            prop_assert_eq!(found.epochs_csv_bytes, 1234);
        }
    }

    /// Whatever the bytes, an answer comes, and it is that they do not fit.
    #[test]
    fn arbitrary_bytes_never_panic(
        tensors in prop::collection::vec(any::<u8>(), 0..200),
        header in "[{}\\[\\]\":,a-z0-9_.]{0,80}",
        meta in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        prop_assert_eq!(read(&tensors, &meta).unwrap_err().exit_code(), 7);
        let framed = [&(header.len() as u64).to_le_bytes(), header.as_bytes(), &tensors].concat();
        for tensors in [&tensors, &framed] {
            let meta = signed(tensors, |_| {});
            prop_assert_eq!(read(tensors, &meta).unwrap_err().exit_code(), 7);
        }
    }

    /// A header of tensors that was changed and signed again: refused, or tensors of the right shapes.
    #[test]
    fn a_forged_header_never_panics(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
        (epochs, phase, steps) in (any::<u32>(), any::<usize>(), any::<usize>()),
    ) {
        let mut tensors = files().0.clone();
        let header = 8 + u64::from_le_bytes(tensors[..8].try_into().unwrap()) as usize;
        for (at, byte) in changes {
            tensors[at.index(header)] = byte;
        }
        if let Some(cut) = cut {
            tensors.truncate(cut.index(tensors.len()));
        }
        let meta = signed(&tensors, |meta| {
            (meta.epochs, meta.phase) = (epochs, phase);
            meta.partial = Some(Partial { steps, ..Partial::default() });
        });
        match read(&tensors, &meta) {
            Ok(found) => prop_assert!(check(&network(), found.checkpoint.state.weights()).is_ok()),
            Err(error) => prop_assert_eq!(error.exit_code(), 7),
        }
    }
}
