//! A strip above a finished chart with a warning that nobody can crop by accident; it covers no data.

use super::Image;
use super::canvas::{Align, Canvas};
use super::text::Block;
use super::theme::{FRAME, PANEL_TITLE, PAPER, Type, WRONG_INK};
use anyhow::Result;

/// Its height in pixels, and room beside its text.
const HEIGHT: f64 = 76.0;
const MARGIN: f64 = 30.0;

impl Image {
    /// The same under a strip with a text.
    pub fn stamped(self, text: &str) -> Result<Image> {
        let width = self.width as f64;
        let mut canvas = Canvas::new(width, HEIGHT)?;
        canvas.rect((0.0, 0.0), (width, HEIGHT - FRAME), WRONG_INK, 1.0);
        let kind = Type { color: PAPER, ..PANEL_TITLE };
        let line = Block::fit(text, width - 2.0 * MARGIN, 1, kind)?;
        line.draw_around(&mut canvas, (width / 2.0, (HEIGHT - FRAME) / 2.0), Align::Center)?;
        let strip = canvas.finish();
        let height = self.height + strip.height;
        let below = self.svg.replacen("<svg", &format!("<svg y=\"{}\"", strip.height), 1);
        let head = format!("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{}\" height=\"{height}\">", self.width);
        let svg = format!("{head}\n{}{below}</svg>\n", strip.svg);
        Ok(Image { height, pixels: [strip.pixels, self.pixels].concat(), svg, ..self })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stamp_covers_no_pixel_of_the_chart() -> Result<()> {
        for width in [1, 40, 1600] {
            let chart = Image {
                width,
                height: 7,
                pixels: (0..3 * 7 * width).map(|place| place as u8).collect(),
                svg: "<svg></svg>".into(),
            };
            let stamped = chart.clone().stamped("SMOKE: a trial")?;
            let strip = 3 * width * (stamped.height - chart.height);
            assert!(stamped.width == width && stamped.height > chart.height);
            assert_eq!(stamped.pixels[strip..], chart.pixels);
            assert!(stamped.svg.contains(&format!("<svg y=\"{}\"></svg>", stamped.height - chart.height)));
        }
        Ok(())
    }
}
