//! `epochs.csv`.

use super::{Cells, ReadError, Record};
use crate::store::{decimals, number};

/// A row of `epochs.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct EpochRow {
    /// 16 hexadecimal digits that identify the run.
    pub run_id: String,
    /// The architecture's name.
    pub arch: String,
    /// The run's seed.
    pub seed: u64,
    /// The phase of the plan.
    pub phase: String,
    /// From 1, counted over all phases.
    pub epoch: u32,
    /// Mean loss over the epoch's training images.
    pub train_loss: f64,
    /// Share of the epoch's training images classified correctly; none when the phase classifies nothing.
    pub train_acc: Option<f64>,
    /// Mean loss over the validation images after the epoch.
    pub val_loss: Option<f64>,
    /// Share of the validation images classified correctly.
    pub val_acc: Option<f64>,
    /// Learning rate.
    pub lr: f64,
    /// How many parameters train.
    pub trainable_params: u64,
    /// Training alone, in seconds.
    pub train_seconds: f64,
    /// Validation, in seconds.
    pub eval_seconds: Option<f64>,
    /// Training images by `train_seconds`.
    pub images_per_second: Option<f64>,
    /// Mean loss over the validation images and share of them classified correctly, of the moving average of the
    /// weights.
    pub ema: (Option<f64>, Option<f64>),
    /// The same of the mean of the last epochs' weights.
    pub mean: (Option<f64>, Option<f64>),
}

/// The row of the last phase with the lowest validation loss, the first of equals: the one that `--patience` keeps, as
/// far as six decimals tell. None where nothing was validated.
#[must_use]
pub fn best_epoch(rows: &[EpochRow]) -> Option<&EpochRow> {
    let phase = &rows.last()?.phase;
    let last = rows.iter().rev().take_while(|row| row.phase == *phase);
    let validated = last.filter_map(|row| Some((row.val_loss.filter(|loss| loss.is_finite())?, row)));
    // From the last to the first, so that `<=` leaves the first of equals.
    let lower = |best: (f64, _), next: (f64, _)| if next.0 <= best.0 { next } else { best };
    validated.reduce(lower).map(|(_, row)| row)
}

impl Record for EpochRow {
    const HEADER: &'static [&'static str] = &[
        "run_id",
        "arch",
        "seed",
        "phase",
        "epoch",
        "train_loss",
        "train_acc",
        "val_loss",
        "val_acc",
        "lr",
        "trainable_params",
        "train_seconds",
        "eval_seconds",
        "images_per_second",
        "ema_val_loss",
        "ema_val_acc",
        "mean_val_loss",
        "mean_val_acc",
    ];

    fn cells(&self, _: usize) -> Vec<String> {
        vec![
            self.run_id.clone(),
            self.arch.clone(),
            self.seed.to_string(),
            self.phase.clone(),
            self.epoch.to_string(),
            decimals(Some(self.train_loss), 6),
            decimals(self.train_acc, 6),
            decimals(self.val_loss, 6),
            decimals(self.val_acc, 6),
            number(self.lr),
            self.trainable_params.to_string(),
            decimals(Some(self.train_seconds), 4),
            decimals(self.eval_seconds, 4),
            decimals(self.images_per_second, 1),
            decimals(self.ema.0, 6),
            decimals(self.ema.1, 6),
            decimals(self.mean.0, 6),
            decimals(self.mean.1, 6),
        ]
    }

    fn of(cells: &Cells<'_>, _: usize) -> Result<Self, ReadError> {
        Ok(Self {
            run_id: cells.text("run_id")?.to_owned(),
            arch: cells.text("arch")?.to_owned(),
            seed: cells.value("seed", "a whole number")?,
            phase: cells.text("phase")?.to_owned(),
            epoch: cells.value("epoch", "a whole number")?,
            train_loss: cells.value("train_loss", "a number")?,
            train_acc: cells.optional("train_acc")?,
            val_loss: cells.optional("val_loss")?,
            val_acc: cells.optional("val_acc")?,
            lr: cells.value("lr", "a number")?,
            trainable_params: cells.value("trainable_params", "a whole number")?,
            train_seconds: cells.value("train_seconds", "a number")?,
            eval_seconds: cells.optional("eval_seconds")?,
            images_per_second: cells.optional("images_per_second")?,
            ema: (cells.newer("ema_val_loss")?, cells.newer("ema_val_acc")?),
            mean: (cells.newer("mean_val_loss")?, cells.newer("mean_val_acc")?),
        })
    }
}
