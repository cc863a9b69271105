//! The report's page: what was computed elsewhere, as HTML.

use fm_run::terminal::counted;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Figure;
use super::confusions::Confused;
use super::plots::upper;
use super::shown::Shown;
use super::{classes, numbers, ranking};
use crate::collect::RunResult;
use crate::compared::{Pair, Summarized};
use crate::heatmap::grouped;

const STYLE: &str = include_str!("style.css");
/// Sorts a table by the column whose heading was pressed, and says which parts scroll; without it the page only loses
/// that.
const SCRIPT: &str = concat!(include_str!("sort.js"), include_str!("scroll.js"));

pub(super) fn page(shown: &Shown<'_>, figures: &[Figure], confused: &[Confused]) -> String {
    let title = title(shown);
    let named = |starts: &[&str]| {
        let has = |figure: &&Figure| starts.iter().any(|start| figure.name.starts_with(start));
        figures.iter().filter(has).collect::<Vec<_>>()
    };
    let curves = named(&["train-", "val-"]);
    let length = named(&["accuracy-"]);
    let calibration = named(&["calibration"]);
    let matrices = named(&["confusion-"]);
    let (first, others) =
        if shown.many { matrices.split_at(1.min(matrices.len())) } else { (&matrices[..], &[][..]) };
    let changes = named(&["difference-"]);
    let mut drawn = Drawn(0);
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                title { "Report: " (title) }
                // An icon of its own: browsers ask a server for one otherwise.
                link rel="icon" href="data:,";
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the results" }
                header { h1 { (title) } (facts(shown)) }
                main #main {
                    section aria-labelledby="verdict" {
                        h2 #verdict { "Verdict" }
                        (verdicts(shown))
                        (lengths(shown))
                        div.grid { @for figure in named(&["differences", "seeds"]) { (drawn.figure(figure)) } }
                        @if shown.many { (ranking::ranking(shown)) (ranking::matrix(shown)) (sentences(shown)) }
                    }
                    section aria-labelledby="numbers" {
                        h2 #numbers { "Numbers" }
                        (numbers::numbers(shown))
                    }
                    section aria-labelledby="curves" {
                        h2 #curves { "Learning curves" }
                        div.grid { @for figure in curves { (drawn.figure(figure)) } }
                    }
                    @if !length.is_empty() {
                        section aria-labelledby="length" {
                            h2 #length { "How long to train" }
                            div.grid { @for figure in length { (drawn.figure(figure)) } }
                        }
                    }
                    @if !calibration.is_empty() {
                        section aria-labelledby="calibration" {
                            h2 #calibration { "Calibration" }
                            div.grid { @for figure in calibration { (drawn.figure(figure)) } }
                        }
                    }
                    section aria-labelledby="classes" {
                        h2 #classes { "Classes" }
                        (classes::scores(shown))
                        div.grid {
                            @for figure in named(&["recall"]) { (drawn.figure(figure)) }
                            div { (classes::confusions(shown, confused)) }
                        }
                    }
                    section aria-labelledby="matrices" {
                        h2 #matrices { "Confusion matrices" }
                        div.grid.two {
                            @for figure in first { (drawn.figure(figure)) }
                            @if !shown.many { @for figure in &changes { (drawn.figure(figure)) } }
                        }
                        @if !others.is_empty() {
                            details {
                                summary { "Confusion matrices of the other " (others.len()) " groups" }
                                div.grid.two { @for figure in others { (drawn.figure(figure)) } }
                            }
                        }
                        @if shown.many && !changes.is_empty() {
                            details {
                                summary { "Differences of " (changes.len()) " matrices from that of " (shown.name(shown.reference())) }
                                div.grid.two { @for figure in &changes { (drawn.figure(figure)) } }
                            }
                        }
                    }
                    section aria-labelledby="made" {
                        h2 #made { "How it was made" }
                        (made(shown))
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn title(shown: &Shown<'_>) -> String {
    let names: Vec<&str> = shown.groups.iter().map(|g| g.name.as_str()).collect();
    let length: usize = names.iter().map(|name| name.chars().count()).sum();
    match names.len() {
        n if shown.many || length > 120 => {
            format!("{n} groups of runs on {}", distinct(&runs(shown), "dataset"))
        }
        1 => names[0].to_owned(),
        n => format!("{} and {}", names[..n - 1].join(", "), names[n - 1]),
    }
}

fn runs<'a>(shown: &Shown<'a>) -> Vec<&'a RunResult> {
    shown.groups.iter().flat_map(|group| &group.runs).collect()
}

/// What a reader needs before any number.
fn facts(shown: &Shown<'_>) -> Markup {
    let runs = runs(shown);
    let images = runs.first().map_or(0, |run| run.confusion.total());
    let classes = runs.first().map_or(0, |run| run.confusion.classes().len());
    let counted = |n: usize, thing: &str| counted(n as u64, thing);
    let recorded = |key: &str| Some(distinct(&runs, key)).filter(|said| !said.is_empty());
    let mut days: Vec<String> =
        runs.iter().filter_map(|run| fact(run, "started")?.get(..10).map(str::to_owned)).collect();
    days.sort();
    let trained = match (days.first(), days.last()) {
        (Some(first), Some(last)) if first != last => format!("{first} to {last}"),
        (Some(day), _) => day.clone(),
        _ => "not recorded".to_owned(),
    };
    let mut seeds: Vec<String> = shown.numbers.iter().map(|group| ranking::ranges(&group.seeds)).collect();
    seeds.sort();
    seeds.dedup();
    let seeds = if seeds.len() == 1 { seeds.remove(0) } else { seeds.join(" or ") + ", by group" };
    let facts = [
        ("runs", format!("{} in {}", counted(runs.len(), "run"), counted(shown.groups.len(), "group"))),
        ("seeds", seeds),
        ("data set", recorded("dataset").unwrap_or_default()),
        ("scored on", format!("{} test images of {classes} classes", grouped(images))),
        ("protocol", recorded("protocol").unwrap_or_default()),
        ("epochs", recorded("epochs").unwrap_or_default()),
        ("learning rate", recorded("lr").unwrap_or_default()),
        ("batch size", recorded("batch-size").unwrap_or_default()),
        ("engine", recorded("engine").unwrap_or_default()),
        ("trained", trained),
        ("source revision", recorded("revision").unwrap_or_else(|| "not recorded".to_owned())),
    ];
    html! { dl.facts { @for (name, said) in facts { @if !said.is_empty() { div { dt { (name) } dd { (said) } } } } } }
}

fn verdicts(shown: &Shown<'_>) -> Markup {
    let pairs = &shown.compared.pairs;
    html! {
        @if pairs.is_empty() { p.verdict { "One group alone: there is nothing to compare it with." } }
        @else if shown.many { (ranking::summary(shown)) }
        @else if let [only] = &pairs[..] { p.verdict { (only.verdict.sentence) "." } p { (once(only)) } }
        @else { ul.verdict { @for pair in pairs { li { (pair.verdict.sentence) ". " (once(pair)) } } } }
        @if pairs.iter().any(|pair| pair.comparison.crossed.is_some()) {
            p.note {
                "Interval and p account for both seeds and the sample of test images (crossed random effects). Equivalent means: by two one-sided tests the difference is smaller than the margin. \
                 Undecided means that neither is shown; it does not mean equal."
            }
        }
    }
}

/// Which length of each group is shown, where validation images chose it.
fn lengths(shown: &Shown<'_>) -> Markup {
    let sentence =
        |group: &&Summarized| Some(group.chosen.as_ref()?.sentence(&group.name, group.seeds.len()));
    let chosen: Vec<String> = shown.numbers.iter().filter_map(sentence).collect();
    html! { @if !chosen.is_empty() { ul.note { @for chosen in chosen { li { (chosen) "." } } } } }
}

/// How often a single run of each would show it.
fn once(pair: &Pair) -> String {
    pair.once().map_or_else(String::new, |text| format!("{}.", upper(&text)))
}

/// Every verdict in words, of many groups.
fn sentences(shown: &Shown<'_>) -> Markup {
    html! {
        details {
            summary { "All " (shown.compared.pairs.len()) " verdicts in words" }
            ul.verdict { @for pair in &shown.compared.pairs { li { (pair.verdict.sentence) ". " (once(pair)) } } }
        }
    }
}

/// The values of a key in all runs.
fn distinct(runs: &[&RunResult], key: &str) -> String {
    let mut all: Vec<String> = runs.iter().filter_map(|run| fact(run, key)).collect();
    all.sort_by(|a, b| a.len().cmp(&b.len()).then(a.cmp(b)));
    all.dedup();
    all.join(", ")
}

fn made(shown: &Shown<'_>) -> Markup {
    let runs = runs(shown);
    let facts = [
        ("device", "device-name"),
        ("GPU driver", "driver"),
        ("CPU threads", "threads"),
        ("processor", "processor"),
        ("instruction set", "instruction-set"),
        ("sources changed since", "sources-changed"),
        ("fm-exp", "fm-exp"),
        ("libtorch", "libtorch"),
        ("data, SHA-256", "data-sha256"),
    ];
    html! {
        h3 { "Recipes" }
        dl { @for (i, group) in shown.groups.iter().enumerate() { dt { (shown.short(i)) } dd { (group.runs.first().map(|run| run.run.spec.recipe()).unwrap_or_default()) } } }
        h3 { "Machine, program and data" }
        dl { @for (name, key) in facts { @let said = distinct(&runs, key); @if !said.is_empty() { dt { (name) } dd { (said) } } } }
        details {
            summary { "The exact commands of " (runs.len()) " runs" }
            div.scroll tabindex="0" role="region" aria-label="Commands" {
                pre { @for run in &runs { (fact(run, "command").unwrap_or_default()) "\n" } }
            }
        }
        details {
            summary { "The configurations of " (runs.len()) " runs" }
            @for run in &runs {
                h3 { (run.name) }
                div.scroll tabindex="0" role="region" aria-label=(format!("Configuration of {}", run.name)) { pre { (run.config) } }
            }
        }
    }
}

/// What a run's `config.toml` says of a key: as a fact, or under provenance.
fn fact(run: &RunResult, key: &str) -> Option<String> {
    let value = run.run.provenance.get(key).cloned().or_else(|| run.run.value(key))?;
    fm_run::spec::text(&value).ok()
}

/// Numbers figures, so that what is named in one is not taken from another.
struct Drawn(usize);

impl Drawn {
    fn figure(&mut self, figure: &Figure) -> Markup {
        self.0 += 1;
        let own = format!("scale{}", self.0);
        let svg = figure
            .svg
            .replace(r#"id="scale""#, &format!(r#"id="{own}""#))
            .replace("url(#scale)", &format!("url(#{own})"));
        html! {
            figure.wide[figure.wide] {
                @if figure.wide {
                    div.scroll tabindex="0" role="region" aria-label=(figure.caption) { (PreEscaped(svg)) }
                } @else { (PreEscaped(svg)) }
                figcaption { (figure.caption) }
            }
        }
    }
}
