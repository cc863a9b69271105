//! Scores: of an epoch, of averaged weights, of a length on the way, and of the end.

use fm_net::NamedTensor;
use fm_run::error::Result;
use fm_run::spec::{Shorter, Weights};

use super::{Ended, Run, Trainer};
use crate::engine::{Input, Source, Want};
use crate::event::{Beside, Event, Outcome, Validated};
use crate::metrics::{Scores, reconstruction_loss};
use crate::plan::{Objective, Phase};
use crate::temperature::Scaled;

impl Trainer<'_> {
    /// Loss on the validation rows, and all scores where the phase classifies.
    pub(super) fn validate(&mut self, phase: &Phase) -> Result<(f64, Option<Scores>)> {
        let Run { plan, truth, .. } = self.run;
        match phase.objective {
            Objective::Classify => {
                let scores = self.score(Source::Train, &plan.val_rows)?;
                Ok((scores.loss, Some(scores)))
            }
            Objective::Reconstruct => {
                let outputs = self.engine.infer(Input::Rows(Source::Train, &plan.val_rows), Want::Output)?;
                let size = phase.network.seen();
                Ok((reconstruction_loss(&outputs, truth.train, &plan.val_rows, size), None))
            }
        }
    }

    /// Tells what the network predicts after the epoch that ended, where the plan asks for it.
    pub(super) fn predicted(&mut self, phase: &Phase, val: Option<&Scores>) -> Result<()> {
        let plan = self.run.plan;
        if !plan.predictions_by_epoch || self.branch.is_some() || phase.network != plan.last().network {
            return Ok(());
        }
        let test = self.score(Source::Test, &plan.test_rows)?.predictions;
        let val = val.map_or(&[][..], |scores| &scores.predictions);
        self.sinks.emit(&Event::Predicted { epoch: self.at.epochs, val, test: &test });
        Ok(())
    }

    pub(super) fn score(&mut self, source: Source, rows: &[u32]) -> Result<Scores> {
        let (logits, labels) = self.said(source, rows)?;
        Ok(Scores::new(&logits, &labels, logits.len() / rows.len()))
    }

    /// Logits of images, and their labels.
    fn said(&mut self, source: Source, rows: &[u32]) -> Result<(Vec<f32>, Vec<u8>)> {
        let truth = self.run.truth;
        let all = if source == Source::Train { truth.train } else { truth.test };
        let labels = rows.iter().map(|&row| all.labels[row as usize]).collect();
        Ok((self.engine.infer(Input::Rows(source, rows), Want::Output)?, labels))
    }

    /// Keeps the weights of the epoch that ended, where a mean of the last ones is scored.
    pub(super) fn remember(&mut self) -> Result<()> {
        let most = self.run.plan.remembered() as usize;
        if most > 0 && self.at.phase + 1 == self.run.plan.phases.len() {
            self.at.recent.truncate(self.at.recent.len().min(most));
            if self.at.recent.len() == most {
                self.at.recent.pop_front();
            }
            self.at.recent.push_back(self.engine.weights()?);
        }
        Ok(())
    }

    /// The weights of that kind; none where the network was not trained, so that there is nothing to average.
    fn weights(&mut self, weights: Weights) -> Result<Option<Vec<NamedTensor>>> {
        match weights {
            _ if self.at.phase_epochs == 0 => Ok(None),
            Weights::Last => self.engine.weights().map(Some),
            Weights::Ema(_) => self.engine.average().map(Some),
            Weights::Mean(_) => Ok(mean(self.at.recent.iter())),
        }
    }

    /// Scores averaged weights on the validation rows.
    pub(super) fn validate_averages(&mut self, phase: &Phase) -> Result<Vec<Validated>> {
        let plan = self.run.plan;
        let averages: Vec<Weights> = plan.weights.iter().copied().filter(|w| *w != Weights::Last).collect();
        let mut validated = Vec::new();
        if averages.is_empty() || phase.network != plan.last().network || phase.scope != plan.last().scope {
            return Ok(validated);
        }
        let plain = self.engine.weights()?;
        for weights in averages {
            if let Some(tensors) = self.weights(weights)? {
                self.engine.load(&tensors)?;
                let Scores { loss, accuracy, .. } = self.score(Source::Train, &plan.val_rows)?;
                validated.push(Validated { weights, loss, accuracy });
            }
        }
        self.engine.load(&plain)?;
        Ok(validated)
    }

    /// Scores the test set after an epoch, where a run of that length is this one's beginning. Before the
    /// checkpoint: what resumes from there has these scores.
    pub(super) fn score_on_the_way(&mut self, phase: &Phase) -> Result<()> {
        let plan = self.run.plan;
        let after = phase.order_start + self.at.phase_epochs;
        let is_end = phase.schedule.shorter(after) == Shorter::Beginning || self.branch == Some(after);
        if phase.network != plan.last().network || !plan.score_at.contains(&after) || !is_end {
            return Ok(());
        }
        let ended = Ended { scored_epoch: self.at.epochs, stopped_early: false };
        let plain = self.engine.weights()?;
        // What the run of that length leaves; its other weights have no directory of their own.
        let tensors = self.weights(plan.weights[0])?.unwrap_or_else(|| plain.clone());
        let outcome = self.outcome(plan.weights[0], &tensors, &ended)?;
        self.engine.load(&plain)?;
        let beside = Beside::Length(after);
        self.sinks.emit(&Event::Scored { beside, outcome: &outcome, weights: &tensors });
        self.sinks.result()
    }

    /// Scores the end of the run: all weights that the plan names, those that the run leaves last.
    pub(super) fn finish(mut self, ended: &Ended) -> Result<Outcome> {
        let plan = self.run.plan;
        let mut others = Vec::new();
        let plain = self.engine.weights()?;
        for &weights in &plan.weights[1..] {
            let tensors = if weights == Weights::Last { Some(plain.clone()) } else { self.weights(weights)? };
            let Some(tensors) = tensors else { continue };
            let outcome = self.outcome(weights, &tensors, ended)?;
            let beside = Beside::Weights(weights);
            self.sinks.emit(&Event::Scored { beside, outcome: &outcome, weights: &tensors });
            self.sinks.result()?;
            others.push(outcome);
        }
        let first = plan.weights.first().copied().unwrap_or(Weights::Last);
        let tensors = match first {
            Weights::Last => plain,
            average => self.weights(average)?.unwrap_or(plain),
        };
        let outcome = Outcome { others, ..self.outcome(first, &tensors, ended)? };
        self.sinks.emit(&Event::Finished { outcome: &outcome, weights: &tensors });
        self.sinks.result().map(|()| outcome)
    }

    /// Scores weights on the test set, and on the validation rows where there are any.
    fn outcome(&mut self, weights: Weights, tensors: &[NamedTensor], ended: &Ended) -> Result<Outcome> {
        let Run { plan, clock, .. } = self.run;
        let start = clock();
        self.engine.load(tensors)?;
        let (logits, labels) = self.said(Source::Test, &plan.test_rows)?;
        let classes = logits.len() / labels.len();
        let test = Scores::new(&logits, &labels, classes);
        if !test.loss.is_finite() {
            return Err(self.diverged(self.at.epochs, None));
        }
        let (mut val, mut scaled) = (None, None);
        if !plan.val_rows.is_empty() {
            let (fitted, truth) = self.said(Source::Train, &plan.val_rows)?;
            let scores = Scores::new(&fitted, &truth, classes);
            val = Some((scores.loss, scores.accuracy));
            scaled = Some(Scaled::new((&fitted, &truth), (&logits, &labels), classes));
        }
        Ok(Outcome {
            weights,
            test,
            val,
            scaled,
            epochs: self.at.epochs,
            scored_epoch: ended.scored_epoch,
            stopped_early: ended.stopped_early,
            train_seconds: self.at.seconds,
            test_seconds: clock() - start,
            others: Vec::new(),
        })
    }
}

/// The mean of tensors, taken in f64 in their order.
fn mean<'a>(mut all: impl ExactSizeIterator<Item = &'a Vec<NamedTensor>>) -> Option<Vec<NamedTensor>> {
    let count = all.len() as f64;
    let mut mean = all.next()?.clone();
    let mut sums: Vec<Vec<f64>> =
        mean.iter().map(|t| t.data.iter().copied().map(f64::from).collect()).collect();
    for tensors in all {
        for (sum, tensor) in sums.iter_mut().zip(tensors) {
            sum.iter_mut().zip(&tensor.data).for_each(|(sum, &value)| *sum += f64::from(value));
        }
    }
    for (tensor, sum) in mean.iter_mut().zip(&sums) {
        tensor.data.iter_mut().zip(sum).for_each(|(value, sum)| *value = (sum / count) as f32);
    }
    Some(mean)
}
