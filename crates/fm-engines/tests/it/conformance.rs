//! The contract of [`fm_train::Engine`], for every engine and every kind of network that it covers.

use fm_engines::{ENGINES, Fused};
use fm_images::Labelled;
use fm_net::{NamedTensor, Network, Scope};
use fm_run::error::Error;
use fm_train::Phase;
use fm_train::checkpoint::{self, Checkpoint, Identity, Position};
use fm_train::engine::{self, Engine, Input, Source, State, Totals, Want};
use fm_train::plan::Objective;

use crate::made::{Case, MACHINE, all_bits, encoder, infer, steps, test_rows};

/// Networks. Both engines of the CPU cover each.
const NETWORKS: [&str; 12] = [
    "cnn",
    "encoder-mlp",
    "4C3-MP2--8@12x12",
    // Chains of valid convolutions and pools up to here; the fused engine has another trainer for the rest.
    "4C3.bn-MP2--8@12x12",
    "4C3-SD20-MP2--D30-8-D10@12x12",
    "4C3.same.bn-2x4R3-MP2-8R3.s2.se2--8@12x12",
    "4C3.same-DW3.same.bn-8DS3.s2-8IR3.e2--8@12x12",
    "4C5.s2.same-MP3.s2--8@13x11",
    "4C3.same.gn2.gelu-8C3.same.ws.silu-GAP@12x12",
    "6C3.same.pre.bn-D20-GMP-D40--8@12x12",
    "4C3.same-MP2--8@12x12x3",
    "4C3-MP2--8@12x12x3",
];

/// Each network with each engine that covers it, fresh.
fn each(mut test: impl FnMut(&Case, &mut dyn Engine, &str)) {
    for arch in NETWORKS {
        let case = Case::new(arch);
        let engines = case.engines();
        // CUDA kernels cover chains of valid convolutions and pools, also on images in colour.
        let chain = ["cnn", "encoder-mlp", "4C3-MP2--8@12x12", "4C3-MP2--8@12x12x3"].contains(&arch);
        assert_eq!(engines.len(), if chain { 3 } else { 2 }, "{arch}");
        for mut engine in engines {
            let what = format!("{arch} on {}", engine.name());
            test(&case, engine.as_mut(), &what);
        }
    }
}

/// The same images as rows and from outside.
fn same_from_outside(engine: &mut dyn Engine, source: Source, of: &Labelled, rows: &[u32], what: &str) {
    for want in [Want::Output, Want::Codes] {
        let inside = infer(engine, Input::Rows(source, rows), want);
        let outside = infer(engine, Input::Images(&of.select(rows).images), want);
        assert!(!inside.is_empty() && inside == outside, "{what}: {want:?} of {rows:?}");
    }
}

#[test]
fn an_image_gives_the_same_bits_wherever_it_comes_from() {
    each(|case, engine, what| {
        let phase = case.phase(Scope::All);
        engine.begin_phase(0, &phase).unwrap();
        let rows = [9, 0, 4, 4, 7];
        same_from_outside(engine, Source::Test, &case.data.test, &rows, what);
        steps(engine, &phase, 0..3, Totals::default());
        same_from_outside(engine, Source::Train, &case.data.train, &rows, what);
        assert!(engine.infer(Input::Images(&[0; 7]), Want::Output).is_err(), "{what}: seven bytes");
    });
}

/// The head on codes, in `f64`: dense layers with ReLU between them. Dropout is nothing in inference.
fn head(tensors: &[NamedTensor], code: &[f32]) -> Vec<f64> {
    let layers: Vec<_> = tensors.iter().filter(|t| t.name.starts_with("head.")).collect();
    let mut values: Vec<f64> = code.iter().map(|&v| f64::from(v)).collect();
    for (at, layer) in layers.chunks_exact(2).enumerate() {
        let (weight, bias) = (&layer[0].data, &layer[1].data);
        let row = |(row, bias): (&[f32], &f32)| {
            row.iter().zip(&values).map(|(&w, v)| f64::from(w) * v).sum::<f64>() + f64::from(*bias)
        };
        let out: Vec<f64> = weight.chunks_exact(values.len()).zip(bias).map(row).collect();
        let last = at + 1 == layers.len() / 2;
        values = if last { out } else { out.into_iter().map(|v| v.max(0.0)).collect() };
    }
    values
}

#[test]
fn the_head_on_the_codes_is_the_output() {
    each(|case, engine, what| {
        let phase = case.phase(Scope::All);
        engine.begin_phase(0, &phase).unwrap();
        steps(engine, &phase, 0..3, Totals::default());
        let weights = engine.weights().unwrap();
        let (codes, output) = (test_rows(engine, Want::Codes), test_rows(engine, Want::Output));
        let codes = codes.chunks_exact(case.network.code_len());
        assert_eq!(codes.len(), 10, "{what}");
        for (code, got) in codes.zip(output.chunks_exact(3)) {
            for (got, want) in got.iter().zip(head(&weights, code)) {
                assert!((f64::from(*got) - want).abs() < 1e-4 * want.abs().max(1.0), "{what}: {got} {want}");
            }
        }
    });
}

/// Through the files of a checkpoint.
fn saved(state: State, network: &Network) -> State {
    let identity = Identity {
        run_id: String::new(),
        engine: String::new(),
        device: String::new(),
        threads: 1,
        data_sha256: String::new(),
        versions: [].into(),
    };
    let checkpoint = Checkpoint { position: Position::default(), state };
    let (tensors, meta) = checkpoint::encode(&checkpoint, &identity, 0).unwrap();
    checkpoint::decode(&tensors, &meta, "", &[network]).unwrap().checkpoint.state
}

/// Every tensor of a state as `group/name` and its bits.
fn state_bits(state: &State) -> Vec<(String, Vec<u32>)> {
    let named = |group: &String, tensors: &[NamedTensor]| {
        all_bits(tensors)
            .into_iter()
            .map(|(name, bits)| (format!("{group}/{name}"), bits))
            .collect::<Vec<_>>()
    };
    state.groups.iter().flat_map(|(group, tensors)| named(group, tensors)).collect()
}

#[test]
fn restored_within_an_epoch_equals_uninterrupted() {
    each(|case, engine, what| {
        for scope in [Scope::All, Scope::Head] {
            let (phase, what) = (case.phase(scope), format!("{what}, {scope:?}"));
            let mut whole = case.again(engine);
            whole.begin_phase(1, &phase).unwrap();
            let expected = steps(whole.as_mut(), &phase, 0..3, Totals::default());
            assert_eq!((expected.images, expected.diverged_at), (24, None), "{what}");

            let mut first = case.again(engine);
            first.begin_phase(1, &phase).unwrap();
            let totals = steps(first.as_mut(), &phase, 0..1, Totals::default());
            let state = saved(first.state().unwrap(), &case.network);
            assert_eq!(state.counter("step"), 1, "{what}");

            let mut second = case.again(engine);
            second.begin_phase(1, &phase).unwrap();
            second.restore(&state).unwrap();
            assert_eq!(steps(second.as_mut(), &phase, 1..3, totals), expected, "{what}");
            let (got, want) = (second.state().unwrap(), whole.state().unwrap());
            assert_eq!(state_bits(&got), state_bits(&want), "{what}");
            assert_eq!(got.counters, want.counters, "{what}");
            assert_ne!(state_bits(&got), state_bits(&state), "{what}: the later steps did something");
        }
    });
}

#[test]
fn a_frozen_encoder_keeps_every_bit() {
    each(|case, engine, what| {
        let phase = case.phase(Scope::All);
        engine.begin_phase(0, &phase).unwrap();
        steps(engine, &phase, 0..3, Totals::default());
        let before = engine.weights().unwrap();
        assert_ne!(encoder(&before), encoder(&case.tensors), "{what}: it has trained");
        let phase = case.phase(Scope::Head);
        engine.begin_phase(1, &phase).unwrap();
        steps(engine, &phase, 0..3, Totals::default());
        let after = engine.weights().unwrap();
        assert_eq!(encoder(&after), encoder(&before), "{what}");
        assert_ne!(all_bits(&after), all_bits(&before), "{what}: the head trains");
        // Codes that were kept say what the whole network says.
        let rows: Vec<u32> = (0..24).collect();
        let kept = engine.infer(Input::Rows(Source::Train, &rows), Want::Output).unwrap();
        let whole = engine.infer(Input::Images(&case.data.train.images), Want::Output).unwrap();
        assert!(kept.iter().zip(&whole).all(|(a, b)| (a - b).abs() < 1e-5), "{what}");
    });
}

#[test]
fn tensors_that_do_not_fit_replace_none() {
    each(|case, engine, what| {
        let before = all_bits(&engine.weights().unwrap());
        let mut wrong = case.tensors.clone();
        wrong.iter_mut().flat_map(|t| &mut t.data).for_each(|v| *v += 1.0);
        let good = wrong.clone();
        let last = wrong.len() - 1;
        wrong[last].shape = vec![1, 3];
        let error = engine.load(&wrong).unwrap_err();
        assert!(error.to_string().contains("head.dense"), "{what}: {error}");
        assert_eq!(all_bits(&engine.weights().unwrap()), before, "{what}");
        engine.load(&good).unwrap();
        assert_eq!(all_bits(&engine.weights().unwrap()), all_bits(&good), "{what}");
    });
}

#[test]
fn the_state_of_another_optimizer_is_refused() {
    let case = Case::new("4C3-MP2--8@12x12");
    for mut engine in case.engines() {
        engine.begin_phase(0, &case.phase(Scope::All)).unwrap();
        let state = engine.state().unwrap();
        let other = state.clone().with("velocity", case.tensors.clone());
        let error = engine.restore(&other).unwrap_err().to_string();
        assert!(error.contains("'velocity'") && error.contains("help: "), "{}: {error}", engine.name());
        let mut without = state.clone();
        without.counters.clear();
        let error = engine.restore(&without).unwrap_err().to_string();
        assert_eq!(error, "the state has no counter step", "{}", engine.name());
        engine.restore(&state).unwrap();
    }
}

#[test]
fn what_is_not_covered_is_refused_by_name() {
    let case = Case::of(crate::made::with_custom());
    let chosen = engine::choose(ENGINES, "fused", &case.network, MACHINE).unwrap_err().to_string();
    let built: Error = Fused::new(&case.network, &case.tensors, case.setup()).err().unwrap();
    for text in [chosen, built.to_string()] {
        assert!(text.starts_with("--engine fused: not covered: encoder.custom1 (half)"), "{text}");
        assert!(text.contains("help: "), "{text}");
    }
}

/// Same draws, same running statistics, same gradients: the losses of a few steps and what comes out then.
#[test]
fn engines_train_alike() {
    let mirror = Network::autoencoder(&"4C3-MP2-5C3--8@12x12".parse().unwrap()).unwrap();
    for case in NETWORKS.map(Case::new).into_iter().chain([Case::of(mirror)]) {
        for scope in [Scope::All, Scope::Encoder, Scope::Head] {
            let phase = if case.network.reconstructs() {
                Phase { objective: Objective::Reconstruct, ..case.phase(Scope::All) }
            } else {
                case.phase(scope)
            };
            let (mut losses, mut outputs, mut buffers) = (Vec::new(), Vec::new(), Vec::new());
            for mut engine in case.engines() {
                engine.begin_phase(1, &phase).unwrap();
                losses.push(steps(engine.as_mut(), &phase, 0..2, Totals::default()).loss_sum);
                outputs.push(test_rows(engine.as_mut(), Want::Output));
                let mut tensors = engine.weights().unwrap();
                tensors.retain(|t| t.name.contains("running"));
                buffers.push(tensors);
            }
            let what = format!("{}, {scope:?}", case.network.label());
            let near = |a: f32, b: f32| (a - b).abs() < 0.01 * b.abs().max(0.5);
            for other in 1..losses.len() {
                assert!((losses[0] / losses[other] - 1.0).abs() < 1e-3, "{what}: {losses:?}");
                let alike = outputs[0].iter().zip(&outputs[other]).all(|(&a, &b)| near(a, b));
                assert!(alike, "{what}: {outputs:?}");
                for (ours, theirs) in buffers[0].iter().zip(&buffers[other]) {
                    let same = ours.data.iter().zip(&theirs.data).all(|(&a, &b)| near(a, b));
                    assert!(same, "{what}: {} {:?} {:?}", ours.name, ours.data, theirs.data);
                }
            }
        }
    }
}

#[test]
fn reconstructions() {
    let case = Case::of(Network::autoencoder(&"4C3-MP2--8@12x12".parse().unwrap()).unwrap());
    let engines = case.engines();
    assert_eq!(engines.len(), 2);
    for mut engine in engines {
        same_from_outside(engine.as_mut(), Source::Test, &case.data.test, &[3, 1], "autoencoder");
    }
}
