//! A plan: everything that [`train::run`](crate::train::run) needs to know, as data.

use fm_images::Augment;
use fm_net::{Network, Node, Op, Part, Scope, Shape};
use fm_run::error::{Error, Result};
use fm_run::spec::{Optimizer, RunSpec, Schedule, Seeds, Span, Weights};

use crate::engine::Rates;

/// What a phase minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Cross-entropy of the logits with the labels.
    Classify,
    /// Mean squared error of the reconstruction, over pixels from 0 to 1 and images.
    Reconstruct,
}

/// How gradients become updates.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Update {
    /// The rule.
    pub optimizer: Optimizer,
    /// Momentum, for the rules that have it.
    pub momentum: f64,
    /// Before each update a tensor that decays is multiplied by 1 minus this times the learning rate.
    pub weight_decay: f64,
    /// Whether biases and norms decay too.
    pub decay_all: bool,
}

impl Update {
    /// Keras' Adam.
    pub const ADAM: Self =
        Self { optimizer: Optimizer::Adam, momentum: 0.0, weight_decay: 0.0, decay_all: false };

    /// What a statement asks for.
    #[must_use]
    pub fn of(spec: &RunSpec) -> Self {
        let usual = match spec.optimizer {
            Optimizer::Adam | Optimizer::AdamW => 0.0,
            Optimizer::Sgd => 0.9,
            Optimizer::Muon => 0.95,
        };
        let RunSpec { optimizer, weight_decay, decay_all, .. } = *spec;
        Self { optimizer, momentum: spec.momentum.unwrap_or(usual), weight_decay, decay_all }
    }

    /// What a tensor with this number of dimensions is multiplied by before its update, at a learning rate. Biases
    /// and the parameters of norms have one dimension.
    #[must_use]
    pub fn kept(&self, dimensions: usize, lr: f64) -> f64 {
        if self.decay_all || dimensions > 1 { 1.0 - lr * self.weight_decay } else { 1.0 }
    }
}

/// A stretch of epochs with one network, one objective, one set of trainable parts and one optimizer.
///
/// A phase starts from the weights that the one before it left: tensors of the encoder that both networks
/// have are kept, all others start from the seed's initial values.
#[derive(Debug, Clone, PartialEq)]
pub struct Phase {
    /// What the `phase` column says.
    pub name: String,
    /// What computes.
    pub network: Network,
    /// What it minimises.
    pub objective: Objective,
    /// What trains.
    pub scope: Scope,
    /// Epochs; none is allowed.
    pub epochs: u32,
    /// Epochs of the batch order that come before this phase's first: runs of one seed that differ in how
    /// an encoder was pretrained then see the same batches while they classify.
    pub order_start: u32,
    /// Learning rate, before the schedule.
    pub lr: f64,
    /// The encoder's own rate, the same as `lr` unless asked for.
    pub encoder_lr: f64,
    /// What both rates are multiplied by, step by step.
    pub schedule: Schedule,
    /// Epochs over which they rise first.
    pub warmup: f64,
    /// How gradients become updates.
    pub update: Update,
    /// Share of each label that is spread over all classes (Szegedy et al., "Rethinking the Inception
    /// Architecture", 2016).
    pub label_smoothing: f64,
    /// Decay of a moving average of the weights, where one is kept: see [`Weights::Ema`].
    pub ema: Option<f64>,
}

impl Phase {
    /// Learning rates of the phase's step with this number, counted from 0, where an epoch has so many `steps`.
    #[must_use]
    pub fn rates(&self, step: u64, steps: u64) -> Rates {
        let span = Span { epochs: self.epochs, steps, warmup: self.warmup };
        let factor = self.schedule.factor(step, span);
        Rates { encoder: self.encoder_lr * factor, head: self.lr * factor }
    }

    /// A phase that classifies, with one constant learning rate and Keras' Adam.
    #[must_use]
    pub fn classify(name: &str, network: &Network, scope: Scope, epochs: u32, lr: f64) -> Self {
        let (name, network) = (name.to_owned(), network.clone());
        Self {
            name,
            network,
            objective: Objective::Classify,
            scope,
            epochs,
            order_start: 0,
            lr,
            encoder_lr: lr,
            schedule: Schedule::Constant,
            warmup: 0.0,
            update: Update::ADAM,
            label_smoothing: 0.0,
            ema: None,
        }
    }
}

/// Phases in order, and the rows that they train and are judged on.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Of initial weights, batch order and augmentation.
    pub seeds: Seeds,
    /// Images in a step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// Phases in order; the last one's network is scored.
    pub phases: Vec<Phase>,
    /// Epochs without a better validation loss after which a phase stops and its best epoch is restored.
    pub patience: Option<u32>,
    /// Epochs of the last phase's network after which the test set is scored too, as for runs of that
    /// length.
    pub score_at: Vec<u32>,
    /// Whether sinks are told after every epoch what the network predicts for each validation and test image.
    pub predictions_by_epoch: bool,
    /// The weights that are scored at the end; the first are those that the run leaves. Averages are of the last
    /// phase.
    pub weights: Vec<Weights>,
    /// What is done to images while they train.
    pub augment: Augment,
    /// Rows of the training file that train.
    pub train_rows: Vec<u32>,
    /// Rows of the training file that validate; empty in the notebook's protocol.
    pub val_rows: Vec<u32>,
    /// Rows of the test file, scored once, last.
    pub test_rows: Vec<u32>,
}

impl Plan {
    /// Epochs of all phases.
    #[must_use]
    pub fn epochs(&self) -> u32 {
        self.phases.iter().map(|p| p.epochs).sum()
    }

    /// A plan of seed 0 with one phase, and nothing that it need not have. Another differs in the fields that it says:
    /// `Plan { val_rows, ..Plan::of(phase, batch_size, train_rows, test_rows) }`.
    #[must_use]
    pub fn of(phase: Phase, batch_size: usize, train_rows: Vec<u32>, test_rows: Vec<u32>) -> Self {
        Self {
            seeds: Seeds::default(),
            batch_size,
            phases: vec![phase],
            patience: None,
            score_at: Vec::new(),
            predictions_by_epoch: false,
            weights: vec![Weights::Last],
            augment: Augment::default(),
            train_rows,
            val_rows: Vec::new(),
            test_rows,
        }
    }

    /// Steps of an epoch.
    #[must_use]
    pub fn steps(&self) -> u64 {
        self.train_rows.len().div_ceil(self.batch_size) as u64
    }

    /// Of how many of the last epochs a mean is taken; 0 where there is none.
    #[must_use]
    pub fn remembered(&self) -> u32 {
        let epochs = self.weights.iter().map(|weights| match weights {
            Weights::Mean(epochs) => *epochs,
            Weights::Last | Weights::Ema(_) => 0,
        });
        epochs.max().unwrap_or(0)
    }

    /// The last phase, whose network is scored.
    ///
    /// # Panics
    /// When there is none: [`Plan::check`] forbids it.
    #[must_use]
    pub fn last(&self) -> &Phase {
        &self.phases[self.phases.len() - 1]
    }

    /// Checks that the phases can run one after another.
    ///
    /// # Errors
    /// A usage error that names the phase.
    pub fn check(&self) -> Result<()> {
        let bad = |text: String| Err(Error::usage(text));
        match self.phases.last() {
            None => return bad("a plan needs a phase".to_owned()),
            Some(last) if last.objective != Objective::Classify => {
                return bad(format!("phase {}: the last phase must classify", last.name));
            }
            Some(_) => {}
        }
        for phase in &self.phases {
            let Phase { name, network, objective, scope, epochs, lr, encoder_lr, .. } = phase;
            if (*objective == Objective::Reconstruct) != network.reconstructs() {
                return bad(format!("phase {name}: {} cannot do that", network.label()));
            }
            if scope.counts(network).0 == 0 {
                return bad(format!("phase {name}: nothing trains"));
            }
            if *epochs > 0
                && let Some(node) = normalises_one_pixel(network, *scope)
            {
                self.check_last_batch(name, node)?;
            }
            if *scope == Scope::Head && network.param_count(Part::Encoder) > 0 && !self.augment.is_none() {
                let text = format!(
                    "phase {name}: --augment {} needs an encoder that computes every epoch, and this phase trains \
                     the head on codes that are computed once",
                    self.augment
                );
                return Err(Error::usage(text).help("train the encoder too, or leave out --augment"));
            }
            if ![lr, encoder_lr].iter().all(|rate| rate.is_finite() && **rate > 0.0) {
                return bad(format!("phase {name}: learning rates must be finite and > 0"));
            }
        }
        Ok(())
    }

    /// Sees that no batch has a single image: batch normalisation of one-pixel maps would have one value a channel,
    /// which has no variance.
    fn check_last_batch(&self, phase: &str, node: &Node) -> Result<()> {
        let (rows, size) = (self.train_rows.len(), self.batch_size);
        let alone = |size: usize| rows > 0 && (size == 1 || rows % size == 1);
        if !alone(size) {
            return Ok(());
        }
        let which = if size == 1 { "every batch" } else { "the last batch of an epoch" };
        let error = Error::usage(format!(
            "phase {phase}: {which} has a single image, and {}.{} normalises maps of one pixel over the batch",
            node.part, node.name
        ));
        let error = error.note(format!("{rows} training images in batches of {size}"));
        match (size + 1..=rows).find(|&larger| !alone(larger)) {
            Some(larger) => Err(error.help(format!("use another --batch-size, such as {larger}"))),
            None => Err(error.help("use group norm (gnN) in place of batch norm (bn)")),
        }
    }
}

/// The first batch normalisation that trains on maps of one pixel. Cutting images to what the network sees makes
/// no such map smaller: a norm sees all of its input.
fn normalises_one_pixel(network: &Network, scope: Scope) -> Option<&Node> {
    let one = |shape| matches!(shape, Shape::Map { height: 1, width: 1, .. });
    network
        .nodes
        .iter()
        .find(|node| matches!(node.op, Op::BatchNorm) && one(node.output) && scope.contains(node.part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(arch: &str, scope: Scope, rows: u32, batch_size: usize) -> Result<()> {
        let network = Network::new(&arch.parse().unwrap(), 2).unwrap();
        let phase = Phase::classify("train", &network, scope, 1, 1e-3);
        let plan = Plan::of(phase, batch_size, (0..rows).collect(), vec![0]);
        plan.check()
    }

    #[test]
    fn a_last_batch_of_one_image_cannot_be_normalised() {
        let one = "4C3.s2-4C2.bn@5x5";
        let error = check(one, Scope::All, 33, 32).unwrap_err();
        assert_eq!(
            error.to_string(),
            "phase train: the last batch of an epoch has a single image, and encoder.norm1 normalises maps of one \
             pixel over the batch\n  note: 33 training images in batches of 32\n  \
             help: use another --batch-size, such as 33"
        );
        assert_eq!(error.exit_code(), 2);
        let text = check(one, Scope::All, 5, 1).unwrap_err().to_string();
        assert!(text.contains("every batch has") && text.contains("such as 3"), "{text}");
        let text = check(one, Scope::All, 1, 1).unwrap_err().to_string();
        assert!(text.contains("group norm"), "{text}");
        for (scope, rows, batch_size) in [(Scope::All, 34, 32), (Scope::All, 64, 32), (Scope::Head, 33, 32)] {
            assert_eq!(check(one, scope, rows, batch_size), Ok(()), "{scope:?} {rows} {batch_size}");
        }
        assert_eq!(check("4C3.s2.bn@5x5", Scope::All, 33, 32), Ok(()), "its maps have four pixels");
        assert_eq!(check("4C3.s2-4C2.gn2@5x5", Scope::All, 33, 32), Ok(()));
    }
}
