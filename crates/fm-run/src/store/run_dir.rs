//! A run directory: claimed, locked, filled, and marked as done.

use std::fs::{self, File, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::atomic::{no_lock, not_through_links, sweep};
use super::{MAX_KEYS, create_dir, read_text, write};
use crate::error::{Error, Kind, Result};
use crate::fault;
use crate::files::{self, RUN_FILES};
use crate::identity::{Identified, is_run_id};
use crate::spec::Shorter;

/// What may be done with a directory that holds a run already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: only a new run may start.
    New,
    /// It may be removed.
    Overwrite,
    /// It may be resumed, if it is the same run, or prolonged, if it is the beginning of this one.
    Resume,
}

/// A run directory that this process alone writes to.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    run_id: String,
    /// Whether it holds the beginning of this very run.
    resumed: bool,
    /// The shorter run that it holds, which is the beginning of this one.
    beginning: Option<Identified>,
    /// Held until the run ends; the operating system frees it when the process dies.
    _lock: File,
}

impl RunDir {
    /// Claims `path` for a run with `config`: creates it, locks it, sees that it is empty or may be emptied
    /// or resumed, and writes `config.toml`. What an interrupted [`Claim::Overwrite`] has left of an earlier run
    /// is removed under any claim.
    ///
    /// # Errors
    /// When it cannot be written ([`Kind::Io`]), another process has it ([`Kind::Locked`]), or it holds
    /// another run ([`Kind::Mismatch`]).
    pub fn claim(path: &Path, config: &Identified, claim: Claim) -> Result<Self> {
        create_dir(path)?;
        let lock = lock(path)?;
        sweep(path);
        sweep(&path.join(files::CHECKPOINTS));
        let (path_of, run_id) = (path.to_owned(), config.run_id());
        let mut run = Self { path: path_of, run_id, resumed: false, beginning: None, _lock: lock };
        let is_given_up = path.join(files::CLEARING).exists();
        let is_there = |name: &str| path.join(name).exists();
        if is_given_up || RUN_FILES.into_iter().chain([files::CHECKPOINTS]).any(is_there) {
            match claim {
                Claim::Overwrite => clear(path)?,
                _ if is_given_up => clear(path)?,
                Claim::Resume if same(path, config) == Some(vec![]) => {
                    run.resumed = true;
                    if !run.is_done() {
                        // Whatever is there under that name, it does not say that this run is done.
                        remove_file(&path.join(files::DONE))?;
                    }
                    return Ok(run);
                }
                Claim::Resume if let Some((there, Shorter::Beginning)) = shorter(path, config) => {
                    run.beginning = Some(there);
                    return Ok(run);
                }
                Claim::New | Claim::Resume => return Err(occupied(path, config)),
            }
        }
        write(&path.join(files::CONFIG), config.to_toml().as_bytes())?;
        remove_file(&path.join(files::CLEARING))?;
        Ok(run)
    }

    /// Whether it holds the beginning of this very run, or all of it.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// The shorter run that it holds, finished or not, which is the beginning of this one. Its files are as they were:
    /// [`RunDir::becomes`] makes them this run's.
    #[must_use]
    pub fn beginning(&self) -> Option<&Identified> {
        self.beginning.as_ref()
    }

    /// Makes the directory of a shorter run that of this one, an unfinished run. What it leaves at its end is removed,
    /// its checkpoints and the scores of shorter lengths stay.
    ///
    /// # Errors
    /// When files cannot be written or removed.
    pub fn becomes(&self, config: &Identified) -> Result<()> {
        // From here on it is this run, and a DONE with another id is none.
        write(&self.path.join(files::CONFIG), config.to_toml().as_bytes())?;
        let kept = [files::CONFIG, files::EPOCHS, files::PROGRESS];
        RUN_FILES
            .iter()
            .filter(|file| !kept.contains(file))
            .try_for_each(|file| remove_file(&self.path.join(file)))
    }

    /// Whether that run is finished.
    #[must_use]
    pub fn is_done(&self) -> bool {
        done(&self.path).is_some_and(|id| id == self.run_id)
    }

    /// The directory.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Marks the run as done: the last thing that is written.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn done(&self) -> Result<()> {
        write(&self.path.join(files::DONE), format!("{}\n", self.run_id).as_bytes())
    }
}

/// The id of the run that is finished in a directory; none where there is no such run.
#[must_use]
pub fn done(dir: &Path) -> Option<String> {
    let mut text = String::new();
    let path = dir.join(files::DONE);
    // Not a pipe, that would be waited for.
    let file = path.is_file().then(|| File::open(&path).ok())??;
    file.take(64).read_to_string(&mut text).ok()?;
    let id = text.trim();
    is_run_id(id).then(|| id.to_owned())
}

/// Takes the directory's lock, or says who has it.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(files::LOCK);
    let mut file = not_through_links()
        .create(true)
        .truncate(false)
        .read(true)
        .write(true)
        .open(&path)
        .map_err(|e| Error::io("write", &path, &e))?;
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            let mut owner = String::new();
            let _ = file.read_to_string(&mut owner);
            return Err(Error::new(Kind::Locked, format!("{} is locked by {}", dir.display(), owner.trim()))
                .help("wait for it to end, or choose another --name"));
        }
        Err(TryLockError::Error(e)) => return Err(no_lock(&path, &e)),
    }
    let owner = format!("pid {} since {}\n", std::process::id(), crate::now());
    file.set_len(0)
        .and_then(|()| file.write_all(owner.as_bytes()))
        .map_err(|e| Error::io("write", &path, &e))?;
    Ok(file)
}

/// Removes what runs leave and nothing else. A note goes first, so that whoever finds half of it knows that the
/// rest is given up, then `DONE`; the note stays until the next run has its `config.toml`.
fn clear(path: &Path) -> Result<()> {
    write(&path.join(files::CLEARING), b"")?;
    for file in RUN_FILES {
        remove_file(&path.join(file))?;
    }
    let on_the_way = fs::read_dir(path).map_err(|e| Error::io("read", path, &e))?.flatten().map(|e| e.path());
    let is_scores = |path: &PathBuf| files::is_beside(path);
    let whole = [files::CHECKPOINTS, files::TENSORBOARD].map(|name| path.join(name));
    for directory in on_the_way.filter(is_scores).chain(whole) {
        removed(&directory, fault::disk().and_then(|()| fs::remove_dir_all(&directory)))?;
    }
    Ok(())
}

/// Removes a file, where there is one.
fn remove_file(path: &Path) -> Result<()> {
    if fs::symlink_metadata(path).is_err_and(|e| e.kind() == io::ErrorKind::NotFound) {
        return Ok(());
    }
    removed(path, fault::disk().and_then(|()| fs::remove_file(path)))
}

fn removed(path: &Path, result: io::Result<()>) -> Result<()> {
    match result {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(Error::io("remove", path, &e)),
        _ => Ok(()),
    }
}

/// The differences between the configuration in `path` and this one, if that can be read.
fn same(path: &Path, config: &Identified) -> Option<Vec<String>> {
    config.differences(&configuration(path)?)
}

/// The shorter run in `path` from which this one differs by its length alone, and what that is to it.
fn shorter(path: &Path, config: &Identified) -> Option<(Identified, Shorter)> {
    config.shorter(&configuration(path)?)
}

fn configuration(path: &Path) -> Option<String> {
    read_text(&path.join(files::CONFIG), MAX_KEYS).ok()
}

/// Why a filled directory is refused.
fn occupied(path: &Path, config: &Identified) -> Error {
    let done = done(path).is_some();
    let state = if done { "a finished run" } else { "an unfinished run" };
    let differences = same(path, config).unwrap_or_else(|| vec!["its config.toml cannot be read".to_owned()]);
    let kind = if differences.is_empty() { "the same" } else { "another" };
    let message = format!("{} already holds {state} of {kind} configuration", path.display());
    let mut error = Error::new(Kind::Mismatch, message);
    if differences.is_empty() && !done {
        error = error.help("resume it with --resume");
    }
    let mut error = differences.into_iter().fold(error, Error::note);
    if let Some((there, to_this)) = shorter(path, config) {
        let (short, long) = (there.spec.epochs, config.spec.epochs);
        error = match to_this {
            Shorter::Beginning => error.help("prolong it with --resume"),
            Shorter::Own | Shorter::Branch { .. } => {
                let why = if config.spec.patience.is_some() {
                    "with --patience it left its best epoch's weights".to_owned()
                } else {
                    format!(
                        "with --schedule {} the learning rate depends on the length",
                        config.spec.schedule
                    )
                };
                error.note(format!("a run of {short} is not the beginning of one of {long} epochs: {why}"))
            }
        };
    }
    error.help("choose another place with --name, or replace what is there with --overwrite")
}

#[cfg(test)]
#[path = "run_dir_tests.rs"]
mod tests;
