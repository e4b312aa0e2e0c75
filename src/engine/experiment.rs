//! What a kind of experiment says about itself.

use super::compare::Contender;
use super::page::Page;
use super::runs::{Exit, Rerun, Walk};
use super::settings::{File, Flag};
use super::source::Source;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A kind of experiments: from the file to the page. A value of it is an experiment file that was checked, the only thing
/// that can run.
pub trait Experiment: Sized + Sync + 'static {
    /// What its files say.
    type File: File;
    /// Flags that are no settings: where weights are from, what is exported. `()` where there are none.
    type Extra: Args + Clone;
    /// What is read before any run: images, tables. `()` where nothing is.
    type Data;
    /// What only data or weights can add to the list of runs: counts, hashes. It is noted, so that a report needs no data.
    type Facts: Serialize + DeserializeOwned;
    /// What its runs have found.
    type Findings;

    /// Its flags; `--models`, `--profile`, `--experiment` and `--set` are the engine's.
    const FLAGS: &'static [Flag<Self::File>];
    /// Whether it reads data that may have to be fetched.
    const READS_DATA: bool;

    /// Checks everything that can be checked before any work.
    ///
    /// # Errors
    /// With the key, its value and the cure.
    fn check(file: Self::File) -> Result<Self>;

    /// The file that it was made from.
    fn file(&self) -> &Self::File;

    /// What is possible and hardly meant, each in a sentence.
    fn warnings(&self) -> Vec<String> {
        Vec::new()
    }

    /// Reads data and weights.
    fn gather(&self, extra: &Self::Extra, source: &Source) -> Result<(Self::Data, Self::Facts)>;

    /// Whether something else was read than what is in the user's directory.
    fn reads_elsewhere(_facts: &Self::Facts) -> bool {
        false
    }

    /// The stages in order. Each asks `walk` for its runs, and gets those that exist; the walk makes them where `data` is
    /// there.
    fn stages(&self, facts: &Self::Facts, data: Option<&Self::Data>, walk: &mut Walk<'_>) -> Result<Self::Findings>;

    /// What is shown of the findings; none where there is nothing to show.
    fn page(&self, facts: &Self::Facts, findings: &Self::Findings, walk: &Walk<'_>) -> Result<Page>;

    /// What every seed scored, by arm and setting and as the tables choose it, for `han-exp compare`.
    fn contenders(&self, facts: &Self::Facts, findings: &Self::Findings) -> Result<Vec<Contender>>;

    /// A flag that was typed and only has an effect where one command makes all runs.
    fn needs_all(_extra: &Self::Extra) -> Option<&'static str> {
        None
    }

    /// What is left to do when all runs are made and told.
    fn finish(&self, _data: &Self::Data) -> Result<()> {
        Ok(())
    }

    /// Makes a run again, if it is one of this kind.
    fn rerun(call: &Rerun<'_>) -> Result<Option<Exit>>;
}

/// Of an experiment whose list of runs follows from its file alone.
#[derive(Debug, Clone, Copy, serde::Serialize, serde::Deserialize)]
pub struct NoFacts {}
