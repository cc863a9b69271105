//! `fm-exp sweep run`: runs a plan with child processes.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use fm_run::terminal::counted;
use serde_json::json;

use super::planned::{PlannedRun, SweepPlan};
use super::work::{Asked, Left, Tally, Workers, work};
use super::{Said, until};
use crate::error::{Error, Kind, Result};
use crate::logging::Console;
use crate::signals::Signals;

/// Flags of `sweep run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The plan file written by `sweep plan`
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: PathBuf,

    #[command(flatten)]
    workers: Workers,

    /// Only every n-th run, from the i-th, counted from 0 [default: from the array task of Slurm or Kubernetes, or 0/1]
    #[arg(long, value_name = "i/n")]
    shard: Option<String>,

    /// Add seeds in order until two groups' difference is settled, such as "encoder-mlp vs cnn: 0.5 points, alpha 0.05, at most 100 seeds"; with --shard every n-th seed
    #[arg(long, value_name = "QUESTION")]
    until: Option<String>,
}

pub(super) fn run(args: &RunArgs, as_json: bool, console: &Console) -> Result<Said> {
    let plan = SweepPlan::read(&args.plan)?;
    let (index, count) = shard(args.shard.as_deref(), |name| std::env::var(name).ok())?;
    args.workers.check()?;
    if let Some(question) = &args.until {
        return until::run(question, &plan, (index, count), &args.workers, as_json, console);
    }
    let mine: Vec<&PlannedRun> = plan.runs.iter().skip(index).step_by(count).collect();
    carry_out(&mine, &args.workers, as_json, console).map(Said::from)
}

/// Runs to their ends, and what came of them.
///
/// # Errors
/// [`Kind::Incomplete`] when runs failed; what a request to stop says.
pub(super) fn carry_out(
    runs: &[&PlannedRun],
    workers: &Workers,
    as_json: bool,
    console: &Console,
) -> Result<String> {
    let signals = Signals::listen()?;
    let (tally, asked) = work(runs, |_| Left::All, workers, &signals, console)?;
    conclude(&tally, asked, as_json, &workers.out)
}

fn conclude(tally: &Tally, asked: Asked, as_json: bool, out: &Path) -> Result<String> {
    let Tally { done, skipped, failed, stopped, lasting } = tally;
    let runs = |n: usize| counted(n as u64, "run");
    if let Some((kind, name)) = asked {
        let text = format!("stopped by {name}: {} done, {} saved", runs(*done), stopped.len());
        return Err(Error::new(kind, text).help("the same command resumes them"));
    }
    if !failed.is_empty() {
        let error = Error::new(Kind::Incomplete, format!("{} failed, {done} done", runs(failed.len())));
        let mut error = failed.iter().fold(error, |e, name| e.note(format!("failed: {name}")));
        if failed.len() > *lasting {
            error = error.help(
                "the same command tries again those that were killed, or that a machine or a flag failed",
            );
        }
        return Err(error.help(format!("see {}; --retry-failed tries again", out.join("logs").display())));
    }
    if !stopped.is_empty() {
        let text = format!("{} stopped, {done} done", runs(stopped.len()));
        return Err(Error::new(Kind::Stopped, text).help("the same command resumes them"));
    }
    if as_json {
        return Ok(format!(
            "{:#}\n",
            json!({ "done": done, "skipped": skipped, "out": out.display().to_string() })
        ));
    }
    let before = if *skipped > 0 { format!(", {skipped} of them before") } else { String::new() };
    Ok(format!("{} done{before}, in {}\n", runs(*done), out.display()))
}

/// Which runs are this process's: `i/n`, or the task's number in an array job.
fn shard(given: Option<&str>, variable: impl Fn(&str) -> Option<String>) -> Result<(usize, usize)> {
    let number = |name: &str| variable(name).and_then(|text| text.trim().parse::<usize>().ok());
    let (index, count) = match given {
        Some(text) => {
            let wrong = || Error::usage(format!("--shard takes i/n such as 0/4, got '{text}'"));
            let (i, n) = text.split_once('/').ok_or_else(wrong)?;
            (i.trim().parse().map_err(|_| wrong())?, n.trim().parse().map_err(|_| wrong())?)
        }
        None => match (number("SLURM_ARRAY_TASK_ID"), number("SLURM_ARRAY_TASK_COUNT")) {
            (Some(id), Some(count)) => {
                (id.saturating_sub(number("SLURM_ARRAY_TASK_MIN").unwrap_or(0)), count)
            }
            _ => match (number("JOB_COMPLETION_INDEX"), number("JOB_COMPLETIONS")) {
                (Some(index), Some(count)) => (index, count),
                _ => (0, 1),
            },
        },
    };
    if index >= count {
        let last = count.saturating_sub(1);
        return Err(
            Error::usage(format!("shard index {index} out of 0 to {last}")).help("shards are counted from 0")
        );
    }
    Ok((index, count))
}

/// Since a moment, in words of a clock.
pub(super) fn clock(since: Instant) -> String {
    let s = since.elapsed().as_secs();
    format!("{}:{:02}", s / 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shard_is_given_or_taken_from_the_scheduler() {
        let none = |_: &str| None;
        assert_eq!(shard(None, none), Ok((0, 1)));
        assert_eq!(shard(Some("2/4"), none), Ok((2, 4)));
        let slurm = |name: &str| {
            let value = match name {
                "SLURM_ARRAY_TASK_ID" => "5",
                "SLURM_ARRAY_TASK_COUNT" => "8",
                "SLURM_ARRAY_TASK_MIN" => "1",
                _ => return None,
            };
            Some(value.to_owned())
        };
        assert_eq!(shard(None, slurm), Ok((4, 8)));
        assert_eq!(shard(Some("0/1"), slurm), Ok((0, 1)), "what is said goes first");
        for text in ["5/4", "0/0", "x/2", "3"] {
            assert_eq!(shard(Some(text), none).unwrap_err().exit_code(), 2, "{text}");
        }
        let error = shard(Some("5/4"), none).unwrap_err();
        assert_eq!(error.message(), "shard index 5 out of 0 to 3");
    }
}
