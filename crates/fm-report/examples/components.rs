//! How often the intervals of variance components hold the truth: the table in docs/observing.md.
//!
//! ```text
//! cargo run --release -p fm-report --example components [TRIALS]
//! ```
//!
//! Made designs of normal effects with known standard deviations, in points.

use fm_report::stats::{Component, components, normal_quantile};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Rows, columns, scores of each run; standard deviations of rows, columns, both together and the rest.
const CASES: [([usize; 3], [f64; 4]); 7] = [
    ([30, 30, 3], [0.10, 0.20, 0.15, 0.10]),
    ([30, 30, 3], [0.00, 0.20, 0.15, 0.10]),
    ([30, 30, 1], [0.10, 0.20, 0.00, 0.25]),
    ([10, 10, 3], [0.10, 0.20, 0.15, 0.10]),
    ([10, 10, 1], [0.30, 0.05, 0.00, 0.20]),
    ([5, 5, 2], [0.20, 0.20, 0.20, 0.20]),
    ([3, 20, 2], [0.30, 0.10, 0.05, 0.20]),
];

fn main() {
    let trials: usize = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(2000);
    println!(
        "| {trials} designs | deviations | rows | columns | together | rest |\n|---|---|--:|--:|--:|--:|"
    );
    for (size, sd) in CASES {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let mut hits = [0; 4];
        for _ in 0..trials {
            let Some(found) = components(&made(&mut rng, size, sd)) else { return };
            let parts = [Some(found.rows), Some(found.columns), found.pairs, Some(found.rest)];
            for ((hit, part), sd) in hits.iter_mut().zip(parts).zip(sd) {
                let holds = |c: Component| (c.interval.low..=c.interval.high).contains(&(sd * sd));
                *hit += usize::from(part.is_some_and(holds));
            }
        }
        let share = |hit: usize| format!("{:.1} %", 100.0 * hit as f64 / trials as f64);
        let mut cells = hits.map(share);
        if size[2] == 1 {
            cells[2].clear();
        }
        let [i, j, k] = size;
        println!(
            "| {i} by {j}, scores: {k} | {} | {} |",
            sd.map(|sd| sd.to_string()).join(", "),
            cells.join(" | ")
        );
    }
}

fn made(rng: &mut ChaCha8Rng, [i, j, k]: [usize; 3], sd: [f64; 4]) -> Vec<Vec<Vec<f64>>> {
    let mut draw = |sd: f64| sd * normal_quantile((f64::from(rng.next_u32()) + 0.5) / 2_f64.powi(32));
    let columns: Vec<f64> = (0..j).map(|_| draw(sd[1])).collect();
    let mut table = Vec::new();
    for _ in 0..i {
        let row = draw(sd[0]);
        let mut cells = Vec::new();
        for column in &columns {
            let cell = row + column + draw(sd[2]);
            cells.push((0..k).map(|_| cell + draw(sd[3])).collect());
        }
        table.push(cells);
    }
    table
}
