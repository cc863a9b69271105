//! Runs of a plan as child processes, some at a time, each resumed from where it is.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use fm_run::{RunSpec, files, store};

use super::child::{Child, Ended, Start, forget_failure};
use super::group::Groups;
use super::merge;
use super::planned::PlannedRun;
use super::state::{State, state};
use super::table::Table;
use crate::error::{Error, Kind, Result};
use crate::logging::Console;
use crate::signals::Signals;

/// Flags on the processes of a sweep.
#[derive(Debug, Args)]
pub(super) struct Workers {
    /// Directory of results
    #[arg(long, default_value = "results/sweep", value_name = "DIR")]
    pub(super) out: PathBuf,

    /// Runs at the same time; CPU threads are divided between them
    #[arg(long, default_value_t = 1)]
    jobs: usize,

    /// CPU threads of each run [default: the cores divided by --jobs]
    #[arg(long, value_name = "N", env = "FM_THREADS")]
    threads: Option<String>,

    /// Devices that take turns, such as cuda:0,cuda:1 [default: what the plan says]
    #[arg(long, value_delimiter = ',')]
    device: Vec<String>,

    /// Runs that train side by side in one process, where they differ only in seed and learning rates and the engine is cuda [default: as many as fill the GPU]
    #[arg(long, value_name = "N")]
    beside: Option<usize>,

    /// Try runs again that failed before
    #[arg(long)]
    pub(super) retry_failed: bool,
}

impl Workers {
    /// So many at a time, on what the plan says.
    pub(super) fn new(out: PathBuf, jobs: usize, beside: Option<usize>, retry_failed: bool) -> Self {
        Self { out, jobs, threads: None, device: Vec::new(), beside, retry_failed }
    }

    /// The device that the process in a place is told to use, where it is told one.
    pub(super) fn device(&self, slot: usize) -> Option<&str> {
        self.device.get(slot % self.device.len().max(1)).map(String::as_str)
    }

    /// Sees that the flags make sense, and makes the directory of results.
    ///
    /// # Errors
    /// A usage error, or when the directory cannot be made.
    pub(super) fn check(&self) -> Result<()> {
        if !(1..=1024).contains(&self.jobs) {
            return Err(Error::usage(format!("--jobs must be from 1 to 1024, got {}", self.jobs)));
        }
        if self.beside.is_some_and(|n| !(1..=1024).contains(&n)) {
            return Err(Error::usage("--beside must be from 1 to 1024"));
        }
        self.threads()?;
        self.device.iter().try_for_each(|name| device(name))?;
        store::create_dir(&self.out)
    }

    /// CPU threads of each run.
    ///
    /// # Errors
    /// A usage error.
    pub(super) fn threads(&self) -> Result<usize> {
        let Some(text) = self.threads.as_deref().filter(|text| !text.is_empty()) else {
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            return Ok((cores / self.jobs).max(1));
        };
        let number = text.trim().parse().ok().filter(|n| (1..=1024).contains(n));
        let wrong = || format!("--threads or FM_THREADS must be from 1 to 1024, got '{text}'");
        number.ok_or_else(|| Error::usage(wrong()))
    }
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
    /// Of those that failed, the ones that would fail again.
    pub(super) lasting: usize,
}

/// A request to stop: what to end with, and its name.
pub(super) type Asked = Option<(Kind, &'static str)>;

/// What is left to do of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    Nothing,
    /// To this epoch, counted over all phases.
    UpTo(u32),
    All,
}

/// Carries out what is `left` of runs that are not done.
///
/// # Errors
/// When a child cannot be started. Runs that fail are in the tally.
pub(super) fn work(
    runs: &[&PlannedRun],
    left: impl Fn(&PlannedRun) -> Left,
    workers: &Workers,
    signals: &Signals,
    console: &Console,
) -> Result<(Tally, Asked)> {
    work_until(runs, left, || Ok(false), workers, signals, console)
}

/// The same, until it is `enough`: what runs then saves and stops.
///
/// # Errors
/// Those of `enough` too.
pub(super) fn work_until(
    runs: &[&PlannedRun],
    left: impl Fn(&PlannedRun) -> Left,
    mut enough: impl FnMut() -> Result<bool>,
    workers: &Workers,
    signals: &Signals,
    console: &Console,
) -> Result<(Tally, Asked)> {
    let mut table = Table::new(runs.len(), console);
    let mut tally = Tally::default();
    let mut waiting = queue(runs, left, workers, &mut tally, &mut table)?;
    let threads = workers.threads()?;
    let mut running: Vec<Child> = Vec::new();
    let (mut asked, mut is_enough) = (None, false);
    let mut groups = Groups::new(workers.beside, workers.jobs);
    loop {
        if asked.is_none()
            && let Some(request) = signals.request()
        {
            asked = Some(request);
            waiting.clear();
            running.iter().for_each(Child::ask_to_stop);
        }
        if asked.is_none() && !is_enough && enough()? {
            is_enough = true;
            waiting.clear();
            running.iter().for_each(Child::ask_to_stop);
        }
        while let Some(slot) = (0..workers.jobs).find(|slot| running.iter().all(|child| child.slot != *slot))
            && let Some((runs, start)) = groups.next(&mut waiting, workers.device(slot))
        {
            match Child::start(&runs, workers, threads, slot, start) {
                Ok(children) => running.extend(children),
                Err(error) => {
                    for run in runs {
                        tally.failed.push(run.name.clone());
                        table.ended(&format!("{} failed: {error}", run.name));
                    }
                }
            }
        }
        if running.is_empty() {
            break;
        }
        std::thread::sleep(LOOK);
        let (mut ended, mut still) = (Vec::new(), Vec::new());
        for child in running {
            match child.look()? {
                Some(end) => ended.push((child, end)),
                None => still.push(child),
            }
        }
        running = still;
        for (child, end) in ended {
            settle(&child, end, asked.is_some() || is_enough, &mut tally, &mut table);
        }
        table.show(&running, &tally);
    }
    table.finish();
    Ok((tally, asked))
}

/// The runs that have anything left to do; the others are counted.
fn queue<'a>(
    runs: &[&'a PlannedRun],
    left: impl Fn(&PlannedRun) -> Left,
    workers: &Workers,
    tally: &mut Tally,
    table: &mut Table,
) -> Result<VecDeque<(&'a PlannedRun, Start)>> {
    let out = &workers.out;
    let mut waiting = VecDeque::new();
    let packed = if out.join(files::PACKED).exists() { merge::sources(out)? } else { Vec::new() };
    for run in runs {
        match state(run, out) {
            // Packed, a run needs no directory; one that is there counts, whatever is packed.
            State::Open if merge::summaries(run, out, &packed).is_ok() => {
                tally.done += 1;
                tally.skipped += 1;
                table.skipped();
            }
            State::Done => {
                forget_failure(out, &run.name);
                tally.done += 1;
                tally.skipped += 1;
                table.skipped();
            }
            State::Failed(why) if !workers.retry_failed => {
                tracing::info!("{} failed before: {why}", run.name);
                tally.failed.push(run.name.clone());
                tally.lasting += 1;
                table.skipped();
            }
            State::Taken(why) => {
                tracing::error!("{} holds another run: {why}", out.join(&run.name).display());
                tally.failed.push(run.name.clone());
                table.skipped();
            }
            state => {
                let again = matches!(state, State::Again);
                if again {
                    tracing::warn!("{} is trained again: other lengths are wanted now", run.name);
                }
                let stop_after = match left(run) {
                    Left::Nothing => {
                        tally.skipped += 1;
                        table.skipped();
                        continue;
                    }
                    Left::UpTo(epoch) => Some(epoch),
                    Left::All => None,
                };
                let how = if again { "--overwrite" } else { "--resume" };
                waiting.push_back((*run, Start { how, stop_after }));
            }
        }
    }
    Ok(waiting)
}

/// Notes how a child has ended.
fn settle(child: &Child, end: Ended, asked: bool, tally: &mut Tally, table: &mut Table) {
    let seconds = child.started.elapsed().as_secs_f64();
    match end {
        Ended::Done => {
            tally.done += 1;
            let accuracy = child.accuracy().map_or(String::new(), |a| format!(", test accuracy {a:.4}"));
            table.ended(&format!("{} done in {seconds:.1} s{accuracy}", child.name));
        }
        Ended::Reached(epoch) => {
            table.ended(&format!("{} is at epoch {epoch} after {seconds:.1} s", child.name));
        }
        Ended::Stopped => {
            tally.stopped.push(child.name.clone());
            table.ended(&format!("{} stopped, saved", child.name));
        }
        // Before it could listen to the request, or while it wrote.
        Ended::Failed { lasting: false, .. } if asked => {
            tally.stopped.push(child.name.clone());
            table.ended(&format!("{} stopped", child.name));
        }
        Ended::Failed { why, lasting } => {
            if lasting {
                tally.lasting += 1;
                if let Err(error) = child.remember_failure(&why) {
                    tracing::warn!("{} will be tried again: {error}", child.name);
                }
            }
            tally.failed.push(child.name.clone());
            table.ended(&format!("{} failed: {why} (log: {})", child.name, child.log.display()));
        }
    }
}

/// Sees that a run can be asked for a device of that name: as in its own flag, or a GPU's number.
fn device(name: &str) -> Result<()> {
    if name.parse::<usize>().is_ok() {
        return Ok(());
    }
    let key: toml::Table = [("device".to_owned(), name.into())].into_iter().collect();
    RunSpec::read(&key).map(drop)
}
