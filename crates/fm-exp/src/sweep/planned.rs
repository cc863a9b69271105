//! `plan.json`: the list of a sweep's runs, written by one command and read by the others.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use fm_run::spec::{LONGEST_NAME, check_name, same};
use fm_run::{RunSpec, is_run_id};
use serde::{Deserialize, Serialize};
use toml::{Table, Value};

use super::grid::{MOST_RUNS, may_vary};
use crate::error::{Error, Kind, Result};

/// The format that this build writes and reads.
pub(super) const FORMAT: u32 = 1;
/// The largest file.
const MOST_BYTES: u64 = 256 << 20;

/// A sweep, canonical: the same grid gives the same bytes, in whatever order it was written.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct SweepPlan {
    pub(super) format: u32,
    /// Of the data set that all runs train on.
    pub(crate) data_sha256: String,
    /// How runs of several lengths are had.
    pub(super) note: String,
    pub(crate) runs: Vec<PlannedRun>,
}

/// One process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct PlannedRun {
    /// Of the directory.
    pub(crate) name: String,
    pub(crate) run_id: String,
    /// Keys of `train`.
    pub(crate) flags: Table,
}

impl SweepPlan {
    /// Reads `plan.json`, and believes nothing that it says: it has names of directories and flags of
    /// processes.
    ///
    /// # Errors
    /// When it cannot be read or is no plan.
    pub(crate) fn read(path: &Path) -> Result<Self> {
        let bad = |text: String| {
            Error::new(Kind::Mismatch, format!("{} is no plan: {text}", path.display()))
                .help("make one with fm-exp sweep plan")
        };
        let io = |e: std::io::Error| Error::io("read", path, &e);
        if !std::fs::metadata(path).map_err(io)?.is_file() {
            return Err(bad("not a file".to_owned()));
        }
        let mut bytes = Vec::new();
        File::open(path).map_err(io)?.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(io)?;
        if bytes.len() as u64 > MOST_BYTES {
            return Err(bad(format!("more than {} MiB", MOST_BYTES >> 20)));
        }
        Self::parse(&bytes).map_err(bad)
    }

    /// A plan of which every run can be started, or why not.
    pub(super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let plan: Self = serde_json::from_slice(bytes).map_err(|e| e.to_string())?;
        if plan.format != FORMAT {
            return Err(format!("format {}, this build reads {FORMAT}", plan.format));
        }
        if plan.runs.len() > MOST_RUNS {
            return Err(format!("{} runs, of {MOST_RUNS} at most", plan.runs.len()));
        }
        let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
        for run in &plan.runs {
            run.check().map_err(|why| format!("run {:?}: {why}", run.name))?;
            if !names.insert(&run.name) {
                return Err(format!("two runs are called {:?}", run.name));
            }
            if !ids.insert(&run.run_id) {
                return Err(format!("run {:?}: another run has its id {}", run.name, run.run_id));
            }
        }
        Ok(plan)
    }
}

impl PlannedRun {
    /// Why it cannot be a run of a sweep.
    fn check(&self) -> Result<(), String> {
        let said = |error: Error| error.message().to_owned();
        check_name(&self.name).map_err(said)?;
        if self.name.len() > LONGEST_NAME || self.name.chars().any(char::is_control) {
            return Err(format!("a name has at most {LONGEST_NAME} bytes and no control characters"));
        }
        if !is_run_id(&self.run_id) {
            return Err(format!("{:?} is no run's id", self.run_id));
        }
        let planned = |key: &str| key == "score-at" || RunSpec::field(key).is_some_and(may_vary);
        if let Some(other) = self.flags.keys().find(|key| !planned(key)) {
            return Err(format!("{other:?} is not for a plan"));
        }
        RunSpec::read(&self.flags).and_then(RunSpec::check).map_err(said)?;
        Ok(())
    }

    /// What is different in the run that the text of a `config.toml` tells of: no line if it is this one.
    /// Lengths that are scored on the way are no part of a run's identity.
    pub(crate) fn differences(&self, text: &str) -> Option<Vec<String>> {
        let there: Table = text.parse().ok()?;
        let id = there.get("provenance")?.get("run-id")?.as_str()?;
        if id == self.run_id {
            return Some(Vec::new());
        }
        let decides = |key: &&String| RunSpec::field(key).is_some_and(|field| field.role.decides());
        let differs = |key: &&String| !same(there.get(*key), self.flags.get(*key));
        let keys = self.flags.keys().filter(decides).filter(differs);
        let show = |value: Option<&Value>| value.map_or("unset".to_owned(), ToString::to_string);
        let line = |key: &String| {
            format!("{key}: there {}, planned {}", show(there.get(key)), show(self.flags.get(key)))
        };
        let ids = format!("run {id}, planned {}", self.run_id);
        Some([vec![ids], keys.map(line).collect()].concat())
    }

    /// Epochs that it trains after pretraining, branches too.
    pub(crate) fn trained_epochs(&self) -> Result<u64> {
        Ok(RunSpec::read(&self.flags)?.trained_epochs().into())
    }

    /// Lengths that the run stands for: those that are scored on the way, and its own.
    pub(crate) fn lengths(&self) -> Vec<u32> {
        let integer = |v: &Value| v.as_integer().and_then(|n| u32::try_from(n).ok());
        let at = self.flags.get("score-at").and_then(Value::as_array);
        let mut lengths: Vec<u32> = at.into_iter().flatten().filter_map(integer).collect();
        lengths.extend(self.flags.get("epochs").and_then(integer));
        lengths
    }
}

#[cfg(test)]
#[path = "planned_tests.rs"]
mod tests;
