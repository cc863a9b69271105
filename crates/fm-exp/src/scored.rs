//! The tables of a scored set of images, wherever it was scored: after training, after an epoch, by `eval`.

use std::path::Path;

use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};
use crate::metrics::Scores;
use crate::store;

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
        table(&dir.join(file), &header, named.map(|(name, row)| [vec![name.clone()], row].concat()))
    };
    matrix("confusion.csv", scores.confusion.chunks(n).map(counts).collect())?;
    matrix("confusion_normalized.csv", scores.confusion.chunks(n).map(shares).collect())?;

    let value = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.6}"));
    let classes = scores.per_class();
    let rows = class_names.iter().zip(&classes).map(|(name, c)| {
        vec![name.clone(), value(c.precision), value(c.recall), value(c.f1), c.support.to_string()]
    });
    table(&dir.join("per_class.csv"), &["class", "precision", "recall", "f1", "support"], rows)?;

    let rows = scores.predictions.iter().enumerate().map(|(i, p)| {
        let (t, q) = (format!("{:.6}", p.p_true), format!("{:.6}", p.p_predicted));
        vec![i.to_string(), p.label.to_string(), p.predicted.to_string(), t, q]
    });
    table(&dir.join("predictions.csv"), &["index", "true", "predicted", "p_true", "p_predicted"], rows)
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

/// Writes a CSV file as every one of ours is.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn table(path: &Path, header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<()> {
    store::write(path, &csv_bytes(header, rows)?)
}

/// A table as RFC 4180 has it, with a header.
///
/// # Errors
/// None that rows as long as the header can cause.
pub(crate) fn csv_bytes(header: &[&str], rows: impl Iterator<Item = Vec<String>>) -> Result<Vec<u8>> {
    let mut writer = csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    writer.write_record(header).map_err(other)?;
    for row in rows {
        writer.write_record(row).map_err(other)?;
    }
    writer.into_inner().map_err(other)
}

/// Writes JSON, indented, with a line end.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn write_json(path: &Path, value: &Value) -> Result<()> {
    store::write(path, format!("{value:#}\n").as_bytes())
}

fn other(error: impl std::fmt::Display) -> Error {
    Error::new(Kind::Other, error.to_string())
}
