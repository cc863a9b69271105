//! The length of each group, chosen by validation accuracy.
//!
//! Runs that differ by seed and length alone are pooled. Of the lengths at which every seed was scored, that of the
//! highest mean validation accuracy is taken, the shorter one of equals: the same rule for all groups, which never looks
//! at a test score.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use fm_run::spec::{Shorter, Weights};
use fm_run::terminal::counted;

use crate::collect::FoundRun;
use crate::error::{Error, Result};
use crate::source::Source;
use crate::stats::mean;

/// A length that validation scores chose.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen {
    /// Epochs.
    pub epochs: u32,
    /// Mean validation accuracy over seeds there.
    pub accuracy: f64,
    /// Every length that could be chosen, rising, with its mean validation accuracy.
    pub of: Vec<(u32, f64)>,
    /// The epoch with a higher mean validation accuracy at which the test set was not scored, and that accuracy.
    pub unscored: Option<(u32, f64)>,
}

impl Chosen {
    /// The choice in words.
    #[must_use]
    pub fn sentence(&self, name: &str, seeds: usize) -> String {
        let of: Vec<String> = self.of.iter().map(|(epochs, _)| epochs.to_string()).collect();
        let percent = |accuracy: f64| format!("{:.2} %", 100.0 * accuracy);
        let mut text = format!(
            "{name}: {} epochs, chosen of {} by mean validation accuracy ({} over {})",
            self.epochs,
            of.join(", "),
            percent(self.accuracy),
            counted(seeds as u64, "seed")
        );
        if let Some((epoch, accuracy)) = self.unscored {
            let _ = write!(
                text,
                "; after epoch {epoch} it was {}, but test images were not scored there (--score-at {epoch})",
                percent(accuracy)
            );
        }
        text
    }
}

/// A run at one of its lengths.
struct Offer<'a> {
    run: &'a FoundRun,
    at: Option<u32>,
    epochs: u32,
    /// On validation images.
    accuracy: f64,
}

/// What tells groups apart but their length.
pub(crate) fn key(run: &FoundRun) -> String {
    run.run.of_epochs(1).traits().to_string()
}

/// What was chosen of runs.
pub(crate) struct Choice<'a> {
    /// The runs that were scored at their group's length, and where: on the way, or at their own end (`None`).
    pub(crate) taken: Vec<(&'a FoundRun, Option<u32>)>,
    /// What was chosen, by [`key`].
    pub(crate) lengths: BTreeMap<String, Chosen>,
}

/// Chooses the length of each group of runs.
///
/// # Errors
/// When a run has no validation scores, or the seeds of a group were scored at no common length.
pub(crate) fn best(runs: &[FoundRun]) -> Result<Choice<'_>> {
    let mut pools: BTreeMap<String, Vec<Offer<'_>>> = BTreeMap::new();
    let mut order = Vec::new();
    for run in runs {
        let key = key(run);
        if !pools.contains_key(&key) {
            order.push(key.clone());
        }
        pools.entry(key).or_default().extend(offers(run)?);
    }
    let (mut taken, mut lengths) = (Vec::new(), BTreeMap::new());
    for key in order {
        let Some(offers) = pools.remove(&key) else { continue };
        let chosen = choose(&offers)?;
        // One run scored on the way and one of that length are the same run.
        let mut seen = BTreeSet::new();
        let at = offers.iter().filter(|offer| offer.epochs == chosen.epochs);
        taken.extend(at.filter(|offer| seen.insert(place(offer))).map(|offer| (offer.run, offer.at)));
        lengths.insert(key, chosen);
    }
    Ok(Choice { taken, lengths })
}

/// A seed of a place of runs.
fn place(offer: &Offer<'_>) -> (usize, u64) {
    (offer.run.place, offer.run.run.spec.seed)
}

fn offers(run: &FoundRun) -> Result<Vec<Offer<'_>>> {
    let mut offers = Vec::new();
    for at in run.source.lengths()? {
        let Some(summary) = run.source.summary(at)? else { continue };
        let lacking = || Error::NoValidation { path: run.source.dir.clone() };
        let accuracy = run.source.validation(&summary)?.ok_or_else(lacking)?.accuracy;
        offers.push(Offer { run, at, epochs: at.unwrap_or(run.run.spec.epochs), accuracy });
    }
    Ok(offers)
}

fn choose(offers: &[Offer<'_>]) -> Result<Chosen> {
    let seeds: BTreeSet<_> = offers.iter().map(place).collect();
    let lengths: BTreeSet<u32> = offers.iter().map(|offer| offer.epochs).collect();
    let mut of = Vec::new();
    for epochs in lengths {
        let there = offers.iter().filter(|offer| offer.epochs == epochs);
        let by_seed: BTreeMap<_, f64> = there.map(|offer| (place(offer), offer.accuracy)).collect();
        if by_seed.len() == seeds.len() {
            of.push((epochs, mean(&by_seed.into_values().collect::<Vec<_>>())));
        }
    }
    let Some(first) = of.first() else {
        let path = offers.first().map(|offer| offer.run.source.dir.clone()).unwrap_or_default();
        return Err(Error::NoLength { path });
    };
    let (epochs, accuracy) = of.iter().fold(*first, |best, next| if next.1 > best.1 { *next } else { best });
    let unscored = unscored(offers)?
        .filter(|(epoch, higher)| *higher > accuracy && of.iter().all(|(scored, _)| scored != epoch));
    Ok(Chosen { epochs, accuracy, of, unscored })
}

/// The epoch with the highest mean validation accuracy over the longest run of each seed; none where epochs of a run are
/// not shorter runs.
fn unscored(offers: &[Offer<'_>]) -> Result<Option<(u32, f64)>> {
    let own = offers.iter().filter(|offer| offer.at.is_none());
    let mut longest: BTreeMap<_, (u32, &Source)> = BTreeMap::new();
    for offer in own {
        let spec = &offer.run.run.spec;
        if spec.schedule.shorter(1) != Shorter::Beginning || spec.weights != Weights::Last {
            return Ok(None);
        }
        let entry = longest.entry(place(offer)).or_insert((offer.epochs, &offer.run.source));
        if offer.epochs > entry.0 {
            *entry = (offer.epochs, &offer.run.source);
        }
    }
    let mut by_epoch: BTreeMap<u32, Vec<f64>> = BTreeMap::new();
    for (_, source) in longest.values() {
        for row in source.epochs()? {
            if row.phase.starts_with("pretrain") {
                return Ok(None);
            }
            by_epoch.entry(row.epoch).or_default().extend(row.val_acc);
        }
    }
    let whole = by_epoch.into_iter().filter(|(_, all)| all.len() == longest.len());
    let means = whole.map(|(epoch, all)| (epoch, mean(&all)));
    Ok(means.reduce(|best, next| if next.1 > best.1 { next } else { best }))
}
