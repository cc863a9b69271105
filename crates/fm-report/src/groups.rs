//! Results → groups of runs that differ by their seed alone, named by what tells them apart.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use fm_run::spec::text;
use fm_run::{Identified, Role, RunSpec};

use crate::collect::RunResult;
use crate::error::{Error, Result};
use crate::lengths::Chosen;

/// Runs that differ by their seed alone.
#[derive(Debug, Clone, PartialEq)]
pub struct RunGroup {
    /// What is theirs alone among all groups: `encoder-mlp`, `encoder-mlp frozen on random, 20 epochs`.
    pub name: String,
    /// In the order of their seeds.
    pub runs: Vec<RunResult>,
    /// Their length, where validation scores chose it.
    pub chosen: Option<Chosen>,
}

/// Groups runs, each with the number of its place, by everything that decides but the seed; by the place too
/// where one run would stand in a group twice.
///
/// # Errors
/// When one seed would stand twice in a group all the same.
pub(crate) fn group(places: &[PathBuf], runs: Vec<(usize, RunResult)>) -> Result<Vec<RunGroup>> {
    let mut seen = BTreeSet::new();
    let twice = runs.iter().any(|(_, run)| !seen.insert((run.run.traits().to_string(), run.seed())));
    let by_place = twice && places.len() > 1;
    let mut order = Vec::new();
    let mut groups: BTreeMap<(String, usize), Vec<RunResult>> = BTreeMap::new();
    for (place, run) in runs {
        let id = (run.run.traits().to_string(), if by_place { place } else { 0 });
        if !groups.contains_key(&id) {
            order.push(id.clone());
        }
        groups.entry(id).or_default().push(run);
    }
    let groups: Vec<(usize, Vec<RunResult>)> =
        order.into_iter().filter_map(|id| Some((id.1, groups.remove(&id)?))).collect();
    let firsts = groups.iter().filter_map(|(_, runs)| runs.first());
    let names = names(&firsts.map(|run| &run.run).collect::<Vec<_>>());
    let mut found = Vec::new();
    for ((place, mut runs), mut name) in groups.into_iter().zip(names) {
        if by_place {
            name = format!("{name} in {}", places[place].display());
        }
        runs.sort_by_key(RunResult::seed);
        if let Some([a, b]) = runs.windows(2).find(|pair| pair[0].seed() == pair[1].seed()) {
            return Err(Error::SameSeed { name, seed: a.seed(), dirs: [a.dir.clone(), b.dir.clone()] });
        }
        found.push(RunGroup { name, runs, chosen: None });
    }
    Ok(found)
}

/// What [`RunSpec::arm`] says: in names it stands for the keys of the recipe.
const ARM: &str = "arm";

/// What a group is, by key.
type Said = BTreeMap<String, String>;

/// The keys of names in their order. What a key comes to stands behind what was asked for, so that of two that
/// tell the same runs apart the asked one is named.
fn keys(all: &[Said]) -> Vec<String> {
    let own = |role: fn(Role) -> bool| {
        RunSpec::fields().iter().filter(move |field| role(field.role)).map(|field| field.key.clone())
    };
    let decides = own(|role| role == Role::Decides);
    let resolved = own(|role| matches!(role, Role::Resolved(_)));
    let first = ["arch", ARM].map(str::to_owned).into_iter();
    let others = all.iter().flat_map(|said| said.keys().cloned()).collect::<BTreeSet<_>>();
    let mut keys = Vec::new();
    for key in first.chain(decides).chain(resolved).chain(others) {
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    keys
}

/// A name for each group, by a run of it.
pub fn names(runs: &[&Identified]) -> Vec<String> {
    let said = |run: &&Identified| -> Said {
        let traits = run.traits();
        let own = traits.iter().map(|(key, value)| (key.clone(), text(value).unwrap_or_default()));
        own.chain([(ARM.to_owned(), run.spec.arm())]).collect()
    };
    let all: Vec<Said> = runs.iter().map(said).collect();
    let varied = telling(&all);
    // `joint` is said where it is not the architecture's only recipe.
    let other_arm = |said: &Said| all.iter().any(|o| o["arch"] == said["arch"] && o[ARM] != said[ARM]);
    all.iter().map(|said| name(said, &varied, other_arm(said))).collect()
}

/// The keys that differ between any of the groups, but those that [`RunSpec::arm`] says already.
fn telling(all: &[Said]) -> Vec<String> {
    let differs = |key: &String| all.iter().any(|said| said.get(key) != all[0].get(key));
    // Two files of one name may hold different encoders.
    let said = |key: &String| {
        let of_arm = ["encoder", "pretrain", "encoder-lr", "unfreeze-at"].contains(&key.as_str());
        of_arm && all.iter().all(|a| all.iter().all(|b| a[ARM] != b[ARM] || a.get(key) == b.get(key)))
    };
    keys(all).into_iter().filter(|key| differs(key) && !said(key)).collect()
}

/// The architecture, its recipe where there are others, and whatever else differs.
fn name(said: &Said, varied: &[String], other_arm: bool) -> String {
    let mut name = said["arch"].clone();
    if said[ARM] != "joint" || other_arm {
        name = format!("{name} {}", said[ARM]);
    }
    for key in varied.iter().filter(|key| !["arch", ARM].contains(&key.as_str())) {
        // Not set: the name of the other group says what is.
        let Some(value) = said.get(key) else { continue };
        let said = match key.as_str() {
            "epochs" => format!("{value} epochs"),
            "lr" => format!("learning rate {value}"),
            "batch-size" => format!("batch {value}"),
            "pretrain-epochs" => format!("{value} epochs of pretraining"),
            // Their values say what they are of.
            "protocol" | "engine" | "device" => value.clone(),
            key if value == "true" => key.to_owned(),
            key => format!("{key} {value}"),
        };
        name = format!("{name}, {said}");
    }
    name
}
