//! `fm-exp compare`: groups of runs, their numbers and differences, and a sentence.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use fm_report::{Compared, Condition, Found, Length, Question, Sheet, Wanted};
use fm_run::store;
use fm_run::tables::{Mask, ReadError};
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

    /// Compare also without the test images that a table lists in its column `index`, such as an atlas' suspects.csv; said
    /// beside the comparison on all, never in place of it
    #[arg(long, value_name = "FILE")]
    mask: Option<PathBuf>,

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

    #[command(flatten)]
    which: WhichArgs,
}

/// Which runs.
#[derive(Debug, Args)]
pub(crate) struct WhichArgs {
    /// Only runs with this value of a key, such as arch=cnn or name!=again; of several values of one key any counts, of
    /// several keys all must hold
    #[arg(long = "where", value_name = "KEY=VALUE")]
    pub(super) conditions: Vec<Condition>,
}

impl WantedArgs {
    pub(super) fn of(&self) -> Wanted {
        Wanted { length: self.epochs.unwrap_or_default(), conditions: self.which.conditions.clone() }
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
    if args.on == On::Val && args.mask.is_some() {
        return Err(Error::usage("--mask is about test images, and --on val compares on others")
            .help("leave one out"));
    }
    let found = find(&args.places, &args.wanted.of())?;
    if found.groups.len() < 2 && !as_json && !args.csv {
        tracing::warn!("one group alone: there is nothing to compare it with");
    }
    if args.on == On::Val {
        return on_validation(args, &found, as_json);
    }
    let compared = fm_report::compare(&found.groups, &args.question.of()).map_err(failed)?;
    let without = args.mask.as_ref().map(|path| Without::of(path, &found, args)).transpose()?;
    let text = || {
        let all = compare_text::text(&compared, details);
        let of = |without: &Without| {
            format!("\n{}\n{}", without.heading(), compare_text::text(&without.compared, details))
        };
        all + &without.as_ref().map(of).unwrap_or_default()
    };
    let json = || {
        let mut json = compared.to_json();
        if let Some(without) = &without {
            json["masked"] = without.to_json();
        }
        json
    };
    let mut rows = compared.to_rows();
    if let Some(without) = &without {
        without.add_to(&mut rows);
    }
    said(args, as_json, "compare", rows, json, text)
}

/// The images of a file that a table names.
///
/// # Errors
/// When it cannot be read, or names images that the file has not.
pub(super) fn mask(path: &Path, set: &str, images: usize) -> Result<Mask> {
    Mask::read(path, set, images).map_err(|error| {
        failed(error.into()).help("a mask is a CSV table with a column `index`, such as suspects.csv")
    })
}

/// The comparison on the test images that a mask leaves.
struct Without {
    mask: Mask,
    /// Test images in all.
    images: usize,
    compared: Compared,
}

impl Without {
    fn of(path: &Path, found: &Found, args: &CompareArgs) -> Result<Self> {
        let runs = || found.groups.iter().flat_map(|group| &group.runs);
        let images = runs().map(|run| run.predictions.len()).max().unwrap_or(0);
        let mask = mask(path, "test", images)?;
        let groups = fm_report::masked(&found.groups, &mask.left_out).map_err(failed)?;
        let compared = fm_report::compare(&groups, &args.question.of()).map_err(failed)?;
        Ok(Self { mask, images, compared })
    }

    fn heading(&self) -> String {
        let (out, all) = (self.mask.left_out.len(), self.images);
        format!("without {out} of {all} test images, those of {}:", self.mask.path.display())
    }

    fn to_json(&self) -> Value {
        let mut json = self.compared.to_json();
        json["file"] = self.mask.path.display().to_string().into();
        json["left_out"] = self.mask.left_out.len().into();
        json["images"] = (self.images - self.mask.left_out.len()).into();
        json
    }

    /// Adds its rows, and to all how many images they leave out.
    fn add_to(&self, (header, rows): &mut (Vec<&'static str>, Vec<Vec<String>>)) {
        let mut more = self.compared.to_rows().1;
        let with = |rows: &mut Vec<Vec<String>>, out: usize| {
            for row in rows {
                row.push(out.to_string());
            }
        };
        header.push("left_out");
        with(rows, 0);
        with(&mut more, self.mask.left_out.len());
        rows.append(&mut more);
    }
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
    left_out(&found.unfinished);
    if found.groups.is_empty() {
        return Err(
            Error::new(Kind::Mismatch, "none of the runs is finished").help("resume them with --resume")
        );
    }
    Ok(found)
}

/// Warns of runs that are not finished, if there are any.
pub(crate) fn left_out(unfinished: &[PathBuf]) {
    if unfinished.is_empty() {
        return;
    }
    let shown: Vec<String> = unfinished.iter().take(5).map(|dir| dir.display().to_string()).collect();
    let more = if unfinished.len() > shown.len() { " …" } else { "" };
    let runs = fm_run::terminal::counted(unfinished.len() as u64, "unfinished run");
    tracing::warn!("{runs} left out: {}{more}", shown.join(", "));
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
        fm_report::Error::NoGroup { .. } | fm_report::Error::NothingLeft => Error::usage(text),
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
