//! What is there of a planned run, by what its directory holds.

use std::path::Path;

use fm_run::spec::same;
use fm_run::{files, store};

use super::grid::BY_EPOCH;
use super::planned::PlannedRun;

/// What a sweep has to do with a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum State {
    Done,
    Failed(String),
    /// To be started or resumed.
    Open,
    /// To be trained again: it was not scored at every length, or has not kept everything, that is wanted now.
    Again,
    /// Its directory holds another run.
    Taken(String),
}

/// A run that is done is done, whatever notes there are of earlier attempts.
pub(super) fn state(run: &PlannedRun, out: &Path) -> State {
    let dir = out.join(&run.name);
    // What is there is given up.
    let is_given_up = dir.join(files::CLEARING).exists();
    if !is_given_up && let Ok(text) = std::fs::read_to_string(dir.join(files::CONFIG)) {
        match run.differences(&text) {
            None => return State::Taken("its config.toml cannot be read".to_owned()),
            Some(lines) if !lines.is_empty() => return State::Taken(lines.join("; ")),
            Some(_) => {}
        }
        let by_epoch = run.flags.get(BY_EPOCH).and_then(toml::Value::as_bool) == Some(true);
        let scored = |n: &u32| dir.join(files::scores_at(*n)).join(files::SUMMARY).exists();
        let lengths = run.lengths();
        let (_, on_the_way) = lengths.split_last().unwrap_or((&0, &[]));
        if store::done(&dir).as_deref() == Some(run.run_id.as_str()) {
            let kept = !by_epoch || dir.join(files::PREDICTIONS_BY_EPOCH).exists();
            return if kept && on_the_way.iter().all(scored) { State::Done } else { State::Again };
        }
        let there = text.parse::<toml::Table>().unwrap_or_default();
        let other = |key| !same(there.get(key), run.flags.get(key));
        if other("score-at") || (by_epoch && other(BY_EPOCH)) {
            return State::Again;
        }
    }
    match std::fs::read_to_string(super::child::failure(out, &run.name)) {
        Ok(why) => State::Failed(why.trim().to_owned()),
        Err(_) => State::Open,
    }
}
