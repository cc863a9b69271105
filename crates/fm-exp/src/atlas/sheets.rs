//! Contact sheets of an atlas.

use fm_data::{Dataset, Labelled};
use fm_report::Tile;
use fm_report::atlas::{Atlas, SETS};

use crate::commands::eval::picture;
use crate::error::Result;
use std::path::Path;

/// Images in a row.
const COLUMNS: usize = 10;
/// Hardest images of each class.
const EACH: usize = 10;
/// The most images on a sheet, so that its file stays below a megabyte or two.
const MOST: usize = 200;

/// What sheets are drawn of.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sheets<'a> {
    pub(super) atlas: &'a Atlas,
    pub(super) data: &'a Dataset,
}

impl Sheets<'_> {
    pub(super) fn file(&self, set: usize) -> &Labelled {
        [&self.data.train, &self.data.test][set]
    }

    /// An image with what the runs say of it.
    fn tile(&self, (set, row): (usize, usize)) -> Tile {
        let (file, facts) = (self.file(set), &self.atlas.images[set][row]);
        let name = |class: u8| &self.data.class_names[usize::from(class)];
        let said = match facts.confusions.first() {
            Some((class, share)) => format!("{:.0} % say {}", 100.0 * share, name(*class)),
            None => "all agree".to_owned(),
        };
        Tile {
            pixels: file.image(row).to_vec(),
            size: (file.height, file.width),
            captions: vec![
                name(file.labels[row]).clone(),
                said,
                format!("p {:.3}, {} runs", facts.p_true, facts.runs),
                format!("{} {row}", SETS[set]),
            ],
        }
    }

    fn sheet(&self, to: &Path, file: &str, title: &str, note: &str, images: &[(usize, usize)]) -> Result<()> {
        let tiles: Vec<Tile> = images.iter().take(MOST).map(|&image| self.tile(image)).collect();
        let title = format!("{}: {title}", self.data.name);
        picture(to, file, || fm_report::contact_sheet(&tiles, COLUMNS, &title, note))
    }

    /// Draws `hardest`, `suspects` and `missed`, each as SVG and PNG.
    pub(super) fn draw(
        &self,
        to: &Path,
        suspects: &[(usize, usize)],
        missed: &[(usize, usize)],
    ) -> Result<()> {
        let hardest = self.atlas.hardest();
        let of_class = |class: usize| {
            let own = move |&&(set, row): &&(usize, usize)| usize::from(self.file(set).labels[row]) == class;
            hardest.iter().filter(own).take(EACH).copied()
        };
        let by_class: Vec<(usize, usize)> = (0..self.data.classes).flat_map(of_class).collect();
        let note = "label; what most runs say instead; mean probability of the label; where the image is";
        self.sheet(to, "hardest", &format!("the {EACH} hardest images of each class"), note, &by_class)?;
        let shown = format!("{} of {} suspects", suspects.len().min(MOST), suspects.len());
        self.sheet(to, "suspects", &format!("{shown}, the most suspicious first"), note, suspects)?;
        let shown = format!("{} of {} test images", missed.len().min(MOST), missed.len());
        self.sheet(to, "missed", &format!("{shown} that every run misses"), note, missed)
    }
}
