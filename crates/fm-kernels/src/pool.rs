//! A few persistent threads that run one closure together.
//!
//! A step has two halves of a few hundred microseconds each: too short for channels and condition
//! variables. Waiting threads spin for a while, then park.

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use crate::Error;
use crate::float_mode::{FlushGuard, flush_denormals};

/// Turns of the waiting loop before a thread parks: some tens of microseconds.
const SPINS: u32 = 4000;

type Job = dyn Fn(usize) + Sync + 'static;

struct Shared {
    /// The job of the current round; valid while `left` is not zero.
    job: UnsafeCell<Option<&'static Job>>,
    /// Counts rounds.
    round: AtomicUsize,
    /// Workers that have not finished the round.
    left: AtomicUsize,
    /// A worker's job panicked.
    failed: AtomicBool,
    stop: AtomicBool,
    /// Which workers are parked, or about to be.
    asleep: Vec<AtomicBool>,
}

// SAFETY: `job` is written by the owner while no worker runs (`left` is zero), before the release
// store of `round`, and read by workers after the acquire load of it.
unsafe impl Sync for Shared {}

/// The threads; the caller's own thread is worker 0.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    handles: Vec<Thread>,
}

impl Pool {
    pub(crate) fn new(workers: usize) -> Result<Self, Error> {
        let others = workers.saturating_sub(1);
        let shared = Arc::new(Shared {
            job: UnsafeCell::new(None),
            round: AtomicUsize::new(0),
            left: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            asleep: (0..others).map(|_| AtomicBool::new(false)).collect(),
        });
        let mut pool = Self { shared, threads: Vec::new(), handles: Vec::new() };
        for worker in 1..=others {
            let shared = Arc::clone(&pool.shared);
            let thread = thread::Builder::new()
                .name(format!("fm-kernels-{worker}"))
                .spawn(move || work(&shared, worker))
                .map_err(|error| Error::Threads(error.to_string()))?;
            pool.handles.push(thread.thread().clone());
            pool.threads.push(thread);
        }
        Ok(pool)
    }

    pub(crate) fn workers(&self) -> usize {
        self.threads.len() + 1
    }

    /// Runs `job` once on every worker and returns when all have finished.
    pub(crate) fn run(&mut self, job: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        if self.threads.is_empty() {
            let _mode = FlushGuard::new();
            job(0);
            return;
        }
        // SAFETY: only the lifetime changes; the workers are done with it before `run` returns.
        let job_for_ever: &'static Job =
            unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static Job>(job) };
        // SAFETY: `left` is zero: no worker reads it now.
        unsafe { *shared.job.get() = Some(job_for_ever) };
        shared.left.store(self.threads.len(), Ordering::Relaxed);
        // Sequentially consistent against `asleep`: either the worker sees the round, or we see it asleep.
        shared.round.fetch_add(1, Ordering::SeqCst);
        for (asleep, thread) in shared.asleep.iter().zip(&self.handles) {
            if asleep.load(Ordering::SeqCst) {
                thread.unpark();
            }
        }
        // Waits for the workers even when our own share panics: they hold `job`.
        let wait = Wait(shared);
        {
            let _mode = FlushGuard::new();
            job(0);
        }
        drop(wait);
        assert!(!shared.failed.load(Ordering::Relaxed), "a worker thread panicked");
    }
}

struct Wait<'a>(&'a Shared);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut spins = 0_u32;
        while self.0.left.load(Ordering::Acquire) != 0 {
            spins = spins.saturating_add(1);
            if spins < SPINS * 4 { std::hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.round.fetch_add(1, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A worker catches its job's panics; there is nothing left to report.
            drop(thread.join());
        }
    }
}

fn work(shared: &Shared, worker: usize) {
    flush_denormals();
    let asleep = &shared.asleep[worker - 1];
    let mut seen = 0;
    loop {
        let mut spins = 0;
        loop {
            let round = shared.round.load(Ordering::Acquire);
            if round != seen {
                seen = round;
                break;
            }
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
                continue;
            }
            asleep.store(true, Ordering::SeqCst);
            if shared.round.load(Ordering::SeqCst) == seen {
                thread::park_timeout(Duration::from_secs(1));
            }
            asleep.store(false, Ordering::SeqCst);
            spins = 0;
        }
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        // SAFETY: written before this round began, and alive until `left` falls to zero.
        let job = unsafe { *shared.job.get() };
        if let Some(job) = job {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(worker)));
            if outcome.is_err() {
                shared.failed.store(true, Ordering::Relaxed);
            }
        }
        shared.left.fetch_sub(1, Ordering::Release);
    }
}
