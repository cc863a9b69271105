//! What a run's records say of its settings, its data and what computed it, against each other and against this program.

use std::path::Path;

use fm_report::Source;

use fm_run::{Identified, RESULTS_FORMAT, read_config, sha256, store};
use serde_json::{Value, json};

use super::Difference;
use crate::commands::compare::failed;
use crate::error::{Error, Kind, Result};
use crate::{inputs, provenance};

/// A run as recorded.
#[derive(Debug)]
pub(super) struct Recorded {
    /// The text of `config.toml`.
    pub(super) text: String,
    pub(super) run: Identified,
    /// The id that was recorded.
    pub(super) id: String,
}

/// Reads a run's `config.toml`.
///
/// # Errors
/// When it cannot be read or names no run.
pub(super) fn read(source: &Source) -> Result<Recorded> {
    let text = source.config().map_err(failed)?;
    let run = read_config(&text)?;
    let id = run.provenance.get("run-id").and_then(toml::Value::as_str).unwrap_or_default().to_owned();
    if id.is_empty() {
        return Err(Error::new(Kind::Mismatch, "config.toml has no run-id under [provenance]"));
    }
    Ok(Recorded { text, run, id })
}

impl Recorded {
    /// The first setting on which the run's files do not agree.
    ///
    /// # Errors
    /// When the summary cannot be read.
    pub(super) fn setting(&self, source: &Source) -> Result<Option<Difference>> {
        let format = self.run.provenance.get("results-format").and_then(toml::Value::as_integer);
        if format != Some(i64::from(RESULTS_FORMAT)) {
            let there = format.map_or("none".to_owned(), |format| format.to_string());
            let text = format!("results-format: recorded {there}, this program has {RESULTS_FORMAT}");
            return Ok(Some(Difference::new("setting", text)));
        }
        let summary = source.summary(None).map_err(failed)?.unwrap_or_default();
        for (column, value) in self.run.columns() {
            // Keys that came later are in no earlier summary.
            let Some(there) = summary.get(column) else { continue };
            let here = json!(value);
            let same = match (there.as_f64(), here.as_f64()) {
                (Some(a), Some(b)) => a.to_bits() == b.to_bits(),
                _ => *there == here,
            };
            if !same {
                let text = format!("{column}: config.toml {here}, summary.json {there}");
                return Ok(Some(Difference::new("setting", text)));
            }
        }
        let computed = self.run.run_id();
        let said = |what: &str, id: &str| {
            let text = format!("run id: config.toml gives {computed}, {what} says {id}");
            (id != computed).then(|| Difference::new("setting", text))
        };
        let of_summary = summary.get("run_id").and_then(Value::as_str).unwrap_or_default();
        Ok(said("its [provenance]", &self.id).or_else(|| said("summary.json", of_summary)))
    }

    /// Whether the data files are other ones now.
    ///
    /// # Errors
    /// When they cannot be read.
    pub(super) fn data(&self, dir: Option<&Path>) -> Result<Option<Difference>> {
        let mut spec = self.run.spec.clone();
        if let Some(dir) = dir {
            spec.data_dir = Some(dir.to_owned());
        }
        let data = inputs::load(&spec, false)?;
        let there = &self.run.facts.data_sha256;
        if data.sha256 != *there {
            let files = data.files.iter().map(|file| format!("{} {}", file.name, file.verification));
            let files = files.collect::<Vec<_>>().join(", ");
            let text = format!("recorded {there}, in {} {} ({files})", data.dir.display(), data.sha256);
            return Ok(Some(Difference::new("data", text)));
        }
        let Some(there) = &self.run.facts.pretrain_sha256 else { return Ok(None) };
        let path =
            self.run.spec.get("pretrain").and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
        let here = store::read(Path::new(&path), store::MAX_TABLE).map(|bytes| sha256(&bytes));
        Ok(match here {
            Ok(here) if here == *there => None,
            Ok(here) => Some(Difference::new("data", format!("{path}: recorded {there}, there is {here}"))),
            Err(error) => Some(Difference::new("data", error.to_string())),
        })
    }

    /// The CPU threads that it was trained on, where they were recorded.
    pub(super) fn threads(&self) -> Option<usize> {
        self.run.provenance.get("threads")?.as_integer()?.try_into().ok()
    }

    /// What computed it, where that is not what computes here, or was not recorded; first the `settings` that come to
    /// something else here.
    pub(super) fn build(&self, settings: &[String]) -> Option<Difference> {
        let engine = &self.run.facts.engine;
        let device = inputs::machine(&self.run.spec).ok()?.device;
        // It is trained again on as many threads.
        let here = provenance::table(device, engine, self.threads(), &[]);
        let (mut differ, mut lacking) = (settings.to_vec(), Vec::new());
        // The fused kernels compute the same bits with any number of threads.
        for key in provenance::COMPUTED_BY.iter().filter(|key| **key != "threads" || engine != "fused") {
            let Some(now) = here.get(*key) else { continue };
            match self.run.provenance.get(*key) {
                Some(there) if there == now => {}
                Some(there) => differ.push(format!("{key}: recorded {there}, here {now}")),
                None => lacking.push(*key),
            }
        }
        if !lacking.is_empty() {
            differ.push(format!("not recorded: {}", lacking.join(", ")));
        }
        // Two builds of changed sources may be of different ones.
        let changed = here.get("sources-changed").and_then(toml::Value::as_bool) == Some(true);
        if differ.is_empty() && changed {
            differ.push("both builds are of changed sources, which may differ".to_owned());
        }
        (!differ.is_empty()).then(|| Difference::new("build", differ.join("; ")))
    }
}
