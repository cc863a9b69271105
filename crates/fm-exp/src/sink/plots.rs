//! The pictures of a finished run, drawn from its CSVs.

use std::path::PathBuf;

use fm_run::store;
use fm_train::{Event, Sink};

use crate::error::{Error, Kind, Result};

/// Draws `curves` and `confusion` as SVG and PNG once the tables are written; comes after the sinks that
/// write them.
#[derive(Debug)]
pub struct Plots {
    /// The run directory.
    pub dir: PathBuf,
}

impl Sink for Plots {
    fn name(&self) -> &'static str {
        "plots"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        if !matches!(event, Event::Finished { .. }) {
            return Ok(());
        }
        let pictures = fm_report::draw_run(&self.dir).map_err(|e| Error::new(Kind::Io, e.to_string()))?;
        pictures.into_iter().try_for_each(|(file, bytes)| store::write(&self.dir.join(file), &bytes))
    }
}
