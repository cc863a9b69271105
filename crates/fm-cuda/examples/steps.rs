//! Times training steps on made images: `steps [SEEDS…]`, each as microseconds a step and a seed, and stage by stage.

use std::time::Instant;

use fm_cuda::{Data, Error, Gpu, Network, Trainer, Tuning};
use fm_kernels::Recipe;

const BATCH: usize = 32;
const ROWS: usize = 55_000;

/// Numbers that look random enough: the high bits of a linear congruential generator.
fn random(state: &mut u64) -> u32 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as u32
}

fn run(
    gpu: &std::sync::Arc<Gpu>,
    data: &std::sync::Arc<Data>,
    network: &Network,
    seeds: usize,
    tuning: Tuning,
    stages: bool,
) -> Result<(), Error> {
    let mut trainer = Trainer::new(gpu, network, seeds, BATCH, tuning)?;
    let mut state = 7;
    let parameters = trainer.params(0)?.len();
    let order: Vec<u32> = (0..ROWS as u32).map(|i| i * 7919 % ROWS as u32).collect();
    for seat in 0..seeds {
        trainer.begin(seat, Recipe::default())?;
        let params: Vec<f32> =
            (0..parameters).map(|_| (random(&mut state) as f32 / (1_u64 << 31) as f32 - 0.5) * 0.2).collect();
        trainer.set_params(seat, &params)?;
    }
    let epoch = |trainer: &mut Trainer, steps: usize| -> Result<f64, Error> {
        for seat in 0..seeds {
            trainer.begin_epoch(seat, data, &order)?;
            for step in 0..steps {
                trainer.push(seat, step * BATCH, BATCH.min(ROWS - step * BATCH), (1e-3, 1e-3), None)?;
            }
        }
        gpu.synchronize()?;
        let start = Instant::now();
        trainer.drain(0)?;
        Ok(start.elapsed().as_secs_f64())
    };
    epoch(&mut trainer, 200)?;
    let steps = if seeds > 16 { 860 } else { 1719 };
    let mut times = (0..3).map(|_| epoch(&mut trainer, steps)).collect::<Result<Vec<_>, _>>()?;
    times.sort_by(f64::total_cmp);
    let step = times[1] / steps as f64 * 1e6;
    println!(
        "{:?}-{:?} seeds {seeds:>4}: {step:8.2} us/step {:7.3} us/seed-step, 50 epochs {:6.3} s, {:7.0} runs/h  {tuning:?}",
        network.conv,
        network.dense,
        step / seeds as f64,
        step * 50.0 * 1719.0 / 1e6,
        3600.0 / (step / seeds as f64 * 50.0 * 1719.0 / 1e6),
    );
    if stages {
        for seat in 0..seeds {
            trainer.begin_epoch(seat, data, &order)?;
            // One for the step that comes first, one for the kernels by themselves.
            trainer.push(seat, 0, BATCH, (1e-3, 1e-3), None)?;
            trainer.push(seat, BATCH, BATCH, (1e-3, 1e-3), None)?;
        }
        trainer.prepare()?;
        for stage in trainer.explain(100)? {
            println!(
                "    {:<12} {:8.2} us  {:>6} blocks x {} threads, {:>6} B shared, {} registers",
                stage.name, stage.microseconds, stage.blocks, stage.threads, stage.shared, stage.registers
            );
        }
    }
    Ok(())
}

fn main() -> Result<(), Error> {
    let gpu = Gpu::open(0)?;
    println!("{:?}", gpu.info());
    let mut state = 1;
    let images: Vec<u8> =
        (0..ROWS * 784).map(|i| if i % 3 == 0 { (random(&mut state) >> 8) as u8 } else { 0 }).collect();
    let labels: Vec<u8> = (0..ROWS).map(|_| (random(&mut state) % 10) as u8).collect();
    let data = Data::new(&gpu, &images, &labels, 784, 10)?;
    let network = |conv: &[usize], dense: &[usize]| Network {
        height: 28,
        width: 28,
        channels: 1,
        conv: conv.to_vec(),
        dense: dense.to_vec(),
    };
    let (cnn, mlp) = (network(&[32, 64, 64], &[128, 10]), network(&[32, 64], &[64, 32, 10]));
    let seeds: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let seeds = if seeds.is_empty() { vec![1, 8, 32] } else { seeds };
    for net in [&cnn, &mlp] {
        for &n in &seeds {
            run(&gpu, &data, net, n, Tuning::for_seeds(n), true)?;
        }
    }
    Ok(())
}
