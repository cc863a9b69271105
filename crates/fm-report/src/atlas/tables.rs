//! The atlas as rows of tables.

use fm_run::store::decimals;

use super::{Atlas, Facts, SETS};

/// A header and rows.
pub(super) type Rows = (Vec<&'static str>, Vec<Vec<String>>);

impl Atlas {
    /// `images.csv`: a row for each image, training images first. With few decimals, so that 70,000 stay below 5 MB.
    #[must_use]
    pub fn image_rows(&self) -> Rows {
        let header = vec![
            "set",
            "index",
            "label",
            "runs",
            "correct",
            "p_true",
            "confusion",
            "confusion_share",
            "confusion_2",
            "confusion_2_share",
            "learned",
            "forgotten",
            "agreement",
            "suspicion",
        ];
        let row = |set: usize, index: usize| {
            let (facts, label) = (&self.images[set][index], self.labels[set][index]);
            let mut row =
                vec![SETS[set].to_owned(), index.to_string(), label.to_string(), facts.runs.to_string()];
            if facts.runs == 0 {
                row.resize(header.len(), String::new());
                return row;
            }
            row.extend([facts.correct, facts.p_true].map(|value| decimals(Some(value), 4)));
            for at in 0..2 {
                let confusion = facts.confusions.get(at);
                row.push(confusion.map_or(String::new(), |(class, _)| class.to_string()));
                row.push(confusion.map_or(String::new(), |(_, share)| decimals(Some(*share), 2)));
            }
            row.push(facts.learned.map_or(String::new(), |epoch| epoch.to_string()));
            row.push(decimals(Some(facts.forgotten), 2));
            row.push(decimals(facts.agreement, 2));
            row.push(decimals(facts.suspicion(), 4));
            row
        };
        let rows = (0..2).flat_map(|set| (0..self.images[set].len()).map(move |index| (set, index)));
        let rows = rows.map(|(set, index)| row(set, index)).collect();
        (header, rows)
    }

    /// `suspects.csv` and `missed.csv`: a row for each of some images, in their order.
    #[must_use]
    pub fn suspect_rows(&self, images: &[(usize, usize)], names: &[String]) -> Rows {
        let header = vec![
            "rank",
            "set",
            "index",
            "label",
            "label_name",
            "suggested",
            "suggested_name",
            "runs",
            "named",
            "p_suggested",
            "p_true",
            "suspicion",
        ];
        let name = |class: u8| names.get(usize::from(class)).cloned().unwrap_or_default();
        let row = |(rank, &(set, index)): (usize, &(usize, usize))| {
            let (facts, label): (&Facts, u8) = (&self.images[set][index], self.labels[set][index]);
            let suggested = facts.suggested;
            let text = |of: &dyn Fn(super::Suggested) -> String| suggested.map_or(String::new(), of);
            vec![
                (rank + 1).to_string(),
                SETS[set].to_owned(),
                index.to_string(),
                label.to_string(),
                name(label),
                text(&|s| s.class.to_string()),
                text(&|s| name(s.class)),
                facts.runs.to_string(),
                text(&|s| decimals(Some(s.share), 4)),
                text(&|s| decimals(Some(s.p), 4)),
                decimals(Some(facts.p_true), 4),
                decimals(facts.suspicion(), 4),
            ]
        };
        (header, images.iter().enumerate().map(row).collect())
    }
}
