//! The command line: `fm-exp [flags]` trains, subcommands do the rest.

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fm_run::terminal::visible;

use crate::args::RunArgs;
use crate::commands;
use crate::error::{Error, Kind, Result};
use crate::logging::{self, Console};
use crate::signals;

/// Trains, records and compares small image classifiers on Fashion-MNIST and its relatives.
///
/// Without a subcommand, trains: `fm-exp --arch cnn` is `fm-exp train --arch cnn`.
#[derive(Debug, Parser)]
#[command(name = "fm-exp", version, max_term_width = 100, args_override_self = true)]
pub struct Cli {
    #[command(subcommand)]
    command: Option<Command>,

    #[command(flatten)]
    train: RunArgs,

    #[command(flatten)]
    global: Global,
}

/// Flags of every command.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Output")]
pub struct Global {
    /// Print the result as JSON
    #[arg(long, global = true)]
    pub json: bool,

    /// Only warnings and errors on stderr
    #[arg(short, long, global = true, conflicts_with = "verbose")]
    quiet: bool,

    /// More on stderr, and every number of compare; twice for everything
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,

    /// No progress bar
    #[arg(long, global = true)]
    no_progress: bool,

    /// Colours on stderr; NO_COLOR is honoured
    #[arg(long, global = true, value_enum, default_value_t = When::Auto)]
    color: When,
}

/// When to use colours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum When {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Train a network, score it on the test set, and write the results
    Train(Box<RunArgs>),
    /// Plan many runs, carry them out on one machine or many, and put their results together
    #[command(subcommand)]
    Sweep(crate::sweep::SweepCommand),
    /// Compare runs, or groups of runs that differ by their seeds: means, intervals, a verdict
    Compare(commands::compare::CompareArgs),
    /// Say how many seeds, and hours, a difference takes to be found, from runs that are there
    Power(commands::power::PowerArgs),
    /// Make one HTML file about a directory of runs: verdict, numbers, curves, confusion matrices
    Report(commands::report::ReportArgs),
    /// Pack what compare and report read of all runs in a directory into one small file
    Pack(commands::pack::PackArgs),
    /// Train runs again from their records, and say whether the same comes out or what differs first
    Verify(crate::verify::VerifyArgs),
    /// Score a trained model on a data set; leaves the same files as a run
    Eval(Box<commands::eval::EvalArgs>),
    /// Say what a trained model takes PNG and JPEG images for
    Predict(Box<commands::predict::PredictArgs>),
    /// Write a trained model for elsewhere: ONNX, or C99 of floats or 8-bit integers
    Export(Box<commands::export::ExportArgs>),
    /// Write the encoder's codes of a data set, and their two principal components
    Encode(Box<commands::encode::EncodeArgs>),
    /// Print a network's layers with output shapes and parameter counts
    Summary(commands::summary::SummaryArgs),
    /// Make a data set of one's own pictures: folders of PNG and JPEG files, CSV, .npz, CIFAR, EMNIST, IDX
    Import(commands::import::ImportArgs),
    /// Look at a data set as training sees it
    #[command(subcommand)]
    Data(commands::data::DataCommand),
    /// Print every key of a run: its default, whether it decides the result, and what it is
    Keys,
    /// Measure how fast each engine trains, alternating, without evaluation
    Bench(Box<commands::bench::BenchArgs>),
    /// Show versions, libraries, devices and data, and what to do about each problem
    Doctor(commands::doctor::DoctorArgs),
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: Shell,
    },
}

/// Reads the command line and does what it says. The code is not 0 where a sweep ends otherwise than by a better group.
///
/// # Errors
/// Whatever the command does; the binary prints it and exits with its code.
pub fn main() -> Result<ExitCode> {
    signals::ignore_size_limit();
    let matches = Cli::command().get_matches();
    let cli = Cli::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    refuse_misplaced(&matches)?;
    let color = match cli.global.color {
        When::Always => true,
        When::Never => false,
        When::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    };
    let bars = io::stderr().is_terminal() && !cli.global.no_progress && !cli.global.quiet;
    let console = logging::init(cli.global.quiet, cli.global.verbose, color, bars);
    let said = match cli.command.unwrap_or(Command::Train(Box::new(cli.train))) {
        Command::Sweep(command) => crate::sweep::run(command, cli.global.json, &console)?,
        command => run(command, cli.global, &console)?.into(),
    };
    print(&said.text)?;
    Ok(said.code.into())
}

/// Training's flags before a subcommand would be read and not used.
fn refuse_misplaced(matches: &ArgMatches) -> Result<()> {
    let Some((subcommand, _)) = matches.subcommand() else { return Ok(()) };
    let flags = RunArgs::augment_args(clap::Command::new("train"));
    let given =
        |arg: &&clap::Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    match flags.get_arguments().find(given).and_then(clap::Arg::get_long) {
        Some(flag) => Err(Error::usage(format!("--{flag} belongs behind `{subcommand}`, if it takes it"))),
        None => Ok(()),
    }
}

fn run(command: Command, global: Global, console: &Console) -> Result<String> {
    match command {
        Command::Train(args) => commands::train::run(*args, global.json, console),
        Command::Sweep(command) => Ok(crate::sweep::run(command, global.json, console)?.text),
        Command::Compare(args) => commands::compare::run(&args, global.json, global.verbose > 0),
        Command::Power(args) => commands::power::run(&args, global.json),
        Command::Report(args) => commands::report::run(&args),
        Command::Pack(args) => commands::pack::run(&args, global.json),
        Command::Verify(args) => crate::verify::run(&args, global.json),
        Command::Eval(args) => commands::eval::run(&args, global.json, console.bars.is_some()),
        Command::Predict(args) => commands::predict::run(&args, global.json),
        Command::Export(args) => commands::export::run(&args, global.json, console.bars.is_some()),
        Command::Encode(args) => commands::encode::run(&args, global.json, console.bars.is_some()),
        Command::Summary(args) => commands::summary::run(&args, global.json),
        Command::Import(args) => commands::import::run(&args, global.json, console),
        Command::Data(command) => commands::data::run(&command, global.json, console.bars.is_some()),
        Command::Keys => Ok(commands::keys::run(global.json)),
        Command::Bench(args) => commands::bench::run(*args, global.json),
        Command::Doctor(args) => commands::doctor::run(&args, global.json),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Cli::command(), "fm-exp", &mut script);
            Ok(String::from_utf8_lossy(&script).into_owned())
        }
    }
}

/// Writes to stdout. A reader that has gone away (`| head`) is no failure.
fn print(text: &str) -> Result<()> {
    let mut out = io::stdout().lock();
    match out.write_all(visible(text).as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Io, format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}
