//! The bundled font: measuring a line, and its pixels.

use std::convert::Infallible;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

/// Where a text lies relative to the point it is drawn at; vertically its capitals are centred on that point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Center,
    Right,
    /// Centred, and turned to read upwards.
    Upwards,
}

/// Name under which plotters knows the font.
const FONT: &str = "figure";
/// Size at which text is measured: widths come back as whole pixels, and scale with the size.
const MEASURE: f64 = 4096.0;
/// Gap between words as a part of the type size.
const SPACE: f64 = 0.245;

fn font(size: f64) -> FontDesc<'static> {
    FontDesc::new(FontFamily::Name(FONT), size, FontStyle::Normal)
}

/// Hands the bundled font to plotters once per process, so that a figure never depends on the fonts of the machine.
fn register() -> Result<()> {
    static READY: OnceLock<bool> = OnceLock::new();
    let load = || register_font(FONT, FontStyle::Normal, epaint_default_fonts::UBUNTU_LIGHT).is_ok();
    ensure!(*READY.get_or_init(load), "the bundled font of the figures cannot be read");
    Ok(())
}

/// The words of a text with the place where each begins, and the width of the whole.
///
/// plotters draws every glyph without the space the font puts before it, which makes the gap between words too narrow;
/// so words are set one by one.
fn words(text: &str, size: f64) -> Result<(Vec<(f64, &str)>, f64)> {
    register()?;
    let (mut words, mut at) = (Vec::new(), 0.0);
    for (index, word) in text.split(' ').enumerate() {
        at += if index > 0 { SPACE * size } else { 0.0 };
        words.push((at, word));
        let ((left, _), (right, _)) = font(MEASURE).layout_box(word).with_context(|| format!("measuring {text:?}"))?;
        at += f64::from(right - left) / MEASURE * size;
    }
    Ok((words, at))
}

/// Width of a text in pixels.
pub(super) fn text_width(text: &str, size: f64) -> Result<f64> {
    Ok(words(text, size)?.1)
}

/// The pixels of a line of text and how much of each is covered: x from its left end, y from half a size above its
/// baseline.
pub(super) fn ink(text: &str, size: f64) -> Result<Vec<(f64, f64, f32)>> {
    let mut ink: Vec<(f64, f64, f32)> = Vec::new();
    for (start, word) in words(text, size)?.0 {
        let drawn = font(size).draw(word, (0, 0), |x, y, cover| {
            ink.push((start.round() + f64::from(x), f64::from(y), cover));
            Ok::<(), Infallible>(())
        });
        drawn.map_err(|error| anyhow!("drawing the text {text:?}: {error}"))?.map_err(|never| match never {})?;
    }
    Ok(ink)
}
