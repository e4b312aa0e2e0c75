//! Figures of Markdown files, from CSV files: every number that a results directory can give stands between two comments, the first
//! of which says where it is from.
//!
//! ```text
//! HanNet reaches <!-- = checkerboard arm=hannet protocol=held_out: {mean:%} +- {std:%} -->99.89 +- 0.17<!-- / --> %.
//!
//! <!-- table: checkerboard -->
//! ...
//! <!-- /table -->
//! ```
//!
//! Tables are described in `splice.toml` beside the Markdown file.

mod recipe;
#[cfg(test)]
mod tests;

use crate::console::note;
use crate::engine::cite::{Results, parted};
use crate::files;
use anyhow::{Context, Result, bail, ensure};
use recipe::Recipe;
use std::path::{Path, PathBuf};

const TABLE: (&str, &str) = ("<!-- table: ", "<!-- /table -->");
const NUMBER: (&str, &str) = ("<!-- = ", "<!-- / -->");
/// The end of the first comment.
const CLOSE: &str = "-->";

/// Writes the figures of a results directory into Markdown files; all of them, or none.
pub(super) fn splice(results: &Path, documents: &[PathBuf]) -> Result<()> {
    let texts = documents.iter().map(|document| spliced(results, document)).collect::<Result<Vec<_>>>()?;
    for (document, text) in documents.iter().zip(texts) {
        let name = document.display();
        if files::read_text(document)? != text {
            files::write(document, text.as_bytes()).with_context(|| format!("--splice: cannot write {name}"))?;
            note(&format!("{name} has the figures of {}", results.display()));
        }
    }
    Ok(())
}

/// A Markdown file with the figures of a results directory.
///
/// # Errors
/// When a file cannot be read, or a marker names what is not there: with its line.
#[doc(hidden)]
pub fn spliced(results: &Path, document: &Path) -> Result<String> {
    let name = document.display().to_string();
    let text = files::read_text(document).with_context(|| format!("--splice: cannot read {name}"))?;
    let recipe = Recipe::beside(document)?;
    let results = Results { root: results, names: &recipe.from };
    let mut made = String::new();
    let (mut rest, mut line) = (text.as_str(), 1);
    while let Some((start, marker)) = next(rest) {
        line += rest[..start].matches('\n').count();
        let made_of = replace(marker, &rest[start..], &recipe, &results);
        let (shown, length) = made_of.with_context(|| format!("{name}:{line}"))?;
        let place = text.len() - rest.len() + start;
        let alone = text[..place].rsplit('\n').next().is_some_and(|before| before.trim().is_empty());
        // Markdown reads a comment that begins a line as a block of HTML, which ends the paragraph.
        let fits = alone == (marker == TABLE);
        ensure!(fits, "{name}:{line}: a table's marker begins a line, a number's stands within one");
        made += &rest[..start];
        made += &shown;
        line += rest[start..start + length].matches('\n').count();
        rest = &rest[start + length..];
    }
    Ok(made + rest)
}

/// The next marker, and where it begins.
fn next(text: &str) -> Option<(usize, (&'static str, &'static str))> {
    let all = [NUMBER, TABLE].into_iter();
    all.filter_map(|marker| Some((text.find(marker.0)?, marker))).min_by_key(|(start, _)| *start)
}

/// What stands in the place of the marker at the beginning of the text and of what is between it and its end, and the length of
/// all that.
fn replace((open, end): (&str, &str), text: &str, recipe: &Recipe, results: &Results<'_>) -> Result<(String, usize)> {
    let close = text.find(CLOSE).with_context(|| format!("the comment does not end with {CLOSE}"))?;
    let said = text[open.len()..close].split_whitespace().collect::<Vec<_>>().join(" ");
    let head = close + CLOSE.len();
    let length = text[head..].find(end).with_context(|| format!("{open}{said} {CLOSE} does not end with {end}"))?;
    let between = &text[head..head + length];
    if next(between).is_some() {
        bail!("{open}{said} {CLOSE} does not end with {end} before the next one begins");
    }
    let shown = if open == TABLE.0 {
        format!("\n\n{}\n", recipe.table(&said)?.render(results)?.markdown(usize::MAX))
    } else {
        let (source, template) = parted(&said);
        results.render(source, template)?
    };
    let shown = format!("{}{shown}{end}", &text[..head]);
    Ok((shown, head + length + end.len()))
}
