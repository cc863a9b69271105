//! The files of an atlas, and what is said of it.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use fm_data::Dataset;
use fm_images::Twins;
use fm_report::atlas::{Atlas, Facts, SETS};
use fm_run::store::{self, decimals};
use serde_json::{Value, json};

use super::page;
use super::sheets::Sheets;
use crate::error::Result;

/// An atlas that is to be written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Made<'a> {
    pub(super) atlas: &'a Atlas,
    pub(super) data: &'a Dataset,
    pub(super) twins: &'a [Twins],
    /// How far apart near duplicates are at most.
    pub(super) near: f32,
    /// How many suspects to list.
    pub(super) suspects: usize,
    pub(super) to: &'a Path,
}

impl Made<'_> {
    /// File and row of an image that is numbered over both files.
    fn place(&self, image: usize) -> (usize, usize) {
        let train = self.data.train.len();
        if image < train { (0, image) } else { (1, image - train) }
    }

    fn label(&self, (set, row): (usize, usize)) -> u8 {
        self.atlas.labels[set][row]
    }

    /// Writes all files; what is said of them.
    pub(super) fn write(&self, as_json: bool) -> Result<String> {
        let (atlas, to) = (self.atlas, self.to);
        store::create_dir(to)?;
        let mut suspects = atlas.suspects();
        suspects.truncate(self.suspects);
        let missed: Vec<(usize, usize)> = atlas.missed_by_all().into_iter().map(|row| (1, row)).collect();
        let names = &self.data.class_names;
        let table = |file: &str, (header, rows): (Vec<&'static str>, Vec<Vec<String>>)| {
            store::write_table(&to.join(file), &header, rows)
        };
        table("images.csv", atlas.image_rows())?;
        table("suspects.csv", atlas.suspect_rows(&suspects, names))?;
        table("missed.csv", atlas.suspect_rows(&missed, names))?;
        table("duplicates.csv", self.duplicate_rows())?;
        Sheets { atlas, data: self.data }.draw(to, &suspects, &missed)?;
        let html = page::page(atlas, self.data, &[&suspects[..], &missed].concat())?;
        store::write(&to.join("atlas.html"), html.as_bytes())?;
        let summary = self.summary(missed.len());
        store::write_json(&to.join("summary.json"), &summary)?;
        Ok(if as_json { format!("{summary:#}\n") } else { self.text(&summary) })
    }

    fn duplicate_rows(&self) -> (Vec<&'static str>, Vec<Vec<String>>) {
        let header =
            ["kind", "distance", "set_a", "index_a", "label_a", "set_b", "index_b", "label_b"].to_vec();
        let row = |twins: &Twins| {
            let (a, b) = (self.place(twins.first), self.place(twins.second));
            let kind = if self.same(twins) { "exact" } else { "near" };
            let mut row = vec![kind.to_owned(), decimals(Some(f64::from(twins.distance)), 5)];
            for image in [a, b] {
                row.extend([SETS[image.0].to_owned(), image.1.to_string(), self.label(image).to_string()]);
            }
            row
        };
        (header, self.twins.iter().map(row).collect())
    }

    /// Whether two images are the same byte by byte.
    fn same(&self, twins: &Twins) -> bool {
        let image = |(set, row): (usize, usize)| [&self.data.train, &self.data.test][set].image(row);
        image(self.place(twins.first)) == image(self.place(twins.second))
    }

    /// Pairs of a kind, by the files that they are in, and with labels that differ.
    fn pairs(&self, exact: bool) -> Value {
        let mut counts = [0_usize; 4];
        for twins in self.twins.iter().filter(|twins| self.same(twins) == exact) {
            let (a, b) = (self.place(twins.first), self.place(twins.second));
            counts[a.0 + b.0] += 1;
            counts[3] += usize::from(self.label(a) != self.label(b));
        }
        let [train, across, test, differ] = counts;
        json!({ "within_train": train, "train_and_test": across, "within_test": test, "labels_differ": differ })
    }

    fn summary(&self, missed: usize) -> Value {
        let atlas = self.atlas;
        let spec = &atlas.run.spec;
        let of_set = |set: usize| {
            let seen: Vec<&Facts> = atlas.images[set].iter().filter(|facts| facts.runs > 0).collect();
            let n = seen.len().max(1) as f64;
            let mean = |value: &dyn Fn(&Facts) -> f64| seen.iter().map(|facts| value(facts)).sum::<f64>() / n;
            json!({
                "images": atlas.images[set].len(),
                "held_out_by_some_run": seen.len(),
                "runs_min": atlas.images[set].iter().map(|facts| facts.runs).min(),
                "runs_mean": mean(&|facts| f64::from(facts.runs)),
                "correct": mean(&|facts| facts.correct),
                "p_true": mean(&|facts| facts.p_true),
                "correct_in_every_run": seen.iter().filter(|facts| facts.confusions.is_empty()).count(),
                "correct_in_no_run": seen.iter().filter(|facts| facts.correct == 0.0).count(),
                "of_one_mind_against_the_label": seen.iter().filter(|f| of_one_mind(f)).count(),
                "kappa": atlas.kappa[set],
            })
        };
        let twice: BTreeSet<usize> =
            self.twins.iter().flat_map(|twins| [twins.first, twins.second]).collect();
        json!({
            "data": self.data.name.to_string(),
            "data_sha256": self.data.sha256,
            "arch": spec.arch.to_string(),
            "recipe": spec.recipe(),
            "holdout_share": spec.holdout_share,
            "runs": atlas.seeds.len(),
            "seeds": [atlas.seeds.first(), atlas.seeds.last()],
            "epochs": atlas.epochs,
            "train": of_set(0),
            "test": of_set(1),
            "missed_by_all": missed,
            "halves_spearman": { "difficulty": atlas.halves[0], "correct": atlas.halves[1] },
            "duplicates": { "near_distance": (1e6 * f64::from(self.near)).round() / 1e6, "exact": self.pairs(true), "near": self.pairs(false),
                "images": twice.len() },
        })
    }

    fn text(&self, summary: &Value) -> String {
        let percent = |value: &Value| format!("{:.2} %", 100.0 * value.as_f64().unwrap_or_default());
        let number = |value: &Value| value.as_f64().map_or("none".to_owned(), |value| format!("{value:.4}"));
        let mut text = format!(
            "{} runs of {}, {} epochs, on {}\n",
            summary["runs"], self.atlas.run.spec.arch, self.atlas.epochs, self.data.name
        );
        for set in SETS {
            let of = &summary[set];
            let _ = writeln!(
                text,
                "  {set:<15} {} images, {:.1} runs each (at least {}): {} correct, kappa {}; {} never wrong, {} never right",
                of["images"],
                of["runs_mean"].as_f64().unwrap_or_default(),
                of["runs_min"],
                percent(&of["correct"]),
                number(&of["kappa"]),
                of["correct_in_every_run"],
                of["correct_in_no_run"]
            );
        }
        let halves = &summary["halves_spearman"];
        let _ = writeln!(
            text,
            "  two halves      of the runs rank difficulty alike: Spearman {} ({} by the share correct)",
            number(&halves["difficulty"]),
            number(&halves["correct"])
        );
        for kind in ["exact", "near"] {
            let pairs = &summary["duplicates"][kind];
            let _ = writeln!(
                text,
                "  {kind:<15} duplicates: {} pairs within train, {} of train and test, {} within test; {} with labels that differ",
                pairs["within_train"], pairs["train_and_test"], pairs["within_test"], pairs["labels_differ"]
            );
        }
        let _ = writeln!(text, "  atlas           {}", self.to.join("atlas.html").display());
        text
    }
}

/// Whether every run names the same class, and not the label's.
fn of_one_mind(facts: &Facts) -> bool {
    facts.correct == 0.0 && facts.confusions.len() == 1
}
