//! Comparisons from answers to sentence.

use std::time::Instant;

use fm_report::stats::{Comparison, Group, Needed, Run, holm};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Made-up runs: items of different difficulty, right with about probability `accuracy`, seeds that differ by
/// about `spread`. Items are the same whatever the name.
fn group(name: &str, seeds: std::ops::Range<u64>, items: usize, accuracy: f64, spread: f64) -> Group {
    let uniform = |rng: &mut ChaCha8Rng| f64::from(rng.next_u32()) / f64::from(u32::MAX);
    let mut rng = ChaCha8Rng::seed_from_u64(99);
    // Two thirds of the errors lie with the items.
    let hard: Vec<f64> = (0..items).map(|_| uniform(&mut rng)).collect();
    let run = |seed: u64| {
        let key = name.bytes().fold(seed, |key, byte| key.wrapping_mul(31).wrapping_add(u64::from(byte)));
        let mut rng = ChaCha8Rng::seed_from_u64(key);
        let error = 1.0 - accuracy + spread * (uniform(&mut rng) - 0.5);
        let right = |hard: &f64| 0.67 * hard + 0.33 * uniform(&mut rng) > error * 1.3;
        Run { seed, correct: hard.iter().map(right).collect() }
    };
    Group { name: name.to_owned(), runs: seeds.map(run).collect() }
}

#[test]
fn a_clear_difference_is_told_with_the_better_first() {
    let (cnn, mlp) = (group("cnn", 0..5, 2_000, 0.86, 0.0), group("encoder-mlp", 0..5, 2_000, 0.90, 0.0));
    let there = Comparison::new(&cnn, &mlp, 0).unwrap();
    let back = Comparison::new(&mlp, &cnn, 0).unwrap();
    assert!((there.difference() + back.difference()).abs() < 1e-12);
    assert!(there.paired && there.p() < 0.05, "{there:?}");
    for verdict in [there.verdict(None), back.verdict(None)] {
        assert!(verdict.starts_with("encoder-mlp beats cnn by "), "{verdict}");
        assert!(
            verdict.contains(" points (95 % interval ") && verdict.contains(", 5 seeds, p "),
            "{verdict}"
        );
    }
    let shown: f64 = there.verdict(None).split(' ').nth(4).unwrap().parse().unwrap();
    assert!((shown - 100.0 * there.difference()).abs() <= 0.05, "{shown}");
}

#[test]
fn no_difference_says_what_would_tell() {
    let verdict = |items, accuracy, spread| {
        let (a, b) = (group("a", 0..3, items, 0.88, spread), group("b", 0..3, items, accuracy, spread));
        let comparison = Comparison::new(&a, &b, 0).unwrap();
        assert!(comparison.p() > 0.05);
        (comparison.verdict(None), comparison.seeds_needed().unwrap())
    };
    let (text, needed) = verdict(2_000, 0.90, 0.08);
    assert!(
        text.starts_with("a and b are not distinguishable: ") && text.contains(" 3 seeds, p = "),
        "{text}"
    );
    let Needed::Seeds(n) = needed else { panic!("{needed:?}: {text}") };
    assert!(n > 3 && text.contains(&format!("; about {} more seed", n - 3)), "{n}: {text}");
    let (text, needed) = verdict(60, 0.88, 0.0);
    assert_eq!(needed, Needed::Never, "{text}");
    assert!(
        text.ends_with("; no number of seeds would tell: the test set is too small for such a difference")
    );
}

#[test]
fn one_seed_beats_nothing_however_clear() {
    let comparison =
        Comparison::new(&group("a", 0..1, 5_000, 0.80, 0.0), &group("b", 0..1, 5_000, 0.90, 0.0), 0);
    let comparison = comparison.unwrap();
    assert!(comparison.mcnemar[0].1.exact < 1e-6 && comparison.crossed.is_none());
    let verdict = comparison.verdict(None);
    assert!(
        verdict.contains("with these seeds") && verdict.contains("takes at least two seeds"),
        "{verdict}"
    );
    assert!(!verdict.contains("beats"), "{verdict}");
}

#[test]
fn other_seeds_are_not_paired() {
    let comparison =
        Comparison::new(&group("a", 0..4, 1_000, 0.85, 0.0), &group("b", 4..10, 1_000, 0.90, 0.0), 0);
    let comparison = comparison.unwrap();
    assert!(!comparison.paired && comparison.paired_t.is_none() && comparison.mcnemar.is_empty());
    assert!(comparison.welch.is_some() && comparison.crossed.is_some());
    assert!(comparison.verdict(None).contains("4 and 6 seeds"), "{}", comparison.verdict(None));
}

#[test]
fn order_of_runs_does_not_matter() {
    let (a, mut b) = (group("a", 0..4, 300, 0.85, 0.0), group("b", 0..4, 300, 0.90, 0.0));
    let sorted = Comparison::new(&a, &b, 5).unwrap();
    b.runs.reverse();
    assert_eq!(Comparison::new(&a, &b, 5).unwrap(), sorted);
}

#[test]
fn several_comparisons_are_harder_to_win() {
    let (a, b) = (group("a", 0..5, 2_000, 0.87, 0.0), group("b", 0..5, 2_000, 0.90, 0.0));
    let comparison = Comparison::new(&a, &b, 0).unwrap();
    assert!(comparison.verdict(None).contains("beats"), "{}", comparison.verdict(None));
    let adjusted = holm(&[&[comparison.p()], [0.6; 999].as_slice()].concat())[0];
    let verdict = comparison.verdict(Some(adjusted));
    assert!(
        verdict.contains("not distinguishable") && verdict.contains("after Holm's correction"),
        "{verdict}"
    );
}

#[test]
fn what_cannot_be_compared_is_named() {
    let (a, b) = (group("a", 0..2, 10, 0.8, 0.0), group("b", 0..2, 12, 0.8, 0.0));
    let message = |first: &Group, second: &Group| Comparison::new(first, second, 0).unwrap_err().to_string();
    assert_eq!(message(&a, &b), "runs were tested on 10 and on 12 items");
    let mut twice = a.clone();
    twice.runs[1].seed = 0;
    assert_eq!(message(&a, &twice), "a has two runs with seed 0");
    assert_eq!(message(&a, &Group { name: "none".to_owned(), runs: vec![] }), "no results to compare");
}

/// Ten seeds, 10,000 items, 10,000 replicates.
#[test]
fn a_full_comparison_takes_seconds() {
    let (a, b) = (group("a", 0..10, 10_000, 0.89, 0.01), group("b", 0..10, 10_000, 0.90, 0.01));
    let start = Instant::now();
    let comparison = Comparison::new(&a, &b, 0).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds:.2} s: {}", comparison.verdict(None));
    // Far above what it takes, for slow and busy machines.
    assert!(seconds < 60.0, "{seconds} s");
}
