//! A sink: remembers what the epochs and checkpoints of a run were.

use std::cell::RefCell;
use std::rc::Rc;

use fm_run::error::Result;
use fm_train::checkpoint::Checkpoint;
use fm_train::{Event, Sink};

/// What a run has told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    /// Mean training loss of each epoch.
    pub(crate) losses: Vec<f64>,
    /// Every checkpoint.
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// Whether the run came to its end.
    pub(crate) finished: bool,
}

/// The sink. A run keeps its sinks, so what it has heard is shared with whoever made it.
#[derive(Debug, Default)]
pub(crate) struct Losses(pub(crate) Rc<RefCell<Told>>);

impl Sink for Losses {
    fn name(&self) -> &'static str {
        "the list of losses"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        let mut told = self.0.borrow_mut();
        match event {
            Event::EpochEnded(row) => told.losses.push(row.train_loss),
            Event::Checkpoint(checkpoint) => told.checkpoints.push((*checkpoint).clone()),
            Event::Finished { .. } => told.finished = true,
            _ => {}
        }
        Ok(())
    }
}
