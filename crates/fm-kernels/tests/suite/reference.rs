//! Losses, scores and gradients against a plain f64 implementation, on every code path.

use std::collections::HashSet;

use crate::common::{data, distance, params, reference, tensors, worst};
use fm_kernels::{Isa, Network, Options, Recipe, Scope, Trainer};

fn paths() -> Vec<Isa> {
    let paths: Vec<_> = Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect();
    // On a CPU without AVX-512 that path cannot run; say so rather than pass in silence.
    if paths.len() < Isa::ALL.len() {
        eprintln!("only {paths:?} can run on this CPU");
    }
    paths
}

fn check(net: &Network, batch: usize, seed: u64) {
    let start = params(net, seed);
    let wide: Vec<f64> = start.iter().map(|&x| f64::from(x)).collect();
    let (images, labels) = data(net, batch + 3, seed ^ 0xda7a);
    // Not the identity: the rows must be honoured.
    let rows: Vec<u32> = (0..batch as u32).map(|i| (i * 7 + 2) % (batch as u32 + 3)).collect();
    let pixels = net.height * net.width;
    let picked: Vec<&[u8]> = rows.iter().map(|&r| &images[r as usize * pixels..][..pixels]).collect();
    let marks: Vec<u8> = rows.iter().map(|&r| labels[r as usize]).collect();
    let mut flips = HashSet::new();
    let mut answer = reference(net, &wide, &picked, &marks, &flips);
    for isa in paths() {
        let options = Options { threads: 2, isa: Some(isa), max_batch: batch };
        let mut trainer = Trainer::new(net, options, &start).unwrap();
        let (loss, gradient) = trainer.gradients(&images, &labels, &rows).unwrap();
        let what = format!("{isa} {net:?} batch {batch} seed {seed}");
        assert!((loss - answer.loss).abs() < 1e-5 * answer.loss, "{what}: loss {loss} {}", answer.loss);
        // Where single precision cannot tell a maximum from its runner-up, either gradient is right.
        let (mut error, mut name) = worst(net, &gradient, &answer.gradient);
        for &kink in &answer.kinks.clone() {
            if error < 1e-5 {
                break;
            }
            let mut other = flips.clone();
            if !other.remove(&kink) {
                other.insert(kink);
            }
            let tried = reference(net, &wide, &picked, &marks, &other);
            let (off, place) = worst(net, &gradient, &tried.gradient);
            if off < error {
                (error, name, answer, flips) = (off, place, tried, other);
            }
        }
        assert!(error < 1e-5, "{what}: {name} is off by {error:e}; {} kinks", answer.kinks.len());
        let mut scores = vec![0.0; batch * net.classes()];
        trainer.evaluate(&images, &rows, &mut scores).unwrap();
        assert!(distance(&scores, &answer.scores) < 1e-5, "{what}: scores");
        let mut codes = vec![0.0; batch * net.features().unwrap()];
        trainer.encode(&images, &rows, &mut codes).unwrap();
        // Ours are (y, x, channel), the reference's (channel, y, x).
        let channels = *net.conv.last().unwrap();
        let windows = net.features().unwrap() / channels;
        let turned: Vec<f64> = (0..answer.code.len())
            .map(|i| {
                let (image, at) = (i / (windows * channels), i % (windows * channels));
                answer.code[image * windows * channels + at % channels * windows + at / channels]
            })
            .collect();
        assert!(distance(&codes, &turned) < 1e-5, "{what}: codes");
    }
}

#[test]
fn cnn_gradients() {
    for (seed, batch) in [1, 7, 32, 33].into_iter().enumerate() {
        check(&Network::cnn(28, 28, 10), batch, seed as u64);
    }
}

#[test]
fn encoder_mlp_gradients() {
    for (seed, batch) in [1, 7, 32, 33].into_iter().enumerate() {
        check(&Network::encoder_mlp(28, 28, 10), batch, 100 + seed as u64);
    }
}

#[test]
fn other_sizes_and_classes() {
    let mut seed = 200;
    for (height, width) in [(28, 28), (32, 32), (24, 40), (22, 23)] {
        for classes in [2, 10, 47] {
            for batch in [1, 9] {
                seed += 1;
                check(&Network::cnn(height, width, classes), batch, seed);
                check(&Network::encoder_mlp(height, width, classes), batch, seed);
            }
        }
    }
}

#[test]
fn other_widths_are_padded() {
    let odd = |conv: &[usize], dense: &[usize]| Network {
        height: 20,
        width: 17,
        conv: conv.to_vec(),
        dense: dense.to_vec(),
    };
    check(&odd(&[5], &[3]), 5, 301);
    check(&odd(&[8, 20], &[17, 3]), 10, 302);
    check(&odd(&[48, 33], &[7, 256]), 3, 303);
    check(&odd(&[16, 16], &[30, 20, 18, 9]), 17, 304);
}

/// Many small batches with fresh weights each.
#[test]
fn many_random_batches() {
    for seed in 400..440 {
        check(&Network::cnn(28, 28, 10), 2, seed);
        check(&Network::encoder_mlp(28, 28, 10), 2, seed);
    }
}

/// Keras' Adam in f64, by scope and with two rates.
fn follow(net: &Network, isa: Isa, scope: Scope) {
    let start = params(net, 7);
    let mut wide: Vec<f64> = start.iter().map(|&x| f64::from(x)).collect();
    let adam = Recipe { lr_encoder: 5e-4, scope, ..Recipe::default() };
    let options = Options { threads: 2, isa: Some(isa), max_batch: 8 };
    let mut trainer = Trainer::new(net, options, &start).unwrap();
    trainer.begin(adam).unwrap();
    let (images, labels) = data(net, 40, 3);
    let pixels = net.height * net.width;
    let head = tensors(net)[2 * net.conv.len()].1.start;
    let (mut m, mut v) = (vec![0.0; wide.len()], vec![0.0; wide.len()]);
    for step in 0..20 {
        let rows: Vec<u32> = (0..8).map(|i| (step * 8 + i) % 40).collect();
        let picked: Vec<&[u8]> = rows.iter().map(|&r| &images[r as usize * pixels..][..pixels]).collect();
        let marks: Vec<u8> = rows.iter().map(|&r| labels[r as usize]).collect();
        let answer = reference(net, &wide, &picked, &marks, &HashSet::new());
        trainer.step(&images, &labels, &rows).unwrap();
        let totals = trainer.drain();
        assert!((totals.loss / 8.0 - answer.loss).abs() < 1e-4, "{isa} step {step}: loss");
        assert_eq!(totals.images, 8);
        let t = f64::from(step + 1);
        let correction = (1.0 - 0.999_f64.powf(t)).sqrt() / (1.0 - 0.9_f64.powf(t));
        for (i, &g) in answer.gradient.iter().enumerate() {
            let rate = if i < head { adam.lr_encoder } else { adam.lr_head };
            let frozen = match scope {
                Scope::All => false,
                Scope::Head => i < head,
                Scope::Encoder => i >= head,
            };
            if frozen {
                continue;
            }
            m[i] += 0.1 * (g - m[i]);
            v[i] += 0.001 * (g * g - v[i]);
            wide[i] -= rate * correction * m[i] / (v[i].sqrt() + 1e-7);
        }
    }
    let ours = trainer.params();
    let off = ours.iter().zip(&wide).fold(0.0_f64, |off, (&a, b)| off.max((f64::from(a) - b).abs()));
    assert!(off < 1e-4, "{isa} {scope:?} {net:?}: off by {off:e}");
    let bits = |x: &[f32]| x.iter().map(|x| x.to_bits()).collect::<Vec<_>>();
    match scope {
        Scope::All => {}
        Scope::Head => assert_eq!(bits(&ours[..head]), bits(&start[..head]), "the encoder is frozen"),
        Scope::Encoder => assert_eq!(bits(&ours[head..]), bits(&start[head..]), "the head is frozen"),
    }
}

#[test]
fn twenty_adam_steps() {
    for isa in paths() {
        for net in [Network::cnn(28, 28, 10), Network::encoder_mlp(28, 28, 10)] {
            follow(&net, isa, Scope::All);
        }
    }
}

#[test]
fn twenty_adam_steps_of_a_part() {
    for isa in paths() {
        for scope in [Scope::Head, Scope::Encoder] {
            follow(&Network::encoder_mlp(28, 28, 10), isa, scope);
        }
    }
}
