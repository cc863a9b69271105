//! What an autoencoder makes of images, as a picture.

use std::path::PathBuf;

use fm_report::Tile;

use fm_run::store;
use fm_train::Sink;
use fm_train::event::{Event, Reconstructed};

use crate::error::{Error, Kind, Result};

/// Draws `reconstructions` as SVG and PNG when a phase that reconstructs has ended: originals above what
/// came back.
#[derive(Debug)]
pub struct Reconstructions {
    /// The run directory.
    pub dir: PathBuf,
}

impl Sink for Reconstructions {
    fn name(&self) -> &'static str {
        "reconstructions"
    }

    fn on_event(&mut self, event: &Event<'_>) -> Result<()> {
        let Event::Reconstructed(shown) = event else { return Ok(()) };
        let draw = || {
            let title = format!("{}: originals above, reconstructions below", shown.phase);
            let (height, width) = shown.size;
            let note = format!(
                "as the network sees them, {height}x{width}; error: mean square over pixels from 0 to 1"
            );
            let svg = fm_report::contact_sheet(&tiles(shown), shown.rows.len(), &title, &note)?;
            let png = fm_report::rasterize(&svg, 2.0)?;
            Ok((svg, png))
        };
        let (svg, png) = draw().map_err(|e: fm_report::Error| Error::new(Kind::Io, e.to_string()))?;
        store::write(&self.dir.join("reconstructions.svg"), svg.as_bytes())?;
        store::write(&self.dir.join("reconstructions.png"), &png)
    }
}

fn tiles(shown: &Reconstructed<'_>) -> Vec<Tile> {
    // Of all planes; the sheet draws one as grey and three as colours.
    let len = shown.originals.len() / shown.rows.len().max(1);
    let bytes = |pixels: &[f32]| pixels.iter().map(|p| (255.0 * p.clamp(0.0, 1.0)).round() as u8).collect();
    let tile =
        |pixels: &[f32], caption| Tile { pixels: bytes(pixels), size: shown.size, captions: vec![caption] };
    let originals = shown.originals.chunks_exact(len.max(1));
    let returned = shown.reconstructions.chunks_exact(len.max(1));
    let above = originals.clone().zip(shown.rows).map(|(pixels, row)| tile(pixels, format!("row {row}")));
    let below = originals.zip(returned).map(|(original, pixels)| {
        let squares = original.iter().zip(pixels).map(|(a, b)| f64::from(a - b).powi(2));
        let error = squares.sum::<f64>() / pixels.len() as f64;
        tile(pixels, format!("error {error:.4}"))
    });
    above.chain(below).collect()
}
