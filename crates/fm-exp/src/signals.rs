//! Requests to stop: Ctrl-C, SIGTERM and SIGUSR1.
//!
//! The first lets the run finish its step, save and end; a second Ctrl-C ends the process at once, which
//! loses nothing that was saved.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use signal_hook::consts::{SIGINT, SIGTERM, SIGUSR1};
use signal_hook::{flag, low_level};

use crate::error::{Error, Kind, Result};

/// Stands for a signal where standard input has ended.
const INPUT_ENDED: usize = usize::MAX;

/// Listens for requests to stop, for the rest of the process's life.
#[derive(Debug, Clone, Default)]
pub(crate) struct Signals(Arc<AtomicUsize>);

impl Signals {
    /// Starts listening.
    ///
    /// # Errors
    /// When the system refuses a handler.
    pub(crate) fn listen() -> Result<Self> {
        let signals = Self::default();
        let register = || {
            // The order counts: the first Ctrl-C finds the flag unset and sets it, the second ends the process.
            let again = Arc::new(AtomicBool::new(false));
            flag::register_conditional_shutdown(SIGINT, Kind::Interrupted as i32, Arc::clone(&again))?;
            flag::register(SIGINT, again)?;
            for signal in [SIGINT, SIGTERM, SIGUSR1] {
                flag::register_usize(signal, Arc::clone(&signals.0), signal as usize)?;
            }
            Ok(())
        };
        let refused = |e: std::io::Error| Error::new(Kind::Other, format!("cannot listen for signals: {e}"));
        register().map_err(refused)?;
        Ok(signals)
    }

    /// Treats the end of standard input as a request to stop, too: when the parent exits for any reason, the pipe
    /// closes and this process stops, so that no orphan keeps training.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub(crate) fn stop_with_stdin(&self) -> Result<()> {
        let request = Arc::clone(&self.0);
        let wait = move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            let _ = request.compare_exchange(0, INPUT_ENDED, Ordering::Relaxed, Ordering::Relaxed);
        };
        let spawned = std::thread::Builder::new().name("stdin".to_owned()).spawn(wait);
        spawned.map(drop).map_err(|e| Error::new(Kind::Other, format!("cannot start a thread: {e}")))
    }

    /// The request, if there has been one: what to end with.
    pub(crate) fn request(&self) -> Option<(Kind, &'static str)> {
        let signal = self.0.load(Ordering::Relaxed);
        if signal == INPUT_ENDED {
            return Some((Kind::Stopped, "the end of what started it"));
        }
        let signal = signal as i32;
        let name = low_level::signal_name(signal)?;
        Some((if signal == SIGINT { Kind::Interrupted } else { Kind::Stopped }, name))
    }
}

/// Lets a write beyond `ulimit -f` be an error, with a path and a remedy, and not the end of the process.
pub(crate) fn ignore_size_limit() {
    // A system that refuses leaves the signal as it was.
    let _ = flag::register(rustix::process::Signal::XFSZ.as_raw(), Arc::new(AtomicBool::new(false)));
}
