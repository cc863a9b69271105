//! Many runs of one configuration → what chance does to their accuracy: its distribution, where it comes from, what a vote
//! makes of it.
//!
//! Runs are grouped by everything that decides but their seeds ([`SEEDS`](fm_run::spec::SEEDS)). Those whose purposes have no seeds of their own
//! make the distribution, those with such seeds a crossed design.

mod crossed;
mod pictures;
mod spread;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::thread;

use fm_run::spec::Weights;
use fm_run::tables::{self, Prediction};
use fm_run::{Identified, files};

pub use crossed::Crossing;
pub use pictures::observed_pictures;
pub use spread::Spread;

use crate::error::{Error, Result};
use crate::groups::names;
use crate::source::{Source, finished};
use crate::wanted::{Condition, meets};

/// What is known of one configuration.
#[derive(Debug, Clone, PartialEq)]
pub struct Observed {
    /// What tells it apart from the others, such as `cnn, weights mean:2`.
    pub name: String,
    /// Of runs with a seed each; none of fewer than four, or where all have one accuracy.
    pub spread: Option<Spread>,
    /// Of runs whose purposes have seeds of their own.
    pub crossing: Option<Crossing>,
}

/// All configurations that were found, and what was passed over.
#[derive(Debug, Clone, PartialEq)]
pub struct Observations {
    /// By configuration, as they were found.
    pub configurations: Vec<Observed>,
    /// Directories of runs that are not finished.
    pub unfinished: Vec<PathBuf>,
    /// Runs whose averaged weights are passed over: a packed file keeps what a run itself leaves.
    pub without_averages: usize,
}

/// One of the weights that a run has left, with their scores.
#[derive(Debug, Clone)]
struct Scored {
    source: Source,
    run: Identified,
    weights: Weights,
}

impl Scored {
    fn is_crossed(&self) -> bool {
        self.run.spec.given_seeds()[1..].iter().any(Option::is_some)
    }

    /// What it was a run of, whatever its seeds.
    fn configuration(&self) -> Identified {
        let mut run = self.run.leaving(self.weights);
        let spec = &mut run.spec;
        (spec.seed_init, spec.seed_order, spec.seed_augment) = (None, None, None);
        spec.score_at = Vec::new();
        run
    }

    /// What these weights predict on the test set.
    fn predictions(&self) -> Result<Vec<Prediction>> {
        let lacking = || Error::NoPredictions { path: self.source.dir.clone(), epochs: self.run.spec.epochs };
        if self.weights == self.run.spec.weights {
            let (_, predictions) = self.source.tables(None)?;
            return if predictions.is_empty() { Err(lacking()) } else { Ok(predictions) };
        }
        let path = self.source.dir.join(files::scores_of(self.weights)).join(files::PREDICTIONS);
        if path.exists() { Ok(tables::read(&path)?) } else { Err(lacking()) }
    }
}

/// Finished runs in `places`, see [`finished`](crate::finished()), that meet the conditions; votes of up to `most` runs.
///
/// # Errors
/// When there is no such run, a file cannot be read, or runs of one configuration were scored on different test sets.
pub fn observe(places: &[PathBuf], conditions: &[Condition], most: usize) -> Result<Observations> {
    let (mut order, mut unfinished, mut without_averages) = (Vec::new(), Vec::new(), 0);
    let mut groups: BTreeMap<String, Vec<Scored>> = BTreeMap::new();
    for place in places {
        let (finished, others) = finished(place)?;
        unfinished.extend(others);
        for source in finished {
            let (run, _) = source.run()?;
            if !meets(conditions, &source, &run) {
                continue;
            }
            let mut all = run.spec.scored();
            if source.is_packed() && all.len() > 1 {
                all.retain(|&weights| weights == run.spec.weights);
                without_averages += 1;
            }
            for weights in all {
                let scored = Scored { source: source.clone(), run: run.clone(), weights };
                let key = scored.configuration().traits().to_string();
                if !groups.contains_key(&key) {
                    order.push(key.clone());
                }
                groups.entry(key).or_default().push(scored);
            }
        }
    }
    let groups: Vec<Vec<Scored>> = order.iter().filter_map(|key| groups.remove(key)).collect();
    if groups.is_empty() {
        let path = places.first().cloned().unwrap_or_default();
        let nothing = Error::Nothing { path: path.clone(), epochs: None };
        return Err(if conditions.is_empty() { nothing } else { Error::NoneSo { path } });
    }
    Ok(Observations { configurations: all(&groups, most)?, unfinished, without_averages })
}

/// As many configurations at once as there are cores.
fn all(groups: &[Vec<Scored>], most: usize) -> Result<Vec<Observed>> {
    let firsts: Vec<Identified> = groups.iter().map(|runs| runs[0].configuration()).collect();
    let names = names(&firsts.iter().collect::<Vec<_>>());
    let named: Vec<(&Vec<Scored>, String)> = groups.iter().zip(names).collect();
    let threads = thread::available_parallelism().map_or(1, usize::from).min(named.len());
    let turn = |turn: usize| {
        let own = named.iter().enumerate().skip(turn).step_by(threads);
        own.map(|(at, (runs, name))| (at, one(name, runs, most))).collect::<Vec<_>>()
    };
    let mut observed: Vec<_> = thread::scope(|scope| {
        let turn = &turn;
        let started: Vec<_> = (0..threads).map(|own| scope.spawn(move || turn(own))).collect();
        started.into_iter().flat_map(|thread| thread.join().expect("observing does not panic")).collect()
    });
    observed.sort_by_key(|&(at, _)| at);
    observed.into_iter().map(|(_, observed)| observed).collect()
}

fn one(name: &str, runs: &[Scored], most: usize) -> Result<Observed> {
    let (crossed, single): (Vec<&Scored>, Vec<&Scored>) = runs.iter().partition(|run| run.is_crossed());
    let (spread, crossing) = (spread::of(name, &single, most)?, crossed::of(name, &crossed)?);
    Ok(Observed { name: name.to_owned(), spread, crossing })
}
