//! Many runs: a grid → a plan → child processes, on one machine or the shards of many → one table.
//!
//! ```text
//! grid.toml, flags ─ plan ─▸ plan.json ─ run [--shard i/n] ─▸ a directory a run ─ merge ─▸ runs.csv, timings.csv
//! ```
//!
//! Nothing is shared between shards but the plan, which they only read, so they may lie on NFS and die at any
//! time: whatever is not DONE is resumed. Each run is a child process of this very binary; one that
//! fails harms no other.

mod best;
mod child;
mod emit;
mod grid;
mod halve;
mod merge;
mod plan;
mod planned;
mod run;
mod sample;
mod state;
mod table;
mod until;
mod work;

use clap::Subcommand;

use crate::error::Result;
use crate::logging::Console;

/// What can be done with a sweep.
#[derive(Debug, Subcommand)]
pub(crate) enum SweepCommand {
    /// Print the plan of a grid: every combination of architectures, epochs, seeds and other flags
    Plan(Box<plan::PlanArgs>),
    /// Carry out a plan, or a shard of it: runs that are done are skipped, others are resumed
    Run(run::RunArgs),
    /// Carry out a plan by successive halving: configurations that fall behind by more than noise stop early
    Halve(halve::HalveArgs),
    /// Put the results of a plan's runs together
    Merge(merge::MergeArgs),
    /// Choose the configuration with the best validation scores, and print the test scores of that one alone
    Best(best::BestArgs),
    /// Print a script that carries out a plan elsewhere
    Emit(emit::EmitArgs),
}

/// What goes to stdout, and the exit code.
pub(crate) struct Said {
    pub(crate) text: String,
    pub(crate) code: u8,
}

impl From<String> for Said {
    fn from(text: String) -> Self {
        Self { text, code: 0 }
    }
}

/// Does it.
///
/// # Errors
/// [`Kind::Incomplete`](crate::error::Kind::Incomplete) when runs failed or are missing.
pub(crate) fn run(command: SweepCommand, as_json: bool, console: &Console) -> Result<Said> {
    match command {
        SweepCommand::Plan(args) => plan::run(*args).map(Said::from),
        SweepCommand::Run(args) => run::run(&args, as_json, console),
        SweepCommand::Halve(args) => halve::run(&args, as_json, console).map(Said::from),
        SweepCommand::Merge(args) => merge::run(&args, as_json).map(Said::from),
        SweepCommand::Best(args) => best::run(&args, as_json).map(Said::from),
        SweepCommand::Emit(args) => Ok(emit::run(&args).into()),
    }
}
