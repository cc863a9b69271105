//! A statement with what only the machine and the data tell: which run it is.
//!
//! [`RunSpec`] + [`Facts`] → [`Identified`]: the run's id, `config.toml`, the identity columns of every table.

use sha2::{Digest, Sha256};
use toml::{Table, Value};

use crate::spec::{PROVENANCE, Role, RunSpec, SCORED_TOO, Shorter, Weights, same, text};

/// Counts changes to what the files of a run contain.
pub const RESULTS_FORMAT: u32 = 1;

/// What the keys whose role is [`Role::Resolved`] come to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// `cpu` or `cuda:N`.
    pub device: String,
    /// Names of the engines that compute, such as `fused` or `eager+fused`.
    pub engine: String,
    /// Identifies the contents of the data set's files.
    pub data_sha256: String,
    /// Of the file that the encoder comes from, where it comes from one.
    pub pretrain_sha256: Option<String>,
}

/// A run as it runs, and where it comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Identified {
    /// What was asked for, checked.
    pub spec: RunSpec,
    /// What it comes to here.
    pub facts: Facts,
    /// Command, versions, machine, time: recorded, and no part of what the run is.
    pub provenance: Table,
}

impl Identified {
    /// What the key comes to; none where it is unset or means nothing here.
    #[must_use]
    pub fn value(&self, key: &str) -> Option<Value> {
        match key {
            "device" => Some(self.facts.device.as_str().into()),
            "engine" => Some(self.facts.engine.as_str().into()),
            "deterministic" if self.facts.device == "cpu" => None,
            _ => self.spec.get(key),
        }
    }

    /// The keys that decide the result, as the id has them: those with `always`, and others that are not at
    /// their default.
    fn deciding(&self) -> Table {
        let default = RunSpec::default();
        let mut table = Table::new();
        for field in RunSpec::fields().iter().filter(|field| field.role.decides()) {
            let value = self.value(&field.key);
            if field.always || value != default.get(&field.key) {
                table.extend(value.map(|value| (field.key.clone(), value)));
            }
        }
        table
    }

    /// First 16 hexadecimal digits of the SHA-256 of what decides the result, the data and the format of
    /// results. Which of a machine's GPUs computes is no part of it, nor where files are.
    #[must_use]
    pub fn run_id(&self) -> String {
        // A Table is sorted by key, so this text is canonical.
        sha256(self.hashed().to_string().as_bytes())[..16].to_owned()
    }

    fn hashed(&self) -> Table {
        let mut keys = self.deciding();
        keys.remove("dataset");
        if self.facts.device.starts_with("cuda") {
            keys.insert("device".to_owned(), "cuda".into());
        }
        keys.insert("data-sha256".to_owned(), self.facts.data_sha256.as_str().into());
        if let Some(sha256) = &self.facts.pretrain_sha256 {
            keys.insert("pretrain".to_owned(), sha256.as_str().into());
        }
        keys.insert("results-format".to_owned(), RESULTS_FORMAT.into());
        keys
    }

    /// What tells runs apart that are no repetitions of each other: what the id is made of, but the seed.
    #[must_use]
    pub fn traits(&self) -> Table {
        let mut traits = self.hashed();
        traits.remove("results-format");
        let replicates = RunSpec::fields().iter().filter(|field| field.role == Role::Replicates);
        replicates.for_each(|field| drop(traits.remove(&field.key)));
        traits
    }

    /// Names and values of the identity columns of tables, in the order of the statement.
    #[must_use]
    pub fn columns(&self) -> Vec<(&'static str, Option<Value>)> {
        let deciding = RunSpec::fields().iter().filter(|field| field.role.decides());
        deciding.map(|field| (field.column, self.value(&field.key))).collect()
    }

    /// The same run, of another length.
    #[must_use]
    pub fn of_epochs(&self, epochs: u32) -> Self {
        let mut other = self.clone();
        (other.spec.epochs, other.spec.score_at) = (epochs, Vec::new());
        other
    }

    /// The same run, if it left other weights.
    #[must_use]
    pub fn leaving(&self, weights: Weights) -> Self {
        let mut other = self.clone();
        (other.spec.weights, other.spec.average) = (weights, Vec::new());
        other
    }

    /// The text of `config.toml`: keys on top, so that `--config` reads it back.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let mut keys = self.deciding();
        // Written at its default too: a reader of the file need not know the default.
        keys.extend(self.value("dataset").map(|value| ("dataset".to_owned(), value)));
        for key in SCORED_TOO.into_iter().chain(["data-dir"]) {
            keys.extend(self.spec.get(key).map(|value| (key.to_owned(), value)));
        }
        let mut provenance = self.provenance.clone();
        let mut set = |key: &str, value: Value| provenance.insert(key.to_owned(), value);
        set("data-sha256", self.facts.data_sha256.as_str().into());
        if let Some(sha256) = &self.facts.pretrain_sha256 {
            set("pretrain-sha256", sha256.as_str().into());
        }
        set("results-format", RESULTS_FORMAT.into());
        set("run-id", self.run_id().into());
        let table: Table = [(PROVENANCE.to_owned(), Value::Table(provenance))].into_iter().collect();
        format!("{keys}\n{table}")
    }

    /// What `--dry-run --json` prints.
    #[must_use]
    pub fn to_json(&self) -> String {
        let table: Table = self.to_toml().parse().unwrap_or_default();
        format!("{:#}\n", serde_json::to_value(table).unwrap_or_default())
    }

    /// What this run, which is to have more epochs, is to another that differs by nothing else; none where the text is
    /// not the `config.toml` of such a run.
    #[must_use]
    pub fn shorter(&self, other: &str) -> Option<(Self, Shorter)> {
        let there = read_config(other).ok()?;
        let longer = there.spec.epochs < self.spec.epochs;
        let same = longer && self.with_epochs(there.spec.epochs).differences(other)?.is_empty();
        same.then(|| (self.with_epochs(there.spec.epochs), self.spec.shorter(there.spec.epochs)))
    }

    /// The same run of another length, scored on the way as this one.
    fn with_epochs(&self, epochs: u32) -> Self {
        let mut other = self.clone();
        other.spec.epochs = epochs;
        other
    }

    /// What differs in another run's `config.toml`, a line a key; none if it is no such file.
    #[must_use]
    pub fn differences(&self, other: &str) -> Option<Vec<String>> {
        let (there, here) = (comparable(other)?, comparable(&self.to_toml())?);
        let keys: std::collections::BTreeSet<&String> = there.keys().chain(here.keys()).collect();
        let show = |value: Option<&Value>| value.map_or("unset".to_owned(), ToString::to_string);
        let lines = keys.into_iter().filter(|key| !same(there.get(*key), here.get(*key)));
        Some(
            lines
                .map(|key| format!("{key}: there {}, here {}", show(there.get(key)), show(here.get(key))))
                .collect(),
        )
    }
}

/// What a `config.toml` says that a resumed run must share: what decides, and what is scored on the way.
fn comparable(text: &str) -> Option<Table> {
    let mut table: Table = text.parse().ok()?;
    let provenance = table.remove(PROVENANCE)?;
    table.retain(|key, _| {
        RunSpec::field(key).is_none_or(|field| field.role.decides() || matches!(field.role, Role::Place(_)))
    });
    for key in ["data-sha256", "results-format"] {
        table.insert(key.to_owned(), provenance.get(key)?.clone());
    }
    if let Some(sha256) = provenance.get("pretrain-sha256") {
        table.insert("pretrain".to_owned(), sha256.clone());
    }
    Some(table)
}

/// A run's statement and facts from its `config.toml`.
///
/// # Errors
/// A usage error that names the key which cannot be read.
pub fn read_config(contents: &str) -> crate::error::Result<Identified> {
    let table: Table =
        contents.parse().map_err(|e: toml::de::Error| crate::error::Error::usage(e.message().to_owned()))?;
    let provenance = table.get(PROVENANCE).and_then(Value::as_table).cloned().unwrap_or_default();
    let said = |table: &Table, key: &str| table.get(key).and_then(|value| text(value).ok());
    let facts = Facts {
        device: said(&table, "device").unwrap_or_default(),
        engine: said(&table, "engine").unwrap_or_default(),
        data_sha256: said(&provenance, "data-sha256").unwrap_or_default(),
        pretrain_sha256: said(&provenance, "pretrain-sha256"),
    };
    Ok(Identified { spec: RunSpec::read(&table)?, facts, provenance })
}

/// Whether a text has the form of a [run's id](Identified::run_id).
#[must_use]
pub fn is_run_id(text: &str) -> bool {
    text.len() == 16 && text.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b))
}

/// Of some bytes, in lower-case hexadecimal.
#[must_use]
pub fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::new(), |hex, byte| hex + &format!("{byte:02x}"))
}
