//! The pictures of a run: its directory → two tables → four files' bytes.

use std::path::Path;

use fm_run::files;
use fm_run::tables::{self, Confusion, EpochRow, best_epoch};
use fm_run::terminal::counted;

use crate::curves::Score;
use crate::error::Result;
use crate::{confusion_heatmap, curves, rasterize};

/// PNG pixels for each of the SVG's: sharp on a dense display and on a slide.
const PNG_SCALE: f64 = 2.0;

/// Reads `epochs.csv`, `confusion.csv` and, where it is, `summary.json` in `dir` and draws them: `curves.svg`, `curves.png`,
/// `confusion.svg` and `confusion.png`, as names and contents. Writing them is the caller's.
///
/// # Errors
/// When a table is missing or cannot be read.
pub fn draw_run(dir: &Path) -> Result<Vec<(String, Vec<u8>)>> {
    let rows = tables::read::<EpochRow>(&dir.join(files::EPOCHS))?;
    let confusion = Confusion::read(&dir.join(files::CONFUSION))?;
    let name = run_name(&rows, dir);
    // What pretraining minimises shares neither axis with the phases that follow.
    let (pretraining, shown): (Vec<_>, Vec<_>) =
        rows.into_iter().partition(|row| row.phase.starts_with("pretrain"));
    let score = score(dir, &shown)?;
    let pictures = [
        ("curves", curves(&shown, &curves_title(&name, &shown, pretraining.len()), score)),
        ("confusion", confusion_heatmap(&confusion, &name)),
    ];
    let mut files = Vec::new();
    for (name, svg) in pictures {
        let png = rasterize(&svg, PNG_SCALE)?;
        files.extend([(format!("{name}.svg"), svg.into_bytes()), (format!("{name}.png"), png)]);
    }
    Ok(files)
}

/// What the run's summary says of the test set: the best epoch's weights with patience, the last one's without.
fn score(dir: &Path, rows: &[EpochRow]) -> Result<Option<Score>> {
    let path = dir.join(files::SUMMARY);
    let Some(last) = rows.last().filter(|_| path.exists()) else { return Ok(None) };
    let summary = tables::read_json(&path)?;
    let of_phase =
        rows.iter().rposition(|row| row.phase != last.phase).map_or(rows, |before| &rows[before + 1..]);
    let best = best_epoch(of_phase).filter(|_| summary["patience"].is_u64());
    let number = |what: &str| summary["test"][what].as_f64();
    Ok(number("loss").zip(number("accuracy")).map(|(loss, accuracy)| Score {
        epoch: best.unwrap_or(last).epoch,
        loss,
        accuracy,
    }))
}

/// `cnn · seed 0`; the directory's name where there is no row to take it from.
fn run_name(rows: &[EpochRow], dir: &Path) -> String {
    let from_row = rows.last().map(|row| format!("{} · seed {}", row.arch, row.seed));
    from_row.unwrap_or_else(|| dir.file_name().unwrap_or_default().to_string_lossy().into_owned())
}

fn curves_title(name: &str, rows: &[EpochRow], pretraining: usize) -> String {
    let epochs = |n: usize| counted(n as u64, "epoch");
    match (rows.len(), pretraining) {
        (0, _) => name.to_owned(),
        (n, 0) => format!("{name} · {}", epochs(n)),
        (n, before) => format!("{name} · {} after {} of pretraining", epochs(n), epochs(before)),
    }
}
