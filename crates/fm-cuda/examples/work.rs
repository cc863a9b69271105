//! Prints what each launch of a training step does, a line each on standard error: blocks, threads, shared memory,
//! multiply-adds. Of one seed in a batch of 32, with the launches for one seed and with those for many, on the
//! emulated device; `scripts/cuda/resources.py` reads it.

use std::error::Error;

use fm_cuda::driver::{Context, Driver};
use fm_cuda::{Data, Gpu, Network, Trainer, Tuning};
use fm_cuda_emulated::Emulated;
use fm_kernels::Recipe;

const BATCH: usize = 32;

fn main() -> Result<(), Box<dyn Error>> {
    for (conv, dense) in [(vec![32, 64, 64], vec![128, 10]), (vec![32, 64], vec![64, 32, 10])] {
        for seeds in [1, 32] {
            let emulated = Emulated::watched(&[("TRACE", "1")]);
            let gpu = Gpu::on(Context::on(Driver::load_from(emulated.path())?, 0)?)?;
            let (conv, dense) = (conv.clone(), dense.clone());
            let network = Network { height: 28, width: 28, channels: 1, conv, dense };
            let images: Vec<u8> = (0..BATCH * 784).map(|i| (i * i / 7 % 251) as u8).collect();
            let labels: Vec<u8> = (0..BATCH as u8).map(|i| i % 10).collect();
            let data = Data::new(&gpu, &images, &labels, 784, 10)?;
            let mut trainer = Trainer::new(&gpu, &network, 1, BATCH, Tuning::for_seeds(seeds))?;
            trainer.begin(0, Recipe::default())?;
            let count = trainer.params(0)?.len();
            let params: Vec<f32> = (0..count).map(|i| (i * 7919 % 1009) as f32 / 1e4 - 0.05).collect();
            trainer.set_params(0, &params)?;
            trainer.begin_epoch(0, &data, &(0..BATCH as u32).collect::<Vec<_>>())?;
            trainer.push(0, 0, BATCH, (1e-3, 1e-3), None)?;
            trainer.flush()?;
            gpu.synchronize()?;
        }
    }
    Ok(())
}
