//! The trainer for any network of the notation.

use fm_kernels::{Error, GraphTrainer, Isa, Method, Options, Recipe, Scope};
use fm_net::arbitrary::{self, Draw};
use fm_net::{Draws, Network, init};

use crate::Outcome;

const CLASSES: usize = 10;

/// What Miri, some thousand times slower, does in minutes.
const SMALL: [&str; 4] = [
    "2C3.same.bn-MP2--3@4x4",
    "2R3.gn1.s2.se2-GAP-D20@5x5",
    "3DS3-SD30-AP2@5x4",
    "DW3.same.ws-2IR3.e2-GMP@4x4x2",
];

/// One network in so many is the mirror image of convolutions and pools, which a random string seldom is.
const MIRROR: u64 = 5;

/// Layers that have a mirror image.
fn mirrored(draw: &mut Draw) -> String {
    if cfg!(miri) {
        return "2C2-MP2-2C1-MP2@8x7".to_owned();
    }
    let mut layers = Vec::new();
    for _ in 0..=draw.below(2) {
        layers.push(format!("{}C{}", 1 + draw.below(9), 1 + draw.below(6)));
        if !draw.one_in(4) {
            layers.push("MP2".to_owned());
        }
    }
    format!("{}@{}x{}x{}", layers.join("-"), 20 + draw.below(9), 20 + draw.below(9), 1 + draw.below(3))
}

struct Case {
    network: Network,
    params: Vec<f32>,
    images: Vec<u8>,
    labels: Vec<u8>,
    method: Method,
}

/// Trains and uses one network; whether it was possible.
///
/// # Panics
/// When several threads give other bits than one.
pub(crate) fn one(seed: u64, isa: Isa) -> Outcome<bool> {
    let mut draw = Draw::new(seed);
    let mirror = seed % MIRROR == MIRROR - 1;
    let arch = match (mirror, cfg!(miri)) {
        (true, _) => mirrored(&mut draw).parse()?,
        (false, true) => SMALL[seed as usize % SMALL.len()].parse()?,
        (false, false) => arbitrary::arch(seed),
    };
    let network = if mirror { Network::autoencoder(&arch)? } else { Network::new(&arch, CLASSES)? };
    if GraphTrainer::covers(&network).is_err() {
        return Ok(false);
    }
    // More than a slot of images, and for most instruction sets no whole number of slots.
    let count = if cfg!(miri) { 9 } else { 9 + draw.below(30) };
    let pixels = arch.height * arch.width * arch.channels;
    let images = (0..count * pixels).map(|_| draw.below(256) as u8).collect();
    let labels = (0..count).map(|_| draw.below(CLASSES) as u8).collect();
    let params = init::initial(&network, seed).into_iter().flat_map(|tensor| tensor.data).collect();
    let method = draw.of(&[Method::KERAS, Method::PYTORCH, Method::Sgd { momentum: 0.9 }]);
    let case = Case { network, params, images, labels, method };
    let threads = 2 + draw.below(3);
    let together = case.outcome(isa, threads)?;
    let alone = if cfg!(miri) { together.clone() } else { case.outcome(isa, 1)? };
    assert!(
        alone == together,
        "{} on {isa}: {threads} threads give other bits than one",
        case.network.label()
    );
    Ok(true)
}

impl Case {
    /// The bits of all that training, encoding and scoring give.
    fn outcome(&self, isa: Isa, threads: usize) -> Result<Vec<u32>, Error> {
        let Self { network, params, images, labels, method } = self;
        let count = labels.len();
        let mut trainer =
            GraphTrainer::new(network, Options { threads, isa: Some(isa), max_batch: count }, params)?;
        let recipe = Recipe { method: *method, ..Recipe::default() };
        trainer.begin(recipe)?;
        let rows: Vec<u32> = (0..count as u32).rev().collect();
        let draws = |step| Draws { seed: 5, phase: 1, step };
        for (step, batch) in rows.chunks(7).enumerate() {
            possible(trainer.step(images, labels, batch, &draws(step as u64)))?;
        }
        let (_, gradient) = trainer.gradients(images, labels, &rows, &draws(9))?;
        let mut codes = vec![0.0; count * trainer.code_len()];
        trainer.encode(images, &rows, &mut codes)?;
        let numbered: Vec<u32> = (0..count as u32).collect();
        let mut by_code = vec![0.0; count * trainer.output_len()];
        trainer.begin(Recipe { scope: Scope::Head, ..recipe })?;
        if network.classes.is_some() {
            let own: Vec<u8> = rows.iter().map(|&row| labels[row as usize]).collect();
            trainer.step_codes(&codes, &own, &numbered, &draws(10))?;
        }
        trainer.evaluate_codes(&codes, &numbered, &mut by_code)?;
        let mut scores = vec![0.0; by_code.len()];
        trainer.evaluate(images, &rows, &mut scores)?;
        trainer.begin(Recipe { scope: Scope::Encoder, average: Some(0.9), ..recipe })?;
        possible(trainer.step(images, labels, &rows, &draws(11)))?;
        let all =
            [trainer.params(), trainer.average(), trainer.moments().v, gradient, codes, scores, by_code];
        Ok(all.concat().into_iter().map(f32::to_bits).collect())
    }
}

/// A batch norm has no variance over the only value of a batch of one: refused, and nothing has changed.
fn possible(step: Result<(), Error>) -> Result<(), Error> {
    match step {
        Err(Error::OneValue(_)) => Ok(()),
        other => other,
    }
}
