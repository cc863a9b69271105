//! What was imported, as text and as `import.json`.

use std::fmt::Write as _;

use fm_data::ImageShape;
use serde_json::{Value, json};

/// The name of the file.
pub(crate) const FILE: &str = "import.json";

/// What was imported from where.
#[derive(Debug)]
pub(crate) struct Summary {
    pub(crate) source: String,
    pub(crate) kind: String,
    pub(crate) out: String,
    pub(crate) shape: ImageShape,
    /// Class names with the images to train and to test on.
    pub(crate) classes: Vec<(String, [usize; 2])>,
    /// Seed and share of a split that was drawn.
    pub(crate) drawn: Option<(u64, f64)>,
    /// Pictures with a light border, which were inverted, and the others.
    pub(crate) borders: (usize, usize),
    pub(crate) skipped: Vec<String>,
    pub(crate) warnings: Vec<String>,
}

impl Summary {
    fn total(&self) -> [usize; 2] {
        self.classes.iter().fold([0; 2], |[a, b], (_, [train, test])| [a + train, b + test])
    }

    pub(crate) fn to_json(&self) -> Value {
        let [train, test] = self.total();
        let classes: Vec<Value> = (self.classes.iter())
            .map(|(name, [train, test])| json!({ "name": name, "train": train, "test": test }))
            .collect();
        let split = self.drawn.map(|(seed, share)| json!({ "seed": seed, "test_share": share }));
        let ImageShape { channels, height, width } = self.shape;
        json!({
            "source": self.source, "kind": self.kind, "channels": channels, "height": height, "width": width,
            "train": train, "test": test, "classes": classes, "split": split,
            "inverted": self.borders.0, "skipped": self.skipped, "warnings": self.warnings,
        })
    }

    pub(crate) fn text(&self) -> String {
        let [train, test] = self.total();
        let colours = if self.shape.channels == 1 { "grey" } else { "colour" };
        let mut out = format!(
            "{}: {} images of {}x{}, {colours}, {} classes, from {} ({})\n",
            self.out,
            train + test,
            self.shape.height,
            self.shape.width,
            self.classes.len(),
            self.source,
            self.kind
        );
        let widest = self.classes.iter().map(|(name, _)| name.chars().count()).max().unwrap_or(0).max(5);
        let _ = writeln!(out, "  {:<widest$}  {:>7}  {:>7}", "class", "train", "test");
        for (name, [train, test]) in &self.classes {
            let _ = writeln!(out, "  {name:<widest$}  {train:>7}  {test:>7}");
        }
        let _ = writeln!(out, "  {:<widest$}  {train:>7}  {test:>7}", "total");
        if let Some((seed, share)) = self.drawn {
            let _ = writeln!(out, "  {:.0} % of every class drawn to test on, seed {seed}", 100.0 * share);
        }
        let (light, dark) = self.borders;
        if light > 0 {
            let _ =
                writeln!(out, "  {light} of {} pictures have a light border and were inverted", light + dark);
        }
        if !self.skipped.is_empty() {
            let _ = writeln!(out, "  {} unreadable files left out, named in {FILE}", self.skipped.len());
        }
        let _ = writeln!(
            out,
            "  look at {}/contact.png, then: fm-exp --dataset {}{}",
            self.out,
            self.out,
            self.arch()
        );
        out
    }

    /// The flag that the data set needs.
    fn arch(&self) -> String {
        if self.shape == (ImageShape { channels: 1, height: 28, width: 28 }) {
            return String::new();
        }
        format!(" --arch cnn@{}", self.shape)
    }
}
