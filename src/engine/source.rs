//! Where a command takes its data from.

use crate::console::note;
use crate::data::images::{self, Dataset, ImageData, Network, Options};
use anyhow::{Result, ensure};
use clap::Args;
use std::path::PathBuf;

/// A directory of the user's.
#[derive(Debug, Clone, Default, Args)]
pub struct Place {
    /// Directory with the published files of a data set, directly or in a subdirectory mnist, fashion-mnist, cifar10 and so
    /// on: IDX files (plain or .gz, also in torchvision's MNIST/raw), the binary files of CIFAR and STL-10, the batches for
    /// Python of CIFAR and ImageNet 32 x 32, ImageNet's .npz batches, the .tar.gz or .zip that any of these came in, the hub's
    /// parquet files, or the authors' CSV files of tables, bikesharing.csv and so on. No other source is used then [default: the variable HAN_EXP_DATA]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
}

/// A directory of the user's, and whether the network may be asked.
#[derive(Debug, Clone, Default, Args)]
pub struct Source {
    #[command(flatten)]
    place: Place,
    /// Work offline, using only local data; so does the variable HF_HUB_OFFLINE=1
    #[arg(long)]
    offline: bool,
    /// Whether several experiments read from the directory: it may lack the tables of numbers.
    #[arg(skip)]
    is_shared: bool,
}

impl Place {
    /// The directory, from the flag or the variable.
    pub fn directory(&self) -> Option<PathBuf> {
        let variable = || std::env::var_os("HAN_EXP_DATA").filter(|value| !value.is_empty()).map(PathBuf::from);
        self.data_dir.clone().or_else(variable)
    }

    /// For looking around on this machine.
    pub fn options(&self) -> Options {
        let tell = |line: &str| note(line);
        Options { directory: self.directory(), network: Network::Forbidden, tell, ..Options::default() }
    }
}

impl Source {
    /// The directory, from the flag or the variable.
    pub fn directory(&self) -> Option<PathBuf> {
        self.place.directory()
    }

    /// For several experiments.
    pub fn shared(&self) -> Self {
        Self { is_shared: true, ..self.clone() }
    }

    /// Whether the directory was named for one experiment, whose files have to be in it.
    pub fn must_have_all(&self) -> bool {
        self.place.data_dir.is_some() && !self.is_shared
    }

    /// For [`images::load`]; what is found and what fails is told on standard error.
    pub fn options(&self) -> Options {
        let network = if self.offline || hub_is_offline() { Network::Forbidden } else { Network::Allowed };
        Options { network, ..self.place.options() }
    }

    /// The images that a run was made on, and their hash; `name` is the data set's name, or sample, for
    /// which nothing is looked for unless the user names a directory.
    pub fn images_of_run(&self, dataset: Dataset, name: &str, sha256: &str) -> Result<(ImageData, String)> {
        let sample =
            if name == "sample" && self.place.data_dir.is_none() { images::sample::read(dataset) } else { None };
        let data = sample.unwrap_or_else(|| images::load(dataset, &self.options()))?;
        let found = data.name();
        ensure!(
            found == name,
            "the run was made on {name}, but only {found} is available here; see `han-exp data status`"
        );
        let hash = data.hash();
        // Runs of versions before 0.6.0 do not say what they were made on.
        let same = sha256.is_empty() || hash == sha256;
        ensure!(same, "the run was made on other images of {name}: their SHA-256 is {sha256}, here it is {hash}");
        Ok((data, hash))
    }
}

/// Whether the hub's own variable forbids the network, in the values that the hub's client takes for yes.
fn hub_is_offline() -> bool {
    let value = std::env::var("HF_HUB_OFFLINE").unwrap_or_default().to_uppercase();
    ["1", "ON", "YES", "TRUE"].contains(&value.as_str())
}
