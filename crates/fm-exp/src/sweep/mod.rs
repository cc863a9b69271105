//! Many runs: a grid → a plan → child processes, on one machine or the shards of many → one table.
//!
//! ```text
//! grid.toml, flags ─ plan ─▸ plan.json ─ run [--shard i/n] ─▸ a directory a run ─ merge ─▸ runs.csv, timings.csv
//! ```
//!
//! Nothing is shared between shards but the plan, which they only read, so they may lie on NFS and die at any
//! time: whatever is not DONE is resumed. Each run is a child process of this very binary, or on a GPU a thread of one
//! that trains several side by side; one that fails harms no other.

mod all;
mod beside;
mod best;
mod child;
mod emit;
mod estimate;
mod grid;
mod group;
mod halve;
mod merge;
mod overview;
mod place;
mod plan;
mod planned;
mod process;
mod run;
mod sample;
mod state;
mod status;
mod table;
mod until;
mod work;

use clap::{Args, Subcommand};

use crate::error::Result;
use crate::logging::Console;

pub(crate) use all::{Through, Whole};
pub(crate) use plan::{GridKeys, make as plan};
pub(crate) use planned::SweepPlan;

/// A sweep in one, or a step of it.
#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct SweepArgs {
    #[command(subcommand)]
    command: Option<SweepCommand>,

    #[command(flatten)]
    all: all::AllArgs,
}

/// Steps of a sweep.
#[derive(Debug, Subcommand)]
enum SweepCommand {
    /// Write the plan of a grid: every combination of architectures, epochs, seeds and other flags
    Plan(Box<plan::PlanArgs>),
    /// Run a plan (or one shard): finished runs are skipped, interrupted ones resumed
    Run(run::RunArgs),
    /// Say how far the runs of a plan are, wherever they run
    Status(status::StatusArgs),
    /// Run a plan by successive halving: configurations that fall behind by more than noise stop early
    Halve(halve::HalveArgs),
    /// Merge the results of a plan's runs into one table
    Merge(merge::MergeArgs),
    /// Choose the configuration with the best validation scores, and print the test scores of only that one
    Best(best::BestArgs),
    /// Print a job script for a scheduler
    Emit(emit::EmitArgs),
    /// Train runs side by side, what `sweep run` starts on a GPU
    #[command(hide = true)]
    Beside(beside::BesideArgs),
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
pub(crate) fn run(args: SweepArgs, as_json: bool, console: &Console) -> Result<Said> {
    let Some(command) = args.command else { return all::run(&args.all, as_json, console) };
    match command {
        SweepCommand::Plan(args) => plan::run(&args, console).map(Said::from),
        SweepCommand::Run(args) => run::run(&args, as_json, console),
        SweepCommand::Status(args) => status::run(&args, as_json, console).map(Said::from),
        SweepCommand::Halve(args) => halve::run(&args, as_json, console).map(Said::from),
        SweepCommand::Merge(args) => merge::run(&args, as_json).map(Said::from),
        SweepCommand::Best(args) => best::run(&args, as_json).map(Said::from),
        SweepCommand::Emit(args) => Ok(emit::run(&args).into()),
        SweepCommand::Beside(args) => beside::run(&args, console),
    }
}
