//! What the runs of a comparison say so far: a function of the seeds that are complete from the first on.

use std::path::Path;

use fm_report::stats::{Look, Sequence};
use fm_run::tables::Prediction;

use super::asked::Question;
use crate::commands::compare::failed;
use crate::error::Result;
use crate::sweep::planned::PlannedRun;
use crate::sweep::state::{State, state};

/// The two runs of a seed.
#[derive(Debug)]
pub(super) struct Seed<'a> {
    pub(super) seed: u64,
    pub(super) runs: [&'a PlannedRun; 2],
}

/// Seeds in their order, and a look after each that is complete.
#[derive(Debug)]
pub(super) struct Watch<'a> {
    question: &'a Question,
    pub(super) seeds: Vec<Seed<'a>>,
    out: &'a Path,
    sequence: Option<Sequence>,
    /// Up to the one that settles it.
    pub(super) looks: Vec<Look>,
}

impl<'a> Watch<'a> {
    pub(super) fn new(question: &'a Question, seeds: Vec<Seed<'a>>, out: &'a Path) -> Self {
        Self { question, seeds, out, sequence: None, looks: Vec::new() }
    }

    /// Takes in the seeds that have become complete. A later seed waits for the ones before it, whoever trains them.
    ///
    /// # Errors
    /// When what a run has left cannot be read.
    pub(super) fn look(&mut self) -> Result<()> {
        while !self.concluded() {
            let runs = self.seeds[self.looks.len()].runs;
            if runs.iter().any(|run| state(run, self.out) != State::Done) {
                break;
            }
            let [first, second] = runs.map(|run| right(&self.out.join(&run.name)));
            let (first, second) = (first?, second?);
            let settle = self.question.settle;
            let sequence = self.sequence.get_or_insert_with(|| Sequence::new(settle, first.len()));
            self.looks.push(sequence.push(&first, &second));
        }
        Ok(())
    }

    /// Whether the matter is settled, or every seed is taken in.
    pub(super) fn concluded(&self) -> bool {
        self.looks.last().is_some_and(|look| look.ending.is_some()) || self.looks.len() == self.seeds.len()
    }

    /// The run of the next seed that has failed for good: without it nothing can be said.
    pub(super) fn blocked(&self) -> Option<&'a PlannedRun> {
        let next = self.seeds.get(self.looks.len()).filter(|_| !self.concluded())?;
        next.runs.into_iter().find(|run| matches!(state(run, self.out), State::Failed(_) | State::Taken(_)))
    }
}

/// Which test images a run got right.
fn right(dir: &Path) -> Result<Vec<bool>> {
    let mut answers = Vec::new();
    for source in fm_report::sources(dir).map_err(failed)? {
        let (_, predictions) = source.tables(None).map_err(failed)?;
        answers.extend(predictions.iter().map(Prediction::is_right));
    }
    Ok(answers)
}
