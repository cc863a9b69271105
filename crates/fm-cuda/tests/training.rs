//! Training on the emulated device: what must not change a bit.

#![allow(clippy::missing_panics_doc, clippy::unwrap_used, reason = "tests assert")]

use std::sync::Arc;

use fm_cuda::driver::{Context, Driver};
use fm_cuda::{Data, Gpu, Images, Network, StepSums, Trainer, Tuning};
use fm_cuda_emulated::Emulated;
use fm_kernels::Recipe;

/// Numbers that look random enough: the high bits of a linear congruential generator.
fn random(state: &mut u64) -> f32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f32 / (1 << 24) as f32
}

struct Bench {
    gpu: Arc<Gpu>,
    data: Arc<Data>,
    network: Network,
    _driver: Emulated,
}

impl Bench {
    fn new(network: Network, rows: usize) -> Self {
        let emulated = Emulated::new(&[]);
        let driver = Driver::load_from(emulated.path()).unwrap();
        let gpu = Gpu::on(Context::on(driver, 0).unwrap()).unwrap();
        let mut state = 3;
        let size = network.channels * network.height * network.width;
        let images: Vec<u8> = (0..rows * size).map(|_| (random(&mut state) * 256.0) as u8).collect();
        let classes = network.classes();
        let labels: Vec<u8> = (0..rows).map(|_| (random(&mut state) * classes as f32) as u8).collect();
        let data = Data::new(&gpu, &images, &labels, size, classes).unwrap();
        Self { gpu, data, network, _driver: emulated }
    }

    /// Trains `seeds` side by side, each from parameters and in an order of its own; returns what each ends with.
    fn train(
        &self,
        seeds: &[u64],
        tuning: Tuning,
        batch: usize,
        steps: usize,
    ) -> Vec<(Vec<u32>, Vec<StepSums>, Vec<u32>)> {
        let mut trainer = Trainer::new(&self.gpu, &self.network, seeds.len(), batch, tuning).unwrap();
        trainer.begin(Recipe { weight_decay: 0.01, average: Some(0.9), ..Recipe::default() }).unwrap();
        let rows = self.data.rows();
        for (seat, &seed) in seeds.iter().enumerate() {
            let mut state = seed;
            let count = trainer.params(seat).unwrap().len();
            let params: Vec<f32> = (0..count).map(|_| (random(&mut state) - 0.5) * 0.2).collect();
            trainer.set_params(seat, &params).unwrap();
            let order: Vec<u32> = (0..rows as u32).map(|i| (i * 7 + seed as u32) % rows as u32).collect();
            trainer.begin_epoch(seat, &self.data, &order).unwrap();
            for step in 0..steps {
                let begin = step * batch % rows;
                // The last batch of an epoch is smaller.
                trainer.push(seat, begin, batch.min(rows - begin), (1e-3, 2e-3), None).unwrap();
            }
        }
        trainer.flush().unwrap();
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
        let images: Vec<u32> = (0..rows as u32).collect();
        (0..seeds.len())
            .map(|seat| {
                let scores = trainer.scores(seat, Images::Rows(&self.data, &images)).unwrap();
                (bits(trainer.average(seat).unwrap()), trainer.sums(seat).unwrap(), bits(scores))
            })
            .collect()
    }
}

fn network(size: usize, conv: &[usize], dense: &[usize]) -> Network {
    Network { height: size, width: size, channels: 1, conv: conv.to_vec(), dense: dense.to_vec() }
}

#[test]
fn a_seed_among_others_is_the_seed_alone() {
    for (conv, dense) in
        [(vec![32, 64, 64], vec![128, 10]), (vec![32, 64], vec![64, 32, 10]), (vec![5, 9, 6], vec![7])]
    {
        let bench = Bench::new(network(28, &conv, &dense), 14);
        let together = bench.train(&[1, 2, 3], Tuning::for_seeds(32), 5, 3);
        for (seed, among) in (1..).zip(together) {
            let alone = bench.train(&[seed], Tuning::for_seeds(1), 5, 3).remove(0);
            assert!(alone == among, "seed {seed} of {conv:?}: {:?} {:?}", alone.1, among.1);
        }
    }
}

#[test]
fn graphs_are_the_launches_that_they_record() {
    let bench = Bench::new(network(14, &[4, 6], &[8, 3]), 20);
    let [graphs, plain] =
        [50, 1000].map(|graph| bench.train(&[5], Tuning { graph, ..Tuning::for_seeds(1) }, 4, 500).remove(0));
    assert!(graphs == plain && plain.1.len() == 500);
    let first: f32 = plain.1[..5].iter().map(|s| s.loss).sum();
    let last: f32 = plain.1[495..].iter().map(|s| s.loss).sum();
    assert!(last < first, "{first} {last}");
}
