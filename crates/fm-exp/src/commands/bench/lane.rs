//! Engines in turn: building one, timing its steps.

use std::time::{Duration, Instant};

use fm_images::{Augment, Dataset, batches, epoch_order};
use fm_net::NamedTensor;
use fm_run::RunSpec;
use fm_train::engine::{CodeStore, Engine, EngineDef, Setup, Step, Totals};
use fm_train::{Ahead, Machine, Making, Phase, Plan, per_phase};

use crate::error::Result;

/// One engine's turns.
pub(super) struct Lane<'a> {
    pub(super) engine: Box<dyn Engine + 'a>,
    /// How it trains.
    pub(super) phase: Phase,
    pub(super) augment: Augment,
    pub(super) recipe: String,
    /// Seconds for a whole epoch, one for each counted turn.
    pub(super) samples: Vec<f64>,
    /// Steps that it has taken.
    pub(super) taken: usize,
}

/// What a lane does in its turn.
#[derive(Clone, Copy)]
pub(super) struct Turn<'a> {
    pub(super) data: &'a Dataset,
    /// Of the training file, all of which train.
    pub(super) rows: &'a [u32],
    pub(super) order: &'a [u32],
    pub(super) spec: &'a RunSpec,
    pub(super) round: usize,
    /// Steps that it takes.
    pub(super) timed: usize,
}

impl<'a> Lane<'a> {
    /// Builds an engine, and begins a phase with it.
    pub(super) fn new(
        def: &EngineDef,
        phase: Phase,
        (weights, setup): (&[NamedTensor], Setup<'a>),
        (augment, recipe): (Augment, String),
    ) -> Result<Self> {
        let mut engine = (def.build)(&phase.network, weights, setup)?;
        engine.begin_phase(0, &phase)?;
        Ok(Self { engine, phase, augment, recipe, samples: Vec::new(), taken: 0 })
    }

    /// Seconds of a step, by as many of the turn's steps as take about `budget`.
    pub(super) fn pace(&mut self, turn: &Turn<'_>, budget: Duration) -> Result<f64> {
        let most = turn.timed;
        let fewest = 2.min(most);
        let (mut timed, mut each) = (fewest, f64::INFINITY);
        // The first steps are slower; the second look says how many fit.
        for _ in 0..3 {
            each = self.turn(&Turn { timed, ..*turn })? / timed as f64;
            timed = fitting(budget, each).clamp(fewest, most);
        }
        Ok(each)
    }

    /// Takes the steps of a turn, and gives their seconds.
    pub(super) fn turn(&mut self, turn: &Turn<'_>) -> Result<f64> {
        let RunSpec { batch_size, seed, .. } = *turn.spec;
        let steps = turn.order.len().div_ceil(batch_size) as u64;
        let epoch = turn.round as u32;
        let making =
            Making { augment: &self.augment, file: &turn.data.train, training: turn.rows, seed, epoch };
        let timed = batches(turn.order.len(), batch_size).take(turn.timed);
        let rows = timed.clone().map(|batch| &turn.order[batch]);
        let augments = !making.augment.is_none();
        let start = Instant::now();
        self.engine.begin_epoch(turn.order, Totals::default())?;
        std::thread::scope(|scope| -> Result<()> {
            let start = || Ahead::start(scope, making, batch_size, rows);
            let mut ahead = augments.then(start).transpose()?;
            for (number, batch) in timed.enumerate() {
                let number = turn.round as u64 * steps + number as u64;
                let prepared = ahead.as_mut().map(Ahead::take);
                let rates = self.phase.rates(number, steps);
                self.engine.step(&Step { batch, prepared: prepared.as_ref(), number, rates })?;
                if let (Some(ahead), Some(batch)) = (&mut ahead, prepared) {
                    ahead.reuse(batch);
                }
            }
            Ok(())
        })?;
        self.engine.drain()?;
        self.taken += turn.timed;
        Ok(start.elapsed().as_secs_f64())
    }
}

/// Steps that take about `budget`, where one takes so many seconds.
pub(super) fn fitting(budget: Duration, each: f64) -> usize {
    (budget.as_secs_f64() / each.max(1e-9)) as usize
}

/// Seconds of an epoch of a phase, by as many of its steps as take about `budget`.
///
/// # Errors
/// What the engine says.
pub(crate) fn epoch_seconds(
    def: &EngineDef,
    phase: &Phase,
    spec: &RunSpec,
    plan: &Plan,
    data: &Dataset,
    machine: Machine,
    budget: Duration,
) -> Result<f64> {
    let weights = per_phase::start(&phase.network, plan.seeds.init, &[]);
    let scratch = std::env::temp_dir();
    let codes = CodeStore { limit: spec.code_memory.saturating_mul(1 << 20), dir: &scratch };
    let (batch_size, seed) = (plan.batch_size, plan.seeds.order);
    let setup = Setup { data: Some(data), machine, batch_size, seed, codes };
    let recipe = (plan.augment.clone(), String::new());
    let mut lane = Lane::new(def, phase.clone(), (&weights, setup), recipe)?;
    let order = epoch_order(&plan.train_rows, seed, 1);
    let steps = order.len().div_ceil(batch_size);
    let turn = Turn { data, rows: &plan.train_rows, order: &order, spec, round: 0, timed: steps };
    Ok(lane.pace(&turn, budget)? * steps as f64)
}
