//! Bit-identity over threads and over a resume, frozen parts, codes, and refusals.

use crate::common::{data, params};
use fm_kernels::{Betas, Error, Isa, Method, Moments, Network, Options, Recipe, Scope, Totals, Trainer};
use proptest::prelude::*;

const COUNT: usize = 100;

fn bits(x: &[f32]) -> Vec<u32> {
    x.iter().map(|x| x.to_bits()).collect()
}

fn trainer(net: &Network, threads: usize, isa: Isa) -> Trainer {
    let options = Options { threads, isa: Some(isa), max_batch: 33 };
    Trainer::new(net, options, &params(net, 5)).unwrap()
}

fn recipes() -> [Recipe; 2] {
    let muon = Method::Muon { momentum: 0.95 };
    [Recipe::default(), Recipe { method: muon, weight_decay: 0.1, average: Some(0.9), ..Recipe::default() }]
}

/// Batches of 33, 33, 33 and 1.
fn epoch(trainer: &mut Trainer, images: &[u8], labels: &[u8]) {
    let rows: Vec<u32> = (0..COUNT as u32).map(|i| i * 37 % COUNT as u32).collect();
    for batch in rows.chunks(33) {
        trainer.step(images, labels, batch).unwrap();
    }
}

#[derive(PartialEq, Debug)]
struct Outcome {
    params: Vec<u32>,
    moments: Moments,
    totals: Totals,
    scores: Vec<u32>,
    codes: Vec<u32>,
}

fn outcome(trainer: &mut Trainer, images: &[u8]) -> Outcome {
    let rows: Vec<u32> = (0..COUNT as u32).collect();
    let net = trainer.network().clone();
    let mut scores = vec![0.0; COUNT * net.classes()];
    let mut codes = vec![0.0; COUNT * net.features().unwrap()];
    trainer.evaluate(images, &rows, &mut scores).unwrap();
    trainer.encode(images, &rows, &mut codes).unwrap();
    let (params, moments, totals) = (bits(&trainer.params()), trainer.moments(), trainer.drain());
    Outcome { params, moments, totals, scores: bits(&scores), codes: bits(&codes) }
}

#[test]
fn threads_do_not_show() {
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        for net in [Network::cnn(28, 28, 10), Network::encoder_mlp(28, 28, 47)] {
            let (images, labels) = data(&net, COUNT, 11);
            let mut firsts = [None, None];
            for (which, threads) in [0, 1].into_iter().flat_map(|which| (1..=4).map(move |n| (which, n))) {
                let (recipe, first) = (recipes()[which], &mut firsts[which]);
                let mut trainer = trainer(&net, threads, isa);
                trainer.begin(recipe).unwrap();
                assert_eq!(trainer.threads(), threads);
                epoch(&mut trainer, &images, &labels);
                epoch(&mut trainer, &images, &labels);
                let outcome = outcome(&mut trainer, &images);
                assert_eq!(outcome.totals.images, 2 * COUNT as u64);
                match first {
                    None => *first = Some(outcome),
                    Some(first) => assert!(*first == outcome, "{isa} {threads} threads, {recipe:?}"),
                }
            }
        }
    }
}

#[test]
fn a_resume_does_not_show() {
    let net = Network::encoder_mlp(28, 28, 10);
    let (images, labels) = data(&net, COUNT, 12);
    for recipe in recipes() {
        let mut straight = trainer(&net, 2, Isa::detect());
        straight.begin(recipe).unwrap();
        epoch(&mut straight, &images, &labels);
        straight.drain();
        let (params, moments, average) = (straight.params(), straight.moments(), straight.average());
        assert_eq!(moments.step, 4);
        epoch(&mut straight, &images, &labels);
        let mut resumed = trainer(&net, 1, Isa::detect());
        resumed.begin(recipe).unwrap();
        resumed.set_params(&params).unwrap();
        resumed.set_moments(&moments).unwrap();
        resumed.set_average(&average).unwrap();
        epoch(&mut resumed, &images, &labels);
        assert!(bits(&straight.average()) == bits(&resumed.average()), "{recipe:?}");
        assert!(outcome(&mut straight, &images) == outcome(&mut resumed, &images), "{recipe:?}");
    }
}

#[test]
fn codes_train_the_head_as_images_do() {
    for net in [Network::cnn(28, 28, 10), Network::encoder_mlp(30, 28, 10)] {
        let (images, labels) = data(&net, COUNT, 13);
        let rows: Vec<u32> = (0..COUNT as u32).collect();
        let adam = Recipe { scope: Scope::Head, ..Recipe::default() };
        let mut by_image = trainer(&net, 2, Isa::detect());
        by_image.begin(adam).unwrap();
        let mut by_code = trainer(&net, 2, Isa::detect());
        by_code.begin(adam).unwrap();
        let mut codes = vec![0.0; COUNT * net.features().unwrap()];
        by_code.encode(&images, &rows, &mut codes).unwrap();
        for batch in rows.chunks(32) {
            by_image.step(&images, &labels, batch).unwrap();
            by_code.step_codes(&codes, &labels, batch).unwrap();
        }
        assert!(by_image.drain() == by_code.drain());
        assert!(bits(&by_image.params()) == bits(&by_code.params()));
        let mut scores = [vec![0.0; COUNT * 10], vec![0.0; COUNT * 10]];
        by_image.evaluate(&images, &rows, &mut scores[0]).unwrap();
        by_code.evaluate_codes(&codes, &rows, &mut scores[1]).unwrap();
        assert!(bits(&scores[0]) == bits(&scores[1]));
        // After the head alone, the encoder must train with up-to-date weights.
        let (params, mut fresh) = (by_image.params(), trainer(&net, 1, Isa::detect()));
        fresh.set_params(&params).unwrap();
        by_image.begin(Recipe::default()).unwrap();
        epoch(&mut by_image, &images, &labels);
        epoch(&mut fresh, &images, &labels);
        assert!(bits(&by_image.params()) == bits(&fresh.params()));
    }
}

#[test]
fn a_lost_run_is_flagged() {
    let net = Network::cnn(28, 28, 10);
    let (images, labels) = data(&net, 8, 14);
    let mut trainer = trainer(&net, 1, Isa::detect());
    trainer.step(&images, &labels, &[0, 1, 2]).unwrap();
    assert!(!trainer.drain().non_finite);
    for (place, value) in [(0, f32::NAN), (5000, f32::INFINITY), (65_000, f32::NAN)] {
        let mut params = params(&net, 5);
        params[place] = value;
        trainer.set_params(&params).unwrap();
        trainer.step(&images, &labels, &[0, 1, 2]).unwrap();
        assert!(trainer.drain().non_finite, "{value} at {place}");
    }
}

#[test]
fn weights_that_were_no_numbers_leave_nothing_behind() {
    // Widths that are padded: 20 of 32 lanes.
    let net = Network { height: 14, width: 14, conv: vec![20, 20], dense: vec![20, 3] };
    let (images, labels) = data(&net, 40, 16);
    let rows: Vec<u32> = (0..40).collect();
    let good = params(&net, 6);
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let (mut fresh, mut used) = (trainer(&net, 1, isa), trainer(&net, 1, isa));
        used.set_params(&vec![f32::NAN; good.len()]).unwrap();
        used.step(&images, &labels, &rows[..30]).unwrap();
        let mut codes = vec![0.0; 40 * net.features().unwrap()];
        used.encode(&images, &rows, &mut codes).unwrap();
        for trainer in [&mut fresh, &mut used] {
            trainer.set_params(&good).unwrap();
            trainer.begin(Recipe { scope: Scope::Head, ..Recipe::default() }).unwrap();
        }
        fresh.encode(&images, &rows, &mut codes).unwrap();
        fresh.step_codes(&codes, &labels, &rows[..30]).unwrap();
        used.step_codes(&codes, &labels, &rows[..30]).unwrap();
        let mut scores = [vec![0.0; 40 * 3], vec![0.0; 40 * 3]];
        fresh.evaluate_codes(&codes, &rows, &mut scores[0]).unwrap();
        used.evaluate_codes(&codes, &rows, &mut scores[1]).unwrap();
        assert!(scores[0].iter().all(|score| score.is_finite()));
        assert_eq!(bits(&scores[0]), bits(&scores[1]), "{isa}");
        assert!(bits(&fresh.params()) == bits(&used.params()), "{isa}");
    }
}

#[test]
fn a_batch_that_memory_cannot_hold_is_an_error() {
    let net = Network::cnn(28, 28, 10);
    let params = params(&net, 5);
    let new = |max_batch| {
        let options = Options { threads: 1, isa: None, max_batch };
        Trainer::new(&net, options, &params).err()
    };
    assert!(matches!(new(1 << 31), Some(Error::Memory { .. })));
    for max_batch in [0, (1 << 31) + 1, usize::MAX] {
        assert_eq!(new(max_batch), Some(Error::Batch { got: max_batch, max: 1 << 31 }));
    }
}

#[test]
fn refusals_change_nothing() {
    let net = Network::cnn(28, 28, 10);
    let (images, mut labels) = data(&net, 40, 15);
    let mut trainer = trainer(&net, 2, Isa::detect());
    let before = trainer.params();
    let step = |trainer: &mut Trainer, rows: &[u32]| trainer.step(&images, &labels, rows).unwrap_err();
    assert_eq!(step(&mut trainer, &[]), Error::Batch { got: 0, max: 33 });
    assert_eq!(step(&mut trainer, &[0; 34]), Error::Batch { got: 34, max: 33 });
    assert_eq!(step(&mut trainer, &[3, 40]), Error::Row { row: 40, rows: 40 });
    assert!(matches!(trainer.step(&images, &labels[1..], &[0]), Err(Error::Length { .. })));
    assert!(matches!(trainer.step(&images[1..], &labels, &[0]), Err(Error::Length { .. })));
    assert!(matches!(trainer.step_codes(&[0.0; 64], &[0], &[0]), Err(Error::Scope)));
    assert!(matches!(trainer.evaluate(&images, &[0], &mut [0.0; 9]), Err(Error::Length { .. })));
    assert!(matches!(trainer.encode(&images, &[0], &mut [0.0; 65]), Err(Error::Length { .. })));
    labels[7] = 10;
    assert_eq!(trainer.step(&images, &labels, &[7]), Err(Error::Label { label: 10, classes: 10 }));
    let wild = Recipe { lr_head: f64::NAN, ..Recipe::default() };
    assert!(matches!(trainer.begin(wild), Err(Error::Recipe(_))));
    for eps in [0.0, -1e-7, 1e-40, 1e40, f64::INFINITY, f64::NAN] {
        let method = Method::Adam(Betas { beta1: 0.9, beta2: 0.999, eps });
        assert!(
            matches!(trainer.begin(Recipe { method, ..Recipe::default() }), Err(Error::Recipe(_))),
            "{eps}"
        );
    }
    assert_eq!(bits(&before), bits(&trainer.params()));
    assert_eq!(trainer.moments().step, 0);
}

#[test]
fn impossible_networks_are_refused() {
    let new = |net: &Network| Trainer::new(net, Options::default(), &[]).err();
    let small = Network::cnn(21, 28, 10);
    assert!(matches!(new(&small), Some(Error::Network(_))), "21 rows leave nothing to the third block");
    assert!(matches!(new(&Network::cnn(28, 28, 1)), Some(Error::Unsupported(_))));
    assert!(matches!(new(&Network::cnn(28, 28, 257)), Some(Error::Unsupported(_))));
    let net = Network { conv: vec![], ..Network::cnn(28, 28, 10) };
    assert!(matches!(new(&net), Some(Error::Unsupported(_))));
    // What `check` lets through can be made: engines ask it.
    assert!(matches!(Network::encoder_mlp(1024, 1024, 10).check(), Err(Error::Unsupported(_))));
    assert_eq!(
        new(&Network::cnn(28, 28, 10)),
        Some(Error::Length { what: "parameters", got: 0, want: 65_354 })
    );
    assert_eq!(Network::encoder_mlp(28, 28, 10).parameters(), Ok(123_690));
    assert_eq!("avx1024".parse::<Isa>(), Err(Error::UnknownIsa("avx1024".to_owned())));
    assert_eq!("avx2".parse::<Isa>(), Ok(Isa::Avx2));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Any small network either trains to finite numbers or is refused; nothing panics.
    #[test]
    fn any_network_trains_or_is_refused(
        height in 1_usize..30, width in 1_usize..30,
        conv in prop::collection::vec(1_usize..40, 0..4),
        dense in prop::collection::vec(1_usize..40, 0..4),
        batch in 1_usize..20, threads in 1_usize..4,
    ) {
        let net = Network { height, width, conv, dense };
        let options = Options { threads, isa: None, max_batch: batch };
        let start = match net.parameters() {
            Ok(_) if !net.conv.is_empty() && net.classes() > 1 => params(&net, 1),
            _ => vec![],
        };
        if let Ok(mut trainer) = Trainer::new(&net, options, &start) {
            let (images, labels) = data(&net, batch, 2);
            let rows: Vec<u32> = (0..batch as u32).collect();
            trainer.step(&images, &labels, &rows).unwrap();
            trainer.step(&images, &labels, &rows[..batch.div_ceil(2)]).unwrap();
            prop_assert!(trainer.params().iter().all(|x| x.is_finite()));
            prop_assert!(!trainer.drain().non_finite);
        }
    }
}
