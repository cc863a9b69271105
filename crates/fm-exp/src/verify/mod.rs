//! `fm-exp verify`: trains runs again from their records and says whether the same comes out.
//!
//! ```text
//! records ─▸ settings, data ─▸ train again, elsewhere ─▸ epochs, scores, predictions, weights ─▸ answer
//! ```
//!
//! One build on one processor gives the same bytes. Where another build or processor computes, roundings differ and
//! grow, so that the run is another draw of the same experiment: it is equivalent when its accuracy is within a margin.

mod records;
mod tables;
mod training;

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use fm_report::Source;
use fm_run::terminal::counted;
use serde_json::{Value, json};

use crate::commands::compare::{failed, left_out};
use crate::error::{Error, Kind, Result};
use crate::signals::Signals;

/// Flags of `verify`.
#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A run's directory, one that holds runs, or a runs.npz
    #[arg(value_name = "RUN|DIR")]
    place: PathBuf,

    /// Only N of the runs, evenly spread [default: all]
    #[arg(long, value_name = "N")]
    sample: Option<usize>,

    /// Train only so many epochs, pretraining included, and compare those [default: all]
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,

    /// Where build or processor differ: accuracies up to this apart are equivalent, in percentage points
    #[arg(long, value_name = "POINTS", default_value_t = 1.0, value_parser = points)]
    margin: f64,

    /// Directory that holds the data files [default: as recorded]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

fn points(text: &str) -> std::result::Result<f64, String> {
    let points = text.parse().ok().filter(|points: &f64| (0.0..100.0).contains(points));
    points.ok_or_else(|| format!("must be percentage points from 0 and below 100, got '{text}'"))
}

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answer {
    /// Every number that was compared, and the weights where they are there.
    Identical,
    /// Other numbers, from another build or processor, and an accuracy within the margin.
    Equivalent,
    /// Other numbers.
    Different,
    /// It could not be trained again.
    Failed,
}

impl Answer {
    const ALL: [Self; 4] = [Self::Identical, Self::Equivalent, Self::Different, Self::Failed];

    const fn name(self) -> &'static str {
        match self {
            Self::Identical => "identical",
            Self::Equivalent => "equivalent",
            Self::Different => "different",
            Self::Failed => "failed",
        }
    }
}

/// Something that is not as recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Difference {
    /// `setting`, `data`, `build`, `epochs`, `scores`, `predictions` or `weights`.
    what: &'static str,
    text: String,
}

impl Difference {
    fn new(what: &'static str, text: impl Into<String>) -> Self {
        Self { what, text: text.into() }
    }
}

/// A run that was looked at.
#[derive(Debug)]
struct Verified {
    name: String,
    answer: Answer,
    /// Setting, data or build; in that order the first.
    records: Option<Difference>,
    /// In the tables, the first.
    tables: Option<Difference>,
    /// What was compared.
    compared: String,
    /// Recorded and found.
    accuracy: Option<(f64, f64)>,
}

impl Verified {
    fn without_training(name: String, answer: Answer, difference: Difference) -> Self {
        let compared = "not trained".to_owned();
        Self { name, answer, records: Some(difference), tables: None, compared, accuracy: None }
    }

    fn to_json(&self) -> Value {
        let difference = |d: &Difference| json!({ "what": d.what, "text": d.text });
        json!({
            "name": self.name, "answer": self.answer.name(), "compared": self.compared,
            "first_difference": self.records.as_ref().or(self.tables.as_ref()).map(difference),
            "first_in_tables": self.tables.as_ref().map(difference),
            "accuracy": self.accuracy.map(|(there, here)| json!({ "recorded": there, "found": here })),
        })
    }

    fn text(&self, margin: f64) -> String {
        let mut out = format!("{}: {}", self.name, self.answer.name());
        if self.answer == Answer::Equivalent {
            let _ = write!(out, " within {margin} points");
        }
        let _ = write!(out, " ({}", self.compared);
        if let (Some(_), Some((there, here))) = (&self.tables, self.accuracy) {
            let _ = write!(out, "; accuracy {there:.4} recorded, {here:.4} found");
        }
        out.push_str(")\n");
        for (label, difference) in [("differs first", &self.records), ("in the tables", &self.tables)] {
            if let Some(Difference { what, text }) = difference {
                let _ = writeln!(out, "  {label}: {what}: {text}");
            }
        }
        if self.records.is_some() && self.accuracy.is_none() {
            out.push_str(
                "  these epochs have no accuracy, which could show it to be equivalent: give more --epochs\n",
            );
        }
        out
    }
}

pub(crate) fn run(args: &VerifyArgs, as_json: bool) -> Result<String> {
    if args.sample == Some(0) || args.epochs == Some(0) {
        return Err(Error::usage("--sample and --epochs must be at least 1"));
    }
    let (done, unfinished) = fm_report::finished(&args.place).map_err(failed)?;
    left_out(&unfinished);
    if done.is_empty() {
        let text = format!("no finished run in {}", args.place.display());
        return Err(Error::new(Kind::Mismatch, text).help("give a run's directory, or one that holds runs"));
    }
    let signals = Signals::listen()?;
    let count = args.sample.unwrap_or(done.len()).min(done.len());
    let chosen = (0..count).map(|i| &done[i * done.len() / count]);
    let mut all = Vec::new();
    for (index, run) in chosen.enumerate() {
        let verified = one(run, args, &signals)?;
        tracing::info!("{} of {count}: {} is {}", index + 1, verified.name, verified.answer.name());
        all.push(verified);
    }
    conclude(&all, args.margin, as_json)
}

/// Looks at a run: first at what needs no training.
fn one(source: &Source, args: &VerifyArgs, signals: &Signals) -> Result<Verified> {
    let name = source.dir.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let recorded = match records::read(source) {
        Ok(recorded) => recorded,
        Err(error) => {
            let unreadable = Difference::new("setting", error.to_string());
            return Ok(Verified::without_training(name, Answer::Failed, unreadable));
        }
    };
    if let Some(setting) = recorded.setting(source)? {
        return Ok(Verified::without_training(name, Answer::Different, setting));
    }
    if let Some(data) = recorded.data(args.data_dir.as_deref())? {
        return Ok(Verified::without_training(name, Answer::Different, data));
    }
    let again = match training::again(&recorded, args.epochs, args.data_dir.as_deref(), signals)? {
        Ok(again) => again,
        Err(said) => {
            let difference = Difference::new("build", format!("it cannot be trained here: {said}"));
            return Ok(Verified::without_training(name, Answer::Failed, difference));
        }
    };
    let found = tables::compare(source, &again)?;
    let records = found.first.as_ref().and_then(|_| recorded.build(&again.other));
    let within = found.accuracy.is_some_and(|(there, here)| 100.0 * (there - here).abs() <= args.margin);
    let answer = match &found.first {
        None => Answer::Identical,
        Some(_) if records.is_some() && within => Answer::Equivalent,
        Some(_) => Answer::Different,
    };
    let tables::Found { first, compared, accuracy } = found;
    Ok(Verified { name, answer, records, tables: first, compared, accuracy })
}

fn conclude(all: &[Verified], margin: f64, as_json: bool) -> Result<String> {
    let count = |answer: Answer| all.iter().filter(|run| run.answer == answer).count();
    let counts: Vec<(&str, usize)> = Answer::ALL.iter().map(|a| (a.name(), count(*a))).collect();
    let text = if as_json {
        let counts: serde_json::Map<_, _> =
            counts.iter().map(|(name, n)| ((*name).to_owned(), json!(n))).collect();
        let runs: Vec<Value> = all.iter().map(Verified::to_json).collect();
        format!("{:#}\n", json!({ "margin_points": margin, "counts": counts, "runs": runs }))
    } else {
        let mut text: String = all.iter().map(|run| run.text(margin)).collect();
        let said: Vec<String> =
            counts.iter().filter(|(_, n)| *n > 0).map(|(name, n)| format!("{n} {name}")).collect();
        let _ = writeln!(text, "{}: {}", counted(all.len() as u64, "run"), said.join(", "));
        text
    };
    let (different, failed) = (count(Answer::Different), count(Answer::Failed));
    if different + failed == 0 {
        return Ok(text);
    }
    // What was found goes to stdout in any case.
    crate::cli::print(&text)?;
    Err(if different > 0 {
        Error::new(Kind::Mismatch, format!("{different} of {} runs do not come out as recorded", all.len()))
    } else {
        Error::new(Kind::Incomplete, format!("{failed} of {} runs cannot be trained again", all.len()))
    })
}
