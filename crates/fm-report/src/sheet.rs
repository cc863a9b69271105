//! A contact sheet: small images in rows, each with what there is to say of it below.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use resvg::tiny_skia::{ColorU8, Pixmap};

use crate::color::{AXIS, INK, MUTED};
use crate::error::{Error, Result};
use crate::font;
use crate::svg::{Stroke, Svg, Text};

const MARGIN: f64 = 24.0;
/// Of an image's longer side on the sheet.
const SIDE: f64 = 112.0;
/// Between images.
const GAP: f64 = 14.0;
const SMALL: f64 = 12.0;
const LINE: f64 = 15.0;

/// An image and its captions.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tile {
    /// Grey values row by row, `[height, width]`, or planes of red, green and blue, `[3, height, width]`; 0 is
    /// black.
    pub pixels: Vec<u8>,
    /// Height and width in pixels.
    pub size: (usize, usize),
    /// Lines below it, the first in ink, the others muted; long ones are cut.
    pub captions: Vec<String>,
}

/// Draws the tiles as SVG, `columns` in a row, with their pixels as they are (not smoothed).
///
/// # Errors
/// When a tile has no pixels, or neither as many as its size says nor three times as many.
pub fn contact_sheet(tiles: &[Tile], columns: usize, title: &str, note: &str) -> Result<String> {
    let columns = columns.clamp(1, tiles.len().max(1));
    let lines = tiles.iter().map(|tile| tile.captions.len()).max().unwrap_or(0) as f64;
    let (step, height) = (SIDE + GAP, SIDE + lines * LINE + GAP + 6.0);
    let heading = font::width(title, 18.0, true).max(font::width(note, SMALL + 1.0, false)) * 1.1;
    let width = (2.0 * MARGIN + columns as f64 * step - GAP).max(2.0 * MARGIN + heading.min(900.0));
    let rows = tiles.len().div_ceil(columns) as f64;
    let top = if note.is_empty() { 54.0 } else { 76.0 };
    let mut svg = Svg::new(width, top + rows * height + 10.0, title);
    let fitted = font::fit(title, 18.0, 0.9 * (width - 2.0 * MARGIN));
    svg.text(&Text::new((MARGIN, 34.0), &fitted, 18.0).bold(true));
    svg.text(&Text::new((MARGIN, 56.0), note, SMALL + 1.0).color(MUTED));
    for (index, tile) in tiles.iter().enumerate() {
        let left = MARGIN + (index % columns) as f64 * step;
        let top = top + (index / columns) as f64 * height;
        let (rows, columns) = tile.size;
        let scale = SIDE / rows.max(columns).max(1) as f64;
        let size = (columns as f64 * scale, rows as f64 * scale);
        svg.image((left, top), size, &data_uri(&tile.pixels, tile.size)?, &tile.captions.join(", "));
        svg.frame((left, top), size, Stroke::solid(AXIS, 1.0));
        for (line, caption) in tile.captions.iter().enumerate() {
            let at = (left, top + SIDE + 4.0 + (line as f64 + 0.8) * LINE);
            let color = if line == 0 { INK } else { MUTED };
            svg.text(&Text::new(at, &font::fit(caption, SMALL, SIDE + GAP - 6.0), SMALL).color(color));
        }
    }
    Ok(svg.finish())
}

/// Grey values `[height, width]`, or planes of red, green and blue `[3, height, width]`, as a PNG that stands
/// in the text of an SVG or HTML file.
///
/// # Errors
/// When there are no pixels, or neither as many as the size says nor three times as many.
pub fn data_uri(pixels: &[u8], (height, width): (usize, usize)) -> Result<String> {
    let wrong = || Error::Picture(format!("{} pixels for an image of {height}x{width}", pixels.len()));
    let plane = height * width;
    let [red, green, blue] = match pixels.len() {
        len if len == plane => [pixels; 3],
        len if len == 3 * plane => [&pixels[..plane], &pixels[plane..2 * plane], &pixels[2 * plane..]],
        _ => return Err(wrong()),
    };
    let mut pixmap = Pixmap::new(width as u32, height as u32).ok_or_else(wrong)?;
    for (i, pixel) in pixmap.pixels_mut().iter_mut().enumerate() {
        *pixel = ColorU8::from_rgba(red[i], green[i], blue[i], 255).premultiply();
    }
    let png = pixmap.encode_png().map_err(|error| Error::Picture(error.to_string()))?;
    Ok(format!("data:image/png;base64,{}", STANDARD.encode(png)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rasterize;

    #[test]
    fn pixels_arrive_unsmoothed_and_in_their_place() {
        let tile = |pixels: [u8; 4]| Tile {
            pixels: pixels.to_vec(),
            size: (2, 2),
            captions: vec!["a < b".to_owned()],
        };
        let sheet = contact_sheet(&[tile([0, 255, 255, 0]), tile([255, 0, 0, 255])], 2, "t", "").unwrap();
        assert_eq!(
            roxmltree::Document::parse(&sheet)
                .unwrap()
                .descendants()
                .filter(|n| n.has_tag_name("image"))
                .count(),
            2
        );
        let picture = Pixmap::decode_png(&rasterize(&sheet, 1.0).unwrap()).unwrap();
        let at = |x: f64, y: f64| picture.pixel(x as u32, y as u32).unwrap().red();
        let quarter = SIDE / 4.0;
        for (tile, corners) in [(0, [0, 255, 255, 0]), (1, [255, 0, 0, 255])] {
            let left = MARGIN + f64::from(tile) * (SIDE + GAP);
            // Close to the edge between two pixels, where smoothing would show.
            let near = |side: f64| if side < 2.0 { 2.0 * quarter - 3.0 } else { 2.0 * quarter + 3.0 };
            let found = [(1.0, 1.0), (3.0, 1.0), (1.0, 3.0), (3.0, 3.0)]
                .map(|(x, y)| at(left + near(x), 54.0 + near(y)));
            assert_eq!(found, corners, "tile {tile}");
        }
    }

    #[test]
    fn three_planes_are_colours() {
        // Two pixels: orange and blue.
        let uri = data_uri(&[255, 0, 128, 0, 0, 255], (1, 2)).unwrap();
        let png = STANDARD.decode(uri.strip_prefix("data:image/png;base64,").unwrap()).unwrap();
        let picture = Pixmap::decode_png(&png).unwrap();
        let at = |x| picture.pixel(x, 0).map(|p| (p.red(), p.green(), p.blue()));
        assert_eq!((at(0), at(1)), (Some((255, 128, 0)), Some((0, 0, 255))));
        assert!(data_uri(&[0; 4], (1, 2)).is_err());
    }

    #[test]
    fn sizes_that_do_not_fit_are_errors() {
        let tile = Tile { pixels: vec![0; 3], size: (2, 2), captions: vec![] };
        let error = contact_sheet(&[tile], 1, "t", "").unwrap_err();
        assert_eq!(error.to_string(), "cannot draw: 3 pixels for an image of 2x2");
        assert!(data_uri(&[], (0, 5)).is_err());
        assert!(contact_sheet(&[], 3, "none", "").is_ok());
    }
}
