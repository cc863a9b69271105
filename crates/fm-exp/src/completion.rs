//! Completion in shells: what may follow on a command line that is half written.
//!
//! A shell's script asks the program itself, so that flags, values and paths are those of this very build.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::Arg;
use clap::ValueHint;
use clap_complete::engine::{
    ArgValueCandidates, ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::Shells;
use clap_complete::{CompleteEnv, Shell};
use fm_images::OPERATIONS;
use fm_images::augment::Operation;
use fm_images::catalog::CATALOG;
use fm_run::spec::RECIPES;
use fm_run::{Field, RunSpec};

use crate::cli;
use crate::error::{Error, Kind, Result};

/// The variable by which a shell's script asks.
pub(crate) const VARIABLE: &str = "FM_EXP_COMPLETE";

/// Answers a shell's question and ends, if there is one.
pub(crate) fn answer() {
    CompleteEnv::with_factory(cli::command).var(VARIABLE).bin("fm-exp").complete();
}

/// The script that makes a shell ask.
///
/// # Errors
/// When the shell is unknown.
pub(crate) fn script(shell: Shell) -> Result<String> {
    let failed = |text: String| Error::new(Kind::Other, text);
    let name = shell.to_string();
    let shells = Shells::builtins();
    let completer = shells.completer(&name).ok_or_else(|| failed(format!("no completions for {name}")))?;
    // By its name it is found wherever it lies; by a path it lies there.
    let program = PathBuf::from(std::env::args_os().next().unwrap_or_else(|| "fm-exp".into()));
    let program = if program.components().count() > 1 {
        std::env::current_dir().unwrap_or_default().join(program)
    } else {
        program
    };
    let mut script = Vec::new();
    completer
        .write_registration(VARIABLE, "fm-exp", "fm-exp", &program.to_string_lossy(), &mut script)
        .map_err(|e| failed(e.to_string()))?;
    Ok(String::from_utf8_lossy(&script).into_owned())
}

/// A key's flag, with the values that may follow it.
pub(crate) fn of(field: &'static Field, arg: Arg) -> Arg {
    match field.key.as_str() {
        "dataset" => arg.add(ArgValueCompleter::new(datasets)),
        "pretrain" => arg.add(ArgValueCompleter::new(|current: &OsStr| {
            let offered = RunSpec::field("pretrain").map_or(&[][..], |field| &field.offered);
            beginning(current, offered.iter().map(CompletionCandidate::new), &PathCompleter::any())
        })),
        "augment" => arg.add(ArgValueCandidates::new(|| {
            let of = |op: &&dyn Operation| {
                CompletionCandidate::new(op.word()).help(Some(op.help().to_owned().into()))
            };
            OPERATIONS.iter().map(of).chain([CompletionCandidate::new("none")]).collect()
        })),
        _ if !field.offered.is_empty() => {
            arg.add(ArgValueCandidates::new(|| field.offered.iter().map(CompletionCandidate::new).collect()))
        }
        _ if field.value_name == "PATH" => arg.value_hint(ValueHint::DirPath),
        _ => arg,
    }
}

/// Keys, for `--set`.
pub(crate) fn keys() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let key = |field: &Field| {
            CompletionCandidate::new(format!("{}=", field.key)).help(Some(field.help.clone().into()))
        };
        RunSpec::fields().iter().map(key).collect()
    })
}

/// Recipes, for `--recipe`.
pub(crate) fn recipes() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let named = RECIPES.iter().map(|r| CompletionCandidate::new(r.name).help(Some(r.about.into())));
        beginning(current, named, &PathCompleter::file())
    })
}

/// Networks with names, for `--arch`.
pub(crate) fn networks() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let of = |(name, layers): &(&'static str, &'static str)| {
            CompletionCandidate::new(*name).help(Some((*layers).into()))
        };
        fm_net::arch::ALIASES.iter().map(of).collect()
    })
}

fn datasets(current: &OsStr) -> Vec<CompletionCandidate> {
    let named = CATALOG.iter().map(|set| CompletionCandidate::new(set.slug).help(Some(set.title.into())));
    beginning(current, named, &PathCompleter::dir())
}

/// Values that begin as the word does, then paths.
fn beginning(
    current: &OsStr,
    values: impl Iterator<Item = CompletionCandidate>,
    paths: &PathCompleter,
) -> Vec<CompletionCandidate> {
    let text = current.to_string_lossy().into_owned();
    let named = values.filter(|value| value.get_value().to_string_lossy().starts_with(&text));
    named.chain(paths.complete(current)).collect()
}
