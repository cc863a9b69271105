//! A run directory: claimed, locked, filled, and marked as done.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};

use super::write;
use crate::config::Resolved;
use crate::error::{Error, Kind, Result};

/// Every file that a run may leave in its directory; `--overwrite` removes these and nothing else.
pub const FILES: [&str; 13] = [
    "DONE",
    "config.toml",
    "epochs.csv",
    "confusion.csv",
    "confusion_normalized.csv",
    "per_class.csv",
    "predictions.csv",
    "summary.json",
    "model.safetensors",
    "curves.svg",
    "curves.png",
    "confusion.svg",
    "confusion.png",
];

/// A run directory that this process alone writes to.
#[derive(Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held until the run ends; the operating system frees it when the process dies.
    _lock: File,
}

impl RunDir {
    /// Claims `path` for a run with `config`: creates it, locks it, sees that it is empty or may be
    /// emptied, and writes `config.toml`.
    ///
    /// # Errors
    /// When it cannot be written ([`Kind::Io`]), another process has it ([`Kind::Locked`]), or it holds
    /// another run ([`Kind::Mismatch`]).
    pub fn claim(path: &Path, config: &Resolved, overwrite: bool) -> Result<Self> {
        fs::create_dir_all(path).map_err(|e| Error::io("create", path, &e))?;
        let lock = lock(path)?;
        if path.join("config.toml").exists() || path.join("DONE").exists() {
            if !overwrite {
                return Err(occupied(path, config));
            }
            for file in FILES {
                let file = path.join(file);
                match fs::remove_file(&file) {
                    Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
                        return Err(Error::io("remove", &file, &e));
                    }
                    _ => {}
                }
            }
        }
        write(&path.join("config.toml"), config.to_toml().as_bytes())?;
        Ok(Self { path: path.to_owned(), _lock: lock })
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
        write(&self.path.join("DONE"), format!("{run_id}\n").as_bytes())
    }
}

/// Takes the directory's lock, or says who has it.
fn lock(dir: &Path) -> Result<File> {
    let path = dir.join(".lock");
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
        Err(TryLockError::Error(e)) => return Err(Error::io("lock", &path, &e)),
    }
    let owner = format!("pid {} since {}\n", std::process::id(), crate::config::now());
    file.set_len(0)
        .and_then(|()| file.write_all(owner.as_bytes()))
        .map_err(|e| Error::io("write", &path, &e))?;
    Ok(file)
}

/// Why a filled directory is refused.
fn occupied(path: &Path, config: &Resolved) -> Error {
    let state = if path.join("DONE").exists() { "a finished run" } else { "an unfinished run" };
    let differences = fs::read_to_string(path.join("config.toml"))
        .ok()
        .and_then(|text| config.differences(&text))
        .unwrap_or_else(|| vec!["its config.toml cannot be read".to_owned()]);
    let kind = if differences.is_empty() { "the same" } else { "another" };
    let message = format!("{} already holds {state} of {kind} configuration", path.display());
    let error = differences.into_iter().fold(Error::new(Kind::Mismatch, message), Error::note);
    error.help("choose another place with --name, or replace what is there with --overwrite")
}
