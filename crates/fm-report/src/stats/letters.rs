//! Which of many groups differ, as letters: groups that share a letter are not shown to differ.
//!
//! The compact letter display by insertion and absorption (Piepho 2004, "An algorithm for a letter-based representation
//! of all-pairwise comparisons", <https://doi.org/10.1198/1061860043515>).

/// For each of `n` groups its letters, by the pairs that differ (two places each). Letters follow the order of the groups:
/// give them in the order of a ranking. Beyond `z` come `aa`, `ab` and so on.
#[must_use]
pub fn letters(n: usize, different: &[(usize, usize)]) -> Vec<String> {
    // A column is a set of groups of which no two differ.
    let mut columns = vec![vec![true; n]];
    for &(a, b) in different {
        let (both, mut kept): (Vec<_>, Vec<_>) =
            columns.into_iter().partition(|column: &Vec<bool>| column[a] && column[b]);
        for column in both {
            for without in [a, b] {
                let mut part = column.clone();
                part[without] = false;
                kept.push(part);
            }
        }
        columns = absorbed(&kept);
    }
    columns.sort_by(|a, b| b.cmp(a));
    let mut said = vec![String::new(); n];
    for (number, column) in columns.iter().enumerate() {
        for (group, _) in column.iter().enumerate().filter(|(_, has)| **has) {
            said[group].push_str(&letter(number));
        }
    }
    said
}

/// The columns that lie in no other, each once.
fn absorbed(columns: &[Vec<bool>]) -> Vec<Vec<bool>> {
    let within = |a: &[bool], b: &[bool]| a.iter().zip(b).all(|(a, b)| !a || *b);
    let stays = |at: usize| {
        let others = columns.iter().enumerate().filter(|(other, _)| *other != at);
        let mut others = others.filter(|(_, column)| within(&columns[at], column));
        // Of equal ones the first stays.
        !others.any(|(other, column)| other < at || *column != columns[at])
    };
    (0..columns.len()).filter(|&at| stays(at)).map(|at| columns[at].clone()).collect()
}

fn letter(number: usize) -> String {
    let one = |at: usize| char::from(b'a' + (at % 26) as u8);
    if number < 26 { one(number).to_string() } else { format!("{}{}", one(number / 26 - 1), one(number)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_share_a_letter_exactly_where_they_do_not_differ() {
        assert_eq!(letters(3, &[]), ["a", "a", "a"]);
        assert_eq!(letters(3, &[(0, 2)]), ["a", "ab", "b"]);
        assert_eq!(letters(3, &[(0, 1), (0, 2), (1, 2)]), ["a", "b", "c"]);
        // Every graph of six groups that a counter draws.
        let pairs: Vec<(usize, usize)> = (0..6).flat_map(|a| (a + 1..6).map(move |b| (a, b))).collect();
        for drawn in (0_u32..1 << 15).step_by(11) {
            let different: Vec<_> =
                pairs.iter().enumerate().filter(|(i, _)| drawn >> i & 1 == 1).map(|(_, p)| *p).collect();
            let said = letters(6, &different);
            for pair in &pairs {
                let shared = said[pair.0].chars().any(|letter| said[pair.1].contains(letter));
                assert_eq!(shared, !different.contains(pair), "{pair:?} of {different:?}: {said:?}");
            }
        }
    }
}
