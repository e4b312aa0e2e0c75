//! What every run has, whatever it computes.

use crate::files;
use crate::rng::Seed;
use anyhow::{Context, Result};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::path::PathBuf;

/// Most bytes of a part of a run's path: file systems take 255, and what is being written has a longer name for a while.
const LONGEST: usize = 199;

/// Hexadecimal digits of the hash that name a run in CSV files.
const DIGITS: usize = 16;

/// The column `run` of a run with that hash.
pub(super) fn key(hash: &str) -> &str {
    &hash[..DIGITS]
}

/// As much of a text as fits. What was cut off still counts in the hash.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

/// What tables say of a run beside its names.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Details {
    pub recipe: Option<String>,
    /// What for: selection, full, attack and the like.
    pub phase: Option<String>,
    /// Base learning rate.
    pub learning_rate: Option<f64>,
    /// Of the hidden layers, or channels.
    pub width: Option<usize>,
    /// Hidden layers, or blocks.
    pub depth: Option<usize>,
    /// How much there is to do, in words.
    pub work: String,
}

/// One run, fully determined: the same specification gives the same bytes.
pub trait Spec: Clone + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// Raised when the code changes what a run of this kind computes: part of the hash.
    const REVISION: &'static str;
    /// Raised when the files of a run of this kind get other columns: runs with others are made again.
    const SCHEMA: u32;
    /// A key that no other kind of run has in its `config.toml`.
    const KEY: &'static str;
    /// Seconds for a unit of [`Spec::cost`] on a usual processor, for an estimate before any run was made.
    const SECONDS: f64;

    fn experiment(&self) -> &str;

    fn arm(&self) -> &str;

    /// Everything but arm and seed that tells this run from its neighbours, as part of a path.
    fn point(&self) -> String;

    /// The root of its randomness.
    fn seed(&self) -> Seed;

    /// Kind of device, cpu or cuda.
    fn device(&self) -> &str;

    fn details(&self) -> Details;

    /// Why it cannot be made, if so; a plan's runs can.
    fn problem(&self) -> Option<String>;

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
        self.hash().map(|hash| self.place(&hash))
    }

    /// The same where the hash is known.
    fn place(&self, hash: &str) -> PathBuf {
        place([self.experiment(), self.arm(), &self.point()], self.seed(), hash)
    }

    /// SHA-256 of everything that the result depends on, the revision of its kind included.
    fn hash(&self) -> Result<String> {
        let text = format!("{}{}", Self::REVISION, self.essence().to_toml()?);
        Ok(files::sha256(text.as_bytes()))
    }

    /// The beginning of the hash: the column `run` of every CSV file.
    fn key(&self) -> Result<String> {
        self.hash().map(|hash| key(&hash).to_string())
    }

    /// As text; `config.toml` in its directory.
    fn to_toml(&self) -> Result<String> {
        toml::to_string(self).context("cannot write the run as TOML")
    }
}

/// Where a run with that hash is kept, below the results directory.
fn place([experiment, arm, point]: [&str; 3], seed: Seed, hash: &str) -> PathBuf {
    let end = format!("-seed{}-{}", seed.0, &hash[..8]);
    let name = format!("{}{end}", cut(point, LONGEST - end.len()));
    PathBuf::from("runs").join(cut(experiment, LONGEST)).join(cut(arm, LONGEST)).join(name)
}

/// The methods of [`Spec`] that read a field of the same name.
macro_rules! common_fields {
    () => {
        fn experiment(&self) -> &str {
            &self.experiment
        }

        fn arm(&self) -> &str {
            &self.arm
        }

        fn seed(&self) -> $crate::rng::Seed {
            self.seed
        }

        fn device(&self) -> &str {
            &self.device
        }
    };
}
pub(crate) use common_fields;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_part_of_a_path_is_too_long_and_short_names_stay_as_they_are() {
        let of = |name: &str| {
            let hash = files::sha256(name.as_bytes());
            place([name, name, &format!("{name}-lr0.05")], Seed(i64::MAX as u64), &hash)
        };
        let short = of("hannet");
        assert!(short.starts_with("runs/hannet/hannet"), "{}", short.display());
        let name = short.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        assert!(name.starts_with("hannet-lr0.05-seed9223372036854775807-"), "{name}");
        let (one, other) = (of(&"é".repeat(300)), of(&"é".repeat(301)));
        assert!(one.iter().all(|part| part.len() < 200), "{}", one.display());
        assert_ne!(one, other);
    }
}
