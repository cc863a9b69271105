//! Gradients of the CUDA kernels, on the emulated driver, against libtorch's autograd from equal weights.

use fm_engines::ENGINES;
use fm_images::{Dataset, ImageShape, Labelled};
use fm_net::{NamedTensor, Network, Scope, init};
use fm_run::spec::Optimizer;
use fm_train::Phase;
use fm_train::engine::{CodeStore, Setup, Step, Totals};
use fm_train::plan::Update;

use crate::made::{data, machine};

/// Numbers that look random enough: the high bits of a linear congruential generator.
fn random(state: &mut u64) -> u32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as u32
}

/// Of noise, so that no matrix of gradients is near another of lower rank.
pub(crate) fn images(shape: ImageShape, classes: usize, count: usize) -> Dataset {
    let mut state = 11;
    let pixels = (0..count * shape.len()).map(|_| random(&mut state) as u8).collect();
    let labels = (0..count).map(|_| (random(&mut state) as usize % classes) as u8).collect();
    let class_names = (0..classes).map(|c| c.to_string()).collect();
    let test = Labelled::new(vec![0; shape.len()], vec![0], shape);
    Dataset { train: Labelled::new(pixels, labels, shape), test, classes, class_names, ..data(shape) }
}

/// The gradients of one step: what momentum has kept of it.
fn gradients(
    name: &str,
    network: &Network,
    tensors: &[NamedTensor],
    data: &Dataset,
    batch: usize,
) -> Vec<NamedTensor> {
    let def = ENGINES.iter().find(|def| def.name == name).unwrap();
    let machine = machine(def);
    (def.covers)(network, machine).unwrap();
    let setup =
        Setup { data: Some(data), machine, batch_size: batch, seed: 1, codes: CodeStore::unlimited() };
    let mut engine = (def.build)(network, tensors, setup).unwrap();
    let update = Update { optimizer: Optimizer::Sgd, momentum: 0.9, weight_decay: 0.0, decay_all: false };
    let phase = Phase { update, ..Phase::classify("phase", network, Scope::All, 1, 1e-6) };
    engine.begin_phase(0, &phase).unwrap();
    // Not the identity: rows must be honoured.
    let order: Vec<u32> = (0..batch as u32).map(|i| (i * 7 + 2) % (batch as u32 + 3)).collect();
    engine.begin_epoch(&order, Totals::default()).unwrap();
    engine.step(&Step { batch: 0..batch, prepared: None, number: 0, rates: phase.rates(0, 1) }).unwrap();
    engine.drain().unwrap();
    engine.state().unwrap().group("momentum").to_vec()
}

#[test]
fn gradients_are_those_of_autograd() {
    // Sizes, classes, batches; one block and three; widths that are no multiples of anything; maps that shared memory
    // cannot hold.
    for (arch, classes, batch) in [
        ("cnn", 10, 32),
        ("cnn", 10, 7),
        ("encoder-mlp", 10, 32),
        ("encoder-mlp", 10, 1),
        ("cnn@22x22", 2, 5),
        ("cnn@32x32", 47, 33),
        ("encoder-mlp@32x32x3", 10, 9),
        ("6C3-MP2--5@22x26", 3, 4),
        ("10C3-MP2-20C3-MP2-12C3-MP2@36x36", 47, 3),
        ("16C3-MP2-24C3-MP2--30@64x64", 2, 2),
        ("4C3-MP2-6C3-MP2--8@24x24", 5, 256),
    ] {
        let network = Network::new(&arch.parse().unwrap(), classes).unwrap();
        let fm_net::Arch { height, width, channels, .. } = network.arch;
        let data = images(ImageShape { channels, height, width }, classes, batch + 3);
        let mut tensors = init::initial(&network, 5);
        for bias in tensors.iter_mut().filter(|t| t.name.ends_with("bias")) {
            (0..).zip(&mut bias.data).for_each(|(i, v)| *v = 0.001 * (i % 7) as f32 - 0.002);
        }
        let [ours, theirs] = ["cuda", "eager"].map(|name| gradients(name, &network, &tensors, &data, batch));
        for (ours, theirs) in ours.iter().zip(&theirs) {
            assert_eq!(ours.name, theirs.name);
            let top = theirs.data.iter().fold(0.0_f32, |top, v| top.max(v.abs()));
            let far = ours.data.iter().zip(&theirs.data).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            assert!(
                far < 1e-5 * top,
                "{arch} in {classes} classes, batch {batch}: {} is off by {far:e} of {top:e}",
                ours.name
            );
        }
    }
}
