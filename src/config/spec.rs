//! What every run has, whatever it computes.

use crate::files;
use crate::rng::Seed;
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::PathBuf;

/// One run, fully determined: the same specification gives the same bytes.
pub trait Spec: Clone + Serialize + Send + Sync {
    /// The experiment's name.
    fn experiment(&self) -> &str;

    /// Which network.
    fn arm(&self) -> &str;

    /// Everything but arm and seed that tells this run from its neighbours, as part of a path.
    fn point(&self) -> String;

    /// The root of its randomness.
    fn seed(&self) -> Seed;

    /// Steps until it is done, in the unit in which it reports progress.
    fn steps(&self) -> usize;

    /// Roughly proportional to its time.
    fn cost(&self) -> usize;

    /// The same without what its result does not depend on, such as where a file lies.
    fn essence(&self) -> Self {
        self.clone()
    }

    /// Files of other runs that this one reads, below the results directory. What they hold is part of the run's
    /// identity: where it has changed, the run is made again.
    fn inputs(&self) -> Result<Vec<PathBuf>> {
        Ok(Vec::new())
    }

    /// Where the run is kept, below the results directory. The hash keeps other widths, lengths and splits apart.
    fn directory(&self) -> Result<PathBuf> {
        let name = format!("{}-seed{}-{}", self.point(), self.seed().0, &self.hash()?[..8]);
        Ok(PathBuf::from("runs").join(self.experiment()).join(self.arm()).join(name))
    }

    /// SHA-256 of everything that the result depends on, the version of this program included.
    fn hash(&self) -> Result<String> {
        let text = format!("{}{}", env!("CARGO_PKG_VERSION"), self.essence().to_toml()?);
        Ok(files::sha256(text.as_bytes()))
    }

    /// As text; `config.toml` in its directory.
    fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("cannot write the run as TOML")
    }
}
