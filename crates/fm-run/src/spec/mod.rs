//! The statement of a run: every key once.
//!
//! To add a key, add it to [`RunSpec`] with its help, type, default and role. Its flag, environment variable,
//! file key, column, place in the id, in groups and in grids follow.

mod check;
mod field;
mod name;
mod recipe;
mod schedule;
mod seeds;
mod setting;
mod values;
mod weights;

use std::path::PathBuf;

use fm_images::Augment;
use fm_net::Arch;
use toml::{Table, Value};

pub use check::check_name;
pub use field::{Field, Role};
pub(crate) use name::SCORED_TOO;
pub use name::{LONGEST_NAME, fitting, shown, with_keys};
pub use recipe::{RECIPES, Recipe};
pub use schedule::{Schedule, Shorter, Span};
pub use seeds::{SEEDS, Seeds, forget_seeds};
pub use setting::{Setting, from_text, text, to_text};
pub use values::{DeviceRequest, EncoderMode, Optimizer, Precision, Pretrain, Protocol, VerifyMode};
pub use weights::Weights;

use crate::error::{Error, Result};
use Role::{Aside, Decides, Place, Replicates, Resolved};

field::statement! {
    /// What a run is: every key that a user may give.
    ///
    /// Anything may stand in the fields; [`RunSpec::check`] sees that they make sense together.
    RunSpec {
        "Training" {
            /// Network: cnn, encoder-mlp, or a string of layers such as 32C3-MP2-64C3-MP2--128 (docs/networks.md)
            /// [default: cnn]
            arch: Arch = values::default_arch(), Decides, always;
            /// Where to compute: cpu, cuda, cuda:N, or auto for a GPU if there is one [default: auto]
            device: DeviceRequest = DeviceRequest::Auto, Resolved("the kind of device that computes"), always;
            /// Passes over the training images; 0 scores the untrained model [default: 50]
            epochs: u32 = 50, Decides, always;
            /// Images in a step [default: 32]
            batch_size: usize = 32, Decides, always;
            /// Learning rate [default: 0.001]
            lr: f64 = 1e-3, Decides, always;
            /// Seed of initial weights, split, batch order, dropout and augmentation [default: 0]
            seed: u64 = 0, Replicates, always;
            /// Seed of the initial weights alone [default: --seed]
            seed_init: Option<u64> = None, Decides;
            /// Seed of batch order and dropout alone [default: --seed]
            seed_order: Option<u64> = None, Decides;
            /// Seed of augmentation alone [default: --seed]
            seed_augment: Option<u64> = None, Decides;
            /// How the data set is divided [default: holdout]
            protocol: Protocol = Protocol::Holdout, Decides, always;
            /// Share of the training images that validates, the same of each class, above 0 and below 1
            /// [default: one image in twelve]
            holdout_share: Option<f64> = None, Decides;
            /// Stop after N epochs without a lower validation loss, and keep the best epoch's weights [default: off]
            patience: Option<u32> = None, Decides;
            /// Compute backend: fused CPU kernels, own CUDA kernels, libtorch's eager mode, or auto for the fastest that
            /// covers the network [default: auto]
            engine: String = AUTO.to_owned(), Resolved("the engines that compute"), always;
            /// CPU threads [default: one per core]
            threads: Option<usize> = None, Aside("an engine's sums may differ in their last bits with the number \
                of threads; the checkpoint records it and resume warns");
            /// On CUDA: the same bits from every run, at some cost in speed; CPU runs always are
            deterministic: bool = false, Resolved("on CUDA alone");
            /// How exactly products are computed; tf32 is for CUDA only [default: fp32]
            precision: Precision = Precision::Fp32, Decides;
            /// A few steps on a few images, to check that everything works
            fast_dev_run: bool = false, Decides;
        }
        "Recipe" {
            /// What turns gradients into updates [default: adam]
            optimizer: Optimizer = Optimizer::Adam, Decides;
            /// Momentum of sgd and muon [default: 0.9, muon 0.95]
            momentum: Option<f64> = None, Decides;
            /// Decoupled weight decay, as a share of the learning rate; biases and norms are left out [default: 0]
            weight_decay: f64 = 0.0, Decides;
            /// Decay biases and norms too
            decay_all: bool = false, Decides;
            /// Learning rate over a run: constant, cosine[:FLOOR], one-cycle[:RISE], wsd[:COOLDOWN] or
            /// step:FACTOR@SHARE,SHARE [default: constant]
            schedule: Schedule = Schedule::Constant, Decides;
            /// Epochs over which the learning rate rises first [default: 0]
            warmup: f64 = 0.0, Decides;
            /// Share of each label that is spread over all classes [default: 0]
            label_smoothing: f64 = 0.0, Decides;
            /// What is done to images while they train, such as flip,shift2,erase8,mixup0.2 [default: none]
            augment: Augment = Augment::default(), Decides;
            /// Which weights the run leaves: last, ema:DECAY or mean:EPOCHS [default: last]
            weights: Weights = Weights::Last, Decides;
            /// Averages that are scored too, in directories of their own: ema:DECAY,mean:EPOCHS [default: none]
            average: Vec<Weights> = Vec::new(), Place("scoring changes no weight");
        }
        "Composition" {
            /// Whether the encoder trains [default: unfrozen]
            encoder: EncoderMode = EncoderMode::Unfrozen, Decides;
            /// What trains the encoder first: none, autoencoder, classifier, or an earlier run's model.safetensors
            /// [default: none]
            pretrain: Pretrain = Pretrain::None, Resolved("for a file, its contents");
            /// Epochs of pretraining [default: 5]
            pretrain_epochs: Option<u32> = None, Decides;
            /// The encoder's own learning rate while it trains with the head [default: --lr]
            encoder_lr: Option<f64> = None, Decides;
            /// Train only the head for the first N epochs, then everything [default: both from the start]
            unfreeze_at: Option<u32> = None, Decides;
            /// Memory for a frozen encoder's codes, in MiB; beyond it they go to the run's directory [default: 2048]
            code_memory: u64 = 2048, Aside("codes on disk are the same codes");
        }
        "Data" {
            /// Data set: a name such as fashion-mnist, mnist, cifar-10 or emnist-letters, or a directory with the files
            /// of one [default: fashion-mnist]
            dataset: PathBuf = PathBuf::from("fashion-mnist"), Resolved("the files' contents");
            /// Directory that holds the files [default: looked for, then downloaded]
            data_dir: Option<PathBuf> = None, Aside("the files' contents decide, not where they are");
            /// When a published data set's files differ from the published ones [default: warn]
            verify: VerifyMode = VerifyMode::Warn, Aside("the files' contents decide");
        }
        "Results" {
            /// Directory of results [default: results]
            out: PathBuf = PathBuf::from("results"), Place("where results are kept");
            /// Name of the run's directory [default: from network, protocol, epochs, seed and whatever is not at its default]
            name: Option<String> = None, Place("where results are kept");
            /// Also score the test set after these epochs, as runs of that length would; results in at-N/
            score_at: Vec<u32> = Vec::new(), Place("scoring changes no weight");
            /// Epochs between checkpoints [default: 1]
            checkpoint_every: u32 = 1, Place("a resumed run equals an uninterrupted one");
            /// Also write TensorBoard event files, into tensorboard/ of the run's directory
            tensorboard: bool = false, Place("what is written beside the tables");
            /// Also write what every epoch predicts for each validation and test image, into predictions_by_epoch.npz
            predictions_by_epoch: bool = false, Place("what is written beside the tables");
            /// Replace an earlier run of that name
            overwrite: bool = false, Place("what is done with an earlier run");
        }
    }
}

/// The value of `engine` that leaves the choice to the program.
pub const AUTO: &str = "auto";

/// The key of a file under which a run records what its statement does not say; it is not read back.
pub const PROVENANCE: &str = "provenance";

impl RunSpec {
    /// The key's field, where there is such a key.
    #[must_use]
    pub fn field(key: &str) -> Option<&'static Field> {
        Self::fields().iter().find(|field| field.key == key)
    }

    /// Sets the keys of a table over what is there.
    ///
    /// # Errors
    /// A usage error that names the key, for an unknown one with the nearest known.
    pub fn with(mut self, table: &Table) -> Result<Self> {
        for (key, value) in table.iter().filter(|(key, _)| *key != PROVENANCE) {
            // Where phases took turns, the record names each engine (`eager+fused`): the choice was auto's.
            let several = key == "engine" && value.as_str().is_some_and(|name| name.contains('+'));
            let value = if several { &Value::from(AUTO) } else { value };
            self.put(key, value).map_err(|reason| match reason {
                Some(reason) => in_lines(key, &reason),
                None => unknown(key),
            })?;
        }
        Ok(self)
    }

    /// The statement that a table makes: its keys, defaults for the others.
    ///
    /// # Errors
    /// As for [`RunSpec::with`].
    pub fn read(table: &Table) -> Result<Self> {
        Self::default().with(table)
    }

    /// The keys that are not at their default, as a table that [`RunSpec::read`] reads back.
    #[must_use]
    pub fn table(&self) -> Table {
        let default = Self::default();
        let differing = Self::fields().iter().filter(|f| self.get(&f.key) != default.get(&f.key));
        differing.filter_map(|field| Some((field.key.clone(), self.get(&field.key)?))).collect()
    }
}

/// An error about a key's value. Whatever follows the first line is a note, the last line the remedy.
fn in_lines(key: &str, reason: &str) -> Error {
    let mut lines = reason.split('\n');
    let first = lines.next().unwrap_or_default();
    // A reason that is a sentence of its own stands alone.
    let message = if first.starts_with("must ") { format!("--{key} {first}") } else { first.to_owned() };
    lines.fold(Error::usage(message), |error, line| match line.strip_prefix("help: ") {
        Some(help) => error.help(help),
        None => error.note(line),
    })
}

/// The key that is nearest to a text; none where all are far from it.
#[must_use]
pub fn nearest(text: &str) -> Option<&'static Field> {
    let close = |field: &&Field| strsim::jaro_winkler(text, &field.key);
    let best = RunSpec::fields().iter().max_by(|a, b| close(a).total_cmp(&close(b)));
    best.filter(|field| close(field) > 0.75)
}

/// An error about a key that there is not.
fn unknown(key: &str) -> Error {
    let error = Error::usage(format!("unknown key '{key}'"));
    match nearest(key) {
        Some(field) => error.help(format!("did you mean `{}`?", field.key)),
        None => error.help("fm-exp train --help lists the keys"),
    }
}

/// Whether two values of a key are the same, however they were written.
#[must_use]
pub fn same(a: Option<&Value>, b: Option<&Value>) -> bool {
    a.map(text) == b.map(text)
}

#[cfg(test)]
mod tests;
