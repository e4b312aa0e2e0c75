//! Every data set of the experiments, images and tables alike, as a list of what is on this machine shows it.

use super::images::{self, Options};
use super::source::Proof;
use super::table;
use anyhow::{Result, ensure};
use std::path::{Path, PathBuf};

/// A data set of any kind.
pub trait Known: Sync {
    /// As it is called on the command line.
    fn name(&self) -> &'static str;

    /// What it consists of.
    fn parts(&self) -> Vec<&'static str>;

    /// Its parts at every place of this machine that has them, read and compared with their hashes. The first place of a
    /// part is the one that an experiment takes.
    ///
    /// # Errors
    /// When the user's directory does not exist.
    fn survey(&self, options: &Options) -> Result<Vec<Found>>;

    /// How to get it where it is missing.
    fn cure(&self) -> String;
}

/// A part of a data set at one place.
#[derive(Debug)]
pub struct Found {
    /// One of [`Known::parts`].
    pub part: &'static str,
    /// The file; none for what is inside the program, or in several files.
    pub path: Option<PathBuf>,
    /// The place in words, where there is no file.
    pub words: String,
    /// What was found, or why it cannot be used.
    pub state: Result<Content>,
}

impl Found {
    /// Whether a directory that should hold it lacks its file.
    pub fn is_absent(&self) -> bool {
        // A part in an archive has a path through it.
        let is_nowhere = |path: &PathBuf| !path.exists() && !path.parent().is_some_and(Path::is_file);
        self.state.is_err() && self.path.as_ref().is_some_and(is_nowhere)
    }
}

/// A part that can be used.
#[derive(Debug)]
pub struct Content {
    /// Images, labels or rows.
    pub count: usize,
    /// Whether it is the original.
    pub proof: Proof,
    /// What else there is to say; may be empty.
    pub note: String,
}

/// Every data set. A new one is an entry here.
pub fn all() -> Vec<&'static dyn Known> {
    let images = images::Dataset::ALL.iter().map(|dataset| dataset as &dyn Known);
    images.chain(table::Dataset::ALL.iter().map(|dataset| dataset as &dyn Known)).collect()
}

impl Known for images::Dataset {
    fn name(&self) -> &'static str {
        (*self).name()
    }

    fn parts(&self) -> Vec<&'static str> {
        images::Part::ALL.map(images::Part::name).into()
    }

    fn survey(&self, options: &Options) -> Result<Vec<Found>> {
        let place = |finding: images::Finding| {
            let published = self.pin(finding.part).count;
            let content = |found: images::Found| {
                let other = found.proof == Proof::Unpinned && found.count != published;
                let note = if other { format!(" ({published} were published)") } else { String::new() };
                Content { count: found.count, proof: found.proof, note }
            };
            Found {
                part: finding.part.name(),
                words: finding.origin.to_string(),
                path: finding.path,
                state: finding.state.map(content),
            }
        };
        Ok(images::survey(*self, options)?.into_iter().map(place).collect())
    }

    fn cure(&self) -> String {
        let command = images::command(*self);
        match self {
            Self::Mnist | Self::FashionMnist | Self::Cifar10 => format!("`{command}` gets it"),
            Self::Cifar100 => format!("`{command}` gets it from the hub"),
            Self::Stl10 | Self::Imagenet32 => "--data-dir reads its published files".into(),
        }
    }
}

impl Known for table::Dataset {
    fn name(&self) -> &'static str {
        (*self).name()
    }

    fn parts(&self) -> Vec<&'static str> {
        vec!["table"]
    }

    fn survey(&self, options: &Options) -> Result<Vec<Found>> {
        let directory = options.directory.as_deref();
        if let Some(directory) = directory {
            ensure!(directory.is_dir(), "--data-dir {}: no such directory", directory.display());
        }
        let path = directory.filter(|_| !self.is_embedded()).map(|directory| self.file(directory));
        if !self.is_embedded() && !path.as_ref().is_some_and(|path| path.exists()) {
            return Ok(Vec::new());
        }
        let content = |table: table::Table| Content {
            count: table.rows(),
            proof: Proof::Verified,
            note: format!(" ({} features)", table.columns.len()),
        };
        let state = self.read(directory).map(content);
        Ok(vec![Found { part: "table", path, words: "inside the program".into(), state }])
    }

    fn cure(&self) -> String {
        "--data-dir reads the authors' CSV file".into()
    }
}
