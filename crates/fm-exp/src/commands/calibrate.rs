//! What `eval` says of calibration: reliability by confidence, as it is and after temperature scaling.

use std::fmt::Write as _;
use std::path::Path;

use fm_data::Dataset;
use fm_report::stats::{Bin, Interval, calibration_parts, reliability, summarize};
use fm_run::store::{self, decimals};
use fm_run::trained::Trained;
use fm_train::engine::{Engine, Input, Source, Want};
use fm_train::metrics::Scores;
use fm_train::temperature::Scaled;
use serde_json::Value;

use super::eval::picture;
use super::inference;
use crate::error::{Error, Result};
use crate::scored::{said, scaled_to_json};

/// Scores as they are, and scaled by a temperature, or why there is none.
pub(super) struct Calibrated<'a> {
    scores: &'a Scores,
    scaled: std::result::Result<Scaled, Error>,
    /// How many validation images the temperature was fitted on.
    fitted: usize,
}

impl<'a> Calibrated<'a> {
    /// Fits a temperature on the images that the model's run held out, where they are known.
    ///
    /// # Errors
    /// When the engine fails.
    pub(super) fn new(
        engine: &mut dyn Engine,
        trained: &Trained,
        data: &Dataset,
        (logits, labels): (&[f32], &[u8]),
        scores: &'a Scores,
    ) -> Result<Self> {
        let rows = match inference::held_out(data, trained) {
            Ok(rows) => rows,
            Err(why) => return Ok(Self { scores, scaled: Err(why), fitted: 0 }),
        };
        let held = inference::infer(engine, trained, Input::Rows(Source::Train, &rows), Want::Output)?;
        let truth: Vec<u8> = rows.iter().map(|&row| data.train.labels[row as usize]).collect();
        let scaled = Scaled::new((&held, &truth), (logits, labels), scores.classes);
        Ok(Self { scores, scaled: Ok(scaled), fitted: rows.len() })
    }

    /// As in a run's `summary.json`; null where no temperature was fitted.
    pub(super) fn to_json(&self) -> Value {
        self.scaled.as_ref().map_or(Value::Null, scaled_to_json)
    }

    /// Temperatures and bins: as it is, and scaled.
    fn bins(&self) -> Vec<(f64, Vec<Bin>)> {
        let scaled = self.scaled.iter().map(|scaled| (scaled.temperature, &scaled.test));
        [(1.0, self.scores)]
            .into_iter()
            .chain(scaled)
            .map(|(t, scores)| (t, reliability(&said(scores))))
            .collect()
    }

    /// Writes `calibration.csv` and draws `calibration.svg` and `calibration.png`.
    ///
    /// # Errors
    /// When one cannot be written.
    pub(super) fn write(&self, dir: &Path, title: &str) -> Result<()> {
        let all = self.bins();
        let row = |t: f64, bin: &Bin| {
            let mut row = vec![decimals(Some(t), 6), decimals(Some(bin.low), 6), decimals(Some(bin.high), 6)];
            row.push(bin.images.to_string());
            row.extend([decimals(bin.confidence, 6), decimals(bin.accuracy, 6)]);
            row
        };
        let rows = all.iter().flat_map(|(t, bins)| bins.iter().map(move |bin| row(*t, bin)));
        let header = ["temperature", "low", "high", "images", "confidence", "accuracy"];
        store::write_table(&dir.join("calibration.csv"), &header, rows)?;
        let name = |t: f64, scores: &Scores| {
            let (error, _) = error(scores);
            let what = if t.to_bits() == 1.0_f64.to_bits() {
                "as it is".to_owned()
            } else {
                format!("scaled by temperature {t:.2}")
            };
            format!("{what}: calibration error {:.2} %, loss {:.4}", 100.0 * error, scores.loss)
        };
        let scores = [self.scores].into_iter().chain(self.scaled.iter().map(|scaled| &scaled.test));
        let models: Vec<_> = all.into_iter().zip(scores).map(|((t, bins), s)| (name(t, s), bins)).collect();
        picture(dir, "calibration", || Ok(fm_report::reliability_diagram(&models, title)))
    }

    /// Lines for the terminal.
    pub(super) fn text(&self) -> String {
        let mut text = String::new();
        let line = |text: &mut String, name: &str, scores: &Scores| {
            let (value, Interval { low, high }) = error(scores);
            let [value, low, high] = [value, low, high].map(|share| 100.0 * share);
            let _ = writeln!(
                text,
                "  {name:<15} calibration error {value:.2} % ({low:.2} to {high:.2} over images), Brier score {:.4}, loss {:.4}",
                scores.brier, scores.loss
            );
        };
        line(&mut text, "calibration", self.scores);
        match &self.scaled {
            Ok(scaled) => {
                line(&mut text, &format!("  at {:.3}", scaled.temperature), &scaled.test);
                let _ = writeln!(
                    text,
                    "                  the temperature that the {} validation images ask for",
                    self.fitted
                );
            }
            Err(why) => {
                let _ = writeln!(text, "                  no temperature: {why}");
            }
        }
        text
    }
}

/// The calibration error and its 95 % interval over images.
fn error(scores: &Scores) -> (f64, Interval) {
    let summary = summarize(&calibration_parts(&said(scores)));
    let value = summary.as_ref().map_or(0.0, |summary| summary.mean);
    let whole = Interval { low: 0.0, high: 1.0 };
    let interval = summary.and_then(|summary| summary.interval).unwrap_or(whole);
    (value, Interval { low: interval.low.max(0.0), high: interval.high.min(1.0) })
}
