//! A comparison as text: the verdict first, then the groups in a line each, and every number where details are wanted.

use std::fmt::Write as _;

use fm_report::stats::{Answer, Interval, Noise, Summary};
use fm_report::{Compared, Pair, Summarized, ValidatedGroup, p_text, unit};
use fm_run::terminal::{columns, counted};

/// From so many groups on a ranking stands in place of a sentence for each pair.
const RANKED: usize = 5;

/// Everything that is said of a comparison; every measure and test with `details`.
pub(super) fn text(compared: &Compared, details: bool) -> String {
    let ranking = compared.ranking().filter(|_| compared.groups.len() >= RANKED);
    let mut out = String::new();
    if let Some(ranking) = &ranking {
        let _ = writeln!(
            out,
            "by test accuracy; groups that share a letter are not shown to differ ({} comparisons together)",
            compared.pairs.len()
        );
        out.push_str(&table(compared, Some(ranking)));
        out.push_str(&equivalent(compared));
    }
    if ranking.is_none() || details {
        compared.pairs.iter().for_each(|pair| out.push_str(&verdict(pair)));
    }
    for group in &compared.groups {
        if let Some(chosen) = &group.chosen {
            let _ = writeln!(out, "{}", chosen.sentence(&group.name, group.seeds.len()));
        }
    }
    if details {
        out.push('\n');
        compared.groups.iter().for_each(|group| out.push_str(&group_text(group)));
        compared.pairs.iter().for_each(|pair| out.push_str(&differences(pair)));
        return out;
    }
    if ranking.is_some() {
        out.push_str("(every comparison, measure and test: -v)\n");
        return out;
    }
    if !out.is_empty() {
        out.push('\n');
    }
    out.push_str(&table(compared, None));
    out.push_str("(every measure and test: -v)\n");
    out
}

/// A sentence, and how often a single run would show it.
fn verdict(pair: &Pair) -> String {
    let once = pair.once().map_or_else(String::new, |text| format!("  {text}\n"));
    format!("{}\n{once}", pair.verdict.sentence)
}

/// Names of the measures that stand in the table.
const SHOWN: [&str; 4] = ["accuracy", "loss", "calibration error", "validation accuracy"];

/// A line for each group; with its letters, the best first, where there is a ranking.
fn table(compared: &Compared, ranking: Option<&[(usize, String)]>) -> String {
    let groups: Vec<(&Summarized, &str)> = match ranking {
        Some(ranking) => {
            ranking.iter().map(|(group, letters)| (&compared.groups[*group], &letters[..])).collect()
        }
        None => compared.groups.iter().map(|group| (group, "")).collect(),
    };
    let has = |group: &Summarized, name: &str| group.measures.iter().any(|(measure, _)| measure == name);
    let shown: Vec<&str> =
        SHOWN.into_iter().filter(|name| groups.iter().any(|(group, _)| has(group, name))).collect();
    let cell = |group: &Summarized, column: &str| {
        let found = group.measures.iter().find(|(measure, _)| measure == column);
        found.map_or(String::new(), |(measure, summary)| short(measure, summary))
    };
    let lettered = |letters: &str| ranking.map(|_| letters.to_owned()).into_iter();
    let names = ["group", "seeds"].into_iter().chain(shown.iter().copied()).map(str::to_owned);
    let mut rows: Vec<Vec<String>> = vec![lettered("").chain(names).collect()];
    for (group, letters) in groups {
        let start = [group.name.clone(), group.seeds.len().to_string()];
        let cells = shown.iter().map(|column| cell(group, column));
        rows.push(lettered(letters).chain(start).chain(cells).collect());
    }
    columns(&rows).flat_map(|line| [line, "\n".to_owned()]).collect()
}

/// Pairs that are equivalent, in a line; nothing where none are.
fn equivalent(compared: &Compared) -> String {
    let pairs = compared.pairs.iter().filter(|pair| pair.verdict.answer == Answer::Equivalent);
    let said: Vec<String> = pairs.map(|pair| pair.comparison.names.join(" and ")).collect();
    let margin = compared.pairs.first().map_or(0.0, |pair| pair.verdict.family.margin * 100.0);
    if said.is_empty() {
        String::new()
    } else {
        format!("equivalent within {margin} points: {}\n", said.join("; "))
    }
}

/// Mean and interval.
fn short(measure: &str, s: &Summary) -> String {
    let unit = unit(measure);
    let show = |v: f64| format!("{:.*}", unit.digits, unit.factor * v);
    let interval = s.interval.map_or(String::new(), |i| format!(" ({} to {})", show(i.low), show(i.high)));
    format!("{}{}{interval}", show(s.mean), unit.of_value)
}

fn group_text(group: &Summarized) -> String {
    let mut out = heading(&group.name, group.seeds.len());
    for (measure, s) in &group.measures {
        let _ = writeln!(out, "  {measure:<25} {}", spread(measure, s));
    }
    if let Some(noise) = group.noise {
        let parts = Noise::parts(&noise).map(|(source, sd)| format!("{source} {:.2}", 100.0 * sd));
        let _ = writeln!(out, "  {:<25} {} points", "accuracy's noise, sd", parts.join(", "));
    }
    out
}

fn differences(pair: &Pair) -> String {
    let c = &pair.comparison;
    let mut out = String::new();
    let known: Vec<_> = pair.differences.iter().filter_map(|(name, d)| Some((name, d.as_ref()?))).collect();
    let how = if c.paired { "paired by seed" } else { "other seeds, not paired" };
    if known.is_empty() {
        let _ = writeln!(out, "\n{} minus {}: one seed has no intervals over seeds", c.names[1], c.names[0]);
    } else {
        let _ = writeln!(
            out,
            "\n{} minus {} ({how}; mean difference, 95 % interval, of recalls for all classes together)",
            c.names[1], c.names[0]
        );
    }
    for (measure, difference) in known {
        let unit = unit(measure);
        let Interval { low, high } = difference.interval;
        let show = |v: f64| format!("{:.*}", unit.digits, unit.factor * v);
        let (d, low, high) = (show(difference.test.difference), show(low), show(high));
        let _ = writeln!(out, "  {measure:<25} {d:>8}  ({low} to {high}){}", unit.of_difference);
    }
    let separate: Vec<String> =
        c.mcnemar.iter().map(|(seed, m)| format!("seed {seed} {}", p_text(m.mid))).collect();
    if !separate.is_empty() {
        let _ = writeln!(out, "  McNemar's mid-p by seed: {}", separate.join(", "));
    }
    out
}

/// A group's validation scores in lines.
pub(crate) fn validation_text(group: &ValidatedGroup) -> String {
    let mut out = heading(&group.name, group.seeds.len());
    for (measure, s) in group.measures() {
        let _ = writeln!(out, "  {measure:<25} {}", spread(measure, s));
    }
    out
}

/// A group's name and the number of its seeds.
fn heading(name: &str, seeds: usize) -> String {
    format!("{name} ({})\n", counted(seeds as u64, "seed"))
}

fn spread(measure: &str, s: &Summary) -> String {
    let unit = unit(measure);
    let show = |v: f64| format!("{:.*}", unit.digits, unit.factor * v);
    match (s.sd, s.interval) {
        (Some(sd), Some(Interval { low, high })) => {
            let (mean, sd, low, high) = (show(s.mean), show(sd), show(low), show(high));
            format!("{mean:>8}{}  sd {sd}  95 % interval of the mean {low} to {high}", unit.of_value)
        }
        _ => format!("{:>8}{}", show(s.mean), unit.of_value),
    }
}
