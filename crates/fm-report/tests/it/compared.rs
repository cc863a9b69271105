//! Comparisons from answers to sentence.

use std::time::Instant;

use fm_report::stats::{Answer, Comparison, Family, Group, Run, Verdict, detectable};
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
    let there = Comparison::new(&cnn, &mlp).unwrap();
    let back = Comparison::new(&mlp, &cnn).unwrap();
    assert!((there.difference() + back.difference()).abs() < 1e-12);
    let verdict = there.judge(Family::ONE);
    assert!(there.paired && verdict.p < 0.05 && verdict.answer == Answer::Better, "{verdict:?}");
    assert_eq!(verdict.p.to_bits(), back.judge(Family::ONE).p.to_bits());
    for text in [&verdict.sentence, &back.judge(Family::ONE).sentence] {
        assert!(text.starts_with("encoder-mlp beats cnn by "), "{text}");
        assert!(text.contains(" points (95 % interval ") && text.contains("; 5 seeds, paired)"), "{text}");
    }
    let shown: f64 = verdict.sentence.split(' ').nth(4).unwrap().parse().unwrap();
    assert!((shown - 100.0 * there.difference()).abs() <= 0.05, "{shown}");
}

#[test]
fn what_is_not_shown_is_undecided_and_says_what_would_be_found() {
    let (a, b) = (group("a", 0..3, 2_000, 0.88, 0.08), group("b", 0..3, 2_000, 0.89, 0.08));
    let comparison = Comparison::new(&a, &b).unwrap();
    let verdict = comparison.judge(Family::ONE);
    assert_eq!((verdict.answer, verdict.equivalent), (Answer::Undecided, false), "{verdict:?}");
    let text = &verdict.sentence;
    assert!(text.starts_with("a and b: undecided; ") && text.contains("; 3 seeds, paired)"), "{text}");
    assert!(text.ends_with(" points would be found in 80 % of cases"), "{text}");
    let test = comparison.test();
    let least = detectable(test.standard_error, test.df, 0.05);
    assert_eq!(verdict.detectable, Some(least));
}

#[test]
fn equal_models_are_equivalent_where_the_data_suffice() {
    let (a, b) = (group("a", 0..8, 20_000, 0.90, 0.0), group("b", 0..8, 20_000, 0.90, 0.0));
    let verdict = Comparison::new(&a, &b).unwrap().judge(Family { margin: 0.01, ..Family::ONE });
    assert_eq!(verdict.answer, Answer::Equivalent, "{verdict:?}");
    assert!(verdict.sentence.contains("a and b are equivalent within 1 points"), "{}", verdict.sentence);
    // Interval and p are of one family: the interval at the level of two one-sided tests lies within the margin.
    let stricter = Comparison::new(&a, &b).unwrap().judge(Family { margin: 0.0001, ..Family::ONE });
    assert_eq!(stricter.answer, Answer::Undecided);
}

#[test]
fn one_seed_beats_nothing_however_clear() {
    let comparison =
        Comparison::new(&group("a", 0..1, 5_000, 0.80, 0.0), &group("b", 0..1, 5_000, 0.90, 0.0));
    let comparison = comparison.unwrap();
    assert!(comparison.mcnemar[0].1.exact < 1e-6 && comparison.crossed.is_none());
    let verdict = comparison.judge(Family::ONE);
    let text = &verdict.sentence;
    assert!(text.contains("for these seeds") && text.contains("two or more seeds"), "{text}");
    assert!(verdict.answer == Answer::Undecided && !text.contains("beats"), "{text}");
}

#[test]
fn other_seeds_are_not_paired() {
    let comparison =
        Comparison::new(&group("a", 0..4, 1_000, 0.85, 0.0), &group("b", 4..10, 1_000, 0.90, 0.0));
    let comparison = comparison.unwrap();
    assert!(!comparison.paired && comparison.paired_t.is_none() && comparison.mcnemar.is_empty());
    assert!(comparison.welch.is_some() && comparison.crossed.is_some());
    let text = comparison.judge(Family::ONE).sentence;
    assert!(text.contains("; 4 and 6 seeds)"), "{text}");
}

#[test]
fn order_of_runs_does_not_matter() {
    let (a, mut b) = (group("a", 0..4, 300, 0.85, 0.0), group("b", 0..4, 300, 0.90, 0.0));
    let sorted = Comparison::new(&a, &b).unwrap();
    b.runs.reverse();
    assert_eq!(Comparison::new(&a, &b).unwrap(), sorted);
}

#[test]
fn several_comparisons_are_harder_to_win() {
    let (a, b) = (group("a", 0..5, 2_000, 0.87, 0.0), group("b", 0..5, 2_000, 0.90, 0.0));
    let comparison = Comparison::new(&a, &b).unwrap();
    let alone = comparison.judge(Family::ONE);
    assert_eq!(alone.answer, Answer::Better, "{alone:?}");
    let many = Family { comparisons: (0.06 / alone.p).ceil() as usize, ..Family::ONE };
    let verdict = comparison.judge(many);
    assert_ne!(verdict.answer, Answer::Better, "{verdict:?}");
    assert!(verdict.sentence.contains(&format!("both for {} comparisons together", many.comparisons)));
    // The interval says the same as p.
    for comparisons in [1, 3, 10, many.comparisons, 10_000] {
        let Verdict { interval, p, .. } = comparison.judge(Family { comparisons, ..Family::ONE });
        assert_eq!(interval.low > 0.0 || interval.high < 0.0, p < 0.05, "{comparisons}");
    }
}

/// However many groups there are, a difference of many points is one.
#[test]
fn no_number_of_comparisons_hides_a_large_difference() {
    let (a, b) = (group("a", 0..3, 1_000, 0.2, 0.0), group("b", 0..3, 1_000, 0.95, 0.0));
    let verdict = Comparison::new(&a, &b).unwrap().judge(Family { comparisons: 253, ..Family::ONE });
    assert_eq!(verdict.answer, Answer::Better, "{verdict:?}");
}

#[test]
fn what_cannot_be_compared_is_named() {
    let (a, b) = (group("a", 0..2, 10, 0.8, 0.0), group("b", 0..2, 12, 0.8, 0.0));
    let message = |first: &Group, second: &Group| Comparison::new(first, second).unwrap_err().to_string();
    assert_eq!(message(&a, &b), "runs were tested on 10 and on 12 items");
    let mut twice = a.clone();
    twice.runs[1].seed = 0;
    assert_eq!(message(&a, &twice), "a has two runs with seed 0");
    assert_eq!(message(&a, &Group { name: "none".to_owned(), runs: vec![] }), "no results to compare");
}

/// Ten seeds, 10,000 items.
#[test]
fn a_full_comparison_takes_seconds() {
    let (a, b) = (group("a", 0..10, 10_000, 0.89, 0.01), group("b", 0..10, 10_000, 0.90, 0.01));
    let start = Instant::now();
    let comparison = Comparison::new(&a, &b).unwrap();
    let seconds = start.elapsed().as_secs_f64();
    println!("{seconds:.2} s: {}", comparison.judge(Family::ONE).sentence);
    // Far above what it takes, for slow and busy machines.
    assert!(seconds < 60.0, "{seconds} s");
}
