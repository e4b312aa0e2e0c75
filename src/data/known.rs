//! Every data set of the experiments, images and tables alike, as a list of what is on this machine shows it.

pub use super::found::{Content, Found};

use super::images::{self, Options};
use super::source::Proof;
use super::table;
use anyhow::{Result, ensure};

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
        images::survey(*self, options)
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
