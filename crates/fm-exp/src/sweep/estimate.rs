//! How long a plan's runs take, from a few steps of each network on this machine.
//!
//! An image that is scored costs a third of one that trains: a forward pass of forward, weight gradient and data
//! gradient. Networks beyond what there is time to measure go by their multiply-adds.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fm_data::Dataset;
use fm_engines::ENGINES;
use fm_net::Scope;
use fm_run::RunSpec;
use fm_run::spec::forget_seeds;
use fm_train::{Machine, Phase, Plan, engine, recipe};

use super::grid::BY_EPOCH;
use super::planned::PlannedRun;
use crate::commands::bench;
use crate::error::Result;
use crate::inputs;

/// Seconds of a phase's steps that are timed.
const EACH: Duration = Duration::from_millis(200);
/// After so long, what is left goes by its multiply-adds.
const ALL: Duration = Duration::from_secs(6);
/// Seconds of a process beside training: its start, the data, pictures.
const START: f64 = 0.6;
/// The share of a training step's work that is the forward pass.
const FORWARD: f64 = 1.0 / 3.0;

/// Seconds of each run, by its id, with so many CPU threads each; none where the plan's device is not here.
///
/// # Errors
/// What the data set or an engine says.
pub(super) fn seconds(
    runs: &[PlannedRun],
    data: &Dataset,
    threads: usize,
) -> Result<Option<BTreeMap<String, f64>>> {
    let (mut known, mut seconds) = (BTreeMap::<String, Vec<f64>>::new(), BTreeMap::new());
    // Seconds and multiply-adds of all that was timed.
    let (mut timed, mut work) = (0.0, 0.0);
    let start = Instant::now();
    for run in runs {
        let mut spec = RunSpec::read(&run.flags)?.check()?;
        spec.threads.get_or_insert(threads);
        let Ok(machine) = inputs::machine(&spec) else { return Ok(None) };
        let network = recipe::network(&spec.arch, data)?;
        let plan = recipe::plan(&spec, &network, data)?;
        let key = key(run);
        if !known.contains_key(&key) {
            let mut phases = Vec::new();
            for phase in &plan.phases {
                let share = share(phase);
                let phase = Phase { scope: Scope::All, epochs: phase.epochs.max(1), ..phase.clone() };
                let gflop = bench::training_gflop(&phase.network, Scope::All) * plan.train_rows.len() as f64;
                let whole = if start.elapsed() < ALL || work == 0.0 {
                    let whole = epoch(&phase, &spec, &plan, data, machine)?;
                    (timed, work) = (timed + whole, work + gflop);
                    whole
                } else {
                    gflop * timed / work
                };
                phases.push(whole * share);
            }
            known.insert(key.clone(), phases);
        }
        seconds.insert(run.run_id.clone(), total(&spec, &plan, &known[&key]));
    }
    Ok(Some(seconds))
}

/// What tells how long an epoch takes.
fn key(run: &PlannedRun) -> String {
    let mut flags = run.flags.clone();
    let other = [
        "epochs",
        "score-at",
        BY_EPOCH,
        "lr",
        "encoder-lr",
        "momentum",
        "weight-decay",
        "label-smoothing",
        "patience",
    ];
    forget_seeds(&mut flags);
    for key in other {
        flags.remove(key);
    }
    flags.to_string()
}

/// Of the work of training everything, what training the phase's part takes. A frozen encoder's codes are kept.
fn share(phase: &Phase) -> f64 {
    let work = |scope| bench::training_gflop(&phase.network, scope);
    if phase.scope == Scope::All { 1.0 } else { work(phase.scope) / work(Scope::All) }
}

/// Seconds of an epoch.
fn epoch(phase: &Phase, spec: &RunSpec, plan: &Plan, data: &Dataset, machine: Machine) -> Result<f64> {
    let def = engine::choose_for(ENGINES, &spec.engine, phase, machine)?;
    bench::epoch_seconds(def, phase, spec, plan, data, machine, EACH)
}

/// Seconds of a run whose phases' epochs take so long.
fn total(spec: &RunSpec, plan: &Plan, phases: &[f64]) -> f64 {
    let [train, val, test] =
        [&plan.train_rows, &plan.val_rows, &plan.test_rows].map(|rows| rows.len() as f64);
    let last = phases.last().copied().unwrap_or_default();
    // Of the branches that cool down to shorter lengths.
    let more = f64::from(spec.trained_epochs() - spec.epochs) * last;
    let epochs: f64 =
        plan.phases.iter().zip(phases).map(|(phase, &each)| f64::from(phase.epochs) * each).sum();
    let epochs_on_test = if spec.predictions_by_epoch { f64::from(plan.epochs()) } else { 0.0 };
    let tests = 1.0 + spec.score_at.len() as f64 + epochs_on_test;
    let scored = last / train * FORWARD * (f64::from(plan.epochs()) * val + test * tests);
    START + epochs + more + scored
}

/// Seconds in words: `40 s`, `7 min`, `2.5 h`, `3 days`.
pub(super) fn about(seconds: f64) -> String {
    match seconds {
        s if s < 90.0 => format!("{} s", s.ceil()),
        s if s < 5400.0 => format!("{:.0} min", s / 60.0),
        s if s < 172_800.0 => format!("{:.1} h", s / 3600.0),
        s => format!("{:.0} days", s / 86400.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_in_words() {
        let words = [1.2, 89.0, 420.0, 9000.0, 260_000.0].map(about);
        assert_eq!(words, ["2 s", "89 s", "7 min", "2.5 h", "3 days"]);
    }
}
