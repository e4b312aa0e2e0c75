//! What every run has, whatever it computes.

use crate::files;
use crate::rng::Seed;
use anyhow::{Context, Result};
use serde::Serialize;
use std::path::PathBuf;

/// Most bytes of a part of a run's path: file systems take 255, and what is being written has a longer name for a while.
const LONGEST: usize = 199;

/// As much of a text as fits. What was cut off still counts in the hash.
fn cut(text: &str, most: usize) -> &str {
    &text[..text.floor_char_boundary(most)]
}

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
        let end = format!("-seed{}-{}", self.seed().0, &self.hash()?[..8]);
        let name = format!("{}{end}", cut(&self.point(), LONGEST - end.len()));
        Ok(PathBuf::from("runs").join(cut(self.experiment(), LONGEST)).join(cut(self.arm(), LONGEST)).join(name))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Serialize)]
    struct Named(String);

    impl Spec for Named {
        fn experiment(&self) -> &str {
            &self.0
        }

        fn arm(&self) -> &str {
            &self.0
        }

        fn point(&self) -> String {
            format!("{}-lr0.05", self.0)
        }

        fn seed(&self) -> Seed {
            Seed(u64::MAX)
        }

        fn steps(&self) -> usize {
            1
        }

        fn cost(&self) -> usize {
            1
        }

        fn to_toml(&self) -> Result<String> {
            Ok(self.0.clone())
        }
    }

    #[test]
    fn no_part_of_a_path_is_too_long_and_short_names_stay_as_they_are() -> Result<()> {
        let short = Named("hannet".into()).directory()?;
        assert!(short.starts_with("runs/hannet/hannet"), "{}", short.display());
        let name = short.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        assert!(name.starts_with("hannet-lr0.05-seed18446744073709551615-"), "{name}");
        let (one, other) = (Named("é".repeat(300)).directory()?, Named("é".repeat(301)).directory()?);
        assert!(one.iter().all(|part| part.len() < 200), "{}", one.display());
        assert_ne!(one, other);
        Ok(())
    }
}
