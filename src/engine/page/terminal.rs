//! A page for a terminal: the closing table, what was missed, and where the rest is.

use super::section::Section;
use super::words::wrapped;
use super::{Block, drawn};
use std::io::{self, IsTerminal};
use std::path::Path;

/// What a command says at its end.
pub(super) fn render(section: &Section, subtitle: &str, closing: &[Block], root: &Path) -> String {
    let width = terminal_width();
    let mut text = format!("\n{}", wrapped(&format!("{}{subtitle}", section.heading()), width));
    for block in closing {
        match block {
            Block::Text(paragraph) => text += &wrapped(paragraph, width),
            Block::Table(table) if table.is_empty() => {}
            Block::Table(table) => text += &table.terminal(width),
        }
    }
    let missing = section.missing.iter().cloned();
    let verdicts = section.verdicts.iter().map(|verdict| verdict.text.clone());
    let claims = section.claims.iter().map(super::Claim::line);
    missing.chain(verdicts).chain(claims).for_each(|line| text += &wrapped(&line, width));
    section.provenance.warnings().for_each(|warning| text += &wrapped(&format!("warning: {warning}"), width));
    text + &drawn::missing(&section.charts) + &format!("\nfigures, tables and runs are in {}\n", root.display())
}

/// Columns of the terminal that reads standard output; None where there is none.
pub fn terminal_width() -> Option<usize> {
    if !io::stdout().is_terminal() {
        return None;
    }
    terminal_size::terminal_size().map(|(width, _)| usize::from(width.0))
}
