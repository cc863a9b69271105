//! `predictions.csv`.

use super::{Cells, ReadError, Record};
use crate::store::decimals;

/// What a model said of one image.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Prediction {
    /// True class.
    pub label: u8,
    /// Class with the largest logit; the first of equals.
    pub predicted: u8,
    /// Probability of the true class.
    pub p_true: f64,
    /// Probability of the predicted class.
    pub p_predicted: f64,
    /// Cross-entropy of the image, natural logarithm: `-ln(p_true)`, also where `p_true` is 0.000000. None in a table of an
    /// earlier version.
    pub loss: Option<f64>,
}

impl Prediction {
    /// Whether the predicted class is the true one.
    #[must_use]
    pub fn is_right(&self) -> bool {
        self.label == self.predicted
    }

    /// How sure the model was of the class that it predicted, and whether that is right: what calibration is about.
    #[must_use]
    pub fn certainty(&self) -> (f64, bool) {
        (self.p_predicted, self.is_right())
    }
}

impl Record for Prediction {
    const HEADER: &'static [&'static str] = &["index", "true", "predicted", "p_true", "p_predicted", "loss"];

    fn cells(&self, index: usize) -> Vec<String> {
        let Self { label, predicted, p_true, p_predicted, loss } = *self;
        vec![
            index.to_string(),
            label.to_string(),
            predicted.to_string(),
            decimals(Some(p_true), 6),
            decimals(Some(p_predicted), 6),
            decimals(loss, 6),
        ]
    }

    fn of(cells: &Cells<'_>, index: usize) -> Result<Self, ReadError> {
        if cells.value::<usize>("index", "a whole number")? != index {
            // A sorted or cut table: items of two runs would no longer be the same.
            return Err(cells.malformed(format!("index is {}, expected {index}", cells.text("index")?)));
        }
        let class = |column| cells.value(column, "a class number");
        Ok(Self {
            label: class("true")?,
            predicted: class("predicted")?,
            p_true: cells.value("p_true", "a number")?,
            p_predicted: cells.value("p_predicted", "a number")?,
            loss: cells.newer("loss")?,
        })
    }
}
