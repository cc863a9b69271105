//! The tables of a scored set of images, wherever it was scored: after training, after an epoch, by `eval`.

use std::path::Path;

use fm_run::files;
use fm_run::store::write_table;
use fm_train::metrics::Scores;
use serde_json::{Value, json};

use crate::error::Result;

/// Writes `confusion.csv`, `confusion_normalized.csv`, `per_class.csv` and `predictions.csv` into `dir`.
///
/// # Errors
/// When one cannot be written.
pub(crate) fn write_tables(dir: &Path, class_names: &[String], scores: &Scores) -> Result<()> {
    let n = scores.classes;
    let counts = |row: &[u64]| row.iter().map(ToString::to_string).collect::<Vec<_>>();
    let shares = |row: &[u64]| {
        let total: u64 = row.iter().sum();
        let share =
            |&c: &u64| if total == 0 { String::new() } else { format!("{:.4}", c as f64 / total as f64) };
        row.iter().map(share).collect::<Vec<_>>()
    };
    let matrix = |file: &str, rows: Vec<Vec<String>>| {
        let header: Vec<&str> =
            [fm_report::CORNER].into_iter().chain(class_names.iter().map(String::as_str)).collect();
        let named = class_names.iter().zip(rows);
        write_table(&dir.join(file), &header, named.map(|(name, row)| [vec![name.clone()], row].concat()))
    };
    matrix(files::CONFUSION, scores.confusion.chunks(n).map(counts).collect())?;
    matrix(files::CONFUSION_NORMALIZED, scores.confusion.chunks(n).map(shares).collect())?;

    let value = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.6}"));
    let classes = scores.per_class();
    let rows = class_names.iter().zip(&classes).map(|(name, c)| {
        vec![name.clone(), value(c.precision), value(c.recall), value(c.f1), c.support.to_string()]
    });
    write_table(&dir.join(files::PER_CLASS), &["class", "precision", "recall", "f1", "support"], rows)?;

    let rows = scores.predictions.iter().enumerate().map(|(i, p)| {
        let (t, q) = (format!("{:.6}", p.p_true), format!("{:.6}", p.p_predicted));
        vec![i.to_string(), p.label.to_string(), p.predicted.to_string(), t, q]
    });
    write_table(&dir.join(files::PREDICTIONS), &["index", "true", "predicted", "p_true", "p_predicted"], rows)
}

/// The scores as they stand in `summary.json` under `test`.
pub(crate) fn to_json(class_names: &[String], scores: &Scores) -> Value {
    let recalls: serde_json::Map<_, _> =
        class_names.iter().cloned().zip(scores.per_class().iter().map(|c| json!(c.recall))).collect();
    let weakest =
        scores.weakest().map(|(class, recall)| json!({ "class": class_names[class], "recall": recall }));
    json!({
        "images": scores.predictions.len(),
        "loss": scores.loss,
        "accuracy": scores.accuracy,
        "macro_f1": scores.macro_f1(),
        "weakest": weakest,
        "recall": recalls,
    })
}
