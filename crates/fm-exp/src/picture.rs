//! Any PNG or JPEG as a network sees it: bytes → pixels → grey on black, or colours → the network's size.
//!
//! Fashion-MNIST shows light things on black, most pictures dark things on white: for a network of one channel,
//! a picture whose border is light is inverted. One of three channels gets red, green and blue as they are. The
//! aspect stays; what is missing to the network's shape is black.

use std::io::Cursor;
use std::path::Path;

use fm_data::ImageShape;
use image::imageops::FilterType;
use image::{DynamicImage, GrayImage, ImageDecoder, ImageReader, Limits, LumaA, Pixel as _, Rgb, imageops};

use crate::error::{Error, Kind, Result};

/// Of a file, in bytes; a phone's largest pictures have a tenth of that.
pub(crate) const MAX_FILE: u64 = 256 << 20;
/// Of a side, in pixels.
const MAX_SIDE: u32 = 32_768;
/// Of the whole, in pixels: 8192×8192, more than a camera takes. Decoding to 16 bits of four channels, the copies
/// for grey and for each colour, and the resize all grow with this and stay below 1.5 GiB together.
const MAX_PIXELS: u64 = 1 << 26;
/// Of what decoding may take, in bytes.
const MAX_MEMORY: u64 = 1 << 30;

/// A picture made ready for a network.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Picture {
    /// Width and height as in the file, turned as its camera says.
    pub(crate) original: (u32, u32),
    /// Whether the border was light; colours are never inverted.
    pub(crate) inverted: bool,
    /// Whether all of it is one colour, or nearly so.
    pub(crate) is_plain: bool,
    /// Whether trimming was asked for and found nothing to cut away.
    pub(crate) is_untrimmed: bool,
    /// `[channels, height, width]` as the network takes them.
    pub(crate) pixels: Vec<u8>,
}

/// Reads a picture and fits it to `shape`, of one channel (grey) or three (red, green, blue); with `trim`, first
/// cuts away what is around the thing, as was done for Fashion-MNIST (Xiao, Rasul and Vollgraf 2017, section 2).
///
/// # Errors
/// [`Kind::Data`] when there is no such file, it is no PNG or JPEG, it is damaged or too large;
/// [`Kind::Usage`] for another number of channels, or colours to trim.
pub(crate) fn read(path: &Path, shape: ImageShape, trim: bool) -> Result<Picture> {
    match shape.channels {
        3 if trim => return Err(Error::usage("--trim works on grey images, and the model takes colours")),
        1 | 3 => {}
        n => return Err(Error::usage(format!("pictures have 1 or 3 channels, and the model takes {n}"))),
    }
    let bad = |text: String| Error::new(Kind::Data, format!("{}: {text}", path.display()));
    let bytes = fm_run::store::read(path, MAX_FILE).map_err(|e| Error::new(Kind::Data, e.message()))?;
    fitted(&bytes, shape, trim).map_err(bad)
}

/// A picture from its file's bytes, fitted to `shape` as [`read`] does.
///
/// # Errors
/// What is wrong with it, in words.
pub(crate) fn fitted(bytes: &[u8], shape: ImageShape, trim: bool) -> Result<Picture, String> {
    let image = decode(bytes)?;
    let (height, width) = (shape.height as u32, shape.width as u32);
    Ok(if shape.channels == 1 {
        in_grey(&image, trim, height, width)
    } else {
        in_colours(&image, height, width)
    })
}

/// Whether the picture in a file's bytes has colours, by its header.
///
/// # Errors
/// When it is no picture that is read.
pub(crate) fn has_colours(bytes: &[u8]) -> Result<bool, String> {
    Ok(decoder(bytes)?.color_type().has_color())
}

/// Pixels of a table or an array, `[channels, height, width]` of `from`, fitted to `to`; they are never inverted.
/// Grey is what Rec. 709 makes of red, green and blue, as for pictures.
pub(crate) fn refit(pixels: &[u8], from: ImageShape, to: ImageShape) -> Vec<u8> {
    let plane = from.height * from.width;
    let planes: Vec<Vec<u8>> = match (from.channels, to.channels) {
        (3, 1) => {
            let grey = |i: usize| Rgb([pixels[i], pixels[plane + i], pixels[2 * plane + i]]).to_luma().0[0];
            vec![(0..plane).map(grey).collect()]
        }
        (1, n) => vec![pixels.to_vec(); n],
        _ => pixels.chunks_exact(plane).map(<[u8]>::to_vec).collect(),
    };
    if (from.height, from.width) == (to.height, to.width) {
        return planes.concat();
    }
    let (width, height) = (from.width as u32, from.height as u32);
    let fitted = planes.into_iter().filter_map(|plane| {
        let image = GrayImage::from_raw(width, height, plane)?;
        Some(fit(image, (width, height), false, to.height as u32, to.width as u32).pixels)
    });
    fitted.flatten().collect()
}

fn in_grey(image: &DynamicImage, trim: bool, height: u32, width: u32) -> Picture {
    let original = (image.width(), image.height());
    let mut grey = GrayImage::new(original.0, original.1);
    for (to, &LumaA([value, alpha])) in grey.pixels_mut().zip(image.to_luma_alpha8().pixels()) {
        to.0 = [on_white(value, alpha)];
    }
    let (inverted, is_plain) = (is_border_light(&grey), is_plain(&grey));
    if trim {
        grey = trimmed(&grey);
    }
    let is_untrimmed = trim && grey.dimensions() == original;
    Picture { is_plain, is_untrimmed, ..fit(grey, original, inverted, height, width) }
}

/// Red, green and blue, one plane after the other.
fn in_colours(image: &DynamicImage, height: u32, width: u32) -> Picture {
    let original = (image.width(), image.height());
    let colours = image.to_rgba8();
    let plane = |channel: usize| {
        let mut plane = GrayImage::new(original.0, original.1);
        for (to, from) in plane.pixels_mut().zip(colours.pixels()) {
            to.0 = [on_white(from.0[channel], from.0[3])];
        }
        (is_plain(&plane), fit(plane, original, false, height, width).pixels)
    };
    let planes = [0, 1, 2].map(plane);
    let is_plain = planes.iter().all(|(is_plain, _)| *is_plain);
    let pixels = planes.into_iter().flat_map(|(_, pixels)| pixels).collect();
    Picture { original, inverted: false, is_plain, is_untrimmed: false, pixels }
}

/// Whether all pixels are nearly the same: noise of a few shades shows nothing either.
fn is_plain(image: &GrayImage) -> bool {
    let (low, high) = image.pixels().fold((u8::MAX, 0), |(low, high), p| (low.min(p.0[0]), high.max(p.0[0])));
    high.saturating_sub(low) < 8
}

/// What is transparent would show the page it lies on, and pages are white.
fn on_white(value: u8, alpha: u8) -> u8 {
    let (value, alpha) = (u32::from(value), u32::from(alpha));
    ((value * alpha + 255 * (255 - alpha) + 127) / 255) as u8
}

/// What decodes the picture, within limits.
fn decoder(bytes: &[u8]) -> Result<impl ImageDecoder + '_, String> {
    if bytes.is_empty() {
        return Err("an empty file".to_owned());
    }
    let mut limits = Limits::default();
    (limits.max_image_width, limits.max_image_height) = (Some(MAX_SIDE), Some(MAX_SIDE));
    limits.max_alloc = Some(MAX_MEMORY);
    let mut reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format().map_err(|e| e.to_string())?;
    reader.limits(limits);
    if reader.format().is_none() {
        return Err("unknown image format; use PNG or JPEG".to_owned());
    }
    let decoder = reader.into_decoder().map_err(|e| unreadable(&e))?;
    // By the header, before anything is made of the pixels.
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > MAX_PIXELS {
        return Err(format!(
            "{width}x{height} pixels, at most {MAX_PIXELS} in all are read; make it smaller"
        ));
    }
    Ok(decoder)
}

fn unreadable(error: &image::ImageError) -> String {
    format!("not a readable image: {error}")
}

/// The picture, turned as its camera says.
fn decode(bytes: &[u8]) -> Result<DynamicImage, String> {
    let mut decoder = decoder(bytes)?;
    let bad = |e: image::ImageError| unreadable(&e);
    let orientation = decoder.orientation().map_err(bad)?;
    let mut image = DynamicImage::from_decoder(decoder).map_err(bad)?;
    image.apply_orientation(orientation);
    if image.width() == 0 || image.height() == 0 {
        return Err("an image without pixels".to_owned());
    }
    Ok(image)
}

fn fit(mut image: GrayImage, original: (u32, u32), inverted: bool, height: u32, width: u32) -> Picture {
    if inverted {
        imageops::invert(&mut image);
    }
    let (w, h) = image.dimensions();
    let scale = (f64::from(width) / f64::from(w)).min(f64::from(height) / f64::from(h));
    let side = |length: u32, most: u32| ((f64::from(length) * scale).round() as u32).clamp(1, most);
    // A triangle as wide as what becomes a pixel: no ringing, and nothing falls through.
    let small = imageops::resize(&image, side(w, width), side(h, height), FilterType::Triangle);
    let mut whole = GrayImage::new(width, height);
    let (left, top) = ((width - small.width()) / 2, (height - small.height()) / 2);
    imageops::replace(&mut whole, &small, i64::from(left), i64::from(top));
    Picture { original, inverted, is_plain: false, is_untrimmed: false, pixels: whole.into_raw() }
}

/// Without the edges that are close to the corners' grey: within a twentieth of the range, as Fashion-MNIST's
/// makers had it. A picture whose corners differ, or that is all of one grey, stays whole.
fn trimmed(image: &GrayImage) -> GrayImage {
    const CLOSE: u8 = 255 / 20;
    let (w, h) = image.dimensions();
    let corner = image.get_pixel(0, 0).0[0];
    let is_close = |x: u32, y: u32| image.get_pixel(x, y).0[0].abs_diff(corner) <= CLOSE;
    if ![(w - 1, 0), (0, h - 1), (w - 1, h - 1)].into_iter().all(|(x, y)| is_close(x, y)) {
        return image.clone();
    }
    let columns: Vec<u32> = (0..w).filter(|&x| (0..h).any(|y| !is_close(x, y))).collect();
    let rows: Vec<u32> = (0..h).filter(|&y| (0..w).any(|x| !is_close(x, y))).collect();
    let (Some(left), Some(right), Some(top), Some(bottom)) =
        (columns.first(), columns.last(), rows.first(), rows.last())
    else {
        return image.clone();
    };
    imageops::crop_imm(image, *left, *top, right - left + 1, bottom - top + 1).to_image()
}

/// Whether most of the frame, a twentieth of the shorter side wide, is light.
fn is_border_light(image: &GrayImage) -> bool {
    let (w, h) = image.dimensions();
    let frame = (w.min(h) / 20).max(1);
    let on_frame = |x: u32, y: u32| x < frame || y < frame || x + frame >= w || y + frame >= h;
    let (mut sum, mut count) = (0_u64, 0_u64);
    for (_, _, pixel) in image.enumerate_pixels().filter(|&(x, y, _)| on_frame(x, y)) {
        sum += u64::from(pixel.0[0]);
        count += 1;
    }
    2 * sum > 255 * count
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(w: u32, h: u32, at: impl Fn(u32, u32) -> u8) -> Picture {
        let image = GrayImage::from_fn(w, h, |x, y| image::Luma([at(x, y)]));
        let inverted = is_border_light(&image);
        fit(image, (w, h), inverted, 28, 28)
    }

    #[test]
    fn dark_on_white_becomes_light_on_black() {
        let inside = |x: u32, y: u32| (10..46).contains(&x) && (10..46).contains(&y);
        let dark = picture(56, 56, |x, y| if inside(x, y) { 20 } else { 250 });
        let light = picture(56, 56, |x, y| if inside(x, y) { 235 } else { 5 });
        assert!(dark.inverted && !light.inverted);
        assert_eq!(dark.pixels, light.pixels);
        assert_eq!((light.pixels[0], light.pixels[14 * 28 + 14]), (5, 235));
    }

    #[test]
    fn a_wide_picture_keeps_its_shape_between_black_bars() {
        let wide = picture(280, 140, |_, _| 100);
        let row = |y: usize| wide.pixels[28 * y];
        assert_eq!((row(0), row(6), row(7), row(20), row(21)), (0, 0, 100, 100, 0));
        let tiny = picture(1, 1, |_, _| 90);
        assert_eq!(tiny.pixels, [90; 784]);
        let line = picture(1, 3000, |_, _| 90);
        let lit: u32 = line.pixels.iter().map(|&p| u32::from(p)).sum();
        assert_eq!(lit, 28 * 90, "one column at least");
    }

    #[test]
    fn trimming_leaves_the_thing() {
        let gray =
            |w, h, at: &dyn Fn(u32, u32) -> u8| GrayImage::from_fn(w, h, |x, y| image::Luma([at(x, y)]));
        let inside = |x: u32, y: u32| (7..20).contains(&x) && (30..35).contains(&y);
        let cut = trimmed(&gray(40, 50, &|x, y| if inside(x, y) { 60 } else { 250 - ((x + y) % 9) as u8 }));
        assert_eq!((cut.dimensions(), cut.get_pixel(0, 0).0[0]), ((13, 5), 60));
        let plain = gray(9, 8, &|_, _| 77);
        assert_eq!(trimmed(&plain).dimensions(), (9, 8));
        let halves = gray(9, 8, &|x, _| if x < 4 { 0 } else { 200 });
        assert_eq!(trimmed(&halves).dimensions(), (9, 8));
    }

    #[test]
    fn shrinking_averages() {
        // Single lit lines, which picking pixels would lose.
        let lines = picture(280, 280, |x, _| if x % 10 == 3 { 250 } else { 0 });
        assert!(lines.pixels.iter().all(|&p| (5..60).contains(&p)), "{:?}", &lines.pixels[..28]);
    }

    #[test]
    fn colours_come_as_planes_and_as_they_are() {
        // Orange beside what is transparent, which is a light border in part: nothing is inverted.
        let image = image::RgbaImage::from_fn(40, 20, |x, _| {
            image::Rgba(if x < 20 { [250, 128, 0, 255] } else { [0, 0, 0, 0] })
        });
        let picture = in_colours(&DynamicImage::ImageRgba8(image), 4, 4);
        assert!(!picture.inverted && picture.original == (40, 20));
        let row = |channel: usize, y: usize| &picture.pixels[16 * channel + 4 * y..][..4];
        assert_eq!((row(0, 1)[0], row(1, 1)[0], row(2, 1)[0]), (250, 128, 0));
        assert!((0..3).all(|channel| row(channel, 2)[3] == 255 && row(channel, 0) == [0; 4]));
    }

    #[test]
    fn arrays_are_fitted_as_they_are() {
        let shape = |channels, side| ImageShape { channels, height: side, width: side };
        let colours: Vec<u8> = [[200; 4], [100; 4], [0; 4]].concat();
        assert_eq!(refit(&colours, shape(3, 2), shape(3, 2)), colours);
        assert_eq!(refit(&[9, 8, 7, 6], shape(1, 2), shape(3, 2)), [9, 8, 7, 6].repeat(3));
        // 0.2126, 0.7152 and 0.0722; white stays white.
        assert_eq!(refit(&colours, shape(3, 2), shape(1, 2)), [114; 4]);
        assert_eq!(refit(&[255; 12], shape(3, 2), shape(1, 4)), [255; 16]);
    }

    #[test]
    fn what_a_reader_cannot_give_is_refused_by_name() {
        let shape = |channels| ImageShape { channels, height: 4, width: 4 };
        let text = |channels, trim| {
            read(Path::new("/nowhere"), shape(channels), trim).unwrap_err().message().to_owned()
        };
        assert_eq!(text(2, false), "pictures have 1 or 3 channels, and the model takes 2");
        assert!(text(3, true).starts_with("--trim works on grey images"));
    }

    #[test]
    fn a_picture_of_too_many_pixels_is_refused_by_its_header() {
        let mut png = Vec::new();
        let small = GrayImage::new(3, 2);
        small.write_to(&mut Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
        assert!(decode(&png).is_ok());
        // Width and height stand behind the signature and the chunk's length and name, the checksum behind 13 bytes.
        for (width, height) in [(8193_u32, 8192_u32), (32_768, 32_768)] {
            png[16..20].copy_from_slice(&width.to_be_bytes());
            png[20..24].copy_from_slice(&height.to_be_bytes());
            let sum = crc32(&png[12..29]);
            png[29..33].copy_from_slice(&sum.to_be_bytes());
            let error = decode(&png).unwrap_err();
            assert!(error.starts_with(&format!("{width}x{height} pixels, at most 67108864")), "{error}");
        }
    }

    /// As PNG has it.
    fn crc32(bytes: &[u8]) -> u32 {
        let bit = |c: u32| if c & 1 == 1 { 0xEDB8_8320 ^ (c >> 1) } else { c >> 1 };
        !bytes.iter().fold(!0, |sum, &byte| (0..8).fold(sum ^ u32::from(byte), |c, _| bit(c)))
    }

    #[test]
    fn what_is_no_image_is_told() {
        assert_eq!(decode(b"").unwrap_err(), "an empty file");
        assert!(decode(b"hello, this is text").unwrap_err().contains("PNG or JPEG"));
        assert!(decode(b"\x89PNG\r\n\x1a\n").unwrap_err().starts_with("not a readable image"));
    }
}
