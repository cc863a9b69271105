//! Log lines and progress bars on the same terminal, out of each other's way. Both go to stderr; results
//! go to stdout.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};

use indicatif::MultiProgress;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// Where bars may be drawn.
#[derive(Debug, Clone)]
pub struct Console {
    /// The terminal's bars; none when stderr is no terminal or bars are not wanted.
    pub bars: Option<MultiProgress>,
    /// Whether only warnings and errors are wanted.
    pub quiet: bool,
}

impl Console {
    /// Prints text for people on stderr, unless only warnings and errors are wanted.
    pub fn say(&self, text: &str) {
        if !self.quiet {
            // A closed stderr must not stop anything.
            let _ = io::stderr().write_all(fm_run::terminal::visible(text).as_bytes());
        }
    }
}

/// Starts logging, once a process.
///
/// `RUST_LOG` goes before `quiet` and `verbose`.
pub fn init(quiet: bool, verbose: u8, color: bool, bars: bool) -> Console {
    let console = Console { bars: bars.then(MultiProgress::new), quiet };
    let level = match (quiet, verbose) {
        (true, _) => LevelFilter::WARN,
        (false, 0) => LevelFilter::INFO,
        (false, 1) => LevelFilter::DEBUG,
        (false, _) => LevelFilter::TRACE,
    };
    let filter = EnvFilter::builder().with_default_directive(LevelFilter::WARN.into()).parse_lossy(
        // The project's own crates alone: their names begin with `fm_`.
        std::env::var("RUST_LOG").unwrap_or_else(|_| {
            let own = ["fm_exp", "fm_data", "fm_train", "fm_engines", "fm_run"];
            own.iter().fold("warn".to_owned(), |filter, name| format!("{filter},{name}={level}"))
        }),
    );
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(Stderr(console.bars.clone()))
        .with_ansi(color)
        .with_target(false);
    // Seconds matter in a log that one greps later, not on the screen of who waits.
    let started = if verbose > 0 {
        subscriber.try_init().is_ok()
    } else {
        subscriber.without_time().try_init().is_ok()
    };
    debug_assert!(started, "logging is started once");
    console
}

thread_local! {
    /// Where this thread's lines go, if not to stderr.
    static LOG: RefCell<Option<File>> = const { RefCell::new(None) };
}

/// Lets lines of this thread go to a file from now on: it trains a run beside those of other threads.
pub(crate) fn log_to(file: File) {
    LOG.set(Some(file));
}

/// Writes to this thread's log.
///
/// # Errors
/// When that cannot be written.
pub(crate) fn write(bytes: &[u8]) -> io::Result<()> {
    LOG.with_borrow_mut(|log| match log {
        Some(file) => file.write_all(bytes),
        None => io::stderr().write_all(bytes),
    })
}

/// stderr, with the bars taken away while a line is written.
struct Stderr(Option<MultiProgress>);

impl<'a> MakeWriter<'a> for Stderr {
    type Writer = Line<'a>;

    fn make_writer(&'a self) -> Line<'a> {
        Line(self.0.as_ref())
    }
}

struct Line<'a>(Option<&'a MultiProgress>);

impl Write for Line<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let write = || write(bytes);
        // A closed stderr must not stop a run.
        let _ = self.0.map_or_else(write, |bars| bars.suspend(write));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
