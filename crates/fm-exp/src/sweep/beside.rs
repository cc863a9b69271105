//! `fm-exp sweep beside`: runs side by side on one GPU, each on a thread of its own, as `train` trains it alone. What
//! `sweep run` starts; its words are those of `train` for each run, with [`BETWEEN`] between runs.
//!
//! A run's lines and its error go to its log. On stdout there is a line of JSON for each that has ended, with what would
//! be the exit code of its own process.

use std::ffi::OsString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, OnceLock};

use clap::Args;
use fm_data::Dataset;
use fm_engines::Seat;

use super::Said;
use super::child::open_log;
use super::process::Word;
use crate::args::RunArgs;
use crate::commands::train::{self, Process};
use crate::error::{Error, Kind, Result};
use crate::logging::{self, Console};
use crate::signals::Signals;
use crate::{cli, config::RunConfig};

/// What stands between the words of two runs. No flag of one is written so: all begin with a dash.
const BETWEEN: &str = "+";

/// Words of `sweep beside`.
#[derive(Debug, Args)]
pub(crate) struct BesideArgs {
    /// Words of `train` for each run, with + between runs
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
    words: Vec<OsString>,
}

/// The words of all runs in one list.
pub(super) fn joined(runs: &[Vec<OsString>]) -> Vec<OsString> {
    runs.join(&OsString::from(BETWEEN))
}

/// Trains them.
///
/// # Errors
/// When the words are none, or threads cannot be had: then nothing is trained.
pub(super) fn run(args: &BesideArgs, console: &Console) -> Result<Said> {
    let lists: Vec<&[OsString]> = args.words.split(|word| word == BETWEEN).collect();
    let runs = lists.iter().map(|words| Run::read(words)).collect::<Result<Vec<_>>>()?;
    let signals = Signals::listen()?;
    signals.stop_with_stdin()?;
    let (data, seats) = (OnceLock::new(), Seat::beside(runs.len()));
    std::thread::scope(|scope| {
        for (run, seat) in runs.into_iter().zip(seats) {
            let (data, signals) = (&data, &signals);
            let name = run.name.clone();
            let train = move || run.train(seat, data, signals, console);
            // Where there can be no more threads, the run's seat is dropped with it, and the others go on.
            if let Err(error) = std::thread::Builder::new().name(name.clone()).spawn_scoped(scope, train) {
                tracing::error!("cannot start a thread for {name}: {error}");
                ended(name, Kind::Device as i32);
            }
        }
    });
    Ok(Said { text: String::new(), code: 0 })
}

/// A run, as it was asked for.
struct Run {
    name: String,
    command: Vec<String>,
    args: RunArgs,
    log: std::fs::File,
}

impl Run {
    fn read(words: &[OsString]) -> Result<Self> {
        let args = cli::train_flags(words)?;
        let spec = RunConfig::check(args.clone())?.spec;
        let name = spec.name.ok_or_else(|| Error::usage("a run beside others needs a --name"))?;
        let (log, _) = open_log(&spec.out, &name)?;
        let text = |word: &OsString| word.to_string_lossy().into_owned();
        let command = ["fm-exp", "train"].map(str::to_owned).into_iter().chain(words.iter().map(text));
        Ok(Self { name, command: command.collect(), args, log })
    }

    /// Trains it on this thread, whatever becomes of it.
    fn train(self, seat: Arc<Seat>, data: &OnceLock<Result<Dataset>>, signals: &Signals, console: &Console) {
        let Self { name, command, args, log } = self;
        logging::log_to(log);
        let process =
            Process { command: Some(command), seat: Some(seat), data: Some(data), signals: Some(signals) };
        let trained = catch_unwind(AssertUnwindSafe(|| train::run_in(&process, args, false, console)));
        // The others need not wait for it any more.
        drop(process);
        let error = match trained {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => Some(error),
            Err(panic) => {
                let said = panic.downcast_ref::<String>().map(String::as_str);
                let said = said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("no message");
                Some(
                    Error::new(Kind::Other, format!("panicked: {said}"))
                        .help("this is a bug: please report it"),
                )
            }
        };
        if let Some(error) = &error {
            cli::say(error, false);
        }
        ended(name, error.map_or(0, |error| error.exit_code().into()));
    }
}

/// Says that a run has ended.
fn ended(run: String, code: i32) {
    if let Ok(line) = serde_json::to_string(&Word { run, code }) {
        // Whoever started this may be gone.
        let _ = cli::print(&format!("{line}\n"));
    }
}
