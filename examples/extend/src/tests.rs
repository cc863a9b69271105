//! What is added from outside behaves as what is inside.

use fm_net::Part;
use fm_train::engine::{Input, Source, State, Want};

use super::*;
use crate::momentum::{MOMENTUM, Momentum, STEPS, VELOCITY};

struct Made {
    data: Dataset,
    network: Network,
    plan: Plan,
}

fn made(arch: &str) -> Made {
    let lr = if arch == LINEAR { 0.5 } else { 0.02 };
    let dir = tempfile::tempdir().unwrap();
    made::write(dir.path()).unwrap();
    let data = load(dir.path()).unwrap();
    let (network, plan) = planned(arch, lr, &data).unwrap();
    Made { data, network, plan }
}

#[test]
fn the_operator_is_part_of_the_network() {
    let Made { network, data, .. } = made(LOW_RANK);
    assert_eq!((data.train.len(), data.test.len(), data.classes), (96, 30, 3));
    assert_eq!(network.arch.to_string(), LOW_RANK, "it prints as it was written");
    let names: Vec<&str> = network.params().map(|t| t.name.as_str()).collect();
    assert_eq!(names[2..4], ["encoder.custom1.0.weight", "encoder.custom1.1.weight"]);
    // Convolution, mixing on 4×4 pixels, two dense layers.
    assert_eq!(network.macs(), 6 * 9 * 64 + 2 * 2 * 6 * 16 + 96 * 12 + 12 * 3);
    assert_eq!(network.param_count(Part::Encoder), 6 * 9 + 6 + 2 * 2 * 6);
    let code = fm_net::pytorch(&network).unwrap();
    let line = "custom1=nn.Sequential(nn.Conv2d(6, 2, 1, bias=False), nn.Conv2d(2, 6, 1, bias=False)),";
    assert!(code.contains(line), "{code}");
    assert!(fm_net::keras(&network).unwrap_err().to_string().contains("no operator `low_rank`"));
}

#[test]
fn engines_that_do_not_know_it_say_so() {
    let Made { network, .. } = made(LOW_RANK);
    let refused = |wanted: &str, engines: &[EngineDef]| {
        engine::choose(engines, wanted, &network, MACHINE).unwrap_err().to_string()
    };
    let fused = refused("fused", &engines());
    assert!(fused.starts_with("--engine fused: not covered: encoder.custom1 (low-rank mixing"), "{fused}");
    let eager = refused("eager", &engines());
    assert!(eager.starts_with("--engine eager: not covered: it has no operator `low_rank`"), "{eager}");
    let all = refused("auto", ENGINES);
    assert!(all.contains("note: eager: not covered: it has no operator `low_rank`"), "{all}");
    let hidden = refused("softmax", &engines());
    assert!(hidden.starts_with("--engine softmax: not covered: conv1"), "{hidden}");

    let plain = planned("6C3-MP2-LR2--12@8x8", 0.02, &made(LOW_RANK).data).unwrap().0;
    let error = engine::choose(&engines(), "fused", &plain, MACHINE).unwrap_err().to_string();
    assert!(
        error.starts_with("--engine fused: not covered: encoder.custom1 (low-rank mixing, rank 2)"),
        "{error}"
    );
}

#[test]
fn a_run_with_all_of_them_resumes_to_the_same_bits() {
    for (arch, groups) in [(LOW_RANK, vec![VELOCITY, "weights"]), (LINEAR, vec!["weights"])] {
        let Made { data, network, plan } = made(arch);
        let engines = engines();
        let def = engine::choose(&engines, "auto", &network, MACHINE).unwrap();
        let mut whole = built(def, &network, &plan, &data).unwrap();
        let (told, _) = trained(whole.as_mut(), &plan, &data, None).unwrap();
        assert_eq!((told.losses.len(), told.checkpoints.len(), told.finished), (6, 6, true), "{arch}");
        assert!(told.losses[5] < told.losses[0], "{arch}: {:?}", told.losses);

        let middle = told.checkpoints[2].clone();
        assert_eq!(middle.state.groups.keys().collect::<Vec<_>>(), groups, "{arch}");
        // 88 images train, in batches of eight.
        assert_eq!(middle.state.counter(STEPS), if groups.len() == 2 { 33 } else { 0 });
        let mut second = built(def, &network, &plan, &data).unwrap();
        let (rest, _) = trained(second.as_mut(), &plan, &data, Some(middle)).unwrap();
        assert_eq!(rest.losses, told.losses[3..], "{arch}");
        assert_eq!(rest.checkpoints.last().unwrap().state, told.checkpoints[5].state, "{arch}");
    }
}

#[test]
fn adams_state_is_not_taken_for_momentums() {
    let Made { data, network, plan } = made("4C3.same-MP2--8@8x8");
    let [adam, momentum] = ["eager", EXTENDED.name].map(|name| {
        let def = *engine::choose(&engines(), name, &network, MACHINE).unwrap();
        let mut engine = built(&def, &network, &plan, &data).unwrap();
        engine.begin_phase(0, &plan.phases[0]).unwrap();
        (engine.state().unwrap(), engine)
    });
    let (mut engine, error) = (momentum.1, "the state has no velocity of encoder.conv1.weight");
    assert_eq!(engine.restore(&adam.0).unwrap_err().message(), error);
    let both =
        adam.0.join(State::default().with(VELOCITY, momentum.0.group(VELOCITY).to_vec()).counting(STEPS, 0));
    let error = engine.restore(&both.unwrap()).unwrap_err();
    assert!(error.message().contains("'m', which the optimizer momentum does not keep"), "{error}");
    assert_eq!(MOMENTUM.name, "momentum");
}

/// Plain gradient descent in libtorch does what the engine does in plain Rust.
#[test]
fn softmax_regression_agrees_with_libtorch() {
    let Made { data, network, plan } = made(LINEAR);
    let descent =
        OptimizerDef { name: "descent", build: |params, _| Ok(Box::new(Momentum::new(0.0, params)?)) };
    let weights = fm_net::init::initial(&network, 0);
    let setup = Setup::new(&data, &plan, MACHINE);
    let mut torch = Eager::with(&network, &weights, setup, &parts(descent)).map_err(Error::from).unwrap();
    let mut plain = built(&softmax::SOFTMAX, &network, &plan, &data).unwrap();
    let (a, _) = trained(&mut torch, &plan, &data, None).unwrap();
    let (b, _) = trained(plain.as_mut(), &plan, &data, None).unwrap();
    assert!(a.losses.iter().zip(&b.losses).all(|(a, b)| (a - b).abs() < 1e-5), "{a:?} {b:?}");
    let rows: Vec<u32> = (0..30).collect();
    for want in [Want::Output, Want::Codes] {
        let of = |engine: &mut dyn Engine| engine.infer(Input::Rows(Source::Test, &rows), want).unwrap();
        let (x, y) = (of(&mut torch), of(plain.as_mut()));
        assert!(x.len() == y.len() && x.iter().zip(&y).all(|(x, y)| (x - y).abs() < 1e-4), "{want:?}");
        assert_eq!(y, plain.infer(Input::Images(&data.test.images), want).unwrap());
    }
}
