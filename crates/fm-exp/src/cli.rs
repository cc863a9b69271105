//! The command line: `fm-exp [flags]` trains, subcommands do the rest.

use std::ffi::OsString;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::parser::ValueSource;
use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use fm_run::terminal::visible;
use serde_json::json;

use crate::args::RunArgs;
use crate::commands;
use crate::completion;
use crate::error::{Error, Kind, Result};
use crate::logging;
use crate::signals;
use crate::sweep::Said;

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
    /// Plan, run and merge many runs, on one machine or many
    #[command(arg_required_else_help = true)]
    Sweep(Box<crate::sweep::SweepArgs>),
    /// Compare runs, or groups of runs that differ by their seeds: means, intervals, a verdict
    Compare(commands::compare::CompareArgs),
    /// Estimate from finished runs how many seeds, and hours, it takes to find a difference
    Power(commands::power::PowerArgs),
    /// Say what chance does to an accuracy, from many runs of one configuration: distribution, sources, votes
    Observe(commands::observe::ObserveArgs),
    /// Make one HTML file about a directory of runs: verdict, numbers, curves, confusion matrices
    Report(commands::report::ReportArgs),
    /// Pack what compare and report read of all runs in a directory into one small file
    Pack(commands::pack::PackArgs),
    /// Train many runs on random parts of the training images, and map what they know of every image: how hard it is, when
    /// it is learned, whether its label is right, and which images are there twice
    #[command(arg_required_else_help = true)]
    Atlas(Box<crate::atlas::AtlasArgs>),
    /// Train runs again from their records, and say whether the same comes out or what differs first
    Verify(crate::verify::VerifyArgs),
    /// Score a trained model on a data set; writes the same files as a run
    Eval(Box<commands::eval::EvalArgs>),
    /// Classify PNG and JPEG images with a trained model
    Predict(Box<commands::predict::PredictArgs>),
    /// Write a trained model for elsewhere: ONNX, C99 of floats or 8-bit integers, a model card
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

/// The command line as it is read: with what only some commands take hidden from the others' help.
pub(crate) fn command() -> clap::Command {
    let is_refused =
        |arg: &clap::Arg| arg.get_long().is_some_and(|flag| commands::bench::REFUSED.contains(&flag));
    let hide =
        |bench: clap::Command| bench.mut_args(|arg| if is_refused(&arg) { arg.hide(true) } else { arg });
    Cli::command().mut_subcommand("bench", hide)
}

/// How results and errors are written, once the command line has been read.
static OUTPUT: OnceLock<Output> = OnceLock::new();

#[derive(Debug, Clone, Copy, Default)]
struct Output {
    json: bool,
    color: bool,
}

/// Reads the command line, does what it says, and prints what comes of it. The code is not 0 where the command line
/// cannot be read, or where a sweep ends otherwise than by a better group.
///
/// # Errors
/// Whatever the command does; for [`report`].
pub fn main() -> Result<ExitCode> {
    signals::ignore_size_limit();
    completion::answer();
    let matches = match command().try_get_matches() {
        Ok(matches) => matches,
        Err(error) => return Ok(not_read(&error)),
    };
    let cli = match Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => return Ok(not_read(&error)),
    };
    let color = match cli.global.color {
        When::Always => true,
        When::Never => false,
        When::Auto => io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|v| v.is_empty()),
    };
    OUTPUT.get_or_init(|| Output { json: cli.global.json, color });
    refuse_misplaced(&matches)?;
    let said = carry_out(cli, color)?;
    print(&said.text)?;
    Ok(said.code.into())
}

/// Prints an error on stderr, with `--json` on stdout too, and gives its exit code.
#[must_use]
pub fn report(error: &Error) -> ExitCode {
    let output = OUTPUT.get().copied().unwrap_or_default();
    // A result that is there already says how it ended, such as that of `verify`.
    if output.json && !PRINTED.load(Ordering::Relaxed) {
        // Somebody reads stdout to its end: what is there says how it ended.
        let _ = print(&failure(error));
    }
    say(error, output.color);
    error.exit_code().into()
}

/// Prints an error on stderr, or in the log of a thread that has one.
pub(crate) fn say(error: &Error, color: bool) {
    let text = format!("{}{}\n", label(error.kind(), color), visible(&error.to_string()));
    // A closed stderr is no reason to panic.
    let _ = logging::write(text.as_bytes());
}

/// The flags of `train` that these words say.
///
/// # Errors
/// A usage error with clap's words.
pub(crate) fn train_flags(words: &[OsString]) -> Result<RunArgs> {
    let command = ["fm-exp", "train"].map(OsString::from);
    let cli = Cli::try_parse_from(command.iter().chain(words));
    match cli.map_err(|e| Error::usage(e.to_string().trim_start_matches("error: ").to_owned()))?.command {
        Some(Command::Train(args)) => Ok(*args),
        _ => Err(Error::usage("no flags of train")),
    }
}

/// What stands before an error. One that was asked for is none.
fn label(kind: Kind, color: bool) -> &'static str {
    match kind {
        Kind::Stopped | Kind::Interrupted => "",
        _ if color => "\x1b[1;31merror:\x1b[0m ",
        _ => "error: ",
    }
}

/// An error as JSON.
fn failure(error: &Error) -> String {
    let kind = format!("{:?}", error.kind()).to_lowercase();
    let said = json!({ "kind": kind, "exit_code": error.exit_code(), "message": error.message(),
        "notes": error.notes(), "helps": error.helps() });
    format!("{:#}\n", json!({ "error": said }))
}

/// A command line that clap refuses, or answers itself with help.
fn not_read(error: &clap::Error) -> ExitCode {
    let _ = error.print();
    if error.use_stderr() && std::env::args_os().any(|arg| arg == "--json") {
        let text = error.to_string();
        let first = text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let _ = print(&failure(&Error::usage(first)));
    }
    ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(1))
}

/// Training's flags before a subcommand would be read and not used.
fn refuse_misplaced(matches: &ArgMatches) -> Result<()> {
    let Some((subcommand, _)) = matches.subcommand() else { return Ok(()) };
    let flags = RunArgs::augment_args(clap::Command::new("train"));
    let given =
        |arg: &&clap::Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
    match flags.get_arguments().find(given).and_then(clap::Arg::get_long) {
        Some(flag) => Err(Error::usage(format!("--{flag} comes after `{subcommand}`, if that takes it"))),
        None => Ok(()),
    }
}

fn carry_out(cli: Cli, color: bool) -> Result<Said> {
    let global = cli.global;
    let bars = io::stderr().is_terminal() && !global.no_progress && !global.quiet;
    let console = &logging::init(global.quiet, global.verbose, color, bars);
    let text = match cli.command.unwrap_or(Command::Train(Box::new(cli.train))) {
        Command::Train(args) => commands::train::run(*args, global.json, console),
        Command::Sweep(args) => return crate::sweep::run(*args, global.json, console),
        Command::Compare(args) => commands::compare::run(&args, global.json, global.verbose > 0),
        Command::Power(args) => commands::power::run(&args, global.json),
        Command::Observe(args) => commands::observe::run(&args, global.json),
        Command::Report(args) => commands::report::run(&args),
        Command::Pack(args) => commands::pack::run(&args, global.json),
        Command::Atlas(args) => crate::atlas::run(&args, global.json, console),
        Command::Verify(args) => crate::verify::run(&args, global.json),
        Command::Eval(args) => commands::eval::run(&args, global.json, console.bars.is_some()),
        Command::Predict(args) => return commands::predict::run(&args, global.json),
        Command::Export(args) => commands::export::run(&args, global.json, console.bars.is_some()),
        Command::Encode(args) => commands::encode::run(&args, global.json, console.bars.is_some()),
        Command::Summary(args) => commands::summary::run(&args, global.json),
        Command::Import(args) => commands::import::run(&args, global.json, console),
        Command::Data(command) => commands::data::run(&command, global.json, console.bars.is_some()),
        Command::Keys => Ok(commands::keys::run(global.json)),
        Command::Bench(args) => commands::bench::run(*args, global.json),
        Command::Doctor(args) => commands::doctor::run(&args, global.json),
        Command::Completions { shell } => completion::script(shell),
    };
    text.map(Said::from)
}

/// Whether anything was written to stdout.
static PRINTED: AtomicBool = AtomicBool::new(false);

/// Writes to stdout. A reader that has gone away (`| head`) is no failure.
///
/// # Errors
/// When it cannot be written.
pub(crate) fn print(text: &str) -> Result<()> {
    PRINTED.store(true, Ordering::Relaxed);
    let mut out = io::stdout().lock();
    match out.write_all(visible(text).as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(Error::new(Kind::Io, format!("cannot write to stdout: {e}")))
        }
        _ => Ok(()),
    }
}
