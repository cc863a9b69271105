//! Training a run again, as a process of its own in a directory of its own.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use fm_report::Source;
use fm_run::{read_config, store};
use tempfile::TempDir;

use super::records::Recorded;
use crate::commands::compare::failed;
use crate::error::{Error, Kind, Result};
use crate::signals::Signals;

/// A run that was trained again; its directory goes with it.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) source: Source,
    /// Whether training was stopped on the way.
    pub(super) partial: bool,
    /// Settings that this program resolves differently from what was recorded, such as the engine that `auto` chose.
    pub(super) other: Vec<String>,
    _dir: TempDir,
}

/// How often the process is polled.
const LOOK: Duration = Duration::from_millis(50);

/// Trains a run from its `config.toml`, whole or for the given number of epochs. The inner error is what the process
/// printed when it failed.
///
/// # Errors
/// When a file or the process cannot be made, or on a request to stop.
pub(super) fn again(
    recorded: &Recorded,
    epochs: Option<u32>,
    data_dir: Option<&Path>,
    signals: &Signals,
) -> Result<Result<Again, String>> {
    let dir = tempfile::tempdir().map_err(|e| other("make a temporary directory", &e))?;
    let config = dir.path().join("config.toml");
    store::write(&config, recorded.text.as_bytes())?;
    let train = || train(recorded, &config, dir.path(), data_dir);
    let dry = train()?.args(["--dry-run", "--json"]).output().map_err(|e| other("start training", &e))?;
    if !dry.status.success() {
        return Ok(Err(said(&dry.stderr)));
    }
    let bad = |e: String| Error::new(Kind::Other, format!("cannot read what --dry-run printed: {e}"));
    let here: toml::Table = serde_json::from_slice(&dry.stdout).map_err(|e| bad(e.to_string()))?;
    let here = read_config(&here.to_string())?;
    let other_settings = if here.run_id() == recorded.id { None } else { here.differences(&recorded.text) };
    let mut command = train()?;
    command.args(["--no-record", "--stop-with-stdin"]);
    if let Some(epochs) = epochs {
        command.arg("--stop-after").arg(epochs.to_string());
    }
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|e| other("start training", &e))?;
    while child.try_wait().map_err(|e| other("wait for training", &e))?.is_none() {
        if let Some((kind, name)) = signals.request() {
            drop(child.stdin.take());
            let _ = child.wait();
            return Err(Error::new(kind, format!("stopped by {name}")));
        }
        std::thread::sleep(LOOK);
    }
    let ended = child.wait_with_output().map_err(|e| other("wait for training", &e))?;
    let code = ended.status.code();
    let partial = code == Some(Kind::Stopped as i32);
    if code != Some(0) && !(partial && epochs.is_some()) {
        return Ok(Err(said(&ended.stderr)));
    }
    let found = fm_report::sources(&dir.path().join("run")).map_err(failed)?;
    let Some(source) = found.into_iter().next() else { return Ok(Err("it left no run".to_owned())) };
    Ok(Ok(Again { source, partial, other: other_settings.unwrap_or_default(), _dir: dir }))
}

/// `train` on the run's own configuration, into `out`.
fn train(recorded: &Recorded, config: &Path, out: &Path, data_dir: Option<&Path>) -> Result<Command> {
    let exe = std::env::current_exe().map_err(|e| other("find this program itself", &e))?;
    let mut command = Command::new(exe);
    for (key, _) in std::env::vars_os() {
        if key.to_string_lossy().starts_with("FM_") && key != "FM_DATA_DIR" {
            command.env_remove(key);
        }
    }
    command.args(["train", "--quiet", "--name", "run", "--config"]).arg(config).arg("--out").arg(out);
    if let Some(threads) = recorded.threads() {
        command.arg("--threads").arg(threads.to_string());
    }
    if let Some(data) = data_dir {
        command.arg("--data-dir").arg(data);
    }
    Ok(command)
}

/// The error that a process printed.
fn said(stderr: &[u8]) -> String {
    let text = String::from_utf8_lossy(stderr);
    text.lines().find_map(|line| line.strip_prefix("error: ")).unwrap_or("no message").to_owned()
}

fn other(what: &str, error: &std::io::Error) -> Error {
    Error::new(Kind::Other, format!("cannot {what}: {error}"))
}
