//! A data format: text, a line an image.
//!
//! ```text
//! 2x3              height and width
//! 0 00ff80 10ab00  a label, then each row of pixels, two hexadecimal digits a pixel
//! ```

use fm_images::{Content, FileSpec, Format, Half, ImageShape, Input, Malformed, Part, ReadError, Role};

/// The most bytes of a file.
const LIMIT: u64 = 1 << 20;

/// The largest side of an image.
const SIDE: usize = 64;

/// The files of a data set.
static FILES: [FileSpec; 2] = [
    FileSpec { name: "train.pixels", role: Role::Records(Half::Train) },
    FileSpec { name: "test.pixels", role: Role::Records(Half::Test) },
];

/// The format; a caller adds it to [`fm_data::LoadOptions::formats`].
#[derive(Debug)]
pub(crate) struct Pixels;

impl Format for Pixels {
    fn name(&self) -> &'static str {
        "pixels"
    }

    fn a_file(&self) -> &'static str {
        "a file of pixels"
    }

    fn files(&self) -> &[FileSpec] {
        &FILES
    }

    fn read(&self, _: &FileSpec, input: Input<'_>) -> Result<Part, ReadError> {
        let file = input.bytes(LIMIT)?;
        let text = str::from_utf8(&file.data)
            .map_err(|e| Malformed::new(format!("byte {} is no text", e.valid_up_to())))?;
        let mut lines = text.lines();
        let shape = size(lines.next().unwrap_or_default())?;
        let (mut pixels, mut labels) = (Vec::new(), Vec::new());
        for (i, line) in lines.enumerate() {
            let (label, image) = image(line, shape).ok_or_else(|| {
                Malformed::new(format!("line {} is no image of {shape}", i + 2))
                    .help("write a label and two hexadecimal digits a pixel, such as 3 00ff")
            })?;
            labels.push(label);
            pixels.extend(image);
        }
        if labels.is_empty() {
            return Err(Malformed::new("holds no image").into());
        }
        Ok(Part { content: Content::Records { pixels, shape, labels }, sha256: file.sha256 })
    }
}

/// The first line.
fn size(line: &str) -> Result<ImageShape, Malformed> {
    let side = |text: &str| text.parse().ok().filter(|n| (1..=SIDE).contains(n));
    let sides = line.split_once('x').and_then(|(height, width)| Some((side(height)?, side(width)?)));
    let (height, width) = sides.ok_or_else(|| {
        Malformed::new(format!("its first line is no size with sides of 1 to {SIDE}")).help("write 28x28")
    })?;
    Ok(ImageShape { channels: 1, height, width })
}

/// Another line: label and pixels.
fn image(line: &str, shape: ImageShape) -> Option<(u8, Vec<u8>)> {
    let (label, digits) = line.split_once(' ')?;
    let digits: Vec<u8> = digits.bytes().filter(|b| *b != b' ').collect();
    let digit = |b: u8| char::from(b).to_digit(16).map(|value| value as u8);
    let pixels = digits.chunks(2).map(|pair| Some(digit(pair[0])? << 4 | digit(*pair.get(1)?)?));
    let pixels = pixels.collect::<Option<Vec<u8>>>()?;
    (pixels.len() == shape.len()).then_some((label.parse().ok()?, pixels))
}

/// Images as such a file.
pub(crate) fn encode(images: &fm_images::Labelled) -> String {
    let line = |i: usize| {
        let rows = images.image(i).chunks(images.width);
        let row = |row: &[u8]| row.iter().fold(String::from(" "), |text, byte| format!("{text}{byte:02x}"));
        format!("{}{}\n", images.labels[i], rows.map(row).collect::<String>())
    };
    format!("{}\n{}", images.shape(), (0..images.len()).map(line).collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Content, String> {
        let input = Input::new(text.as_bytes(), false);
        Pixels.read(&FILES[0], input).map(|part| part.content).map_err(|e| e.to_string())
    }

    #[test]
    fn what_was_written_comes_back() {
        let shape = ImageShape { channels: 1, height: 2, width: 3 };
        let images = fm_images::Labelled::new((0..12).map(|v| v * 23).collect(), vec![4, 0], shape);
        let text = encode(&images);
        assert_eq!(text, "2x3\n4 00172e 455c73\n0 8aa1b8 cfe6fd\n");
        let (pixels, labels) = (images.images, images.labels);
        assert_eq!(read(&text), Ok(Content::Records { pixels, shape, labels }));
    }

    #[test]
    fn what_is_wrong_is_named() {
        for (text, message) in [
            ("", "its first line is no size with sides of 1 to 64"),
            ("0x3\n", "its first line is no size with sides of 1 to 64"),
            ("1x2", "holds no image"),
            ("1x2\n0 00ff\n1 00f", "line 3 is no image of 1x2"),
            ("1x2\n0 00ff00", "line 2 is no image of 1x2"),
            ("1x2\n256 00ff", "line 2 is no image of 1x2"),
            ("1x2\n0 00+f", "line 2 is no image of 1x2"),
        ] {
            assert_eq!(read(text), Err(message.to_owned()), "{text:?}");
        }
    }
}
