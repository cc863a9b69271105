//! `fm-exp sweep merge`: the results of a plan's runs as one table, a row a run and length, and packed.

use std::path::{Path, PathBuf};

use clap::Args;
use fm_report::{Sheet, Source, Validation};
use fm_run::store::{Runs, SCORED_EPOCH, decimals, number, write_table};
use fm_run::terminal::counted;
use fm_run::{RunSpec, files};
use serde_json::{Value, json};

use super::planned::{PlannedRun, SweepPlan};
use crate::commands::compare::{failed, write_workbook};
use crate::commands::pack::pack;
use crate::error::{Error, Kind, Result};

/// Flags of `sweep merge`.
#[derive(Debug, Args)]
pub(crate) struct MergeArgs {
    /// The plan file written by `sweep plan`
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,

    /// Directory of results, where the tables go too
    #[arg(long, default_value = "results/sweep", value_name = "DIR")]
    out: PathBuf,

    /// Make tables of the runs that are finished, though others are missing
    #[arg(long)]
    allow_missing: bool,

    /// Also write the tables as an Excel workbook, runs.xlsx, whose numbers every language reads
    #[arg(long)]
    xlsx: bool,
}

/// Columns of a run: its name, what it is, and the epoch that was scored.
fn own() -> Vec<&'static str> {
    let deciding = RunSpec::fields().iter().filter(|field| field.role.decides());
    ["name", "run_id", "arm"].into_iter().chain(deciding.map(|f| f.column)).chain([SCORED_EPOCH]).collect()
}

/// What a merge is to do.
#[derive(Debug, Clone, Copy)]
pub(super) struct How {
    /// With the runs that are finished, though others are missing.
    pub(super) allow_missing: bool,
    /// With a workbook.
    pub(super) xlsx: bool,
}

pub(super) fn run(args: &MergeArgs, as_json: bool) -> Result<String> {
    let how = How { allow_missing: args.allow_missing, xlsx: args.xlsx };
    merge(&SweepPlan::read(&args.plan)?, &args.out, how, as_json)
}

/// Makes the tables of a plan's runs.
///
/// # Errors
/// [`Kind::Incomplete`] when runs are missing, unless that is allowed and some are there.
pub(super) fn merge(plan: &SweepPlan, out: &Path, how: How, as_json: bool) -> Result<String> {
    let (mut rows, mut times, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    let mut classes: Vec<String> = Vec::new();
    let there = sources(out)?;
    for run in &plan.runs {
        match summaries(run, out, &there) {
            Ok(summaries) => {
                for (summary, validation) in summaries {
                    let recall = summary["test"]["recall"].as_object().cloned().unwrap_or_default();
                    if classes.is_empty() {
                        classes = recall.keys().cloned().collect();
                    }
                    rows.push(row(&summary, validation, &classes));
                    times.push(
                        [
                            cell(&summary["name"]),
                            cell(&summary["run_id"]),
                            decimals(summary["train_seconds"].as_f64(), 4),
                            decimals(summary["test_seconds"].as_f64(), 4),
                        ]
                        .to_vec(),
                    );
                }
            }
            Err(why) => missing.push(format!("{}: {why}", run.name)),
        }
    }
    let with_missing = |error: Error| missing.iter().fold(error, Error::note);
    let text = format!("{} of {} runs are missing", missing.len(), plan.runs.len());
    if !missing.is_empty() && (!how.allow_missing || rows.is_empty()) {
        let error = with_missing(Error::new(Kind::Incomplete, text));
        return Err(error.help(if rows.is_empty() {
            "run them with fm-exp sweep run; there is nothing to merge yet"
        } else {
            "run them with fm-exp sweep run, or merge the others with --allow-missing"
        }));
    }
    let recalls: Vec<String> = classes.iter().map(|class| format!("recall {class}")).collect();
    let measures = [
        "val_loss",
        "val_acc",
        "best_epoch",
        "test_loss",
        "test_acc",
        "macro_f1",
        "weakest_class",
        "weakest_recall",
    ];
    let header: Vec<&str> =
        own().into_iter().chain(measures).chain(recalls.iter().map(String::as_str)).collect();
    let count = rows.len();
    let sheet = how.xlsx.then(|| Sheet::new("runs", &header, rows.clone()));
    Runs::merge(out, &header, rows)?;
    let header = ["name", "run_id", "train_seconds", "test_seconds"];
    if let Some(sheet) = sheet {
        let sheets = [sheet, Sheet::new("timings", &header, times.clone())];
        write_workbook(&out.join("runs.xlsx"), &sheets)?;
    }
    write_table(&out.join(files::TIMINGS), &header, times)?;
    if !missing.is_empty() {
        tracing::warn!("{}", with_missing(Error::new(Kind::Incomplete, text)));
    }
    if let Err(error) = pack(out) {
        tracing::warn!("the runs are not packed: {error}");
    }
    let path = out.join(files::RUNS).display().to_string();
    if as_json {
        return Ok(format!("{:#}\n", json!({ "rows": count, "missing": missing, "runs_csv": path })));
    }
    Ok(format!("{} in {path}\n", counted(count as u64, "row")))
}

/// The summaries of a run at each of its lengths with its validation scores, or why they are not there.
pub(super) fn summaries(
    run: &PlannedRun,
    out: &Path,
    there: &[Source],
) -> Result<Vec<(Value, Option<Validation>)>, String> {
    let source = finished(run, out, there)?;
    let lengths = run.lengths();
    let read = |(index, &length): (usize, &u32)| {
        let at = (index + 1 < lengths.len()).then_some(length);
        let summary = source.summary(at).map_err(|e| e.to_string())?;
        let summary = summary.ok_or_else(|| format!("not scored after {length} epochs"))?;
        let validation = source.validation(&summary).map_err(|e| e.to_string())?;
        Ok((summary, validation))
    };
    lengths.iter().enumerate().map(read).collect()
}

/// Where a planned run is, which is finished, or why it is not.
pub(super) fn finished<'a>(run: &PlannedRun, out: &Path, there: &'a [Source]) -> Result<&'a Source, String> {
    let dir = out.join(&run.name);
    let Some(source) = there.iter().find(|source| source.dir == dir && source.done()) else {
        if let Ok(why) = std::fs::read_to_string(super::child::failure(out, &run.name)) {
            return Err(format!("failed, {}", why.trim()));
        }
        return Err(if dir.exists() { "not finished".to_owned() } else { "not begun".to_owned() });
    };
    match run.differences(&source.config().unwrap_or_default()) {
        None => Err("its config.toml cannot be read".to_owned()),
        Some(lines) if !lines.is_empty() => Err(format!("another run: {}", lines.join("; "))),
        Some(_) => Ok(source),
    }
}

/// The runs in a directory; none where there is no such directory.
pub(super) fn sources(out: &Path) -> Result<Vec<Source>> {
    if out.exists() { fm_report::sources(out).map_err(failed) } else { Ok(Vec::new()) }
}

fn row(summary: &Value, validation: Option<Validation>, classes: &[String]) -> Vec<String> {
    let test = &summary["test"];
    let mut row: Vec<String> = own().iter().map(|key| cell(&summary[*key])).collect();
    let share = |value: &Value| decimals(value.as_f64(), 6);
    row.extend([validation.map(|v| v.loss), validation.map(|v| v.accuracy)].map(|v| decimals(v, 6)));
    row.push(cell(&json!(validation.and_then(|v| v.best_epoch))));
    row.extend(["loss", "accuracy", "macro_f1"].map(|key| share(&test[key])));
    row.extend([cell(&test["weakest"]["class"]), share(&test["weakest"]["recall"])]);
    row.extend(classes.iter().map(|class| share(&test["recall"][class])));
    row
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        Value::Number(of) if of.is_f64() => number(of.as_f64().unwrap_or_default()),
        other => other.to_string(),
    }
}
