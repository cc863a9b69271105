//! `fm-exp sweep run --until`: seeds are added in order until a comparison of two groups is settled.
//!
//! ```text
//! plan ─ seeds 0, 1, 2 … of both groups ─ train ─▸ DONE ─▸ complete from the first on? ─▸ confidence sequence ─▸ stop
//! ```
//!
//! What is said is a function of the seeds that are complete from the first on, see [`watch`]; the sequence holds at all
//! numbers of seeds at once ([`fm_report::stats::Sequence`]). So it does not matter how many processes or machines train,
//! in which order runs end, or how often they are killed: the same seed settles it.

mod asked;
mod watch;

use std::time::{Duration, Instant};

use fm_report::stats::{Ending, Look};
use fm_run::error::{SMALLER, UNDECIDED};
use fm_run::spec::text;
use fm_run::{Facts, Identified, RunSpec, files, store};
use serde_json::{Value, json};
use toml::Table;

use self::asked::Question;
use self::watch::{Seed, Watch};
use super::Said;
use super::planned::{PlannedRun, SweepPlan};
use super::work::{Left, Workers, work_until};
use crate::error::{Error, Kind, Result};
use crate::logging::Console;
use crate::signals::Signals;

/// How often other processes' runs are looked for.
const LOOK: Duration = Duration::from_millis(200);

/// Columns of `until.csv`, a row a look.
const HEADER: [&str; 8] =
    ["seeds", "seed", "difference", "seeds_half_width", "images_half_width", "low", "high", "ending"];

/// Which share of the seeds is this process's.
pub(super) type Shard = (usize, usize);

pub(super) fn run(
    text: &str,
    plan: &SweepPlan,
    (index, count): Shard,
    workers: &Workers,
    as_json: bool,
    console: &Console,
) -> Result<Said> {
    let question = asked::parse(text)?;
    let mut watch = Watch::new(&question, seeds(plan, &question)?, &workers.out);
    let signals = Signals::listen()?;
    let mine: Vec<&PlannedRun> = watch.seeds.iter().skip(index).step_by(count).flat_map(|s| s.runs).collect();
    let mut last: Option<Instant> = None;
    let enough = || {
        if last.is_some_and(|last| last.elapsed() < LOOK) {
            return Ok(false);
        }
        last = Some(Instant::now());
        watch.look()?;
        Ok(watch.concluded() || (!workers.retry_failed && watch.blocked().is_some()))
    };
    let (tally, asked) = work_until(&mine, |_| Left::All, enough, workers, &signals, console)?;
    watch.look()?;
    if watch.concluded() {
        return conclude(&watch, &question, workers, as_json);
    }
    if let Some((kind, name)) = asked {
        return Err(Error::new(kind, format!("stopped by {name}")).help("the same command resumes"));
    }
    let complete = format!("{} of {} seeds are complete", watch.looks.len(), watch.seeds.len());
    if let Some(run) = watch.blocked() {
        let text = format!("{complete}, and {} failed: a seed cannot be left out", run.name);
        let logs = workers.out.join("logs");
        return Err(Error::new(Kind::Incomplete, text)
            .help(format!("see {}; --retry-failed tries again", logs.display())));
    }
    if !tally.failed.is_empty() {
        let error = Error::new(Kind::Incomplete, format!("{complete}, {} runs failed", tally.failed.len()));
        let error = tally.failed.iter().fold(error, |error, name| error.note(format!("failed: {name}")));
        return Err(error.help("the same command tries again those that were killed"));
    }
    if !tally.stopped.is_empty() {
        return Err(Error::new(Kind::Stopped, format!("{complete}, runs were stopped"))
            .help("the same command resumes"));
    }
    Err(Error::new(Kind::Incomplete, format!("not settled yet: {complete}, and this shard has no more runs"))
        .help("the same command says the verdict once the other shards have gone on"))
}

/// The seeds of the two groups, in rising order, as many as are asked for.
fn seeds<'a>(plan: &'a SweepPlan, question: &Question) -> Result<Vec<Seed<'a>>> {
    let mut groups: Vec<(Identified, Vec<(u64, &PlannedRun)>)> = Vec::new();
    for planned in &plan.runs {
        let run = identified(planned, plan)?;
        let seed = run.spec.seed;
        match groups.iter_mut().find(|(first, _)| first.traits() == run.traits()) {
            Some((_, runs)) => runs.push((seed, planned)),
            None => groups.push((run, vec![(seed, planned)])),
        }
    }
    let names = fm_report::names(&groups.iter().map(|(first, _)| first).collect::<Vec<_>>());
    let find = |name: &String| {
        let lacking =
            || Error::usage(format!("--until: the plan has no group '{name}', it has {}", names.join("; ")));
        names.iter().position(|other| other == name).ok_or_else(lacking)
    };
    let [first, second] = [find(&question.names[0])?, find(&question.names[1])?];
    if first == second {
        return Err(Error::usage("--until: a group is compared with itself"));
    }
    let [mut a, mut b] = [first, second].map(|index| groups[index].1.clone());
    a.sort_by_key(|run| run.0);
    b.sort_by_key(|run| run.0);
    let same = a.len() == b.len() && a.iter().zip(&b).all(|(a, b)| a.0 == b.0);
    if !same {
        return Err(Error::usage("--until: the two groups have different seeds, and are paired by them")
            .help("plan the same seeds for both"));
    }
    let most = question.at_most.unwrap_or(a.len());
    if a.len() < most.max(2) {
        let text = format!("--until: the plan has {} seeds, fewer than {}", a.len(), most.max(2));
        return Err(Error::usage(text).help(format!("plan more, such as --seeds 0..{}", most.max(2) - 1)));
    }
    let pair = |((seed, first), (_, second))| Seed { seed, runs: [first, second] };
    Ok(a.into_iter().zip(b).take(most).map(pair).collect())
}

/// A planned run as far as the plan tells: its engine is what was asked for.
fn identified(run: &PlannedRun, plan: &SweepPlan) -> Result<Identified> {
    let spec = RunSpec::read(&run.flags)?.check()?;
    let said = |key: &str| spec.get(key).and_then(|value| text(&value).ok()).unwrap_or_default();
    let (device, engine) = (said("device"), said("engine"));
    let facts = Facts { device, engine, data_sha256: plan.data_sha256.clone(), pretrain_sha256: None };
    Ok(Identified { spec, facts, provenance: Table::new() })
}

fn conclude(watch: &Watch<'_>, question: &Question, workers: &Workers, as_json: bool) -> Result<Said> {
    let Some(look) = watch.looks.last() else { return Err(Error::usage("--until: no seeds")) };
    let path = workers.out.join(files::UNTIL);
    let rows = watch.looks.iter().zip(&watch.seeds).map(|(look, seed)| row(look, seed.seed));
    store::write_table(&path, &HEADER, rows)?;
    let code = match look.ending {
        Some(Ending::Better) => 0,
        Some(Ending::Smaller) => SMALLER,
        None => UNDECIDED,
    };
    let sentence = sentence(look, question, watch.seeds.len());
    let text = if as_json {
        let looks: Vec<Value> =
            watch.looks.iter().zip(&watch.seeds).map(|(l, s)| to_json(l, s.seed)).collect();
        let json = json!({
            "answer": answer(look), "verdict": sentence, "exit_code": code,
            "first": question.names[0], "second": question.names[1],
            "margin": question.settle.margin, "alpha": question.settle.alpha, "at_most": watch.seeds.len(),
            "seeds": look.seeds, "difference": -look.difference,
            "interval": [-look.interval.high, -look.interval.low], "looks": looks,
        });
        format!("{json:#}\n")
    } else {
        format!("{sentence}\nevery look: {}\n", path.display())
    };
    Ok(Said { text, code })
}

fn answer(look: &Look) -> &'static str {
    match look.ending {
        Some(Ending::Better) => "better",
        Some(Ending::Smaller) => "smaller",
        None => "undecided",
    }
}

/// The answer, the better one first so that points are positive.
fn sentence(look: &Look, question: &Question, most: usize) -> String {
    let [first, second] = &question.names;
    let ahead = look.difference < 0.0;
    let (better, worse) = if ahead { (first, second) } else { (second, first) };
    let (low, high) = if ahead {
        (-look.interval.high, -look.interval.low)
    } else {
        (look.interval.low, look.interval.high)
    };
    let points = |share: f64| format!("{:.2}", 100.0 * share);
    let (margin, by) = (100.0 * question.settle.margin, points(look.difference.abs()));
    let level = 100.0 * (1.0 - question.settle.alpha);
    let evidence = if low.is_finite() {
        let (low, high) = (points(low), points(high));
        format!(
            "{level} % interval that holds at every number of seeds: {low} to {high}; {} seeds, paired",
            look.seeds
        )
    } else {
        format!("{} seeds, too few for an interval that holds at every number of seeds", look.seeds)
    };
    match look.ending {
        Some(Ending::Better) if high < question.settle.margin => {
            format!("{better} beats {worse} by {by} points, by less than {margin} ({evidence})")
        }
        Some(Ending::Better) => format!("{better} beats {worse} by {by} points ({evidence})"),
        Some(Ending::Smaller) => {
            format!(
                "{first} and {second} differ by less than {margin} points: {better} is {by} above ({evidence})"
            )
        }
        None => format!(
            "{first} and {second}: undecided after all {most} seeds; {better} is {by} above ({evidence})"
        ),
    }
}

/// Differences in the table and in JSON are the first's minus the second's, as they were asked for.
fn numbers(look: &Look) -> [Option<f64>; 5] {
    [-look.difference, look.seeds_half, look.images_half, -look.interval.high, -look.interval.low]
        .map(|number| number.is_finite().then_some(number))
}

fn row(look: &Look, seed: u64) -> Vec<String> {
    let mut row = vec![look.seeds.to_string(), seed.to_string()];
    row.extend(numbers(look).map(|number| number.map_or(String::new(), |n| n.to_string())));
    row.push(look.ending.map_or("", |_| answer(look)).to_owned());
    row
}

fn to_json(look: &Look, seed: u64) -> Value {
    let [difference, seeds_half, images_half, low, high] = numbers(look);
    json!({
        "seeds": look.seeds, "seed": seed, "difference": difference, "seeds_half_width": seeds_half,
        "images_half_width": images_half, "interval": [low, high],
    })
}
