//! The fused kernels' gradients against libtorch's autograd, on every path that this machine has.

use fm_engines::kernel_network;
use fm_kernels::{Isa, Options, Recipe, Trainer};
use fm_models::{Mode, Net};
use fm_net::{Arch, Draws, Scope};
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use tch::{Device, Kind, Reduction, Tensor};

use crate::engines::network;

/// Images of noise over a gradient, so that no two pixels of a window are equal by design.
fn images(rng: &mut ChaCha8Rng, n: usize, height: usize, width: usize) -> Vec<u8> {
    (0..n * height * width).map(|i| (rng.next_u32() % 200) as u8 + (i % width) as u8).collect()
}

fn values(tensor: &Tensor) -> Vec<f32> {
    Vec::try_from(tensor.to_kind(Kind::Float).contiguous().view(-1)).unwrap()
}

/// ‖a − b‖ / ‖b‖.
fn apart(a: &[f32], b: &[f32]) -> f64 {
    let square = |v: f64| v * v;
    let (diff, norm) = a.iter().zip(b).fold((0.0, 0.0), |(d, n), (&a, &b)| {
        (d + square(f64::from(a) - f64::from(b)), n + square(f64::from(b)))
    });
    (diff / norm).sqrt()
}

/// Nothing is drawn.
const DRAWS: Draws = Draws { seed: 0, phase: 0, step: 0 };

/// One batch: loss and the gradient of every parameter.
fn check(spec: &str, classes: usize, batch: usize, seed: u64) {
    let network = network(spec, classes);
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let Arch { height: h, width: w, .. } = network.arch;
    let pixels = images(&mut rng, batch, h, w);
    let labels: Vec<u8> = (0..batch).map(|_| (rng.next_u32() as usize % classes) as u8).collect();
    let weights = fm_net::init::initial(&network, seed);

    let mut net = Net::new(&network, &weights, Device::Cpu).unwrap();
    net.train_only(Scope::All);
    let (seen_h, seen_w) = network.seen();
    let x = Tensor::from_slice(&pixels).view([batch as i64, 1, h as i64, w as i64]);
    let x = x.narrow(2, 0, seen_h as i64).narrow(3, 0, seen_w as i64).to_kind(Kind::Float)
        * f64::from(fm_data::PIXEL_SCALE);
    let y = Tensor::from_slice(&labels.iter().map(|&l| i64::from(l)).collect::<Vec<_>>());
    let loss = net.forward(&x, Mode::Train(&DRAWS)).unwrap().cross_entropy_loss::<Tensor>(
        &y,
        None,
        Reduction::Mean,
        -100,
        0.0,
    );
    loss.backward();
    let expected_loss = f64::try_from(&loss).unwrap();

    let flat: Vec<f32> = weights.iter().flat_map(|w| w.data.iter().copied()).collect();
    let rows: Vec<u32> = (0..batch as u32).collect();
    for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
        let options = Options { threads: 2, isa: Some(isa), max_batch: batch };
        let mut trainer = Trainer::new(&kernel_network(&network).unwrap(), options, &flat).unwrap();
        trainer.begin(Recipe::default()).unwrap();
        let (loss, gradients) = trainer.gradients(&pixels, &labels, &rows).unwrap();
        let what = format!("{spec}, {classes} classes, batch {batch}, seed {seed}, {isa}");
        let off = (f64::from(loss as f32) - expected_loss).abs() / expected_loss;
        assert!(off < 1e-5, "{what}: loss {off:e}");
        let mut rest = gradients.as_slice();
        for (name, tensor) in net.params(Scope::All) {
            let (ours, after) = rest.split_at(tensor.numel());
            rest = after;
            let off = apart(ours, &values(&tensor.grad()));
            assert!(off < 1e-5, "{what}: gradient of {name} {off:e}");
        }
    }
}

#[test]
fn gradients_are_autograds() {
    for arch in ["cnn", "encoder-mlp"] {
        for (seed, batch) in [1, 7, 32, 33].into_iter().enumerate() {
            check(arch, 10, batch, seed as u64);
        }
        check(&format!("{arch}@32x32"), 47, 16, 10);
        check(&format!("{arch}@24x40"), 2, 16, 11);
    }
    // Other widths and depths of the same stack.
    for (seed, arch) in ["5C3-MP2--7", "16C3-MP2-24C3-MP2-8C3-MP2--33-17", "48C3-MP2"].into_iter().enumerate()
    {
        check(arch, 10, 9, 20 + seed as u64);
    }
}
