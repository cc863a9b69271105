//! How often `sweep run --until` ends falsely on real runs, and how soon it ends where there is a difference: the
//! tables in docs/sweeps.md.
//!
//! ```text
//! cargo run --release -p fm-report --example until [DIRECTORY …]
//! ```
//!
//! Seeds are drawn with replacement from the runs in each directory of results, once with the given test images and
//! once with images drawn with replacement too. Where both arms draw from one network there is no difference, and any
//! "better" is false. Where they draw from two, "smaller than" the very difference of the two is false. Looks go on to
//! the most seeds whatever was said before, so that nothing false is hidden by an earlier end.

use std::path::PathBuf;

use fm_report::stats::{Ending, Sequence, Settle};
use fm_report::{RunGroup, Wanted, collect};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const REPETITIONS: usize = 1_000;
const MOST_SEEDS: usize = 100;
const SETTLE: Settle = Settle { margin: 0.005, alpha: 0.05 };

/// What the runs of a group got right.
fn answers(group: &RunGroup) -> Vec<Vec<bool>> {
    let right = |run: &fm_report::RunResult| run.predictions.iter().map(|p| p.label == p.predicted).collect();
    group.runs.iter().map(right).collect()
}

fn below(draw: &mut ChaCha8Rng, n: usize) -> usize {
    ((u64::from(draw.next_u32()) * n as u64) >> 32) as usize
}

/// The first end of each kind, by number of seeds.
#[derive(Default)]
struct Ends {
    better: Option<usize>,
    smaller: Option<usize>,
}

fn repetition(arms: [&[Vec<bool>]; 2], settle: Settle, images: bool, draw: &mut ChaCha8Rng) -> Ends {
    let n = arms[0][0].len();
    let at: Vec<usize> = (0..n).map(|i| if images { below(draw, n) } else { i }).collect();
    let mut sequence = Sequence::new(settle, n);
    let mut ends = Ends::default();
    for seeds in 1..=MOST_SEEDS {
        let rows = arms.map(|arm| {
            let run = &arm[below(draw, arm.len())];
            at.iter().map(|&image| run[image]).collect::<Vec<_>>()
        });
        let said = sequence.push(&rows[0], &rows[1]).ending;
        let first = match said {
            Some(Ending::Better) => &mut ends.better,
            Some(Ending::Smaller) => &mut ends.smaller,
            None => continue,
        };
        first.get_or_insert(seeds);
    }
    ends
}

/// Shares of repetitions with an end of each kind, and the median number of seeds of the first end.
fn row(name: &str, arms: [&[Vec<bool>]; 2], settle: Settle, images: bool, number: u64) {
    let mut draw = ChaCha8Rng::seed_from_u64(number);
    let ends: Vec<Ends> = (0..REPETITIONS).map(|_| repetition(arms, settle, images, &mut draw)).collect();
    let share =
        |of: fn(&Ends) -> bool| 100.0 * ends.iter().filter(|e| of(e)).count() as f64 / REPETITIONS as f64;
    let first = |e: &Ends| e.better.into_iter().chain(e.smaller).min().unwrap_or(MOST_SEEDS + 1);
    let mut at: Vec<usize> = ends.iter().map(first).collect();
    at.sort_unstable();
    println!(
        "| {name} | {} | {:.2} | {:.1} % | {:.1} % | {} ({} to {}) |",
        if images { "drawn" } else { "given" },
        100.0 * settle.margin,
        share(|e| e.better.is_some()),
        share(|e| e.smaller.is_some()),
        at[REPETITIONS / 2],
        at[REPETITIONS / 10],
        at[REPETITIONS * 9 / 10],
    );
}

fn main() {
    let mut places: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    if places.is_empty() {
        places = ["reference-cpu", "sweep-cpu", "recipes-cpu/strong"]
            .map(|d| PathBuf::from("results").join(d))
            .into();
    }
    println!(
        "| {REPETITIONS} times drawn from | images | margin | ever \"better\" | ever \"smaller\" | seeds at the end |"
    );
    println!("|---|---|--:|--:|--:|--:|");
    let mut number = 0;
    for place in places {
        let found =
            collect(std::slice::from_ref(&place), &Wanted::default()).unwrap_or_else(|e| panic!("{e}"));
        let groups: Vec<(String, Vec<Vec<bool>>)> = found
            .groups
            .iter()
            .map(|g| (format!("{}, {} of {}", g.name, g.runs.len(), place.display()), answers(g)))
            .collect();
        for images in [false, true] {
            for (name, runs) in &groups {
                number += 1;
                row(&format!("{name}: against itself"), [runs, runs], SETTLE, images, number);
            }
            for (i, (first, a)) in groups.iter().enumerate() {
                for (second, b) in &groups[i + 1..] {
                    let accuracy = |runs: &[Vec<bool>]| {
                        let right = runs.iter().flatten().filter(|&&right| right).count();
                        right as f64 / (runs.len() * runs[0].len()) as f64
                    };
                    let difference = (accuracy(b) - accuracy(a)).abs();
                    number += 1;
                    row(&format!("{first} and {second}"), [a, b], SETTLE, images, number);
                    let edge = Settle { margin: difference, ..SETTLE };
                    row(&format!("{first} and {second}: the margin's edge"), [a, b], edge, images, number);
                }
            }
        }
        // As they were trained, seed by seed.
        for (i, (first, a)) in groups.iter().enumerate() {
            for (second, b) in &groups[i + 1..] {
                let mut sequence = Sequence::new(SETTLE, a[0].len());
                let looks: Vec<_> = a.iter().zip(b).map(|(a, b)| sequence.push(a, b)).collect();
                if let Some(look) = looks.iter().find(|look| look.ending.is_some()) {
                    let (low, high) = (100.0 * look.interval.low, 100.0 * look.interval.high);
                    eprintln!(
                        "{first} and {second}: {:?} after {} seeds, {low:.2} to {high:.2}",
                        look.ending, look.seeds
                    );
                } else {
                    eprintln!("{first} and {second}: undecided after {} seeds", looks.len());
                }
            }
        }
    }
}
