//! Training on the emulated device: what must not change a bit.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests assert")]

mod made;

use fm_cuda::Tuning;
use fm_cuda_emulated::Emulated;

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
fn graphs_are_the_launches_that_they_record() {
    let bench = Bench::new(Emulated::new(&[]), network(14, &[4, 6], &[8, 3]), 20);
    let [graphs, plain] = [50, 1000]
        .map(|graph| bench.train(&[5], Tuning { graph, ..Tuning::for_seeds(1) }, 4, 500).unwrap().remove(0));
    assert!(graphs == plain && plain.1.len() == 500);
    let first: f32 = plain.1[..5].iter().map(|s| s.loss).sum();
    let last: f32 = plain.1[495..].iter().map(|s| s.loss).sum();
    assert!(last < first, "{first} {last}");
}
