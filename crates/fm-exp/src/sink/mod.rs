//! The program's sinks: everything that shows or stores a run, listed once.
//!
//! To add one, write its module and add its line to [`SINKS`].

mod by_epoch;
mod checkpoints;
mod epochs_csv;
mod files;
mod plots;
mod progress;
mod reconstructions;
mod tensorboard;

use std::path::Path;

pub use by_epoch::PredictionsByEpoch;
pub use checkpoints::{Checkpoints, Reached, reached};
pub use epochs_csv::EpochsCsv;
pub use files::Files;
use fm_train::{Sink, Sinks};
use indicatif::MultiProgress;
pub use plots::Plots;
pub use progress::Progress;
pub use reconstructions::Reconstructions;
pub use tensorboard::TensorBoard;

use crate::error::Result;
use crate::record::Record;

/// What a sink may know of a run when it is made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The run directory, claimed.
    pub(crate) dir: &'a Path,
    /// What the run is.
    pub(crate) record: Record<'a>,
    /// The rows of `epochs.csv` that count, where the run is resumed.
    pub(crate) rows: Option<&'a [u8]>,
    /// The terminal's bars, where there is a terminal.
    pub(crate) bars: Option<&'a MultiProgress>,
}

/// Makes a sink for a run; none where the run does not ask for it.
type Make = fn(&Context<'_>) -> Result<Option<Box<dyn Sink>>>;

/// Every sink, in the order in which each gets an event. Checkpoints count on the rows of `epochs.csv` and on the
/// predictions of the epochs before, and plots are drawn from the tables: they come after those.
const SINKS: &[Make] = &[
    |c| Ok(Some(Box::new(EpochsCsv::of(c)?))),
    |c| {
        let is_wanted = c.record.run.spec.predictions_by_epoch;
        Ok(if is_wanted { Some(Box::new(PredictionsByEpoch::of(c))) } else { None })
    },
    |c| Ok(Some(Box::new(Checkpoints::new(c.dir, c.record.identity())?))),
    |c| Ok(Some(Box::new(Files::of(c)))),
    |c| Ok(Some(Box::new(Reconstructions { dir: c.dir.to_owned() }))),
    |c| Ok(Some(Box::new(Plots { dir: c.dir.to_owned() }))),
    |c| {
        let is_wanted = c.record.run.spec.tensorboard;
        Ok(if is_wanted { Some(Box::new(TensorBoard::of(c)?)) } else { None })
    },
    |c| Ok(Some(Box::new(Progress::new(c.bars.cloned())))),
];

/// All sinks of a run.
///
/// # Errors
/// When one cannot write into the run's directory.
pub(crate) fn all(context: &Context<'_>) -> Result<Sinks> {
    let mut sinks = Sinks::default();
    for make in SINKS {
        if let Some(sink) = make(context)? {
            sinks.add(sink);
        }
    }
    Ok(sinks)
}
