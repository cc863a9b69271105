//! Groups of runs compared: everything that text, JSON, CSV and the report say.

mod tables;

use fm_run::tables::Prediction;

use crate::collect::RunResult;
use crate::error::{Error, Result};
use crate::groups::RunGroup;
use crate::lengths::Chosen;
use crate::measures::{CALIBRATION_ERROR, SECONDS, possible};
use crate::stats::{
    self, ALPHA, Answer, Comparison, Crossed, Family, Interval, Noise, Summary, Superiority, TTest, Verdict,
};

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
    /// By measure, of those that all its runs have: `accuracy`, `loss`, `macro F1`, `calibration error`, `recall <class>`,
    /// `training seconds` …
    pub measures: Vec<(String, Summary)>,
    /// Its length, where validation scores chose it.
    pub chosen: Option<Chosen>,
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
    /// How often a single run of the second has a higher accuracy than a single run of the first; none with one seed.
    pub superiority: Option<Superiority>,
    /// Whether both have the same seeds, and the two runs of each predict the same class for every image.
    pub same_predictions: bool,
    /// By measure the second's less the first's; none with one seed.
    pub differences: Vec<(String, Option<Difference>)>,
}

impl Pair {
    /// How often a single run of each would show the difference, in words; none with one seed, or where nothing differs.
    #[must_use]
    pub fn once(&self) -> Option<String> {
        let Superiority { probability, interval } = self.superiority.filter(|_| !self.same_predictions)?;
        let [first, second] = &self.comparison.names;
        // Of the one that is ahead more often.
        let (ahead, [p, low, high]) = if probability >= 0.5 {
            (second, [probability, interval.low, interval.high])
        } else {
            (first, [1.0 - probability, 1.0 - interval.high, 1.0 - interval.low])
        };
        Some(format!(
            "trained once each, {ahead} is ahead with probability {p:.2} (95 % interval {low:.2} to {high:.2})"
        ))
    }
}

/// A difference of a measure between two groups.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Difference {
    /// The test by itself: crossed effects of seeds and test images for accuracy, calibration error and recalls, a t test
    /// over seeds for the others (paired where both groups have the same seeds, else Welch's).
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
        let mut verdict = comparison.judge(family);
        let differences = measured(first, second, &comparison, &verdict)?;
        let [a, b] = [first, second].map(|group| values(group, "accuracy"));
        let same_predictions = comparison.paired && same_predictions(first, second);
        if same_predictions {
            verdict.sentence = predict_the_same(&comparison);
        }
        let superiority = stats::superiority(&a, &b);
        pairs.push(Pair { comparison, verdict, superiority, same_predictions, differences });
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

fn summarized(group: &RunGroup) -> Summarized {
    let names = group.runs.first().map_or(&[][..], |run| &run.measures);
    let measures = names.iter().filter_map(|(name, _)| {
        let mut summary = stats::summarize(&values(group, name))?;
        if name == CALIBRATION_ERROR {
            summary.interval = calibration(&[group]).map(|crossed| crossed.test.interval);
        }
        // A mean cannot lie elsewhere: the part that is possible covers it as often as the whole.
        summary.interval = summary.interval.map(|interval| interval.within(possible(name)));
        (summary.n == group.runs.len()).then(|| (name.clone(), summary))
    });
    Summarized {
        name: group.name.clone(),
        seeds: group.runs.iter().map(RunResult::seed).collect(),
        measures: measures.collect(),
        chosen: group.chosen.clone(),
        noise: noise(group),
    }
}

/// Whether the runs of each seed say the same of every image. Both have the same seeds.
fn same_predictions(first: &RunGroup, second: &RunGroup) -> bool {
    let said = |run: &RunResult| run.predictions.iter().map(|p| p.predicted).collect::<Vec<_>>();
    first.runs.iter().zip(&second.runs).all(|(a, b)| said(a) == said(b))
}

fn predict_the_same(comparison: &Comparison) -> String {
    let [first, second] = &comparison.names;
    let seeds = match comparison.accuracies[0].n {
        1 => "with this seed".to_owned(),
        n => format!("with each of {n} seeds"),
    };
    format!("{first} and {second} predict the same: one class for every image, {seeds}")
}

/// Crossed effects of a group's mean calibration error, or of the second's less the first's; none with one seed, or
/// where a run has no predictions.
fn calibration(groups: &[&RunGroup]) -> Option<Crossed> {
    let parts = |run: &RunResult| {
        let said: Vec<(f64, bool)> = run.predictions.iter().map(Prediction::certainty).collect();
        (!said.is_empty()).then(|| stats::calibration_parts(&said))
    };
    let rows = |group: &&RunGroup| group.runs.iter().map(parts).collect::<Option<Vec<_>>>();
    let seeds = |group: &RunGroup| group.runs.iter().map(RunResult::seed).collect::<Vec<_>>();
    let mut arms: Vec<Vec<Vec<f64>>> = groups.iter().map(rows).collect::<Option<_>>()?;
    if let [first, second] = groups {
        arms[0].iter_mut().flatten().for_each(|part| *part = -*part);
        if seeds(first) == seeds(second) {
            let second = arms.pop()?;
            let both = arms[0].iter_mut().zip(&second);
            both.for_each(|(a, b)| a.iter_mut().zip(b).for_each(|(a, b)| *a += b));
        }
    }
    stats::crossed_values(&arms)
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
            return Err(Error::NoPredictions { path: run.dir.clone(), epochs: run.run.spec.epochs });
        }
        let of_class = run.predictions.iter().filter(|p| class.is_none_or(|class| p.label == class));
        Ok(stats::Run { seed: run.seed(), correct: of_class.map(Prediction::is_right).collect() })
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
            None if name == CALIBRATION_ERROR => {
                (calibration(&[first, second]).map(|crossed| crossed.test), 1)
            }
            None => (over_seeds(first, second, comparison.paired, name), 1),
        };
        differences.push((name.clone(), test.map(|test| difference(name, test, together))));
    }
    Ok(differences)
}

fn over_seeds(first: &RunGroup, second: &RunGroup, paired: bool, name: &str) -> Option<TTest> {
    let (a, b) = (values(first, name), values(second, name));
    if a.len() < first.runs.len() || b.len() < second.runs.len() {
        return None;
    }
    if paired { stats::paired_t(&a, &b) } else { stats::welch(&a, &b) }
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
    /// Groups by their mean accuracy, the best first, each with its letters: groups that share one are not shown to differ.
    /// None where not every pair was compared.
    #[must_use]
    pub fn ranking(&self) -> Option<Vec<(usize, String)>> {
        let n = self.groups.len();
        if n < 2 || !self.all_pairs() {
            return None;
        }
        let order = self.by_accuracy();
        let place = |name: &String| order.iter().position(|&group| self.groups[group].name == *name);
        let better = self.pairs.iter().filter(|pair| pair.verdict.answer == Answer::Better);
        let different: Vec<(usize, usize)> = better
            .filter_map(|pair| place(&pair.comparison.names[0]).zip(place(&pair.comparison.names[1])))
            .collect();
        let letters = stats::letters(n, &different);
        Some(order.into_iter().zip(letters).collect())
    }

    /// Groups by their mean accuracy, the best first.
    pub(crate) fn by_accuracy(&self) -> Vec<usize> {
        let accuracy = |group: usize| {
            let found = self.groups[group].measures.iter().find(|(name, _)| name == "accuracy");
            found.map_or(f64::NAN, |(_, summary)| summary.mean)
        };
        let mut order: Vec<usize> = (0..self.groups.len()).collect();
        order.sort_by(|&a, &b| accuracy(b).total_cmp(&accuracy(a)));
        order
    }

    /// Whether every group was compared with every other.
    pub(crate) fn all_pairs(&self) -> bool {
        let n = self.groups.len();
        self.pairs.len() == n * n.saturating_sub(1) / 2
    }
}
