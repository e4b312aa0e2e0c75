//! Tables, for Markdown and for a terminal.

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt::Write;

/// A table of words and numbers.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Table {
    /// The paragraph above it.
    #[serde(default)]
    pub(super) caption: String,
    /// Whether the short report shows it too.
    pub(super) main: bool,
    pub(super) columns: Vec<String>,
    pub(super) rows: Vec<Vec<String>>,
    /// Columns that a narrow terminal does without first.
    #[serde(skip)]
    pub(super) yielding: &'static [&'static str],
}

/// Reads a table of a file, which may have been damaged.
pub(super) fn whole<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Table, D::Error> {
    let table = Table::deserialize(deserializer)?;
    let is_whole = !table.columns.is_empty() && table.rows.iter().all(|row| row.len() == table.columns.len());
    if is_whole { Ok(table) } else { Err(D::Error::custom("a row of a table lacks a cell")) }
}

impl Table {
    /// Without rows; the names of the columns with commas between them.
    pub fn with(columns: &str) -> Self {
        Self::new(columns.split(", "))
    }

    /// Without rows.
    pub fn new<C: Into<String>>(columns: impl IntoIterator<Item = C>) -> Self {
        Self { columns: columns.into_iter().map(Into::into).collect(), ..Self::default() }
    }

    pub fn row<C: Into<String>>(&mut self, cells: impl IntoIterator<Item = C>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// One of the tables that a reader wants first.
    #[must_use]
    pub fn main(self) -> Self {
        Self { main: true, ..self }
    }

    /// The same, of which a terminal too narrow for it leaves out these columns first.
    #[must_use]
    pub fn yielding(self, yielding: &'static [&'static str]) -> Self {
        Self { yielding, ..self }
    }

    /// The same without the columns in which no row has anything but a dash.
    #[must_use]
    pub fn without_empty(mut self, optional: &[&str]) -> Self {
        for place in (0..self.columns.len()).rev() {
            let nothing = |row: &Vec<String>| matches!(row[place].as_str(), "" | "-" | "0");
            if optional.contains(&self.columns[place].as_str()) && self.rows.iter().all(nothing) {
                self.columns.remove(place);
                self.rows.iter_mut().for_each(|row| drop(row.remove(place)));
            }
        }
        self
    }

    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// As Markdown, with at most so many rows.
    pub fn markdown(&self, most: usize) -> String {
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| escaped(cell)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rows: String = self.rows.iter().take(most).map(|row| line(row)).collect();
        format!("{}|{}\n{rows}", line(&self.columns), " --- |".repeat(self.columns.len()))
    }

    /// For a terminal that has so many columns. Where the table is wider, columns go, those that yield first and then from its
    /// middle, and are named below.
    pub fn terminal(&self, width: Option<usize>) -> String {
        let mut kept: Vec<usize> = (0..self.columns.len()).collect();
        let most = width.unwrap_or(usize::MAX);
        let total = |kept: &[usize]| kept.iter().map(|place| self.width(*place) + 1).sum::<usize>().saturating_sub(1);
        while total(&kept) > most && kept.len() > 2 {
            let is = |name: &&str| kept.iter().position(|&place| self.columns[place] == *name);
            let at = self.yielding.iter().find_map(is).unwrap_or(kept.len() / 2);
            kept.remove(at);
        }
        // A name longer than the whole line loses its end.
        let excess = total(&kept).saturating_sub(most);
        let width_of = |place: usize| self.width(place) - if place == 0 { excess.min(self.width(0) - 1) } else { 0 };
        let mut text = String::new();
        let mut line = |cells: &[String]| {
            let cells = kept.iter().map(|&place| {
                let (cell, width) = (shortened(&cells[place], width_of(place)), width_of(place));
                if self.is_number(place) { format!("{cell:>width$}") } else { format!("{cell:width$}") }
            });
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(" ").trim_end());
        };
        line(&self.columns);
        let rule: Vec<String> = (0..self.columns.len()).map(|place| "-".repeat(self.width(place))).collect();
        line(&rule);
        self.rows.iter().for_each(|row| line(row));
        let dropped = self.columns.iter().enumerate().filter(|(place, _)| !kept.contains(place));
        let dropped: Vec<&str> = dropped.map(|(_, name)| name.as_str()).collect();
        if !dropped.is_empty() {
            let told = format!("for want of room without: {}", dropped.join(", "));
            text += &super::wrapped(&told, width);
        }
        text
    }

    fn width(&self, place: usize) -> usize {
        let cells = self.rows.iter().map(|row| &row[place]).chain([&self.columns[place]]);
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    }

    /// Whether a column holds numbers, which end below one another. They have units and "to" in them, and no longer words: "4 mixer"
    /// is a name.
    pub(super) fn is_number(&self, place: usize) -> bool {
        let short = |cell: &str| cell.split(|c: char| !c.is_alphabetic()).all(|word| word.len() <= 3);
        let number = |cell: &String| {
            cell.is_empty() || cell.starts_with(|c: char| c.is_ascii_digit() || "-+<~".contains(c)) && short(cell)
        };
        place > 0 && self.rows.iter().all(|row| number(&row[place]))
    }
}

/// As much of a cell as fits.
fn shortened(cell: &str, width: usize) -> String {
    if cell.chars().count() <= width {
        return cell.to_string();
    }
    let kept: String = cell.chars().take(width.saturating_sub(2)).collect();
    format!("{kept}..")
}

/// The text of a cell: a bar or a new line would end it, a backslash before a bar would set it free again, and what follows
/// `<` might be taken for a tag. In code a backslash and `<` stand for themselves.
fn escaped(cell: &str) -> String {
    let is_code = cell.starts_with('`');
    let text = cell.replace(['\r', '\n'], " ");
    // Where a bar follows, a doubled backslash in code is the lesser evil: no cell ends before its end.
    let text = if is_code && !text.contains("\\|") { text } else { text.replace('\\', "\\\\") };
    let text = text.replace('|', "\\|");
    if is_code { text } else { text.replace('<', "\\<") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_cell_ends_before_its_end() {
        let mut table = Table::new(["model", "accuracy"]);
        table.row(["FCNet, |.|", "99.5"]);
        table.row(["a\\|b\nc", "<b>"]);
        table.row(["`a<b`", ""]);
        assert_eq!(
            table.markdown(usize::MAX),
            "| model | accuracy |\n| --- | --- |\n| FCNet, \\|.\\| | 99.5 |\n| a\\\\\\|b c | \\<b> |\n| `a<b` |  |\n"
        );
    }

    #[test]
    fn in_code_only_bars_are_escaped() {
        for (cell, written) in [
            (r"`--data-dir C:\data`", r"`--data-dir C:\data`"),
            (r"C:\data", r"C:\\data"),
            ("`a|b<c`", r"`a\|b<c`"),
            (r"`a\|b`", r"`a\\\|b`"),
        ] {
            assert_eq!(escaped(cell), written);
        }
    }

    #[test]
    fn a_table_of_a_file_has_a_cell_for_every_column() {
        let table = |rows: &str| {
            let text = format!(r#"{{"caption": "c", "main": true, "columns": ["a", "b"], "rows": {rows}}}"#);
            whole(&mut serde_json::Deserializer::from_str(&text)).map_err(|error| error.to_string())
        };
        let read = table(r#"[["1", "2"]]"#).expect("a table");
        assert_eq!(
            serde_json::from_str::<Table>(&serde_json::to_string(&read).expect("JSON")).expect("it").rows,
            read.rows
        );
        assert!(table(r#"[["1", "2"], ["1"]]"#).expect_err("a short row").contains("lacks a cell"));
        assert!(table(r#"[["1", "2", "3"]]"#).is_err());
    }

    #[test]
    fn a_terminal_gets_what_fits() {
        let mut table = Table::new(["model", "parameters", "mean", "worst"]);
        table.row(["HanNet", "3032", "99.50 +- 0.10", "99.1"]);
        table.row(["größer", "51002", "-", "7"]);
        let wide = table.terminal(None);
        assert_eq!(
            wide,
            "model  parameters          mean worst\n------ ---------- ------------- -----\n\
             HanNet       3032 99.50 +- 0.10  99.1\ngrößer      51002             -     7\n"
        );
        for width in [20, 25, 30, 36] {
            let told = table.terminal(Some(width));
            assert!(told.lines().all(|line| line.chars().count() <= width), "{width}\n{told}");
            assert!(told.contains("worst") && told.contains("99.1"), "{told}");
        }
        assert!(table.terminal(Some(25)).contains("without:"));
        assert_eq!(table.terminal(Some(37)), wide);
        let narrow = table.yielding(&["worst", "parameters"]).terminal(Some(30));
        assert!(narrow.starts_with("model           mean\n"), "{narrow}");
        assert!(narrow.ends_with("without:\n  parameters, worst\n"), "{narrow}");
    }

    #[test]
    fn names_that_begin_with_a_digit_are_no_numbers() {
        let mut table = Table::new(["network", "less", "difference", "time"]);
        table.row(["4 mixer + 12 Han", "4 mixer", "-0.99 +- 0.98 (-2.20 to 0.22)", "1 h 40 min"]);
        table.row(["8 mixer", "4 mixer", "-", ""]);
        assert_eq!([0, 1, 2, 3].map(|place| table.is_number(place)), [false, false, true, true]);
    }

    #[test]
    fn an_optional_column_without_anything_goes() {
        let mut table = Table::new(["model", "diverged", "paper"]);
        table.row(["a", "0", "-"]);
        let table = table.without_empty(&["diverged", "paper"]);
        assert_eq!(table.columns, ["model"]);
    }
}
