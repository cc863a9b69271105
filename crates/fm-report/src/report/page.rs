//! The report's page: what was computed elsewhere, as HTML.

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::Figure;
use super::plots::Confused;
use crate::collect::RunResult;
use crate::compared::{Compared, Pair};
use crate::groups::RunGroup;
use crate::stats::{Interval, Summary};

const STYLE: &str = include_str!("style.css");
/// Sorts a table by the column whose heading was pressed; without it the page only loses that.
const SCRIPT: &str = include_str!("sort.js");

pub(super) fn page(
    groups: &[RunGroup],
    compared: &Compared,
    figures: &[Figure],
    confused: &[Confused],
) -> String {
    let title = match groups {
        [only] => only.name.clone(),
        _ => groups.iter().map(|g| g.name.as_str()).collect::<Vec<_>>().join(" · "),
    };
    let named = |start: &str| figures.iter().filter(|f| f.name.starts_with(start)).collect::<Vec<_>>();
    let curves: Vec<&Figure> = [named("train-"), named("val-")].concat();
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
                header { h1 { (title) } p { (count(groups)) } }
                main #main {
                    section aria-labelledby="verdict" {
                        h2 #verdict { "Verdict" }
                        (verdicts(compared))
                    }
                    section aria-labelledby="numbers" {
                        h2 #numbers { "Numbers" }
                        p { "Mean over seeds ± standard deviation, and the 95 % interval of the mean (Student's t). Press a heading to sort." }
                        (numbers(compared))
                        @for pair in &compared.pairs { (differences(pair)) }
                    }
                    section aria-labelledby="curves" {
                        h2 #curves { "Learning curves" }
                        div.grid { @for figure in curves { (drawn.figure(figure)) } }
                    }
                    section aria-labelledby="length" {
                        h2 #length { "How long to train" }
                        div.grid { @for figure in named("accuracy-") { (drawn.figure(figure)) } }
                    }
                    section aria-labelledby="classes" {
                        h2 #classes { "Classes" }
                        div.grid { @for figure in named("recall") { (drawn.figure(figure)) } }
                        (confusions(groups, confused))
                    }
                    section aria-labelledby="matrices" {
                        h2 #matrices { "Confusion matrices" }
                        @for figure in named("confusion-") { (drawn.figure(figure)) }
                        @for figure in named("difference-") { (drawn.figure(figure)) }
                    }
                    section aria-labelledby="made" {
                        h2 #made { "How it was made" }
                        (made(groups))
                    }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn count(groups: &[RunGroup]) -> String {
    let runs: usize = groups.iter().map(|g| g.runs.len()).sum();
    let images = groups.first().and_then(|g| g.runs.first()).map_or(0, |run| run.confusion.total());
    let (r, g) = (if runs == 1 { "run" } else { "runs" }, if groups.len() == 1 { "group" } else { "groups" });
    format!("{runs} {r} in {} {g}, scored on {images} test images", groups.len())
}

fn verdicts(compared: &Compared) -> Markup {
    html! {
        @if compared.pairs.is_empty() { p.verdict { "One group alone: there is nothing to compare it with." } }
        @else if let [only] = &compared.pairs[..] { p.verdict { (only.verdict.sentence) "." } }
        @else { ul.verdict { @for pair in &compared.pairs { li { (pair.verdict.sentence) "." } } } }
        @if compared.pairs.iter().any(|pair| pair.comparison.crossed.is_some()) {
            p.note {
                "Interval and p count both what seeds and what the choice of test images add by chance (crossed random \
                 effects). Equivalent means: by two one-sided tests the difference is smaller than the margin. \
                 Undecided means that neither is shown; it does not mean equal."
            }
        }
    }
}

/// Multiplied with that, to so many decimals, in that unit.
fn unit(measure: &str) -> (f64, usize, &'static str) {
    let unit = crate::measures::unit(measure);
    (unit.factor, unit.digits, unit.of_value)
}

fn numbers(compared: &Compared) -> Markup {
    let measures: Vec<&String> =
        compared.groups.first().map_or(vec![], |g| g.measures.iter().map(|m| &m.0).collect());
    html! {
        div.scroll tabindex="0" role="region" aria-label="Numbers by group" {
            table.sortable {
                caption { "By group" }
                thead { tr {
                    (heading("measure"))
                    @for group in &compared.groups { (heading(&format!("{} (n = {})", group.name, group.seeds.len()))) }
                } }
                tbody {
                    @for (i, measure) in measures.iter().enumerate() {
                        tr {
                            th scope="row" { (measure) }
                            @for group in &compared.groups {
                                @match group.measures.get(i) {
                                    Some((name, s)) => { (cell(name, s)) }
                                    None => { td {} }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn heading(text: &str) -> Markup {
    html! { th scope="col" aria-sort="none" { button type="button" { (text) } } }
}

fn cell(measure: &str, s: &Summary) -> Markup {
    let (factor, digits, unit) = unit(measure);
    let show = |v: f64| format!("{:.digits$}", factor * v);
    html! {
        td data-value=(factor * s.mean) {
            span.value { (show(s.mean)) (unit) }
            @if let (Some(sd), Some(Interval { low, high })) = (s.sd, s.interval) {
                span.spread { " ± " (show(sd)) br; (show(low)) " to " (show(high)) }
            }
        }
    }
}

fn differences(pair: &Pair) -> Markup {
    let c = &pair.comparison;
    let how = if c.paired { "paired by seed" } else { "not paired: the seeds differ" };
    let caption = format!("{} less {} ({how})", c.names[1], c.names[0]);
    html! {
        details {
            summary { (caption) }
            div.scroll tabindex="0" role="region" aria-label=(caption) {
                table.sortable {
                    caption { (caption) }
                    thead { tr { @for name in ["measure", "difference", "95 % interval", "p"] { (heading(name)) } } }
                    tbody {
                        @for (measure, test) in &pair.differences {
                            @let (factor, digits, unit) = unit(measure);
                            @let unit = if unit == " %" { " points" } else { unit };
                            tr {
                                th scope="row" { (measure) }
                                @if let Some(d) = test {
                                    td data-value=(factor * d.test.difference) { (format!("{:+.digits$}{unit}", factor * d.test.difference)) }
                                    td data-value=(factor * d.interval.low) { (format!("{:.digits$} to {:.digits$}", factor * d.interval.low, factor * d.interval.high)) }
                                    @if let Some(p) = d.p { td data-value=(p) { (p_text(p)) } } @else { td {} }
                                } @else { td {} td {} td {} }
                            }
                        }
                    }
                }
            }
            p { "Accuracy and recalls: crossed effects of seeds and test images; the interval and p of accuracy hold for \
                 all pairs together, those of recalls for all classes together. Loss and macro F1: t tests over seeds. \
                 Seconds are not tested: other work on the machine changes them." }
            @if !c.mcnemar.is_empty() {
                p { "McNemar's test of the shared test images, mid-p by seed: "
                    (c.mcnemar.iter().map(|(seed, m)| format!("seed {seed}: {}", p_text(m.mid))).collect::<Vec<_>>().join(", ")) "." }
            }
        }
    }
}

fn confusions(groups: &[RunGroup], confused: &[Confused]) -> Markup {
    html! {
        h3 { "Confused most" }
        div.scroll tabindex="0" role="region" aria-label="Classes confused most" {
            table.sortable {
                caption { "Mean images a run, and the images that most runs get wrong so" }
                thead { tr {
                    (heading("true")) (heading("predicted"))
                    @for group in groups { (heading(&group.name)) }
                    th scope="col" { "examples" }
                } }
                tbody {
                    @for pair in confused {
                        tr {
                            th scope="row" { (pair.truth) }
                            td data-value=(pair.predicted) { (pair.predicted) }
                            @for count in &pair.counts { td data-value=(count) { (format!("{count:.1}")) } }
                            td.examples {
                                @if pair.examples.is_empty() { "the images are not at hand" }
                                @for (index, runs, uri) in &pair.examples {
                                    @let text = format!("test image {index}, {} taken for {} by {runs} runs", pair.truth, pair.predicted);
                                    img src=(uri) width="42" height="42" alt=(text) title=(text);
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn made(groups: &[RunGroup]) -> Markup {
    let runs: Vec<&RunResult> = groups.iter().flat_map(|group| &group.runs).collect();
    let distinct = |key: &str| {
        let mut all: Vec<String> = runs.iter().filter_map(|run| fact(run, key)).collect();
        all.sort();
        all.dedup();
        all.join(", ")
    };
    let facts = [
        ("device", "device-name"),
        ("GPU driver", "driver"),
        ("CPU threads", "threads"),
        ("engine", "engine"),
        ("processor", "processor"),
        ("instruction set", "instruction-set"),
        ("source revision", "revision"),
        ("sources changed since", "sources-changed"),
        ("fm-exp", "fm-exp"),
        ("libtorch", "libtorch"),
        ("data set", "dataset"),
        ("data, SHA-256", "data-sha256"),
    ];
    html! {
        h3 { "Recipes" }
        dl { @for group in groups { dt { (group.name) } dd { (group.runs.first().map(|run| run.run.spec.recipe()).unwrap_or_default()) } } }
        h3 { "Machine, program and data" }
        dl { @for (name, key) in facts { @let said = distinct(key); @if !said.is_empty() { dt { (name) } dd { (said) } } } }
        details {
            summary { "The exact commands" }
            div.scroll tabindex="0" role="region" aria-label="Commands" {
                pre { @for run in &runs { (fact(run, "command").unwrap_or_default()) "\n" } }
            }
        }
        details {
            summary { "Configurations" }
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

fn p_text(p: f64) -> String {
    if p < 0.001 { "< 0.001".to_owned() } else { format!("{p:.3}") }
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
