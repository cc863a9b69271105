//! The report's charts: differences, seeds, learning curves, lengths and recalls, from runs' tables.

use std::collections::BTreeMap;

use fm_run::tables::{EpochRow, Prediction};

use super::Figure;
use super::shown::Shown;
use crate::chart::{Axes, Estimate, NAMED, Sample, Series, estimates, lines};
use crate::collect::{ScoredAt, lengths};
use crate::compared::values;
use crate::error::Result;
use crate::groups::RunGroup;
use crate::rows::{ForestRow, SeedRow, forest, seeds};
use crate::stats::{reliability, summarize};

pub(super) fn figures(shown: &Shown<'_>) -> Result<Vec<Figure>> {
    let mut figures: Vec<Figure> = differences(shown).into_iter().collect();
    figures.push(by_seed(shown));
    let all =
        |group: &&RunGroup| group.runs.iter().map(|run| lengths(&run.source)).collect::<Result<Vec<_>>>();
    let scored = shown.groups.iter().map(all).collect::<Result<Vec<_>>>()?;
    figures.extend(curves(shown, &scored)?);
    figures.extend(by_length(shown, &scored));
    figures.extend(calibration(shown));
    figures.extend(recalls(shown));
    Ok(figures)
}

/// Every pair of few groups; of many, each against the best or the reference.
fn differences(shown: &Shown<'_>) -> Option<Figure> {
    let n = shown.groups.len();
    let of = |first: usize, second: usize, name: String| {
        let seen = shown.pair(first, second)?;
        Some(ForestRow { name, difference: seen.difference, answer: seen.pair.verdict.answer })
    };
    let (title, rows): (String, Vec<ForestRow>) = if shown.many {
        let against = shown.reference();
        let others = (0..n).filter(|&i| i != against).filter_map(|i| of(against, i, shown.name(i)));
        (format!("difference from {}", shown.name(against)), others.collect())
    } else {
        let pairs = (0..n).flat_map(|i| (i + 1..n).map(move |j| (i, j)));
        let name = |i: usize, j: usize| format!("{} minus {}", shown.name(j), shown.name(i));
        ("differences".to_owned(), pairs.filter_map(|(i, j)| of(i, j, name(i, j))).collect())
    };
    let family = shown.compared.pairs.first()?.verdict.family;
    let together = match family.comparisons {
        1 => String::new(),
        n => format!(" that hold for all {n} comparisons together"),
    };
    let caption = format!(
        "Differences of test accuracy with 95 % intervals{together}. Grey: differences within the margin do not matter."
    );
    let svg = forest(&title, 100.0 * family.margin, &rows);
    Some(Figure { name: "differences".to_owned(), caption, svg, wide: false })
}

fn by_seed(shown: &Shown<'_>) -> Figure {
    let row = |(i, group): (usize, &&RunGroup)| {
        let values: Vec<f64> = values(group, "accuracy").iter().map(|share| 100.0 * share).collect();
        let mean = summarize(&values).map(|s| {
            let (low, high) = s.interval.map_or((s.mean, s.mean), |i| (i.low.max(0.0), i.high.min(100.0)));
            Estimate { mean: s.mean, low, high }
        })?;
        Some(SeedRow { name: shown.name(i), values, mean })
    };
    let rows: Vec<SeedRow> = shown.groups.iter().enumerate().filter_map(row).collect();
    let paired = rows.len() == 2 && shown.compared.pairs.iter().all(|pair| pair.comparison.paired);
    let joined = if paired { " Lines join runs of one seed." } else { "" };
    let caption = format!(
        "Test accuracy of every run, and below the mean with its 95 % interval (Student's t).{joined}"
    );
    Figure { name: "seeds".to_owned(), caption, svg: seeds("accuracy by seed", &rows, paired), wide: false }
}

/// What a panel shows of a row.
type Column = fn(&EpochRow) -> Option<f64>;

/// Loss and accuracy by epoch, training and validation, and the scores on the test set.
fn curves(shown: &Shown<'_>, scored: &[Vec<Vec<ScoredAt>>]) -> Result<Vec<Figure>> {
    let panels: [(&str, &str, &str, Column); 4] = [
        ("train-loss", "training loss", "", |row| Some(row.train_loss)),
        ("val-loss", "validation loss", "", |row| row.val_loss),
        ("train-accuracy", "training accuracy", " %", |row| row.train_acc),
        ("val-accuracy", "validation accuracy", " %", |row| row.val_acc),
    ];
    let mut tables: Vec<Vec<Vec<EpochRow>>> = Vec::new();
    for group in &shown.groups {
        let rows = group.runs.iter().map(|run| Ok(classifying(run.source.epochs()?)));
        tables.push(rows.collect::<Result<Vec<_>>>()?);
    }
    let mut figures = Vec::new();
    for (name, title, unit, column) in panels {
        let factor = if unit.is_empty() { 1.0 } else { 100.0 };
        let validates = |runs: &[Vec<EpochRow>]| runs.iter().flatten().any(|row| row.val_loss.is_some());
        let series = tables.iter().enumerate().map(|(i, runs)| {
            let mut by_epoch: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
            for rows in runs {
                for (epoch, row) in rows.iter().enumerate() {
                    let value = column(row).map(|v| factor * v);
                    by_epoch.entry(epoch + 1).or_default().extend(value.filter(|v| v.is_finite()));
                }
            }
            // Beyond the first run's end a mean would be of those alone that got there.
            let common = runs.iter().map(Vec::len).min().unwrap_or(0);
            let samples = by_epoch.into_iter().filter(|(epoch, _)| *epoch <= common);
            let samples = samples.filter_map(|(epoch, values)| {
                let s = summarize(&values)?;
                Some(Sample { x: epoch as f64, y: s.mean, low: s.min, high: s.max, across: None })
            });
            // The test scores stand with validation, or with training where there is none.
            let here = name.starts_with("val") == validates(runs);
            let of: fn(&ScoredAt) -> f64 = if unit.is_empty() { |l| l.loss } else { |l| l.accuracy };
            let scored = by_epochs(&scored[i]).into_iter().filter(|_| here);
            let scored = scored.filter_map(|(epochs, found)| {
                let values: Vec<f64> =
                    found.iter().map(|l| factor * of(l)).filter(|v| v.is_finite()).collect();
                Some((epochs as f64, summarize(&values)?.mean))
            });
            Series { name: shown.name(i), samples: samples.collect(), scored: scored.collect() }
        });
        let series: Vec<Series> = series.collect();
        if series.iter().all(|s| s.samples.is_empty()) {
            continue;
        }
        let test = if series.iter().any(|s| !s.scored.is_empty()) {
            " Diamonds: mean on the test set, where it was scored."
        } else {
            ""
        };
        let range = if series.len() > NAMED {
            "mean over seeds, by the groups' numbers"
        } else {
            "mean over seeds, and a band from the lowest to the highest"
        };
        let what = if unit.is_empty() { " (cross-entropy)" } else { "" };
        let ends = if tables.iter().any(|runs| runs.iter().any(|rows| rows.len() != runs[0].len())) {
            " A line ends where the first of its runs does."
        } else {
            ""
        };
        let svg = lines(Axes { title, x: "epoch", unit, whole: true, band: true }, &series);
        let caption = format!("{}{what} by epoch: {range}.{ends}{test}", upper(title));
        figures.push(Figure { name: name.to_owned(), caption, svg, wide: false });
    }
    Ok(figures)
}

/// Rows of phases that train the classifier itself.
fn classifying(rows: Vec<EpochRow>) -> Vec<EpochRow> {
    rows.into_iter().filter(|row| !row.phase.starts_with("pretrain")).collect()
}

/// The runs' scores by length.
fn by_epochs(runs: &[Vec<ScoredAt>]) -> BTreeMap<u64, Vec<ScoredAt>> {
    let mut found: BTreeMap<u64, Vec<ScoredAt>> = BTreeMap::new();
    for length in runs.iter().flatten() {
        found.entry(length.epochs).or_default().push(*length);
    }
    found
}

/// Test accuracy against the length of training, in epochs and in seconds, where there are several lengths.
fn by_length(shown: &Shown<'_>, scored: &[Vec<Vec<ScoredAt>>]) -> Vec<Figure> {
    let groups: Vec<BTreeMap<u64, Vec<ScoredAt>>> = scored.iter().map(|runs| by_epochs(runs)).collect();
    if groups.iter().all(|lengths| lengths.len() < 2) {
        return Vec::new();
    }
    let series = |in_seconds: bool| -> Vec<Series> {
        let of = |(i, lengths): (usize, &BTreeMap<u64, Vec<ScoredAt>>)| {
            let samples = lengths.iter().filter_map(|(&epochs, found)| {
                let s = summarize(&found.iter().map(|l| 100.0 * l.accuracy).collect::<Vec<_>>())?;
                let (low, high) = s.interval.map_or((s.mean, s.mean), |i| (i.low, i.high));
                let time = summarize(&found.iter().map(|l| l.seconds).collect::<Vec<_>>())?;
                let x = if in_seconds { time.mean } else { epochs as f64 };
                let across = in_seconds.then_some((time.min, time.max));
                Some(Sample { x, y: s.mean, low: low.max(0.0), high: high.min(100.0), across })
            });
            Series { name: shown.name(i), samples: samples.collect(), scored: Vec::new() }
        };
        groups.iter().enumerate().map(of).collect()
    };
    let figure = |name: &str, x: &str, more: &str, in_seconds: bool| {
        let axes = Axes { title: "test accuracy", x, unit: " %", whole: !in_seconds, band: false };
        let caption = format!("Test accuracy against {x}: mean over seeds with its 95 % interval.{more}");
        Figure { name: name.to_owned(), caption, svg: lines(axes, &series(in_seconds)), wide: false }
    };
    let busy = " Level bars: from the fastest to the slowest run. Other work on the machine changes seconds: they \
                are no benchmark and are not tested.";
    vec![
        figure("accuracy-epochs", "epochs of training", "", false),
        figure("accuracy-seconds", "seconds of training", busy, true),
    ]
}

/// How much surer the networks are than they are right, by how sure they are.
fn calibration(shown: &Shown<'_>) -> Option<Figure> {
    // Fewer images in a bin say nothing of accuracy.
    const FEWEST: usize = 10;
    let series = |(i, group): (usize, &&RunGroup)| {
        let mut gaps: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
        for run in &group.runs {
            let said: Vec<(f64, bool)> = run.predictions.iter().map(Prediction::certainty).collect();
            for (place, bin) in reliability(&said).iter().enumerate().filter(|(_, bin)| bin.images >= FEWEST)
            {
                let (Some(sure), Some(right)) = (bin.confidence, bin.accuracy) else { continue };
                gaps.entry(place).or_default().push((100.0 * sure, 100.0 * (sure - right)));
            }
        }
        // Of all seeds, so that no bin stands for those alone that were so unsure.
        let samples = gaps.into_values().filter(|of| of.len() == group.runs.len()).filter_map(|of| {
            let (sure, gap): (Vec<f64>, Vec<f64>) = of.into_iter().unzip();
            let (x, s) = (summarize(&sure)?.mean, summarize(&gap)?);
            let (low, high) = s.interval.map_or((s.mean, s.mean), |i| (i.low, i.high));
            Some(Sample { x, y: s.mean, low, high, across: None })
        });
        Series { name: shown.name(i), samples: samples.collect(), scored: Vec::new() }
    };
    let series: Vec<Series> = shown.groups.iter().enumerate().map(series).collect();
    if series.iter().all(|s| s.samples.is_empty()) {
        return None;
    }
    let axes = Axes {
        title: "confidence minus accuracy, points",
        x: "confidence, %: the predicted class's probability",
        unit: "",
        whole: false,
        band: shown.many,
    };
    let caption = "Calibration on the test set: how much surer the networks are than they are right, by bins of confidence; \
                   above 0 they are overconfident. Mean over seeds with its 95 % interval (Student's t); bins of at least \
                   ten images in every run."
        .to_owned();
    Some(Figure { name: "calibration".to_owned(), caption, svg: lines(axes, &series), wide: false })
}

/// Recall of each class; of many groups a table says it.
fn recalls(shown: &Shown<'_>) -> Option<Figure> {
    let classes = shown.groups.first()?.runs.first()?.confusion.classes();
    if shown.many {
        return None;
    }
    let estimate = |group: &RunGroup, class: &String| {
        let s = summarize(&values(group, &format!("recall {class}")))?;
        let (low, high) = s.interval.map_or((s.mean, s.mean), |i| (i.low.max(0.0), i.high.min(1.0)));
        Some(Estimate { mean: 100.0 * s.mean, low: 100.0 * low, high: 100.0 * high })
    };
    let row = |(i, group): (usize, &&RunGroup)| {
        (shown.name(i), classes.iter().map(|class| estimate(group, class)).collect())
    };
    let rows: Vec<(String, Vec<Option<Estimate>>)> = shown.groups.iter().enumerate().map(row).collect();
    let caption =
        "Recall of each class: mean over seeds with its 95 % interval, by seeds alone (Student's t)."
            .to_owned();
    Some(Figure {
        name: "recall".to_owned(),
        caption,
        svg: estimates("recall by class", classes, &rows),
        wide: false,
    })
}

pub(super) fn upper(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
