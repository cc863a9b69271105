//! Variance components of a crossed design: every seed of one purpose with every seed of another, each run scored once or
//! at several epochs.
//!
//! `y[i][j][k] = m[k] + row[i] + column[j] + pair[i][j] + rest[i][j][k]`: what the row's seed does, what the column's does,
//! what the two do together and lastingly, and what changes from epoch to epoch within a run. The means `m` of the epochs
//! are fixed, all else is random. By analysis of variance; intervals of differences of mean squares are those of Ting et
//! al. (1990, <https://doi.org/10.1080/00949659008811240>; Burdick and Graybill 1992, section 3.3), that of the rest is
//! exact for normal effects. An estimate below zero is shown as zero.
//!
//! Scores of one run after several epochs need not be independent, as the model has it. Where they are opposed, a run's mean
//! varies less than they would make it, and the pairs' component is lost: [`Components::opposed`] tests for it.

use statrs::distribution::{ContinuousCDF, FisherSnedecor};

use super::dist::chi_squared_quantile;
use super::{Interval, LEVEL};

/// A variance with its 95 % interval, in the square of the values' unit.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Component {
    /// Estimate.
    pub variance: f64,
    /// Interval.
    pub interval: Interval,
}

/// Where the variance of single runs comes from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Components {
    /// Of the seeds that make the rows.
    pub rows: Component,
    /// Of the seeds that make the columns.
    pub columns: Component,
    /// Of the two together, beyond what each does alone; none where each run was scored once, and then part of the rest.
    pub pairs: Option<Component>,
    /// Of what else a run's score holds.
    pub rest: Component,
    /// How many times as much a run's mean varies, apart from rows and columns, as independent scores would make it without
    /// any pairs' component; and the chance of so little or less (F test). None where each run was scored once, or always
    /// the same.
    pub opposed: Option<(f64, f64)>,
}

impl Components {
    /// The variance of a single score.
    #[must_use]
    pub fn total(&self) -> f64 {
        let pairs = self.pairs.map_or(0.0, |pairs| pairs.variance);
        self.rows.variance + self.columns.variance + pairs + self.rest.variance
    }

    /// A part's share of the variance of a single score; none of it where there is no variance.
    #[must_use]
    pub fn share(&self, part: Component) -> f64 {
        let total = self.total();
        if total > 0.0 { part.variance / total } else { 0.0 }
    }
}

/// A mean square and its degrees of freedom.
#[derive(Debug, Clone, Copy)]
struct MeanSquare {
    value: f64,
    df: f64,
}

/// Splits the variance of `values` by row, column and repetition. None with fewer than two rows or columns, or where
/// something is missing.
#[must_use]
pub fn components(values: &[Vec<Vec<f64>>]) -> Option<Components> {
    let (rows, columns) = (values.len(), values.first()?.len());
    let repeats = values[0].first()?.len();
    let whole = values.iter().all(|row| row.len() == columns && row.iter().all(|cell| cell.len() == repeats));
    if rows < 2 || columns < 2 || repeats < 1 || !whole {
        return None;
    }
    let [i, j, k] = [rows, columns, repeats].map(|n| n as f64);
    let cell = |row: usize, column: usize| values[row][column].iter().sum::<f64>() / k;
    let of_row: Vec<f64> = (0..rows).map(|r| (0..columns).map(|c| cell(r, c)).sum::<f64>() / j).collect();
    let of_column: Vec<f64> = (0..columns).map(|c| (0..rows).map(|r| cell(r, c)).sum::<f64>() / i).collect();
    let all = of_row.iter().sum::<f64>() / i;
    let each = || (0..rows).flat_map(|r| (0..columns).map(move |c| (r, c)));
    let of_repeat: Vec<f64> =
        (0..repeats).map(|n| each().map(|(r, c)| values[r][c][n]).sum::<f64>() / (i * j)).collect();
    let spread = |means: &[f64]| means.iter().map(|mean| (mean - all).powi(2)).sum::<f64>();
    let row = MeanSquare { value: j * k * spread(&of_row) / (i - 1.0), df: i - 1.0 };
    let column = MeanSquare { value: i * k * spread(&of_column) / (j - 1.0), df: j - 1.0 };
    let apart = |(r, c): (usize, usize)| (cell(r, c) - of_row[r] - of_column[c] + all).powi(2);
    let df = (i - 1.0) * (j - 1.0);
    let pair = MeanSquare { value: k * each().map(apart).sum::<f64>() / df, df };
    let rest = (repeats > 1).then(|| {
        let within = |(r, c): (usize, usize)| {
            let of_cell = cell(r, c) - all;
            let parts = values[r][c].iter().zip(&of_repeat);
            parts.map(|(value, mean)| (value - of_cell - mean).powi(2)).sum::<f64>()
        };
        let df = (i * j - 1.0) * (k - 1.0);
        MeanSquare { value: each().map(within).sum::<f64>() / df, df }
    });
    let opposed = rest.filter(|rest| rest.value > 0.0).and_then(|rest| {
        let ratio = pair.value / rest.value;
        Some((ratio, FisherSnedecor::new(pair.df, rest.df).ok()?.cdf(ratio)))
    });
    Some(Components {
        opposed,
        rows: difference(row, pair, j * k),
        columns: difference(column, pair, i * k),
        pairs: rest.map(|rest| difference(pair, rest, k)),
        rest: alone(rest.unwrap_or(pair)),
    })
}

/// What is left of 95 % at each end.
const TAIL: f64 = (1.0 - LEVEL) / 2.0;

/// The interval of a variance that a mean square estimates.
fn alone(of: MeanSquare) -> Component {
    let end = |p: f64| of.df * of.value / chi_squared_quantile(p, of.df);
    Component { variance: of.value, interval: Interval { low: end(1.0 - TAIL), high: end(TAIL) } }
}

/// `(more - less) / count`, by the modified large-sample method.
fn difference(more: MeanSquare, less: MeanSquare, count: f64) -> Component {
    let over = |p: f64, df: f64| chi_squared_quantile(p, df) / df;
    let ratio = |p: f64| FisherSnedecor::new(more.df, less.df).map_or(f64::NAN, |f| f.inverse_cdf(p));
    let (a, b) = (more.value, less.value);
    // The factors of Ting et al. for the two ends, in their order.
    let half = |g: f64, h: f64, f: f64| {
        let both = ((f - 1.0).powi(2) - (g * f).powi(2) - h.powi(2)) / f;
        ((g * a).powi(2) + (h * b).powi(2) + both * a * b).max(0.0).sqrt()
    };
    let low = half(1.0 - 1.0 / over(1.0 - TAIL, more.df), 1.0 / over(TAIL, less.df) - 1.0, ratio(1.0 - TAIL));
    let high = half(1.0 / over(TAIL, more.df) - 1.0, 1.0 - 1.0 / over(1.0 - TAIL, less.df), ratio(TAIL));
    let interval = Interval { low: (a - b - low).max(0.0) / count, high: (a - b + high).max(0.0) / count };
    Component { variance: (a - b).max(0.0) / count, interval }
}

#[cfg(test)]
mod tests {
    use rand_chacha::ChaCha8Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    use super::super::dist::normal_quantile;
    use super::*;

    fn normal(rng: &mut ChaCha8Rng, sd: f64) -> f64 {
        sd * normal_quantile((f64::from(rng.next_u32()) + 0.5) / 2_f64.powi(32))
    }

    /// A design with known standard deviations of rows, columns, pairs and rest.
    fn made(rng: &mut ChaCha8Rng, (i, j, k): (usize, usize, usize), sd: [f64; 4]) -> Vec<Vec<Vec<f64>>> {
        let columns: Vec<f64> = (0..j).map(|_| normal(rng, sd[1])).collect();
        let trend = |n: usize| 0.3 * n as f64;
        let row = |rng: &mut ChaCha8Rng| {
            let row = normal(rng, sd[0]);
            let cell = |rng: &mut ChaCha8Rng, column: f64| {
                let pair = normal(rng, sd[2]);
                (0..k).map(|n| trend(n) + row + column + pair + normal(rng, sd[3])).collect()
            };
            columns.iter().map(|&column| cell(rng, column)).collect()
        };
        (0..i).map(|_| row(rng)).collect()
    }

    /// How many of `trials` intervals hold the true variance: rows, columns, pairs, rest.
    fn covered(trials: usize, size: (usize, usize, usize), sd: [f64; 4]) -> [usize; 4] {
        let mut rng = ChaCha8Rng::seed_from_u64(5);
        let mut hits = [0; 4];
        for _ in 0..trials {
            let found = components(&made(&mut rng, size, sd)).unwrap();
            let parts = [Some(found.rows), Some(found.columns), found.pairs, Some(found.rest)];
            for ((hit, part), sd) in hits.iter_mut().zip(parts).zip(sd) {
                let Interval { low, high } = part.unwrap().interval;
                *hit += usize::from((low..=high).contains(&(sd * sd)));
            }
        }
        hits
    }

    /// With 2,000 trials a coverage of 95 % has a standard error of 0.5 %; see also `examples/components.rs`.
    #[test]
    fn intervals_hold_the_true_components() {
        for (size, sd) in [
            ((30, 30, 2), [0.1, 0.2, 0.15, 0.1]),
            ((10, 10, 3), [0.3, 0.1, 0.05, 0.2]),
            ((5, 12, 2), [0.0, 0.2, 0.1, 0.1]),
        ] {
            let hits = covered(600, size, sd);
            assert!(hits.iter().all(|&hit| hit >= 558), "{size:?} {sd:?}: {hits:?} of 600");
        }
    }

    #[test]
    fn scores_that_alternate_are_opposed() {
        let mut rng = ChaCha8Rng::seed_from_u64(8);
        let mut design = made(&mut rng, (12, 12, 2), [0.1, 0.1, 0.0, 0.2]);
        let (ratio, p) = components(&design).unwrap().opposed.unwrap();
        assert!((0.5..2.0).contains(&ratio) && p > 0.01, "{ratio} {p}");
        for cell in design.iter_mut().flatten() {
            let luck = normal(&mut rng, 0.5);
            (cell[0], cell[1]) = (cell[0] + luck, cell[1] - luck);
        }
        let (ratio, p) = components(&design).unwrap().opposed.unwrap();
        assert!(ratio < 0.5 && p < 1e-3, "{ratio} {p}");
    }

    /// Two-way analysis of variance without repetition, by hand: 2 by 2 with row means 2 and 5, column means 3 and 4,
    /// cells 1, 3, 5, 5: mean squares 9 of rows, 1 of columns, 1 of the rest.
    #[test]
    fn equals_an_analysis_of_variance_by_hand() {
        let values = [[1.0, 3.0], [5.0, 5.0]].map(|row| row.map(|value| vec![value]).to_vec()).to_vec();
        let found = components(&values).unwrap();
        assert_eq!((found.rows.variance, found.columns.variance, found.rest.variance), (4.0, 0.0, 1.0));
        assert_eq!(found.pairs, None);
        assert!((found.total() - 5.0).abs() < 1e-12 && (found.share(found.rows) - 0.8).abs() < 1e-12);
        assert!(found.rows.interval.low == 0.0 && found.columns.interval.low == 0.0);
    }

    /// Runs that all score the same after every epoch, as on data that every network learns.
    #[test]
    fn no_variance_at_all_is_no_opposition() {
        let found = components(&vec![vec![vec![1.0; 3]; 4]; 4]).unwrap();
        assert_eq!((found.total(), found.share(found.rest), found.opposed), (0.0, 0.0, None));
    }

    #[test]
    fn what_is_missing_has_no_components() {
        assert_eq!(components(&[]), None);
        assert_eq!(components(&[vec![vec![1.0], vec![2.0]]]), None);
        assert_eq!(components(&[vec![vec![1.0], vec![2.0]], vec![vec![1.0]]]), None);
    }
}
