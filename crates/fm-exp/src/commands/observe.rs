//! `fm-exp observe`: what chance does to the accuracy of one configuration, from many runs of it.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use clap::Args;
use fm_report::stats::{Component, Interval, QUANTILES, Vote, p_equation};
use fm_report::{Crossing, Observed, Spread};
use fm_run::store;
use fm_run::terminal::counted;
use serde_json::{Value, json};

use super::compare::{WhichArgs, failed, left_out};
use crate::error::{Error, Result};

/// Flags of `observe`.
#[derive(Debug, Args)]
pub(crate) struct ObserveArgs {
    /// Directories that hold runs: of many seeds (sweep --seeds 0..999), of crossed seeds (sweep --seed-init 0..29
    /// --seed-order 0..29), or of both
    #[arg(value_name = "RUN|DIR", required = true)]
    places: Vec<PathBuf>,

    #[command(flatten)]
    which: WhichArgs,

    /// Up to how many runs vote together
    #[arg(long, value_name = "N", default_value_t = 100)]
    votes: usize,

    /// Also write the tables and their pictures into this directory
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

pub(crate) fn run(args: &ObserveArgs, as_json: bool) -> Result<String> {
    if args.votes == 0 {
        return Err(Error::usage("--votes must be at least 1"));
    }
    let found = fm_report::observe(&args.places, &args.which.conditions, args.votes).map_err(failed)?;
    left_out(&found.unfinished);
    if found.without_averages > 0 {
        let runs = counted(found.without_averages as u64, "run");
        tracing::warn!(
            "averaged weights of {runs} left out: a packed file has what a run itself leaves; give directories"
        );
    }
    let observed = found.configurations;
    if let Some(out) = &args.out {
        write(out, &observed)?;
    }
    if as_json {
        return Ok(format!("{:#}\n", Value::Array(observed.iter().map(to_json).collect())));
    }
    let mut out = String::new();
    for observed in &observed {
        let Observed { name, spread, crossing } = observed;
        if spread.is_none() && crossing.is_none() {
            let _ = writeln!(out, "{name}: fewer than four seeds of different accuracy");
        }
        out.extend(spread.iter().map(|spread| spread_text(name, spread)));
        out.extend(crossing.iter().map(|crossing| crossing_text(name, crossing)));
    }
    Ok(out)
}

/// The votes that are printed; files have them all.
fn few(votes: &[Vote]) -> impl Iterator<Item = &Vote> {
    votes.iter().filter(|vote| [1, 2, 3, 5, 10, 20, 30, 50, 100].contains(&vote.runs))
}

fn spread_text(name: &str, spread: &Spread) -> String {
    let Spread { distribution: d, noise, independence: (ratio, range), disagreement, votes, .. } = spread;
    let percent = |share: f64| 100.0 * share;
    let [_, p5, p25, median, p75, p95, _] = d.quantiles.map(percent);
    let votes: Vec<String> = few(votes).map(|v| format!("{} {:.2} %", v.runs, percent(v.mean))).collect();
    let (sd, Interval { low, high }) = d.sd;
    let [sd, low, high] = [sd, low, high].map(percent);
    format!(
        "{name}: {}, test accuracy {:.2} %, standard deviation {sd:.3} points ({low:.3} to {high:.3})\n\
         \x20 runs      {:.2} to {:.2} %; 90 % of them {p5:.2} to {p95:.2}, half {p25:.2} to {p75:.2}, median {median:.2}\n\
         \x20 shape     skewness {:.2} (normal: 0, standard error {:.2}), excess kurtosis {:.2} ({:.2})\n\
         \x20 parts     {:.3} points that networks differ by, {:.3} that single images flip by; variance {ratio:.2} times \
         that of independent errors ({:.2} to {:.2})\n\
         \x20 two runs  predict different classes on {:.2} % of the images\n\
         \x20 votes     {}\n",
        counted(d.n as u64, "seed"),
        percent(d.mean),
        percent(d.range.0),
        percent(d.range.1),
        d.skewness.0,
        d.skewness.1,
        d.kurtosis.0,
        d.kurtosis.1,
        percent(noise.networks),
        percent(noise.flicker),
        range.low,
        range.high,
        percent(*disagreement),
        votes.join(", "),
    )
}

/// So small a chance of epochs as opposed as these says that they are not independent.
const OPPOSED: f64 = 0.01;

/// What the parts of a crossed design are called, with their estimates.
fn parts(crossing: &Crossing) -> Vec<(String, Component)> {
    let c = &crossing.components;
    let [row, column] = crossing.keys.each_ref().map(|(key, _)| (*key).to_owned());
    let mut parts = vec![(row, c.rows), (column, c.columns)];
    match c.pairs {
        Some(pairs) => parts.extend([("both together".to_owned(), pairs), ("epoch".to_owned(), c.rest)]),
        None => parts.push(("all else".to_owned(), c.rest)),
    }
    parts
}

fn crossing_text(name: &str, crossing: &Crossing) -> String {
    let [(row, rows), (column, columns)] = &crossing.keys;
    let epochs: Vec<String> = crossing.epochs.iter().map(u32::to_string).collect();
    let mut out = format!(
        "{name}, {} {row} by {} {column}, scored after epoch {}: {:.2} % at the end\n",
        rows.len(),
        columns.len(),
        epochs.join(", "),
        100.0 * crossing.mean
    );
    for (part, component) in parts(crossing) {
        let [sd, low, high] = deviations(component);
        let share = 100.0 * crossing.components.share(component);
        let _ = writeln!(
            out,
            "  {part:<14} {sd:.3} points ({low:.3} to {high:.3}), {share:.0} % of the variance of a run"
        );
    }
    if let Some((ratio, p)) = crossing.components.opposed.filter(|&(_, p)| p < OPPOSED) {
        let p = p_equation(p);
        let _ = writeln!(
            out,
            "  but           what a run gains in one epoch it tends to lose in the next: its mean varies {ratio:.2} times as much as \
             independent epochs would make it ({p}), so what both do together may be hidden"
        );
    }
    out
}

/// In percentage points: a standard deviation and the ends of its interval.
fn deviations(component: Component) -> [f64; 3] {
    let Component { variance, interval: Interval { low, high } } = component;
    [variance, low, high].map(|variance| 100.0 * variance.sqrt())
}

fn to_json(observed: &Observed) -> Value {
    let interval = |Interval { low, high }: &Interval| json!([low, high]);
    let spread = observed.spread.as_ref().map(|s| {
        let d = &s.distribution;
        let quantiles: Vec<Value> = QUANTILES.iter().zip(d.quantiles).map(|(p, q)| json!([p, q])).collect();
        let votes: Vec<Value> =
            s.votes.iter().map(|v| json!({ "runs": v.runs, "mean": v.mean, "sd": v.sd })).collect();
        json!({
            "seeds": d.n, "mean": d.mean, "sd": d.sd.0, "sd_interval": interval(&d.sd.1),
            "min": d.range.0, "max": d.range.1, "quantiles": quantiles,
            "skewness": d.skewness.0, "skewness_se": d.skewness.1,
            "kurtosis": d.kurtosis.0, "kurtosis_se": d.kurtosis.1,
            "sd_networks": s.noise.networks, "sd_flicker": s.noise.flicker, "sd_test_images": s.noise.images,
            "variance_to_independent": s.independence.0,
            "variance_to_independent_interval": interval(&s.independence.1),
            "disagreement": s.disagreement, "votes": votes,
        })
    });
    let crossing = observed.crossing.as_ref().map(|c| {
        let part = |(name, part): (String, Component)| {
            json!({ "part": name, "variance": part.variance, "interval": interval(&part.interval) })
        };
        let parts: Vec<Value> = parts(c).into_iter().map(part).collect();
        let [(row, rows), (column, columns)] = &c.keys;
        json!({ "rows": { "key": row, "seeds": rows }, "columns": { "key": column, "seeds": columns },
            "epochs": c.epochs, "mean": c.mean, "variance": c.components.total(), "parts": parts,
            "epochs_to_independent": c.components.opposed.map(|(ratio, p)| json!({ "ratio": ratio, "p": p })) })
    });
    json!({ "configuration": observed.name, "distribution": spread, "crossed": crossing })
}

/// Writes `accuracies.csv`, `votes.csv`, `components.csv` and the pictures.
fn write(out: &Path, observed: &[Observed]) -> Result<()> {
    store::create_dir(out)?;
    let share = |share: f64| store::decimals(Some(share), 6);
    let spreads = || observed.iter().filter_map(|o| Some((&o.name, o.spread.as_ref()?)));
    let accuracies = spreads().flat_map(|(name, spread)| {
        spread.accuracies.iter().map(move |(seed, of)| vec![name.clone(), seed.to_string(), share(*of)])
    });
    let votes = spreads().flat_map(|(name, spread)| {
        let cells = move |v: &Vote| {
            let sd = store::decimals(v.sd, 6);
            vec![name.clone(), v.runs.to_string(), share(v.mean), sd]
        };
        spread.votes.iter().map(cells)
    });
    let crossings = observed.iter().filter_map(|o| Some((&o.name, o.crossing.as_ref()?)));
    let components = crossings.flat_map(|(name, crossing)| {
        let cells = move |(part, component): (String, Component)| {
            let [sd, low, high] = deviations(component).map(|points| store::decimals(Some(points), 4));
            vec![name.clone(), part, sd, low, high, share(crossing.components.share(component))]
        };
        parts(crossing).into_iter().map(cells)
    });
    let table = |file: &str, header: &[&str], rows: Vec<Vec<String>>| {
        if rows.is_empty() { Ok(()) } else { store::write_table(&out.join(file), header, rows) }
    };
    table("accuracies.csv", &["configuration", "seed", "test_acc"], accuracies.collect())?;
    table("votes.csv", &["configuration", "runs", "mean_acc", "sd"], votes.collect())?;
    let header = ["configuration", "part", "sd_points", "low", "high", "share_of_variance"];
    table("components.csv", &header, components.collect())?;
    for (name, svg) in fm_report::observed_pictures(observed) {
        store::write(&out.join(format!("{name}.svg")), svg.as_bytes())?;
        let png = fm_report::rasterize(&svg, 2.0).map_err(failed)?;
        store::write(&out.join(format!("{name}.png")), &png)?;
    }
    Ok(())
}
