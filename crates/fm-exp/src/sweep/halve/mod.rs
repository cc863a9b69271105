//! `fm-exp sweep halve`: successive halving over exact resume.
//!
//! ```text
//! all configurations ─ train to rung 1 ─▸ select ─ resume to rung 2 ─▸ select ─ … ─ resume to the end ─▸ choose
//! ```
//!
//! After each rung the best 1/η of the configurations continue and train η times as long (Jamieson & Talwalkar 2016,
//! <https://arxiv.org/abs/1502.07943>). Unlike there, a configuration is only dropped when it is farther below
//! the best than noise over seeds and a small tolerance explain ([`fm_report::stats::select`]). That is a promise
//! about noise: a configuration that is slow at first and best at the end can be lost, as in any such search.
//!
//! Each run is one of the plan, trained towards its full length whatever the schedule, and stopped at the rungs.
//! So nothing is trained twice, runs that reach the end are bit-identical to those of the full grid, and the others are
//! never scored on the test set. Decisions are a pure function of the runs' tables: the same command continues where it
//! was stopped.

mod configuration;
mod rung;

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use fm_report::stats::Rule;
use fm_run::{files, store};
use serde_json::{Value, json};

use self::configuration::{Configuration, configurations, rungs};
use self::rung::{Epochs, Judged, judge};
use super::planned::{PlannedRun, SweepPlan};
use super::work::{Asked, Left, Tally, Workers, work};
use crate::error::{Error, Kind, Result};
use crate::logging::Console;
use crate::signals::Signals;

/// Flags of `sweep halve`.
#[derive(Debug, Args)]
pub(crate) struct HalveArgs {
    /// The plan file written by `sweep plan`: every configuration with the same seeds, at least 2, and one length
    #[arg(long, value_name = "FILE")]
    plan: PathBuf,

    #[command(flatten)]
    workers: Workers,

    /// At each rung the best 1/N of the configurations go on, to train N times as long
    #[arg(long, default_value_t = 2, value_name = "N")]
    eta: u32,

    /// Epochs of the first rung, at least
    #[arg(long, default_value_t = 1, value_name = "N")]
    min_epochs: u32,

    /// Compare the mean validation accuracy of so many epochs, the last of them the rung's; at the end the last alone
    #[arg(long, default_value_t = 3, value_name = "N")]
    over: u32,

    /// By how much accuracy a better configuration may be lost: 0 keeps all that noise hides
    #[arg(long, default_value_t = 0.002, value_name = "D")]
    tolerance: f64,

    /// Most probability that noise over seeds drops a configuration that is better by more than that
    #[arg(long, default_value_t = 0.05, value_name = "P")]
    risk: f64,
}

pub(super) fn run(args: &HalveArgs, as_json: bool, console: &Console) -> Result<String> {
    let plan = SweepPlan::read(&args.plan)?;
    args.workers.check()?;
    if args.eta < 2 {
        return Err(Error::usage(format!("--eta must be at least 2, got {}", args.eta)));
    }
    if args.over == 0 {
        return Err(Error::usage("--over must be at least 1"));
    }
    if !(args.risk > 0.0 && args.risk < 1.0) {
        return Err(Error::usage(format!("--risk must be between 0 and 1, got {}", args.risk)));
    }
    if !(args.tolerance >= 0.0 && args.tolerance < 1.0) {
        let text = format!("--tolerance must be at least 0 and less than 1, got {}", args.tolerance);
        return Err(Error::usage(text).help("0.002 is 0.2 points of accuracy"));
    }
    let all = configurations(&plan)?;
    let epochs = all[0].epochs();
    let rungs = rungs(all.len(), epochs, args.eta, args.min_epochs)?;
    let signals = Signals::listen()?;
    let out = &args.workers.out;
    let level = args.risk / (rungs.len() - 1).max(1) as f64;
    let mut standing: Vec<&Configuration<'_>> = all.iter().collect();
    let mut judged: Vec<Judged<'_>> = Vec::new();
    for (index, &at) in rungs.iter().enumerate() {
        let runs: Vec<&PlannedRun> = standing.iter().flat_map(|c| &c.runs).map(|run| run.planned).collect();
        let target = |run: &PlannedRun| standing.iter().find_map(|c| c.target(run, at)).unwrap_or(at);
        let left = |run: &PlannedRun| match target(run) {
            _ if at == epochs => Left::All,
            target if rung::reached(run, out) < target => Left::UpTo(target),
            _ => Left::Nothing,
        };
        let (tally, asked) = work(&runs, left, &args.workers, &signals, console)?;
        stopped(&tally, asked, out)?;
        // At the end nothing is lost any more: what cannot be told from the best is named.
        let (over, keep, tolerance) = if at == epochs {
            (1, 1, 0.0)
        } else {
            (args.over, wanted(all.len(), args.eta, index + 1), args.tolerance)
        };
        let now = judge(&standing, out, Epochs { at, over }, Rule { keep, tolerance, level })?;
        standing = now.kept();
        tracing::info!("{}", now.line());
        judged.push(now);
        write_table(out, &judged)?;
    }
    let cost = Cost::of(&all, &judged, out);
    Ok(if as_json { to_json(&judged, &cost) } else { report(&judged, &cost, out) })
}

/// How many configurations go on after so many rungs.
fn wanted(configurations: usize, eta: u32, rungs: usize) -> usize {
    configurations.div_ceil((eta as usize).saturating_pow(rungs as u32)).max(1)
}

/// Whether runs were stopped, or failed otherwise than by diverging.
fn stopped(tally: &Tally, asked: Asked, out: &Path) -> Result<()> {
    if let Some((kind, name)) = asked {
        return Err(Error::new(kind, format!("stopped by {name}")).help("the same command resumes"));
    }
    if !tally.stopped.is_empty() {
        let text = format!("{} runs were stopped", tally.stopped.len());
        return Err(Error::new(Kind::Stopped, text).help("the same command resumes"));
    }
    let failed: Vec<&String> = tally.failed.iter().filter(|name| !rung::has_diverged(out, name)).collect();
    if failed.is_empty() {
        return Ok(());
    }
    let error = Error::new(Kind::Incomplete, format!("{} runs failed", failed.len()));
    let error = failed.iter().fold(error, |error, name| error.note(format!("failed: {name}")));
    Err(error.help(format!("see {}; --retry-failed tries again", out.join("logs").display())))
}

/// What the decisions cost, and what the full grid would take.
struct Cost {
    epochs: u64,
    full_epochs: u64,
    seconds: f64,
    full_seconds: f64,
}

impl Cost {
    /// Counted from the decisions: runs may have gone on before, in a sweep of the whole grid.
    fn of(all: &[Configuration<'_>], judged: &[Judged<'_>], out: &Path) -> Self {
        let mut cost = Self { epochs: 0, full_epochs: 0, seconds: 0.0, full_seconds: 0.0 };
        for configuration in all {
            let left = judged.iter().find(|rung| !rung.goes_on(configuration)).or(judged.last());
            let last = left.map_or(0, Judged::epochs);
            for run in &configuration.runs {
                let (epochs, seconds) = rung::spent(run, out, last);
                cost.epochs += u64::from(epochs);
                cost.seconds += seconds;
                cost.full_epochs += u64::from(run.full());
                cost.full_seconds += seconds / f64::from(epochs.max(1)) * f64::from(run.full());
            }
        }
        cost
    }

    fn share(&self) -> f64 {
        self.epochs as f64 / self.full_epochs.max(1) as f64
    }
}

fn write_table(out: &Path, judged: &[Judged<'_>]) -> Result<()> {
    let rows = judged.iter().enumerate().flat_map(|(index, rung)| rung.rows(index + 1));
    store::write_table(&out.join(files::HALVING), &rung::HEADER, rows)
}

fn report(judged: &[Judged<'_>], cost: &Cost, out: &Path) -> String {
    let mut text: String = judged.iter().map(|rung| rung.line() + "\n").collect();
    let Some(last) = judged.last() else { return text };
    let best = last.best();
    let _ = writeln!(text, "chosen: {}", best.label);
    for run in &best.runs {
        let _ = writeln!(text, "  {}", out.join(&run.planned.name).display());
    }
    let alike: Vec<&str> = last.kept().iter().skip(1).map(|c| c.label.as_str()).collect();
    if !alike.is_empty() {
        let _ = writeln!(text, "within noise of it: {}", alike.join("; "));
    }
    let _ = writeln!(
        text,
        "cost: {} of the full grid's {} epochs ({:.1} %), {:.0} s in place of about {:.0} s",
        cost.epochs,
        cost.full_epochs,
        100.0 * cost.share(),
        cost.seconds,
        cost.full_seconds
    );
    let _ = writeln!(text, "every rung: {}", out.join(files::HALVING).display());
    text
}

fn to_json(judged: &[Judged<'_>], cost: &Cost) -> String {
    let labels =
        |all: Vec<&Configuration<'_>>| -> Vec<String> { all.iter().map(|c| c.label.clone()).collect() };
    let best = judged.last().map(|last| {
        let best = last.best();
        let names: Vec<&String> = best.runs.iter().map(|run| &run.planned.name).collect();
        json!({ "configuration": best.label, "runs": names, "within_noise": labels(last.kept()) })
    });
    let rungs: Vec<Value> = judged.iter().map(Judged::to_json).collect();
    let cost = json!({
        "epochs": cost.epochs, "full_epochs": cost.full_epochs, "share": cost.share(),
        "seconds": cost.seconds, "full_seconds": cost.full_seconds,
    });
    format!("{:#}\n", json!({ "chosen": best, "rungs": rungs, "cost": cost }))
}
