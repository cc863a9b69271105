//! The configurations of a plan, each with its seeds, and the rungs that they climb.

use std::collections::{BTreeMap, BTreeSet};

use fm_run::RunSpec;
use fm_run::spec::{Protocol, Weights};
use toml::{Table, Value};

use crate::error::{Error, Result};
use crate::sweep::planned::{PlannedRun, SweepPlan};

/// Runs that differ by their seeds alone.
#[derive(Debug)]
pub(super) struct Configuration<'a> {
    /// What sets it apart from the others.
    pub(super) label: String,
    /// In rising order of their seeds.
    pub(super) runs: Vec<Seeded<'a>>,
}

/// A run of a configuration.
#[derive(Debug)]
pub(super) struct Seeded<'a> {
    pub(super) planned: &'a PlannedRun,
    spec: RunSpec,
}

impl Seeded<'_> {
    /// Epochs of its pretraining.
    pub(super) fn before(&self) -> u32 {
        self.spec.pretrain_epochs.unwrap_or(0)
    }

    /// All its epochs.
    pub(super) fn full(&self) -> u32 {
        self.before() + self.spec.epochs
    }

    /// The weights that it leaves.
    pub(super) fn weights(&self) -> Weights {
        self.spec.weights
    }
}

impl Configuration<'_> {
    /// Epochs without pretraining: the same for every configuration.
    pub(super) fn epochs(&self) -> u32 {
        self.runs[0].spec.epochs
    }

    /// The epoch of a rung as one of its runs counts, over all phases; none for a run of another.
    pub(super) fn target(&self, run: &PlannedRun, rung: u32) -> Option<u32> {
        self.runs.iter().find(|seeded| seeded.planned == run).map(|seeded| seeded.before() + rung)
    }
}

/// A plan's configurations, in the plan's order.
///
/// # Errors
/// A usage error that says what halving cannot do with the plan.
pub(super) fn configurations(plan: &SweepPlan) -> Result<Vec<Configuration<'_>>> {
    let mut groups: BTreeMap<String, Vec<Seeded<'_>>> = BTreeMap::new();
    let mut order = Vec::new();
    for planned in &plan.runs {
        let spec = RunSpec::read(&planned.flags)?.check()?;
        can_be_halved(planned, &spec)?;
        let key = others(planned).to_string();
        let group = groups.entry(key.clone()).or_default();
        if group.is_empty() {
            order.push(key);
        }
        group.push(Seeded { planned, spec });
    }
    let mut all: Vec<Configuration<'_>> = Vec::new();
    for key in order {
        let mut runs = groups.remove(&key).unwrap_or_default();
        runs.sort_by_key(|run| run.spec.seed);
        all.push(Configuration { label: String::new(), runs });
    }
    name(&mut all);
    let seeds = |c: &Configuration<'_>| c.runs.iter().map(|run| run.spec.seed).collect::<Vec<_>>();
    let Some(first) = all.first() else { return Err(Error::usage("the plan has no runs")) };
    if first.runs.len() < 2 {
        return Err(Error::usage(
            "the plan has one seed for each configuration, and noise is measured over seeds",
        )
        .help("plan at least two, such as --seeds 0..2"));
    }
    if let Some(other) = all.iter().find(|c| seeds(c) != seeds(first)) {
        let text = format!(
            "{} and {} have different seeds, and are compared seed by seed",
            first.label, other.label
        );
        return Err(Error::usage(text).help("plan the same seeds for all"));
    }
    if let Some(other) = all.iter().find(|c| c.epochs() != first.epochs()) {
        let text = format!("the plan has runs of {} and of {} epochs", first.epochs(), other.epochs());
        return Err(Error::usage(text).help("plan one length: halving decides who trains how long"));
    }
    Ok(all)
}

/// Whether a run can be stopped at a rung and judged by its validation accuracy there.
fn can_be_halved(planned: &PlannedRun, spec: &RunSpec) -> Result<()> {
    let no = |why: &str, help: &str| Err(Error::usage(format!("{}: {why}", planned.name)).help(help));
    if spec.protocol != Protocol::Holdout {
        return no(
            "--protocol notebook has no validation images to decide by",
            "plan with --protocol holdout",
        );
    }
    if spec.patience.is_some() {
        return no("--patience ends runs by itself", "plan without patience: halving decides who goes on");
    }
    if !spec.score_at.is_empty() {
        return no(
            "lengths on the way are scored on the test set, which must not decide",
            "plan one length with --epochs",
        );
    }
    if spec.epochs == 0 {
        return no("no epochs are trained", "plan at least one with --epochs");
    }
    Ok(())
}

/// A run's keys but its seed.
fn others(run: &PlannedRun) -> Table {
    run.flags
        .iter()
        .filter(|(key, _)| *key != "seed")
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Labels each by the keys that not all have alike.
fn name(all: &mut [Configuration<'_>]) {
    let text = |table: &Table, key: &str| match table.get(key) {
        None => "default".to_owned(),
        Some(Value::Float(number)) => format!("{number:?}"),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    };
    let tables: Vec<Table> = all.iter().map(|c| others(c.runs[0].planned)).collect();
    let keys: BTreeSet<&String> = tables.iter().flat_map(Table::keys).collect();
    let varied: Vec<&String> =
        keys.into_iter().filter(|key| tables.iter().any(|t| t.get(*key) != tables[0].get(*key))).collect();
    for (configuration, table) in all.iter_mut().zip(&tables) {
        let said: Vec<String> = varied.iter().map(|key| format!("{key}={}", text(table, key))).collect();
        configuration.label = if said.is_empty() { "the only one".to_owned() } else { said.join(" ") };
    }
}

/// The epochs after which configurations are compared, the last being all of them: each `eta` times the one before,
/// as many as leave one configuration at the end and begin at `first` or above.
///
/// # Errors
/// A usage error when `first` is not from 1 to `epochs`.
pub(super) fn rungs(configurations: usize, epochs: u32, eta: u32, first: u32) -> Result<Vec<u32>> {
    if !(1..=epochs).contains(&first) {
        return Err(Error::usage(format!("--min-epochs must be from 1 to {epochs}, got {first}")));
    }
    let (eta, first) = (f64::from(eta), f64::from(first));
    let mut at = vec![epochs];
    let mut divided = 1.0;
    while configurations as f64 / divided > 1.0 && f64::from(epochs) / (divided * eta) >= first {
        divided *= eta;
        at.push((f64::from(epochs) / divided).round() as u32);
    }
    at.reverse();
    at.dedup();
    Ok(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rungs_end_at_all_epochs() {
        assert_eq!(rungs(64, 27, 3, 1).unwrap(), [1, 3, 9, 27]);
        assert_eq!(rungs(64, 20, 3, 1).unwrap(), [2, 7, 20]);
        assert_eq!(rungs(64, 20, 3, 3).unwrap(), [7, 20]);
        assert_eq!(rungs(9, 81, 3, 1).unwrap(), [9, 27, 81], "nine leave one after two rungs");
        assert_eq!(rungs(1, 9, 3, 1).unwrap(), [9]);
        assert_eq!(rungs(100, 1, 2, 1).unwrap(), [1]);
        assert!(rungs(4, 5, 2, 6).is_err() && rungs(4, 5, 2, 0).is_err());
    }
}
