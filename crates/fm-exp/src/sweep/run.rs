//! `fm-exp sweep run`: carries out a plan with child processes.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use clap::Args;
use fm_run::spec::same;
use fm_run::{files, store};
use serde_json::json;

use super::child::{Child, Ended};
use super::plan::{PlannedRun, SweepPlan};
use super::table::Table;
use crate::error::{Error, Kind, Result};
use crate::logging::Console;
use crate::signals::Signals;

/// Flags of `sweep run`.
#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// What `sweep plan` printed
    #[arg(long, value_name = "FILE")]
    pub(crate) plan: PathBuf,

    /// Directory of results
    #[arg(long, default_value = "results/sweep", value_name = "DIR")]
    pub(crate) out: PathBuf,

    /// Runs at the same time; CPU threads are divided between them
    #[arg(long, default_value_t = 1)]
    jobs: usize,

    /// CPU threads of each run [default: the cores divided by --jobs]
    #[arg(long, env = "FM_THREADS")]
    threads: Option<usize>,

    /// Devices that take turns, such as cuda:0,cuda:1 [default: what the plan says]
    #[arg(long, value_delimiter = ',')]
    device: Vec<String>,

    /// Only every n-th run, from the i-th, counted from 0 [default: from the array task of Slurm or Kubernetes, or 0/1]
    #[arg(long, value_name = "i/n")]
    shard: Option<String>,

    /// Try runs again that failed before
    #[arg(long)]
    retry_failed: bool,
}

/// How often children are looked at.
const LOOK: Duration = Duration::from_millis(50);

/// What became of the runs of a shard.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) done: usize,
    pub(super) skipped: usize,
    pub(super) failed: Vec<String>,
    pub(super) stopped: Vec<String>,
}

pub(super) fn run(args: &RunArgs, as_json: bool, console: &Console) -> Result<String> {
    let plan = SweepPlan::read(&args.plan)?;
    let (index, count) = shard(args.shard.as_deref(), |name| std::env::var(name).ok())?;
    if !(1..=1024).contains(&args.jobs) {
        return Err(Error::usage(format!("--jobs must be from 1 to 1024, got {}", args.jobs)));
    }
    store::create_dir(&args.out)?;
    let signals = Signals::listen()?;
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let threads = args.threads.unwrap_or((cores / args.jobs).max(1));
    let mine: Vec<&PlannedRun> = plan.runs.iter().skip(index).step_by(count).collect();
    let mut table = Table::new(mine.len(), console);
    let mut tally = Tally::default();
    let mut waiting = VecDeque::new();
    for run in mine {
        match state(run, &args.out) {
            State::Done => {
                tally.done += 1;
                tally.skipped += 1;
                table.skipped();
            }
            State::Failed(why) if !args.retry_failed => {
                tracing::info!("{} failed before: {why}", run.name);
                tally.failed.push(run.name.clone());
                table.skipped();
            }
            State::Taken(why) => {
                tracing::error!("{} holds another run: {why}", args.out.join(&run.name).display());
                tally.failed.push(run.name.clone());
                table.skipped();
            }
            State::Again => {
                tracing::warn!("{} is trained again: other lengths are wanted now", run.name);
                waiting.push_back((run, "--overwrite"));
            }
            State::Failed(_) | State::Open => waiting.push_back((run, "--resume")),
        }
    }

    let mut running: Vec<Child> = Vec::new();
    let mut asked = None;
    let mut slots: VecDeque<usize> = (0..args.jobs).collect();
    loop {
        if asked.is_none()
            && let Some(request) = signals.request()
        {
            asked = Some(request);
            waiting.clear();
            running.iter().for_each(Child::ask_to_stop);
        }
        while running.len() < args.jobs
            && let Some((run, how)) = waiting.pop_front()
        {
            let slot = slots.pop_front().unwrap_or(0);
            let device = args.device.get(slot % args.device.len().max(1)).map(String::as_str);
            running.push(Child::start(run, &args.out, threads, device, slot, how)?);
        }
        if running.is_empty() {
            break;
        }
        std::thread::sleep(LOOK);
        let (mut ended, mut still) = (Vec::new(), Vec::new());
        for mut child in running {
            match child.look()? {
                Some(end) => ended.push((child, end)),
                None => still.push(child),
            }
        }
        running = still;
        for (child, end) in ended {
            slots.push_back(child.slot);
            settle(&child, end, &mut tally, &mut table)?;
        }
        table.show(&running, &tally);
    }
    table.finish();
    conclude(&tally, asked, as_json, &args.out)
}

/// Notes how a child has ended.
fn settle(child: &Child, end: Ended, tally: &mut Tally, table: &mut Table) -> Result<()> {
    let seconds = child.started.elapsed().as_secs_f64();
    match end {
        Ended::Done => {
            tally.done += 1;
            let accuracy = child.accuracy().map_or(String::new(), |a| format!(", test accuracy {a:.4}"));
            table.ended(&format!("{} done in {seconds:.1} s{accuracy}", child.name));
        }
        Ended::Stopped => {
            tally.stopped.push(child.name.clone());
            table.ended(&format!("{} stopped, saved", child.name));
        }
        Ended::Failed(why) => {
            child.remember_failure(&why)?;
            tally.failed.push(child.name.clone());
            table.ended(&format!("{} failed: {why} (log: {})", child.name, child.log.display()));
        }
    }
    Ok(())
}

fn conclude(tally: &Tally, asked: Option<(Kind, &str)>, as_json: bool, out: &Path) -> Result<String> {
    let Tally { done, skipped, failed, stopped } = tally;
    if let Some((kind, name)) = asked {
        let text = format!("stopped by {name}: {done} runs done, {} saved", stopped.len());
        return Err(Error::new(kind, text).help("the same command resumes them"));
    }
    if !failed.is_empty() {
        let error = Error::new(Kind::Incomplete, format!("{} runs failed, {done} are done", failed.len()));
        let error = failed.iter().fold(error, |e, name| e.note(format!("failed: {name}")));
        return Err(error.help(format!("see {}; --retry-failed tries again", out.join("logs").display())));
    }
    if !stopped.is_empty() {
        let text = format!("{} runs were stopped, {done} are done", stopped.len());
        return Err(Error::new(Kind::Stopped, text).help("the same command resumes them"));
    }
    if as_json {
        return Ok(format!(
            "{:#}\n",
            json!({ "done": done, "skipped": skipped, "out": out.display().to_string() })
        ));
    }
    let before = if *skipped > 0 { format!(", {skipped} of them before") } else { String::new() };
    Ok(format!("{done} runs done{before}, in {}\n", out.display()))
}

enum State {
    Done,
    Failed(String),
    /// To be started or resumed.
    Open,
    /// To be trained again: it was not scored at every length that is wanted now.
    Again,
    /// Its directory holds another run.
    Taken(String),
}

fn state(run: &PlannedRun, out: &Path) -> State {
    let dir = out.join(&run.name);
    if let Ok(text) = std::fs::read_to_string(dir.join(files::CONFIG)) {
        match run.differences(&text) {
            None => return State::Taken("its config.toml cannot be read".to_owned()),
            Some(lines) if !lines.is_empty() => return State::Taken(lines.join("; ")),
            Some(_) => {}
        }
        let scored = |n: &u32| dir.join(files::scores_at(*n)).join(files::SUMMARY).exists();
        let lengths = run.lengths();
        let (_, on_the_way) = lengths.split_last().unwrap_or((&0, &[]));
        if dir.join(files::DONE).exists() {
            return if on_the_way.iter().all(scored) { State::Done } else { State::Again };
        }
        let there = text.parse::<toml::Table>().unwrap_or_default();
        if !same(there.get("score-at"), run.flags.get("score-at")) {
            return State::Again;
        }
    }
    match std::fs::read_to_string(super::child::failure(out, &run.name)) {
        Ok(why) => State::Failed(why.trim().to_owned()),
        Err(_) => State::Open,
    }
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
