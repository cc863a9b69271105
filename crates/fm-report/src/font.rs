//! The typeface of every picture: built in, so that pictures are the same on every machine, and measured,
//! so that labels can be laid out without overlap.

use std::sync::{Arc, LazyLock};

use resvg::usvg::fontdb::{Database, Source};
use ttf_parser::Face;

/// The names for an SVG, best first: a viewer without the built-in typeface takes the next.
pub(crate) const FAMILIES: &str =
    "Inter, 'Helvetica Neue', Arial, 'Liberation Sans', 'DejaVu Sans', sans-serif";

/// As a share of the font size: from the baseline to the middle of digits and capitals.
pub(crate) const MIDDLE: f64 = 0.36;

static REGULAR: &[u8] = include_bytes!("../assets/Inter-Regular.otf");
static SEMI_BOLD: &[u8] = include_bytes!("../assets/Inter-SemiBold.otf");

static FACES: LazyLock<[Option<Face<'static>>; 2]> =
    LazyLock::new(|| [REGULAR, SEMI_BOLD].map(|bytes| Face::parse(bytes, 0).ok()));

/// The built-in typeface as the rasteriser wants it; nothing else is in it.
pub(crate) fn database() -> Arc<Database> {
    static DATABASE: LazyLock<Arc<Database>> = LazyLock::new(|| {
        let mut database = Database::new();
        for bytes in [REGULAR, SEMI_BOLD] {
            database.load_font_source(Source::Binary(Arc::new(bytes)));
        }
        database.set_sans_serif_family("Inter");
        Arc::new(database)
    });
    Arc::clone(&DATABASE)
}

/// The width of a line of text at `size`, both in pixels. Kerning is left out: it only makes text narrower.
pub(crate) fn width(text: &str, size: f64, bold: bool) -> f64 {
    let face = FACES[usize::from(bold)].as_ref();
    let advance = |character: char| {
        // A character that the typeface lacks comes from another one: take it to be a full square.
        let share = face.and_then(|face| {
            let advance = face.glyph_hor_advance(face.glyph_index(character)?)?;
            Some(f64::from(advance) / f64::from(face.units_per_em()))
        });
        share.unwrap_or(1.0)
    };
    text.chars().map(advance).sum::<f64>() * size
}

/// `text`, or as much of it as fits into `room` pixels and an ellipsis.
pub(crate) fn fit(text: &str, size: f64, room: f64) -> String {
    if width(text, size, false) <= room {
        return text.to_owned();
    }
    let mut kept: Vec<char> = text.chars().collect();
    loop {
        let shortened = format!("{}…", kept.iter().collect::<String>().trim_end_matches([' ', ',', '-']));
        if kept.pop().is_none() || width(&shortened, size, false) <= room {
            return shortened;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_weights_are_found_under_the_family_name() {
        let database = database();
        let weights: Vec<(String, u16)> =
            database.faces().map(|face| (face.families[0].0.clone(), face.weight.0)).collect();
        assert_eq!(weights, [("Inter".to_owned(), 400), ("Inter".to_owned(), 600)]);
    }

    #[test]
    fn widths_grow_with_size_weight_and_letters() {
        assert!((width("00", 20.0, false) - 4.0 * width("0", 10.0, false)).abs() < 1e-9);
        assert!(width("Sneaker", 12.0, true) > width("Sneaker", 12.0, false));
        assert!((10.0..70.0).contains(&width("Sneaker", 12.0, false)), "pixels, not font units");
    }

    #[test]
    fn long_text_is_cut_to_its_room() {
        assert_eq!(fit("Bag", 12.0, 100.0), "Bag");
        let cut = fit("Ankle boot with laces", 12.0, 80.0);
        assert!(cut.starts_with("Ankle") && cut.ends_with('…'), "{cut}");
        assert!(width(&cut, 12.0, false) <= 80.0);
    }
}
