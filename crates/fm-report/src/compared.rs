//! Groups of runs compared: everything that text, JSON, CSV and the report say.

use serde_json::{Value, json};

use crate::collect::RunResult;
use crate::error::{Error, Result};
use crate::groups::RunGroup;
use crate::stats::{self, ALPHA, Comparison, Family, Interval, McNemar, Noise, Summary, TTest, Verdict};

/// What is asked of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    /// Compare the other groups with this one alone, by its name; all pairs where there is none.
    pub reference: Option<String>,
    /// Differences of accuracy up to this do not matter, a share of 1.
    pub margin: f64,
}

impl Default for Question {
    /// All pairs, with a margin of 0.3 points.
    fn default() -> Self {
        Self { reference: None, margin: Family::ONE.margin }
    }
}

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
    /// Where the noise of its accuracy comes from; none with one seed, or where a run has not kept what it said of each
    /// image.
    pub noise: Option<Noise>,
}

/// Two groups.
#[derive(Debug, Clone, PartialEq)]
pub struct Pair {
    /// Accuracy, by every method.
    pub comparison: Comparison,
    /// The answer, as one of a family: all pairs that were compared.
    pub verdict: Verdict,
    /// By measure the second's less the first's; none with one seed.
    pub differences: Vec<(String, Option<Difference>)>,
}

/// A difference of a measure between two groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The test by itself: crossed effects of seeds and test images for accuracy and recalls, a t test over seeds for
    /// the others (paired where both groups have the same seeds, else Welch's).
    pub test: TTest,
    /// 95 % interval that holds for all `together`, within what is possible.
    pub interval: Interval,
    /// Two-sided p that holds for all `together`; none for seconds, which other work on the machine changes.
    pub p: Option<f64>,
    /// How many differences interval and p hold for together: the classes for recalls, the pairs for accuracy.
    pub together: usize,
}

/// Compares groups: every one with every later one, or all with the reference.
///
/// # Errors
/// [`Error::OtherTest`] when runs were scored on different test sets, [`Error::NoPredictions`] when one has
/// not kept what it said of each image, [`Error::NoGroup`] when there is no such reference.
pub fn compare(groups: &[RunGroup], question: &Question) -> Result<Compared> {
    same_test(groups)?;
    let asked = asked(groups, question.reference.as_deref())?;
    let family = Family { comparisons: asked.len().max(1), margin: question.margin };
    let mut pairs = Vec::new();
    for (first, second) in asked {
        let comparison = Comparison::new(&outcomes(first, None)?, &outcomes(second, None)?)?;
        let verdict = comparison.judge(family);
        let differences = measured(first, second, &comparison, &verdict)?;
        pairs.push(Pair { comparison, verdict, differences });
    }
    Ok(Compared { groups: groups.iter().map(summarized).collect(), pairs })
}

/// The pairs to compare.
pub(crate) fn asked<'a>(
    groups: &'a [RunGroup],
    reference: Option<&str>,
) -> Result<Vec<(&'a RunGroup, &'a RunGroup)>> {
    let Some(name) = reference else {
        let later = |i: usize| groups.iter().skip(i + 1);
        return Ok(groups
            .iter()
            .enumerate()
            .flat_map(|(i, first)| later(i).map(move |g| (first, g)))
            .collect());
    };
    let Some(reference) = groups.iter().find(|group| group.name == name) else {
        let known = groups.iter().map(|group| group.name.clone()).collect();
        return Err(Error::NoGroup { name: name.to_owned(), known });
    };
    Ok(groups.iter().filter(|group| group.name != name).map(|group| (reference, group)).collect())
}

/// All runs must have been scored on the same images.
pub(crate) fn same_test(groups: &[RunGroup]) -> Result<()> {
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

/// What values of a measure are possible.
fn possible(measure: &str) -> Interval {
    match measure {
        "loss" | "validation loss" | SECONDS => Interval { low: 0.0, high: f64::INFINITY },
        _ => Interval { low: 0.0, high: 1.0 },
    }
}

/// The measure that other work on the machine changes.
const SECONDS: &str = "training seconds";

fn summarized(group: &RunGroup) -> Summarized {
    let names = group.runs.first().map_or(&[][..], |run| &run.measures);
    let measures = names.iter().filter_map(|(name, _)| {
        let mut summary = stats::summarize(&values(group, name))?;
        // A mean cannot lie elsewhere: the part that is possible covers it as often as the whole.
        summary.interval = summary.interval.map(|interval| interval.within(possible(name)));
        Some((name.clone(), summary))
    });
    Summarized {
        name: group.name.clone(),
        seeds: group.runs.iter().map(RunResult::seed).collect(),
        measures: measures.collect(),
        noise: noise(group),
    }
}

fn noise(group: &RunGroup) -> Option<Noise> {
    let runs = outcomes(group, None).ok()?.runs;
    let rows: Vec<&[bool]> = runs.iter().map(|run| &run.correct[..]).collect();
    stats::noise(&rows).ok()?
}

/// A measure of each run, in the order of seeds.
pub(crate) fn values(group: &RunGroup, measure: &str) -> Vec<f64> {
    let of = |run: &RunResult| run.measures.iter().find(|(name, _)| name == measure).map(|(_, value)| *value);
    group.runs.iter().filter_map(of).collect()
}

/// Which images each run classified correctly: all, or those of a class.
fn outcomes(group: &RunGroup, class: Option<u8>) -> Result<stats::Group> {
    let run = |run: &RunResult| {
        if run.predictions.is_empty() {
            return Err(Error::NoPredictions { path: run.dir.clone() });
        }
        let of_class = run.predictions.iter().filter(|p| class.is_none_or(|class| p.label == class));
        Ok(stats::Run { seed: run.seed(), correct: of_class.map(|p| p.label == p.predicted).collect() })
    };
    let runs = group.runs.iter().map(run).collect::<Result<_>>()?;
    Ok(stats::Group { name: group.name.clone(), runs })
}

fn measured(
    first: &RunGroup,
    second: &RunGroup,
    comparison: &Comparison,
    verdict: &Verdict,
) -> Result<Vec<(String, Option<Difference>)>> {
    let names = first.runs.first().map_or(&[][..], |run| &run.measures);
    let classes = first.runs.first().map_or(&[][..], |run| run.confusion.classes());
    let mut differences = Vec::new();
    for (name, _) in names {
        let class = name.strip_prefix("recall ").and_then(|class| classes.iter().position(|c| c == class));
        let (test, together) = match class {
            Some(class) => {
                let of = |group| outcomes(group, Some(class as u8));
                let test = Comparison::new(&of(first)?, &of(second)?)?.crossed.map(|crossed| crossed.test);
                (test, classes.len())
            }
            None if name == "accuracy" => {
                (comparison.crossed.as_ref().map(|crossed| crossed.test), verdict.family.comparisons)
            }
            None => (over_seeds(first, second, comparison.paired, name), 1),
        };
        differences.push((name.clone(), test.map(|test| difference(name, test, together))));
    }
    Ok(differences)
}

fn over_seeds(first: &RunGroup, second: &RunGroup, paired: bool, name: &str) -> Option<TTest> {
    let (a, b) = (values(first, name), values(second, name));
    if paired && a.len() == b.len() { stats::paired_t(&a, &b) } else { stats::welch(&a, &b) }
}

pub(crate) fn difference(measure: &str, test: TTest, together: usize) -> Difference {
    let Interval { low, high } = possible(measure);
    let interval = test.interval_at(1.0 - ALPHA / together as f64);
    let p = (measure != SECONDS).then(|| (test.p * together as f64).min(1.0));
    Difference {
        test,
        interval: interval.within(Interval { low: low - high, high: high - low }),
        p,
        together,
    }
}

impl Compared {
    /// Every number, for programs. Accuracies, F1 and recalls are shares of 1.
    pub fn to_json(&self) -> Value {
        let interval = |i: Interval| json!([i.low, i.high]);
        let summary = |s: &Summary| json!({ "n": s.n, "mean": s.mean, "sd": s.sd, "interval": s.interval.map(interval), "min": s.min, "max": s.max });
        let test = |t: &TTest| json!({ "difference": t.difference, "interval": interval(t.interval), "p": t.p, "df": t.df, "standard_error": t.standard_error });
        let difference = |d: &Difference| json!({ "difference": d.test.difference, "interval": interval(d.interval), "p": d.p, "together": d.together, "df": d.test.df, "standard_error": d.test.standard_error });
        let named = |(name, value): (&String, Value)| (name.clone(), value);
        let groups: Vec<Value> = self
            .groups
            .iter()
            .map(|g| {
                let measures: serde_json::Map<_, _> =
                    g.measures.iter().map(|(name, s)| named((name, summary(s)))).collect();
                let sd = |n: &Noise| json!({ "seeds": n.seeds, "networks": n.networks, "flicker": n.flicker, "images": n.images });
                json!({ "name": g.name, "seeds": g.seeds, "measures": measures, "accuracy_sd": g.noise.as_ref().map(sd) })
            })
            .collect();
        let mcnemar = |(seed, m): &(u64, McNemar)| json!({ "seed": seed, "only_first": m.only_first, "only_second": m.only_second, "p_exact": m.exact, "p_mid": m.mid });
        let pairs: Vec<Value> = self
            .pairs
            .iter()
            .map(|pair| {
                let c = &pair.comparison;
                let differences: serde_json::Map<_, _> =
                    pair.differences.iter().map(|(name, t)| named((name, json!(t.as_ref().map(difference))))).collect();
                let v = &pair.verdict;
                json!({
                    "first": c.names[0], "second": c.names[1], "answer": v.answer.name(), "verdict": v.sentence,
                    "comparisons": v.family.comparisons, "margin": v.family.margin, "equivalent": v.equivalent,
                    "paired_by_seed": c.paired, "difference": c.difference(), "interval": interval(v.interval),
                    "p": v.p, "p_equivalence": v.p_equivalence, "detectable": v.detectable,
                    "crossed_effects": c.crossed.as_ref().map(|x| test(&x.test)),
                    "test_images_alone": test(&c.items),
                    "mcnemar": c.mcnemar.iter().map(mcnemar).collect::<Vec<_>>(),
                    "differences": differences,
                })
            })
            .collect();
        json!({ "groups": groups, "pairs": pairs })
    }

    /// The same numbers as rows of a table: groups first, then differences.
    pub fn to_rows(&self) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let header = vec![
            "what", "first", "second", "measure", "n", "mean", "sd", "low", "high", "p", "together", "answer",
        ];
        let number = |v: Option<f64>| v.map_or(String::new(), |v| format!("{v:.6}"));
        let mut rows = Vec::new();
        for group in &self.groups {
            for (measure, s) in &group.measures {
                let cells = ["group", &group.name, "", measure, &s.n.to_string()].map(str::to_owned);
                let numbers =
                    [Some(s.mean), s.sd, s.interval.map(|i| i.low), s.interval.map(|i| i.high), None];
                let rest = [String::new(), String::new()];
                rows.push(cells.into_iter().chain(numbers.map(number)).chain(rest).collect());
            }
            for (source, sd) in group.noise.iter().flat_map(Noise::parts) {
                let cells = ["noise", &group.name, "", &format!("accuracy, {source}")].map(str::to_owned);
                let n = group.seeds.len().to_string();
                let numbers = [None, Some(sd), None, None, None].map(number);
                let rest = [String::new(), String::new()];
                rows.push(cells.into_iter().chain([n]).chain(numbers).chain(rest).collect());
            }
        }
        for pair in &self.pairs {
            let (c, v) = (&pair.comparison, &pair.verdict);
            let [first, second] = &c.names;
            let n = c.accuracies[1].n.to_string();
            let row =
                |what: &str, measure: &str, numbers: [Option<f64>; 5], together: usize, answer: &str| {
                    let cells = [what, first, second, measure, &n].map(str::to_owned);
                    let rest = [together.to_string(), answer.to_owned()];
                    cells.into_iter().chain(numbers.map(number)).chain(rest).collect::<Vec<_>>()
                };
            let numbers =
                [Some(c.difference()), None, Some(v.interval.low), Some(v.interval.high), Some(v.p)];
            rows.push(row("verdict", "accuracy", numbers, v.family.comparisons, v.answer.name()));
            for (measure, d) in &pair.differences {
                let of = |get: fn(&Difference) -> f64| d.as_ref().map(get);
                let p = d.as_ref().and_then(|d| d.p);
                let ends = (of(|d| d.interval.low), of(|d| d.interval.high));
                let numbers = [of(|d| d.test.difference), None, ends.0, ends.1, p];
                rows.push(row("difference", measure, numbers, d.as_ref().map_or(1, |d| d.together), ""));
            }
        }
        (header, rows)
    }
}
