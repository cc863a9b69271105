//! A rung: configurations that have trained equally long, compared by their validation accuracy.

use std::path::Path;

use fm_report::stats::{Rule, Selection, select};
use fm_run::spec::Weights;
use fm_run::tables::{self, EpochRow};
use fm_run::terminal::counted;
use fm_run::{files, store};
use serde_json::{Value, json};

use super::configuration::{Configuration, Seeded};
use crate::error::{Error, Kind, Result};
use crate::sweep::child::failure;
use crate::sweep::planned::PlannedRun;

/// Columns of `halving.csv`, a row a rung and configuration that came to it, the best first.
pub(super) const HEADER: [&str; 10] = [
    "rung",
    "epochs",
    "rank",
    "configuration",
    "seeds",
    "val_acc",
    "below_best",
    "margin",
    "noise",
    "verdict",
];

/// The epochs that a rung compares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epochs {
    /// The last of them.
    pub(super) at: u32,
    /// As many up to it as there are at most: a single epoch's accuracy is noisier than their mean.
    pub(super) over: u32,
}

/// What a rung has decided.
pub(super) struct Judged<'a> {
    epochs: u32,
    /// How it has decided.
    rule: Rule,
    /// Those that came to it and can be compared.
    configurations: Vec<&'a Configuration<'a>>,
    selection: Selection,
    diverged: Vec<&'a Configuration<'a>>,
}

/// Compares configurations after so many epochs. One of which any run has diverged is out.
///
/// # Errors
/// When a run's table cannot be read or holds no such epoch, or every configuration has diverged.
pub(super) fn judge<'a>(
    all: &[&'a Configuration<'a>],
    out: &Path,
    epochs: Epochs,
    rule: Rule,
) -> Result<Judged<'a>> {
    // One that has diverged later, in a sweep of the whole grid, had not yet.
    let has = |run: &Seeded<'_>| has_diverged(out, &run.planned.name) && accuracy(run, out, epochs).is_err();
    let is_out = |c: &&Configuration<'_>| c.runs.iter().any(has);
    let (diverged, configurations): (Vec<_>, Vec<_>) = all.iter().copied().partition(is_out);
    if configurations.is_empty() {
        return Err(Error::new(Kind::Diverged, "every configuration has diverged")
            .help("plan smaller learning rates"));
    }
    let accuracies = |c: &&Configuration<'_>| {
        c.runs.iter().map(|run| accuracy(run, out, epochs)).collect::<Result<Vec<_>>>()
    };
    let scores = configurations.iter().map(accuracies).collect::<Result<Vec<_>>>()?;
    let selection = select(&scores, rule).unwrap_or_else(|| alone(&scores));
    Ok(Judged { epochs: epochs.at, rule, configurations, selection, diverged })
}

/// The selection of one.
fn alone(scores: &[Vec<f64>]) -> Selection {
    let mean = |row: &Vec<f64>| row.iter().sum::<f64>() / row.len() as f64;
    let means = scores.iter().map(mean).collect();
    Selection { means, order: vec![0], sd: 0.0, margins: vec![0.0], kept: vec![true] }
}

impl<'a> Judged<'a> {
    /// Those that go on, the best first.
    pub(super) fn kept(&self) -> Vec<&'a Configuration<'a>> {
        let kept = self.selection.order.iter().filter(|index| self.selection.kept[**index]);
        kept.map(|&index| self.configurations[index]).collect()
    }

    pub(super) fn epochs(&self) -> u32 {
        self.epochs
    }

    /// Whether a configuration came to this rung and goes on from it.
    pub(super) fn goes_on(&self, configuration: &Configuration<'_>) -> bool {
        self.kept().iter().any(|kept| std::ptr::eq(*kept, configuration))
    }

    /// The one with the best mean.
    pub(super) fn best(&self) -> &'a Configuration<'a> {
        self.configurations[self.selection.order[0]]
    }

    fn top(&self) -> f64 {
        self.selection.means[self.selection.order[0]]
    }

    /// What became of the configuration of a rank, counted from 0.
    fn verdict(&self, rank: usize) -> &'static str {
        match (rank, self.selection.kept[self.selection.order[rank]]) {
            (rank, true) if rank < self.rule.keep => "kept",
            (_, true) => "kept: within noise",
            (_, false) => "dropped",
        }
    }

    /// The rung in a line.
    pub(super) fn line(&self) -> String {
        let sd = self.selection.sd;
        let (came, kept) = (self.configurations.len(), self.kept().len());
        let diverged = match self.diverged.len() {
            0 => String::new(),
            n => format!(", {n} diverged"),
        };
        let epochs = counted(self.epochs, "epoch");
        format!(
            "after {epochs}: {kept} of {came} kept ({} wanted){diverged}; best validation accuracy {:.4}, noise {sd:.4}",
            self.rule.keep,
            self.top()
        )
    }

    /// Rows of `halving.csv`.
    pub(super) fn rows(&self, rung: usize) -> Vec<Vec<String>> {
        let start = |rank: String, c: &Configuration<'_>| {
            vec![rung.to_string(), self.epochs.to_string(), rank, c.label.clone(), c.runs.len().to_string()]
        };
        let Selection { means, order, sd, margins, .. } = &self.selection;
        let row = |(rank, &index): (usize, &usize)| {
            let mut row = start((rank + 1).to_string(), self.configurations[index]);
            row.extend(
                [means[index], self.top() - means[index], margins[index], *sd]
                    .map(|number| store::decimals(Some(number), 6)),
            );
            row.push(self.verdict(rank).to_owned());
            row
        };
        let compared = order.iter().enumerate().map(row);
        let diverged = self.diverged.iter().map(|c| {
            let mut row = start(String::new(), c);
            row.extend([String::new(), String::new(), String::new(), String::new(), "diverged".to_owned()]);
            row
        });
        compared.chain(diverged).collect()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "epochs": self.epochs, "came": self.configurations.len() + self.diverged.len(),
            "kept": self.kept().len(), "wanted": self.rule.keep, "diverged": self.diverged.len(),
            "best": self.best().label, "val_acc": self.top(),
            "noise": self.selection.sd, "tolerance": self.rule.tolerance,
        })
    }
}

fn rows(run: &PlannedRun, out: &Path) -> Vec<EpochRow> {
    tables::read::<EpochRow>(&out.join(&run.name).join(files::EPOCHS)).unwrap_or_default()
}

/// How many epochs a run has trained, over all phases.
pub(super) fn reached(run: &PlannedRun, out: &Path) -> u32 {
    rows(run, out).last().map_or(0, |row| row.epoch)
}

/// How many epochs a run has trained up to a rung, over all phases, and the seconds of training and validation.
pub(super) fn spent(run: &Seeded<'_>, out: &Path, rung: u32) -> (u32, f64) {
    let mut rows = rows(run.planned, out);
    rows.retain(|row| row.epoch <= run.before() + rung);
    let seconds = rows.iter().map(|row| row.train_seconds + row.eval_seconds.unwrap_or(0.0)).sum();
    (rows.last().map_or(0, |row| row.epoch), seconds)
}

/// Whether a run has failed because its loss became no number, which is a finding about its configuration.
pub(super) fn has_diverged(out: &Path, name: &str) -> bool {
    let why = std::fs::read_to_string(failure(out, name)).unwrap_or_default();
    why.starts_with(&format!("exit code {}:", Kind::Diverged as i32))
}

/// Mean validation accuracy after these epochs, of the weights that the run leaves; before there is an average of weights,
/// there is none.
fn accuracy(run: &Seeded<'_>, out: &Path, epochs: Epochs) -> Result<f64> {
    let (planned, at) = (run.planned, run.before() + epochs.at);
    let first = run.before() + (epochs.at + 1).saturating_sub(epochs.over).max(1);
    let path = out.join(&planned.name).join(files::EPOCHS);
    let table = tables::read::<EpochRow>(&path)
        .map_err(|e| Error::new(Kind::Mismatch, format!("{}: {e}", path.display())))?;
    let of = |row: &EpochRow| match run.weights() {
        Weights::Last => row.val_acc,
        Weights::Ema(_) => row.ema.1,
        Weights::Mean(_) => row.mean.1,
    };
    let there = table.iter().any(|row| row.epoch == at && of(row).is_some());
    let found: Vec<f64> =
        table.iter().filter(|row| (first..=at).contains(&row.epoch)).filter_map(of).collect();
    there.then(|| found.iter().sum::<f64>() / found.len() as f64).ok_or_else(|| {
        let text = format!("{} has no validation accuracy of epoch {at}", path.display());
        Error::new(Kind::Mismatch, text)
            .help("remove the run's directory, and the same command trains it again")
    })
}
