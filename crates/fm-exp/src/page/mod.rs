//! HTML pages that need no network: a template, scripts without what only readers of the source need, and data that are
//! deflated into text.

use std::io::Write as _;

use serde_json::{Value, json};

use crate::error::{Error, Kind, Result};

/// The script that unpacks what [`packed`] makes: `fmPage.inflated` and `fmPage.pixels`.
pub(crate) const UNPACK: &str = include_str!("unpack.js");

/// How each page begins, with the rules of its style that all share.
const HEAD: &str = include_str!("head.html");

/// A page: [`HEAD`], then a template that continues its style sheet. Keys are replaced in one pass, so that a key inside a value
/// stays as it is.
pub(crate) fn filled(template: &str, values: &[(&str, String)]) -> String {
    let mut html = String::new();
    let whole = format!("{HEAD}{template}");
    let mut rest = whole.as_str();
    let next = |rest: &str| {
        let found = values.iter().filter_map(|(key, value)| Some((rest.find(key)?, key.len(), value)));
        found.min_by_key(|(at, _, _)| *at)
    };
    while let Some((at, key, value)) = next(rest) {
        html.push_str(&rest[..at]);
        html.push_str(value);
        rest = &rest[at + key..];
    }
    html + rest
}

/// Data for a script element, which only a `<` could end.
pub(crate) fn data(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c")
}

/// Pixels in 16 levels, two a byte.
pub(crate) fn two_a_byte<'a>(pixels: impl Iterator<Item = &'a u8>) -> Vec<u8> {
    let levels: Vec<u8> = pixels.map(|&byte| ((u32::from(byte) + 8) / 17) as u8).collect();
    levels.chunks(2).map(|pair| pair[0] << 4 | pair.get(1).copied().unwrap_or(0)).collect()
}

/// Deflated, as text and how many bytes that is; `unpack.js` has the way back.
pub(crate) fn packed(bytes: &[u8]) -> Result<Value> {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::best());
    let failed = |e: std::io::Error| Error::new(Kind::Io, format!("cannot compress: {e}"));
    encoder.write_all(bytes).map_err(failed)?;
    let bytes = encoder.finish().map_err(failed)?;
    Ok(json!({ "text": text(&bytes), "length": bytes.len() }))
}

/// Four bytes as five characters, as Ascii85 has it, of digits that neither JSON nor HTML escapes: `#` to `y` without
/// `<` and `\`. A sixteenth shorter than base64.
fn text(bytes: &[u8]) -> String {
    let digits: Vec<char> = ('#'..='y').filter(|c| !['<', '\\'].contains(c)).collect();
    let five = |four: &[u8]| {
        let mut padded = [0; 4];
        padded[..four.len()].copy_from_slice(four);
        let all = u32::from_be_bytes(padded);
        [4, 3, 2, 1, 0].map(|power| digits[(all / 85_u32.pow(power) % 85) as usize])
    };
    bytes.chunks(4).flat_map(five).collect()
}

/// A script without indentation and lines of comment.
pub(crate) fn dense(script: &str) -> String {
    let lines =
        script.lines().map(str::trim_start).filter(|line| !line.is_empty() && !line.starts_with("//"));
    lines.flat_map(|line| [line, "\n"]).collect()
}
