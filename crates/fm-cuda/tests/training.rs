//! Training on the emulated device: what must not change a bit.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests assert")]

mod made;

use fm_cuda::driver::{ComputeMode, DeviceInfo};
use fm_cuda::{Error, Kept, Trainer, Tuning};
use fm_cuda_emulated::Emulated;
use fm_kernels::{Method, Recipe, Scope};

use crate::made::{Bench, cases, network};

#[test]
fn a_seed_among_others_is_the_seed_alone() {
    for (network, _, batch) in cases() {
        let what = format!("{network:?}");
        let bench = Bench::new(Emulated::new(&[]), network, 2 * batch + 4);
        let together = bench.train(&[1, 2, 3], Tuning::for_seeds(32), batch, 3).unwrap();
        for (seed, among) in (1..).zip(together) {
            let alone = bench.train(&[seed], Tuning::for_seeds(1), batch, 3).unwrap().remove(0);
            assert!(alone == among, "seed {seed} of {what}: {:?} {:?}", alone.1, among.1);
        }
    }
}

#[test]
fn seeds_that_train_otherwise_or_longer_are_each_alone() {
    let bench = Bench::new(Emulated::new(&[]), network(16, &[5, 6], &[6, 3]), 20);
    let keras = Recipe::default();
    let courses = [
        (1, keras, 9),
        (2, Recipe { scope: Scope::Head, ..keras }, 5),
        (3, Recipe { method: Method::Sgd { momentum: 0.9 }, ..keras }, 2),
        (4, Recipe { average: Some(0.9), smoothing: 0.1, ..keras }, 9),
        (5, keras, 0),
        (6, Recipe { method: Method::PYTORCH, weight_decay: 0.1, ..keras }, 7),
        (7, Recipe { scope: Scope::Encoder, ..keras }, 6),
        (8, keras, 3),
    ];
    let tuning = |seeds| Tuning { graph: 2, ..Tuning::for_seeds(seeds) };
    let together = bench.train_each(&courses, tuning(32), 4).unwrap();
    for (course, among) in courses.iter().zip(together) {
        let alone = bench.train_each(&[*course], tuning(1), 4).unwrap().remove(0);
        assert_eq!(alone.1.len(), course.2);
        assert!(alone == among, "seed {}: {:?} {:?}", course.0, alone.1, among.1);
    }
}

#[test]
fn a_method_without_kernels_is_refused() {
    let bench = Bench::new(Emulated::new(&[]), network(16, &[5, 6], &[6, 3]), 20);
    let muon = Recipe { method: Method::Muon { momentum: 0.95 }, ..Recipe::default() };
    let refused = bench.train_each(&[(1, muon, 2)], Tuning::for_seeds(1), 4);
    assert!(matches!(refused, Err(Error::Unsupported(_))), "{refused:?}");
}

#[test]
fn so_many_seeds_fill_a_device_as_have_room() {
    let device = |multiprocessors, memory| DeviceInfo {
        index: 0,
        name: "a GPU".to_owned(),
        capability: (9, 0),
        memory,
        multiprocessors,
        shared_per_block_optin: 99 << 10,
        compute_mode: ComputeMode::Shared,
        clock_khz: 0,
        l2_bytes: 0,
    };
    let cnn = network(28, &[32, 64, 64], &[128, 10]);
    let filling = |device, kept| Trainer::filling(&device, &cnn, 32, 60_000, kept).unwrap();
    let (large, small) = (140 << 30, 1 << 30);
    // 32 images are as many blocks of the launch that has the fewest.
    assert_eq!(filling(device(132, large), Kept::Nothing), 17);
    assert_eq!(filling(device(16, large), Kept::Nothing), 2);
    assert_eq!(filling(device(1, large), Kept::Nothing), 1);
    // Half a GiB holds 10 epochs of augmented images, and not that of a chip which has no memory.
    assert_eq!(filling(device(132, small), Kept::Images), 10);
    assert_eq!(filling(device(132, 0), Kept::Codes), 1);
}

#[test]
fn graphs_are_the_launches_that_they_record() {
    let bench = Bench::new(Emulated::new(&[]), network(14, &[4, 6], &[8, 3]), 20);
    let [graphs, plain] = [50, 1000]
        .map(|graph| bench.train(&[5], Tuning { graph, ..Tuning::for_seeds(1) }, 4, 500).unwrap().remove(0));
    assert!(graphs == plain && plain.1.len() == 500);
    let first: f32 = plain.1[..5].iter().map(|s| s.loss).sum();
    let last: f32 = plain.1[495..].iter().map(|s| s.loss).sum();
    assert!(last < first, "{first} {last}");
}
