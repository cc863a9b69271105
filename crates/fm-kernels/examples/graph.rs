//! Times training steps of any network of the notation on made-up images, and says where the time goes.
//!
//! `cargo run --release -p fm-kernels --example graph -- ARCH [BATCH] [THREADS] [ISA] [SECONDS]`

use std::time::Instant;

use fm_kernels::{GraphTrainer, Options};
use fm_net::{Draws, Network, init};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let arg = |i: usize, default: &'static str| args.get(i).map_or(default, String::as_str).to_owned();
    let text = arg(0, "16C3.same.bn-3x16R3-3x32R3.s2-3x64R3.s2-GAP");
    let (batch, threads) = (arg(1, "32").parse::<usize>()?, arg(2, "2").parse()?);
    let isa = if arg(3, "-") == "-" { None } else { Some(arg(3, "-").parse()?) };
    let budget: f64 = arg(4, "4").parse()?;
    let arch = text.strip_prefix("mirror:").unwrap_or(&text).parse()?;
    let network =
        if text.starts_with("mirror:") { Network::autoencoder(&arch)? } else { Network::new(&arch, 10)? };
    let params: Vec<f32> = init::initial(&network, 0).into_iter().flat_map(|tensor| tensor.data).collect();
    let mut trainer = GraphTrainer::new(&network, Options { threads, isa, max_batch: batch }, &params)?;
    let pixels = arch.height * arch.width * arch.channels;
    let set = 512;
    let images: Vec<u8> = (0..set * pixels).map(|i| (i * 7919 % 251) as u8).collect();
    let labels: Vec<u8> = (0..set).map(|i| (i % 10) as u8).collect();
    let (mut times, mut busies) = (Vec::new(), Vec::new());
    let begin = Instant::now();
    let mut step = 0;
    while begin.elapsed().as_secs_f64() < budget || step < 5 {
        let rows: Vec<u32> = (0..batch).map(|i| ((i * 37 + step) % set) as u32).collect();
        let (start, busy) = (Instant::now(), cpu());
        trainer.step(&images, &labels, &rows, &Draws { seed: 0, phase: 0, step: step as u64 })?;
        times.push(start.elapsed().as_secs_f64());
        busies.push(cpu() - busy);
        step += 1;
    }
    times.sort_by(f64::total_cmp);
    busies.sort_by(f64::total_cmp);
    let flops: u64 = trainer.explain().iter().map(|stage| stage.step).sum();
    let gflops = |seconds: f64| flops as f64 * batch as f64 / seconds / 1e9;
    let at = |share: f64| times[(times.len() as f64 * share) as usize];
    println!(
        "{text} batch {batch} on {} with {threads} threads: step {:.2} ms at best, {:.2} at 10 %, {:.2} at 50 %; \
         {:.1} GFLOP, {:.1} GFLOP/s at best",
        trainer.isa(),
        times[0] * 1e3,
        at(0.1) * 1e3,
        at(0.5) * 1e3,
        flops as f64 * batch as f64 / 1e9,
        gflops(times[0])
    );
    let busy = busies[busies.len() / 10];
    println!(
        "the caller's thread computed {:.2} ms at 10 %: {:.1} GFLOP/s of one thread",
        busy * 1e3,
        gflops(busy)
    );
    let ms = |seconds: f64| seconds * 1e3 / times.len() as f64;
    for stage in trainer.explain() {
        let [forward, backward] = stage.seconds.map(ms);
        let rate = |flops: u64, ms: f64| flops as f64 * batch as f64 / ms / 1e6;
        println!(
            "{:34} {:44} {:>14} {forward:7.3} {backward:7.3} ms {:6.1} {:6.1} GFLOP/s",
            stage.name,
            stage.kernel,
            format!("{:?}", stage.output),
            rate(stage.forward, forward),
            rate(stage.step - stage.forward, backward)
        );
    }
    println!("between: {:.3} ms", ms(trainer.seconds_between()));
    Ok(())
}

/// Processor seconds of this thread, where the system reports them: less noisy than wall time on a shared machine.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok()).unwrap_or(0.0) / 1e9
}
