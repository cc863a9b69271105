//! What the runs together know of one image.

use super::tally::Tally;
use crate::stats::agreement;

/// What the runs that did not train on an image say of it. Shares and probabilities are means over those runs, after their
/// last epoch.
#[derive(Debug, Clone, PartialEq)]
pub struct Facts {
    /// How many runs; what follows is 0 and none where there are none.
    pub runs: u32,
    /// Share that named the true class.
    pub correct: f64,
    /// Probability of the true class: its mean *self-confidence* (Northcutt et al. 2021, "Confident learning").
    pub p_true: f64,
    /// The wrong classes that were named, with the share of runs, the most frequent first.
    pub confusions: Vec<(u8, f64)>,
    /// The epoch by which half of the runs had learned the image: it and all later ones name the true class (Toneva et al.
    /// 2019; the *iteration learned* of Baldock et al. 2021). None where fewer than half end with the true class.
    pub learned: Option<u32>,
    /// Mean number of *forgetting events*: an epoch names another class after one that named the true class (Toneva et al.
    /// 2019).
    pub forgotten: f64,
    /// Chance that two of the runs name the same class (Fleiss 1971); none with one run.
    pub agreement: Option<f64>,
    /// The wrong class with the largest mean probability, counting those runs alone that name it.
    pub suggested: Option<Suggested>,
}

/// Another class than the label's.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Suggested {
    /// The class.
    pub class: u8,
    /// Share of runs that name it.
    pub share: f64,
    /// Its mean probability, where a run that does not name it counts as 0: high only if runs are sure of it and of one
    /// mind.
    pub p: f64,
}

impl Facts {
    /// How hard the image is: one minus the mean probability of the true class.
    #[must_use]
    pub fn difficulty(&self) -> f64 {
        1.0 - self.p_true
    }

    /// How much speaks against the label, from -1 to 1: the *normalized margin* (Northcutt et al. 2021) of means, the
    /// suggested class's probability less the true class's. 1 where every run is sure of the same other class. None where
    /// no run names another.
    #[must_use]
    pub fn suspicion(&self) -> Option<f64> {
        self.suggested.map(|suggested| suggested.p - self.p_true)
    }

    /// Of an image of a tally.
    pub(super) fn of(tally: &Tally, image: usize, label: u8) -> Self {
        let runs = tally.runs[image];
        let n = f64::from(runs.max(1));
        let named = &tally.named[image * tally.classes..][..tally.classes];
        let p_named = &tally.p_named[image * tally.classes..][..tally.classes];
        let wrong = |class: &usize| *class != usize::from(label) && named[*class] > 0;
        let share = |class: usize| f64::from(named[class]) / n;
        let mut confusions: Vec<(u8, f64)> =
            (0..tally.classes).filter(wrong).map(|class| (class as u8, share(class))).collect();
        confusions.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        let likeliest = (0..tally.classes)
            .filter(wrong)
            .max_by(|&a, &b| p_named[a].total_cmp(&p_named[b]).then(b.cmp(&a)));
        let suggested = likeliest.map(|class| Suggested {
            class: class as u8,
            share: share(class),
            p: p_named[class] / n,
        });
        Self {
            runs,
            correct: share(usize::from(label)),
            p_true: tally.p_true[image] / n,
            confusions,
            learned: learned(&tally.learned[image * (tally.epochs + 1)..][..=tally.epochs]),
            forgotten: f64::from(tally.forgotten[image]) / n,
            agreement: agreement(named),
            suggested,
        }
    }
}

/// The first epoch with which at least half have learned, by how many have with each and last how many never did.
fn learned(counts: &[u32]) -> Option<u32> {
    let (_, with) = counts.split_last()?;
    let half = counts.iter().sum::<u32>().div_ceil(2).max(1);
    let mut so_far = 0;
    let by = with.iter().position(|count| {
        so_far += count;
        so_far >= half
    });
    by.map(|epoch| epoch as u32 + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_runs_have_learned_by() {
        assert_eq!(learned(&[1, 1, 2]), Some(2));
        assert_eq!(learned(&[2, 0, 2]), Some(1));
        assert_eq!(learned(&[1, 0, 2]), None);
        assert_eq!(learned(&[0, 0, 0]), None);
    }

    #[test]
    fn facts_by_hand() {
        let mut tally = Tally::new(2, 3, 2);
        tally.runs = vec![4, 0];
        tally.named = vec![1, 2, 1, 0, 0, 0];
        tally.p_named = vec![0.9, 1.2, 0.8, 0.0, 0.0, 0.0];
        tally.p_true = vec![1.4, 0.0];
        tally.learned = vec![0, 1, 3, 0, 0, 0];
        tally.forgotten = vec![2, 0];
        let facts = Facts::of(&tally, 0, 0);
        assert_eq!((facts.runs, facts.correct, facts.p_true), (4, 0.25, 0.35));
        assert_eq!(facts.confusions, [(1, 0.5), (2, 0.25)]);
        assert_eq!((facts.learned, facts.forgotten), (None, 0.5));
        // One pair of six.
        assert!((facts.agreement.unwrap() - 1.0 / 6.0).abs() < 1e-12);
        assert_eq!(facts.suggested, Some(Suggested { class: 1, share: 0.5, p: 0.3 }));
        assert!((facts.suspicion().unwrap() + 0.05).abs() < 1e-12);
        let unseen = Facts::of(&tally, 1, 0);
        assert_eq!((unseen.runs, unseen.suggested, unseen.agreement), (0, None, None));
    }
}
