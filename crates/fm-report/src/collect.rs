//! Finished runs on disk → results → groups of runs that differ by their seed alone.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::confusion::Confusion;
use crate::error::{Error, Result};
use crate::read::{Prediction, read_confusion, read_predictions};

/// What a finished run has left.
#[derive(Debug, Clone, PartialEq)]
pub struct RunResult {
    /// Its directory; for a shorter length, the run's own.
    pub dir: PathBuf,
    /// Its name.
    pub name: String,
    /// The seed.
    pub seed: u64,
    /// What else it is, by key of `summary.json`.
    pub traits: BTreeMap<&'static str, String>,
    /// Names and values: accuracy, loss, macro-F1, each class's recall, training seconds.
    pub measures: Vec<(String, f64)>,
    /// Of the test set.
    pub confusion: Confusion,
    /// By test image; empty where they were not kept.
    pub predictions: Vec<Prediction>,
    /// Identifies the data.
    pub data_sha256: String,
}

/// Keys by which runs are told apart, in the order in which they stand in a group's name.
pub const TRAITS: [&str; 11] = [
    "arch",
    "arm",
    "epochs",
    "lr",
    "batch_size",
    "protocol",
    "patience",
    "pretrain-epochs",
    "engine",
    "device",
    "dataset",
];

/// Runs that differ by their seed alone.
#[derive(Debug, Clone, PartialEq)]
pub struct RunGroup {
    /// What is theirs alone among all groups: `encoder-mlp`, `encoder-mlp frozen on random, 20 epochs`.
    pub name: String,
    /// In the order of their seeds.
    pub runs: Vec<RunResult>,
}

/// Runs found, and what was passed over.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Found {
    /// By what they are, see [`RunGroup`].
    pub groups: Vec<RunGroup>,
    /// Directories of runs that are not finished.
    pub unfinished: Vec<PathBuf>,
}

/// Finds the finished runs in `places`, each a run's directory or one that holds runs, and groups them. With
/// `epochs`, runs of that length alone: longer ones count where they were scored on the way.
///
/// # Errors
/// When a place holds no run, a file cannot be read, or one seed would stand twice in a group.
pub fn collect(places: &[PathBuf], epochs: Option<u64>) -> Result<Found> {
    let mut runs: Vec<(usize, RunResult)> = Vec::new();
    let mut unfinished = Vec::new();
    for (index, place) in places.iter().enumerate() {
        let before = runs.len() + unfinished.len();
        for dir in candidates(place)? {
            if !dir.join("DONE").exists() {
                unfinished.push(dir);
            } else if let Some(run) = read_run(&dir, epochs)? {
                runs.push((index, run));
            }
        }
        if runs.len() + unfinished.len() == before {
            return Err(Error::Nothing { path: place.clone(), epochs });
        }
    }
    Ok(Found { groups: group(places, runs)?, unfinished })
}

/// Directories of runs: the place itself, or those right in it.
fn candidates(place: &Path) -> Result<Vec<PathBuf>> {
    let unreadable = |source| Error::Unreadable { path: place.to_owned(), source };
    if place.join("config.toml").exists() {
        return Ok(vec![place.to_owned()]);
    }
    let mut found = Vec::new();
    for entry in std::fs::read_dir(place).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.join("config.toml").exists() {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

/// A finished run, or none if it is of another length.
fn read_run(dir: &Path, epochs: Option<u64>) -> Result<Option<RunResult>> {
    let own = read_json(&dir.join("summary.json"))?;
    let (place, summary) = match epochs {
        Some(wanted) if own["epochs"].as_u64() != Some(wanted) => {
            let place = dir.join(format!("at-{wanted}"));
            if !place.join("summary.json").exists() {
                return Ok(None);
            }
            let summary = read_json(&place.join("summary.json"))?;
            (place, summary)
        }
        _ => (dir.to_owned(), own),
    };
    let path = place.join("summary.json");
    let lacking = |what: &str| Error::Malformed { path: path.clone(), row: 1, what: format!("no {what}") };
    let number = |value: &Value, what: &str| value.as_f64().ok_or_else(|| lacking(what));
    let text = |value: &Value| match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let confusion = read_confusion(&place.join("confusion.csv"))?;
    let test = &summary["test"];
    let mut measures = vec![
        ("accuracy".to_owned(), number(&test["accuracy"], "accuracy")?),
        ("loss".to_owned(), number(&test["loss"], "loss")?),
        ("macro F1".to_owned(), number(&test["macro_f1"], "macro_f1")?),
    ];
    for (class, recall) in confusion.classes().iter().zip(confusion.recall()) {
        measures.extend(recall.map(|recall| (format!("recall {class}"), recall)));
    }
    measures.push(("training seconds".to_owned(), number(&summary["train_seconds"], "train_seconds")?));
    let predictions = place.join("predictions.csv");
    let mut traits: BTreeMap<_, _> = TRAITS.iter().map(|&key| (key, text(&summary[key]))).collect();
    // Which of a machine's GPUs it was makes no other run.
    traits.entry("device").and_modify(|device| {
        if device.starts_with("cuda:") {
            "cuda".clone_into(device);
        }
    });
    let config = dir.join("config.toml");
    let said =
        std::fs::read_to_string(&config).map_err(|source| Error::Unreadable { path: config, source })?;
    for key in ["patience", "pretrain-epochs"] {
        let value = said.lines().find_map(|line| line.strip_prefix(key)?.trim_start().strip_prefix('='));
        traits.insert(key, value.map_or(String::new(), |value| value.trim().to_owned()));
    }
    // Of runs from before there were arms.
    traits.entry("arm").and_modify(|arm| {
        if arm.is_empty() {
            "joint".clone_into(arm);
        }
    });
    Ok(Some(RunResult {
        dir: dir.to_owned(),
        name: text(&summary["name"]),
        seed: summary["seed"].as_u64().ok_or_else(|| lacking("seed"))?,
        traits,
        measures,
        confusion,
        predictions: if predictions.exists() { read_predictions(&predictions)? } else { Vec::new() },
        data_sha256: text(&summary["data_sha256"]),
    }))
}

fn read_json(path: &Path) -> Result<Value> {
    let bytes = std::fs::read(path).map_err(|source| Error::Unreadable { path: path.to_owned(), source })?;
    let bad = |e: serde_json::Error| Error::Malformed { path: path.to_owned(), row: 1, what: e.to_string() };
    serde_json::from_slice(&bytes).map_err(bad)
}

fn group(places: &[PathBuf], runs: Vec<(usize, RunResult)>) -> Result<Vec<RunGroup>> {
    let varied = telling(&runs);
    let key = |run: &RunResult| varied.iter().map(|key| run.traits[*key].clone()).collect::<Vec<_>>();
    // The same configuration in two places is told apart by the place.
    let mut seen = BTreeSet::new();
    let twice = runs.iter().any(|(_, run)| !seen.insert((key(run), run.seed)));
    let by_place = twice && places.len() > 1;
    let mut groups: BTreeMap<(Vec<String>, usize), RunGroup> = BTreeMap::new();
    let mut order = Vec::new();
    for (place, run) in runs {
        let id = (key(&run), if by_place { place } else { 0 });
        let name = || {
            let name = group_name(&run, &varied);
            if by_place { format!("{name} in {}", places[place].display()) } else { name }
        };
        if !groups.contains_key(&id) {
            order.push(id.clone());
        }
        groups.entry(id).or_insert_with(|| RunGroup { name: name(), runs: Vec::new() }).runs.push(run);
    }
    let mut found = Vec::new();
    for id in order {
        let Some(mut group) = groups.remove(&id) else { continue };
        group.runs.sort_by_key(|run| run.seed);
        if let Some(pair) = group.runs.windows(2).find(|pair| pair[0].seed == pair[1].seed) {
            return Err(Error::SameSeed {
                name: group.name,
                seed: pair[0].seed,
                dirs: [0, 1].map(|i| pair[i].dir.clone()),
            });
        }
        found.push(group);
    }
    Ok(found)
}

/// The traits that tell the runs apart: of those that vary, from the last on, the ones that others imply are
/// left out.
fn telling(runs: &[(usize, RunResult)]) -> Vec<&'static str> {
    let kinds = |keys: &[&str]| {
        let kind = |run: &RunResult| keys.iter().map(|key| run.traits[*key].clone()).collect::<Vec<_>>();
        runs.iter().map(|(_, run)| kind(run)).collect::<BTreeSet<_>>().len()
    };
    let mut keys = TRAITS.to_vec();
    let all = kinds(&keys);
    for key in TRAITS.into_iter().rev() {
        let fewer: Vec<&str> = keys.iter().copied().filter(|&k| k != key).collect();
        if kinds(&fewer) == all {
            keys = fewer;
        }
    }
    keys
}

/// The architecture and whatever else differs.
fn group_name(run: &RunResult, varied: &[&str]) -> String {
    let mut name = run.traits["arch"].clone();
    if run.traits["arm"] != "joint" || varied.contains(&"arm") && run.traits["arch"].starts_with("encoder") {
        name = format!("{name} {}", run.traits["arm"]);
    }
    for key in varied {
        let value = &run.traits[*key];
        match *key {
            "arch" | "arm" => {}
            "epochs" => name = format!("{name}, {value} epochs"),
            "lr" => name = format!("{name}, learning rate {value}"),
            "patience" | "pretrain-epochs" if value.is_empty() => {}
            "patience" => name = format!("{name}, patience {value}"),
            "pretrain-epochs" => name = format!("{name}, {value} epochs of pretraining"),
            "batch_size" => name = format!("{name}, batch {value}"),
            _ => name = format!("{name}, {value}"),
        }
    }
    name
}

/// A run's lengths: epochs, test accuracy and training seconds, of those scored on the way and its own.
///
/// # Errors
/// When a summary cannot be read.
pub(crate) fn lengths(dir: &Path) -> Result<Vec<(u64, f64, f64)>> {
    let unreadable = |source| Error::Unreadable { path: dir.to_owned(), source };
    let mut places = vec![dir.to_owned()];
    for entry in std::fs::read_dir(dir).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.strip_prefix("at-").is_some_and(|n| n.parse::<u64>().is_ok())
            && path.join("summary.json").exists()
        {
            places.push(path);
        }
    }
    let mut found = Vec::new();
    for place in places {
        let summary = read_json(&place.join("summary.json"))?;
        let number = |value: &Value| value.as_f64().unwrap_or(f64::NAN);
        let epochs = summary["epochs"].as_u64().unwrap_or(0);
        found.push((epochs, number(&summary["test"]["accuracy"]), number(&summary["train_seconds"])));
    }
    Ok(found)
}
