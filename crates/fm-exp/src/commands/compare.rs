//! `fm-exp compare`: groups of runs, their numbers and differences, and a sentence.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use fm_report::stats::{Interval, Summary};
use fm_report::{Compared, Found, Question, Sheet, ValidatedGroup};
use fm_run::store;
use fm_run::tables::ReadError;
use serde_json::Value;

use crate::error::{Error, Kind, Result};

/// Flags of `compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Runs' directories, or directories that hold runs; runs that differ by their seed alone make a group
    #[arg(value_name = "RUN|DIR", required = true)]
    places: Vec<PathBuf>,

    /// Runs of this length alone; longer ones as they were scored on the way
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,

    #[command(flatten)]
    question: QuestionArgs,

    /// Which images to compare on: test, or val to choose settings by
    #[arg(long, value_enum, default_value = "test")]
    on: On,

    /// Print a table for spreadsheets
    #[arg(long, conflicts_with = "json")]
    csv: bool,

    /// Also write the table as an Excel workbook, whose numbers every language reads
    #[arg(long, value_name = "FILE")]
    xlsx: Option<PathBuf>,
}

/// Images that runs were scored on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum On {
    /// The test set
    Test,
    /// The images that each seed holds out: accuracies, losses and best epochs, t tests over seeds
    Val,
}

/// What is asked of a comparison.
#[derive(Debug, Args)]
pub(crate) struct QuestionArgs {
    /// Compare the other groups with this one alone, by the name that is printed [default: all pairs]
    #[arg(long, value_name = "GROUP")]
    reference: Option<String>,

    /// Differences of accuracy up to this do not matter, in percentage points
    #[arg(long, value_name = "POINTS", default_value_t = 0.3, value_parser = points)]
    margin: f64,
}

pub(crate) fn points(text: &str) -> std::result::Result<f64, String> {
    let points = text.parse().ok().filter(|points: &f64| *points > 0.0 && *points < 100.0);
    points.ok_or_else(|| format!("must be percentage points above 0 and below 100, got '{text}'"))
}

impl QuestionArgs {
    /// In shares of 1.
    pub(super) fn of(&self) -> Question {
        Question { reference: self.reference.clone(), margin: self.margin / 100.0 }
    }
}

pub(crate) fn run(args: &CompareArgs, as_json: bool) -> Result<String> {
    let found = collect(&args.places, args.epochs)?;
    if found.groups.len() < 2 && !as_json && !args.csv {
        tracing::warn!("one group alone: there is nothing to compare it with");
    }
    if args.on == On::Val {
        return on_validation(args, &found, as_json);
    }
    let compared = fm_report::compare(&found.groups, &args.question.of()).map_err(failed)?;
    said(args, as_json, "compare", compared.to_rows(), || compared.to_json(), || text(&compared))
}

fn on_validation(args: &CompareArgs, found: &Found, as_json: bool) -> Result<String> {
    let validated = fm_report::compare_validation(&found.groups, &args.question.of()).map_err(failed)?;
    let text = || {
        let mut out = String::new();
        validated.groups.iter().for_each(|group| out.push_str(&validation_text(group)));
        if !validated.pairs.is_empty() {
            out.push('\n');
        }
        validated.pairs.iter().for_each(|pair| out.extend([pair.sentence.as_str(), "\n"]));
        out
    };
    said(args, as_json, "compare on val", validated.to_rows(), || validated.to_json(), text)
}

/// A comparison in the form that was asked for, and as a workbook where one was.
fn said(
    args: &CompareArgs,
    as_json: bool,
    sheet: &str,
    (header, rows): (Vec<&'static str>, Vec<Vec<String>>),
    json: impl FnOnce() -> Value,
    text: impl FnOnce() -> String,
) -> Result<String> {
    if let Some(path) = &args.xlsx {
        write_workbook(path, &[Sheet::new(sheet, &header, rows.clone())])?;
    }
    if as_json {
        return Ok(format!("{:#}\n", json()));
    }
    if args.csv {
        return Ok(String::from_utf8_lossy(&store::csv_bytes(&header, rows)?).into_owned());
    }
    Ok(text())
}

/// Writes sheets as an `.xlsx` file.
///
/// # Errors
/// When they fit into no workbook, or it cannot be written.
pub(crate) fn write_workbook(path: &Path, sheets: &[Sheet]) -> Result<()> {
    store::write(path, &fm_report::workbook(sheets).map_err(failed)?)
}

/// A group's validation scores in lines.
pub(crate) fn validation_text(group: &ValidatedGroup) -> String {
    let mut out = heading(&group.name, group.seeds.len());
    for (measure, s) in group.measures() {
        let _ = writeln!(out, "  {measure:<22} {}", spread(measure, s));
    }
    out
}

/// A group's name and the number of its seeds.
fn heading(name: &str, seeds: usize) -> String {
    format!("{name} ({seeds} {})\n", if seeds == 1 { "seed" } else { "seeds" })
}

/// Finds the runs; says which were passed over.
pub(super) fn collect(places: &[PathBuf], epochs: Option<u32>) -> Result<Found> {
    let found = fm_report::collect(places, epochs).map_err(failed)?;
    if !found.unfinished.is_empty() {
        tracing::warn!(
            "{} unfinished runs are left out: {}",
            found.unfinished.len(),
            names(&found.unfinished)
        );
    }
    if found.groups.is_empty() {
        return Err(
            Error::new(Kind::Mismatch, "none of the runs is finished").help("resume them with --resume")
        );
    }
    Ok(found)
}

/// The first few of some directories.
pub(crate) fn names(dirs: &[PathBuf]) -> String {
    let shown: Vec<String> = dirs.iter().take(5).map(|dir| dir.display().to_string()).collect();
    if dirs.len() > shown.len() { format!("{} …", shown.join(", ")) } else { shown.join(", ") }
}

/// Its kind: what cannot be read, or does not fit together.
#[expect(clippy::needless_pass_by_value, reason = "it stands in map_err")]
pub(crate) fn failed(error: fm_report::Error) -> Error {
    let text = error.to_string();
    match error {
        fm_report::Error::Read(ReadError::Unreadable { .. }) => Error::new(Kind::Io, text),
        fm_report::Error::Nothing { .. } => {
            Error::new(Kind::Mismatch, text).help("give directories of runs, or one that holds them")
        }
        fm_report::Error::OtherTest { .. } => {
            Error::new(Kind::Mismatch, text).help("compare runs on one data set")
        }
        fm_report::Error::NoValidation { .. } => Error::new(Kind::Mismatch, text)
            .note("--protocol notebook holds no images out")
            .help("choose between runs of --protocol holdout"),
        fm_report::Error::NoGroup { .. } => Error::usage(text),
        fm_report::Error::SameSeed { .. } => {
            Error::new(Kind::Mismatch, text).help("name the runs that are meant, not the directory of all")
        }
        _ => Error::new(Kind::Mismatch, text),
    }
}

fn text(compared: &Compared) -> String {
    let mut out = String::new();
    for group in &compared.groups {
        out.push_str(&heading(&group.name, group.seeds.len()));
        for (measure, s) in &group.measures {
            let _ = writeln!(out, "  {measure:<22} {}", spread(measure, s));
        }
        if let Some(noise) = &group.noise {
            let parts = noise.parts().map(|(source, sd)| format!("{source} {:.2}", 100.0 * sd));
            let _ = writeln!(out, "  {:<22} {} points", "accuracy's noise, sd", parts.join(", "));
        }
    }
    for pair in &compared.pairs {
        let c = &pair.comparison;
        let how = if c.paired { "paired by seed" } else { "other seeds, not paired" };
        let _ = writeln!(
            out,
            "\n{} less {} ({how}; mean difference, 95 % interval, of recalls for all classes together)",
            c.names[1], c.names[0]
        );
        for (measure, difference) in &pair.differences {
            if let Some(difference) = difference {
                let scale = scale(measure);
                let Interval { low, high } = difference.interval;
                let (d, low, high) = (scale.0 * difference.test.difference, scale.0 * low, scale.0 * high);
                let _ = writeln!(out, "  {measure:<22} {d:>8.2}  ({low:.2} to {high:.2}){}", scale.1);
            }
        }
        let separate: Vec<String> =
            c.mcnemar.iter().map(|(seed, m)| format!("seed {seed} {}", p_text(m.mid))).collect();
        if !separate.is_empty() {
            let _ = writeln!(out, "  McNemar's mid-p by seed: {}", separate.join(", "));
        }
    }
    if !compared.pairs.is_empty() {
        out.push('\n');
    }
    for pair in &compared.pairs {
        let _ = writeln!(out, "{}", pair.verdict.sentence);
    }
    out
}

/// What a measure is multiplied with, and its unit.
fn scale(measure: &str) -> (f64, &'static str) {
    match measure {
        "loss" | "validation loss" | "best epoch" => (1.0, ""),
        "training seconds" => (1.0, " s"),
        _ => (100.0, " points"),
    }
}

fn spread(measure: &str, s: &Summary) -> String {
    let (factor, _) = scale(measure);
    let digits = if measure.ends_with("loss") { 4 } else { 2 };
    let show = |v: f64| format!("{:.digits$}", factor * v);
    let unit = match measure {
        "loss" | "validation loss" | "best epoch" => "",
        "training seconds" => " s",
        _ => " %",
    };
    match (s.sd, s.interval) {
        (Some(sd), Some(Interval { low, high })) => {
            let (mean, sd, low, high) = (show(s.mean), show(sd), show(low), show(high));
            format!("{mean:>8}{unit}  sd {sd}  95 % interval of the mean {low} to {high}")
        }
        _ => format!("{:>8}{unit}", show(s.mean)),
    }
}

fn p_text(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
}
