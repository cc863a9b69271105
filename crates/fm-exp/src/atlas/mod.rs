//! `fm-exp atlas`: what many runs on random parts of the training images know of every image.
//!
//! ```text
//! keys, --runs ─ sweep (plan, run, merge) ─▸ predictions_by_epoch.npz of each run ─▸ fm_report::atlas
//!                                            images ─▸ fm_images::duplicates            │
//!      images.csv, suspects.csv, missed.csv, duplicates.csv, summary.json, sheets, atlas.html ◂┘
//! ```
//!
//! The runs are those of an ordinary sweep whose plan says `predictions-by-epoch` and `holdout-share`: shards, Slurm,
//! resuming and progress are the sweep's. What is made of them is made again from what is there.

mod page;
mod sheets;
mod write;

use std::path::{Path, PathBuf};

use clap::Args;
use fm_data::Dataset;
use fm_report::atlas::Runs;
use fm_run::RunSpec;
use fm_run::spec::Protocol;
use fm_run::terminal::counted;
use toml::Table;

use crate::commands::compare::{failed, left_out};
use crate::error::{Error, Kind, Result};
use crate::inputs;
use crate::logging::Console;
use crate::sweep::{self, GridKeys, Through, Whole};

/// Share of the training images that a run holds out, where nothing is said.
const SHARE: f64 = 0.5;

/// Flags of `atlas`.
#[derive(Debug, Args)]
pub(crate) struct AtlasArgs {
    /// A directory of such runs, however they were run: makes their atlas and trains nothing
    #[arg(value_name = "DIR", required_unless_present = "runs", conflicts_with = "runs")]
    place: Option<PathBuf>,

    /// Train so many runs, of the seeds from 0 on; each holds out --holdout-share of the training images [default: 0.5],
    /// drawn by its seed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(2..), help_heading = "Atlas")]
    runs: Option<u32>,

    /// Directory of the runs, where the plan and the tables go too
    #[arg(long, default_value = "results/atlas-runs", value_name = "DIR", help_heading = "Atlas")]
    out: PathBuf,

    /// Directory for the atlas itself [default: atlas/ in the directory of the runs]
    #[arg(long, value_name = "DIR", help_heading = "Atlas")]
    to: Option<PathBuf>,

    /// Runs at once; CPU threads are divided between them
    #[arg(long, default_value_t = 1, value_name = "N", help_heading = "Atlas")]
    jobs: usize,

    /// Try runs again that failed before
    #[arg(long, help_heading = "Atlas")]
    retry_failed: bool,

    /// Print what would run and how long it takes, and stop; with --json, the plan for `sweep run`
    #[arg(long, help_heading = "Atlas")]
    dry_run: bool,

    #[command(flatten)]
    made: MadeArgs,

    #[command(flatten)]
    keys: GridKeys,
}

/// Flags on what is made of the runs.
#[derive(Debug, Clone, Copy, Args)]
#[command(next_help_heading = "Atlas")]
pub(crate) struct MadeArgs {
    /// Images in suspects.csv, the most suspicious first [default: 1 % of the data set's]
    #[arg(long, value_name = "N")]
    suspects: Option<usize>,

    /// How far apart near duplicates are at most: sqrt(2 - 2r) with the correlation r of their pixels
    #[arg(long, value_name = "DISTANCE", default_value_t = 0.1, value_parser = distance)]
    near: f32,
}

fn distance(text: &str) -> std::result::Result<f32, String> {
    let distance = text.parse().ok().filter(|distance| (0.0..=1.0).contains(distance));
    distance.ok_or_else(|| format!("must be from 0 to 1, got '{text}'"))
}

pub(crate) fn run(args: &AtlasArgs, as_json: bool, console: &Console) -> Result<String> {
    if let Some(place) = &args.place {
        return make(place, args, as_json, console);
    }
    let (plan, data) = sweep::plan(grid(args)?)?;
    one_statement(&plan)?;
    let held_out = plan.runs.len() as f64 * share(&plan)?;
    console.say(&format!(
        "{} training and {} test images; each run tells of all test images, and about {held_out:.0} runs of each training \
         image\n",
        data.train.len(),
        data.test.len()
    ));
    let whole = Whole {
        out: args.out.clone(),
        jobs: args.jobs,
        beside: None,
        retry_failed: args.retry_failed,
        xlsx: false,
        dry_run: args.dry_run,
    };
    match whole.carry_through(&plan, data, as_json, console)? {
        Through::Planned(said) => Ok(said),
        Through::Merged(said, merged) => {
            console.say(&said);
            if !as_json {
                console.say(&merged);
            }
            make(&args.out, args, as_json, console)
        }
    }
}

/// The keys as a grid: one statement with many seeds, which keeps what every epoch predicts.
fn grid(args: &AtlasArgs) -> Result<Table> {
    let mut grid = Table::new();
    args.keys.put_into(&mut grid)?;
    let runs = args.runs.unwrap_or_default();
    grid.insert("seeds".to_owned(), format!("0..{}", runs.saturating_sub(1)).into());
    grid.insert("predictions-by-epoch".to_owned(), true.into());
    grid.entry("holdout-share").or_insert(SHARE.into());
    Ok(grid)
}

/// Sees that a plan's runs differ by their seeds alone and tell of the same epochs.
fn one_statement(plan: &sweep::SweepPlan) -> Result<()> {
    let keys = |at: usize| {
        let mut keys = plan.runs[at].flags.clone();
        keys.remove("seed");
        keys
    };
    if (1..plan.runs.len()).any(|at| keys(at) != keys(0)) || plan.runs[0].flags.contains_key("score-at") {
        return Err(Error::usage(
            "an atlas is made of runs that differ by their seeds alone: give each key one value",
        ));
    }
    let spec = RunSpec::read(&plan.runs[0].flags)?.check()?;
    if spec.protocol == Protocol::Notebook {
        return Err(Error::usage("--protocol notebook holds no images out, of which an atlas is made")
            .help("leave it out"));
    }
    if spec.patience.is_some() || spec.epochs == 0 {
        return Err(Error::usage("an atlas needs runs of the same number of epochs, at least one")
            .help("leave --patience out, and give --epochs"));
    }
    Ok(())
}

/// The share that a plan's runs hold out.
fn share(plan: &sweep::SweepPlan) -> Result<f64> {
    Ok(RunSpec::read(&plan.runs[0].flags)?.holdout_share.unwrap_or(SHARE))
}

/// Makes the atlas of the runs in a directory.
fn make(place: &Path, args: &AtlasArgs, as_json: bool, console: &Console) -> Result<String> {
    let runs = Runs::find(place).map_err(no_runs)?;
    let data = data_of(&runs, args)?;
    console.say(&format!("reading {}\n", counted(runs.len() as u64, "run")));
    let labels = [&data.train.labels[..], &data.test.labels[..]];
    let atlas = runs.atlas(labels, data.classes).map_err(failed)?;
    left_out(&atlas.unfinished);
    console.say("looking for duplicates\n");
    let twins = fm_images::duplicates(&[&data.train, &data.test], args.made.near);
    let to = args.to.clone().unwrap_or_else(|| place.join("atlas"));
    let one_in_a_hundred = (data.train.len() + data.test.len()).div_ceil(100);
    let made = write::Made {
        atlas: &atlas,
        data: &data,
        twins: &twins,
        near: args.made.near,
        suspects: args.made.suspects.unwrap_or(one_in_a_hundred),
        to: &to,
    };
    console.say("writing tables, pictures and the page\n");
    made.write(as_json)
}

/// The data set of the runs: where it is now, if that is said.
fn data_of(runs: &Runs, args: &AtlasArgs) -> Result<Dataset> {
    let mut here = Table::new();
    args.keys.put_into(&mut here)?;
    here.retain(|key, _| RunSpec::field(key).is_some_and(|field| field.heading == "Data"));
    let one = |value: toml::Value| match value {
        toml::Value::Array(mut list) => list.pop().unwrap_or(toml::Value::Boolean(false)),
        other => other,
    };
    let here: Table = here.into_iter().map(|(key, value)| (key, one(value))).collect();
    let run = runs.first();
    let data = inputs::load(&run.spec.clone().with(&here)?, false)?;
    if data.sha256 != run.facts.data_sha256 {
        let text = format!("the runs trained on other data than {}", data.dir.display());
        return Err(Error::new(Kind::Mismatch, text).help("say where theirs is with --dataset or --data-dir"));
    }
    Ok(data)
}

/// Why there is no atlas, and how there is one.
fn no_runs(error: fm_report::Error) -> Error {
    let help = match &error {
        fm_report::Error::NoneByEpoch { .. } => {
            "train them with fm-exp atlas --runs N, or with --predictions-by-epoch and --holdout-share"
        }
        fm_report::Error::OtherStatement { .. } => {
            "keep the runs of each statement in a directory of their own"
        }
        _ => return failed(error),
    };
    failed(error).help(help)
}
