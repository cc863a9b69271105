//! Seconds per epoch: `epoch [cnn|encoder-mlp] [threads] [epochs] [isa|-] [images.idx labels.idx]`.
//!
//! Without files it trains on synthetic images; with uncompressed IDX files on those. The first
//! epoch warms up and is not counted. `frozen` trains the head of encoder-mlp on cached codes.

use std::env;
use std::fs;
use std::time::Instant;

use fm_kernels::{Isa, Network, Options, Recipe, Scope, Trainer};
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const BATCH: usize = 32;

type Failure = Box<dyn std::error::Error>;

fn main() -> Result<(), Failure> {
    let args: Vec<String> = env::args().skip(1).collect();
    let arg = |i: usize, or: &str| args.get(i).cloned().unwrap_or_else(|| or.to_owned());
    let frozen = arg(0, "cnn") == "frozen";
    let net = match arg(0, "cnn").as_str() {
        "cnn" => Network::cnn(28, 28, 10),
        _ => Network::encoder_mlp(28, 28, 10),
    };
    let isa = match arg(3, "-").as_str() {
        "-" => None,
        name => Some(name.parse::<Isa>()?),
    };
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let (images, labels) = match (args.get(4), args.get(5)) {
        (Some(images), Some(labels)) => (fs::read(images)?.split_off(16), fs::read(labels)?.split_off(8)),
        _ => synthetic(&mut rng),
    };
    let options = Options { threads: arg(1, "2").parse()?, isa, max_batch: BATCH };
    let mut trainer = Trainer::new(&net, options, &glorot(&net, &mut rng)?)?;
    let mut rows: Vec<u32> = (0..labels.len() as u32).collect();
    let mut codes = Vec::new();
    if frozen {
        codes = vec![0.0; labels.len() * net.features()?];
        let start = Instant::now();
        trainer.encode(&images, &rows, &mut codes)?;
        println!("encode: {:.3} s", start.elapsed().as_secs_f64());
        trainer.begin(Recipe { scope: Scope::Head, ..Recipe::default() })?;
    }
    let mut times = Vec::new();
    let mut steps = Vec::new();
    for epoch in 0..=arg(2, "5").parse::<usize>()? {
        rows.shuffle(&mut rng);
        let start = Instant::now();
        for batch in rows.chunks(BATCH) {
            let start = Instant::now();
            if frozen {
                trainer.step_codes(&codes, &labels, batch)?;
            } else {
                trainer.step(&images, &labels, batch)?;
            }
            steps.push(start.elapsed().as_secs_f64() * 1e6);
        }
        let seconds = start.elapsed().as_secs_f64();
        let totals = trainer.drain();
        let count = totals.images as f64;
        println!(
            "epoch {epoch}: {seconds:.3} s, loss {:.4}, accuracy {:.4}",
            totals.loss / count,
            totals.correct as f64 / count
        );
        if epoch > 0 {
            times.push(seconds);
        }
    }
    times.sort_by(f64::total_cmp);
    if let (Some(least), Some(most)) = (times.first(), times.last()) {
        let median = times[times.len() / 2];
        println!(
            "{} with {} threads on {}: median {median:.3} s per epoch, from {least:.3} to {most:.3}",
            arg(0, "cnn"),
            trainer.threads(),
            trainer.isa()
        );
    }
    // On a machine shared with others the fast steps say what the code does, the slow ones what they do.
    steps.sort_by(f64::total_cmp);
    let share = |part: usize| steps[steps.len() * part / 100];
    println!(
        "a step in microseconds: 1% {:.0}, 10% {:.0}, 50% {:.0}, 90% {:.0}; 10% makes {:.3} s per epoch",
        share(1),
        share(10),
        share(50),
        share(90),
        share(10) * rows.len().div_ceil(BATCH) as f64 * 1e-6
    );
    let mut scores = vec![0.0; labels.len() * 10];
    let start = Instant::now();
    trainer.evaluate(&images, &rows, &mut scores)?;
    println!("evaluation of {} images: {:.3} s", labels.len(), start.elapsed().as_secs_f64());
    Ok(())
}

/// Ten noisy shapes: a class is a rectangle's size and place.
fn synthetic(rng: &mut ChaCha8Rng) -> (Vec<u8>, Vec<u8>) {
    let count = 60_000;
    let mut images = vec![0; count * 784];
    let mut labels = Vec::with_capacity(count);
    for image in images.chunks_exact_mut(784) {
        let class = rng.random_range(0..10_usize);
        let (top, left) = (rng.random_range(1..5) + class % 3, rng.random_range(1..5) + class / 5);
        let (height, width) = (10 + class, 20 - class);
        for y in top..(top + height).min(28) {
            for x in left..(left + width).min(28) {
                image[y * 28 + x] = rng.random_range(60..=255);
            }
        }
        labels.push(class as u8);
    }
    (images, labels)
}

/// Glorot-uniform weights and zero biases.
fn glorot(net: &Network, rng: &mut ChaCha8Rng) -> Result<Vec<f32>, Failure> {
    let mut params = Vec::with_capacity(net.parameters()?);
    let mut fill = |fan_in: usize, fan_out: usize, len: usize, bias: usize| {
        let limit = (6.0 / (fan_in + fan_out) as f32).sqrt();
        params.extend((0..len).map(|_| rng.random_range(-limit..limit)));
        params.extend(std::iter::repeat_n(0.0, bias));
    };
    let mut inputs = 1;
    for &channels in &net.conv {
        fill(inputs * 9, channels * 9, channels * inputs * 9, channels);
        inputs = channels;
    }
    inputs = net.features()?;
    for &width in &net.dense {
        fill(inputs, width, width * inputs, width);
        inputs = width;
    }
    Ok(params)
}
