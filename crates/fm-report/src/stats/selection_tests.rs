//! Numbers, and how often the best is lost.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::*;
use crate::stats::normal_quantile;

fn rule(keep: usize, tolerance: f64) -> Rule {
    Rule { keep, tolerance, level: 0.05 }
}

/// Of five configurations, the first four contending, with SciPy: residuals of the table, each configuration's noise,
/// and stats.t.ppf(1 - 0.05 / 4, 6).
#[test]
fn numbers_of_a_small_table() {
    let scores = [
        vec![0.871, 0.865, 0.880],
        vec![0.869, 0.866, 0.874],
        vec![0.850, 0.853, 0.861],
        vec![0.702, 0.661, 0.690],
        vec![0.868, 0.860, 0.871],
    ];
    let found = select(&scores, rule(1, 0.0)).unwrap();
    assert!((found.sd - 0.002_808_716_591_058_788_4).abs() < 1e-12, "{}", found.sd);
    let common = 0.006_808_111_418_309_6;
    let margins = [common, common, 0.007_110_057_977_221_823, 0.015_223_399_929_732_77, common];
    for (found, expected) in found.margins.iter().zip(margins) {
        assert!((found - expected).abs() < 1e-9, "{found}, expected {expected}");
    }
    assert_eq!(found.order, [0, 1, 4, 2, 3]);
    assert_eq!(found.kept, [true, true, false, false, true]);
    assert_eq!(select(&scores, rule(5, 0.0)).unwrap().kept, [true; 5]);
    // The last is 0.00567 below, of 0.00681: a tolerance of 0.0011 keeps it, 0.0012 does not.
    assert!(select(&scores, rule(1, 0.0011)).unwrap().kept[4]);
    assert!(!select(&scores, rule(1, 0.0012)).unwrap().kept[4]);
    assert_eq!(select(&scores, rule(1, 1.0)).unwrap().kept, [true, false, false, false, false]);
    // What a seed does to all changes nothing.
    let shifted = scores.clone().map(|row| vec![row[0] + 0.1, row[1], row[2] - 0.2]);
    let shifted = select(&shifted, rule(1, 0.0)).unwrap();
    assert!((shifted.sd - found.sd).abs() < 1e-12);
    assert_eq!(shifted.kept, found.kept);
}

#[test]
fn too_little_is_no_selection() {
    assert_eq!(select(&[], rule(1, 0.0)), None);
    assert_eq!(select(&[vec![0.5, 0.6]], rule(1, 0.0)), None);
    assert_eq!(select(&[vec![0.5], vec![0.6]], rule(1, 0.0)), None);
    assert_eq!(select(&[vec![0.5, 0.6], vec![0.6]], rule(1, 0.0)), None);
}

struct Normal(ChaCha8Rng);

impl Normal {
    fn draw(&mut self) -> f64 {
        normal_quantile((f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0)
    }
}

/// How often configuration 0 is dropped when noise of standard deviation 1 is added to what `truth` gives
/// each configuration: its mean, and its own noise. Seeds have effects of 3 on all.
fn dropped(truth: &[(f64, f64)], seeds: usize, rule: Rule, trials: u32) -> (f64, f64) {
    let mut normal = Normal(ChaCha8Rng::seed_from_u64(truth.len() as u64));
    let (mut dropped, mut kept) = (0, 0);
    for _ in 0..trials {
        let effects: Vec<f64> = (0..seeds).map(|_| 3.0 * normal.draw()).collect();
        let scores: Vec<Vec<f64>> = truth
            .iter()
            .map(|(mean, sd)| effects.iter().map(|e| mean + e + sd * normal.draw()).collect())
            .collect();
        let found = select(&scores, rule).unwrap();
        dropped += u32::from(!found.kept[0]);
        kept += found.kept.iter().filter(|kept| **kept).count();
    }
    (f64::from(dropped) / f64::from(trials), kept as f64 / f64::from(trials))
}

/// The level is kept where it is hardest, with all configurations alike but for the tolerance, and with many poor
/// ones that are constant or wild. Three standard errors of the simulation are allowed.
#[test]
fn the_best_is_dropped_no_more_often_than_the_level_says() {
    let alike = |n: usize| vec![(0.0, 1.0); n];
    let better = |by: f64, n: usize| [vec![(by, 1.0)], alike(n - 1)].concat();
    let with = |n: usize, mean: f64, sd: f64| [alike(24), vec![(mean, sd); n]].concat();
    let level = 0.05;
    let trials = 2000;
    for (what, truth, seeds, rule) in [
        ("64 alike", alike(64), 2, rule(22, 0.0)),
        ("27 alike", alike(27), 2, rule(9, 0.0)),
        ("9 alike", alike(9), 2, rule(3, 0.0)),
        ("3 alike", alike(3), 2, rule(1, 0.0)),
        ("27 alike, five seeds", alike(27), 5, rule(9, 0.0)),
        ("40 of 64 constant", with(40, -50.0, 0.0), 2, rule(22, 0.0)),
        ("40 of 64 wild", with(40, -50.0, 10.0), 2, rule(22, 0.0)),
        ("better by the tolerance", better(1.0, 27), 2, rule(9, 1.0)),
        ("better by the tolerance, three", better(1.0, 3), 2, rule(1, 1.0)),
    ] {
        let (rate, _) = dropped(&truth, seeds, rule, trials);
        let most = level + 3.0 * (level * (1.0 - level) / f64::from(trials)).sqrt();
        assert!(rate <= most, "{what}: dropped in {rate}");
    }
}

/// A best one that is noisier than the others is dropped more often, but not much.
#[test]
fn own_noise_counts() {
    let noisy = |sd: f64| [vec![(0.0, sd)], vec![(0.0, 1.0); 26]].concat();
    for (sd, seeds, most) in [(2.0, 2, 0.1), (3.0, 2, 0.15), (2.0, 3, 0.1)] {
        let (rate, _) = dropped(&noisy(sd), seeds, rule(9, 0.0), 2000);
        assert!(rate <= most, "{sd}, {seeds} seeds: dropped in {rate}");
    }
}

/// What lies ten standard deviations below is gone, whatever the noise among the others.
#[test]
fn poor_configurations_go() {
    let truth = [vec![(0.0, 1.0); 5], vec![(-10.0, 1.0); 59]].concat();
    let (rate, kept) = dropped(&truth, 2, rule(1, 0.0), 500);
    assert!(rate < 0.05 && kept < 7.0, "{kept} of 64 kept");
}
