//! `fm-exp sweep best`: the configuration with the best validation scores, and what the test set says of it alone.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use fm_report::stats::{self, Interval, Summary};
use fm_report::{RunGroup, Source, Validated};
use serde_json::{Value, json};

use super::merge::{finished, sources};
use super::planned::SweepPlan;
use crate::commands::compare::failed;
use crate::commands::compare_text::validation_text;
use crate::error::{Error, Kind, Result};

/// Flags of `sweep best`.
#[derive(Debug, Args)]
pub(crate) struct BestArgs {
    /// The plan file written by `sweep plan`
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,

    /// Directory of results
    #[arg(long, default_value = "results/sweep", value_name = "DIR")]
    out: PathBuf,

    /// Validation score whose mean over seeds decides
    #[arg(long, value_enum, default_value = "accuracy")]
    by: By,

    /// Choose among what is there, though runs are missing
    #[arg(long)]
    allow_missing: bool,
}

/// A validation score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum By {
    /// The highest share classified correctly
    Accuracy,
    /// The lowest loss
    Loss,
}

pub(super) fn run(args: &BestArgs, as_json: bool) -> Result<String> {
    let plan = SweepPlan::read(&args.plan)?;
    let there = sources(&args.out)?;
    let (mut runs, mut missing): (Vec<(Source, Option<u32>)>, Vec<String>) = (Vec::new(), Vec::new());
    for run in &plan.runs {
        match finished(run, &args.out, &there) {
            Ok(source) => {
                // Without lengths in the plan it is the run's own.
                let lengths = run.lengths().into_iter().map(Some);
                let lengths = if run.lengths().is_empty() { vec![None] } else { lengths.collect() };
                runs.extend(lengths.into_iter().map(|length| (source.clone(), length)));
            }
            Err(why) => missing.push(format!("{}: {why}", run.name)),
        }
    }
    if runs.is_empty() || (!missing.is_empty() && !args.allow_missing) {
        let text = format!("{} of {} runs are missing", missing.len(), plan.runs.len());
        let error = missing.iter().fold(Error::new(Kind::Incomplete, text), Error::note);
        let help = "run them with fm-exp sweep run, or choose among the others with --allow-missing";
        return Err(error.help(help));
    }
    if !missing.is_empty() {
        tracing::warn!("{} runs are missing: the choice is among the others", missing.len());
    }
    let groups = fm_report::scored(runs).map_err(failed)?;
    let validated = fm_report::rank_validation(&groups, args.by == By::Loss).map_err(failed)?;
    let test = |name: &str| groups.iter().find(|group| group.name == name).and_then(test);
    let choice = validated.groups.first().and_then(|best| Some((best.name.clone(), test(&best.name)?)));
    let Some((name, scores)) = choice else {
        return Err(Error::new(Kind::Incomplete, "no run is finished").help("carry the plan out first"));
    };
    Ok(if as_json {
        format!("{:#}\n", to_json(args.by, &validated, &name, &scores))
    } else {
        text(args.by, &validated, &name, &scores)
    })
}

/// Test accuracy and loss over the seeds of a group.
fn test(group: &RunGroup) -> Option<[Summary; 2]> {
    let of = |measure: &str| {
        let value =
            |run: &fm_report::RunResult| run.measures.iter().find(|(name, _)| name == measure).map(|m| m.1);
        stats::summarize(&group.runs.iter().filter_map(value).collect::<Vec<_>>())
    };
    Some([of("accuracy")?, of("loss")?])
}

fn text(by: By, validated: &Validated, name: &str, [accuracy, loss]: &[Summary; 2]) -> String {
    let by = if by == By::Loss { "lowest validation loss" } else { "highest validation accuracy" };
    let mut out = format!("by {by}, mean over seeds, best first:\n");
    validated.groups.iter().for_each(|group| out.push_str(&validation_text(group)));
    if let [pair] = &validated.pairs[..] {
        let _ = writeln!(out, "\n{}", pair.sentence);
    }
    let range = accuracy.interval.map_or(String::new(), |Interval { low, high }| {
        format!(" (95 % interval of the mean {:.2} to {:.2})", 100.0 * low, 100.0 * high)
    });
    let _ = writeln!(
        out,
        "\nchoice: {name}\ntest set, of the choice alone: accuracy {:.2} %{range}, loss {:.4}, {} seeds",
        100.0 * accuracy.mean,
        loss.mean,
        accuracy.n
    );
    out
}

fn to_json(by: By, validated: &Validated, name: &str, [accuracy, loss]: &[Summary; 2]) -> Value {
    let summary = |s: &Summary| {
        let interval = s.interval.map(|i| json!([i.low, i.high]));
        json!({ "n": s.n, "mean": s.mean, "sd": s.sd, "interval": interval })
    };
    json!({
        "by": if by == By::Loss { "validation loss" } else { "validation accuracy" },
        "ranking": validated.groups.iter().map(fm_report::ValidatedGroup::to_json).collect::<Vec<_>>(),
        "ahead_of_the_second": validated.pairs.first().map(|pair| pair.sentence.clone()),
        "choice": name,
        "test": { "accuracy": summary(accuracy), "loss": summary(loss) },
    })
}
