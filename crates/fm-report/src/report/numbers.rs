//! The report's tables of measures: of two groups with their difference, of several side by side, of many in rows.

use fm_run::terminal::counted;
use maud::{Markup, html};

use super::shown::Shown;
use crate::compared::{Difference, Pair, Summarized};
use crate::measures::{Unit, p_text, unit};
use crate::stats::{Interval, Noise, Summary};

/// Measures of the whole test set: each class has its own table.
fn whole(measure: &str) -> bool {
    !measure.starts_with("recall ")
}

pub(super) fn numbers(shown: &Shown<'_>) -> Markup {
    html! {
        p.note {
            "Mean ± standard deviation over seeds, and below the 95 % interval of the mean (Student's t)."
            span.screen { " Click a heading to sort." }
        }
        @if shown.many { (ranked(shown)) } @else { (beside(shown)) }
        @if shown.many {
            details {
                summary { "The differences of all " (shown.compared.pairs.len()) " pairs, by measure and class" }
                @for pair in &shown.compared.pairs { (differences(shown, pair)) }
            }
        } @else if shown.groups.len() != 2 {
            @for pair in &shown.compared.pairs { (differences(shown, pair)) }
        }
        @if let [pair] = &shown.compared.pairs[..] { (explained(pair)) }
    }
}

/// Those of the whole that any group has.
fn measures<'a>(shown: &Shown<'a>) -> Vec<&'a String> {
    let mut found = Vec::new();
    // The longest list first: its order holds.
    let mut groups = shown.numbers.clone();
    groups.sort_by_key(|group| std::cmp::Reverse(group.measures.len()));
    for (name, _) in groups.iter().flat_map(|group| &group.measures).filter(|(name, _)| whole(name)) {
        if !found.contains(&name) {
            found.push(name);
        }
    }
    found
}

/// Measures in rows, groups in columns; of two groups their difference too.
fn beside(shown: &Shown<'_>) -> Markup {
    let measures = measures(shown);
    let pair = shown.compared.pairs.first().filter(|_| shown.groups.len() == 2);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Numbers by group" {
            table.sortable.full {
                caption { "Measures" }
                thead { tr {
                    (heading("measure"))
                    @for group in &shown.numbers { (heading(&format!("{} ({})", group.name, runs(group)))) }
                    @if let Some(pair) = pair {
                        (heading(&format!("{} minus {}", pair.comparison.names[1], pair.comparison.names[0])))
                        (heading("95 % interval")) (heading("p"))
                    }
                } }
                tbody {
                    @for measure in &measures {
                        tr {
                            th scope="row" { (measure) }
                            @for group in &shown.numbers { (found(group, measure)) }
                            @if let Some(pair) = pair { (difference_cells(pair, measure)) }
                        }
                    }
                    @for part in 0..3 { (noise(shown, part, pair.is_some())) }
                }
            }
        }
    }
}

/// Where the noise of accuracy comes from, a row each.
fn noise(shown: &Shown<'_>, part: usize, pair: bool) -> Markup {
    let parts: Vec<Option<(&str, f64)>> =
        shown.numbers.iter().map(|g| g.noise.as_ref().map(|noise| Noise::parts(noise)[part])).collect();
    let Some(name) = parts.iter().flatten().next().map(|p| p.0) else { return html! {} };
    html! {
        tr {
            th scope="row" { "noise of accuracy (sd): " (name) }
            @for part in &parts {
                @match part {
                    Some((_, sd)) => { td data-value=(100.0 * sd) { (format!("{:.2} points", 100.0 * sd)) } }
                    None => { td {} }
                }
            }
            @if pair { td {} td {} td {} }
        }
    }
}

/// Groups in rows, the measures of the whole in columns.
fn ranked(shown: &Shown<'_>) -> Markup {
    let measures = measures(shown);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Numbers by group" {
            table.sortable.full {
                caption { "Measures; numbers as in the ranking" }
                thead { tr { (heading("group")) @for measure in &measures { (heading(measure)) } } }
                tbody {
                    @for (i, group) in shown.numbers.iter().enumerate() {
                        tr {
                            th scope="row" data-value=(i + 1) title=(group.name) { (i + 1) }
                            @for measure in &measures { (found(group, measure)) }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn runs(group: &Summarized) -> String {
    counted(group.seeds.len() as u64, "seed")
}

fn found(group: &Summarized, measure: &str) -> Markup {
    let found = group.measures.iter().find(|(name, _)| name == measure);
    found.map_or_else(|| html! { td {} }, |(name, s)| cell(name, s))
}

pub(super) fn heading(text: &str) -> Markup {
    html! { th scope="col" aria-sort="none" { button type="button" { (text) } } }
}

pub(super) fn cell(measure: &str, s: &Summary) -> Markup {
    let Unit { factor, digits, of_value: unit, .. } = unit(measure);
    let show = |v: f64| format!("{:.digits$}", factor * v);
    html! {
        td data-value=(factor * s.mean) {
            @if let (Some(sd), Some(Interval { low, high })) = (s.sd, s.interval) {
                span.value { (show(s.mean)) span.spread { " ± " (show(sd)) } (unit) } br;
                span.spread { (show(low)) " to " (show(high)) }
            } @else { span.value { (show(s.mean)) (unit) } }
        }
    }
}

/// The three cells of a difference.
pub(super) fn difference_cells(pair: &Pair, measure: &str) -> Markup {
    let found = pair.differences.iter().find(|(name, _)| name == measure).and_then(|(_, d)| d.as_ref());
    let Some(Difference { test, interval: Interval { low, high }, p, .. }) = found else {
        return html! { td {} td {} td {} };
    };
    let Unit { factor, digits, of_difference: unit, .. } = unit(measure);
    let show = |v: f64| format!("{:.digits$}", factor * v);
    html! {
        td data-value=(factor * test.difference) { span.value { (format!("{:+.digits$}", factor * test.difference)) (unit) } }
        @match p {
            Some(p) => {
                td data-value=(factor * low) { span.value { (show(*low)) " to " (show(*high)) } }
                td data-value=(p) { span.value { (p_text(*p)) } }
            }
            None => { td { span.value { "not tested" } } td {} }
        }
    }
}

/// All differences of a pair.
fn differences(shown: &Shown<'_>, pair: &Pair) -> Markup {
    let short = |name: &String| {
        let place = shown.groups.iter().position(|group| group.name == *name);
        place.map_or_else(|| name.clone(), |index| shown.short(index))
    };
    let [first, second] = pair.comparison.names.each_ref().map(short);
    let caption = format!("{second} minus {first}");
    html! {
        details {
            summary { (caption) }
            div.scroll tabindex="0" role="region" aria-label=(caption) {
                table.sortable {
                    caption { (caption) }
                    thead { tr { @for name in ["measure", "difference", "95 % interval", "p"] { (heading(name)) } } }
                    tbody {
                        @for (measure, _) in &pair.differences {
                            tr { th scope="row" { (measure) } (difference_cells(pair, measure)) }
                        }
                    }
                }
            }
            (explained(pair))
        }
    }
}

/// How a pair's differences were tested.
fn explained(pair: &Pair) -> Markup {
    let c = &pair.comparison;
    let how = if c.paired { "Runs are paired by seed." } else { "Runs are not paired: the seeds differ." };
    html! {
        p.note {
            (how) " Accuracy, calibration error and recalls: crossed effects of seeds and test images; interval and p of accuracy hold for \
            all comparisons together, those of recalls for all classes together. The other measures: t tests over seeds. \
            Seconds are not tested: other work on the machine changes them."
            @if !c.mcnemar.is_empty() {
                " McNemar's test of each seed's two runs, images that only the first and only the second got right, mid-p: "
                (c.mcnemar.iter().map(|(seed, m)| format!("seed {seed}: {}, {}, {}", m.only_first, m.only_second, p_text(m.mid))).collect::<Vec<_>>().join("; ")) "."
            }
        }
    }
}
