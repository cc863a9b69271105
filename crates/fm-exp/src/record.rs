//! What a run records of itself: its row, the head of its summary, and what checkpoints and models say.

use std::collections::BTreeMap;

use fm_data::Dataset;
use fm_run::Identified;
use fm_run::store::{Row, decimals};
use fm_train::checkpoint::Identity;
use fm_train::event::Outcome;
use fm_train::{Machine, Plan};
use serde_json::{Map, Value, json};

use crate::provenance;

/// A run, for its records.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Record<'a> {
    pub(crate) run: &'a Identified,
    pub(crate) data: &'a Dataset,
    pub(crate) plan: &'a Plan,
    pub(crate) machine: Machine,
}

impl Record<'_> {
    /// The head of `summary.json`: what the run is. Scores follow.
    pub(crate) fn summary(&self) -> Map<String, Value> {
        let last = self.plan.last();
        let mut head = Map::new();
        let mut set = |key: &str, value: Value| head.insert(key.to_owned(), value);
        set("name", json!(self.run.spec.directory()));
        set("run_id", json!(self.run.run_id()));
        set("arm", json!(self.run.spec.arm()));
        set("recipe", json!(self.run.spec.recipe()));
        for (column, value) in self.run.columns() {
            set(column, json!(value));
        }
        let said = |key: &&str| Some((key.replace('-', "_"), json!(self.run.provenance.get(*key)?)));
        let computed_by: Map<_, _> = provenance::COMPUTED_BY.iter().filter_map(said).collect();
        set("provenance", Value::Object(computed_by));
        set("data_sha256", json!(self.data.sha256));
        set("params", json!(last.network.params().map(fm_net::TensorSpec::count).sum::<usize>()));
        set("trainable_params", json!(last.scope.counts(&last.network).0));
        head
    }

    /// What `model.safetensors` says of itself.
    pub(crate) fn model(&self) -> BTreeMap<String, String> {
        let text = |key: &str, value: &str| (key.to_owned(), value.to_owned());
        BTreeMap::from([
            text("arch", &self.run.spec.arch.to_string()),
            text("classes", &serde_json::to_string(&self.data.class_names).unwrap_or_default()),
            text("normalisation", "pixel / 255"),
            text("layout", "PyTorch: conv [out, in, row, column], dense [out, in]"),
        ])
    }

    /// What checkpoints say of the run.
    pub(crate) fn identity(&self) -> Identity {
        let version = |name: &str, version: String| (name.to_owned(), version);
        Identity {
            run_id: self.run.run_id(),
            engine: self.run.facts.engine.clone(),
            device: self.machine.device.to_string(),
            threads: self.machine.threads.unwrap_or_else(|| tch::get_num_threads() as usize),
            data_sha256: self.data.sha256.clone(),
            versions: BTreeMap::from([
                version("fm-exp", env!("CARGO_PKG_VERSION").to_owned()),
                version("libtorch", fm_torch::version()),
                version("revision", provenance::revision()),
                version("processor", provenance::processor()),
                version("instruction set", self.instruction_set()),
            ]),
        }
    }

    fn instruction_set(&self) -> String {
        let set = provenance::instruction_set(self.machine.device, &self.run.facts.engine);
        set.unwrap_or_else(|| "the GPU's".to_owned())
    }

    /// The row of `runs.csv`, with the epoch of the lowest validation loss.
    pub(crate) fn row(&self, outcome: &Outcome, best_epoch: Option<u32>) -> Row {
        let mut row = Row::of(&self.run.spec.directory(), self.run);
        let scores = &outcome.test;
        let share = |value: f64| decimals(Some(value), 6);
        for other in &outcome.others {
            let name = other.weights.name();
            row.set(&format!("{name}_test_acc"), share(other.test.accuracy));
            let val = other.val.map_or(String::new(), |(_, accuracy)| share(accuracy));
            row.set(&format!("{name}_val_acc"), val);
        }
        let val = |of: fn((f64, f64)) -> f64| outcome.val.map_or(String::new(), |val| share(of(val)));
        row.set("val_loss", val(|(loss, _)| loss));
        row.set("val_acc", val(|(_, accuracy)| accuracy));
        row.set("best_epoch", best_epoch.map_or(String::new(), |epoch| epoch.to_string()));
        row.set("test_loss", share(scores.loss));
        row.set("test_acc", share(scores.accuracy));
        row.set("macro_f1", share(scores.macro_f1()));
        let weakest = scores.weakest();
        row.set("weakest_class", weakest.map_or("", |(class, _)| &self.data.class_names[class]));
        row.set("weakest_recall", weakest.map_or(String::new(), |(_, recall)| share(recall)));
        row.set("train_seconds", decimals(Some(outcome.train_seconds), 4));
        row.set("finished", fm_run::now());
        row
    }
}
