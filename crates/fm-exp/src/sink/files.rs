//! The tables, the summary and the model that a finished run leaves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use fm_run::{files, model_file, store};
use fm_train::Sink;
use fm_train::event::{Event, Outcome};

use super::Context;
use crate::error::Result;
use crate::scored;

/// Writes `confusion.csv`, `confusion_normalized.csv`, `per_class.csv`, `predictions.csv`, `summary.json`
/// and `model.safetensors`.
#[derive(Debug)]
pub struct Files {
    /// The run directory.
    pub dir: PathBuf,
    /// Names of the classes, in the order of their numbers.
    pub class_names: Vec<String>,
    /// The run's identity, as the head of `summary.json`.
    pub identity: serde_json::Map<String, serde_json::Value>,
    /// What else `model.safetensors` says of itself.
    pub model_metadata: BTreeMap<String, String>,
    /// The run ids of runs that are this one's beginning, by their epochs.
    pub shorter: BTreeMap<u32, String>,
}

impl Sink for Files {
    fn name(&self) -> &'static str {
        "result files"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        if let Event::Scored { after, outcome } = event {
            return self.on_the_way(*after, outcome);
        }
        let Event::Finished { outcome, weights } = event else { return Ok(()) };
        scored::write_tables(&self.dir, &self.class_names, &outcome.test)?;
        store::write_json(&self.dir.join(files::SUMMARY), &self.summary(outcome))?;
        store::write(&self.dir.join(files::MODEL), &model_file::encode(weights, &self.model_metadata)?)
    }
}

impl Files {
    /// The sink of a run.
    pub(super) fn of(context: &Context<'_>) -> Self {
        let record = context.record;
        Self {
            dir: context.dir.to_owned(),
            class_names: record.data.class_names.clone(),
            identity: record.summary(),
            model_metadata: record.model(),
            shorter: record.shorter(),
        }
    }

    /// What a run that ended after so many epochs would have left, but for model and pictures.
    fn on_the_way(&self, after: u32, outcome: &Outcome) -> Result<()> {
        let place = files::scores_at(after);
        let mut identity = self.identity.clone();
        identity.insert("epochs".to_owned(), json!(after));
        identity.insert("run_id".to_owned(), json!(self.shorter.get(&after)));
        let name = format!("{}/{place}", identity.get("name").and_then(|n| n.as_str()).unwrap_or_default());
        identity.insert("name".to_owned(), json!(name));
        let there = Self {
            dir: self.dir.join(place),
            class_names: self.class_names.clone(),
            identity,
            model_metadata: BTreeMap::new(),
            shorter: BTreeMap::new(),
        };
        store::create_dir(&there.dir)?;
        scored::write_tables(&there.dir, &there.class_names, &outcome.test)?;
        // Last: with it, the directory is whole.
        store::write_json(&there.dir.join(files::SUMMARY), &there.summary(outcome))
    }

    fn summary(&self, outcome: &Outcome) -> serde_json::Value {
        let mut summary = self.identity.clone();
        summary.extend([
            ("epochs_trained".to_owned(), json!(outcome.epochs)),
            ("scored_epoch".to_owned(), json!(outcome.scored_epoch)),
            ("stopped_early".to_owned(), json!(outcome.stopped_early)),
            ("train_seconds".to_owned(), json!(outcome.train_seconds)),
            ("test_seconds".to_owned(), json!(outcome.test_seconds)),
            ("test".to_owned(), scored::to_json(&self.class_names, &outcome.test)),
        ]);
        serde_json::Value::Object(summary)
    }
}
