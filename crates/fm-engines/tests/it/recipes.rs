//! Optimizers, schedules, decay, smoothing, mixed labels and averages against PyTorch: 20 steps of every engine.
//! `scripts/golden/recipes.py` made the numbers.

use fm_engines::ENGINES;
use fm_images::{Dataset, ImageShape, Labelled, Prepared};
use fm_net::{NamedTensor, Network, Scope, init};
use fm_run::spec::{Optimizer, RunSpec};
use fm_train::engine::{EngineDef, Setup, State, Step, Totals};
use fm_train::plan::{Phase, Update};
use fm_train::{Plan, recipe};
use safetensors::SafeTensors;

use crate::gradients::images;
use crate::made::{data, machine};

const FILE: &[u8] = include_bytes!("../golden/recipes.pytorch.safetensors");
const CASES: [&str; 6] = ["adamw", "decay-all", "sgd", "smooth", "mixed", "muon"];
const ARCH: &str = "8C3-MP2--16@12x12";
const CLASSES: usize = 3;
const BATCH: usize = 8;

struct Golden {
    file: SafeTensors<'static>,
    texts: std::collections::HashMap<String, String>,
    data: Dataset,
    prepared: Vec<Prepared>,
    network: Network,
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.chunks_exact(4).map(|b| f32::from_le_bytes(b.try_into().unwrap())).collect()
}

impl Golden {
    fn read() -> Self {
        let file = SafeTensors::deserialize(FILE).unwrap();
        let (_, header) = SafeTensors::read_metadata(FILE).unwrap();
        let texts = header.metadata().clone().unwrap();
        let bytes = |name: &str| file.tensor(name).unwrap().data().to_vec();
        let shape = ImageShape { channels: 1, height: 12, width: 12 };
        let (images, labels) = (bytes("images"), bytes("labels"));
        let (partners, lambda) = (bytes("partners"), floats(&bytes("lambda")));
        let prepared = (0..labels.len()).step_by(BATCH).map(|at| {
            let mut prepared = Prepared::default();
            prepared.pixels = images[at * shape.len()..(at + BATCH) * shape.len()].to_vec();
            prepared.labels = labels[at..at + BATCH].to_vec();
            prepared.partners = partners[at..at + BATCH].to_vec();
            prepared.lambda = lambda[at..at + BATCH].to_vec();
            prepared
        });
        let prepared = prepared.collect();
        let data = Dataset { train: Labelled::new(images, labels, shape), ..data(shape) };
        let network = Network::new(&ARCH.parse().unwrap(), CLASSES).unwrap();
        Self { file, texts, data, prepared, network }
    }

    fn tensors(&self, prefix: &str) -> Vec<NamedTensor> {
        let tensor = |t: &fm_net::TensorSpec| {
            let found = self.file.tensor(&format!("{prefix}{}", t.name)).unwrap();
            NamedTensor { name: t.name.clone(), shape: found.shape().to_vec(), data: floats(found.data()) }
        };
        self.network.tensors().map(tensor).collect()
    }

    /// What the file says of a case, as a run of its epochs.
    fn plan(&self, case: &str) -> Plan {
        let table = self.texts[case].parse().unwrap();
        let keys = RunSpec { epochs: 5, batch_size: BATCH, ..RunSpec::default() };
        let spec = keys.with(&table).unwrap().check().unwrap();
        let phase = recipe::phases(&spec, &self.network).unwrap().remove(0);
        let rows = (0..self.data.train.len() as u32).collect();
        Plan { augment: spec.augment, ..Plan::of(phase, BATCH, rows, vec![]) }
    }
}

#[track_caller]
fn close(what: &str, found: &[f32], wanted: &[f32], most: f32) {
    let far = found.iter().zip(wanted).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(found.len() == wanted.len() && far < most, "{what}: apart by {far:e}");
}

fn twenty_steps(golden: &Golden, def: &EngineDef, case: &str) {
    let plan = golden.plan(case);
    let phase = &plan.phases[0];
    let setup = Setup::new(&golden.data, &plan, machine(def));
    let mut engine = (def.build)(&golden.network, &golden.tensors("init."), setup).unwrap();
    engine.begin_phase(0, phase).unwrap();
    let (order, steps) = (plan.train_rows.clone(), plan.steps());
    let mut losses = Vec::new();
    for number in 0..u64::from(phase.epochs) * steps {
        // An epoch a step: the sums of each are read.
        let at = (number % steps) as usize;
        engine.begin_epoch(&order[at * BATCH..(at + 1) * BATCH], Totals::default()).unwrap();
        let prepared = plan.augment.mixes().then_some(&golden.prepared[at]);
        let rates = phase.rates(number, steps);
        engine.step(&Step { batch: 0..BATCH, prepared, number, rates }).unwrap();
        losses.push((engine.drain().unwrap().loss_sum / BATCH as f64) as f32);
    }
    let name = |what: &str| format!("{} {case} {what}", def.name);
    let wanted = floats(golden.file.tensor(&format!("{case}/losses")).unwrap().data());
    close(&name("losses"), &losses, &wanted, 1e-5);
    let mut averages = vec![("final", engine.weights().unwrap())];
    if phase.ema.is_some() {
        averages.push(("ema", engine.average().unwrap()));
    }
    for (kind, found) in averages {
        for (found, wanted) in found.iter().zip(golden.tensors(&format!("{case}/{kind}."))) {
            assert_eq!(found.name, wanted.name);
            close(&name(&format!("{kind} {}", wanted.name)), &found.data, &wanted.data, 1e-5);
        }
    }
}

#[test]
fn every_recipe_follows_pytorch_on_every_engine() {
    let golden = Golden::read();
    for case in CASES {
        let plan = golden.plan(case);
        let able: Vec<&EngineDef> =
            ENGINES.iter().filter(|def| (def.trains)(&plan.phases[0]).is_ok()).collect();
        assert_eq!(able.len(), if case == "muon" { 2 } else { 3 }, "{case}");
        for def in able {
            twenty_steps(&golden, def, case);
        }
    }
}

/// The numbers of `recipes.pytorch.safetensors` are of a chain, which has kernels of its own.
#[test]
fn muon_is_libtorch_s_on_any_network() {
    for arch in
        ["encoder-mlp@16x16", "5C3.same.bn-MP2-6R3.s2-8DS3-GAP--6@13x12", "4C3.same.ws-DW3.same-MP2@8x8"]
    {
        let network = Network::new(&arch.parse().unwrap(), CLASSES).unwrap();
        let fm_net::Arch { height, width, channels, .. } = network.arch;
        let data = images(ImageShape { channels, height, width }, CLASSES, 24);
        let update =
            Update { optimizer: Optimizer::Muon, momentum: 0.95, weight_decay: 0.1, decay_all: false };
        let phase = Phase { update, ..Phase::classify("phase", &network, Scope::All, 1, 0.01) };
        let plan = Plan::of(phase, BATCH, (0..24).collect(), vec![]);
        let [ours, theirs] = ["fused", "eager"].map(|name| {
            let def = ENGINES.iter().find(|def| def.name == name).unwrap();
            let setup = Setup::new(&data, &plan, machine(def));
            let mut engine = (def.build)(&network, &init::initial(&network, 5), setup).unwrap();
            engine.begin_phase(0, &plan.phases[0]).unwrap();
            engine.begin_epoch(&plan.train_rows, Totals::default()).unwrap();
            for number in 0..3 {
                let batch = number as usize * BATCH..(number as usize + 1) * BATCH;
                let rates = plan.phases[0].rates(number, plan.steps());
                engine.step(&Step { batch, prepared: None, number, rates }).unwrap();
            }
            engine.state().unwrap()
        });
        for group in [State::WEIGHTS, "momentum", "m", "v"] {
            let [ours, theirs] = [&ours, &theirs].map(|state| state.group(group));
            let known = |name: &str| ours.iter().find(|tensor| tensor.name == name).unwrap();
            assert!(!theirs.is_empty(), "{arch}: {group}");
            for tensor in theirs {
                // Of so few images a dense layer's gradient has a low rank: elsewhere the iteration amplifies rounding.
                let most = if tensor.name.starts_with("head") { 2e-4 } else { 1e-5 };
                let name = format!("{arch}: {group} {}", tensor.name);
                close(&name, &known(&tensor.name).data, &tensor.data, most);
            }
        }
        assert_eq!(ours.count("step").unwrap(), theirs.count("step").unwrap());
    }
}
