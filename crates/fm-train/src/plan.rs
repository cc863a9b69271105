//! A plan: everything that [`train::run`](crate::train::run) needs to know, as data.

use fm_net::{Network, Node, Op, Scope, Shape};
use fm_run::error::{Error, Result};

use crate::engine::Rates;

/// What a phase minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// Cross-entropy of the logits with the labels.
    Classify,
    /// Mean squared error of the reconstruction, over pixels from 0 to 1 and images.
    Reconstruct,
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
    /// Adam's learning rate, constant over the phase.
    pub lr: f64,
    /// The encoder's own rate, the same as `lr` unless asked for.
    pub encoder_lr: f64,
}

impl Phase {
    /// Learning rates of the phase's step with this number, counted from 0.
    #[must_use]
    pub fn rates(&self, _step: u64) -> Rates {
        Rates { encoder: self.encoder_lr, head: self.lr }
    }

    /// A phase that classifies, with one learning rate.
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
        }
    }
}

/// Phases in order, and the rows that they train and are judged on.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Seed of the initial weights and the batch order.
    pub seed: u64,
    /// Images in a step; the last step of an epoch takes what is left.
    pub batch_size: usize,
    /// Phases in order; the last one's network is scored.
    pub phases: Vec<Phase>,
    /// Epochs without a better validation loss after which a phase stops and its best epoch is restored.
    pub patience: Option<u32>,
    /// Epochs of the last phase's network after which the test set is scored too, as for runs of that
    /// length.
    pub score_at: Vec<u32>,
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

    /// The last phase, whose network is scored.
    ///
    /// # Panics
    /// When there is none: [`Plan::check`] forbids it.
    #[must_use]
    pub fn last(&self) -> &Phase {
        &self.phases[self.phases.len() - 1]
    }

    /// Sees that the phases can be carried out one after the other.
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
        let plan = Plan {
            seed: 0,
            batch_size,
            phases: vec![Phase::classify("train", &network, scope, 1, 1e-3)],
            patience: None,
            score_at: vec![],
            train_rows: (0..rows).collect(),
            val_rows: vec![],
            test_rows: vec![0],
        };
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
