//! A run directory: claimed, locked, filled, and marked as done.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::atomic::{no_lock, sweep};
use super::{create_dir, write};
use crate::error::{Error, Kind, Result};
use crate::files::{self, RUN_FILES};
use crate::identity::Identified;

/// What may be done with a directory that holds a run already.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Claim {
    /// Nothing: only a new run may start.
    New,
    /// It may be removed.
    Overwrite,
    /// It may be resumed, if it is the same run.
    Resume,
}

/// A run directory that this process alone writes to.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Whether it holds the beginning of this very run.
    resumed: bool,
    /// Held until the run ends; the operating system frees it when the process dies.
    _lock: File,
}

impl RunDir {
    /// Claims `path` for a run with `config`: creates it, locks it, sees that it is empty or may be emptied
    /// or resumed, and writes `config.toml`.
    ///
    /// # Errors
    /// When it cannot be written ([`Kind::Io`]), another process has it ([`Kind::Locked`]), or it holds
    /// another run ([`Kind::Mismatch`]).
    pub fn claim(path: &Path, config: &Identified, claim: Claim) -> Result<Self> {
        create_dir(path)?;
        let lock = lock(path)?;
        sweep(path);
        sweep(&path.join(files::CHECKPOINTS));
        let mut run = Self { path: path.to_owned(), resumed: false, _lock: lock };
        if RUN_FILES.into_iter().chain([files::CHECKPOINTS]).any(|name| path.join(name).exists()) {
            match claim {
                Claim::Overwrite => clear(path)?,
                Claim::Resume if same(path, config) == Some(vec![]) => {
                    run.resumed = true;
                    return Ok(run);
                }
                Claim::New | Claim::Resume => return Err(occupied(path, config)),
            }
        }
        write(&path.join(files::CONFIG), config.to_toml().as_bytes())?;
        Ok(run)
    }

    /// Whether it holds the beginning of this very run, or all of it.
    #[must_use]
    pub fn resumed(&self) -> bool {
        self.resumed
    }

    /// Whether that run is finished.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.path.join(files::DONE).exists()
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
    pub fn done(&self, run_id: &str) -> Result<()> {
        write(&self.path.join(files::DONE), format!("{run_id}\n").as_bytes())
    }
}

/// Takes the directory's lock, or says who has it.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(files::LOCK);
    let mut file = OpenOptions::new()
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

/// Removes what runs leave and nothing else; `DONE` first, so that half a removal is no finished run.
fn clear(path: &Path) -> Result<()> {
    for file in RUN_FILES {
        let file = path.join(file);
        match fs::remove_file(&file) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", &file, &e)),
            _ => {}
        }
    }
    let on_the_way = fs::read_dir(path).map_err(|e| Error::io("read", path, &e))?.flatten().map(|e| e.path());
    let is_scores = |path: &PathBuf| files::is_beside(path);
    for directory in on_the_way.filter(is_scores).chain([path.join(files::CHECKPOINTS)]) {
        match fs::remove_dir_all(&directory) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Error::io("remove", &directory, &e)),
            _ => {}
        }
    }
    Ok(())
}

/// The differences between the configuration in `path` and this one, if that can be read.
fn same(path: &Path, config: &Identified) -> Option<Vec<String>> {
    config.differences(&fs::read_to_string(path.join(files::CONFIG)).ok()?)
}

/// Why a filled directory is refused.
fn occupied(path: &Path, config: &Identified) -> Error {
    let done = path.join(files::DONE).exists();
    let state = if done { "a finished run" } else { "an unfinished run" };
    let differences = same(path, config).unwrap_or_else(|| vec!["its config.toml cannot be read".to_owned()]);
    let kind = if differences.is_empty() { "the same" } else { "another" };
    let message = format!("{} already holds {state} of {kind} configuration", path.display());
    let mut error = Error::new(Kind::Mismatch, message);
    if differences.is_empty() && !done {
        error = error.help("resume it with --resume");
    }
    let error = differences.into_iter().fold(error, Error::note);
    error.help("choose another place with --name, or replace what is there with --overwrite")
}
