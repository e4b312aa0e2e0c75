//! Flags for weights files that do not say enough about themselves.

use crate::console::note;
use crate::model::weights::{self, Assignment, Hints};
use crate::nn::Parameters;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::{Path, PathBuf};

/// Accuracies below it are those of weights that were misread.
const SUSPICIOUS: f64 = 0.5;

/// What the user says about a weights file.
#[derive(Debug, Clone, Default, Args)]
pub struct Foreign {
    /// Where a file of --weights holds several sets of weights: the key of one, KEY.KEY within another dictionary
    #[arg(long, requires = "weights", value_name = "KEY")]
    key: Option<String>,
    /// Where a file of --weights has lost the order of its layers: its modules, by name or path, in the order in which they
    /// run
    #[arg(long, requires = "weights", value_delimiter = ',', value_name = "KEY,..")]
    order: Vec<String>,
    /// Which tensor or layer of --weights is which of the model: a file with a line MODEL_NAME = FILE_NAME for each
    #[arg(long, requires = "weights", value_name = "FILE")]
    map: Option<PathBuf>,
    /// Say on standard error which tensor of --weights became which of the model
    #[arg(long, requires = "weights")]
    verbose: bool,
}

/// The file of `--weights`, or that in the directory of a run.
pub fn weights_at(given: &Path) -> Result<PathBuf> {
    let path = weights::file_at(given);
    ensure!(path.exists(), "--weights {}: there is no such file", path.display());
    Ok(path)
}

impl Foreign {
    /// What the flags say about a file.
    pub fn hints(&self) -> Result<Hints> {
        let map = self.map.as_deref().map(Hints::read_map).transpose()?.unwrap_or_default();
        Ok(Hints { key: self.key.clone(), order: self.order.clone(), map })
    }

    /// Sets the parameters of a model from a file.
    pub fn load(&self, parameters: &Parameters, path: &Path, hints: &Hints) -> Result<()> {
        let assignment = weights::load_with(parameters, weights::read(path)?, hints);
        let assignment = assignment.with_context(|| format!("--weights {}", path.display()))?;
        if self.verbose {
            tell(&assignment);
        }
        Ok(())
    }
}

/// Warns of weights that score as if they had been trained for another network.
pub fn doubt(name: &str, accuracy: f64, inputs: &str) {
    if accuracy < SUSPICIOUS {
        note(&format!(
            "warning: {name}: an accuracy of {:.2} % is below {:.0} %; the network that was trained probably has another \
             activation, another order of layers (--order, --map) or other inputs than {inputs}",
            100.0 * accuracy,
            100.0 * SUSPICIOUS,
        ));
    }
}

fn tell(assignment: &Assignment) {
    for placed in &assignment.placed {
        note(&format!("{} {:?} <- {}", placed.name, placed.shape, placed.from));
    }
    assignment.left_aside.iter().for_each(|name| note(&format!("{name} is left aside")));
}
