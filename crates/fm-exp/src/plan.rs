//! A plan: everything that [`train::run`](crate::train::run) needs to know, as data.

use fm_models::Scope;

/// What a phase minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Cross-entropy of the logits with the labels.
    Classify,
}

/// A stretch of epochs with one objective, one set of trainable parts and one optimizer.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// What the `phase` column says.
    pub name: String,
    /// What it minimises.
    pub objective: Objective,
    /// What trains.
    pub scope: Scope,
    /// Epochs; none is allowed.
    pub epochs: u32,
    /// Adam's learning rate, constant over the phase.
    pub lr: f64,
}

/// Phases in order, and the rows that they train and are judged on.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Seed of the batch order.
    pub seed: u64,
    /// Images in a step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// Phases in order.
    pub phases: Vec<Phase>,
    /// Epochs without a better validation loss after which a phase stops and its best epoch is restored.
    pub patience: Option<u32>,
    /// Rows of the training file that train.
    pub train_rows: Vec<u32>,
    /// Rows of the training file that validate; empty in the notebook's protocol.
    pub val_rows: Vec<u32>,
    /// Rows of the test file, scored once, last.
    pub test_rows: Vec<u32>,
}
