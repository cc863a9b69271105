//! An engine that computes nothing: it plays back losses, so that the control flow of training can be
//! tested in milliseconds.

use fm_net::NamedTensor;
use fm_run::error::{Error, Kind, Result};

use crate::engine::{Engine, Input, State, Step, Totals, Want};
use crate::plan::Phase;

/// One epoch of the script.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Line {
    /// Mean training loss; NaN plays a run that diverges at its second step.
    pub train_loss: f64,
    /// Probability that the model gives the true class on every validation and test image.
    pub p_true: f64,
}

/// Plays a script, one line an epoch, for two classes whose labels are the parity of the row.
#[derive(Debug, Default)]
pub struct Scripted {
    script: Vec<Line>,
    epoch: usize,
    seen: u64,
    state: f32,
    /// Every call, in order, for tests to look at.
    pub calls: Vec<String>,
    /// Fail at this call of `step`, counted from 0 over the run, as if memory ran out.
    pub fail_at_step: Option<usize>,
    steps: usize,
    /// The head's rate of every step.
    pub rates: Vec<f64>,
}

impl Scripted {
    /// Plays `script`.
    #[must_use]
    pub fn new(script: Vec<Line>) -> Self {
        Self { script, ..Self::default() }
    }
}

impl Engine for Scripted {
    fn name(&self) -> &'static str {
        "scripted"
    }

    fn begin_phase(&mut self, _: usize, phase: &Phase) -> Result<()> {
        self.calls.push(format!("begin_phase {}", phase.name));
        Ok(())
    }

    fn begin_epoch(&mut self, order: &[u32], so_far: Totals) -> Result<()> {
        self.calls.push(format!("begin_epoch {}", order.len()));
        self.seen = so_far.images;
        Ok(())
    }

    fn step(&mut self, step: &Step) -> Result<()> {
        if self.fail_at_step == Some(self.steps) {
            return Err(Error::new(Kind::Device, "out of memory"));
        }
        self.steps += 1;
        self.seen += step.batch.len() as u64;
        self.rates.push(step.rates.head);
        Ok(())
    }

    fn drain(&mut self) -> Result<Totals> {
        let line = self.script[self.epoch];
        self.epoch += 1;
        // The weight after epoch n is n, so that a test sees which epoch's weights were scored.
        self.state = self.epoch as f32;
        let diverged_at = (!line.train_loss.is_finite()).then_some(1);
        Ok(Totals {
            loss_sum: line.train_loss * self.seen as f64,
            correct: 0,
            images: self.seen,
            diverged_at,
        })
    }

    fn infer(&mut self, input: Input<'_>, want: Want) -> Result<Vec<f32>> {
        let (Input::Rows(source, rows), Want::Output) = (input, want) else {
            return Err(Error::new(Kind::Other, "the script has no answer for that"));
        };
        self.calls.push(format!("evaluate {source:?} {}", rows.len()));
        let epoch = self.state as usize;
        let p = if epoch == 0 { 0.5 } else { self.script[epoch - 1].p_true };
        let margin = (p / (1.0 - p)).ln() as f32;
        Ok(rows.iter().flat_map(|row| if row % 2 == 0 { [margin, 0.0] } else { [0.0, margin] }).collect())
    }

    fn weights(&mut self) -> Result<Vec<NamedTensor>> {
        Ok(vec![NamedTensor { name: "head.dense1.bias".to_owned(), shape: vec![1], data: vec![self.state] }])
    }

    fn state(&mut self) -> Result<State> {
        Ok(State::of(self.weights()?).counting("step", self.steps as u64))
    }

    fn restore(&mut self, state: &State) -> Result<()> {
        self.epoch = state.weights()[0].data[0] as usize;
        self.steps = state.counter("step") as usize;
        self.load(state.weights())
    }

    fn load(&mut self, weights: &[NamedTensor]) -> Result<()> {
        self.state = weights[0].data[0];
        self.calls.push(format!("load {}", self.state));
        Ok(())
    }
}
