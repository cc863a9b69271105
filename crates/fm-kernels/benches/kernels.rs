//! Whole steps of both networks, by path and threads, and each half of the frozen arm.
//!
//! The kernels themselves are private; their shares of a step come from a profiler (see README.md).

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fm_kernels::{Error, Isa, Network, Options, Recipe, Scope, Trainer};
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

const IMAGES: usize = 1024;
const BATCH: usize = 32;

struct Set {
    images: Vec<u8>,
    labels: Vec<u8>,
    rows: Vec<u32>,
}

/// Noise in the middle of a flat background, as much of it as in Fashion-MNIST: about a half.
fn set() -> Set {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let mut images = vec![0; IMAGES * 784];
    for image in images.chunks_exact_mut(784) {
        for row in image.chunks_exact_mut(28).skip(3).take(22) {
            for pixel in &mut row[5..23] {
                *pixel = (rng.next_u32() >> 24) as u8;
            }
        }
    }
    let labels = (0..IMAGES).map(|_| rng.random_range(0..10)).collect();
    Set { images, labels, rows: (0..IMAGES as u32).collect() }
}

fn trainer(net: &Network, threads: usize, isa: Isa) -> Result<Trainer, Error> {
    let mut rng = ChaCha8Rng::seed_from_u64(2);
    let params: Vec<f32> = (0..net.parameters()?).map(|_| rng.random_range(-0.06..0.06)).collect();
    Trainer::new(net, Options { threads, isa: Some(isa), max_batch: BATCH }, &params)
}

fn networks() -> [(&'static str, Network); 2] {
    [("cnn", Network::cnn(28, 28, 10)), ("encoder-mlp", Network::encoder_mlp(28, 28, 10))]
}

fn steps(c: &mut Criterion) {
    let set = set();
    let mut group = c.benchmark_group("step of 32");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, net) in networks() {
        for isa in Isa::ALL.into_iter().filter(|isa| isa.is_available()) {
            for threads in [1, 2] {
                let Ok(mut trainer) = trainer(&net, threads, isa) else { continue };
                let mut batches = set.rows.chunks_exact(BATCH).cycle();
                group.bench_function(BenchmarkId::new(name, format!("{isa}/{threads}")), |b| {
                    b.iter(|| {
                        let batch = batches.next().unwrap_or(&set.rows[..BATCH]);
                        black_box(trainer.step(&set.images, &set.labels, batch))
                    });
                });
            }
        }
    }
    group.finish();
}

fn forward(c: &mut Criterion) {
    let set = set();
    let mut group = c.benchmark_group("forward of 1024");
    group.throughput(Throughput::Elements(IMAGES as u64));
    for (name, net) in networks() {
        let Ok(mut trainer) = trainer(&net, 2, Isa::detect()) else { continue };
        let mut scores = vec![0.0; IMAGES * 10];
        group.bench_function(BenchmarkId::new(name, "evaluate"), |b| {
            b.iter(|| black_box(trainer.evaluate(&set.images, &set.rows, &mut scores)));
        });
    }
    group.finish();
}

fn frozen(c: &mut Criterion) {
    let set = set();
    let mut group = c.benchmark_group("head on codes, step of 32");
    group.throughput(Throughput::Elements(BATCH as u64));
    for (name, net) in networks() {
        let (Ok(mut trainer), Ok(features)) = (trainer(&net, 2, Isa::detect()), net.features()) else {
            continue;
        };
        let mut codes = vec![0.0; IMAGES * features];
        let adam = Recipe { scope: Scope::Head, ..Recipe::default() };
        if trainer.encode(&set.images, &set.rows, &mut codes).and_then(|()| trainer.begin(adam)).is_err() {
            continue;
        }
        let mut batches = set.rows.chunks_exact(BATCH).cycle();
        group.bench_function(name, |b| {
            b.iter(|| {
                let batch = batches.next().unwrap_or(&set.rows[..BATCH]);
                black_box(trainer.step_codes(&codes, &set.labels, batch))
            });
        });
    }
    group.finish();
}

criterion_group!(benches, steps, forward, frozen);
criterion_main!(benches);
