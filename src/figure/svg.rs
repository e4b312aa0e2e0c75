//! The same chart as vectors: every shape that a canvas draws, as an element of an SVG file.

use std::fmt::Write;

use plotters::style::RGBColor;

use super::glyphs::{Align, text_width};
use super::theme::Type;

/// Fonts that a reader may have, the one of the PNG first.
const FONTS: &str = "Ubuntu Light, Ubuntu, Helvetica, Arial, sans-serif";
/// How far the baseline lies below the middle of the capitals, as a part of the type size.
const BASELINE: f64 = 0.31;

/// Elements in the order in which they are drawn.
#[derive(Default)]
pub(super) struct Vectors(String);

impl Vectors {
    fn add(&mut self, element: std::fmt::Arguments<'_>) {
        // Writing to a string cannot fail.
        let _ = self.0.write_fmt(element);
        self.0.push('\n');
    }

    pub fn rect(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor, alpha: f64) {
        let ((x, y), (width, height), color) = (from, (to.0 - from.0, to.1 - from.1), hex(color));
        self.add(format_args!(
            r#"<rect x="{x:.2}" y="{y:.2}" width="{width:.2}" height="{height:.2}" fill="{color}" fill-opacity="{alpha}" shape-rendering="crispEdges"/>"#
        ));
    }

    /// A line with round ends; `dash` is the length of a piece and of the gap after it.
    pub fn line(&mut self, at: &[(f64, f64)], width: f64, color: RGBColor, alpha: f64, dash: Option<(f64, f64)>) {
        let (points, color) = (points(at), hex(color));
        let dash = dash.map_or(String::new(), |(dash, gap)| format!(r#" stroke-dasharray="{dash:.1} {gap:.1}""#));
        self.add(format_args!(
            r#"<polyline points="{points}" fill="none" stroke="{color}" stroke-width="{width}" stroke-opacity="{alpha}" stroke-linecap="round" stroke-linejoin="round"{dash}/>"#
        ));
    }

    pub fn area(&mut self, corners: &[(f64, f64)], color: RGBColor, alpha: f64) {
        let (points, color) = (points(corners), hex(color));
        self.add(format_args!(r#"<polygon points="{points}" fill="{color}" fill-opacity="{alpha}"/>"#));
    }

    pub fn text(&mut self, text: &str, at: (f64, f64), align: Align, kind: Type) -> anyhow::Result<()> {
        let Type { size, color, embolden } = kind;
        let (color, width) = (hex(color), text_width(text, size)?);
        let anchor = match align {
            Align::Left => "start",
            Align::Right => "end",
            Align::Center | Align::Upwards => "middle",
        };
        let turn = if align == Align::Upwards { -90 } else { 0 };
        let text = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let (x, y) = at;
        self.add(format_args!(
            r#"<text transform="translate({x:.1} {y:.1}) rotate({turn})" y="{:.2}" font-family="{FONTS}" font-size="{size:.1}" font-weight="300" fill="{color}" stroke="{color}" stroke-width="{:.2}" text-anchor="{anchor}" textLength="{width:.1}" lengthAdjust="spacingAndGlyphs">{text}</text>"#,
            BASELINE * size,
            0.6 * embolden,
        ));
        Ok(())
    }

    /// The file.
    pub fn finish(self, width: usize, height: usize) -> String {
        let elements = self.0;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {width} \
             {height}\">\n<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{elements}</svg>\n"
        )
    }
}

fn hex(RGBColor(red, green, blue): RGBColor) -> String {
    format!("#{red:02x}{green:02x}{blue:02x}")
}

fn points(points: &[(f64, f64)]) -> String {
    points.iter().map(|(x, y)| format!("{x:.1},{y:.1} ")).collect::<String>().trim_end().to_owned()
}
