//! The tables, the summary and the model that a finished run leaves.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::json;

use super::Sink;
use crate::error::{Error, Kind, Result};
use crate::event::{Event, Outcome};
use crate::model_file;
use crate::store;

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
}

impl Sink for Files {
    fn name(&self) -> &'static str {
        "result files"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        let Event::Finished { outcome, weights } = event else { return Ok(()) };
        let scores = &outcome.test;
        let n = scores.classes;
        let counts = |row: &[u64]| row.iter().map(ToString::to_string).collect::<Vec<_>>();
        let shares = |row: &[u64]| {
            let total: u64 = row.iter().sum();
            row.iter()
                .map(|&c| if total == 0 { String::new() } else { format!("{:.4}", c as f64 / total as f64) })
                .collect::<Vec<_>>()
        };
        self.matrix("confusion.csv", scores.confusion.chunks(n).map(counts))?;
        self.matrix("confusion_normalized.csv", scores.confusion.chunks(n).map(shares))?;

        let value = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.6}"));
        let classes = scores.per_class();
        let rows = self.class_names.iter().zip(&classes).map(|(name, c)| {
            vec![name.clone(), value(c.precision), value(c.recall), value(c.f1), c.support.to_string()]
        });
        self.table("per_class.csv", &["class", "precision", "recall", "f1", "support"], rows)?;

        let rows = scores.predictions.iter().enumerate().map(|(i, p)| {
            let (t, q) = (format!("{:.6}", p.p_true), format!("{:.6}", p.p_predicted));
            vec![i.to_string(), p.label.to_string(), p.predicted.to_string(), t, q]
        });
        self.table("predictions.csv", &["index", "true", "predicted", "p_true", "p_predicted"], rows)?;

        let summary = serde_json::to_string_pretty(&self.summary(outcome)).map_err(other)?;
        store::write(&self.dir.join("summary.json"), format!("{summary}\n").as_bytes())?;
        store::write(&self.dir.join("model.safetensors"), &model_file::encode(weights, &self.model_metadata)?)
    }
}

impl Files {
    /// A class-by-class table: names in the header and the first column.
    fn matrix(&self, file: &str, rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
        let corner = "true \\ predicted";
        let header: Vec<&str> =
            [corner].into_iter().chain(self.class_names.iter().map(String::as_str)).collect();
        let named = self.class_names.iter().zip(rows);
        self.table(file, &header, named.map(|(name, row)| [vec![name.clone()], row].concat()))
    }

    fn table(&self, file: &str, header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
        let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
        writer.write_record(header).map_err(other)?;
        for row in rows {
            writer.write_record(row).map_err(other)?;
        }
        store::write(&self.dir.join(file), &writer.into_inner().map_err(other)?)
    }

    fn summary(&self, outcome: &Outcome) -> serde_json::Value {
        let scores = &outcome.test;
        let recalls: serde_json::Map<_, _> = self
            .class_names
            .iter()
            .cloned()
            .zip(scores.per_class().iter().map(|c| json!(c.recall)))
            .collect();
        let weakest = scores
            .weakest()
            .map(|(class, recall)| json!({ "class": self.class_names[class], "recall": recall }));
        let mut summary = self.identity.clone();
        summary.extend([
            ("epochs_trained".to_owned(), json!(outcome.epochs)),
            ("scored_epoch".to_owned(), json!(outcome.scored_epoch)),
            ("stopped_early".to_owned(), json!(outcome.stopped_early)),
            ("train_seconds".to_owned(), json!(outcome.train_seconds)),
            ("test_seconds".to_owned(), json!(outcome.test_seconds)),
            (
                "test".to_owned(),
                json!({
                    "images": scores.predictions.len(),
                    "loss": scores.loss,
                    "accuracy": scores.accuracy,
                    "macro_f1": scores.macro_f1(),
                    "weakest": weakest,
                    "recall": recalls,
                }),
            ),
        ]);
        serde_json::Value::Object(summary)
    }
}

fn other(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Other, error.to_string())
}
