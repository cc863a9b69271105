//! Barriers of the kernels: none is missing, and none is more than is needed.
//!
//! The emulated driver watches the accesses of all threads and knows which of them barriers put in order. With all
//! barriers there must be no race. With any one of them taken out there must be one, or bits must change.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests assert")]

mod made;

use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use fm_cuda::Tuning;
use fm_cuda_emulated::Emulated;

use crate::made::{Bench, Run, cases};

/// One seed's training and scores, with a barrier taken out where one is given.
fn train(case: usize, without: &str) -> (Result<Vec<Run>, String>, usize) {
    let (network, seeds, batch) = cases().swap_remove(case);
    let bench = Bench::new(Emulated::watched(&[("WITHOUT", without)]), network, batch + 1);
    let ran = bench.train(&[7], Tuning::for_seeds(seeds), batch, 2).map_err(|e| e.to_string());
    (ran, bench.driver.passed())
}

/// All barriers of the kernels, as `file:line`.
fn barriers() -> Vec<String> {
    let kernels = Path::new(env!("CARGO_MANIFEST_DIR")).join("kernels");
    let mut found = Vec::new();
    for entry in std::fs::read_dir(kernels).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        if name == "emulate.h" || path.extension() != Some("h".as_ref()) {
            continue;
        }
        for (number, line) in (1..).zip(std::fs::read_to_string(&path).unwrap().lines()) {
            let here = line.matches("__syncthreads()").count() + line.matches("__syncwarp()").count();
            assert!(here < 2, "{name}:{number}: two barriers in a line cannot be told apart");
            found.extend((here == 1).then(|| format!("{name}:{number}")));
        }
    }
    found.sort();
    found
}

#[test]
fn every_barrier_is_there_and_is_needed() {
    let whole: Vec<_> = (0..cases().len()).map(|case| train(case, "").0.unwrap()).collect();
    let (barriers, next, needless) = (barriers(), AtomicUsize::new(0), Mutex::new(Vec::new()));
    let take = || {
        while let Some(barrier) = barriers.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut passed = 0;
            let caught = (0..whole.len()).find(|&case| {
                let (ran, past) = train(case, barrier);
                passed += past;
                ran.as_ref() != Ok(&whole[case])
            });
            println!("{barrier}: case {caught:?}, {passed} threads went past");
            assert!(passed > 0, "{barrier}: no case reaches it");
            needless.lock().unwrap().extend(caught.is_none().then_some(barrier.as_str()));
        }
    };
    // Each driver is a library of its own, and uses one thread while it watches.
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(take);
        }
    });
    let needless = needless.into_inner().unwrap();
    println!(
        "{} of {} barriers that were taken out are caught",
        barriers.len() - needless.len(),
        barriers.len()
    );
    assert!(needless.is_empty(), "not caught: {needless:?}");
}
