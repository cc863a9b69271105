//! A process that trains a run of a sweep, or several side by side.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, channel};

use rustix::process::{Pid, Signal, kill_process};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};

/// What a process says on stdout of a run that has ended, a line of JSON each.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Word {
    pub(super) run: String,
    /// As the exit code of a process that trains it alone.
    pub(super) code: i32,
}

/// How a run has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Exit {
    /// The exit code, where there is one.
    pub(super) code: Option<i32>,
    /// In words.
    pub(super) how: String,
    /// Whether it has ended by itself, by a code or a crash: not by a signal from elsewhere, nor in a process whose
    /// crash may be that of a run beside it.
    pub(super) by_itself: bool,
}

/// The process. Dropped, it is told to save and end, and waited for.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    /// What it says of its runs, where there are several.
    words: Option<Receiver<Word>>,
    ended: BTreeMap<String, i32>,
    asked: bool,
}

impl Process {
    /// Starts `command`, which trains one run, or says of each of `several` how it has ended.
    ///
    /// # Errors
    /// When it cannot be started.
    pub(super) fn start(mut command: Command, several: bool) -> Result<Self> {
        // Nothing is ever written to its input: that ends when this process does, and the child with it, saved.
        command.stdin(Stdio::piped()).stdout(if several { Stdio::piped() } else { Stdio::null() });
        let program = command.get_program().to_owned();
        let failed =
            |e: std::io::Error| Error::new(Kind::Other, format!("cannot start {}: {e}", program.display()));
        let mut child = command.spawn().map_err(failed)?;
        let mut words = None;
        if let Some(stdout) = child.stdout.take() {
            let (said, hear) = channel();
            let listen = move || {
                for line in BufReader::new(stdout).lines().map_while(std::io::Result::ok) {
                    if let Ok(word) = serde_json::from_str(&line) {
                        // Whoever asked may be gone.
                        let _ = said.send(word);
                    }
                }
            };
            // The thread ends with the process.
            std::thread::Builder::new().name("runs".to_owned()).spawn(listen).map_err(failed)?;
            words = Some(hear);
        }
        Ok(Self { child, words, ended: BTreeMap::new(), asked: false })
    }

    /// How a run has ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub(super) fn exit(&mut self, run: &str) -> std::io::Result<Option<Exit>> {
        let Some(words) = &self.words else {
            return Ok(self.child.try_wait()?.map(|status| of(status, false)));
        };
        self.ended.extend(words.try_iter().map(|word| (word.run, word.code)));
        let mut end = None;
        if !self.ended.contains_key(run) {
            end = self.child.try_wait()?;
            if end.is_some() {
                // To the end of what it has said.
                self.ended.extend(words.iter().map(|word| (word.run, word.code)));
            }
        }
        let said = |&code: &i32| Exit { code: Some(code), how: format!("exit code {code}"), by_itself: true };
        Ok(self.ended.get(run).map(said).or_else(|| end.map(|status| of(status, true))))
    }

    /// Asks it to save and end.
    pub(super) fn ask_to_stop(&mut self) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(pid) = pid.filter(|_| !self.asked) {
            // One that has ended meanwhile has nothing to save.
            let _ = kill_process(pid, Signal::TERM);
            self.asked = true;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // The next one finds the device free.
        let _ = self.child.wait();
    }
}

/// How a process has ended that said nothing of its run.
fn of(status: ExitStatus, shared: bool) -> Exit {
    // A crash of its own ends it by a signal, too.
    let own = [Signal::ABORT, Signal::SEGV, Signal::BUS, Signal::ILL, Signal::FPE, Signal::TRAP, Signal::SYS];
    let killed = status.signal().is_some_and(|signal| own.iter().all(|own| own.as_raw() != signal));
    let how = status.code().map_or_else(|| status.to_string(), |code| format!("exit code {code}"));
    Exit { code: status.code(), how, by_itself: !killed && !shared }
}
