//! Which classes are taken for which: confusion matrices as means of 1,000 images of a class, what differs between
//! groups, and the images that most runs get wrong.

use std::collections::BTreeMap;

use super::shown::Shown;
use super::{Figure, Images};
use crate::collect::RunResult;
use crate::difference::{Change, difference_heatmap};
use crate::error::Result;
use crate::groups::RunGroup;
use crate::heatmap::{Matrix, heatmap};
use crate::sheet::data_uri;
use crate::stats::summarize;

/// A pair of classes that are taken for each other.
pub(super) struct Confused {
    pub(super) truth: String,
    pub(super) predicted: String,
    /// Mean count of 1,000 images of the true class, by group.
    pub(super) counts: Vec<f64>,
    /// Test images that most runs get wrong so, with their numbers and how many runs, as data URIs.
    pub(super) examples: Vec<(usize, usize, String)>,
}

/// As many pairs of classes.
const PAIRS: usize = 8;
/// As many images of each.
const EXAMPLES: usize = 4;

/// Of a class's images in all runs of a group, how many of 1,000 were taken for each class: mean and variance of the
/// mean (0 with one run).
struct Mean {
    mean: Vec<Vec<f64>>,
    variance: Vec<Vec<f64>>,
}

impl Mean {
    fn of(group: &RunGroup) -> Self {
        let shares: Vec<_> = group.runs.iter().map(|run| run.confusion.shares()).collect();
        let n = shares.first().map_or(0, Vec::len);
        let cell = |t: usize, p: usize| {
            let values: Vec<f64> = shares.iter().map(|s| 1000.0 * s[t][p].unwrap_or(0.0)).collect();
            summarize(&values).map_or((0.0, 0.0), |s| (s.mean, s.sd.map_or(0.0, |sd| sd * sd / s.n as f64)))
        };
        let table =
            |get: fn((f64, f64)) -> f64| (0..n).map(|t| (0..n).map(|p| get(cell(t, p))).collect()).collect();
        Self { mean: table(|c| c.0), variance: table(|c| c.1) }
    }
}

/// The matrix of each group (of many, of the first), and how each other differs from the first or the reference.
pub(super) fn figures(shown: &Shown<'_>) -> Vec<Figure> {
    let Some(first) = shown.groups.first().and_then(|group| group.runs.first()) else { return Vec::new() };
    let classes = first.confusion.classes();
    let means: Vec<Mean> = shown.groups.iter().map(|group| Mean::of(group)).collect();
    let mut figures = Vec::new();
    for (i, group) in shown.groups.iter().enumerate() {
        figures.push(matrix(shown, i, group, classes, &means[i]));
    }
    let against = shown.reference();
    for other in (0..means.len()).filter(|&i| i != against) {
        let title = format!("{} minus {}", shown.name(other), shown.name(against));
        let (a, b) = (&means[against], &means[other]);
        let change = |t: usize, p: usize| {
            let value = b.mean[t][p] - a.mean[t][p];
            let error = (a.variance[t][p] + b.variance[t][p]).sqrt();
            Change { value, clear: error > 0.0 && value.abs() > 2.0 * error }
        };
        let n = classes.len();
        let changes: Vec<Vec<Change>> = (0..n).map(|t| (0..n).map(|p| change(t, p)).collect()).collect();
        let svg = difference_heatmap(&title, classes, &changes);
        let caption = format!(
            "Difference of the confusion matrices, {title}, in images per 1,000 of the true class. Blue is better \
             (more right, fewer wrong), orange is worse."
        );
        let [second, first] = [other, against].map(|i| shown.file(i));
        figures.push(Figure { name: format!("difference-{second}-{first}"), caption, svg, wide: true });
    }
    figures
}

fn matrix(shown: &Shown<'_>, i: usize, group: &RunGroup, classes: &[String], mean: &Mean) -> Figure {
    let runs = group.runs.len();
    let of = if runs == 1 { "1 run".to_owned() } else { format!("mean of {runs} runs") };
    let number = |v: &f64| match *v {
        0.0 => "0".to_owned(),
        v if v < 9.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    };
    let average = |get: fn(&RunResult, usize) -> Option<f64>, class: usize| {
        let values: Vec<f64> = group.runs.iter().filter_map(|run| get(run, class)).collect();
        summarize(&values).map(|s| s.mean)
    };
    let each = |get: fn(&RunResult, usize) -> Option<f64>| {
        (0..classes.len()).map(|class| average(get, class)).collect::<Vec<_>>()
    };
    let accuracy = summarize(&crate::compared::values(group, "accuracy"));
    let score = accuracy.map_or(String::new(), |s| {
        let spread = s.sd.map_or(String::new(), |sd| format!(" ± {:.2}", 100.0 * sd));
        format!("accuracy {:.2}{spread} %; numbers are images per 1,000 of the true class", 100.0 * s.mean)
    });
    let matrix = Matrix {
        classes,
        shares: mean.mean.iter().map(|row| row.iter().map(|v| Some(v / 1000.0)).collect()).collect(),
        numbers: mean.mean.iter().map(|row| row.iter().map(number).collect()).collect(),
        recall: each(|run, class| run.confusion.per_class()[class].recall),
        precision: each(|run, class| run.confusion.per_class()[class].precision),
        score,
    };
    let svg = heatmap(&matrix, &format!("{} · {of}", shown.name(i)));
    let caption = format!(
        "Confusion matrix of {}, {of}: of 1,000 images of the true class (row), how many were taken for each class.",
        shown.name(i)
    );
    Figure { name: format!("confusion-{}", shown.file(i)), caption, svg, wide: true }
}

/// The pairs of classes that are confused most, over all groups.
pub(super) fn confused(shown: &Shown<'_>, images: Option<Images<'_>>) -> Result<Vec<Confused>> {
    let means: Vec<Mean> = shown.groups.iter().map(|group| Mean::of(group)).collect();
    let Some(first) = shown.groups.first().and_then(|group| group.runs.first()) else {
        return Ok(Vec::new());
    };
    let classes = first.confusion.classes();
    let n = classes.len();
    let total = |t: usize, p: usize| means.iter().map(|m| m.mean[t][p]).sum::<f64>();
    let mut pairs: Vec<(usize, usize)> = (0..n)
        .flat_map(|t| (0..n).map(move |p| (t, p)))
        .filter(|&(t, p)| t != p && total(t, p) > 0.0)
        .collect();
    pairs.sort_by(|a, b| total(b.0, b.1).total_cmp(&total(a.0, a.1)));
    pairs.truncate(PAIRS);
    let mut found = Vec::new();
    for (t, p) in pairs {
        found.push(Confused {
            truth: classes[t].clone(),
            predicted: classes[p].clone(),
            counts: means.iter().map(|m| m.mean[t][p]).collect(),
            examples: examples(&shown.groups, t as u8, p as u8, images)?,
        });
    }
    Ok(found)
}

/// The images of class `t` that most runs take for `p`.
fn examples(
    groups: &[&RunGroup],
    t: u8,
    p: u8,
    images: Option<Images<'_>>,
) -> Result<Vec<(usize, usize, String)>> {
    let Some(images) = images else { return Ok(Vec::new()) };
    let mut by_image: BTreeMap<usize, usize> = BTreeMap::new();
    for run in groups.iter().flat_map(|group| &group.runs) {
        for (index, said) in run.predictions.iter().enumerate() {
            if said.label == t && said.predicted == p {
                *by_image.entry(index).or_default() += 1;
            }
        }
    }
    let mut most: Vec<(usize, usize)> = by_image.into_iter().collect();
    most.sort_by_key(|&(index, runs)| (std::cmp::Reverse(runs), index));
    most.truncate(EXAMPLES);
    let drawn = most.into_iter().filter_map(|(index, runs)| Some((index, runs, images(index)?)));
    drawn.map(|(index, runs, (pixels, size))| Ok((index, runs, data_uri(&pixels, size)?))).collect()
}
