//! `fm-exp compare`: groups of runs, their numbers and differences, and a sentence.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use fm_report::{Condition, Found, Length, Question, Sheet, Wanted};
use fm_run::store;
use fm_run::tables::ReadError;
use serde_json::Value;

use super::compare_text::{self, validation_text};
use crate::error::{Error, Kind, Result};

/// Flags of `compare`.
#[derive(Debug, Args)]
pub(crate) struct CompareArgs {
    /// Runs' directories, or directories that hold runs; runs that differ by their seed alone make a group
    #[arg(value_name = "RUN|DIR", required = true)]
    places: Vec<PathBuf>,

    #[command(flatten)]
    wanted: WantedArgs,

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

/// Which runs, and at what length.
#[derive(Debug, Args)]
pub(crate) struct WantedArgs {
    /// Only runs of this length; longer runs count if scored at this epoch; or best-val: each group at the length of its
    /// highest mean validation accuracy
    #[arg(long, value_name = "N|best-val")]
    epochs: Option<Length>,

    /// Only runs with this value of a key, such as arch=cnn or name!=again; of several values of one key any counts, of
    /// several keys all must hold
    #[arg(long = "where", value_name = "KEY=VALUE")]
    conditions: Vec<Condition>,
}

impl WantedArgs {
    pub(super) fn of(&self) -> Wanted {
        Wanted { length: self.epochs.unwrap_or_default(), conditions: self.conditions.clone() }
    }
}

/// What is asked of a comparison.
#[derive(Debug, Args)]
pub(crate) struct QuestionArgs {
    /// Compare the other groups only with this one, by the name that is printed [default: all pairs]
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

pub(crate) fn run(args: &CompareArgs, as_json: bool, details: bool) -> Result<String> {
    if args.on == On::Val && args.wanted.epochs == Some(Length::BestValidation) {
        return Err(Error::usage(
            "--epochs best-val chooses by validation scores, which --on val would compare",
        )
        .help("compare the choice on the test set: leave --on val out"));
    }
    let found = find(&args.places, &args.wanted.of())?;
    if found.groups.len() < 2 && !as_json && !args.csv {
        tracing::warn!("one group alone: there is nothing to compare it with");
    }
    if args.on == On::Val {
        return on_validation(args, &found, as_json);
    }
    let compared = fm_report::compare(&found.groups, &args.question.of()).map_err(failed)?;
    let text = || compare_text::text(&compared, details);
    said(args, as_json, "compare", compared.to_rows(), || compared.to_json(), text)
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

/// Finds the runs, at their own length or at so many epochs.
pub(super) fn collect(places: &[PathBuf], epochs: Option<u32>) -> Result<Found> {
    let length = epochs.map_or(Length::Own, Length::Epochs);
    find(places, &Wanted { length, ..Wanted::default() })
}

/// Finds the runs that are wanted; says which were passed over.
pub(super) fn find(places: &[PathBuf], wanted: &Wanted) -> Result<Found> {
    let found = fm_report::collect(places, wanted).map_err(failed)?;
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
        fm_report::Error::SameSeed { dirs, .. } => {
            let again = dirs[1].file_name().unwrap_or_default().to_string_lossy().into_owned();
            Error::new(Kind::Mismatch, text).help(format!(
                "leave one of them out, such as with --where 'name!={again}', or give the directories of the runs that \
                 are meant"
            ))
        }
        fm_report::Error::NoneSo { .. } => {
            Error::new(Kind::Mismatch, text).help("fm-exp keys lists keys; a run's config.toml has its values")
        }
        fm_report::Error::NoLength { .. } => Error::new(Kind::Mismatch, text)
            .help("score all seeds at the same lengths: --score-at when they are trained"),
        fm_report::Error::NoPredictions { .. } => Error::new(Kind::Mismatch, text).help(
            "compare lengths whose predictions were kept (--epochs), or score the run again: fm-exp eval, or train it anew",
        ),
        _ => Error::new(Kind::Mismatch, text),
    }
}
