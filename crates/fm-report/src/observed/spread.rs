//! Runs with a seed each: how their accuracies are distributed, and what votes of them score.

use fm_run::tables::Prediction;

use super::Scored;
use crate::error::{Error, Result};
use crate::stats::{
    Distribution, Interval, Noise, Said, Vote, disagreement, distribution, independence, noise, votes,
};

/// Orders of runs that votes are drawn in.
const DRAWS: usize = 200;

/// Runs of one configuration with a seed each.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    /// Seeds and accuracies, shares of 1, by rising seed.
    pub accuracies: Vec<(u64, f64)>,
    /// Of the accuracies.
    pub distribution: Distribution,
    /// Their standard deviation: how far networks differ, and what single images do.
    pub noise: Noise,
    /// The variance over seeds as a multiple of that of independent errors, with its interval.
    pub independence: (f64, Interval),
    /// The share of test images of which two runs predict different classes.
    pub disagreement: f64,
    /// Of 1, 2, 3 … runs.
    pub votes: Vec<Vote>,
}

pub(super) fn of(name: &str, runs: &[&Scored], most: usize) -> Result<Option<Spread>> {
    let mut runs: Vec<&&Scored> = runs.iter().collect();
    runs.sort_by_key(|run| run.run.spec.seed);
    if let Some([a, b]) = runs.windows(2).find(|pair| pair[0].run.spec.seed == pair[1].run.spec.seed) {
        let dirs = [a.source.dir.clone(), b.source.dir.clone()];
        return Err(Error::SameSeed { name: name.to_owned(), seed: a.run.spec.seed, dirs });
    }
    let (mut said, mut labels) = (Said::default(), Vec::new());
    let (mut right, mut accuracies) = (Vec::new(), Vec::new());
    for run in &runs {
        let predictions = run.predictions()?;
        let own: Vec<u8> = predictions.iter().map(|p| p.label).collect();
        if right.is_empty() {
            labels = own;
        } else if labels != own {
            let dirs = [runs[0], run].map(|run| run.source.dir.clone());
            let [first, second] = dirs;
            return Err(Error::OtherTest { first, second });
        }
        let correct: Vec<bool> = predictions.iter().map(Prediction::is_right).collect();
        let share = correct.iter().filter(|&&right| right).count() as f64 / labels.len() as f64;
        accuracies.push((run.run.spec.seed, share));
        right.push(correct);
        said.classes.push(predictions.iter().map(|p| p.predicted).collect());
        said.sure.push(predictions.iter().map(|p| p.p_predicted as f32).collect());
    }
    let values: Vec<f64> = accuracies.iter().map(|&(_, share)| share).collect();
    let rows: Vec<&[bool]> = right.iter().map(Vec::as_slice).collect();
    // All have one test set.
    let noise = noise(&rows).ok().flatten();
    let (Some(distribution), Some(noise), Some(disagreement)) =
        (distribution(&values), noise, disagreement(&said))
    else {
        return Ok(None);
    };
    let votes = votes(&said, &labels, most, DRAWS);
    let independence = independence(&noise, runs.len());
    Ok(Some(Spread { accuracies, distribution, noise, independence, disagreement, votes }))
}
