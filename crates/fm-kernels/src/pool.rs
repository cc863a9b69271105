//! A few persistent threads that run one closure together.
//!
//! A step has two halves of a few hundred microseconds each: too short for channels and condition
//! variables. Waiting threads spin for a while, then park. A round does not wait for a worker that
//! the machine has not scheduled: the jobs deal out work in pieces, and whoever runs takes them all.

use std::cell::UnsafeCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle, Thread};
use std::time::Duration;

use crate::Error;
use crate::deal::Deal;
use crate::float_mode::FlushGuard;

/// Turns of the waiting loop before a thread parks: some tens of microseconds.
const SPINS: u32 = 4000;

/// Bytes of a thread: its stack, as Rust has it where nothing else is asked for, guard pages and the stack for signals.
const STACK: usize = (2 << 20) + (64 << 10);

/// In [`Shared::state`]: workers may still join the round.
const OPEN: usize = 1 << 15;
/// In [`Shared::state`]: workers in the round.
const INSIDE: usize = OPEN - 1;
/// In [`Shared::state`]: where the round's number starts.
const ROUND: u32 = 16;

type Job = dyn Fn(usize) + Sync + 'static;

struct Shared {
    /// The job of the current round; valid while the round is open or workers are in it.
    job: UnsafeCell<Option<&'static Job>>,
    /// Number of the round, whether it is [`OPEN`], and how many workers are in it.
    state: AtomicUsize,
    /// A worker's job panicked.
    failed: AtomicBool,
    stop: AtomicBool,
    /// Which workers are parked, or about to be.
    asleep: Vec<AtomicBool>,
}

// SAFETY: `job` is written by the owner while the round is closed and no worker is inside, before the
// release store of `state`; workers read it after joining, which acquires that store.
unsafe impl Sync for Shared {}

/// The threads; the caller's own thread is worker 0.
pub(crate) struct Pool {
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
    handles: Vec<Thread>,
    deal: Arc<Deal>,
}

impl Pool {
    pub(crate) fn new(workers: usize) -> Result<Self, Error> {
        let others = workers.saturating_sub(1);
        room_for_stacks(others)?;
        let shared = Arc::new(Shared {
            job: UnsafeCell::new(None),
            state: AtomicUsize::new(0),
            failed: AtomicBool::new(false),
            stop: AtomicBool::new(false),
            asleep: (0..others).map(|_| AtomicBool::new(false)).collect(),
        });
        let deal = Arc::new(Deal::new(workers.max(1)));
        let mut pool = Self { shared, threads: Vec::new(), handles: Vec::new(), deal };
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

    /// Runs tasks that lie in memory as they are numbered, each part of them on the same worker as in the last such round if
    /// it comes in time: `work(worker, task)`.
    pub(crate) fn near(&mut self, tasks: usize, work: &(dyn Fn(usize, usize) + Sync)) {
        let deal = Arc::clone(&self.deal);
        deal.begin(tasks);
        self.run(&|worker| {
            while let Some(task) = deal.next(worker) {
                work(worker, task);
            }
        });
    }

    /// Runs `job` on this thread and on every worker that comes in time; returns when all have finished.
    ///
    /// `job` on one worker alone must be enough.
    pub(crate) fn run(&mut self, job: &(dyn Fn(usize) + Sync)) {
        let shared = &*self.shared;
        if self.threads.is_empty() {
            let _mode = FlushGuard::new();
            job(0);
            return;
        }
        // SAFETY: only the lifetime changes; the workers have left the round before `run` returns.
        let job_for_ever: &'static Job =
            unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), &'static Job>(job) };
        // SAFETY: the last round is closed and empty: no worker reads it now.
        unsafe { *shared.job.get() = Some(job_for_ever) };
        let round = (shared.state.load(Ordering::Relaxed) >> ROUND) + 1;
        // Sequentially consistent against `asleep`: either the worker sees the round, or we see it asleep.
        shared.state.store(round << ROUND | OPEN, Ordering::SeqCst);
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

/// Refuses threads that have no room: one that gets its stack, but then not the small one for signals, which Rust
/// allocates within the thread, panics before anything of ours can see to it.
fn room_for_stacks(threads: usize) -> Result<(), Error> {
    let bytes = threads.saturating_mul(STACK);
    let mut stacks = Vec::<u8>::new();
    let refused = |_| Error::Threads(format!("there are no {bytes} bytes for {threads} stacks"));
    stacks.try_reserve_exact(bytes).map_err(refused)?;
    // Memory that is not looked at need not be asked for.
    std::hint::black_box(&mut stacks);
    Ok(())
}

struct Wait<'a>(&'a Shared);

impl Drop for Wait<'_> {
    fn drop(&mut self) {
        let mut spins = 0_u32;
        self.0.state.fetch_and(!OPEN, Ordering::AcqRel);
        while self.0.state.load(Ordering::Acquire) & INSIDE != 0 {
            spins = spins.saturating_add(1);
            if spins < SPINS * 4 { std::hint::spin_loop() } else { thread::yield_now() }
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        self.shared.state.fetch_add(1 << ROUND, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            thread.thread().unpark();
            // A worker catches its job's panics; there is nothing left to report.
            drop(thread.join());
        }
    }
}

fn work(shared: &Shared, worker: usize) {
    let _mode = FlushGuard::new();
    let asleep = &shared.asleep[worker - 1];
    let mut seen = 0;
    loop {
        let mut spins = 0;
        let state = loop {
            let state = shared.state.load(Ordering::Acquire);
            if state >> ROUND != seen {
                break state;
            }
            spins += 1;
            if spins < SPINS {
                std::hint::spin_loop();
                continue;
            }
            asleep.store(true, Ordering::SeqCst);
            if shared.state.load(Ordering::SeqCst) >> ROUND == seen {
                thread::park_timeout(Duration::from_secs(1));
            }
            asleep.store(false, Ordering::SeqCst);
            spins = 0;
        };
        if shared.stop.load(Ordering::SeqCst) {
            return;
        }
        if state & OPEN == 0 {
            // Too late for this one.
            seen = state >> ROUND;
            continue;
        }
        let joined = shared.state.compare_exchange(state, state + 1, Ordering::AcqRel, Ordering::Relaxed);
        if joined.is_err() {
            // Someone else joined, or the round was closed: look again.
            continue;
        }
        seen = state >> ROUND;
        // SAFETY: written before this round opened, and alive until we leave it.
        let job = unsafe { *shared.job.get() };
        if let Some(job) = job {
            let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| job(worker)));
            if outcome.is_err() {
                shared.failed.store(true, Ordering::Relaxed);
            }
        }
        shared.state.fetch_sub(1, Ordering::Release);
    }
}
