//! Validation scores: what settings are chosen by, so that the test set is left for the choice.
//!
//! A run is scored on rows of the training file that its seed holds out. So there are other images for each seed, the
//! same ones for all runs of a seed, and the spread over seeds counts both kinds of chance.

use fm_run::tables::best_epoch;
use serde_json::{Value, json};

use crate::collect::RunResult;
use crate::compared::{Difference, Question, asked, difference, same_test};
use crate::error::{Error, Result};
use crate::groups::RunGroup;
use crate::source::Source;
use crate::stats::{self, ALPHA, Interval, Summary, p_equation};

/// How a run did on its validation images.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Validation {
    /// Mean loss, of the weights that were scored on the test set.
    pub loss: f64,
    /// Share classified correctly, likewise.
    pub accuracy: f64,
    /// The epoch with the lowest validation loss; none where no epoch was trained.
    pub best_epoch: Option<u32>,
}

impl Source {
    /// What a run's summary at a length says of its validation images, and `epochs.csv` where an earlier version
    /// wrote the summary; none where there were none.
    ///
    /// # Errors
    /// When `epochs.csv` is needed and cannot be read.
    pub fn validation(&self, summary: &Value) -> Result<Option<Validation>> {
        let val = &summary["val"];
        let best = |value: &Value| value.as_u64().and_then(|epoch| u32::try_from(epoch).ok());
        if let (Some(loss), Some(accuracy), Some(best_epoch)) =
            (val["loss"].as_f64(), val["accuracy"].as_f64(), summary.get("best_epoch"))
        {
            return Ok(Some(Validation { loss, accuracy, best_epoch: best(best_epoch) }));
        }
        if summary.get("val").is_some_and(Value::is_null) {
            return Ok(None);
        }
        let Some(scored) = best(&summary["scored_epoch"]) else { return Ok(None) };
        let rows = self.epochs()?;
        let trained = best(&summary["epochs_trained"]).unwrap_or(scored);
        let rows: Vec<_> = rows.into_iter().filter(|row| row.epoch <= trained).collect();
        let at = rows.iter().find(|row| row.epoch == scored);
        let number = |key: &str, row: Option<f64>| val[key].as_f64().or(row);
        let scores = number("loss", at.and_then(|row| row.val_loss))
            .zip(number("accuracy", at.and_then(|row| row.val_acc)));
        let best_epoch = best_epoch(&rows).map(|row| row.epoch);
        Ok(scores.map(|(loss, accuracy)| Validation { loss, accuracy, best_epoch }))
    }
}

/// Groups of runs by their validation scores.
#[derive(Debug, Clone, PartialEq)]
pub struct Validated {
    /// In the order that was given.
    pub groups: Vec<ValidatedGroup>,
    /// Those that were asked for.
    pub pairs: Vec<ValidatedPair>,
}

/// A group's validation scores over its seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedGroup {
    /// The group's.
    pub name: String,
    /// In rising order.
    pub seeds: Vec<u64>,
    /// Share of the validation images classified correctly.
    pub accuracy: Summary,
    /// Mean loss.
    pub loss: Summary,
    /// The epoch with the lowest validation loss.
    pub best_epoch: Option<Summary>,
}

/// Two groups, the second less the first: t tests over seeds, paired where both have the same seeds, else Welch's.
#[derive(Debug, Clone, PartialEq)]
pub struct ValidatedPair {
    /// Names of the groups.
    pub names: [String; 2],
    /// Whether runs of one seed, and so of the same validation images, stand against each other.
    pub paired: bool,
    /// Of accuracy, for all pairs together; none with one seed.
    pub accuracy: Option<Difference>,
    /// Of loss, likewise.
    pub loss: Option<Difference>,
    /// The answer in words.
    pub sentence: String,
}

/// Compares groups by their validation scores.
///
/// # Errors
/// [`Error::NoValidation`] when a run has none, and as for [`compare`](crate::compare()).
pub fn compare_validation(groups: &[RunGroup], question: &Question) -> Result<Validated> {
    same_test(groups)?;
    let asked = asked(groups, question.reference.as_deref())?;
    let together = asked.len().max(1);
    let pairs = asked.into_iter().map(|(first, second)| pair(first, second, together));
    Ok(Validated {
        pairs: pairs.collect::<Result<_>>()?,
        groups: groups.iter().map(summarized).collect::<Result<_>>()?,
    })
}

/// Groups in the order of their mean validation accuracy or loss, the best first; the only pair is the second and the
/// first of them, as one of all pairs, since the scores chose it. Of equals the one with the better other score goes first.
///
/// # Errors
/// As for [`compare_validation`].
pub fn rank_validation(groups: &[RunGroup], by_loss: bool) -> Result<Validated> {
    same_test(groups)?;
    let mut ranked = groups.iter().map(|g| Ok((g, summarized(g)?))).collect::<Result<Vec<_>>>()?;
    ranked.sort_by(|(_, a), (_, b)| {
        let accuracy = b.accuracy.mean.total_cmp(&a.accuracy.mean);
        let loss = a.loss.mean.total_cmp(&b.loss.mean);
        if by_loss { loss.then(accuracy) } else { accuracy.then(loss) }
    });
    let pairs = match &ranked[..] {
        [(best, _), (second, _), ..] => vec![pair(second, best, ranked.len() * (ranked.len() - 1) / 2)?],
        _ => Vec::new(),
    };
    Ok(Validated { groups: ranked.into_iter().map(|(_, summary)| summary).collect(), pairs })
}

/// A group's validation scores.
///
/// # Errors
/// [`Error::NoValidation`] when a run has none.
fn summarized(group: &RunGroup) -> Result<ValidatedGroup> {
    let runs = validations(group)?;
    let of = |get: fn(&Validation) -> f64| stats::summarize(&runs.iter().map(get).collect::<Vec<_>>());
    let within = |mut summary: Summary, high: f64| {
        summary.interval = summary.interval.map(|interval| interval.within(Interval { low: 0.0, high }));
        summary
    };
    let (Some(accuracy), Some(loss)) = (of(|v| v.accuracy), of(|v| v.loss)) else {
        return Err(Error::Empty { name: group.name.clone() });
    };
    let best: Vec<f64> = runs.iter().filter_map(|v| v.best_epoch.map(f64::from)).collect();
    Ok(ValidatedGroup {
        name: group.name.clone(),
        seeds: group.runs.iter().map(RunResult::seed).collect(),
        accuracy: within(accuracy, 1.0),
        loss: within(loss, f64::INFINITY),
        best_epoch: stats::summarize(&best),
    })
}

fn validations(group: &RunGroup) -> Result<Vec<Validation>> {
    let lacking = |run: &RunResult| Error::NoValidation { path: run.dir.clone() };
    group.runs.iter().map(|run| run.validation.ok_or_else(|| lacking(run))).collect()
}

fn pair(first: &RunGroup, second: &RunGroup, together: usize) -> Result<ValidatedPair> {
    let seeds = |group: &RunGroup| group.runs.iter().map(RunResult::seed).collect::<Vec<_>>();
    let (a, b) = (validations(first)?, validations(second)?);
    let paired = seeds(first) == seeds(second);
    let test = |measure: &str, get: fn(&Validation) -> f64| {
        let [a, b] = [&a, &b].map(|runs| runs.iter().map(get).collect::<Vec<_>>());
        let test = if paired { stats::paired_t(&a, &b) } else { stats::welch(&a, &b) };
        test.map(|test| difference(measure, test, together))
    };
    let names = [first.name.clone(), second.name.clone()];
    let accuracy = test("validation accuracy", |v| v.accuracy);
    let n = [a.len(), b.len()];
    let sentence = sentence(&names, paired, n, accuracy.as_ref());
    Ok(ValidatedPair { names, paired, accuracy, loss: test("validation loss", |v| v.loss), sentence })
}

fn sentence(names: &[String; 2], paired: bool, n: [usize; 2], accuracy: Option<&Difference>) -> String {
    let [first, second] = names;
    let Some(d) = accuracy else {
        return format!(
            "{first} and {second}: validation accuracies take at least two seeds of each to compare"
        );
    };
    let ahead = d.test.difference > 0.0;
    let (better, worse) = if ahead { (second, first) } else { (first, second) };
    let Interval { low, high } = d.interval;
    let (low, high) = if ahead { (low, high) } else { (-high, -low) };
    let p = d.p.unwrap_or(1.0);
    let word = if p < ALPHA { "beats" } else { "is not shown to beat" };
    let seeds =
        if paired { format!("{} seeds, paired", n[0]) } else { format!("{} and {} seeds", n[0], n[1]) };
    let family = if d.together > 1 {
        format!(", both for {} comparisons together", d.together)
    } else {
        String::new()
    };
    let p = p_equation(p);
    let gap = match format!("{:.2}", 100.0 * d.test.difference.abs()).as_str() {
        "0.00" => "the same mean to 0.01 points".to_owned(),
        gap => format!("{gap} points above"),
    };
    format!(
        "{better} {word} {worse} on validation images: {gap} (95 % interval {:.2} to {:.2}, {p}{family}; {seeds})",
        100.0 * low,
        100.0 * high
    )
}

impl Validated {
    /// Every number, for programs. Accuracies are shares of 1.
    pub fn to_json(&self) -> Value {
        let difference = |d: &Difference| {
            json!({
                "difference": d.test.difference, "interval": [d.interval.low, d.interval.high], "p": d.p,
                "together": d.together, "df": d.test.df, "standard_error": d.test.standard_error,
            })
        };
        let pairs = self.pairs.iter().map(|pair| {
            json!({
                "first": pair.names[0], "second": pair.names[1], "paired_by_seed": pair.paired,
                "verdict": pair.sentence,
                "differences": {
                    "validation accuracy": pair.accuracy.as_ref().map(difference),
                    "validation loss": pair.loss.as_ref().map(difference),
                },
            })
        });
        json!({
            "on": "val",
            "groups": self.groups.iter().map(ValidatedGroup::to_json).collect::<Vec<_>>(),
            "pairs": pairs.collect::<Vec<_>>(),
        })
    }

    /// The same numbers as rows of a table: groups first, then differences.
    pub fn to_rows(&self) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let header =
            vec!["what", "first", "second", "measure", "n", "mean", "sd", "low", "high", "p", "together"];
        let number = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.6}"));
        let mut rows = Vec::new();
        for group in &self.groups {
            for (measure, s) in group.measures() {
                let cells = ["group", &group.name, "", measure, &s.n.to_string()].map(str::to_owned);
                let (low, high) = (s.interval.map(|i| i.low), s.interval.map(|i| i.high));
                let numbers = [Some(s.mean), s.sd, low, high, None].map(number);
                rows.push(cells.into_iter().chain(numbers).chain([String::new()]).collect());
            }
        }
        for pair in &self.pairs {
            let measures = [("validation accuracy", &pair.accuracy), ("validation loss", &pair.loss)];
            for (measure, d) in measures.into_iter().filter_map(|(name, d)| Some((name, d.as_ref()?))) {
                let cells = ["difference", &pair.names[0], &pair.names[1], measure, ""].map(str::to_owned);
                let numbers =
                    [Some(d.test.difference), None, Some(d.interval.low), Some(d.interval.high), d.p];
                let together = [d.together.to_string()];
                rows.push(cells.into_iter().chain(numbers.map(number)).chain(together).collect());
            }
        }
        (header, rows)
    }
}

impl ValidatedGroup {
    /// Its numbers by name.
    pub fn measures(&self) -> impl Iterator<Item = (&'static str, &Summary)> {
        let all = [
            ("validation accuracy", Some(&self.accuracy)),
            ("validation loss", Some(&self.loss)),
            ("best epoch", self.best_epoch.as_ref()),
        ];
        all.into_iter().filter_map(|(name, summary)| Some((name, summary?)))
    }

    /// Its numbers, for programs.
    pub fn to_json(&self) -> Value {
        let summary = |s: &Summary| {
            let interval = s.interval.map(|i| json!([i.low, i.high]));
            json!({ "n": s.n, "mean": s.mean, "sd": s.sd, "interval": interval, "min": s.min, "max": s.max })
        };
        let measures: serde_json::Map<_, _> =
            self.measures().map(|(name, s)| (name.to_owned(), summary(s))).collect();
        json!({ "name": self.name, "seeds": self.seeds, "measures": measures })
    }
}
