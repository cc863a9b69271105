//! The tables of a scored set of images, wherever it was scored: after training, after an epoch, by `eval`.

use std::path::Path;

use fm_report::stats::calibration_error;
use fm_run::files;
use fm_run::tables::{self, Confusion, Prediction};
use fm_train::metrics::Scores;
use fm_train::temperature::Scaled;
use serde_json::{Value, json};

use crate::error::Result;

/// Writes `confusion.csv`, `confusion_normalized.csv`, `per_class.csv` and `predictions.csv` into `dir`.
///
/// # Errors
/// When one cannot be written.
pub(crate) fn write_tables(dir: &Path, class_names: &[String], scores: &Scores) -> Result<()> {
    let rows = scores.confusion.chunks(scores.classes).map(<[u64]>::to_vec);
    Confusion::new(class_names.to_vec(), rows.collect())?.write(dir)?;
    tables::write(&dir.join(files::PREDICTIONS), &scores.predictions)
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
        "brier": scores.brier,
        "calibration_error": calibration_error(&said(scores)),
        "weakest": weakest,
        "recall": recalls,
    })
}

/// How sure each prediction was, and whether it was right.
pub(crate) fn said(scores: &Scores) -> Vec<(f64, bool)> {
    scores.predictions.iter().map(Prediction::certainty).collect()
}

/// What temperature scaling makes of the scores, as it stands in `summary.json` under `temperature_scaled`.
pub(crate) fn scaled_to_json(scaled: &Scaled) -> Value {
    json!({
        "temperature": scaled.temperature,
        "loss": scaled.test.loss,
        "brier": scaled.test.brier,
        "calibration_error": calibration_error(&said(&scaled.test)),
    })
}
