//! Many groups: their ranking by accuracy, and the matrix of all pairs.

use maud::{Markup, html};

use super::numbers::{cell, heading};
use super::shown::Shown;
use crate::chart::group_color;
use crate::stats::Answer;

/// How many pairs were decided how, and which group is best.
pub(super) fn summary(shown: &Shown<'_>) -> Markup {
    let pairs = &shown.compared.pairs;
    let count = |name: &str| pairs.iter().filter(|pair| pair.verdict.answer.name() == name).count();
    let margin = pairs.first().map_or(0.0, |pair| 100.0 * pair.verdict.family.margin);
    let best = shown.numbers.first().map_or("", |group| group.name.as_str());
    html! {
        p.verdict { "Highest mean accuracy: " (best) "." }
        p {
            "Of " (pairs.len()) " comparisons, " (count("better")) " find one better, " (count("equivalent"))
            " find both equivalent within " (margin) " points, and " (count("undecided")) " are undecided."
        }
    }
}

/// Rank, name, accuracy, and which others a group beats and which it may equal.
pub(super) fn ranking(shown: &Shown<'_>) -> Markup {
    let n = shown.groups.len();
    let numbers = |list: Vec<usize>| {
        let text = ranges(&list.iter().map(|i| *i as u64 + 1).collect::<Vec<_>>());
        if text.is_empty() { "–".to_owned() } else { text }
    };
    // Of the others, those for which `is` holds of how this one compares with it.
    let others = |i: usize, is: &dyn Fn(f64, Answer) -> bool| {
        let found = (0..n).filter(|&j| {
            j != i && shown.pair(j, i).is_some_and(|seen| is(seen.difference.mean, seen.pair.verdict.answer))
        });
        numbers(found.collect())
    };
    let letters = shown.compared.ranking();
    let lettered = |name: &str| {
        let of = letters.iter().flatten().find(|(group, _)| shown.compared.groups[*group].name == name);
        of.map(|(_, letters)| letters.clone())
    };
    html! {
        h3 { "Ranking" }
        div.scroll tabindex="0" role="region" aria-label="Ranking" {
            table.sortable.full {
                caption { "By mean test accuracy: ± standard deviation over seeds, and the 95 % interval of the mean. Groups that share a letter are not shown to differ." }
                thead { tr {
                    (heading("rank")) (heading("group")) (heading("seeds")) (heading("test accuracy")) @if letters.is_some() { th scope="col" { "letters" } }
                    th scope="col" { "better than" } th scope="col" { "equivalent to" } th scope="col" { "undecided with" }
                } }
                tbody {
                    @for (i, group) in shown.numbers.iter().enumerate() {
                        tr {
                            td data-value=(i + 1) { span.key style=(format!("background:{}", group_color(i))) {} (i + 1) }
                            th.name scope="row" { (group.name) }
                            td data-value=(group.seeds.len()) { (group.seeds.len()) }
                            @match group.measures.iter().find(|(name, _)| name == "accuracy") {
                                Some((name, s)) => { (cell(name, s)) }
                                None => { td {} }
                            }
                            @if letters.is_some() { td { (lettered(&group.name).unwrap_or_default()) } }
                            td { (others(i, &|d, mark| mark == Answer::Better && d > 0.0)) }
                            td { (others(i, &|_, mark| mark == Answer::Equivalent)) }
                            td { (others(i, &|_, mark| mark == Answer::Undecided)) }
                        }
                    }
                }
            }
        }
    }
}

/// Every group against every other; nothing where only one reference was compared.
pub(super) fn matrix(shown: &Shown<'_>) -> Markup {
    if !shown.compared.all_pairs() {
        return html! {};
    }
    let n = shown.groups.len();
    html! {
        h3 { "Pairs" }
        div.scroll tabindex="0" role="region" aria-label="Matrix of pairs" {
            table.pairs {
                caption {
                    "Test accuracy of the row minus that of the column, in percentage points. "
                    span.better { "▲ better" } " " span.worse { "▼ worse" } " " span.equal { "= equivalent" } " · undecided"
                }
                thead { tr {
                    th scope="col" { "row minus" }
                    @for i in 0..n { th scope="col" title=(shown.groups[i].name) { (i + 1) } }
                } }
                tbody {
                    @for row in 0..n {
                        tr {
                            th scope="row" title=(shown.groups[row].name) { (shown.name(row)) }
                            @for column in 0..n {
                                @if let Some(seen) = (row != column).then(|| shown.pair(column, row)).flatten() {
                                    @let (class, sign) = look(seen.pair.verdict.answer, seen.difference.mean);
                                    td class=(class) title=(seen.pair.verdict.sentence) {
                                        (signed(seen.difference.mean)) " " (sign)
                                    }
                                } @else { td {} }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// To a tenth; without a sign where that is 0.
fn signed(points: f64) -> String {
    let text = format!("{points:+.1}");
    if text.ends_with("0.0") && text.len() == 4 { "0.0".to_owned() } else { text }
}

fn look(mark: Answer, difference: f64) -> (&'static str, &'static str) {
    match mark {
        Answer::Better if difference > 0.0 => ("better", "▲"),
        Answer::Better => ("worse", "▼"),
        Answer::Equivalent => ("equal", "="),
        Answer::Undecided => ("undecided", "·"),
    }
}

/// Rising numbers with their runs as ranges: `0–4, 7`.
pub(super) fn ranges(numbers: &[u64]) -> String {
    let mut parts: Vec<(u64, u64)> = Vec::new();
    for &n in numbers {
        match parts.last_mut() {
            Some((_, last)) if *last + 1 == n => *last = n,
            _ => parts.push((n, n)),
        }
    }
    let text = |&(from, to): &(u64, u64)| match to - from {
        0 => from.to_string(),
        1 => format!("{from}, {to}"),
        _ => format!("{from}–{to}"),
    };
    parts.iter().map(text).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::{ranges, signed};

    #[test]
    fn nothing_has_no_sign() {
        assert_eq!(
            [signed(-0.04), signed(0.04), signed(10.0), signed(-0.06)],
            ["0.0", "0.0", "+10.0", "-0.1"]
        );
    }

    #[test]
    fn runs_of_numbers_are_ranges() {
        assert_eq!(ranges(&[0, 1, 2, 5, 7, 8]), "0–2, 5, 7, 8");
        assert_eq!(ranges(&[]), "");
    }
}
