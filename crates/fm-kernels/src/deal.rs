//! How the tasks of a round are dealt out: each worker has a share of its own, and takes of others' when that is done.
//!
//! A share is always the same part of the whole. So what one round leaves in a worker's cache the next one finds there, all
//! the more as each goes through its share in the direction opposite to the last one's.

use std::sync::atomic::{AtomicU64, Ordering};

/// Tasks from the first to before the second, which fit one number. A cache line of its own, as all workers look at it.
#[repr(align(128))]
#[derive(Debug, Default)]
struct Share(AtomicU64);

impl Share {
    fn set(&self, first: u32, end: u32) {
        self.0.store(u64::from(end) << 32 | u64::from(first), Ordering::Relaxed);
    }

    /// The first or the last one left.
    fn take(&self, last: bool) -> Option<usize> {
        let mut own = self.0.load(Ordering::Relaxed);
        loop {
            let (first, end) = (own as u32, (own >> 32) as u32);
            if first >= end {
                return None;
            }
            let (task, left) = if last { (end - 1, own - (1 << 32)) } else { (first, own + 1) };
            match self.0.compare_exchange_weak(own, left, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => return Some(task as usize),
                Err(now) => own = now,
            }
        }
    }
}

/// The shares of all workers.
#[derive(Debug)]
pub(crate) struct Deal {
    shares: Vec<Share>,
    /// Numbers of rounds so far.
    rounds: AtomicU64,
}

impl Deal {
    pub(crate) fn new(workers: usize) -> Self {
        Self { shares: (0..workers).map(|_| Share::default()).collect(), rounds: AtomicU64::new(0) }
    }

    /// Begins a round of so many tasks. No worker is in one.
    pub(crate) fn begin(&self, tasks: usize) {
        self.rounds.fetch_add(1, Ordering::Relaxed);
        let count = self.shares.len();
        for (worker, share) in self.shares.iter().enumerate() {
            let at = |worker: usize| (tasks * worker / count) as u32;
            share.set(at(worker), at(worker + 1));
        }
    }

    /// A worker's next task: of its own share, or from the far end of another's.
    pub(crate) fn next(&self, worker: usize) -> Option<usize> {
        let back = self.rounds.load(Ordering::Relaxed) % 2 == 1;
        let count = self.shares.len();
        self.shares[worker]
            .take(back)
            .or_else(|| (1..count).find_map(|ahead| self.shares[(worker + ahead) % count].take(!back)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_is_dealt_once_whoever_comes() {
        for (workers, tasks) in [(1, 5), (2, 7), (3, 2), (4, 0), (7, 100)] {
            let deal = Deal::new(workers);
            for round in 0..3 {
                deal.begin(tasks);
                let mut seen = vec![0; tasks];
                // One worker alone, and then all that there are, in turns.
                let mut worker = 0;
                while let Some(task) = deal.next(worker % workers) {
                    seen[task] += 1;
                    worker += usize::from(round > 0);
                }
                assert!(seen.iter().all(|&count| count == 1), "{workers} workers, {tasks} tasks: {seen:?}");
            }
        }
    }

    #[test]
    fn a_worker_begins_where_it_ended() {
        let deal = Deal::new(2);
        deal.begin(8);
        let first: Vec<usize> = (0..4).filter_map(|_| deal.next(1)).collect();
        deal.begin(8);
        let second: Vec<usize> = (0..4).filter_map(|_| deal.next(1)).collect();
        assert_eq!(second, first.iter().rev().copied().collect::<Vec<_>>());
        assert!(first.iter().all(|&task| task >= 4), "{first:?}");
    }
}
