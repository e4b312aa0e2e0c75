//! Charts on disk, and the reasons why some are not there.

use crate::console;
use crate::engine::runs::Store;
use crate::figure::Image;
use crate::files;
use anyhow::{Context, Result};
use std::fmt::Write;
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
pub(super) struct Drawn {
    pub title: &'static str,
    pub file: String,
    pub result: Result<(), String>,
}

/// Saves every chart; one that cannot be drawn says why and does not keep the others back.
pub(super) fn save(store: &Store, experiment: &str, charts: Vec<Chart>) -> Result<Vec<Drawn>> {
    let directory = store.root().join("figures");
    fs::create_dir_all(&directory).with_context(|| format!("--out: cannot make {}", directory.display()))?;
    let drawn = charts.into_iter().map(|Chart { title, name, image }| {
        let file = format!("{experiment}-{name}.png");
        let path = directory.join(&file);
        let vectors = path.with_extension("svg");
        // A chart of an earlier command would be taken for one of this.
        let _ = fs::remove_file(&vectors);
        let written = image.map(|image| {
            let written = files::write_with(&path, |temporary| image.save(temporary)).and_then(|()| {
                if store.svg() { files::write(&vectors, image.svg.as_bytes()).map_err(Into::into) } else { Ok(()) }
            });
            written.inspect_err(|reason| {
                console::lost(&format!("cannot write {}: {reason:#}", path.display()));
            })
        });
        let result = written.and_then(|written| written).map_err(|reason| {
            let _ = fs::remove_file(&path);
            format!("{reason:#}")
        });
        Drawn { title, file, result }
    });
    Ok(drawn.collect())
}

/// Links to the charts, or why they are missing, as Markdown.
pub(super) fn markdown(drawn: &[Drawn]) -> String {
    let mut text = String::new();
    for figure in drawn {
        // Writing to a string cannot fail.
        let _ = match &figure.result {
            Ok(()) => writeln!(text, "![{}](figures/{})\n", figure.title, figure.file),
            Err(reason) => writeln!(text, "{} is not drawn: {reason}\n", figure.title),
        };
    }
    text
}

/// What is missing, for the terminal.
pub(super) fn missing(drawn: &[Drawn]) -> String {
    let line = |figure: &Drawn| figure.result.as_ref().err().map(|why| format!("not drawn: {}: {why}\n", figure.file));
    drawn.iter().filter_map(line).collect()
}
