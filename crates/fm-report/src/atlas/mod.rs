//! The atlas of a data set: what many runs, each trained on a part of the images, know of every image that they did not
//! train on.
//!
//! ```text
//! predictions_by_epoch.npz of each run ─ Tally of even and of odd runs ─▸ Facts by image ─▸ tables
//!                                              └ rank correlation of both halves
//! ```

mod facts;
mod tables;
mod tally;

use std::path::{Path, PathBuf};

use fm_run::{Identified, files, store};

use crate::by_epoch::ByEpoch;
use crate::error::{Error, Result};
use crate::source::{Source, sources};
use crate::stats::{fleiss_kappa, spearman};
use tally::Tally;

pub use facts::{Facts, Suggested};

/// The two files of a data set, in the order of everything that is by file here.
pub const SETS: [&str; 2] = ["train", "test"];

/// What the runs of one statement know.
#[derive(Debug, Clone, PartialEq)]
pub struct Atlas {
    /// The statement, by the run of the lowest seed.
    pub run: Identified,
    /// Seeds of the runs, rising.
    pub seeds: Vec<u64>,
    /// Epochs of each, of the network that classifies.
    pub epochs: u32,
    /// Training and test images.
    pub images: [Vec<Facts>; 2],
    /// Labels of the same.
    pub labels: [Vec<u8>; 2],
    /// Fleiss' kappa of the training and of the test images.
    pub kappa: [Option<f64>; 2],
    /// Rank correlations (Spearman) of the runs in even and in odd places, over images of both files that runs of both
    /// halves held out: of difficulty, and of the share that is correct.
    pub halves: [Option<f64>; 2],
    /// Runs that are not finished.
    pub unfinished: Vec<PathBuf>,
}

/// The runs in a directory that have kept what every epoch predicts.
#[derive(Debug)]
pub struct Runs {
    /// By seed.
    runs: Vec<(Source, Identified)>,
    unfinished: Vec<PathBuf>,
}

impl Runs {
    /// Finds them.
    ///
    /// # Errors
    /// When there are none, they differ by more than their seed, or one cannot be read.
    pub fn find(place: &Path) -> Result<Self> {
        let kept = |source: &Source| source.dir.join(files::PREDICTIONS_BY_EPOCH).exists();
        let (mut runs, mut unfinished) = (Vec::new(), Vec::new());
        for source in sources(place)?.into_iter().filter(kept) {
            if !source.done() {
                unfinished.push(source.dir);
                continue;
            }
            let (run, _) = source.run()?;
            runs.push((source, run));
        }
        runs.sort_by_key(|(_, run)| run.spec.seed);
        let Some(((first, of_first), others)) = runs.split_first() else {
            return Err(Error::NoneByEpoch { path: place.to_owned() });
        };
        let traits = of_first.traits();
        if let Some((other, _)) = others.iter().find(|(_, run)| run.traits() != traits) {
            return Err(Error::OtherStatement { first: first.dir.clone(), second: other.dir.clone() });
        }
        if let Some([(a, run), (b, _)]) = runs.array_windows().find(|[a, b]| a.1.spec.seed == b.1.spec.seed) {
            let (name, seed) = (run.spec.arch.to_string(), run.spec.seed);
            return Err(Error::SameSeed { name, seed, dirs: [a.dir.clone(), b.dir.clone()] });
        }
        Ok(Self { runs, unfinished })
    }

    /// The run of the lowest seed, which says what they all are.
    #[must_use]
    pub fn first(&self) -> &Identified {
        &self.runs[0].1
    }

    /// How many.
    #[must_use]
    pub fn len(&self) -> usize {
        self.runs.len()
    }

    /// Whether there are none: never.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Adds up what they say of a data set with these labels of its training and its test file.
    ///
    /// # Errors
    /// When a file cannot be read or is about other images.
    pub fn atlas(self, labels: [&[u8]; 2], classes: usize) -> Result<Atlas> {
        // By half and file.
        let mut halves: Option<[[Tally; 2]; 2]> = None;
        let mut epochs = 0;
        for (at, (source, _)) in self.runs.iter().enumerate() {
            let path = source.dir.join(files::PREDICTIONS_BY_EPOCH);
            let bytes = store::read(&path, store::MAX_TABLE)
                .map_err(|e| Error::File { path: path.clone(), what: e.message().to_owned() })?;
            let said = ByEpoch::decode(&path, &bytes)?;
            let bad = |what: String| Error::File { path: path.clone(), what };
            if said.epochs.is_empty() {
                return Err(bad("it has no epochs".to_owned()));
            }
            let halves = halves.get_or_insert_with(|| {
                epochs = said.epochs.len();
                [(); 2].map(|()| labels.map(|labels| Tally::new(labels.len(), classes, epochs)))
            });
            let [train, test] = &mut halves[at % 2];
            train.add(labels[0], &said.val).map_err(bad)?;
            test.add(labels[1], &said.test).map_err(bad)?;
        }
        let [even, odd] = halves.unwrap_or_default();
        let whole = [even[0].with(&odd[0]), even[1].with(&odd[1])];
        let facts = |tallies: &[Tally; 2], set: usize| -> Vec<Facts> {
            (0..tallies[set].len()).map(|at| Facts::of(&tallies[set], at, labels[set][at])).collect()
        };
        let both = |half: &[Tally; 2]| [facts(half, 0), facts(half, 1)].concat();
        let kappa = |tally: &Tally| fleiss_kappa(tally.named.chunks_exact(classes.max(1)));
        Ok(Atlas {
            run: self.first().clone(),
            seeds: self.runs.iter().map(|(_, run)| run.spec.seed).collect(),
            epochs: epochs as u32,
            images: [facts(&whole, 0), facts(&whole, 1)],
            labels: labels.map(<[u8]>::to_vec),
            kappa: [kappa(&whole[0]), kappa(&whole[1])],
            halves: correlations(&both(&even), &both(&odd)),
            unfinished: self.unfinished,
        })
    }
}

/// Rank correlations of difficulty and of the share that is correct, over what both halves held out.
fn correlations(even: &[Facts], odd: &[Facts]) -> [Option<f64>; 2] {
    let seen: Vec<(&Facts, &Facts)> =
        even.iter().zip(odd).filter(|(a, b)| a.runs > 0 && b.runs > 0).collect();
    let of = |value: fn(&Facts) -> f64| {
        let (a, b): (Vec<f64>, Vec<f64>) = seen.iter().map(|(a, b)| (value(a), value(b))).unzip();
        spearman(&a, &b)
    };
    [of(Facts::difficulty), of(|facts| facts.correct)]
}

impl Atlas {
    /// Images that some run held out, hardest first: file and row. Of equals the first.
    #[must_use]
    pub fn hardest(&self) -> Vec<(usize, usize)> {
        self.ranked(|facts| (facts.runs > 0).then(|| facts.difficulty()))
    }

    /// Images whose label some run doubts, most suspicious first: file and row.
    #[must_use]
    pub fn suspects(&self) -> Vec<(usize, usize)> {
        self.ranked(Facts::suspicion)
    }

    fn ranked(&self, score: impl Fn(&Facts) -> Option<f64>) -> Vec<(usize, usize)> {
        let scored = |(set, images): (usize, &Vec<Facts>)| {
            let of = |(row, facts)| Some((score(facts)?, (set, row)));
            images.iter().enumerate().filter_map(of).collect::<Vec<_>>()
        };
        let mut all: Vec<_> = self.images.iter().enumerate().flat_map(scored).collect();
        all.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        all.into_iter().map(|(_, image)| image).collect()
    }

    /// Test images that no run classifies correctly, most confidently wrong first.
    #[must_use]
    pub fn missed_by_all(&self) -> Vec<usize> {
        let missed = |&(set, row): &(usize, usize)| set == 1 && self.images[1][row].correct == 0.0;
        self.suspects().into_iter().filter(missed).map(|(_, row)| row).collect()
    }
}

#[cfg(test)]
mod tests;
