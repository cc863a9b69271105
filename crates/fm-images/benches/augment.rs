//! Batches of 32 images of 28×28 out of 60,000, as training would draw them; the figure is a batch's time.

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use fm_images::augment::{Augment, Prepared};
use fm_images::{ImageShape, Labelled, batches, epoch_order};

const BATCH: usize = 32;

fn augment(criterion: &mut Criterion) {
    let shape = ImageShape { channels: 1, height: 28, width: 28 };
    let n = 60_000;
    let file = Labelled::new((0..n * shape.len()).map(|i| (i % 251) as u8).collect(), vec![0; n], shape);
    let training: Vec<u32> = (0..n as u32).collect();
    let order = epoch_order(&training, 0, 1);
    let mut group = criterion.benchmark_group("augment");
    group.throughput(Throughput::Elements(BATCH as u64));
    let specs =
        ["none", "flip", "shift2", "erase8", "flip,shift2,erase8", "mixup0.2", "flip,shift2,erase8,mixup0.2"];
    for spec in specs {
        let (augment, mut out) = (spec.parse::<Augment>().unwrap_or_default(), Prepared::default());
        assert_eq!(augment.to_string(), spec);
        let mut ranges = batches(n, BATCH).cycle();
        group.bench_function(BenchmarkId::from_parameter(spec), |bencher| {
            bencher.iter(|| {
                let rows = &order[ranges.next().unwrap_or(0..BATCH)];
                augment.prepare(&file, rows, &training, 0, 1, &mut out);
                black_box(&out);
            });
        });
    }
    group.finish();
}

criterion_group!(benches, augment);
criterion_main!(benches);
