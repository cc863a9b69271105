//! Which of many configurations may be left behind, given the noise over seeds.
//!
//! Gupta's subset selection (1965, <https://doi.org/10.1080/00401706.1965.10490251>): whatever lies farther below
//! the best mean than noise explains is left out, so that the truly best configuration stays in with probability
//! 1 − level at least. The bound for all comparisons at once is Bonferroni's, which needs no table and errs on
//! the side of keeping more.

use super::dist::t_quantile;

/// The noise of as many configurations is estimated together, if there are as many.
const POOL: usize = 8;

/// Scores of configurations, compared with the best.
#[derive(Debug, Clone, PartialEq)]
pub struct Selection {
    /// Mean over seeds, by configuration.
    pub means: Vec<f64>,
    /// Configurations, the best mean first.
    pub order: Vec<usize>,
    /// Standard deviation over seeds of a configuration's score, less what a seed does to all of them.
    pub sd: f64,
    /// How far below the best mean is no more than noise.
    pub margin: f64,
    /// Whether each configuration stays.
    pub kept: Vec<bool>,
}

/// Of `scores` by configuration and seed, higher being better, keeps the `keep` best means and whatever is
/// within noise of the best. `level` bounds the probability that noise alone removes the truly best one.
///
/// All configurations have the same seeds, so a seed's effect on all of them (an easy validation set, say)
/// cancels: noise is what configuration and seed leave unexplained, as in an analysis of variance of two ways.
/// It is estimated over the `keep` best means, at least [`POOL`]: poor configurations may be as good as
/// constant, or wild, and tell nothing of the noise near the best. Means of normal numbers are independent of
/// their residuals, so choosing by the means does not bias the estimate.
///
/// None for fewer than two seeds or two configurations, or seeds that are missing.
#[must_use]
pub fn select(scores: &[Vec<f64>], keep: usize, level: f64) -> Option<Selection> {
    let (n, seeds) = (scores.len(), scores.first()?.len());
    if n < 2 || seeds < 2 || scores.iter().any(|row| row.len() != seeds) {
        return None;
    }
    let mean = |row: &Vec<f64>| row.iter().sum::<f64>() / seeds as f64;
    let means: Vec<f64> = scores.iter().map(mean).collect();
    let mut order: Vec<usize> = (0..n).collect();
    order.sort_by(|&a, &b| means[b].total_cmp(&means[a]));
    let pool: Vec<&[f64]> = order[..keep.max(POOL).min(n)].iter().map(|&i| &scores[i][..]).collect();
    let (variance, df) = residual_variance(&pool);
    let critical = t_quantile(1.0 - level / (n - 1) as f64, df);
    let margin = critical * (2.0 * variance / seeds as f64).sqrt();
    let best = means[order[0]];
    let mut kept: Vec<bool> = means.iter().map(|mean| best - mean <= margin).collect();
    for &index in order.iter().take(keep) {
        kept[index] = true;
    }
    Some(Selection { means, order, sd: variance.sqrt(), margin, kept })
}

/// Of a table without missing cells: the variance that rows and columns leave, and its degrees of freedom.
fn residual_variance(rows: &[&[f64]]) -> (f64, f64) {
    let (n, seeds) = (rows.len(), rows[0].len());
    let mean = |sum: f64, of: usize| sum / of as f64;
    let by_row: Vec<f64> = rows.iter().map(|row| mean(row.iter().sum(), seeds)).collect();
    let by_seed: Vec<f64> = (0..seeds).map(|seed| mean(rows.iter().map(|row| row[seed]).sum(), n)).collect();
    let all = mean(by_row.iter().sum(), n);
    let residual = |i: usize, seed: usize| rows[i][seed] - by_row[i] - by_seed[seed] + all;
    let squares = (0..n).flat_map(|i| (0..seeds).map(move |seed| residual(i, seed).powi(2)));
    let df = ((n - 1) * (seeds - 1)) as f64;
    (squares.sum::<f64>() / df, df)
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::*;
    use crate::stats::normal_quantile;

    /// Of five configurations, from SciPy: residuals of the table, and stats.t.ppf(1 - 0.05 / 4, 8).
    #[test]
    fn numbers_of_a_small_table() {
        let scores = [
            vec![0.871, 0.865, 0.880],
            vec![0.869, 0.866, 0.874],
            vec![0.850, 0.853, 0.861],
            vec![0.702, 0.661, 0.690],
            vec![0.868, 0.860, 0.871],
        ];
        let found = select(&scores, 1, 0.05).unwrap();
        assert!((found.sd - 0.008_731_170_215_574_374).abs() < 1e-12, "{}", found.sd);
        assert!((found.margin - 0.019_615_530_899_998_034).abs() < 1e-9, "{}", found.margin);
        assert_eq!(found.order, [0, 1, 4, 2, 3]);
        assert_eq!(found.kept, [true, true, true, false, true]);
        assert_eq!(select(&scores, 5, 0.05).unwrap().kept, [true; 5]);
        // What a seed does to all changes nothing.
        let shifted = scores.clone().map(|row| vec![row[0] + 0.1, row[1], row[2] - 0.2]);
        let shifted = select(&shifted, 1, 0.05).unwrap();
        assert!((shifted.margin - found.margin).abs() < 1e-12);
        assert_eq!(shifted.kept, found.kept);
    }

    #[test]
    fn too_little_is_no_selection() {
        assert_eq!(select(&[], 1, 0.05), None);
        assert_eq!(select(&[vec![0.5, 0.6]], 1, 0.05), None);
        assert_eq!(select(&[vec![0.5], vec![0.6]], 1, 0.05), None);
        assert_eq!(select(&[vec![0.5, 0.6], vec![0.6]], 1, 0.05), None);
    }

    struct Normal(ChaCha8Rng);

    impl Normal {
        fn draw(&mut self) -> f64 {
            normal_quantile((f64::from(self.0.next_u32()) + 0.5) / 4_294_967_296.0)
        }
    }

    /// How often configuration 0 is dropped when noise of standard deviation 1 is added to what `truth` gives
    /// each configuration: its mean, and its own noise. Seeds have effects of 3 on all.
    fn dropped(truth: &[(f64, f64)], seeds: usize, keep: usize, level: f64, trials: u32) -> (f64, f64) {
        let mut normal = Normal(ChaCha8Rng::seed_from_u64(truth.len() as u64));
        let (mut dropped, mut kept) = (0, 0);
        for _ in 0..trials {
            let effects: Vec<f64> = (0..seeds).map(|_| 3.0 * normal.draw()).collect();
            let scores: Vec<Vec<f64>> = truth
                .iter()
                .map(|(mean, sd)| effects.iter().map(|e| mean + e + sd * normal.draw()).collect())
                .collect();
            let found = select(&scores, keep, level).unwrap();
            dropped += u32::from(!found.kept[0]);
            kept += found.kept.iter().filter(|kept| **kept).count();
        }
        (f64::from(dropped) / f64::from(trials), kept as f64 / f64::from(trials))
    }

    /// The level is kept where it is hardest, with all configurations alike, and with many poor ones that are
    /// constant or wild. Three standard errors of the simulation are allowed.
    #[test]
    fn the_best_is_dropped_no_more_often_than_the_level_says() {
        let alike = |n: usize| vec![(0.0, 1.0); n];
        let with = |n: usize, mean: f64, sd: f64| [alike(24), vec![(mean, sd); n]].concat();
        let level = 0.05;
        let trials = 4000;
        for (what, truth, seeds, keep) in [
            ("64 alike", alike(64), 2, 22),
            ("27 alike", alike(27), 2, 9),
            ("9 alike", alike(9), 2, 3),
            ("3 alike", alike(3), 2, 1),
            ("27 alike, five seeds", alike(27), 5, 9),
            ("40 of 64 constant", with(40, -50.0, 0.0), 2, 22),
            ("40 of 64 wild", with(40, -50.0, 10.0), 2, 22),
        ] {
            let (rate, _) = dropped(&truth, seeds, keep, level, trials);
            let most = level + 3.0 * (level * (1.0 - level) / f64::from(trials)).sqrt();
            assert!(rate <= most, "{what}: dropped in {rate}");
        }
    }

    /// What lies ten standard deviations below is gone, whatever the noise among the others.
    #[test]
    fn poor_configurations_go() {
        let truth = [vec![(0.0, 1.0); 5], vec![(-10.0, 1.0); 59]].concat();
        let (rate, kept) = dropped(&truth, 2, 1, 0.05, 500);
        assert!(rate < 0.05 && kept < 5.5, "{kept} of 64 kept");
    }
}
