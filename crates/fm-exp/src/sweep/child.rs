//! A run of a sweep as a child process.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::rc::Rc;
use std::time::Instant;

use fm_run::tables::{self, EpochRow};
use fm_run::{files, store};
use rustix::fs::OFlags;
use toml::Value;

use super::beside;
use super::place::{Phases, place};
use super::planned::PlannedRun;
use super::process::Process;
use super::state::{State, state};
use super::work::Workers;
use crate::error::{Error, Kind, Result};

/// A child that runs.
pub(super) struct Child {
    pub(super) name: String,
    pub(super) log: PathBuf,
    pub(super) started: Instant,
    /// Which of the `--jobs` places it has.
    pub(super) slot: usize,
    phases: Phases,
    /// After which epoch it was asked to stop, counted over all phases.
    stop_after: Option<u32>,
    run: PlannedRun,
    out: PathBuf,
    /// How long the log was before.
    log_from: u64,
    /// Those that train side by side share one.
    process: Rc<RefCell<Process>>,
}

/// How a child is started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Start {
    /// `--resume`, or `--overwrite` to train from the beginning.
    pub(super) how: &'static str,
    /// Stop after this epoch, counted over all phases.
    pub(super) stop_after: Option<u32>,
}

/// How a child ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Ended {
    Done,
    /// After the epoch that it was started for, saved.
    Reached(u32),
    /// On request, saved; or another process has the run.
    Stopped,
    Failed {
        why: String,
        /// Whether it would fail again: by the run's own doing, not by the machine's, the scheduler's or a wrong
        /// flag's.
        lasting: bool,
    },
}

impl Child {
    /// Starts a process that trains the runs, several side by side; what it says of each goes to `logs/<name>.log`.
    ///
    /// # Errors
    /// When the process or a log cannot be made.
    pub(super) fn start(
        runs: &[&PlannedRun],
        workers: &Workers,
        threads: usize,
        slot: usize,
        start: Start,
    ) -> Result<Vec<Self>> {
        let out = &workers.out;
        store::create_dir(&out.join("logs"))?;
        let logs = runs.iter().map(|run| open_log(out, &run.name)).collect::<Result<Vec<_>>>()?;
        let exe = std::env::current_exe()
            .map_err(|e| Error::new(Kind::Other, format!("cannot find this program itself: {e}")))?;
        let mut command = Command::new(&exe);
        // FM_* variables were applied when the plan was made; do not apply them twice.
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("FM_") && key != "FM_DATA_DIR" && key != "FM_FAULT" {
                command.env_remove(key);
            }
        }
        let mut words = |run: &PlannedRun| {
            let mut words = words(run, out, start);
            if !run.flags.contains_key("threads") {
                words.push(format!("--threads={threads}").into());
            }
            match workers.device(slot).map(|d| d.strip_prefix("cuda:").unwrap_or(d)) {
                None => {}
                // Each child sees one device and calls it the first: a run is the same wherever it resumes.
                Some(number) if number.parse::<usize>().is_ok() => {
                    command.env("CUDA_VISIBLE_DEVICES", number);
                    words.push("--device=cuda".into());
                }
                Some(name) => words.push(format!("--device={name}").into()),
            }
            words
        };
        let all: Vec<Vec<OsString>> = runs.iter().map(|run| words(run)).collect();
        if let [words] = all.as_slice() {
            command.arg("train").arg("--stop-with-stdin").args(words);
        } else {
            command.args(["sweep", "beside"]).args(beside::joined(&all));
        }
        let (mut files, froms): (Vec<File>, Vec<u64>) = logs.into_iter().unzip();
        // What is no run's goes to the first one's log.
        command.stderr(files.swap_remove(0));
        let process = Rc::new(RefCell::new(Process::start(command, runs.len() > 1)?));
        let child = |(run, log_from): (&&PlannedRun, u64)| Self {
            name: run.name.clone(),
            log: log(out, &run.name),
            started: Instant::now(),
            slot,
            phases: Phases::of(run),
            stop_after: start.stop_after,
            run: (*run).clone(),
            out: out.clone(),
            log_from,
            process: Rc::clone(&process),
        };
        Ok(runs.iter().zip(froms).map(child).collect())
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub(super) fn look(&self) -> Result<Option<Ended>> {
        let exit = self.process.borrow_mut().exit(&self.name);
        let exit = exit.map_err(|e| Error::new(Kind::Other, format!("lost sight of {}: {e}", self.name)))?;
        let Some(exit) = exit else { return Ok(None) };
        // What it left counts, not how it went: it may have been killed after its last word.
        if state(&self.run, &self.out) == State::Done {
            forget_failure(&self.out, &self.name);
            return Ok(Some(Ended::Done));
        }
        let code = exit.code;
        let is = |kinds: &[Kind]| kinds.iter().any(|kind| code == Some(*kind as i32));
        let reached = self.stop_after.filter(|&epoch| self.progress().is_some_and(|(at, _)| at == epoch));
        if let Some(epoch) = reached.filter(|_| is(&[Kind::Stopped])) {
            return Ok(Some(Ended::Reached(epoch)));
        }
        if is(&[Kind::Stopped, Kind::Interrupted, Kind::Locked]) {
            return Ok(Some(Ended::Stopped));
        }
        let said = self.said();
        // A diverged run, another run's directory and a bug stay what they are.
        let passing = is(&[Kind::Usage, Kind::Data, Kind::Io, Kind::Device]) || code == Some(0);
        Ok(Some(Ended::Failed { why: format!("{}: {said}", exit.how), lasting: !passing && exit.by_itself }))
    }

    /// The error that it printed last.
    fn said(&self) -> String {
        const MOST: u64 = 1 << 16;
        let read = || {
            let mut file = OpenOptions::new().read(true).open(&self.log)?;
            let len = file.metadata()?.len();
            file.seek(SeekFrom::Start(self.log_from.max(len.saturating_sub(MOST)).min(len)))?;
            let mut bytes = Vec::new();
            file.take(MOST).read_to_end(&mut bytes).map(|_| bytes)
        };
        let log = read().unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let error = log.lines().rev().find_map(|line| line.strip_prefix("error: "));
        error.unwrap_or("no message").to_owned()
    }

    /// Asks its process to save and end.
    pub(super) fn ask_to_stop(&self) {
        self.process.borrow_mut().ask_to_stop();
    }

    /// Leaves a note, so that the run is not tried again unasked.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn remember_failure(&self, why: &str) -> Result<()> {
        store::write(&failure(&self.out, &self.name), format!("{why}\n").as_bytes())
    }

    /// The last row of its `epochs.csv`: epoch and training loss.
    pub(super) fn progress(&self) -> Option<(u32, f64)> {
        let row = tables::read::<EpochRow>(&self.out.join(&self.name).join(files::EPOCHS)).ok()?.pop()?;
        Some((row.epoch, row.train_loss))
    }

    /// Where it is, in words.
    pub(super) fn at(&self) -> String {
        // What an earlier process left does not tell where this one is.
        let place =
            place(&self.out.join(&self.name)).filter(|place| place.reached.age <= self.started.elapsed());
        self.phases.words(place.as_ref())
    }

    /// Its test accuracy, once it is done.
    pub(super) fn accuracy(&self) -> Option<f64> {
        let summary = tables::read_json(&self.out.join(&self.name).join(files::SUMMARY)).ok()?;
        summary["test"]["accuracy"].as_f64()
    }
}

/// Where a run's log is.
fn log(out: &Path, name: &str) -> PathBuf {
    out.join("logs").join(format!("{name}.log"))
}

/// A run's log, to be written at its end, and how long it is.
///
/// # Errors
/// When it cannot be made.
pub(super) fn open_log(out: &Path, name: &str) -> Result<(File, u64)> {
    let log = log(out, name);
    let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
    let file = OpenOptions::new().create(true).append(true).custom_flags(nofollow).open(&log);
    file.and_then(|file| Ok((file.metadata()?.len(), file)))
        .map(|(len, file)| (file, len))
        .map_err(|e| Error::io("write", &log, &e))
}

/// Removes the note of a run that is done meanwhile.
pub(super) fn forget_failure(out: &Path, name: &str) {
    let _ = std::fs::remove_file(failure(out, name));
}

/// Where the reason is kept why a run failed.
pub(super) fn failure(out: &Path, name: &str) -> PathBuf {
    out.join("logs").join(format!("{name}.failed"))
}

/// What `train` is given for a planned run; each word is a flag.
fn words(run: &PlannedRun, out: &Path, start: Start) -> Vec<OsString> {
    let mut to = OsString::from("--out=");
    to.push(out);
    let mut words = vec![start.how.into(), "--no-record".into(), to];
    words.push(format!("--name={}", run.name).into());
    words.push(format!("--expect-run-id={}", run.run_id).into());
    words.extend(flags(run).into_iter().map(OsString::from));
    words.extend(start.stop_after.map(|epoch| format!("--stop-after={epoch}").into()));
    words
}

/// A planned run's keys as flags.
fn flags(run: &PlannedRun) -> Vec<String> {
    let plain = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    let mut flags = Vec::new();
    for (key, value) in &run.flags {
        match value {
            Value::Boolean(false) => {}
            Value::Boolean(true) => flags.push(format!("--{key}")),
            Value::Array(list) => {
                flags.push(format!("--{key}={}", list.iter().map(plain).collect::<Vec<_>>().join(",")));
            }
            other => flags.push(format!("--{key}={}", plain(other))),
        }
    }
    flags
}
