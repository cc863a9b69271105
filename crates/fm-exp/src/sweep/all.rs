//! `fm-exp sweep GRID`: plan, run and merge in one; given again, it resumes.

use std::path::PathBuf;

use clap::Args;
use fm_data::Dataset;
use fm_run::{files, store};

use super::merge::{self, How, merge};
use super::overview::{self, Overview};
use super::plan::{self, GridArgs};
use super::planned::{PlannedRun, SweepPlan};
use super::run::carry_out;
use super::work::Workers;
use super::{Said, estimate, state};
use crate::error::{Error, Kind, Result};
use crate::logging::Console;

/// Flags of a sweep in one.
#[derive(Debug, Args)]
pub(crate) struct AllArgs {
    #[command(flatten)]
    grid: GridArgs,

    /// Directory of results, where the plan and the tables go too
    #[arg(long, default_value = "results/sweep", value_name = "DIR", help_heading = "Sweep")]
    out: PathBuf,

    /// Runs at once; CPU threads are divided between them
    #[arg(long, default_value_t = 1, value_name = "N", help_heading = "Sweep")]
    jobs: usize,

    /// Runs that train side by side in one process, where they differ only in seed and learning rates and the engine is cuda [default: as many as fill the GPU]
    #[arg(long, value_name = "N", help_heading = "Sweep")]
    beside: Option<usize>,

    /// Try runs again that failed before
    #[arg(long, help_heading = "Sweep")]
    retry_failed: bool,

    /// Also write the tables as an Excel workbook, runs.xlsx
    #[arg(long, help_heading = "Sweep")]
    xlsx: bool,

    /// Print what would run and how long it takes, and stop
    #[arg(long, help_heading = "Sweep")]
    dry_run: bool,
}

pub(super) fn run(args: &AllArgs, as_json: bool, console: &Console) -> Result<Said> {
    if args.grid.is_empty() {
        return Err(Error::usage("a sweep needs something to vary")
            .help("such as fm-exp sweep --arch cnn,encoder-mlp --epochs 5 --seeds 0..4; fm-exp sweep --help has all"));
    }
    let (plan, data) = plan::make(plan::with_flags(&args.grid)?)?;
    let how = Whole {
        out: args.out.clone(),
        jobs: args.jobs,
        beside: args.beside,
        retry_failed: args.retry_failed,
        xlsx: args.xlsx,
        dry_run: args.dry_run,
    };
    match how.carry_through(&plan, data, as_json, console)? {
        Through::Planned(said) => Ok(said.into()),
        Through::Merged(_, merged) if as_json => Ok(merged.into()),
        Through::Merged(said, merged) => {
            let out = fm_run::terminal::shell_word(&args.out.to_string_lossy());
            Ok(format!("{said}{merged}next: fm-exp compare {out}, or fm-exp report {out}\n").into())
        }
    }
}

/// How a plan is run and merged in one.
#[derive(Debug, Clone)]
pub(crate) struct Whole {
    /// Directory of results.
    pub(crate) out: PathBuf,
    /// Runs at once.
    pub(crate) jobs: usize,
    /// Runs side by side on a GPU, where it is said.
    pub(crate) beside: Option<usize>,
    /// With those that failed before.
    pub(crate) retry_failed: bool,
    /// With a workbook.
    pub(crate) xlsx: bool,
    /// Only to say what would be done.
    pub(crate) dry_run: bool,
}

/// How far it went.
#[derive(Debug)]
pub(crate) enum Through {
    /// What would run.
    Planned(String),
    /// What is said of the runs, and of their table.
    Merged(String, String),
}

impl Whole {
    /// Says what a plan takes, runs it, and merges what comes of it.
    ///
    /// # Errors
    /// When a run fails, or files cannot be written; what a request to stop says.
    pub(crate) fn carry_through(
        &self,
        plan: &SweepPlan,
        data: Dataset,
        as_json: bool,
        console: &Console,
    ) -> Result<Through> {
        let workers = Workers::new(self.out.clone(), self.jobs, self.beside, self.retry_failed);
        workers.check()?;
        let there = merge::sources(&self.out)?;
        let is_done = |run: &PlannedRun| {
            state::state(run, &self.out) == state::State::Done
                || merge::summaries(run, &self.out, &there).is_ok()
        };
        let done = overview::done(&plan.runs, is_done);
        let left: Vec<PlannedRun> =
            plan.runs.iter().filter(|run| !done.contains(&run.run_id)).cloned().collect();
        let seconds = estimate::seconds(&left, &data, workers.threads()?)?;
        drop(data);
        let overview = Overview::of(plan, Some(done))?.timed(seconds.as_ref(), self.jobs).to_string();
        if self.dry_run {
            return Ok(Through::Planned(if as_json { json(plan)? } else { overview }));
        }
        console.say(&overview);

        let path = self.out.join(files::PLAN);
        let text = json(plan)?;
        // As whoever reads the file will see it: two runs may have one id, such as the same on two devices.
        SweepPlan::parse(text.as_bytes())
            .map_err(|why| Error::usage(format!("the grid makes no plan: {why}")))?;
        if std::fs::read(&path).is_ok_and(|earlier| earlier != text.as_bytes()) {
            tracing::info!("{} is replaced; runs of the earlier plan stay where they are", path.display());
        }
        store::write(&path, text.as_bytes())?;
        let runs: Vec<&PlannedRun> = plan.runs.iter().collect();
        let how = |allow_missing| How { allow_missing, xlsx: self.xlsx };
        let said = match carry_out(&runs, &workers, false, console) {
            Err(error) if error.kind() == Kind::Incomplete => {
                // What is finished counts, too; of it there may be nothing.
                let _ = merge(plan, &self.out, how(true), false);
                return Err(error);
            }
            said => said?,
        };
        let merged = merge(plan, &self.out, how(false), as_json)?;
        Ok(Through::Merged(said, merged))
    }
}

/// A plan as its file has it.
///
/// # Errors
/// None that is known of.
pub(super) fn json(plan: &SweepPlan) -> Result<String> {
    let text = serde_json::to_string_pretty(plan).map_err(|e| Error::new(Kind::Other, e.to_string()))?;
    Ok(text + "\n")
}
