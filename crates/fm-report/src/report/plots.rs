//! The report's plots, from runs' tables.

use std::collections::BTreeMap;

use fm_run::tables::{Confusion, EpochRow};

use super::{Figure, Images};
use crate::chart::{Axes, Estimate, Sample, Series, estimates, group_color, lines};
use crate::collect::lengths;
use crate::compared::values;
use crate::confusion_heatmap;
use crate::difference::difference_heatmap;
use crate::error::{Error, Result};
use crate::groups::RunGroup;
use crate::sheet::data_uri;
use crate::stats::summarize;

/// A pair of classes that are taken for each other.
pub(super) struct Confused {
    pub(super) truth: String,
    pub(super) predicted: String,
    /// Mean count a run, by group.
    pub(super) counts: Vec<f64>,
    /// Test images that most runs get wrong so, with their numbers and how many runs, as data URIs.
    pub(super) examples: Vec<(usize, usize, String)>,
}

/// As many pairs of classes.
const PAIRS: usize = 8;
/// As many images of each.
const EXAMPLES: usize = 4;

pub(super) fn figures(groups: &[RunGroup]) -> Result<Vec<Figure>> {
    let mut figures = curves(groups)?;
    figures.extend(by_length(groups)?);
    figures.push(recalls(groups));
    for group in groups {
        let runs = group.runs.len();
        let of = if runs == 1 { "1 run".to_owned() } else { format!("sum of {runs} runs") };
        let svg = confusion_heatmap(&sum(group)?, &format!("{} · {of}", group.name));
        let caption = format!("Confusion matrix of {}, {of}: true classes are rows.", group.name);
        figures.push(Figure { name: format!("confusion-{}", slug(&group.name)), caption, svg, wide: true });
    }
    for (i, first) in groups.iter().enumerate() {
        for second in groups.iter().skip(i + 1).take(if i == 0 { usize::MAX } else { 0 }) {
            figures.push(difference(first, second)?);
        }
    }
    Ok(figures)
}

/// What a column of `epochs.csv` holds.
type Column = fn(&EpochRow) -> Option<f64>;

/// Four panels over epochs: loss and accuracy, in training and validation.
fn curves(groups: &[RunGroup]) -> Result<Vec<Figure>> {
    let percent = |share: Option<f64>| share.map(|s| 100.0 * s);
    let panels: [(&str, &str, &str, Column); 4] = [
        ("train-loss", "training loss", "", |row| Some(row.train_loss)),
        ("val-loss", "validation loss", "", |row| row.val_loss),
        ("train-accuracy", "training accuracy", " %", |row| row.train_acc),
        ("val-accuracy", "validation accuracy", " %", |row| row.val_acc),
    ];
    let mut tables = Vec::new();
    for group in groups {
        let rows = group.runs.iter().map(|run| classifying(run.source.epochs()?));
        tables.push(rows.collect::<Result<Vec<_>>>()?);
    }
    let mut figures = Vec::new();
    for (name, title, unit, column) in panels {
        let series = groups.iter().zip(&tables).enumerate().map(|(i, (group, runs))| {
            let mut by_epoch: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
            for rows in runs {
                for (epoch, row) in rows.iter().enumerate() {
                    let value = if unit.is_empty() { column(row) } else { percent(column(row)) };
                    by_epoch.entry(epoch + 1).or_default().extend(value.filter(|v| v.is_finite()));
                }
            }
            let samples = by_epoch.into_iter().filter_map(|(epoch, values)| {
                let s = summarize(&values)?;
                Some(Sample { x: epoch as f64, y: s.mean, low: s.min, high: s.max })
            });
            Series { name: group.name.clone(), color: group_color(i), samples: samples.collect(), band: true }
        });
        let series: Vec<Series> = series.collect();
        if series.iter().all(|s| s.samples.is_empty()) {
            continue;
        }
        let svg = lines(Axes { title, x: "epoch", unit }, &series);
        let caption =
            format!("{} by epoch: mean over seeds, and a band from the lowest to the highest.", upper(title));
        figures.push(Figure { name: name.to_owned(), caption, svg, wide: false });
    }
    Ok(figures)
}

/// Rows of phases that train the classifier itself.
#[expect(clippy::unnecessary_wraps, reason = "it stands in a chain of results")]
fn classifying(rows: Vec<EpochRow>) -> Result<Vec<EpochRow>> {
    Ok(rows.into_iter().filter(|row| !row.phase.starts_with("pretrain")).collect())
}

/// Test accuracy against the length of training, in epochs and in seconds.
fn by_length(groups: &[RunGroup]) -> Result<Vec<Figure>> {
    let (mut by_epochs, mut by_seconds) = (Vec::new(), Vec::new());
    for (i, group) in groups.iter().enumerate() {
        let mut found: BTreeMap<u64, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
        for run in &group.runs {
            for (epochs, accuracy, seconds) in lengths(&run.source)? {
                let entry = found.entry(epochs).or_default();
                entry.0.push(100.0 * accuracy);
                entry.1.push(seconds);
            }
        }
        let series = |x: fn(u64, &[f64]) -> f64| {
            let samples = found.iter().filter_map(|(&epochs, (accuracies, seconds))| {
                let s = summarize(accuracies)?;
                let (low, high) = s.interval.map_or((s.mean, s.mean), |i| (i.low, i.high));
                Some(Sample { x: x(epochs, seconds), y: s.mean, low, high })
            });
            Series {
                name: group.name.clone(),
                color: group_color(i),
                samples: samples.collect(),
                band: false,
            }
        };
        by_epochs.push(series(|epochs, _| epochs as f64));
        by_seconds.push(series(|_, seconds| summarize(seconds).map_or(f64::NAN, |s| s.mean)));
    }
    let figure = |name: &str, x: &str, series: &[Series]| {
        let axes = Axes { title: "test accuracy", x, unit: " %" };
        let caption = format!("Test accuracy against {x}: mean over seeds with its 95 % interval.");
        Figure { name: name.to_owned(), caption, svg: lines(axes, series), wide: false }
    };
    Ok(vec![
        figure("accuracy-epochs", "epochs of training", &by_epochs),
        figure("accuracy-seconds", "seconds of training", &by_seconds),
    ])
}

fn recalls(groups: &[RunGroup]) -> Figure {
    let classes = groups.first().and_then(|g| g.runs.first()).map_or(&[][..], |run| run.confusion.classes());
    let estimate = |group: &RunGroup, class: &String| {
        let s = summarize(&values(group, &format!("recall {class}")))?;
        let (low, high) = s.interval.map_or((s.mean, s.mean), |i| (i.low, i.high));
        Some(Estimate { mean: 100.0 * s.mean, low: 100.0 * low, high: 100.0 * high })
    };
    let rows: Vec<(String, Vec<Option<Estimate>>)> = groups
        .iter()
        .map(|group| (group.name.clone(), classes.iter().map(|class| estimate(group, class)).collect()))
        .collect();
    let svg = estimates("recall by class", classes, &rows);
    let caption = "Recall of each class: mean over seeds with its 95 % interval.".to_owned();
    Figure { name: "recall".to_owned(), caption, svg, wide: false }
}

fn difference(first: &RunGroup, second: &RunGroup) -> Result<Figure> {
    let (a, b) = (sum(first)?, sum(second)?);
    let mean = |confusion: &Confusion, runs: usize| -> Vec<Vec<f64>> {
        confusion.rows().iter().map(|row| row.iter().map(|&c| c as f64 / runs as f64).collect()).collect()
    };
    let title = format!("{} less {}", second.name, first.name);
    let note = "images a run; orange: more of them, blue: fewer; on the diagonal more is better";
    let svg = difference_heatmap(
        &title,
        note,
        a.classes(),
        &mean(&a, first.runs.len()),
        &mean(&b, second.runs.len()),
    );
    let caption = format!("Difference of the confusion matrices, {title}: mean images a run.");
    let name = format!("difference-{}-{}", slug(&second.name), slug(&first.name));
    Ok(Figure { name, caption, svg, wide: true })
}

/// The group's confusion matrices added up.
fn sum(group: &RunGroup) -> Result<Confusion> {
    let mut runs = group.runs.iter().map(|run| &run.confusion);
    let first = runs.next().ok_or_else(|| Error::Picture(format!("{} has no runs", group.name)))?;
    let mut counts = first.rows().to_vec();
    for confusion in runs {
        for (to, from) in counts.iter_mut().flatten().zip(confusion.rows().iter().flatten()) {
            *to += from;
        }
    }
    Confusion::new(first.classes().to_vec(), counts).map_err(|e| Error::Picture(e.to_string()))
}

/// The pairs of classes that are confused most, over all groups.
pub(super) fn confused(groups: &[RunGroup], images: Option<Images<'_>>) -> Result<Vec<Confused>> {
    let sums = groups.iter().map(sum).collect::<Result<Vec<_>>>()?;
    let Some(first) = sums.first() else { return Ok(Vec::new()) };
    let classes = first.classes();
    let n = classes.len();
    let count =
        |group: usize, t: usize, p: usize| sums[group].rows()[t][p] as f64 / groups[group].runs.len() as f64;
    let total = |t: usize, p: usize| (0..groups.len()).map(|g| count(g, t, p)).sum::<f64>();
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
            counts: (0..groups.len()).map(|g| count(g, t, p)).collect(),
            examples: examples(groups, t as u8, p as u8, images)?,
        });
    }
    Ok(found)
}

/// The images of class `t` that most runs take for `p`.
fn examples(
    groups: &[RunGroup],
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

fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// As a piece of a file's name.
fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    name.chars().map(plain).collect::<String>().replace("--", "-")
}
