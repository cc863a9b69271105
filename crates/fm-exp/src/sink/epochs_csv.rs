//! `epochs.csv`: a row an epoch, on disk as soon as the epoch is done.

use std::path::Path;

use fm_run::files;
use fm_run::store::{self, Growing};
use fm_run::tables::{EpochRow, Record as _};
use fm_train::{Event, Sink};

use super::Context;
use crate::error::Result;

/// Writes `epochs.csv` (RFC 4180, `.` decimals, empty where nothing was measured).
#[derive(Debug)]
pub struct EpochsCsv {
    file: Growing,
    run_id: String,
    arch: String,
    seed: u64,
}

impl EpochsCsv {
    /// The sink of a run, from the beginning or resumed.
    ///
    /// # Errors
    /// As for [`EpochsCsv::create`] and [`EpochsCsv::resume`].
    pub(super) fn of(context: &Context<'_>) -> Result<Self> {
        let run = context.record.run;
        let (dir, run_id, arch, seed) = (context.dir, run.run_id(), run.spec.arch.to_string(), run.spec.seed);
        match context.epochs_csv_bytes {
            None => Self::create(dir, &run_id, &arch, seed),
            Some(len) => Self::resume(dir, &run_id, &arch, seed, len),
        }
    }

    /// Starts the file in `dir` with its header.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn create(dir: &Path, run_id: &str, arch: &str, seed: u64) -> Result<Self> {
        let path = dir.join(files::EPOCHS);
        let mut sink = Self::on(store::create(&path)?, run_id, arch, seed);
        sink.row(EpochRow::HEADER)?;
        Ok(sink)
    }

    /// Continues the file in `dir` after its first `len` bytes, the length that a checkpoint records.
    ///
    /// # Errors
    /// When it cannot be opened, or is shorter than the checkpoint knows.
    pub fn resume(dir: &Path, run_id: &str, arch: &str, seed: u64, len: u64) -> Result<Self> {
        let path = dir.join(files::EPOCHS);
        let (file, cut) = store::resume(&path, len)?;
        if cut {
            tracing::info!("{} is cut back to the checkpoint's {len} bytes", path.display());
        }
        Ok(Self::on(file, run_id, arch, seed))
    }

    fn on(file: Growing, run_id: &str, arch: &str, seed: u64) -> Self {
        Self { file, run_id: run_id.to_owned(), arch: arch.to_owned(), seed }
    }

    fn row(&mut self, fields: &[impl AsRef<[u8]>]) -> Result<()> {
        self.file.append(&store::csv_row(fields)?)
    }
}

impl Sink for EpochsCsv {
    fn name(&self) -> &'static str {
        files::EPOCHS
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        let Event::EpochEnded(e) = event else { return Ok(()) };
        let average = |name: &str| {
            let found = e.averages.iter().find(|average| average.weights.name() == name);
            (found.map(|average| average.loss), found.map(|average| average.accuracy))
        };
        let row = EpochRow {
            run_id: self.run_id.clone(),
            arch: self.arch.clone(),
            seed: self.seed,
            phase: e.phase.clone(),
            epoch: e.epoch,
            train_loss: e.train_loss,
            train_acc: e.train_acc,
            val_loss: e.val_loss,
            val_acc: e.val_acc,
            lr: e.lr,
            trainable_params: e.trainable_params as u64,
            train_seconds: e.train_seconds,
            eval_seconds: e.eval_seconds,
            images_per_second: Some(e.images_per_second),
            ema: average("ema"),
            mean: average("mean"),
        };
        self.row(&row.cells(0))
    }
}
