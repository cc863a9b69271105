//! How far a run is that some process trains, by the files that it writes as it goes.

use std::path::Path;
use std::time::Duration;

use fm_net::Network;
use fm_run::tables::{self, EpochRow};
use fm_run::{RunSpec, files};
use fm_train::recipe;

use super::planned::PlannedRun;
use crate::sink::{self, Reached};

/// Names and epochs of a run's phases.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Phases(Vec<(String, u32)>);

/// Where a run is.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Place {
    /// The epoch and step that it has reached, and how long ago.
    pub(super) reached: Reached,
    /// The training loss of the last whole epoch.
    pub(super) loss: Option<f64>,
}

impl Phases {
    /// Those of a planned run; none where it is no run.
    pub(super) fn of(run: &PlannedRun) -> Self {
        let phases = || {
            let spec = RunSpec::read(&run.flags).and_then(RunSpec::check).ok()?;
            // Phases do not depend on the number of classes.
            let network = Network::new(&spec.arch, 2).ok()?;
            let phases = recipe::phases(&spec, &network).ok()?;
            Some(phases.into_iter().map(|phase| (phase.name, phase.epochs)).collect())
        };
        Self(phases().unwrap_or_default())
    }

    /// Epochs of all phases.
    pub(super) fn epochs(&self) -> u32 {
        self.0.iter().map(|(_, epochs)| epochs).sum()
    }

    /// The place in words, such as `pretrain-autoencoder, epoch 1 of 2, 43 %`.
    pub(super) fn words(&self, place: Option<&Place>) -> String {
        let Some(Place { reached, loss }) = place else { return "starting".to_owned() };
        let (mut before, mut phase) = (0, None);
        for (name, epochs) in &self.0 {
            if reached.epoch <= before + epochs {
                phase = Some((name, *epochs));
                break;
            }
            before += epochs;
        }
        let all = self.epochs().max(reached.epoch);
        let done = reached.steps.filter(|&steps| steps > 0).map(|steps| reached.step as f64 / steps as f64);
        if reached.epoch == all && done == Some(1.0) {
            return "scoring".to_owned();
        }
        let name = match phase {
            Some((name, _)) if self.0.len() > 1 => format!("{name}, "),
            _ => String::new(),
        };
        let (epoch, epochs) =
            phase.map_or((reached.epoch, all), |(_, epochs)| (reached.epoch - before, epochs));
        let percent = done.map_or(String::new(), |done| format!(", {:.0} %", 100.0 * done));
        let loss = loss.map_or(String::new(), |loss| format!("  last epoch: loss {loss:.4}"));
        format!("{name}epoch {epoch} of {epochs}{percent}{loss}")
    }

    /// The share of the run that is behind.
    pub(super) fn share(&self, place: Option<&Place>) -> f64 {
        let Some(Place { reached, .. }) = place else { return 0.0 };
        let within = reached.steps.map_or(0.0, |steps| reached.step as f64 / steps.max(1) as f64);
        let done = f64::from(reached.epoch.saturating_sub(1)) + within;
        (done / f64::from(self.epochs().max(1))).min(1.0)
    }
}

/// Where the run in a directory is; none where it has not trained a step yet.
pub(super) fn place(dir: &Path) -> Option<Place> {
    let reached = sink::reached(dir)?;
    let rows = tables::read::<EpochRow>(&dir.join(files::EPOCHS)).unwrap_or_default();
    Some(Place { reached, loss: rows.last().map(|row| row.train_loss) })
}

/// Time since a moment in words of a clock.
pub(super) fn ago(age: Duration) -> String {
    match age.as_secs() {
        s @ 0..120 => format!("{s} s ago"),
        s @ 120..7200 => format!("{} min ago", s / 60),
        s => format!("{} h ago", s / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: u32, step: usize) -> Place {
        let reached = Reached { epoch, step, steps: Some(100), age: Duration::ZERO };
        Place { reached, loss: (epoch > 1).then_some(0.5) }
    }

    #[test]
    fn a_place_in_words() {
        let phases = Phases(vec![("pretrain-autoencoder".to_owned(), 2), ("train".to_owned(), 5)]);
        for (place, words) in [
            (None, "starting"),
            (Some(at(1, 43)), "pretrain-autoencoder, epoch 1 of 2, 43 %"),
            (Some(at(3, 7)), "train, epoch 1 of 5, 7 %  last epoch: loss 0.5000"),
            (Some(at(7, 100)), "scoring"),
        ] {
            assert_eq!(phases.words(place.as_ref()), words);
        }
        let one = Phases(vec![("train".to_owned(), 5)]);
        assert_eq!(one.words(Some(&at(5, 50))), "epoch 5 of 5, 50 %  last epoch: loss 0.5000");
        assert!((one.share(Some(&at(2, 50))) - 0.3).abs() < 1e-12);
    }
}
