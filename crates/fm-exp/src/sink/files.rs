//! The tables, the summary and the model that a finished run leaves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::{Value, json};

use fm_net::NamedTensor;
use fm_run::{Identified, files, model_file, store};
use fm_train::Sink;
use fm_train::event::{Beside, Event, Outcome};

use super::Context;
use crate::error::Result;
use crate::{epoch_rows, scored};

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
    /// The run.
    pub run: Identified,
}

impl Sink for Files {
    fn name(&self) -> &'static str {
        "result files"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        match event {
            Event::Scored { beside, outcome, weights } => self.beside(*beside, outcome, weights),
            Event::Finished { outcome, weights, .. } => {
                let best = epoch_rows::best(&self.dir, outcome, self.run.spec.patience.is_some())?;
                scored::write_tables(&self.dir, &self.class_names, &outcome.test)?;
                store::write_json(&self.dir.join(files::SUMMARY), &self.summary(outcome, best))?;
                self.model(weights)
            }
            _ => Ok(()),
        }
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
            run: record.run.clone(),
        }
    }

    /// What another run would have left that is part of this one, but for pictures and the table of epochs; its
    /// model only where it is none of this run's checkpoints.
    fn beside(&self, beside: Beside, outcome: &Outcome, weights: &[NamedTensor]) -> Result<()> {
        let (place, run) = match beside {
            Beside::Length(epochs) => (files::scores_at(epochs), self.run.of_epochs(epochs)),
            Beside::Weights(weights) => (files::scores_of(weights).to_owned(), self.run.leaving(weights)),
        };
        let mut identity = self.identity.clone();
        identity.insert("run_id".to_owned(), json!(run.run_id()));
        for key in ["epochs", "weights"] {
            identity.insert(key.to_owned(), json!(run.value(key)));
        }
        let name = format!("{}/{place}", identity.get("name").and_then(|n| n.as_str()).unwrap_or_default());
        identity.insert("name".to_owned(), json!(name));
        let there = Self {
            dir: self.dir.join(place),
            class_names: self.class_names.clone(),
            identity,
            model_metadata: self.model_metadata.clone(),
            run,
        };
        let kept = self.run.spec.patience.is_some() && !matches!(beside, Beside::Length(_));
        let best = epoch_rows::best(&self.dir, outcome, kept)?;
        store::create_dir(&there.dir)?;
        scored::write_tables(&there.dir, &there.class_names, &outcome.test)?;
        if matches!(beside, Beside::Weights(_)) {
            there.model(weights)?;
        }
        // Last: with it, the directory is whole.
        store::write_json(&there.dir.join(files::SUMMARY), &there.summary(outcome, best))
    }

    fn model(&self, weights: &[NamedTensor]) -> Result<()> {
        let mut metadata = self.model_metadata.clone();
        metadata.insert("run_id".to_owned(), self.run.run_id());
        store::write(&self.dir.join(files::MODEL), &model_file::encode(weights, &metadata)?)
    }

    fn summary(&self, outcome: &Outcome, best_epoch: Option<u32>) -> serde_json::Value {
        let mut summary = self.identity.clone();
        summary.extend([
            ("epochs_trained".to_owned(), json!(outcome.epochs)),
            ("scored_epoch".to_owned(), json!(outcome.scored_epoch)),
            ("best_epoch".to_owned(), json!(best_epoch)),
            ("stopped_early".to_owned(), json!(outcome.stopped_early)),
            ("train_seconds".to_owned(), json!(outcome.train_seconds)),
            ("test_seconds".to_owned(), json!(outcome.test_seconds)),
            (
                "val".to_owned(),
                outcome.val.map_or(Value::Null, |(loss, acc)| json!({ "loss": loss, "accuracy": acc })),
            ),
            ("test".to_owned(), scored::to_json(&self.class_names, &outcome.test)),
            ("temperature_scaled".to_owned(), json!(outcome.scaled.as_ref().map(scored::scaled_to_json))),
        ]);
        serde_json::Value::Object(summary)
    }
}
