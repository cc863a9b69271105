//! What happens during a run: the only thing that sinks learn.

use fm_net::NamedTensor;
use fm_run::spec::Weights;
use fm_run::tables::Prediction;

use crate::checkpoint::Checkpoint;
use crate::metrics::Scores;
use crate::plan::{Phase, Plan};
use crate::temperature::Scaled;

/// One row of `epochs.csv`.
#[derive(Debug, Clone, PartialEq)]
pub struct Epoch {
    /// Name of the phase.
    pub phase: String,
    /// Epoch within the run, from 1.
    pub epoch: u32,
    /// Epochs that the run will have, if nothing stops it early.
    pub epochs: u32,
    /// Mean loss over the epoch's images, each before its step's update.
    pub train_loss: f64,
    /// Share of the epoch's images classified correctly, each before its step's update, where the phase
    /// classifies.
    pub train_acc: Option<f64>,
    /// Loss on the validation rows, where there are any.
    pub val_loss: Option<f64>,
    /// Accuracy on the validation rows, where there are any.
    pub val_acc: Option<f64>,
    /// Scores of averaged weights on the validation rows, where there are both.
    pub averages: Vec<Validated>,
    /// Learning rate of the epoch's last step (the head's, where the encoder has its own).
    pub lr: f64,
    /// Parameters that train in this phase.
    pub trainable_params: usize,
    /// Seconds of training, up to the device having finished.
    pub train_seconds: f64,
    /// Seconds of validation, where there was any.
    pub eval_seconds: Option<f64>,
    /// Training images per second of training.
    pub images_per_second: f64,
}

/// Averaged weights on the validation rows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validated {
    /// Which average.
    pub weights: Weights,
    /// Mean loss.
    pub loss: f64,
    /// Accuracy.
    pub accuracy: f64,
}

/// The end of a run.
#[derive(Debug, Clone, PartialEq)]
pub struct Outcome {
    /// Which weights were scored.
    pub weights: Weights,
    /// Test scores.
    pub test: Scores,
    /// Loss and accuracy of the same weights on the validation rows, where there are any.
    pub val: Option<(f64, f64)>,
    /// Test scores of the same weights after temperature scaling, where there are validation rows.
    pub scaled: Option<Scaled>,
    /// Epochs trained.
    pub epochs: u32,
    /// The epoch whose weights were scored; 0 for the untrained model.
    pub scored_epoch: u32,
    /// Whether patience ended training before the plan did.
    pub stopped_early: bool,
    /// Seconds of training, all epochs.
    pub train_seconds: f64,
    /// Seconds that scoring took.
    pub test_seconds: f64,
    /// What other weights of the same training scored.
    pub others: Vec<Self>,
}

/// Scores beside those that the run ends with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Beside {
    /// As a run of this many epochs would end with.
    Length(u32),
    /// As this run would end with, if it left other weights.
    Weights(Weights),
}

/// Images and what an autoencoder makes of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Reconstructed<'a> {
    /// Name of the phase.
    pub phase: &'a str,
    /// Rows of the training file.
    pub rows: &'a [u32],
    /// Height and width of each.
    pub size: (usize, usize),
    /// Pixels from 0 to 1, `[rows, channels, height, width]`.
    pub originals: Vec<f32>,
    /// The same, given back.
    pub reconstructions: Vec<f32>,
}

/// A stage of the run.
#[derive(Debug, Clone, Copy)]
pub enum Event<'a> {
    /// Training starts, or resumes.
    Started {
        /// What is to be done.
        plan: &'a Plan,
        /// Whole epochs that an earlier process has done.
        epochs_done: u32,
    },
    /// A phase begins; it trains this many parameters and leaves the others as they are.
    PhaseStarted {
        /// The phase.
        phase: &'a Phase,
        /// Parameters that train.
        trainable: usize,
        /// Parameters that do not.
        frozen: usize,
    },
    /// A step was handed to the engine.
    Stepped {
        /// Epoch within the run, from 1.
        epoch: u32,
        /// Steps of this epoch so far.
        step: usize,
        /// Steps of an epoch.
        steps: usize,
        /// Images in the step.
        images: usize,
    },
    /// What the network predicts after an epoch, for a plan that asks for it; before the epoch's [`Event::EpochEnded`].
    /// Weights as they train, not their averages; nothing that a run decides depends on the test images' part.
    Predicted {
        /// Epoch within the run, from 1.
        epoch: u32,
        /// For the plan's validation rows, in their order; empty where there are none.
        val: &'a [Prediction],
        /// For the plan's test rows, in their order.
        test: &'a [Prediction],
    },
    /// An epoch ended. If it diverged, the loss is not finite and validation was skipped.
    EpochEnded(&'a Epoch),
    /// The test set was scored as another run would have scored it.
    Scored {
        /// Which other run.
        beside: Beside,
        /// What it would end with.
        outcome: &'a Outcome,
        /// Its weights.
        weights: &'a [NamedTensor],
    },
    /// A phase that reconstructs has ended.
    Reconstructed(&'a Reconstructed<'a>),
    /// A state from which the run can resume: after an epoch, or on request within one.
    Checkpoint(&'a Checkpoint),
    /// The test set is scored: the last event of a run that went well.
    Finished {
        /// What came out.
        outcome: &'a Outcome,
        /// The weights that were scored.
        weights: &'a [NamedTensor],
    },
}
