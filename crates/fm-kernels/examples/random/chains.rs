//! The trainer for chains.

use fm_kernels::{Isa, Network, Options, Recipe, Scope, Trainer};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::Outcome;

/// Trains and uses one network; whether it was possible.
///
/// # Panics
/// When several threads give other bits than one.
pub(crate) fn one(seed: u64, isa: Isa) -> Outcome<bool> {
    let rng = &mut ChaCha8Rng::seed_from_u64(seed);
    let small = cfg!(miri);
    let side = |rng: &mut ChaCha8Rng| rng.random_range(if small { 4..6 } else { 4..40 });
    let widths = |rng: &mut ChaCha8Rng, most: usize, width: usize| -> Vec<usize> {
        (0..rng.random_range(1..=most)).map(|_| rng.random_range(1..=width)).collect()
    };
    let (height, width) = (side(rng), side(rng));
    let conv = widths(rng, if small { 1 } else { 3 }, if small { 4 } else { 70 });
    let mut dense = widths(rng, 2, if small { 4 } else { 70 });
    dense.push(rng.random_range(2..12));
    let net = Network { height, width, conv, dense };
    let Ok(parameters) = net.check().and_then(|()| net.parameters()) else { return Ok(false) };
    let params: Vec<f32> = (0..parameters).map(|_| rng.random_range(-0.3..0.3)).collect();
    let count = if small { 9 } else { rng.random_range(9..60) };
    let images: Vec<u8> = (0..count * height * width).map(|_| rng.random()).collect();
    let labels: Vec<u8> = (0..count).map(|_| rng.random_range(0..net.classes() as u8)).collect();
    let threads = rng.random_range(2..5);
    let result = |threads| {
        outcome(&net, &params, &images, &labels, Options { threads, isa: Some(isa), max_batch: count })
    };
    // Miri takes minutes for one, looks for races, and rounds library functions as chance has it.
    let together = result(threads)?;
    let alone = if small { together.clone() } else { result(1)? };
    assert!(alone == together, "{net:?} on {isa}: {threads} threads give other bits than one");
    Ok(true)
}

/// The bits of all that training, encoding and scoring give.
fn outcome(
    net: &Network,
    params: &[f32],
    images: &[u8],
    labels: &[u8],
    options: Options,
) -> Result<Vec<u32>, fm_kernels::Error> {
    let mut trainer = Trainer::new(net, options, params)?;
    let rows: Vec<u32> = (0..labels.len() as u32).rev().collect();
    for batch in rows.chunks(7) {
        trainer.step(images, labels, batch)?;
    }
    let (_, gradient) = trainer.gradients(images, labels, &rows)?;
    let mut scores = vec![0.0; rows.len() * net.classes()];
    let mut codes = vec![0.0; rows.len() * net.features()?];
    trainer.encode(images, &rows, &mut codes)?;
    trainer.begin(Recipe { scope: Scope::Head, ..Recipe::default() })?;
    let own: Vec<u8> = rows.iter().map(|&row| labels[row as usize]).collect();
    let numbered: Vec<u32> = (0..labels.len() as u32).collect();
    trainer.step_codes(&codes, &own, &numbered)?;
    trainer.evaluate_codes(&codes, &numbered, &mut scores)?;
    let by_code = scores.clone();
    trainer.evaluate(images, &rows, &mut scores)?;
    trainer.begin(Recipe { scope: Scope::Encoder, ..Recipe::default() })?;
    trainer.step(images, labels, &rows)?;
    let all = [trainer.params(), trainer.moments().v, gradient, codes, scores, by_code].concat();
    Ok(all.into_iter().map(f32::to_bits).collect())
}
