//! SVG → PNG: the same picture in pixels, with the built-in typeface and no other.

use resvg::tiny_skia::{Pixmap, Transform};
use resvg::usvg::{Options, Tree};

use crate::error::{Error, Result};
use crate::font;

/// The largest side of a PNG in pixels: a memory limit, about 1 GB.
const MAX_SIDE: f64 = 16_384.0;

/// Draws an SVG's picture as PNG, `scale` pixels for each of its own (2 for a sharp picture on a dense
/// display).
///
/// # Errors
/// When it is not SVG or the picture would have no pixels or more than 16,384 on a side.
pub fn rasterize(svg: &str, scale: f64) -> Result<Vec<u8>> {
    let options = Options { fontdb: font::database(), font_family: "Inter".to_owned(), ..Options::default() };
    let tree = Tree::from_str(svg, &options).map_err(|error| Error::Picture(error.to_string()))?;
    let side = |length: f32| (f64::from(length) * scale).ceil();
    let (width, height) = (side(tree.size().width()), side(tree.size().height()));
    let within = |side: f64| (1.0..=MAX_SIDE).contains(&side);
    let pixmap =
        if within(width) && within(height) { Pixmap::new(width as u32, height as u32) } else { None };
    let mut pixmap = pixmap.ok_or_else(|| Error::Picture(format!("{width}x{height} pixels")))?;
    resvg::render(&tree, Transform::from_scale(scale as f32, scale as f32), &mut pixmap.as_mut());
    pixmap.encode_png().map_err(|error| Error::Picture(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_drawn_without_the_machines_fonts() {
        let svg =
            r#"<svg xmlns="http://www.w3.org/2000/svg" width="60" height="20"><text y="15">ink</text></svg>"#;
        let pixmap = Pixmap::decode_png(&rasterize(svg, 2.0).unwrap()).unwrap();
        assert_eq!((pixmap.width(), pixmap.height()), (120, 40));
        let dark = pixmap.pixels().iter().filter(|p| p.alpha() > 200).count();
        assert!((100..2000).contains(&dark), "{dark} dark pixels");
    }

    #[test]
    fn no_picture_is_an_error_in_words() {
        assert!(rasterize("<p>", 2.0).unwrap_err().to_string().starts_with("cannot draw: "));
        let svg = r#"<svg xmlns="http://www.w3.org/2000/svg" width="10" height="10"/>"#;
        assert_eq!(rasterize(svg, 1e6).unwrap_err().to_string(), "cannot draw: 10000000x10000000 pixels");
        assert!(rasterize(svg, f64::NAN).is_err());
    }
}
