//! Charts on disk, and the reasons why some are not there.

use crate::console;
use crate::engine::runs::Store;
use crate::figure::Image;
use crate::files;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;

/// A chart to be saved, or why it cannot be drawn.
pub struct Chart {
    /// Its alternative text.
    pub title: &'static str,
    /// What its file's name ends with.
    pub name: &'static str,
    pub image: Result<Image>,
}

/// A chart on disk, or why there is none.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Drawn {
    pub title: String,
    /// In `figures/`.
    pub file: String,
    /// Pixels across and down.
    pub size: (usize, usize),
    pub missing: Option<String>,
}

/// Saves every chart, under a stamp if there is one; one that cannot be drawn says why and does not keep the others back.
pub(super) fn save(store: &Store, experiment: &str, charts: Vec<Chart>, stamp: Option<&str>) -> Result<Vec<Drawn>> {
    let directory = store.root.join("figures");
    fs::create_dir_all(&directory).with_context(|| format!("--out: cannot make {}", directory.display()))?;
    let drawn = charts.into_iter().map(|Chart { title, name, image }| {
        let file = format!("{experiment}-{name}.png");
        let path = directory.join(&file);
        let image = image.and_then(|image| match stamp {
            Some(stamp) => image.stamped(stamp),
            None => Ok(image),
        });
        let size = image.as_ref().map_or((0, 0), |image| (image.width, image.height));
        let vectors = path.with_extension("svg");
        // A chart of an earlier command would be taken for one of this.
        let _ = fs::remove_file(&vectors);
        let written = image.map(|image| {
            let written = files::write_with(&path, |temporary| image.save(temporary)).and_then(|()| {
                if store.svg { files::write(&vectors, image.svg.as_bytes()).map_err(Into::into) } else { Ok(()) }
            });
            written.inspect_err(|reason| {
                console::lost(&format!("cannot write {}: {}", path.display(), console::one_line(reason)));
            })
        });
        let missing = written.and_then(|written| written).err().map(|reason| {
            // A chart of an earlier command would be taken for one of this.
            let _ = fs::remove_file(&path);
            format!("{reason:#}")
        });
        Drawn { title: title.into(), file, size, missing }
    });
    Ok(drawn.collect())
}

impl Drawn {
    /// A link to it from so deep below the results directory, or why it is missing, as Markdown.
    pub fn markdown(&self, up: &str) -> String {
        match &self.missing {
            None => format!("![{}]({up}figures/{})\n", self.title, self.file),
            Some(reason) => format!("{} is not drawn: {reason}\n", self.title),
        }
    }
}

/// What is missing, for the terminal.
pub(super) fn missing(drawn: &[Drawn]) -> String {
    let line = |figure: &Drawn| figure.missing.as_ref().map(|why| format!("not drawn: {}: {why}\n", figure.file));
    drawn.iter().filter_map(line).collect()
}
