//! libtorch's threads.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, Builder};

use fm_run::error::{Error, Kind, Result};

/// Of each of libtorch's threads: what glibc gives where nothing else is said.
const STACK: usize = 8 << 20;

/// Tells libtorch how many threads to compute with; without a number, those that it takes by itself.
///
/// They are tried first: libtorch waits for ever for a thread that the system refuses, and OpenMP ends the process.
///
/// # Errors
/// [`Kind::Device`] when so many cannot be started.
pub fn set_threads(threads: Option<usize>) -> Result<()> {
    let wanted = threads.unwrap_or_else(|| tch::get_num_threads().max(1) as usize);
    // libtorch keeps a pool of its own beside OpenMP's.
    try_threads(2 * (wanted - 1)).map_err(|e| {
        Error::new(Kind::Device, format!("cannot start {wanted} threads: {}", fm_run::error::reason(&e)))
            .help("use fewer --threads, or raise the limits on processes and memory (ulimit -u, ulimit -v)")
    })?;
    if threads.is_some() {
        tch::set_num_threads(wanted as i32);
    }
    Ok(())
}

/// Starts so many threads, all of them alive at once, and ends them.
fn try_threads(count: usize) -> std::io::Result<()> {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let wait = || {
            while !done.load(Ordering::Acquire) {
                thread::park();
            }
        };
        let mut started = Vec::with_capacity(count);
        let mut result = Ok(());
        for _ in 0..count {
            match Builder::new().stack_size(STACK).spawn_scoped(scope, wait) {
                Ok(thread) => started.push(thread),
                Err(e) => {
                    result = Err(e);
                    break;
                }
            }
        }
        done.store(true, Ordering::Release);
        for thread in &started {
            thread.thread().unpark();
        }
        result
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_as_there_can_be() {
        assert!(try_threads(0).is_ok() && try_threads(20).is_ok());
        set_threads(Some(3)).unwrap();
        assert_eq!(tch::get_num_threads(), 3);
        set_threads(Some(1)).unwrap();
        assert_eq!(tch::get_num_threads(), 1);
    }
}
