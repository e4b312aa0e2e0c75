//! Flags for weights files that do not say enough about themselves.

use crate::console::note;
use crate::model::weights::{self, Assignment, Hints};
use crate::nn::Parameters;
use anyhow::{Context, Result, ensure};
use clap::Args;
use std::path::{Path, PathBuf};

/// The accuracy up to which weights were probably misread: five times that of guessing one of so many classes.
pub fn suspicious(classes: usize) -> f64 {
    5.0 / classes.max(10) as f64
}

/// What the user says about a weights file.
#[derive(Debug, Clone, Default, Args)]
pub struct Foreign {
    /// Which set of weights to use, if a file of --weights holds several: its key, or KEY.KEY within another dictionary
    #[arg(long, requires = "weights", value_name = "KEY")]
    key: Option<String>,
    /// The modules of a --weights file, by name or path, in the order in which they run; needed if the file has lost the
    /// order of its layers
    #[arg(long, requires = "weights", value_delimiter = ',', value_name = "KEY,..")]
    order: Vec<String>,
    /// A file that assigns tensors or layers of --weights to those of the model, one line MODEL_NAME = FILE_NAME each
    #[arg(long, requires = "weights", value_name = "FILE")]
    map: Option<PathBuf>,
    /// Report on standard error which tensor of --weights was loaded as which of the model
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

/// Warns of weights that score no better than those of another network, which is up to an accuracy of `least`.
pub fn doubt(name: &str, accuracy: f64, least: f64, inputs: &str) {
    if accuracy <= least {
        note(&format!(
            "warning: {name}: an accuracy of {:.2} % is not above {:.2} %; the network that was trained probably has another \
             activation, another order of layers (--order, --map) or other inputs than {inputs}",
            100.0 * accuracy,
            100.0 * least,
        ));
    }
}

fn tell(assignment: &Assignment) {
    for placed in &assignment.placed {
        note(&format!("{} {:?} <- {}", placed.name, placed.shape, placed.from));
    }
    assignment.left_aside.iter().for_each(|name| note(&format!("{name} is left aside")));
}

#[cfg(test)]
mod tests {
    #[test]
    fn more_classes_are_harder_to_guess() {
        assert_eq!([2, 10, 100, 1000].map(super::suspicious), [0.5, 0.5, 0.05, 0.005]);
    }
}
