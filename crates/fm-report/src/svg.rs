//! A small typed writer of SVG: shapes and text in pixels, escaped, with every number to a hundredth.

use crate::font;

/// A point: right and down from the top left corner, in pixels.
pub(crate) type Point = (f64, f64);

/// A picture in the making.
pub(crate) struct Svg {
    width: f64,
    height: f64,
    description: String,
    body: String,
}

/// How a line is drawn.
#[derive(Clone, Copy)]
pub(crate) struct Stroke<'a> {
    pub(crate) color: &'a str,
    pub(crate) width: f64,
    pub(crate) dashed: bool,
}

impl<'a> Stroke<'a> {
    pub(crate) const fn solid(color: &'a str, width: f64) -> Self {
        Self { color, width, dashed: false }
    }

    pub(crate) const fn dashed(color: &'a str, width: f64) -> Self {
        Self { color, width, dashed: true }
    }
}

/// Which end of a text its point is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Anchor {
    Start,
    Middle,
    End,
}

/// A line of text; its point lies on the baseline, or half a digit above it once `centered`.
pub(crate) struct Text<'a> {
    at: Point,
    content: &'a str,
    size: f64,
    anchor: Anchor,
    color: &'a str,
    bold: bool,
    centered: bool,
    rotation: f64,
}

impl<'a> Text<'a> {
    pub(crate) const fn new(at: Point, content: &'a str, size: f64) -> Self {
        let (anchor, color) = (Anchor::Start, crate::color::INK);
        Self { at, content, size, anchor, color, bold: false, centered: false, rotation: 0.0 }
    }

    pub(crate) const fn anchor(self, anchor: Anchor) -> Self {
        Self { anchor, ..self }
    }

    pub(crate) const fn color(self, color: &'a str) -> Self {
        Self { color, ..self }
    }

    pub(crate) const fn bold(self, bold: bool) -> Self {
        Self { bold, ..self }
    }

    /// Puts the middle of its digits at the height of the point.
    pub(crate) const fn centered(self) -> Self {
        Self { centered: true, ..self }
    }

    /// Turned about the point, clockwise in degrees.
    pub(crate) const fn rotated(self, rotation: f64) -> Self {
        Self { rotation, ..self }
    }
}

impl Svg {
    /// A white picture. `description` is read out to those who don't see it.
    pub(crate) fn new(width: f64, height: f64, description: &str) -> Self {
        let mut svg = Self { width, height, description: escape(description), body: String::new() };
        svg.rect((0.0, 0.0), (width, height), "#ffffff", None);
        svg
    }

    /// A filled rectangle; `tooltip` shows when a pointer rests on it.
    pub(crate) fn rect(&mut self, at: Point, size: Point, fill: &str, tooltip: Option<&str>) {
        let (x, y, w, h) = (num(at.0), num(at.1), num(size.0), num(size.1));
        let end = tooltip.map_or("/>".to_owned(), |text| format!("><title>{}</title></rect>", escape(text)));
        self.push(&format!(r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="{fill}"{end}"#));
    }

    /// A rectangle's outline.
    pub(crate) fn frame(&mut self, at: Point, size: Point, stroke: Stroke<'_>) {
        let (x, y, w, h) = (num(at.0), num(at.1), num(size.0), num(size.1));
        let stroke = attributes(stroke);
        self.push(&format!(r#"<rect x="{x}" y="{y}" width="{w}" height="{h}" fill="none"{stroke}/>"#));
    }

    /// Straight lines from point to point.
    pub(crate) fn polyline(&mut self, points: &[Point], stroke: Stroke<'_>) {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", num(x), num(y))).collect();
        let (points, stroke) = (points.join(" "), attributes(stroke));
        self.push(&format!(r#"<polyline points="{points}" fill="none" stroke-linejoin="round"{stroke}/>"#));
    }

    /// A picture of pixels, each a sharp square; `description` is read out and shows as a tooltip.
    pub(crate) fn image(&mut self, at: Point, size: Point, uri: &str, description: &str) {
        let (x, y, w, h) = (num(at.0), num(at.1), num(size.0), num(size.1));
        let description = escape(description);
        self.push(&format!(
            r#"<image x="{x}" y="{y}" width="{w}" height="{h}" style="image-rendering:pixelated" href="{uri}"><title>{description}</title></image>"#
        ));
    }

    /// A dot with a white rim.
    pub(crate) fn dot(&mut self, at: Point, radius: f64, fill: &str) {
        let (x, y, r) = (num(at.0), num(at.1), num(radius));
        self.push(&format!(
            r##"<circle cx="{x}" cy="{y}" r="{r}" fill="{fill}" stroke="#ffffff" stroke-width="1"/>"##
        ));
    }

    /// A dot that is open: white inside.
    pub(crate) fn ring(&mut self, at: Point, radius: f64, color: &str) {
        let (x, y, r) = (num(at.0), num(at.1), num(radius));
        self.push(&format!(
            r##"<circle cx="{x}" cy="{y}" r="{r}" fill="#ffffff" stroke="{color}" stroke-width="1.75"/>"##
        ));
    }

    /// A filled shape with a white rim, within straight lines.
    pub(crate) fn shape(&mut self, points: &[Point], fill: &str) {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", num(x), num(y))).collect();
        let points = points.join(" ");
        self.push(&format!(
            r##"<polygon points="{points}" fill="{fill}" stroke="#ffffff" stroke-width="1"/>"##
        ));
    }

    /// A diamond with a white rim.
    pub(crate) fn diamond(&mut self, (x, y): Point, radius: f64, fill: &str) {
        self.shape(&[(x, y - radius), (x + radius, y), (x, y + radius), (x - radius, y)], fill);
    }

    /// An interval as a bar with caps, along x or along y.
    pub(crate) fn interval(&mut self, from: Point, to: Point, stroke: Stroke<'_>) {
        const CAP: f64 = 4.5;
        let level = (from.1 - to.1).abs() < (from.0 - to.0).abs();
        let (dx, dy) = if level { (0.0, CAP) } else { (CAP, 0.0) };
        self.polyline(&[from, to], stroke);
        for end in [from, to] {
            self.polyline(&[(end.0 - dx, end.1 - dy), (end.0 + dx, end.1 + dy)], stroke);
        }
    }

    /// A translucent area within straight lines.
    pub(crate) fn area(&mut self, points: &[Point], fill: &str) {
        let points: Vec<String> = points.iter().map(|&(x, y)| format!("{},{}", num(x), num(y))).collect();
        self.push(&format!(r#"<polygon points="{}" fill="{fill}" fill-opacity="0.2"/>"#, points.join(" ")));
    }

    /// A ground for a label: white that lets a little through.
    pub(crate) fn tag(&mut self, at: Point, size: Point) {
        let (x, y, w, h) = (num(at.0), num(at.1), num(size.0), num(size.1));
        self.push(&format!(
            r##"<rect x="{x}" y="{y}" width="{w}" height="{h}" rx="3" fill="#ffffff" fill-opacity="0.8"/>"##
        ));
    }

    /// Many small translucent marks: their middle, their corners (none for a dot) and their colour.
    pub(crate) fn cloud<'a>(
        &mut self,
        marks: impl Iterator<Item = (Point, Vec<Point>, &'a str)>,
        radius: f64,
    ) {
        self.push(r#"<g fill-opacity="0.55">"#);
        let r = num(radius);
        for ((x, y), corners, fill) in marks {
            if corners.is_empty() {
                self.push(&format!(r#"<circle cx="{}" cy="{}" r="{r}" fill="{fill}"/>"#, num(x), num(y)));
            } else {
                let corners: Vec<String> =
                    corners.iter().map(|&(x, y)| format!("{},{}", num(x), num(y))).collect();
                self.push(&format!(r#"<polygon points="{}" fill="{fill}"/>"#, corners.join(" ")));
            }
        }
        self.push("</g>");
    }

    /// A rectangle in colours that run from the bottom to the top, at equal distances.
    pub(crate) fn vertical_gradient(&mut self, at: Point, size: Point, colors: &[String]) {
        let last = colors.len().saturating_sub(1).max(1) as f64;
        let stop = |(i, color): (usize, &String)| {
            format!(r#"<stop offset="{}" stop-color="{color}"/>"#, num(i as f64 / last))
        };
        let stops: String = colors.iter().enumerate().map(stop).collect();
        self.push(&format!(
            r#"<defs><linearGradient id="scale" x1="0" y1="1" x2="0" y2="0">{stops}</linearGradient></defs>"#
        ));
        self.rect(at, size, "url(#scale)", None);
    }

    pub(crate) fn text(&mut self, text: &Text<'_>) {
        let anchor = match text.anchor {
            Anchor::Start => "",
            Anchor::Middle => r#" text-anchor="middle""#,
            Anchor::End => r#" text-anchor="end""#,
        };
        let weight = if text.bold { r#" font-weight="600""# } else { "" };
        let (x, y) = text.at;
        let drop = if text.centered { font::MIDDLE * text.size } else { 0.0 };
        // The angle is exact: only "not turned at all" takes the short form.
        let place = if text.rotation.abs() < f64::EPSILON {
            format!(r#"x="{}" y="{}""#, num(x), num(y + drop))
        } else {
            let (x, y, drop) = (num(x), num(y), num(drop));
            format!(r#"transform="translate({x} {y}) rotate({})" y="{drop}""#, num(text.rotation))
        };
        let (size, color, content) = (num(text.size), text.color, escape(text.content));
        self.push(&format!(
            r#"<text {place} font-size="{size}" fill="{color}"{anchor}{weight}>{content}</text>"#
        ));
    }

    /// The file's text.
    pub(crate) fn finish(self) -> String {
        let Self { width, height, description, body } = self;
        let (width, height) = (num(width.ceil()), num(height.ceil()));
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" \
             viewBox=\"0 0 {width} {height}\" role=\"img\" font-family=\"{}\">\n<title>{description}</title>\n\
             {body}</svg>\n",
            font::FAMILIES
        )
    }

    fn push(&mut self, element: &str) {
        self.body.push_str(element);
        self.body.push('\n');
    }
}

fn attributes(stroke: Stroke<'_>) -> String {
    let mut text = format!(r#" stroke="{}" stroke-width="{}""#, stroke.color, num(stroke.width));
    if stroke.dashed {
        text.push_str(r#" stroke-dasharray="4 3""#);
    }
    text
}

/// To a hundredth, without zeros at the end.
fn num(value: f64) -> String {
    let text = format!("{value:.2}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".to_owned() } else { text.to_owned() }
}

/// Text as XML 1.0 and HTML may hold it: markup escaped, control characters replaced.
#[must_use]
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push('\u{fffd}'),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_have_no_negative_zero() {
        assert_eq!([num(1.0), num(0.126), num(-0.001), num(10.0), num(2.5)], ["1", "0.13", "0", "10", "2.5"]);
    }

    #[test]
    fn markup_and_control_characters_stay_text() {
        let mut svg = Svg::new(10.0, 10.0, "a<b");
        svg.text(&Text::new((0.0, 0.0), "<&\"\u{7}>", 10.0));
        svg.rect((0.0, 0.0), (1.0, 1.0), "#000000", Some("1 < 2"));
        let xml = svg.finish();
        let document = roxmltree::Document::parse(&xml).unwrap();
        let texts: Vec<&str> = document.descendants().filter_map(|node| node.text()).collect();
        assert!(texts.contains(&"<&\"\u{fffd}>"), "{texts:?}");
        assert!(texts.contains(&"1 < 2") && texts.contains(&"a<b"));
    }
}
