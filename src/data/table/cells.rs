//! The numbers of a CSV text, and where a mistake in it stands.

use anyhow::{Context, Result, anyhow, bail, ensure};

/// Where a column of larger numbers must be rescaled: what is computed from cells has to stay finite in single precision.
const LARGEST: f64 = 1e30;
/// Columns of the widest table: regression needs more rows than columns. A column takes hundreds of times the bytes of its first
/// cell.
const MOST_COLUMNS: usize = 1 << 14;
/// Characters of a cell in a message: an open quotation mark makes one cell of the rest of a file.
const SHOWN: usize = 30;
/// Text by which programs mark that a value is missing, in lower case.
const MISSING: [&str; 7] = ["", "na", "n/a", "null", "none", "?", "-"];

/// All cells of a file, target and features alike.
#[derive(Debug)]
pub(super) struct Grid {
    /// Names of the columns: those of the header, or `column 1` and so on.
    pub columns: Vec<String>,
    /// (rows, columns), row by row
    pub cells: Vec<f64>,
    /// Whether the header has numbers beside text: it may be a row with a mistake in it.
    pub mixed_header: bool,
}

impl Grid {
    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.cells.len().checked_div(self.columns.len()).unwrap_or(0)
    }

    /// The rows in order.
    pub fn lines(&self) -> impl Iterator<Item = &[f64]> {
        self.cells.chunks_exact(self.columns.len().max(1))
    }

    /// Whether two rows differ in a column.
    pub fn varies(&self, column: usize) -> bool {
        let mut values = self.lines().map(|row| row[column]);
        let first = values.next();
        values.any(|value| Some(value) != first)
    }

    /// Number and name of a column, for messages.
    pub fn label(&self, column: usize) -> String {
        let (numbered, name) = (numbered(column), &self.columns[column]);
        if *name == numbered { numbered } else { format!("{numbered} ({})", shown(name)) }
    }

    /// Reads a text. The first row is a header if one of its cells is text. Cells are separated by tabs if the first row
    /// has one outside quotation marks, else by semicolons, else by commas.
    ///
    /// # Errors
    /// With line and column, when a row has more or fewer cells than the first or a cell is no finite number; and when
    /// there are no rows.
    pub fn parse(text: &str) -> Result<Self> {
        // Spreadsheets begin a file with a mark of the byte order.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let delimiter = delimiter(text);
        let cells = widest(text, delimiter);
        ensure!(cells <= MOST_COLUMNS, "a line has {cells} columns; use at most {MOST_COLUMNS}");
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(delimiter)
            .from_reader(text.as_bytes());
        let mut grid = Self { columns: Vec::new(), cells: Vec::new(), mixed_header: false };
        let mut record = csv::StringRecord::new();
        while reader.read_record(&mut record).context("it cannot be read as CSV")? {
            // A line of blanks.
            if record.len() == 1 && record[0].is_empty() {
                continue;
            }
            if grid.columns.is_empty() {
                let header = record.iter().any(is_text);
                grid.columns = record.iter().enumerate().map(|(column, cell)| name(column, cell, header)).collect();
                if header {
                    grid.mixed_header = record.iter().any(|cell| cell.parse::<f64>().is_ok());
                    continue;
                }
            }
            let start = record.position().map_or(0, csv::Position::byte) as usize;
            grid.add(&record, delimiter).with_context(|| format!("line {}", line(text, start)))?;
        }
        ensure!(!grid.cells.is_empty(), "it has no rows of numbers");
        Ok(grid)
    }

    fn add(&mut self, record: &csv::StringRecord, delimiter: u8) -> Result<()> {
        let (found, expected) = (record.len(), self.columns.len());
        ensure!(found == expected, "it has {found} cells, the first row has {expected}");
        for (column, cell) in record.iter().enumerate() {
            let value = number(cell, delimiter).map_err(|told| anyhow!("{}: {told}", self.label(column)))?;
            self.cells.push(value);
        }
        Ok(())
    }
}

fn numbered(column: usize) -> String {
    format!("column {}", column + 1)
}

/// The name of a column whose first cell is given.
fn name(column: usize, cell: &str, header: bool) -> String {
    if header && !cell.is_empty() { cell.into() } else { numbered(column) }
}

fn is_missing(cell: &str) -> bool {
    MISSING.contains(&cell.to_lowercase().as_str())
}

/// Whether a cell can only stand in a header.
fn is_text(cell: &str) -> bool {
    !is_missing(cell) && cell.parse::<f64>().is_err()
}

fn number(cell: &str, delimiter: u8) -> Result<f64> {
    ensure!(!is_missing(cell), "the value is missing; fill it in or remove the row");
    let Ok(value) = cell.parse::<f64>() else {
        let decimal_comma = delimiter != b',' && cell.contains(',');
        bail!("\"{}\" is not a number{}", shown(cell), if decimal_comma { "; use a decimal point" } else { "" });
    };
    ensure!(value.is_finite(), "\"{}\" is not a finite number", shown(cell));
    ensure!(value.abs() <= LARGEST, "\"{}\" is beyond {LARGEST:e}; rescale the column", shown(cell));
    Ok(value)
}

/// A cell, shortened, without control characters.
fn shown(cell: &str) -> String {
    match cell.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", cell[..end].escape_debug()),
        None => cell.escape_debug().to_string(),
    }
}

fn delimiter(text: &str) -> u8 {
    let (mut quoted, mut found) = (false, b',');
    for character in text.trim_start_matches(['\r', '\n', ' ']).chars() {
        match character {
            '"' => quoted = !quoted,
            '\r' | '\n' if !quoted => break,
            '\t' if !quoted => return b'\t',
            ';' if !quoted => found = b';',
            _ => {}
        }
    }
    found
}

/// Where in a cell a byte stands.
#[derive(Clone, Copy)]
enum Place {
    Start,
    Inside,
    Quoted,
    /// Behind a quotation mark within a quoted cell: its end, or the first of two that stand for one.
    Closed,
}

/// Cells of the longest row. The crate that reads CSV keeps a whole row before it shows it.
fn widest(text: &str, delimiter: u8) -> usize {
    let (mut place, mut cells, mut most) = (Place::Start, 1, 1);
    for byte in text.bytes() {
        place = match (place, byte) {
            (Place::Quoted, b'"') => Place::Closed,
            (Place::Quoted, _) | (Place::Start | Place::Closed, b'"') => Place::Quoted,
            (_, b'\r' | b'\n') => {
                cells = 1;
                Place::Start
            }
            (_, byte) if byte == delimiter => {
                cells += 1;
                most = most.max(cells);
                Place::Start
            }
            _ => Place::Inside,
        };
    }
    most
}

/// The line of a record that starts at a byte, behind line ends if there are any.
pub(in crate::data) fn line(text: &str, start: usize) -> usize {
    let rest = text.get(start..).unwrap_or_default();
    let start = start + (rest.len() - rest.trim_start_matches(['\r', '\n']).len());
    let before = text.get(..start).unwrap_or(text);
    // A line ends with \n, \r\n or, on old machines, \r.
    1 + before.matches(['\r', '\n']).count() - before.matches("\r\n").count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn told(text: &str) -> String {
        format!("{:#}", Grid::parse(text).expect_err("too many columns"))
    }

    #[test]
    fn a_line_of_delimiters_is_refused_whatever_is_quoted_in_it() {
        assert!(told(&(",".repeat(MOST_COLUMNS) + "x\n1,2\n")).contains("16385 columns"));
        assert!(told(&"\"\n\",".repeat(MOST_COLUMNS)).contains("columns"));
        assert!(told(&("a\"".to_string() + &",".repeat(MOST_COLUMNS))).contains("columns"));
        assert!(!told(&format!("\"{}\"\n", ",".repeat(2 * MOST_COLUMNS))).contains("columns;"));
    }

    proptest! {
        #![proptest_config(crate::same_cases())]

        #[test]
        fn cells_are_counted_as_they_are_read(text in "[a\",\r\n ]{0,60}") {
            let mut reader = csv::ReaderBuilder::new().has_headers(false).flexible(true).from_reader(text.as_bytes());
            let most = reader.records().map(|row| row.map_or(0, |row| row.len())).max().unwrap_or(0);
            prop_assert!(most <= widest(&text, b','), "{text:?}");
        }
    }
}
