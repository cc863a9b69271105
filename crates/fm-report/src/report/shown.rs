//! What a report shows: the groups in their order on the page, and each pair of them as it is said.

use crate::chart::{Estimate, NAMED};
use crate::compared::{Compared, Pair, Summarized};
use crate::groups::RunGroup;
use crate::stats::Interval;

/// Groups on the page. Few stand in the order that was given, under their names; many are ranked and numbered.
pub(super) struct Shown<'a> {
    pub(super) compared: &'a Compared,
    pub(super) groups: Vec<&'a RunGroup>,
    /// In the same order.
    pub(super) numbers: Vec<&'a Summarized>,
    /// Whether they are ranked and numbered.
    pub(super) many: bool,
}

/// A pair, the difference of the second on the page from the first.
pub(super) struct Seen<'a> {
    pub(super) pair: &'a Pair,
    /// In percentage points.
    pub(super) difference: Estimate,
}

impl<'a> Shown<'a> {
    pub(super) fn new(groups: &'a [RunGroup], compared: &'a Compared) -> Self {
        let many = groups.len() > NAMED;
        let order = if many { compared.by_accuracy() } else { (0..groups.len()).collect() };
        Self {
            compared,
            groups: order.iter().map(|&i| &groups[i]).collect(),
            numbers: order.iter().map(|&i| &compared.groups[i]).collect(),
            many,
        }
    }

    /// A group's name, with its number where they have numbers.
    pub(super) fn name(&self, index: usize) -> String {
        let name = &self.groups[index].name;
        if self.many { format!("{} {name}", index + 1) } else { name.clone() }
    }

    /// The shortest that tells it from the others: a number, or its name.
    pub(super) fn short(&self, index: usize) -> String {
        if self.many { (index + 1).to_string() } else { self.groups[index].name.clone() }
    }

    /// A group's name as a piece of a file's name, which may not be long: its number where they have numbers.
    pub(super) fn file(&self, index: usize) -> String {
        const LONGEST: usize = 90;
        let slug = slug(&self.groups[index].name);
        match slug.char_indices().nth(LONGEST) {
            _ if self.many => (index + 1).to_string(),
            Some((end, _)) => format!("{}-{}", &slug[..end], index + 1),
            None => slug,
        }
    }

    /// The second minus the first, if the two were compared.
    pub(super) fn pair(&self, first: usize, second: usize) -> Option<Seen<'a>> {
        let [a, b] = [first, second].map(|i| &self.groups[i].name);
        let is = |pair: &&Pair, a: &String, b: &String| pair.comparison.names == [a.clone(), b.clone()];
        let all = || self.compared.pairs.iter();
        if let Some(pair) = all().find(|pair| is(pair, a, b)) {
            return Some(seen(pair, 1.0));
        }
        all().find(|pair| is(pair, b, a)).map(|pair| seen(pair, -1.0))
    }

    /// The group that the others are shown against: the one that all were compared with, or the best.
    pub(super) fn reference(&self) -> usize {
        let against = |i: &usize| (0..self.groups.len()).all(|j| j == *i || self.pair(*i, j).is_some());
        if self.compared.all_pairs() { 0 } else { (0..self.groups.len()).find(against).unwrap_or(0) }
    }
}

fn slug(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    let pieces = name.chars().map(plain).collect::<String>();
    pieces.split('-').filter(|piece| !piece.is_empty()).collect::<Vec<_>>().join("-")
}

fn seen(pair: &Pair, sign: f64) -> Seen<'_> {
    let Interval { low, high } = pair.verdict.interval;
    let [low, high] = if sign > 0.0 { [low, high] } else { [-high, -low] };
    let mean = sign * pair.comparison.difference();
    Seen { pair, difference: Estimate { mean: 100.0 * mean, low: 100.0 * low, high: 100.0 * high } }
}
