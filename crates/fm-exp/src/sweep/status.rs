//! `fm-exp sweep status`: how far a plan's runs are, by what their directories hold, wherever they run.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Args;
use indicatif::ProgressBar;
use serde_json::{Value, json};

use super::estimate::about;
use super::merge;
use super::place::{Phases, Place, ago, place};
use super::planned::{PlannedRun, SweepPlan};
use super::state::{State, state};
use super::table::style;
use crate::error::{Error, Kind, Result};
use crate::logging::Console;

/// Flags of `sweep status`.
#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The plan file written by `sweep plan` [default: plan.json in the directory of results]
    #[arg(long, value_name = "FILE")]
    plan: Option<PathBuf>,

    /// Directory of results
    #[arg(long, default_value = "results/sweep", value_name = "DIR")]
    out: PathBuf,

    /// Look again every few seconds, until nothing is left to do
    #[arg(long)]
    watch: bool,
}

/// Between two looks.
const PAUSE: Duration = Duration::from_secs(2);
/// A run that has taken no step for so long is taken for one that nobody trains.
const QUIET: Duration = Duration::from_mins(1);
/// Runs that are listed.
const MOST: usize = 20;

/// How a run is.
enum How {
    Done,
    Running(Place),
    /// It was begun, and nobody trains it, or a step takes long.
    Quiet(Option<Place>),
    Waiting,
    Failed(String),
}

impl How {
    fn name(&self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Running(_) => "running",
            Self::Quiet(_) => "interrupted",
            Self::Waiting => "waiting",
            Self::Failed(_) => "failed",
        }
    }

    fn place(&self) -> Option<&Place> {
        match self {
            Self::Running(place) => Some(place),
            Self::Quiet(place) => place.as_ref(),
            _ => None,
        }
    }
}

/// One look at all runs.
struct Look<'a> {
    runs: Vec<(&'a PlannedRun, &'a Phases, How)>,
}

pub(super) fn run(args: &StatusArgs, as_json: bool, console: &Console) -> Result<String> {
    let path = args.plan.clone().unwrap_or_else(|| args.out.join(fm_run::files::PLAN));
    let plan = SweepPlan::read(&path)?;
    let phases: Vec<Phases> = plan.runs.iter().map(Phases::of).collect();
    let look = || look(&plan, &phases, &args.out);
    if !args.watch {
        let look = look()?;
        return Ok(if as_json { format!("{:#}\n", look.json()) } else { look.text(None) });
    }
    let bar = console.bars.as_ref().map(|bars| bars.add(ProgressBar::new(1).with_style(style("{msg}"))));
    let started = Instant::now();
    let (mut first, mut before) = (None, String::new());
    let last = loop {
        let now = look()?;
        let share = now.share();
        let &mut first = first.get_or_insert(share);
        // By what happened since the first look.
        let left = (share > first).then(|| started.elapsed().as_secs_f64() * (1.0 - share) / (share - first));
        let text = now.text(left);
        if let Some(bar) = &bar {
            bar.set_message(text.trim_end().to_owned());
        } else {
            let head = now.head(None);
            if head != before {
                tracing::info!("{head}");
            }
            before = head;
        }
        if now.is_over() {
            break now;
        }
        std::thread::sleep(PAUSE);
    };
    bar.iter().for_each(ProgressBar::finish_and_clear);
    let failed = last.count("failed");
    if failed > 0 {
        let text = format!("{failed} of {} runs failed", last.runs.len());
        return Err(Error::new(Kind::Incomplete, text).help("sweep run --retry-failed tries them again"));
    }
    Ok(if as_json { format!("{:#}\n", last.json()) } else { last.text(None) })
}

fn look<'a>(plan: &'a SweepPlan, phases: &'a [Phases], out: &std::path::Path) -> Result<Look<'a>> {
    let packed = if out.join(fm_run::files::PACKED).exists() { merge::sources(out)? } else { Vec::new() };
    let how = |run: &PlannedRun| match state(run, out) {
        State::Done => How::Done,
        State::Failed(why) => How::Failed(why),
        State::Taken(why) => How::Failed(format!("its directory holds another run: {why}")),
        State::Open if merge::summaries(run, out, &packed).is_ok() => How::Done,
        State::Open | State::Again => {
            let dir = out.join(&run.name);
            match place(&dir) {
                Some(place) if place.reached.age < QUIET => How::Running(place),
                None if !dir.exists() => How::Waiting,
                place => How::Quiet(place),
            }
        }
    };
    Ok(Look { runs: plan.runs.iter().zip(phases).map(|(run, phases)| (run, phases, how(run))).collect() })
}

impl Look<'_> {
    fn count(&self, name: &str) -> usize {
        self.runs.iter().filter(|(_, _, how)| how.name() == name).count()
    }

    /// The share of all epochs that is behind.
    fn share(&self) -> f64 {
        let all: f64 = self.runs.iter().map(|(_, phases, _)| f64::from(phases.epochs().max(1))).sum();
        let done = self.runs.iter().map(|(_, phases, how)| {
            let share = if matches!(how, How::Done) { 1.0 } else { phases.share(how.place()) };
            share * f64::from(phases.epochs().max(1))
        });
        done.sum::<f64>() / all.max(1.0)
    }

    /// Whether nothing is left to do.
    fn is_over(&self) -> bool {
        self.runs.iter().all(|(_, _, how)| matches!(how, How::Done | How::Failed(_)))
    }

    /// Counts in a line.
    fn head(&self, left: Option<f64>) -> String {
        let names = ["done", "running", "interrupted", "failed", "waiting"];
        let counts = names.iter().map(|name| (self.count(name), name)).filter(|(count, _)| *count > 0);
        let counts: Vec<String> = counts.map(|(count, name)| format!("{count} {name}")).collect();
        let left = left.map_or(String::new(), |left| format!(", about {} left", about(left)));
        let (all, percent) = (self.runs.len(), 100.0 * self.share());
        format!("{all} runs: {}; {percent:.0} % of all epochs{left}", counts.join(", "))
    }

    fn text(&self, left: Option<f64>) -> String {
        let mut out = self.head(left) + "\n";
        let notable = || self.runs.iter().filter(|(_, _, how)| !matches!(how, How::Done | How::Waiting));
        for (run, phases, how) in notable().take(MOST) {
            let at = if let How::Failed(why) = how {
                format!("failed: {why}")
            } else {
                let age = how.place().map_or(String::new(), |p| format!("  ({})", ago(p.reached.age)));
                let before = if matches!(how, How::Quiet(_)) { "interrupted in " } else { "" };
                format!("{before}{}{age}", phases.words(how.place()))
            };
            let _ = writeln!(out, "  {}  {at}", run.name);
        }
        if let Some(more) = notable().count().checked_sub(MOST).filter(|&more| more > 0) {
            let _ = writeln!(out, "  … and {more} more");
        }
        out
    }

    fn json(&self) -> Value {
        let run = |(run, phases, how): &(&PlannedRun, &Phases, How)| {
            let place = how.place();
            json!({
                "name": run.name, "run_id": run.run_id, "state": how.name(),
                "share": if matches!(how, How::Done) { 1.0 } else { phases.share(place) },
                "epoch": place.map(|place| place.reached.epoch), "epochs": phases.epochs(),
                "seconds_since_step": place.map(|place| place.reached.age.as_secs()),
                "reason": if let How::Failed(why) = how { Some(why) } else { None },
            })
        };
        json!({ "share": self.share(), "runs": self.runs.iter().map(run).collect::<Vec<_>>() })
    }
}
