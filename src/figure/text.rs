//! Lines of text below each other: fitted into a width, wrapped, drawn.

use anyhow::Result;

use super::canvas::{Align, Canvas};
use super::glyphs::text_width;
use super::theme::Type;

/// Least width of a character as a part of the type size; the narrowest letters of the font are twice as wide.
const NARROWEST: f64 = 0.1;

/// As much of a text as could ever fit: measuring thousands of characters again and again takes minutes. What is left
/// out is marked with dots.
fn readable(text: &str, width: f64, size: f64) -> String {
    let most = (width / (NARROWEST * size)).max(1.0) as usize;
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Height of a line as a multiple of its type size.
const LEADING: f64 = 1.13;

/// Lines of text below each other, each in its type.
#[derive(Debug, Clone)]
pub(super) struct Block(Vec<(Type, String)>);

impl Block {
    /// A text in at most so many lines no wider than `width`.
    ///
    /// A little shrinking comes before a second line; then words wrap, and only if that takes more than `most` lines
    /// does the text shrink further, down to half its size, and at last lose its end.
    pub fn fit(text: &str, width: f64, most: usize, kind: Type) -> Result<Block> {
        let text = readable(text, most as f64 * width, kind.size / 2.0);
        let block =
            |size, lines: Vec<String>| Block(lines.into_iter().map(|line| (Type { size, ..kind }, line)).collect());
        let single = text_width(&text, kind.size)?;
        if single > width && 0.88 * single <= width {
            return Ok(block(kind.size * width / single, vec![text]));
        }
        let mut size = kind.size;
        loop {
            let lines = wrap(&text, width, size)?;
            let fitted = block(size, lines.clone());
            if lines.len() <= most && fitted.width()? <= width {
                return Ok(fitted);
            }
            if size <= kind.size / 2.0 {
                return Ok(block(size, cut(lines, width, most, size)?));
            }
            size -= 1.0;
        }
    }

    /// The lines of both.
    pub fn above(mut self, below: Block) -> Block {
        self.0.extend(below.0);
        self
    }

    pub fn width(&self) -> Result<f64> {
        self.0.iter().try_fold(0.0, |widest: f64, (kind, line)| Ok(widest.max(text_width(line, kind.size)?)))
    }

    pub fn height(&self) -> f64 {
        self.0.iter().map(|(kind, _)| kind.size * LEADING).sum()
    }

    /// Writes the lines from this height downwards, each at the same place along x.
    pub fn draw(&self, canvas: &mut Canvas, (x, mut y): (f64, f64), align: Align) -> Result<()> {
        for (kind, line) in &self.0 {
            let height = kind.size * LEADING;
            canvas.text(line, (x, y + height / 2.0), align, *kind)?;
            y += height;
        }
        Ok(())
    }

    /// Writes the lines around a height.
    pub fn draw_around(&self, canvas: &mut Canvas, (x, y): (f64, f64), align: Align) -> Result<()> {
        self.draw(canvas, (x, y - self.height() / 2.0), align)
    }
}

/// The tallest of some blocks.
pub(super) fn tallest<'a>(blocks: impl IntoIterator<Item = &'a Block>) -> f64 {
    blocks.into_iter().map(Block::height).fold(0.0, f64::max)
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

    fn lines(text: &str, width: f64, most: usize) -> Result<Vec<String>> {
        let block = Block::fit(text, width, most, NOTE)?;
        assert!(block.0.len() <= most && block.width()? <= width);
        Ok(block.0.into_iter().map(|(_, line)| line).collect())
    }

    #[test]
    fn a_text_of_any_length_is_fitted_with_few_measurements() -> Result<()> {
        for text in ["i".repeat(20_000), "word ".repeat(4_000), "-".repeat(1_000_000)] {
            let lines = lines(&text, 1300.0, 2)?;
            assert!(lines.iter().all(|line| line.chars().count() < 1000), "{}", lines.len());
            assert!(lines.last().is_some_and(|line| line.ends_with('…')));
        }
        Ok(())
    }

    #[test]
    fn long_text_wraps_then_shrinks_then_loses_its_end() -> Result<()> {
        let text = "test accuracy 99.8 %, seed 3";
        assert_eq!(lines("", 400.0, 2)?.len(), 0);
        assert_eq!(lines(text, 500.0, 1)?, [text]);
        assert_eq!(lines(text, 300.0, 2)?.len(), 2);
        assert_eq!(Block::fit(text, 300.0, 2, NOTE)?.0[0].0.size, NOTE.size);
        let endless = lines(&"word ".repeat(80), 300.0, 2)?;
        assert!(endless.len() == 2 && endless[1].ends_with('…'));
        assert!(Block::fit(&"word ".repeat(80), 300.0, 2, NOTE)?.0[0].0.size < NOTE.size);
        Ok(())
    }
}
