//! Made data and runs on the emulated device.
#![allow(dead_code, reason = "each test uses some of it")]

use std::sync::Arc;

use fm_cuda::driver::{Context, Driver};
use fm_cuda::{Data, Error, Gpu, Images, Network, StepSums, Trainer, Tuning};
use fm_cuda_emulated::Emulated;
use fm_kernels::{Recipe, Scope};

/// Numbers that look random enough: the high bits of a linear congruential generator.
fn random(state: &mut u64) -> f32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 40) as f32 / (1 << 24) as f32
}

/// A seed, how it trains, and for how many steps.
pub(crate) type Course = (u64, Recipe, usize);

/// What a seed ends with: the bits of its average or parameters, the records of its steps, the bits of its scores.
pub(crate) type Run = (Vec<u32>, Vec<StepSums>, Vec<u32>);

/// A network and images on an emulated device.
pub(crate) struct Bench {
    gpu: Arc<Gpu>,
    data: Arc<Data>,
    network: Network,
    pub(crate) driver: Emulated,
}

impl Bench {
    pub(crate) fn new(driver: Emulated, network: Network, rows: usize) -> Self {
        let loaded = Driver::load_from(driver.path()).unwrap();
        let gpu = Gpu::on(Context::on(loaded, 0).unwrap()).unwrap();
        let mut state = 3;
        let size = network.channels * network.height * network.width;
        let images: Vec<u8> = (0..rows * size).map(|_| (random(&mut state) * 256.0) as u8).collect();
        let classes = network.classes();
        let labels: Vec<u8> = (0..rows).map(|_| (random(&mut state) * classes as f32) as u8).collect();
        let data = Data::new(&gpu, &images, &labels, size, classes).unwrap();
        Self { gpu, data, network, driver }
    }

    /// Trains `seeds` side by side, each from parameters and in an order of its own.
    pub(crate) fn train(
        &self,
        seeds: &[u64],
        tuning: Tuning,
        batch: usize,
        steps: usize,
    ) -> Result<Vec<Run>, Error> {
        let recipe = Recipe { weight_decay: 0.01, average: Some(0.9), ..Recipe::default() };
        let courses: Vec<Course> = seeds.iter().map(|&seed| (seed, recipe, steps)).collect();
        self.train_each(&courses, tuning, batch)
    }

    /// The same for seeds that train differently, or for longer than others.
    pub(crate) fn train_each(
        &self,
        courses: &[Course],
        tuning: Tuning,
        batch: usize,
    ) -> Result<Vec<Run>, Error> {
        let mut trainer = Trainer::new(&self.gpu, &self.network, courses.len(), batch, tuning)?;
        let rows = self.data.rows();
        for (seat, &(seed, recipe, _)) in courses.iter().enumerate() {
            trainer.begin(seat, recipe)?;
            let mut state = seed;
            let count = trainer.params(seat)?.len();
            let params: Vec<f32> = (0..count).map(|_| (random(&mut state) - 0.5) * 0.2).collect();
            trainer.set_params(seat, &params)?;
            if recipe.scope == Scope::Head {
                trainer.encode(seat, &self.data)?;
            }
            let order: Vec<u32> = (0..rows as u32).map(|i| (i * 7 + seed as u32) % rows as u32).collect();
            trainer.begin_epoch(seat, &self.data, &order)?;
        }
        // In two parts, so that some have nothing left to do in the second.
        let most = courses.iter().map(|course| course.2).max().unwrap_or(0);
        for part in [0..most / 2, most / 2..most] {
            for (seat, &(_, _, steps)) in courses.iter().enumerate() {
                for step in part.start..part.end.min(steps) {
                    let begin = step * batch % rows;
                    // The last batch of an epoch is smaller.
                    trainer.push(seat, begin, batch.min(rows - begin), (1e-3, 2e-3), None)?;
                }
            }
            trainer.flush()?;
        }
        let bits = |values: Vec<f32>| values.into_iter().map(f32::to_bits).collect::<Vec<u32>>();
        let images: Vec<u32> = (0..rows as u32).collect();
        (0..courses.len())
            .map(|seat| {
                let scores = trainer.scores(seat, Images::Rows(&self.data, &images))?;
                let kept = courses[seat].1.average.is_some();
                let params = if kept { trainer.average(seat)? } else { trainer.params(seat)? };
                Ok((bits(params), trainer.sums(seat)?, bits(scores)))
            })
            .collect()
    }
}

pub(crate) fn network(size: usize, conv: &[usize], dense: &[usize]) -> Network {
    Network { height: size, width: size, channels: 1, conv: conv.to_vec(), dense: dense.to_vec() }
}

/// Networks and batches that together go through every barrier: (network, seeds that the launches are tuned for, batch).
pub(crate) fn cases() -> Vec<(Network, usize, usize)> {
    vec![
        (network(28, &[32, 64, 64], &[128, 10]), 1, 3),
        (network(28, &[32, 64], &[64, 32, 10]), 32, 34),
        (network(16, &[5], &[6, 3]), 1, 3),
        (network(26, &[8, 20], &[300, 5]), 1, 3),
        (network(44, &[4, 8], &[3]), 1, 40),
        (network(30, &[4, 8, 8], &[3]), 1, 2),
        (Network { channels: 3, ..network(24, &[4, 40], &[3]) }, 32, 2),
    ]
}
