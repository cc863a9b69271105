//! Groups of runs compared: everything that text, JSON, CSV and the report say.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::collect::RunResult;
use crate::error::{Error, Result};
use crate::groups::RunGroup;
use crate::stats::{self, Comparison, Interval, McNemar, Summary, TTest};

/// Seed of the bootstrap: the same runs give the same interval.
const SEED: u64 = 0;

/// Groups with their numbers, and each pair of them with its differences.
#[derive(Debug, Clone, PartialEq)]
pub struct Compared {
    /// In the order that was given.
    pub groups: Vec<Summarized>,
    /// Each group with each later one.
    pub pairs: Vec<Pair>,
}

/// A group's numbers.
#[derive(Debug, Clone, PartialEq)]
pub struct Summarized {
    /// The group's.
    pub name: String,
    /// In rising order.
    pub seeds: Vec<u64>,
    /// By measure: `accuracy`, `loss`, `macro F1`, `recall <class>`, `training seconds`.
    pub measures: Vec<(String, Summary)>,
}

/// Two groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Accuracy, by every method.
    pub comparison: Comparison,
    /// Its p after Holm's correction for all pairs, where there are several.
    pub adjusted: Option<f64>,
    /// The answer.
    pub verdict: String,
    /// By measure the second's less the first's: paired by seed where both have the same seeds, else by
    /// Welch; none with one seed.
    pub differences: Vec<(String, Option<TTest>)>,
    /// Runs whose seed the other group lacks, and that this comparison therefore leaves out.
    pub left_out: usize,
}

/// Compares every group with every later one.
///
/// # Errors
/// [`Error::OtherTest`] when runs were scored on different test sets, [`Error::NoPredictions`] when one has
/// not kept what it said of each image.
pub fn compare(groups: &[RunGroup]) -> Result<Compared> {
    same_test(groups)?;
    let summarized = groups.iter().map(summarized).collect();
    let mut comparisons = Vec::new();
    for (i, first) in groups.iter().enumerate() {
        for second in groups.iter().skip(i + 1) {
            let (first, second, left_out) = sharing(first, second);
            let comparison = Comparison::new(&outcomes(&first)?, &outcomes(&second)?, SEED)?;
            comparisons.push((comparison, measured(&first, &second), left_out));
        }
    }
    let corrected = stats::holm(&comparisons.iter().map(|(c, ..)| c.p()).collect::<Vec<_>>());
    let several = comparisons.len() > 1;
    let pairs = comparisons
        .into_iter()
        .zip(corrected)
        .map(|((comparison, differences, left_out), p)| {
            let adjusted = several.then_some(p);
            let verdict = comparison.verdict(adjusted);
            Pair { comparison, adjusted, verdict, differences, left_out }
        })
        .collect();
    Ok(Compared { groups: summarized, pairs })
}

/// The runs of two groups that are compared: those of the seeds that both have, where those are two or more,
/// so that one unfinished run does not undo all pairs; otherwise all. And how many are left out.
fn sharing(first: &RunGroup, second: &RunGroup) -> (RunGroup, RunGroup, usize) {
    let has = |group: &RunGroup, seed: u64| group.runs.iter().any(|run| run.seed() == seed);
    let shared = first.runs.iter().filter(|run| has(second, run.seed())).count();
    if shared < 2 {
        return (first.clone(), second.clone(), 0);
    }
    let only = |group: &RunGroup, other: &RunGroup| RunGroup {
        name: group.name.clone(),
        runs: group.runs.iter().filter(|run| has(other, run.seed())).cloned().collect(),
    };
    let left_out = first.runs.len() + second.runs.len() - 2 * shared;
    (only(first, second), only(second, first), left_out)
}

/// All runs must have been scored on the same images.
fn same_test(groups: &[RunGroup]) -> Result<()> {
    let mut runs = groups.iter().flat_map(|group| &group.runs);
    let Some(first) = runs.next() else { return Ok(()) };
    for run in runs {
        let labels = |run: &RunResult| run.predictions.iter().map(|p| p.label).collect::<Vec<_>>();
        let other = run.data_sha256() != first.data_sha256()
            || run.confusion.classes() != first.confusion.classes()
            || (!run.predictions.is_empty() && !first.predictions.is_empty() && labels(run) != labels(first));
        if other {
            return Err(Error::OtherTest { first: first.dir.clone(), second: run.dir.clone() });
        }
    }
    Ok(())
}

fn summarized(group: &RunGroup) -> Summarized {
    let names = group.runs.first().map_or(&[][..], |run| &run.measures);
    let measures = names.iter().filter_map(|(name, _)| {
        let values: Vec<f64> = values(group, name);
        Some((name.clone(), stats::summarize(&values)?))
    });
    Summarized {
        name: group.name.clone(),
        seeds: group.runs.iter().map(RunResult::seed).collect(),
        measures: measures.collect(),
    }
}

/// A measure of each run, in the order of seeds.
pub(crate) fn values(group: &RunGroup, measure: &str) -> Vec<f64> {
    let of = |run: &RunResult| run.measures.iter().find(|(name, _)| name == measure).map(|(_, value)| *value);
    group.runs.iter().filter_map(of).collect()
}

fn outcomes(group: &RunGroup) -> Result<stats::Group> {
    let run = |run: &RunResult| {
        if run.predictions.is_empty() {
            return Err(Error::NoPredictions { path: run.dir.clone() });
        }
        let correct = run.predictions.iter().map(|p| p.label == p.predicted).collect();
        Ok(stats::Run { seed: run.seed(), correct })
    };
    let runs = group.runs.iter().map(run).collect::<Result<_>>()?;
    Ok(stats::Group { name: group.name.clone(), runs })
}

fn measured(first: &RunGroup, second: &RunGroup) -> Vec<(String, Option<TTest>)> {
    let seeds = |group: &RunGroup| group.runs.iter().map(RunResult::seed).collect::<BTreeSet<_>>();
    let paired = seeds(first) == seeds(second);
    let names = first.runs.first().map_or(&[][..], |run| &run.measures);
    let test = |name: &String| {
        let (a, b) = (values(first, name), values(second, name));
        if paired && a.len() == b.len() { stats::paired_t(&a, &b) } else { stats::welch(&a, &b) }
    };
    names.iter().map(|(name, _)| (name.clone(), test(name))).collect()
}

impl Compared {
    /// Every number, for programs. Accuracies, F1 and recalls are shares of 1.
    pub fn to_json(&self) -> Value {
        let interval = |i: Interval| json!([i.low, i.high]);
        let summary = |s: &Summary| json!({ "n": s.n, "mean": s.mean, "sd": s.sd, "interval": s.interval.map(interval), "min": s.min, "max": s.max });
        let test = |t: &TTest| json!({ "difference": t.difference, "interval": interval(t.interval), "p": t.p, "df": t.df, "standard_error": t.standard_error });
        let named = |(name, value): (&String, Value)| (name.clone(), value);
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|g| {
                let measures: serde_json::Map<_, _> =
                    g.measures.iter().map(|(name, s)| named((name, summary(s)))).collect();
                json!({ "name": g.name, "seeds": g.seeds, "measures": measures })
            })
            .collect();
        let mcnemar = |(seed, m): &(u64, McNemar)| json!({ "seed": seed, "only_first": m.only_first, "only_second": m.only_second, "p_exact": m.exact, "p_mid": m.mid });
        let pairs: Vec<Value> = self
            .pairs
            .iter()
            .map(|pair| {
                let c = &pair.comparison;
                let differences: serde_json::Map<_, _> =
                    pair.differences.iter().map(|(name, t)| named((name, json!(t.as_ref().map(test))))).collect();
                json!({
                    "first": c.names[0], "second": c.names[1], "verdict": pair.verdict,
                    "paired_by_seed": c.paired, "runs_left_out": pair.left_out, "difference": c.difference(), "interval": interval(c.interval()),
                    "p": c.p(), "p_holm": pair.adjusted,
                    "bootstrap": { "interval": interval(c.bootstrap.interval), "p": c.bootstrap.p },
                    "crossed_effects": c.crossed.as_ref().map(|x| test(&x.test)),
                    "mcnemar": c.mcnemar.iter().map(mcnemar).collect::<Vec<_>>(),
                    "differences": differences,
                })
            })
            .collect();
        json!({ "groups": groups, "pairs": pairs })
    }

    /// The same numbers as rows of a table: groups first, then differences.
    pub fn to_rows(&self) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let header =
            vec!["what", "first", "second", "measure", "n", "mean", "sd", "low", "high", "p", "p_holm"];
        let number = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.6}"));
        let mut rows = Vec::new();
        for group in &self.groups {
            for (measure, s) in &group.measures {
                let i = s.interval;
                rows.push(vec![
                    "group".to_owned(),
                    group.name.clone(),
                    String::new(),
                    measure.clone(),
                    s.n.to_string(),
                    number(Some(s.mean)),
                    number(s.sd),
                    number(i.map(|i| i.low)),
                    number(i.map(|i| i.high)),
                    String::new(),
                    String::new(),
                ]);
            }
        }
        for pair in &self.pairs {
            let c = &pair.comparison;
            let [first, second] = c.names.clone();
            let n = c.accuracies[1].n.to_string();
            let i = c.interval();
            rows.push(vec![
                "verdict".to_owned(),
                first.clone(),
                second.clone(),
                "accuracy".to_owned(),
                n.clone(),
                number(Some(c.difference())),
                String::new(),
                number(Some(i.low)),
                number(Some(i.high)),
                number(Some(c.p())),
                number(pair.adjusted),
            ]);
            for (measure, t) in &pair.differences {
                rows.push(vec![
                    "difference".to_owned(),
                    first.clone(),
                    second.clone(),
                    measure.clone(),
                    n.clone(),
                    number(t.map(|t| t.difference)),
                    String::new(),
                    number(t.map(|t| t.interval.low)),
                    number(t.map(|t| t.interval.high)),
                    number(t.map(|t| t.p)),
                    String::new(),
                ]);
            }
        }
        (header, rows)
    }
}
