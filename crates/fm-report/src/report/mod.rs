//! `report`: groups of runs as one HTML file that needs nothing else, verdict first, and its pictures.

mod classes;
mod confusions;
mod numbers;
mod page;
mod plots;
mod ranking;
mod shown;

use crate::compared::Compared;
use crate::error::Result;
use crate::groups::RunGroup;
use shown::Shown;

/// Grey test images `[height, width]` by their index, where the data set is at hand.
pub type Images<'a> = &'a dyn Fn(usize) -> Option<(Vec<u8>, (usize, usize))>;

/// A report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The page: one file, no script or style from elsewhere.
    pub html: String,
    /// The page's plots: file name and SVG.
    pub pictures: Vec<(String, String)>,
}

/// A plot of the page.
struct Figure {
    /// File name without its end.
    name: String,
    /// What it shows, for those who read or hear it.
    caption: String,
    svg: String,
    /// Whether it needs more room than a phone has, and so scrolls.
    wide: bool,
}

/// Makes the report of groups that were compared.
///
/// # Errors
/// When a run's table cannot be read.
pub fn report(groups: &[RunGroup], compared: &Compared, images: Option<Images<'_>>) -> Result<Report> {
    let shown = Shown::new(groups, compared);
    let mut figures = plots::figures(&shown)?;
    figures.extend(confusions::figures(&shown));
    let confused = confusions::confused(&shown, images)?;
    let html = page::page(&shown, &figures, &confused);
    let pictures = figures.into_iter().map(|figure| (format!("{}.svg", figure.name), figure.svg)).collect();
    Ok(Report { html, pictures })
}
