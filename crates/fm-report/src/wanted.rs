//! Which runs are wanted, and at what length.

use std::str::FromStr;

use fm_run::spec::text;
use fm_run::{Identified, RunSpec};

use crate::source::Source;

/// Which runs to collect.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Wanted {
    /// At what length.
    pub length: Length,
    /// Runs that meet these alone: of conditions on one key any, of several keys all.
    pub conditions: Vec<Condition>,
}

/// The length at which runs are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Length {
    /// Each run's own.
    #[default]
    Own,
    /// So many epochs: longer runs count where they were scored on the way.
    Epochs(u32),
    /// For each group that of the highest mean validation accuracy over its seeds, of those at which all were scored.
    BestValidation,
}

impl FromStr for Length {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "best-val" => Ok(Self::BestValidation),
            _ => text.parse().map(Self::Epochs).map_err(|_| {
                format!(
                    "must be a number of epochs, or best-val: chosen by validation accuracy, got '{text}'"
                )
            }),
        }
    }
}

/// A condition on a key of runs: `arch=cnn`, or `name!=again`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    key: String,
    value: String,
    /// Whether it must be that value, or must not.
    is: bool,
}

/// Keys that are none of a run's statement: its directory's name, and how encoder and head were trained.
const NAME: &str = "name";
const ARM: &str = "arm";

impl FromStr for Condition {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (key, value, is) = match text.split_once("!=") {
            Some((key, value)) => (key, value, false),
            None => match text.split_once('=') {
                Some((key, value)) => (key, value, true),
                None => return Err(format!("must be KEY=VALUE or KEY!=VALUE, got '{text}'")),
            },
        };
        if ![NAME, ARM].contains(&key) && RunSpec::field(key).is_none() {
            return Err(format!(
                "there is no key '{key}': it may be name, arm, or one that fm-exp keys lists"
            ));
        }
        Ok(Self { key: key.to_owned(), value: value.to_owned(), is })
    }
}

impl Condition {
    fn holds(&self, source: &Source, run: &Identified) -> bool {
        let name = || source.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let said = match self.key.as_str() {
            NAME => Some(name()),
            ARM => Some(run.spec.arm()),
            key => run.value(key).map(|value| text(&value).unwrap_or_default()),
        };
        self.is == (said.as_deref() == Some(&self.value))
    }
}

/// Whether a run meets the conditions: of those on one key any, of several keys all.
pub(crate) fn meets(conditions: &[Condition], source: &Source, run: &Identified) -> bool {
    conditions.iter().all(|condition| {
        let mut same = conditions.iter().filter(|c| c.key == condition.key && c.is == condition.is);
        if condition.is { same.any(|c| c.holds(source, run)) } else { same.all(|c| c.holds(source, run)) }
    })
}
