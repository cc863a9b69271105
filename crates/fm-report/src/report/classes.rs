//! The report's table of classes: recall, precision and F1, and the pairs of classes that are confused most.

use fm_run::tables::ClassScores;
use maud::{Markup, html};

use super::confusions::Confused;
use super::numbers::{difference_cells, heading};
use super::shown::Shown;
use crate::groups::RunGroup;
use crate::stats::summarize;

/// Takes a score of a class.
type Score = fn(&ClassScores) -> Option<f64>;

/// Scores by their names.
const SCORES: [(&str, Score); 3] =
    [("recall", |s| s.recall), ("precision", |s| s.precision), ("F1", |s| s.f1)];

/// Recall, precision and F1 of each class: side by side for few groups, a table each for many.
pub(super) fn scores(shown: &Shown<'_>) -> Markup {
    let Some(first) = shown.groups.first().and_then(|group| group.runs.first()) else { return html! {} };
    let classes = first.confusion.classes();
    let means: Vec<Vec<[Option<f64>; 3]>> =
        shown.groups.iter().map(|group| means(group, classes.len())).collect();
    if shown.many {
        return html! {
            (by_group(shown, classes, &means, 0))
            @for score in 1..SCORES.len() {
                details { summary { "By class: " (SCORES[score].0) } (by_group(shown, classes, &means, score)) }
            }
        };
    }
    let pair = shown.compared.pairs.first().filter(|_| shown.groups.len() == 2);
    html! {
        div.scroll tabindex="0" role="region" aria-label="Scores by class" {
            table.sortable.full {
                caption {
                    "Scores by class in per cent, means over seeds"
                    @if pair.is_some() { "; the difference of recall counts seeds and test images, for all classes together" }
                }
                thead { tr {
                    (heading("class"))
                    @for (score, _) in SCORES { @for i in 0..means.len() { (heading(&format!("{score}, {}", shown.short(i)))) } }
                    @if pair.is_some() { (heading("difference of recall")) (heading("95 % interval")) (heading("p")) }
                } }
                tbody {
                    @for (class, name) in classes.iter().enumerate() {
                        tr {
                            th scope="row" { (name) }
                            @for score in 0..SCORES.len() { @for group in &means { (percent(group[class][score], None)) } }
                            @if let Some(pair) = pair { (difference_cells(pair, &format!("recall {name}"))) }
                        }
                    }
                }
            }
        }
    }
}

fn by_group(shown: &Shown<'_>, classes: &[String], means: &[Vec<[Option<f64>; 3]>], score: usize) -> Markup {
    let name = SCORES[score].0;
    html! {
        div.scroll tabindex="0" role="region" aria-label=(format!("{name} by class and group")) {
            table.sortable.shaded {
                caption { (name) " in per cent by class and group, means over seeds; the darker, the lower" }
                thead { tr { (heading("class")) @for i in 0..means.len() { (heading(&shown.short(i))) } } }
                tbody {
                    @for (class, name) in classes.iter().enumerate() {
                        tr {
                            th scope="row" { (name) }
                            @for group in means { (percent(group[class][score], Some(()))) }
                        }
                    }
                }
            }
        }
    }
}

/// A share as a cell, shaded by how far it is from 1.
fn percent(share: Option<f64>, shaded: Option<()>) -> Markup {
    let Some(share) = share else { return html! { td { "–" } } };
    let shade = shaded.map(|()| format!("--lack:{:.0}%", (160.0 * (1.0 - share)).min(70.0)));
    html! { td data-value=(100.0 * share) style=[shade] { (format!("{:.1}", 100.0 * share)) } }
}

/// Means over a group's runs, by class and score.
fn means(group: &RunGroup, classes: usize) -> Vec<[Option<f64>; 3]> {
    let runs: Vec<Vec<ClassScores>> = group.runs.iter().map(|run| run.confusion.per_class()).collect();
    let mean = |class: usize, get: Score| {
        let values: Vec<f64> = runs.iter().filter_map(|scores| get(&scores[class])).collect();
        summarize(&values).map(|s| s.mean)
    };
    (0..classes).map(|class| SCORES.map(|(_, get)| mean(class, get))).collect()
}

/// The pairs of classes that are taken for each other most, with examples.
pub(super) fn confusions(shown: &Shown<'_>, confused: &[Confused]) -> Markup {
    html! {
        h3 { "Confused most" }
        div.scroll tabindex="0" role="region" aria-label="Classes confused most" {
            table.sortable {
                caption { "Images per 1,000 of the true class, mean over seeds, and the test images most often confused this way" }
                thead { tr {
                    (heading("true")) (heading("predicted"))
                    @for i in 0..shown.groups.len() { (heading(&shown.short(i))) }
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
