//! `epochs.csv`: a row per epoch, on disk as soon as the epoch is done.

use std::path::{Path, PathBuf};

use fm_run::files;
use fm_run::store::{self, Growing};
use fm_run::tables::{EpochRow, Record as _};
use fm_train::event::Epoch;
use fm_train::{Event, Sink};

use super::Context;
use crate::epoch_rows;
use crate::error::Result;

/// Writes `epochs.csv` (RFC 4180, `.` decimals, empty where nothing was measured), and its copy beside the
/// checkpoints.
#[derive(Debug)]
pub struct EpochsCsv {
    dir: PathBuf,
    copy: Growing,
    file: Growing,
    run_id: String,
    arch: String,
    seed: u64,
}

impl EpochsCsv {
    /// The sink of a run, from the beginning or resumed.
    ///
    /// # Errors
    /// As for [`EpochsCsv::begin`].
    pub(super) fn of(context: &Context<'_>) -> Result<Self> {
        let run = context.record.run;
        Self::begin(context.dir, &run.run_id(), &run.spec.arch.to_string(), run.spec.seed, context.rows)
    }

    /// Starts the file in `dir` with its header, or with the rows of the epochs that a resumed run has behind it.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn begin(dir: &Path, run_id: &str, arch: &str, seed: u64, rows: Option<&[u8]>) -> Result<Self> {
        let rows = match rows {
            Some(rows) => rows.to_vec(),
            None => store::csv_row(EpochRow::HEADER)?,
        };
        epoch_rows::restore(dir, &rows)?;
        let open = |path: &Path| store::resume(path, rows.len() as u64);
        let (copy, file) = (open(&epoch_rows::copy(dir))?, open(&dir.join(files::EPOCHS))?);
        let (run_id, arch) = (run_id.to_owned(), arch.to_owned());
        Ok(Self { dir: dir.to_owned(), copy, file, run_id, arch, seed })
    }

    /// Sees that the file holds what was written to it: somebody may have saved another in its place.
    fn finish(&self) -> Result<()> {
        let read = |path: &Path| std::fs::read(path).unwrap_or_default();
        let rows = read(&epoch_rows::copy(&self.dir));
        let same = rows == read(&self.dir.join(files::EPOCHS));
        if same { Ok(()) } else { epoch_rows::restore(&self.dir, &rows) }
    }
}

impl Sink for EpochsCsv {
    fn name(&self) -> &'static str {
        files::EPOCHS
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        if matches!(event, Event::Finished { .. }) {
            return self.finish();
        }
        let Event::EpochEnded(e) = event else { return Ok(()) };
        let (run_id, arch) = (self.run_id.clone(), self.arch.clone());
        let row = EpochRow { run_id, arch, seed: self.seed, ..row(e) };
        let row = store::csv_row(&row.cells(0))?;
        // The copy first: what the checkpoint counts.
        self.copy.append(&row)?;
        self.file.append(&row)
    }
}

/// An epoch as a row, without the columns that say which run it is of.
pub(super) fn row(e: &Epoch) -> EpochRow {
    let average = |name: &str| {
        let found = e.averages.iter().find(|average| average.weights.name() == name);
        (found.map(|average| average.loss), found.map(|average| average.accuracy))
    };
    EpochRow {
        run_id: String::new(),
        arch: String::new(),
        seed: 0,
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
    }
}
