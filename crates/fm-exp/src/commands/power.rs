//! `fm-exp power`: how many seeds, and hours, a difference takes to be found.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::Args;
use fm_report::stats::{ALPHA, MAX_SEEDS, Needed, Plan};
use fm_report::{Compared, Pair, Question};
use serde_json::{Value, json};

use super::compare::{collect, failed, points};
use crate::error::{Error, Kind, Result};

/// Flags of `power`.
#[derive(Debug, Args)]
pub(crate) struct PowerArgs {
    /// Runs' directories, or directories that hold runs: at least two groups of at least two seeds
    #[arg(value_name = "RUN|DIR", required = true)]
    places: Vec<PathBuf>,

    /// The true difference of accuracy to be found, in percentage points
    #[arg(long, value_name = "POINTS", value_parser = points)]
    detect: f64,

    /// Only runs of this length; longer runs count if scored at this epoch
    #[arg(long, value_name = "N")]
    epochs: Option<u32>,

    /// Compare the other groups only with this one, by the name that is printed [default: all pairs]
    #[arg(long, value_name = "GROUP")]
    reference: Option<String>,
}

/// A pair of groups, and what it takes to tell them apart.
struct Planned<'a> {
    pair: &'a Pair,
    plan: Plan,
    /// Mean of a run of each group.
    seconds: [f64; 2],
}

pub(crate) fn run(args: &PowerArgs, as_json: bool) -> Result<String> {
    let found = collect(&args.places, args.epochs)?;
    let question = Question { reference: args.reference.clone(), ..Question::default() };
    let compared = fm_report::compare(&found.groups, &question).map_err(failed)?;
    let effect = args.detect / 100.0;
    let planned = planned(&compared, effect)?;
    if as_json {
        let pairs: Vec<Value> = planned.iter().map(|p| to_json(p, effect)).collect();
        return Ok(format!("{:#}\n", json!({ "detect": effect, "power": 0.8, "pairs": pairs })));
    }
    let mut out = String::new();
    for planned in &planned {
        out.push_str(&text(planned, args.detect));
    }
    Ok(out)
}

/// The seeds to plan with, from runs in a directory: those of the pair that takes the most, at the upper end of its
/// range, for `sweep plan`. Says why.
///
/// # Errors
/// When no number of seeds finds the difference, or the runs do not tell.
pub(crate) fn seeds(pilot: &PathBuf, detect: f64) -> Result<u32> {
    let found = collect(std::slice::from_ref(pilot), None)?;
    let compared = fm_report::compare(&found.groups, &Question::default()).map_err(failed)?;
    let planned = planned(&compared, detect / 100.0)?;
    let mut most = 2;
    for pair in &planned {
        tracing::info!("{}", text(pair, detect).trim_end());
        let names = &pair.pair.comparison.names;
        let about = format!("{detect} points between {} and {}", names[0], names[1]);
        match pair.plan.high {
            Needed::Seeds(seeds) => most = most.max(seeds),
            Needed::TooMany => {
                let text = format!("{about} may take more than {MAX_SEEDS} seeds, as far as the pilot tells");
                return Err(Error::usage(text).help("give the pilot more seeds, or say --seeds"));
            }
            Needed::Never => {
                let text = format!(
                    "no number of seeds finds {about}: the test images alone hide differences below {:.2} points",
                    100.0 * pair.plan.floor
                );
                return Err(Error::usage(text).help("ask for a larger difference, or take more test images"));
            }
        }
    }
    Ok(most)
}

fn planned(compared: &Compared, effect: f64) -> Result<Vec<Planned<'_>>> {
    let seconds = |name: &str| {
        let group = compared.groups.iter().find(|group| group.name == name);
        let measure = group.and_then(|g| g.measures.iter().find(|(name, _)| name == "training seconds"));
        measure.map_or(f64::NAN, |(_, summary)| summary.mean)
    };
    let mut all = Vec::new();
    for pair in &compared.pairs {
        let c = &pair.comparison;
        let Some(crossed) = &c.crossed else {
            let text =
                format!("{} and {} have one seed: noise is measured over seeds", c.names[0], c.names[1]);
            return Err(
                Error::new(Kind::Mismatch, text).help("train at least two seeds of each, better five")
            );
        };
        let plan = crossed.plan(effect, ALPHA / pair.verdict.family.comparisons as f64);
        all.push(Planned { pair, plan, seconds: c.names.each_ref().map(|name| seconds(name)) });
    }
    if all.is_empty() {
        return Err(Error::new(Kind::Mismatch, "one group alone: a difference is between two")
            .help("give runs of two groups, such as two networks"));
    }
    Ok(all)
}

fn count(needed: Needed) -> String {
    match needed {
        Needed::Seeds(seeds) => seeds.to_string(),
        Needed::TooMany => format!("more than {MAX_SEEDS}"),
        Needed::Never => "no number".to_owned(),
    }
}

/// Hours of so many runs of each group, one at a time.
fn hours(planned: &Planned<'_>, needed: Needed) -> Option<f64> {
    let Needed::Seeds(seeds) = needed else { return None };
    Some(f64::from(seeds) * planned.seconds.iter().sum::<f64>() / 3600.0)
}

fn text(planned: &Planned<'_>, detect: f64) -> String {
    let (c, plan) = (&planned.pair.comparison, &planned.plan);
    let [first, second] = &c.names;
    let images = c.crossed.as_ref().map_or(0, |crossed| crossed.items);
    let floor = format!(
        "the choice of {images} test images hides differences below {:.2} points",
        100.0 * plan.floor
    );
    let mut out = String::new();
    if plan.seeds == Needed::Never {
        let _ = writeln!(
            out,
            "{first} and {second}: no number of seeds finds {detect} points; {floor} from any number"
        );
        return out;
    }
    let together = match planned.pair.verdict.family.comparisons {
        1 => String::new(),
        n => format!(", as one of {n} comparisons"),
    };
    let (n, low, high) = (count(plan.seeds), count(plan.low), count(plan.high));
    let _ = writeln!(
        out,
        "{first} and {second}: {n} seeds of each find {detect} points in 80 % of cases{together}; {low} to {high} with 80 % \
         certainty, since noise is known from {} and {} seeds",
        c.accuracies[0].n, c.accuracies[1].n
    );
    let time = |needed| hours(planned, needed).map_or("unknown".to_owned(), |hours| format!("{hours:.2}"));
    let _ = writeln!(
        out,
        "  {} hours ({} to {}) one run at a time, at {:.1} and {:.1} s per run; {floor} from any number of seeds",
        time(plan.seeds),
        time(plan.low),
        time(plan.high),
        planned.seconds[0],
        planned.seconds[1]
    );
    out
}

fn to_json(planned: &Planned<'_>, effect: f64) -> Value {
    let (c, plan) = (&planned.pair.comparison, &planned.plan);
    let number = |needed| if let Needed::Seeds(seeds) = needed { Some(seeds) } else { None };
    json!({
        "first": c.names[0], "second": c.names[1], "comparisons": planned.pair.verdict.family.comparisons,
        "seeds": number(plan.seeds), "range": [number(plan.low), number(plan.high)],
        "range_level": fm_report::stats::RANGE, "within_reach": effect >= plan.floor, "floor": plan.floor,
        "hours": hours(planned, plan.seeds), "hours_range": [hours(planned, plan.low), hours(planned, plan.high)],
        "seconds_a_run": planned.seconds, "paired_by_seed": c.paired,
    })
}
