//! Whole steps: bits over threads and over a resume, what moves and what does not.

use fm_kernels::{Error, GraphTrainer, Isa, Method, Recipe, Scope, Totals};
use fm_net::{Draws, Role};

use crate::case::{Case, DRAWS, SET};

const NETWORKS: [&str; 5] = [
    "5C3.same.bn-MP2-6R3.s2-GAP--6-D20@13x12",
    "4C3.same.ws.bn-DW3.same.bn-8DS3.s2.se2-D30--7@10x9x3",
    "17C3.gn1-18C5.same.silu-AP2--33@12x12",
    "4C3.same.pre.bn-6IR3.e2-SD20-GMP@8x8",
    "20C3.same.bn-3x20R3-GAP@14x14",
];

fn recipes() -> [Recipe; 2] {
    let muon = Method::Muon { momentum: 0.95 };
    [Recipe::default(), Recipe { method: muon, weight_decay: 0.1, ..Recipe::default() }]
}

fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|v| v.to_bits()).collect()
}

fn train(trainer: &mut GraphTrainer, case: &Case, steps: std::ops::Range<u64>) {
    for step in steps {
        let rows: Vec<u32> =
            (0..[33, 40, 16, 5][step as usize % 4]).map(|i| (i * 7 + step as u32) % 40).collect();
        let draws = Draws { step, ..DRAWS };
        trainer.step(&case.images, &case.labels, &rows, &draws).unwrap();
    }
}

fn outputs(trainer: &mut GraphTrainer, case: &Case) -> Vec<f32> {
    let rows: Vec<u32> = (0..SET as u32).collect();
    let mut out = vec![0.0; SET * trainer.output_len()];
    trainer.evaluate(&case.images, &rows, &mut out).unwrap();
    out
}

#[test]
fn bits_do_not_depend_on_threads() {
    for case in NETWORKS.map(Case::new).into_iter().chain([Case::mirror("5C3-MP2-6C3-MP2@14x15")]) {
        let run = |recipe: Recipe, threads: usize| {
            let mut trainer = case.trainer(Isa::detect(), threads);
            trainer.begin(recipe).unwrap();
            train(&mut trainer, &case, 0..6);
            let totals: Totals = trainer.drain();
            let moments = trainer.moments();
            let out = outputs(&mut trainer, &case);
            (
                bits(&trainer.params()),
                bits(&moments.m),
                bits(&moments.v),
                totals.loss.to_bits(),
                totals.correct,
                bits(&out),
            )
        };
        for recipe in recipes() {
            let one = run(recipe, 1);
            for threads in [2, 3, 4, 7] {
                let label = case.network.label();
                assert!(run(recipe, threads) == one, "{label} with {threads} threads, {recipe:?}");
            }
        }
    }
}

#[test]
fn a_resumed_phase_ends_with_the_same_bits() {
    for (arch, recipe) in NETWORKS.into_iter().flat_map(|arch| recipes().map(|recipe| (arch, recipe))) {
        let case = Case::new(arch);
        let [mut whole, mut first, mut second] = [(); 3].map(|()| {
            let mut trainer = case.trainer(Isa::detect(), 2);
            trainer.begin(recipe).unwrap();
            trainer
        });
        train(&mut whole, &case, 0..6);
        train(&mut first, &case, 0..3);
        let (params, moments) = (first.params(), first.moments());
        second.set_params(&params).unwrap();
        second.set_moments(&moments).unwrap();
        assert_eq!((bits(&second.params()), second.moments()), (bits(&params), moments), "{arch}");
        train(&mut second, &case, 3..6);
        assert!(bits(&second.params()) == bits(&whole.params()), "{arch}");
        assert!(second.moments() == whole.moments(), "{arch}");
        assert!(outputs(&mut second, &case) == outputs(&mut whole, &case), "{arch}");
    }
}

#[test]
fn exactly_the_scope_moves() {
    for arch in NETWORKS {
        let case = Case::new(arch);
        let scopes = [Scope::All, Scope::Encoder, Scope::Head];
        for (scope, recipe) in scopes.into_iter().flat_map(|scope| recipes().map(|recipe| (scope, recipe))) {
            let mut trainer = case.trainer(Isa::detect(), 2);
            trainer.begin(Recipe { scope, ..recipe }).unwrap();
            train(&mut trainer, &case, 0..2);
            let (after, mut at) = (trainer.params(), 0);
            for spec in case.network.tensors() {
                let range = at..at + spec.count();
                at = range.end;
                let encoder = spec.name.starts_with("encoder");
                let trains = scope == Scope::All || (scope == Scope::Encoder) == encoder;
                let moved = after[range.clone()] != case.params[range];
                // A filter with one standardised weight and the like may stand still; a buffer never does.
                assert!(moved == trains || (trains && spec.role == Role::Trained), "{arch}: {}", spec.name);
                assert!(!moved || trains, "{arch}: {}", spec.name);
            }
        }
    }
}

#[test]
fn a_scope_without_tensors_is_scored_and_stays() {
    for (arch, scope) in [("MP2-GAP--5@8x8", Scope::Encoder), ("AP2-SD20@6x6", Scope::Encoder)] {
        let case = Case::new(arch);
        let mut trainer = case.trainer(Isa::detect(), 2);
        trainer.begin(Recipe { scope, ..Recipe::default() }).unwrap();
        train(&mut trainer, &case, 0..2);
        let totals = trainer.drain();
        assert!(totals.images == 73 && totals.loss > 0.0 && !totals.non_finite, "{arch}: {totals:?}");
        assert!(trainer.params() == case.params, "{arch}");
    }
}

#[test]
fn running_statistics_move_as_in_pytorch() {
    let case = Case::new("3C3.same.linear-3C1.pre.bn.linear@6x6");
    let mut trainer = case.trainer(Isa::detect(), 2);
    let rows: Vec<u32> = (0..19).collect();
    trainer.step(&case.images, &case.labels, &rows, &DRAWS).unwrap();
    let answer = case.reference(&rows, Some(fm_net::Scope::All));
    assert!(answer.loss.is_finite());
    let (after, mut at) = (trainer.params(), 0);
    for spec in case.network.tensors() {
        let range = at..at + spec.count();
        at = range.end;
        let near = |old: f32, new: f32| (new - old).abs() < 0.3 && new.to_bits() != old.to_bits();
        if spec.role == Role::Buffer {
            assert!(
                case.params[range.clone()].iter().zip(&after[range]).all(|(&a, &b)| near(a, b)),
                "{}",
                spec.name
            );
        }
    }
}

#[test]
fn codes_train_the_head_with_the_same_bits() {
    let case = Case::new("4C3.same.bn-MP2-6R3-D20--7-D30@9x9");
    let head = Recipe { scope: Scope::Head, ..Recipe::default() };
    let mut images = case.trainer(Isa::detect(), 2);
    let mut codes = case.trainer(Isa::detect(), 3);
    images.begin(head).unwrap();
    codes.begin(head).unwrap();
    let all: Vec<u32> = (0..SET as u32).collect();
    let mut kept = vec![0.0; SET * codes.code_len()];
    codes.encode(&case.images, &all, &mut kept).unwrap();
    for step in 0..4 {
        let (rows, draws) = (&all[step..20 + step], Draws { step: step as u64, ..DRAWS });
        images.step(&case.images, &case.labels, rows, &draws).unwrap();
        codes.step_codes(&kept, &case.labels, rows, &draws).unwrap();
    }
    assert!(bits(&images.params()) == bits(&codes.params()));
    let mut out = vec![0.0; SET * codes.output_len()];
    codes.evaluate_codes(&kept, &all, &mut out).unwrap();
    assert!(out == outputs(&mut images, &case));
}

#[test]
fn what_does_not_fit_is_refused() {
    let case = Case::new("4C3.same.bn-GAP@6x6");
    let mut trainer = case.trainer(Isa::detect(), 1);
    let before = bits(&trainer.params());
    let step = |trainer: &mut GraphTrainer, labels: &[u8], rows: &[u32]| {
        trainer.step(&case.images, labels, rows, &DRAWS).unwrap_err()
    };
    assert_eq!(step(&mut trainer, &case.labels, &[SET as u32]), Error::Row { row: SET as u32, rows: SET });
    assert_eq!(step(&mut trainer, &case.labels, &[]), Error::Batch { got: 0, max: SET });
    assert!(matches!(step(&mut trainer, &[9; SET], &[1]), Error::Label { label: 9, .. }));
    assert!(matches!(step(&mut trainer, &case.labels[1..], &[1]), Error::Length { .. }));
    assert!(bits(&trainer.params()) == before);
    let case = Case::new("4C6.bn@6x6");
    let mut trainer = case.trainer(Isa::detect(), 1);
    let error = trainer.step(&case.images, &case.labels, &[1], &DRAWS).unwrap_err();
    assert!(matches!(error, Error::OneValue(_)), "{error}");
}
