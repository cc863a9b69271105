//! What a vote of several runs scores.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::agreement;

/// What runs said of the same images.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Said {
    /// By run and image the predicted class.
    pub classes: Vec<Vec<u8>>,
    /// By run and image the probability of that class.
    pub sure: Vec<Vec<f32>>,
}

/// Votes of so many runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Vote {
    /// Runs that vote together.
    pub runs: usize,
    /// Mean accuracy over the votes that were drawn.
    pub mean: f64,
    /// Its standard deviation over them; none where all runs vote, since that vote is the only one.
    pub sd: Option<f64>,
}

/// Votes of 1 to `most` runs, as many as there are at most: the class that most runs predict, of equals that of which
/// they are surer in sum. Which runs vote is drawn `draws` times without replacement, from a fixed seed; each drawn order
/// of runs gives one vote of every size.
#[must_use]
pub fn votes(said: &Said, labels: &[u8], most: usize, draws: usize) -> Vec<Vote> {
    let most = most.min(said.classes.len());
    let classes = said.classes.iter().flatten().chain(labels).map(|&c| usize::from(c) + 1).max().unwrap_or(1);
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    let mut order: Vec<usize> = (0..said.classes.len()).collect();
    let mut scores = vec![Vec::with_capacity(draws); most];
    for _ in 0..draws {
        for at in 0..most {
            // A bias of 2^-64 times the runs does not show.
            let other = at + (rng.next_u64() % (order.len() - at) as u64) as usize;
            order.swap(at, other);
        }
        let mut tally = vec![(0_u32, 0.0_f32); classes * labels.len()];
        let mut leader: Vec<Option<u8>> = vec![None; labels.len()];
        for (votes, &run) in scores.iter_mut().zip(&order) {
            for (image, (&class, &sure)) in said.classes[run].iter().zip(&said.sure[run]).enumerate() {
                let own = image * classes;
                let new = &mut tally[own + usize::from(class)];
                *new = (new.0 + 1, new.1 + sure);
                let new = *new;
                if leader[image].is_none_or(|leader| new > tally[own + usize::from(leader)]) {
                    leader[image] = Some(class);
                }
            }
            let right = leader.iter().zip(labels).filter(|(leader, label)| **leader == Some(**label)).count();
            votes.push(right as f64 / labels.len() as f64);
        }
    }
    let vote = |(at, scores): (usize, &Vec<f64>)| {
        let summary = super::summarize(scores)?;
        let sd = summary.sd.filter(|_| at + 1 < said.classes.len());
        Some(Vote { runs: at + 1, mean: summary.mean, sd })
    };
    scores.iter().enumerate().filter_map(vote).collect()
}

/// The share of images of which two runs, drawn at random, predict different classes. None with fewer than two runs.
#[must_use]
pub fn disagreement(said: &Said) -> Option<f64> {
    let (runs, images) = (said.classes.len(), said.classes.first()?.len());
    if runs < 2 || images == 0 {
        return None;
    }
    let agreed = |image: usize| {
        let mut named = [0; 256];
        said.classes.iter().for_each(|run| named[usize::from(run[image])] += 1);
        agreement(&named)
    };
    Some(1.0 - (0..images).filter_map(agreed).sum::<f64>() / images as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(runs: &[(&[u8], &[f32])]) -> Said {
        Said {
            classes: runs.iter().map(|run| run.0.to_vec()).collect(),
            sure: runs.iter().map(|run| run.1.to_vec()).collect(),
        }
    }

    /// Three runs, each right on two of three images and wrong on another one: alone two thirds, together all.
    #[test]
    fn votes_outdo_what_each_misses() {
        let same: &[f32] = &[0.6; 3];
        let said = said(&[(&[0, 0, 0], same), (&[0, 1, 1], same), (&[2, 1, 0], same)]);
        let votes = votes(&said, &[0, 1, 0], 100, 50);
        assert_eq!(votes.len(), 3);
        assert_eq!((votes[2].mean, votes[2].sd), (1.0, None));
        assert!((votes[0].mean - 2.0 / 3.0).abs() < 1e-12, "{votes:?}");
    }

    #[test]
    fn of_equals_the_surer_class_wins_also_when_a_third_comes_up() {
        let said = said(&[(&[0], &[0.5]), (&[1], &[0.9]), (&[2], &[0.7]), (&[0], &[0.3])]);
        // Two votes for class 0 beat one of each other; of two runs the surer is right or not.
        let all = |votes: &[Vote]| votes.last().is_some_and(|vote| vote.mean > 0.999);
        assert!(all(&votes(&said, &[0], 4, 20)));
        let pair = Said { classes: said.classes[..2].to_vec(), sure: said.sure[..2].to_vec() };
        assert!(all(&votes(&pair, &[1], 2, 20)));
    }

    #[test]
    fn pairs_that_differ_are_counted() {
        let sure: &[f32] = &[1.0; 2];
        let found = disagreement(&said(&[(&[0, 1], sure), (&[0, 2], sure), (&[0, 2], sure)]));
        // Of three pairs two differ on the second image.
        assert!((found.unwrap() - 1.0 / 3.0).abs() < 1e-12);
        assert_eq!(disagreement(&said(&[(&[0], &[1.0])])), None);
    }
}
