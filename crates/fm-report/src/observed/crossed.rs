//! Every seed of one purpose with every seed of another: how much of the accuracy's variance each of them makes.

use std::collections::{BTreeMap, BTreeSet};

use fm_run::files;
use fm_run::spec::SEEDS;
use fm_run::terminal::counted;

use super::Scored;
use crate::error::{Error, Result};
use crate::stats::{Components, components};

/// A crossed design of two seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct Crossing {
    /// The keys that differ, rows' and columns', with their values.
    pub keys: [(&'static str, Vec<u64>); 2],
    /// Epochs at which each run was scored, all of which count as repetitions.
    pub epochs: Vec<u32>,
    /// Mean accuracy at the last of them.
    pub mean: f64,
    /// Parts of the variance of a run's accuracy, shares of 1 squared.
    pub components: Components,
}

/// None where there is no such run.
pub(super) fn of(name: &str, runs: &[&Scored]) -> Result<Option<Crossing>> {
    let Some(first) = runs.first() else { return Ok(None) };
    let wrong = |what: String| Error::Design { name: name.to_owned(), what };
    let values = |key: usize| runs.iter().map(|run| run.run.spec.given_seeds()[key]).collect::<BTreeSet<_>>();
    let varied: Vec<usize> = (0..SEEDS.len()).filter(|&key| values(key).len() > 1).collect();
    let [row, column] = varied[..] else {
        let keys: Vec<&str> = varied.iter().map(|&key| SEEDS[key]).collect();
        let keys = if keys.is_empty() { "none".to_owned() } else { keys.join(", ") };
        return Err(wrong(format!("of the seeds two must differ, and there differ {keys}")));
    };
    let mut cells: BTreeMap<(u64, u64), Vec<f64>> = BTreeMap::new();
    let mut lengths: Option<Vec<Option<u32>>> = None;
    for run in runs {
        // Averages are scored at the end alone.
        let own = run.weights == run.run.spec.weights;
        let found = if own { run.source.lengths()? } else { vec![None] };
        // The common ones; all were planned alike.
        let common = lengths.get_or_insert_with(|| found.clone());
        common.retain(|at| found.contains(at));
    }
    let lengths = lengths.unwrap_or_default();
    for run in runs {
        let seeds = run.run.spec.given_seeds();
        let at = (seeds[row], seeds[column]);
        let (Some(r), Some(c)) = at else {
            let keys = [row, column].map(|key| SEEDS[key]);
            return Err(wrong(format!("some runs have no seed of their own for {}", keys.join(" or "))));
        };
        let scores = lengths.iter().map(|&at| accuracy(run, at)).collect::<Result<Vec<f64>>>()?;
        if cells.insert((r, c), scores).is_some() {
            return Err(wrong(format!("two runs have {} {r} and {} {c}", SEEDS[row], SEEDS[column])));
        }
    }
    let side =
        |of: fn(&(u64, u64)) -> u64| cells.keys().map(of).collect::<BTreeSet<u64>>().into_iter().collect();
    let (rows, columns): (Vec<u64>, Vec<u64>) = (side(|key| key.0), side(|key| key.1));
    let missing = rows.len() * columns.len() - cells.len();
    if missing > 0 {
        let size = format!("{} by {}", rows.len(), columns.len());
        return Err(wrong(format!("{} of {size} missing", counted(missing as u64, "run"))));
    }
    let last = cells.values().filter_map(|scores| scores.last()).sum::<f64>() / cells.len() as f64;
    let cell = |r: u64, c: u64| cells.get(&(r, c)).cloned().unwrap_or_default();
    let table: Vec<Vec<Vec<f64>>> =
        rows.iter().map(|&r| columns.iter().map(|&c| cell(r, c)).collect()).collect();
    let own = first.run.spec.epochs;
    let Some(components) = components(&table) else { return Ok(None) };
    Ok(Some(Crossing {
        keys: [(SEEDS[row], rows), (SEEDS[column], columns)],
        epochs: lengths.iter().map(|at| at.unwrap_or(own)).collect(),
        mean: last,
        components,
    }))
}

/// On the test set.
fn accuracy(run: &Scored, at: Option<u32>) -> Result<f64> {
    if run.weights != run.run.spec.weights {
        let predictions = run.predictions()?;
        let right = predictions.iter().filter(|p| p.is_right()).count();
        return Ok(right as f64 / predictions.len() as f64);
    }
    let path = run.source.place(at).join(files::SUMMARY);
    let lacking = || Error::File { path: path.clone(), what: "no accuracy".to_owned() };
    let summary = run.source.summary(at)?.ok_or_else(lacking)?;
    summary["test"]["accuracy"].as_f64().ok_or_else(lacking)
}
