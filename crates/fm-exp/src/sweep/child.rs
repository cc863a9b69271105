//! A run of a sweep as a child process.

use std::fs::OpenOptions;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

use fm_run::tables::{self, EpochRow};
use fm_run::{files, store};
use rustix::fs::OFlags;
use rustix::process::{Pid, Signal, kill_process};
use toml::Value;

use super::place::{Phases, place};
use super::planned::PlannedRun;
use super::state::{State, state};
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
    process: std::process::Child,
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
    /// Starts `train` on the run; its stderr goes to `logs/<name>.log`.
    ///
    /// # Errors
    /// When the process or its log cannot be made.
    pub(super) fn start(
        run: &PlannedRun,
        out: &Path,
        threads: usize,
        device: Option<&str>,
        slot: usize,
        start: Start,
    ) -> Result<Self> {
        let logs = out.join("logs");
        store::create_dir(&logs)?;
        let log = logs.join(format!("{}.log", run.name));
        let nofollow = OFlags::NOFOLLOW.bits().cast_signed();
        let file = OpenOptions::new().create(true).append(true).custom_flags(nofollow).open(&log);
        let open = file.and_then(|file| Ok((file.metadata()?.len(), file)));
        let (log_from, file) = open.map_err(|e| Error::io("write", &log, &e))?;
        let exe = std::env::current_exe()
            .map_err(|e| Error::new(Kind::Other, format!("cannot find this program itself: {e}")))?;
        let mut command = Command::new(&exe);
        // FM_* variables were applied when the plan was made; do not apply them twice.
        for (key, _) in std::env::vars_os() {
            if key.to_string_lossy().starts_with("FM_") && key != "FM_DATA_DIR" && key != "FM_FAULT" {
                command.env_remove(key);
            }
        }
        command.arg("train").arg(start.how).arg("--no-record").arg("--stop-with-stdin").arg("--out").arg(out);
        command.arg("--name").arg(&run.name).arg("--expect-run-id").arg(&run.run_id).args(flags(run));
        if !run.flags.contains_key("threads") {
            command.arg("--threads").arg(threads.to_string());
        }
        if let Some(epoch) = start.stop_after {
            command.arg("--stop-after").arg(epoch.to_string());
        }
        match device.map(|d| d.strip_prefix("cuda:").unwrap_or(d)) {
            None => {}
            // Each child sees one device and calls it the first: a run is the same wherever it resumes.
            Some(number) if number.parse::<usize>().is_ok() => {
                command.env("CUDA_VISIBLE_DEVICES", number).arg("--device").arg("cuda");
            }
            Some(name) => {
                command.arg("--device").arg(name);
            }
        }
        // Nothing is ever written to it: it ends when this process does, and the child with it, saved.
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(file);
        let process = command
            .spawn()
            .map_err(|e| Error::new(Kind::Other, format!("cannot start {}: {e}", exe.display())))?;
        let phases = Phases::of(run);
        let (name, run, out) = (run.name.clone(), run.clone(), out.to_owned());
        let stop_after = start.stop_after;
        Ok(Self { name, log, started: Instant::now(), slot, phases, stop_after, run, out, log_from, process })
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub(super) fn look(&mut self) -> Result<Option<Ended>> {
        let status = self.process.try_wait();
        let status =
            status.map_err(|e| Error::new(Kind::Other, format!("lost sight of {}: {e}", self.name)))?;
        let Some(status) = status else { return Ok(None) };
        // What it left counts, not how it went: it may have been killed after its last word.
        if state(&self.run, &self.out) == State::Done {
            forget_failure(&self.out, &self.name);
            return Ok(Some(Ended::Done));
        }
        let code = status.code();
        let is = |kinds: &[Kind]| kinds.iter().any(|kind| code == Some(*kind as i32));
        let reached = self.stop_after.filter(|&epoch| self.progress().is_some_and(|(at, _)| at == epoch));
        if let Some(epoch) = reached.filter(|_| is(&[Kind::Stopped])) {
            return Ok(Some(Ended::Reached(epoch)));
        }
        if is(&[Kind::Stopped, Kind::Interrupted, Kind::Locked]) {
            return Ok(Some(Ended::Stopped));
        }
        let said = self.said();
        let how = code.map_or_else(|| status.to_string(), |code| format!("exit code {code}"));
        // A diverged run, another run's directory and a bug stay what they are.
        let passing = is(&[Kind::Usage, Kind::Data, Kind::Io, Kind::Device]) || code == Some(0);
        Ok(Some(Ended::Failed { why: format!("{how}: {said}"), lasting: !passing && !killed(status) }))
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

    /// Asks it to save and end.
    pub(super) fn ask_to_stop(&self) {
        let pid = i32::try_from(self.process.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid {
            // One that has ended meanwhile has nothing to save.
            let _ = kill_process(pid, Signal::TERM);
        }
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

/// Whether somebody else ended the process. A crash of its own ends it by a signal, too.
fn killed(status: ExitStatus) -> bool {
    let own = [Signal::ABORT, Signal::SEGV, Signal::BUS, Signal::ILL, Signal::FPE, Signal::TRAP, Signal::SYS];
    status.signal().is_some_and(|signal| own.iter().all(|own| own.as_raw() != signal))
}

/// Removes the note of a run that is done meanwhile.
pub(super) fn forget_failure(out: &Path, name: &str) {
    let _ = std::fs::remove_file(failure(out, name));
}

/// Where the reason is kept why a run failed.
pub(super) fn failure(out: &Path, name: &str) -> PathBuf {
    out.join("logs").join(format!("{name}.failed"))
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
