//! Feeds random strings to the parser: `fuzz COUNT [SEED]`.
//!
//! Most are valid strings with a few random changes, some are valid, some are noise. Whatever parses must print to a
//! string that parses to the same, and make a network of ten classes unless that is too large. A panic, or a string
//! that takes longer than a second, ends the run with status 1 and the string.

use std::process::ExitCode;
use std::time::{Duration, Instant};

use fm_net::arbitrary::{self, Draw};
use fm_net::{Arch, Network};

/// What is wrong with how `text` is treated, or whether it is an architecture.
fn check(text: &str) -> Result<bool, String> {
    let arch: Arch = match text.parse::<Arch>() {
        Ok(arch) => arch,
        Err(error) => {
            if error.span.start > error.span.end || error.span.end > text.len() {
                return Err(format!("the span {:?} is outside", error.span));
            }
            if error.render(text).is_empty() {
                return Err("the error says nothing".to_owned());
            }
            return Ok(false);
        }
    };
    let printed = arch.to_string();
    let again: Arch = printed.parse().map_err(|e| format!("prints as {printed}, which fails: {e}"))?;
    if again != arch || again.to_string() != printed {
        return Err(format!("prints as {printed}, which is {again:?}, not {arch:?}"));
    }
    if let Ok(network) = Network::new(&arch, 10) {
        let (height, width) = network.seen();
        if height > arch.height || width > arch.width || height * width == 0 {
            return Err(format!("sees {height}x{width}"));
        }
    }
    Ok(true)
}

fn string(draw: &mut Draw, pool: &[String]) -> String {
    let (base, other) = (draw.below(pool.len()), draw.below(pool.len()));
    match draw.below(10) {
        0 => arbitrary::text(draw),
        1 => (0..draw.below(40))
            .map(|_| draw.of(&['3', '2', 'C', 'R', 'x', '-', '.', 's', 'M', 'P', '@']))
            .collect(),
        2 => (0..draw.below(20)).map(|_| char::from_u32(draw.below(0x250) as u32).unwrap_or('?')).collect(),
        _ => arbitrary::mutate(draw, &pool[base], &pool[other]),
    }
}

fn main() -> ExitCode {
    let mut args = std::env::args().skip(1).map(|arg| arg.parse::<u64>());
    let (Some(Ok(count)), seed) = (args.next(), args.next().and_then(Result::ok).unwrap_or(0)) else {
        eprintln!("usage: fuzz COUNT [SEED]");
        return ExitCode::from(2);
    };
    let mut pool: Vec<String> =
        (0..2000).map(|i| arbitrary::arch(seed.wrapping_add(i)).to_string()).collect();
    pool.extend(["cnn", "encoder-mlp", "cnn@32x48", "encoder-mlp@10x10x3"].map(str::to_owned));
    let mut draw = Draw::new(seed);
    let (mut valid, mut slowest) = (0_u64, (Duration::ZERO, String::new()));
    for i in 0..count {
        let text = string(&mut draw, &pool);
        let start = Instant::now();
        let said = std::panic::catch_unwind(|| check(&text)).unwrap_or_else(|_| Err("panics".to_owned()));
        let took = start.elapsed();
        match said {
            Ok(parses) if took < Duration::from_secs(1) => {
                valid += u64::from(parses);
                if took > slowest.0 {
                    slowest = (took, text);
                }
            }
            Ok(_) => {
                eprintln!("string {i}, {text:?}, takes {took:?}");
                return ExitCode::FAILURE;
            }
            Err(fault) => {
                eprintln!("string {i}, {text:?}: {fault}");
                return ExitCode::FAILURE;
            }
        }
    }
    let (took, text) = slowest;
    println!(
        "{count} strings, {valid} of them architectures, no fault; the slowest, {text:?}, took {took:?}"
    );
    ExitCode::SUCCESS
}
