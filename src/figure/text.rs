//! Text with the bundled font: measuring, wrapping, and the pixels of a line.

use std::convert::Infallible;
use std::sync::OnceLock;

use anyhow::{Context, Result, anyhow, ensure};
use plotters::style::{FontDesc, FontFamily, FontStyle, register_font};

use super::theme::Type;

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

/// Least width of a character as a part of the type size; the narrowest letters of the font are twice as wide.
const NARROWEST: f64 = 0.1;

/// A text on one line that is no wider than `width`: what does not fit is cut off and marked with dots.
pub(super) fn shortened(text: &str, width: f64, size: f64) -> Result<String> {
    let text = readable(text, width, size);
    if text_width(&text, size)? <= width {
        return Ok(text);
    }
    Ok(cut(vec![text], width, 1, size)?.concat())
}

/// As much of a text as could ever fit: measuring thousands of characters again and again takes minutes. What is left
/// out is marked with dots.
fn readable(text: &str, width: f64, size: f64) -> String {
    let most = (width / (NARROWEST * size)).max(1.0) as usize;
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A text in lines no wider than `width`, and the type that makes it fit.
///
/// A little shrinking comes before a second line; then words wrap, and only if that takes more than `most` lines does
/// the text shrink further, down to half its size, and at last lose its end.
pub(super) fn fit(text: &str, width: f64, most: usize, kind: Type) -> Result<(Type, Vec<String>)> {
    let text = &readable(text, most as f64 * width, kind.size / 2.0);
    let single = text_width(text, kind.size)?;
    if single > width && 0.88 * single <= width {
        return Ok((Type { size: kind.size * width / single, ..kind }, vec![text.to_owned()]));
    }
    let mut size = kind.size;
    loop {
        let lines = wrap(text, width, size)?;
        let wide = lines.iter().map(|line| text_width(line, size)).collect::<Result<Vec<f64>>>()?;
        let fits = lines.len() <= most && wide.iter().all(|&line| line <= width);
        if fits {
            return Ok((Type { size, ..kind }, lines));
        }
        if size <= kind.size / 2.0 {
            return Ok((Type { size, ..kind }, cut(lines, width, most, size)?));
        }
        size -= 1.0;
    }
}

fn wrap(text: &str, width: f64, size: f64) -> Result<Vec<String>> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        let longer = lines.last().map(|line| format!("{line} {word}"));
        match longer {
            Some(longer) if text_width(&longer, size)? <= width => {
                lines.pop();
                lines.push(longer);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    Ok(lines)
}

/// Keeps the first lines, and marks with dots where text was lost.
fn cut(mut lines: Vec<String>, width: f64, most: usize, size: f64) -> Result<Vec<String>> {
    let lost = lines.len() > most;
    lines.truncate(most);
    let last = lines.len().saturating_sub(1);
    for (index, line) in lines.iter_mut().enumerate() {
        let dots = if lost && index == last { "…" } else { "" };
        let mut shown = format!("{line}{dots}");
        while text_width(&shown, size)? > width && line.pop().is_some() {
            shown = format!("{line}…");
        }
        *line = shown;
    }
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::figure::theme::NOTE;

    #[test]
    fn a_text_of_any_length_is_fitted_with_few_measurements() -> Result<()> {
        for text in ["i".repeat(20_000), "word ".repeat(4_000), "-".repeat(1_000_000)] {
            let (kind, lines) = fit(&text, 1300.0, 2, NOTE)?;
            assert!(lines.len() <= 2 && lines.iter().all(|line| line.chars().count() < 1000), "{}", lines.len());
            assert!(lines.last().is_some_and(|line| line.ends_with('…')));
            for line in lines {
                assert!(text_width(&line, kind.size)? <= 1300.0);
            }
            let short = shortened(&text, 400.0, NOTE.size)?;
            assert!(short.ends_with('…') && text_width(&short, NOTE.size)? <= 400.0, "{short}");
        }
        assert_eq!(shortened("HanNet, |.|", 400.0, NOTE.size)?, "HanNet, |.|");
        Ok(())
    }

    #[test]
    fn long_text_wraps_then_shrinks_then_loses_its_end() -> Result<()> {
        let lines = |text: &str, width| fit(text, width, 2, NOTE);
        assert_eq!(lines("", 400.0)?.1.len(), 0);
        assert_eq!(lines("test accuracy 99.8 %, seed 3", 500.0)?.1, ["test accuracy 99.8 %, seed 3"]);
        let (kind, wrapped) = lines("test accuracy 99.8 %, seed 3", 300.0)?;
        assert_eq!((kind.size, wrapped.len()), (NOTE.size, 2));
        let (kind, endless) = lines(&"word ".repeat(80), 300.0)?;
        assert!(kind.size < NOTE.size && endless.len() == 2 && endless[1].ends_with('…'));
        for line in endless {
            assert!(text_width(&line, kind.size)? <= 300.0);
        }
        Ok(())
    }
}
