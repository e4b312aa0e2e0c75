//! `splice.toml`: short names of rows, and which tables are made of which rows and columns.

use crate::engine::cite::{Results, parted};
use crate::engine::page::Table;
use crate::files;
use anyhow::{Context, Result};
use serde::Deserialize;
use std::collections::BTreeMap;
use std::path::Path;

/// The file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Recipe {
    /// Names of sources, to be used in their place.
    #[serde(default)]
    pub(super) from: BTreeMap<String, String>,
    #[serde(default)]
    table: BTreeMap<String, TableRecipe>,
}

/// A table of Markdown. A cell is from the sources of table, row and column together.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct TableRecipe {
    from: String,
    /// Headings of the columns of words.
    labels: Vec<String>,
    /// Those words, and last the source.
    rows: Vec<Vec<String>>,
    /// Heading, and `SOURCE: TEMPLATE` or the template alone.
    columns: Vec<(String, String)>,
    /// Whether a cell is empty where the file has no row for it.
    #[serde(default)]
    gaps: bool,
}

impl Recipe {
    /// The one beside a Markdown file; an empty one where there is none.
    pub(super) fn beside(document: &Path) -> Result<Self> {
        let path = files::parent(document).join("splice.toml");
        let read =
            files::if_there(files::read_text(&path)).with_context(|| format!("cannot read {}", path.display()))?;
        read.map_or_else(
            || Ok(Self::default()),
            |text| toml::from_str(&text).with_context(|| format!("{} is not a recipe for tables", path.display())),
        )
    }

    pub(super) fn table(&self, name: &str) -> Result<&TableRecipe> {
        let known = || match self.table.is_empty() {
            true => "none (splice.toml is looked for beside the document)".into(),
            false => self.table.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
        };
        self.table.get(name).with_context(|| format!("splice.toml has no [table.{name}]; it has {}", known()))
    }
}

impl TableRecipe {
    pub(super) fn render(&self, results: &Results<'_>) -> Result<Table> {
        let headings = self.labels.iter().chain(self.columns.iter().map(|(heading, _)| heading));
        let mut table = Table::new(headings);
        for row in &self.rows {
            let (labels, source) = row.split_at(self.labels.len().min(row.len()));
            let [source] = source else {
                anyhow::bail!("splice.toml: the row {row:?} is not {} labels and a source", self.labels.len())
            };
            let cell = |(heading, said): &(String, String)| {
                let (also, template) = parted(said);
                let source = format!("{} {source} {also}", self.from);
                let gap = self.gaps && results.rows(&source).is_ok_and(|found| found.rows.is_empty());
                if gap { Ok(String::new()) } else { results.render(&source, template) }
                    .with_context(|| format!("row {:?}, column {heading:?}", labels.join(", ")))
            };
            let cells = self.columns.iter().map(cell).collect::<Result<Vec<_>>>()?;
            table.row(labels.iter().cloned().chain(cells));
        }
        Ok(table)
    }
}
