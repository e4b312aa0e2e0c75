//! Tables in Markdown.

use std::fmt::Write;

/// Begins a table.
pub(super) fn head<Cell: AsRef<str>>(text: &mut String, columns: &[Cell]) {
    row(text, columns);
    // Writing to a string cannot fail.
    let _ = writeln!(text, "|{}", " --- |".repeat(columns.len()));
}

/// Adds a row to a table.
pub(super) fn row<Cell: AsRef<str>>(text: &mut String, cells: &[Cell]) {
    let cells: Vec<String> = cells.iter().map(|cell| escaped(cell.as_ref())).collect();
    let _ = writeln!(text, "| {} |", cells.join(" | "));
}

/// The text of a cell: a bar or a new line would end it, and a backslash before a bar would set it free again.
fn escaped(cell: &str) -> String {
    cell.replace('\\', "\\\\").replace('|', "\\|").replace(['\r', '\n'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_ends_before_its_end() {
        let mut text = String::new();
        head(&mut text, &["model", "accuracy"]);
        row(&mut text, &["FCNet, |.|", "99.5"].map(String::from));
        row(&mut text, &["a\\|b\nc", ""]);
        assert_eq!(text, "| model | accuracy |\n| --- | --- |\n| FCNet, \\|.\\| | 99.5 |\n| a\\\\\\|b c |  |\n");
    }
}
