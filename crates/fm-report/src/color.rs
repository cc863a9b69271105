//! The pictures' colours: ink, two curves that colour-blind readers tell apart, and the heat map's scale.

/// Text.
pub(crate) const INK: &str = "#1f2328";
/// Text that steps back: tick labels, notes.
pub(crate) const MUTED: &str = "#59636e";
/// Grid lines.
pub(crate) const GRID: &str = "#e3e6ea";
/// Axes and frames.
pub(crate) const AXIS: &str = "#afb8c1";
/// The training curve: blue of the Okabe-Ito palette.
pub(crate) const TRAIN: &str = "#0072b2";
/// The validation curve: its vermillion.
pub(crate) const VALIDATION: &str = "#d55e00";

/// The scale's colour at `share` from 0 to 1: near white to dark blue, in red, green and blue.
///
/// Lightness falls linearly in OKLab (Ottosson 2020, "A perceptual color space for image processing"), so
/// equal steps look equal, also in grey; the hue stays, the chroma is highest in the middle, where sRGB has
/// room for it.
pub(crate) fn sequential(share: f64) -> [u8; 3] {
    let t = share.clamp(0.0, 1.0);
    let lightness = 0.985 - 0.665 * t;
    let chroma = 0.004 + 0.40 * t * (1.0 - t) + 0.075 * t * t;
    let hue = 255_f64.to_radians();
    oklab_to_srgb(lightness, chroma * hue.cos(), chroma * hue.sin())
}

/// As `#rrggbb`.
pub(crate) fn hex([r, g, b]: [u8; 3]) -> String {
    format!("#{r:02x}{g:02x}{b:02x}")
}

/// Ink or white, whichever contrasts more with the background (WCAG 2.2, "contrast ratio").
pub(crate) fn ink_on(background: [u8; 3]) -> &'static str {
    let y = luminance(background);
    let (on_white, on_ink) = (1.05 / (y + 0.05), (y + 0.05) / (luminance([0x1f, 0x23, 0x28]) + 0.05));
    if on_white > on_ink { "#ffffff" } else { INK }
}

/// Relative luminance, 0 to 1 (WCAG 2.2).
fn luminance(rgb: [u8; 3]) -> f64 {
    let [r, g, b] = rgb.map(|byte| {
        let v = f64::from(byte) / 255.0;
        if v <= 0.040_45 { v / 12.92 } else { ((v + 0.055) / 1.055).powf(2.4) }
    });
    0.2126 * r + 0.7152 * g + 0.0722 * b
}

/// Ottosson's matrices, in his letters; what lies outside sRGB is clipped.
#[expect(clippy::many_single_char_names, reason = "the publication's")]
fn oklab_to_srgb(lightness: f64, a: f64, b: f64) -> [u8; 3] {
    let l = (lightness + 0.396_337_777_4 * a + 0.215_803_757_3 * b).powi(3);
    let m = (lightness - 0.105_561_345_8 * a - 0.063_854_172_8 * b).powi(3);
    let s = (lightness - 0.089_484_177_5 * a - 1.291_485_548 * b).powi(3);
    let linear = [
        4.076_741_662_1 * l - 3.307_711_591_3 * m + 0.230_969_929_2 * s,
        -1.268_438_004_6 * l + 2.609_757_401_1 * m - 0.341_319_396_5 * s,
        -0.004_196_086_3 * l - 0.703_418_614_7 * m + 1.707_614_701 * s,
    ];
    linear.map(|v| {
        let v = v.clamp(0.0, 1.0);
        let encoded = if v <= 0.003_130_8 { 12.92 * v } else { 1.055 * v.powf(1.0 / 2.4) - 0.055 };
        (encoded * 255.0).round() as u8
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scale_runs_from_near_white_to_dark_and_never_turns() {
        assert!(sequential(0.0).iter().all(|&v| v >= 247), "{:?}", sequential(0.0));
        assert!(luminance(sequential(1.0)) < 0.06, "{:?}", sequential(1.0));
        let steps: Vec<f64> = (0..=20).map(|i| luminance(sequential(f64::from(i) / 20.0))).collect();
        assert!(steps.windows(2).all(|pair| pair[1] < pair[0] - 0.005), "{steps:?}");
    }

    #[test]
    fn text_is_readable_on_every_step() {
        for i in 0..=100 {
            let background = sequential(f64::from(i) / 100.0);
            let ink = if ink_on(background) == INK { [0x1f, 0x23, 0x28] } else { [255; 3] };
            let (a, b) = (luminance(background), luminance(ink));
            let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
            assert!(contrast > 3.9, "{contrast} at {i} %");
        }
    }

    #[test]
    fn oklab_reference_colours() {
        assert_eq!(oklab_to_srgb(1.0, 0.0, 0.0), [255; 3]);
        // sRGB red, from Ottosson's definition.
        assert_eq!(oklab_to_srgb(0.627_955, 0.224_863, 0.125_846), [255, 0, 0]);
    }
}
