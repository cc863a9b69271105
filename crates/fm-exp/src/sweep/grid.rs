//! A grid: for each key of a run's statement the values to try → every combination, as tables of keys.

use std::collections::{BTreeMap, BTreeSet};

use fm_run::spec::{PROVENANCE, SEEDS};
use fm_run::{Field, Role, RunSpec};
use toml::{Table, Value};

use super::sample;
use crate::error::{Error, Result};
use crate::{families, recipes};

/// The most runs of a sweep.
pub(super) const MOST_RUNS: usize = 100_000;

/// The key that keeps what every epoch predicts.
pub(super) const BY_EPOCH: &str = "predictions-by-epoch";

/// Whether a grid may say the key: the sweep decides where and how results are kept, but not which averages are scored too,
/// nor what is kept of every epoch.
pub(super) fn may_vary(field: &Field) -> bool {
    !matches!(field.role, Role::Place(_)) || ["average", BY_EPOCH].contains(&field.key.as_str())
}

/// Every combination of a grid's values: a table of keys each. A value that is no list stands for itself, a
/// range for its [samples](sample), and a `[[arm]]` adds its keys to every combination.
///
/// # Errors
/// A usage error that names the key.
pub(super) fn combinations(mut grid: Table) -> Result<Vec<Table>> {
    not_ours(&grid)?;
    let families = families::taken(&mut grid)?;
    let arms = match grid.remove("arm") {
        None => vec![Table::new()],
        Some(Value::Array(arms)) if !arms.is_empty() => {
            let table = |arm: Value| match arm {
                Value::Table(table) if table.contains_key(PROVENANCE) => {
                    Err(Error::usage(format!("{PROVENANCE} is not for an [[arm]]: it is what a run records")))
                }
                Value::Table(table) => not_ours(&table).map(|()| table),
                other => Err(Error::usage(format!("arm is {other}, expected a table such as [[arm]]"))),
            };
            arms.into_iter().map(table).collect::<Result<Vec<_>>>()?
        }
        Some(other) => return Err(Error::usage(format!("arm is {other}, expected tables such as [[arm]]"))),
    };
    if let Some(seeds) = grid.remove("seeds") {
        grid.insert("seed".to_owned(), seeds);
    }
    let mut all = sample::taken(&mut grid)?;
    for (key, values) in &grid {
        let values = values_of(key, values)?;
        let count = all.len().saturating_mul(values.len()).saturating_mul(arms.len());
        if count > MOST_RUNS {
            let text = format!("the grid has {count} combinations or more, of {MOST_RUNS} at most");
            return Err(Error::usage(text).help("make a plan for each part of it"));
        }
        let with = |table: &Table, value: &Value| {
            let mut table = table.clone();
            table.insert(key.clone(), value.clone());
            table
        };
        all = all.iter().flat_map(|table| values.iter().map(|value| with(table, value))).collect();
    }
    let (mut runs, mut seen) = (Vec::new(), BTreeSet::new());
    let mut classes = BTreeMap::new();
    for table in all {
        for arm in &arms {
            let mut run = table.clone();
            run.extend(arm.clone());
            recipes::resolve(&mut run)?;
            families::resolve(&mut run, &families, |run| classes_of(run, &mut classes))?;
            // One form for each value, and none for defaults, so that one arm is not two.
            let run = canonical(&run)?;
            if seen.insert(run.to_string()) {
                runs.push(run);
            }
        }
    }
    Ok(runs)
}

/// Refuses the keys that the sweep decides.
fn not_ours(keys: &Table) -> Result<()> {
    let ours = |key: &&String| RunSpec::field(key).is_some_and(|field| !may_vary(field));
    match keys.keys().find(ours) {
        Some(ours) => Err(Error::usage(format!("{ours} is not for a grid: the sweep decides it"))),
        None => Ok(()),
    }
}

/// Classes of a run's data set, which is looked at once.
fn classes_of(run: &Table, known: &mut BTreeMap<String, usize>) -> Result<usize> {
    let data = ["dataset", "data-dir"].map(|key| run.get(key).map(ToString::to_string));
    let data = format!("{data:?}");
    if let Some(&classes) = known.get(&data) {
        return Ok(classes);
    }
    let classes = families::classes_of(run)?;
    known.insert(data, classes);
    Ok(classes)
}

/// The keys that a run says, each value in one form. Composition at its default is left out, and so is the
/// length of a pretraining that does not happen: the same recipe said in two ways is one run.
fn canonical(run: &Table) -> Result<Table> {
    let (spec, default) = (RunSpec::read(run)?, RunSpec::default());
    let mut table = Table::new();
    for field in RunSpec::fields().iter().filter(|field| run.contains_key(&field.key)) {
        let value = spec.get(&field.key);
        if field.heading != "Composition" || value != default.get(&field.key) {
            table.extend(value.map(|value| (field.key.clone(), value)));
        }
    }
    if !spec.pretrain.trains() {
        table.remove("pretrain-epochs");
    }
    Ok(table)
}

fn values_of(key: &str, values: &Value) -> Result<Vec<Value>> {
    match values {
        Value::Array(list) if list.is_empty() => Err(Error::usage(format!("{key} has no values"))),
        Value::Array(list) if SEEDS.contains(&key) => {
            let each = |value: &Value| values_of(key, value);
            Ok(list.iter().map(each).collect::<Result<Vec<_>>>()?.concat())
        }
        Value::Array(list) => Ok(list.clone()),
        Value::String(text) if SEEDS.contains(&key) => seeds(text),
        other => Ok(vec![other.clone()]),
    }
}

/// `0..9` or `0-9` (both ends), `4`, or `0,2,5..7`.
pub(super) fn seeds(text: &str) -> Result<Vec<Value>> {
    let wrong =
        || Error::usage(format!("seeds are numbers and ranges such as 0..9 or 0,3,5..7, got '{text}'"));
    let number = |text: &str| text.trim().parse::<i64>().ok().filter(|n| *n >= 0).ok_or_else(wrong);
    let mut all = Vec::new();
    for part in text.split(',') {
        let range = part.split_once("..").or_else(|| part.split_once('-'));
        let (first, last) = range.unwrap_or((part, part));
        let (first, last) = (number(first)?, number(last.trim_start_matches('='))?);
        if last < first {
            return Err(wrong());
        }
        if last - first >= MOST_RUNS as i64 || all.len() > MOST_RUNS {
            return Err(Error::usage(format!("seeds: more than {MOST_RUNS} of them, in '{text}'")));
        }
        all.extend((first..=last).map(Value::Integer));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(text: &str) -> Result<Vec<Table>> {
        combinations(text.parse().unwrap())
    }

    #[test]
    fn every_combination_once() {
        let runs =
            grid("arch = ['cnn', 'encoder-mlp']\nseeds = '0..2'\nlr = [1e-3, 3e-4]\nepochs = 5").unwrap();
        assert_eq!(runs.len(), 12);
        assert!(runs.iter().all(|run| run["epochs"].as_integer() == Some(5)));
        assert_eq!(RunSpec::read(&runs[0]).unwrap().seed, 0);
    }

    #[test]
    fn an_arm_that_says_a_default_is_no_other_arm() {
        let text =
            "arch = ['cnn', 'encoder-mlp']\n[[arm]]\n[[arm]]\nencoder = 'frozen'\n[[arm]]\npretrain = 'none'";
        let runs = grid(text).unwrap();
        assert_eq!(runs.len(), 4, "joint and frozen of both: {runs:?}");
    }

    #[test]
    fn every_epochs_is_a_whole_number() {
        for text in ["-5", "'abc'", "5000000000", "2.5", "[1, -5]", "[1, 'x']", "true"] {
            let error = grid(&format!("seeds = '0..1'\nepochs = {text}")).unwrap_err().to_string();
            assert!(error.contains("--epochs must be a whole number"), "{text}: {error}");
        }
        let runs = grid("epochs = [1, '3', 2.0]").unwrap();
        assert_eq!(runs.iter().map(|r| r["epochs"].as_integer().unwrap()).collect::<Vec<_>>(), [1, 3, 2]);
    }

    #[test]
    fn seeds_and_what_is_wrong() {
        let numbers = |text| seeds(text).unwrap().iter().map(|v| v.as_integer().unwrap()).collect::<Vec<_>>();
        assert_eq!(
            (numbers("0..2"), numbers("7"), numbers("1, 5..=6"), numbers("0-2")),
            (vec![0, 1, 2], vec![7], vec![1, 5, 6], vec![0, 1, 2])
        );
        for text in ["", "3..1", "a", "-1"] {
            assert!(seeds(text).is_err(), "{text}");
        }
        for (text, piece) in [
            ("name = 'x'", "name"),
            ("epochs = []", "epochs"),
            ("arch = 'cmn'", "cmn"),
            ("arm = 3", "[[arm]]"),
        ] {
            assert!(grid(text).unwrap_err().to_string().contains(piece), "{text}");
        }
        for key in ["out = 'x'", "name = 'x'", "overwrite = true", "score-at = [1]", "provenance = { a = 1 }"]
        {
            let error = grid(&format!("seeds = '0..1'\n[[arm]]\n{key}")).unwrap_err().to_string();
            assert!(
                error.contains(key.split(' ').next().unwrap()) && error.contains("is not for"),
                "{error}"
            );
        }
        for (text, piece) in [
            ("seeds = '0..99999999'", "100000"),
            ("seeds = '0..99999,0..99999,0..99999'", "100000"),
            ("seeds = '0..50000'\nlr = [1e-3, 1e-4]", "the grid has 100002 combinations"),
            ("seeds = '0..50000'\n[[arm]]\n[[arm]]\nlr = 0.1", "the grid has 100002 combinations"),
        ] {
            assert!(grid(text).unwrap_err().to_string().contains(piece), "{text}");
        }
        assert!(grid("epoch = 3").unwrap_err().to_string().contains("did you mean `epochs`?"));
    }
}
