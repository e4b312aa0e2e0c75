//! A drawing surface with smooth lines and text, twice as fine as the image it becomes.
//!
//! plotters supplies the glyphs and writes the PNG. Lines and marks are drawn here, because its rasteriser rounds the
//! corners of thick lines to whole pixels and blends overlapping parts of a translucent shape twice.

use anyhow::{Result, ensure};
use plotters::style::RGBColor;

use super::Image;
pub(super) use super::glyphs::Align;
use super::glyphs::{ink, text_width};
use super::svg::Vectors;
use super::theme::{PAPER, Stroke, Type};

/// Pixels of the surface per pixel of the image, along each axis.
const FINE: usize = 2;

/// A rectangle on the image: left, top, right, bottom.
pub(super) type Area = (f64, f64, f64, f64);

pub(super) struct Canvas {
    width: usize,
    height: usize,
    pixels: Vec<u8>,
    vectors: Vectors,
}

impl Canvas {
    /// A blank surface for an image of this size.
    pub fn new(width: f64, height: f64) -> Result<Canvas> {
        ensure!(width >= 1.0 && height >= 1.0 && width * height < 2e8, "a figure of {width} x {height} pixels");
        let (width, height) = (width.ceil() as usize * FINE, height.ceil() as usize * FINE);
        let pixels = [PAPER.0, PAPER.1, PAPER.2].repeat(width * height);
        Ok(Canvas { width, height, pixels, vectors: Vectors::default() })
    }

    /// Mixes a colour into one fine pixel; outside the surface it does nothing.
    fn blend(&mut self, x: i64, y: i64, color: RGBColor, alpha: f64) {
        if x < 0 || y < 0 || x >= self.width as i64 || y >= self.height as i64 || alpha <= 0.0 {
            return;
        }
        let at = 3 * (y as usize * self.width + x as usize);
        for (old, new) in self.pixels[at..at + 3].iter_mut().zip([color.0, color.1, color.2]) {
            let mixed = f64::from(*old) + (f64::from(new) - f64::from(*old)) * alpha.min(1.0);
            *old = mixed.round() as u8;
        }
    }

    /// Blends every fine pixel of a box by `coverage(centre)`, in image coordinates except that coverage is 0 to 1.
    fn shade(&mut self, x: (f64, f64), y: (f64, f64), color: RGBColor, coverage: impl Fn(f64, f64) -> f64) {
        let fine = FINE as f64;
        let span = |range: (f64, f64), limit: usize| {
            let low = (range.0 * fine).floor().clamp(0.0, limit as f64);
            (low as i64, (range.1 * fine).ceil().clamp(low, limit as f64) as i64)
        };
        let ((left, right), (top, bottom)) = (span(x, self.width), span(y, self.height));
        for row in top..bottom {
            for column in left..right {
                let alpha = coverage((column as f64 + 0.5) / fine, (row as f64 + 0.5) / fine);
                self.blend(column, row, color, alpha);
            }
        }
    }

    /// Fills the rectangle between the left upper and the right lower corner.
    pub fn rect(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor, alpha: f64) {
        self.vectors.rect(from, to, color, alpha);
        self.shade_band((from, to.1), ((to.0, from.1), to.1), color, alpha);
    }

    /// Draws a straight line with round ends; a line from a point to itself is a dot.
    pub fn line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, color: RGBColor, alpha: f64) {
        self.vectors.line(&[from, to], width, color, alpha, None);
        self.shade_line(from, to, width, color, alpha);
    }

    fn shade_line(&mut self, from: (f64, f64), to: (f64, f64), width: f64, color: RGBColor, alpha: f64) {
        let (dx, dy) = (to.0 - from.0, to.1 - from.1);
        let squared = dx * dx + dy * dy;
        let reach = width / 2.0 + 1.0;
        let around = |a: f64, b: f64| (a.min(b) - reach, a.max(b) + reach);
        self.shade(around(from.0, to.0), around(from.1, to.1), color, |x, y| {
            let (px, py) = (x - from.0, y - from.1);
            let along = if squared > 0.0 { ((px * dx + py * dy) / squared).clamp(0.0, 1.0) } else { 0.0 };
            let distance = (px - along * dx).hypot(py - along * dy);
            alpha * ((width / 2.0 - distance) * FINE as f64 + 0.5).clamp(0.0, 1.0)
        });
    }

    /// Draws an opaque line through all points.
    pub fn path(&mut self, points: &[(f64, f64)], width: f64, color: RGBColor) {
        self.vectors.line(points, width, color, 1.0, None);
        for pair in points.windows(2) {
            self.shade_line(pair[0], pair[1], width, color, 1.0);
        }
    }

    /// Draws an opaque line through all points, whole or broken up; the pattern runs on around corners.
    pub fn stroke(&mut self, points: &[(f64, f64)], stroke: Stroke, width: f64, color: RGBColor) {
        let (dash, gap) = match stroke {
            Stroke::Solid => return self.path(points, width, color),
            Stroke::Dashed => (3.5 * width, 3.5 * width),
            Stroke::Dotted => (0.1 * width, 2.4 * width),
        };
        self.vectors.line(points, width, color, 1.0, Some((dash, gap)));
        let mut since = 0.0;
        for pair in points.windows(2) {
            let (dx, dy) = (pair[1].0 - pair[0].0, pair[1].1 - pair[0].1);
            let length = dx.hypot(dy);
            let at = |along: f64| (pair[0].0 + dx * along / length, pair[0].1 + dy * along / length);
            let mut along = 0.0;
            while along < length {
                let rest = if since < dash { dash - since } else { dash + gap - since };
                let end = (along + rest).min(length);
                if since < dash {
                    self.shade_line(at(along), at(end), width, color, 1.0);
                }
                // What is left to the next change is never so short that adding it changes nothing.
                let next = since + end - along;
                since = [dash, dash + gap].into_iter().find(|edge| (next - edge).abs() < 1e-6).unwrap_or(next);
                since = if since >= dash + gap { 0.0 } else { since };
                along = end;
            }
        }
    }

    /// Fills the area between two upright edges, each given by its upper end and the height of its lower end; the right
    /// edge is left out, so that bands in a row do not overlap.
    pub fn band(&mut self, from: ((f64, f64), f64), to: ((f64, f64), f64), color: RGBColor, alpha: f64) {
        self.vectors.area(&[from.0, to.0, (to.0.0, to.1), (from.0.0, from.1)], color, alpha);
        self.shade_band(from, to, color, alpha);
    }

    fn shade_band(&mut self, from: ((f64, f64), f64), to: ((f64, f64), f64), color: RGBColor, alpha: f64) {
        let ((left, right), fine) = ((from.0.0, to.0.0), FINE as f64);
        let tall = (from.0.1.min(to.0.1) - 1.0, from.1.max(to.1) + 1.0);
        self.shade((left, right), tall, color, |x, y| {
            if x < left || x >= right {
                return 0.0;
            }
            let part = (x - left) / (right - left);
            let (top, bottom) = (from.0.1 + part * (to.0.1 - from.0.1), from.1 + part * (to.1 - from.1));
            alpha
                * (((y - top) * fine + 0.5).clamp(0.0, 1.0) + ((bottom - y) * fine + 0.5).clamp(0.0, 1.0) - 1.0)
                    .max(0.0)
        });
    }

    /// Fills a convex shape whose corners run clockwise on the screen.
    pub fn fill(&mut self, corners: &[(f64, f64)], color: RGBColor, alpha: f64) {
        self.vectors.area(corners, color, alpha);
        let around = |pick: fn(&(f64, f64)) -> f64| {
            let values = corners.iter().map(pick);
            (values.clone().fold(f64::INFINITY, f64::min) - 1.0, values.fold(f64::NEG_INFINITY, f64::max) + 1.0)
        };
        self.shade(around(|corner| corner.0), around(|corner| corner.1), color, |x, y| {
            let mut inside = f64::INFINITY;
            for (index, a) in corners.iter().enumerate() {
                let b = corners[(index + 1) % corners.len()];
                let (dx, dy) = (b.0 - a.0, b.1 - a.1);
                inside = inside.min((dx * (y - a.1) - dy * (x - a.0)) / dx.hypot(dy));
            }
            alpha * (inside * FINE as f64 + 0.5).clamp(0.0, 1.0)
        });
    }

    /// Writes one line of text at a point.
    pub fn text(&mut self, text: &str, at: (f64, f64), align: Align, kind: Type) -> Result<()> {
        self.vectors.text(text, at, align, kind)?;
        let fine = FINE as f64;
        let back = match align {
            Align::Left => 0.0,
            Align::Right => text_width(text, kind.size)?,
            Align::Center | Align::Upwards => text_width(text, kind.size)? / 2.0,
        };
        let size = kind.size * fine;
        // The font's baseline lies half a size below plotters' origin, and its capitals are 0.62 sizes high.
        let lower = (0.31 - 0.5) * size;
        let ink = ink(text, size)?;
        let strokes = (kind.embolden * fine).round() as i64;
        for (x, y, cover) in ink {
            for shift in 0..=strokes {
                let (along, across) = (x - back * fine + shift as f64, y + lower);
                let (dx, dy) = if align == Align::Upwards { (across, -along) } else { (along, across) };
                let (px, py) = ((at.0 * fine + dx).round() as i64, (at.1 * fine + dy).round() as i64);
                self.blend(px, py, kind.color, f64::from(cover));
            }
        }
        Ok(())
    }

    /// The finished image: every pixel is the mean of its fine pixels.
    pub fn finish(self) -> Image {
        let (width, height) = (self.width / FINE, self.height / FINE);
        let mut pixels = Vec::with_capacity(3 * width * height);
        for row in 0..height {
            for column in 0..width {
                for channel in 0..3 {
                    let fine = |index: usize| {
                        let (y, x) = (row * FINE + index / FINE, column * FINE + index % FINE);
                        usize::from(self.pixels[3 * (y * self.width + x) + channel])
                    };
                    let sum: usize = (0..FINE * FINE).map(fine).sum();
                    pixels.push(((sum + FINE * FINE / 2) / (FINE * FINE)) as u8);
                }
            }
        }
        let svg = self.vectors.finish(width, height);
        Image { width, height, pixels, svg }
    }
}
