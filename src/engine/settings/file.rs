//! What every experiment file has.

use super::names::{Named, check_names, check_seeds, labelled};
use super::profile::ProfileName;
use super::text::{Heading, check_labels};
use crate::model::ModelConfig;
use anyhow::Result;
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::ops::Range;

/// What an experiment file says, typed. Unknown keys are errors; `extends`, `models` and `profile` are the engine's and
/// never get here.
pub trait File: Clone + PartialEq + Serialize + DeserializeOwned + 'static {
    /// A network in it.
    type Arm: Arm;

    /// Keys of which a shorter list leaves out rows of tables and changes none.
    const LISTS: &'static [&'static str] = &[];
    /// Keys on which no evidence of a claim depends.
    const ASIDE: &'static [&'static str] = &[];

    /// What is shown, and where the paper shows it.
    fn heading(&self) -> &Heading;

    fn heading_mut(&mut self) -> &mut Heading;

    fn arms(&self) -> &[Self::Arm];

    fn arms_mut(&mut self) -> &mut Vec<Self::Arm>;

    /// Independent repetitions, and the seed of the first.
    fn repetitions(&self) -> (usize, u64);

    /// Checks what the file says of its own parts. A profile or a flag may drop an arm, so the whole file is asked before.
    ///
    /// # Errors
    /// With what is wrong; `origin` names the file.
    fn check_references(&self, _origin: &str) -> Result<()> {
        Ok(())
    }

    /// Drops what belongs to arms that are no longer there.
    fn forget_dropped(&mut self) {}

    /// Drops the paper's figures that `own` had and that no longer hold after a change: they are about the data, networks and
    /// training of the file.
    fn void(&mut self, _own: &Self, _change: Change) {}

    /// Gives the arms that a sweep made of one, its copies of other sizes, what other parts of the file say of that one.
    fn inherit(&mut self, _arm: &str, _copies: &[String]) {}

    /// The network of that name.
    fn arm(&self, name: &str) -> Option<&Self::Arm> {
        self.arms().iter().find(|arm| arm.name() == name)
    }

    /// Whether rows of tables may have that value in a column: the name of a network in `arm`, and so on.
    fn knows(&self, column: &str, name: &str) -> bool {
        column != "arm" || self.arm(name).is_some()
    }

    /// What that network is called on charts.
    fn label(&self, name: &str) -> String {
        self.arm(name).map_or_else(|| name.to_string(), |arm| labelled(arm.label(), arm))
    }

    /// How often a network is trained anew.
    fn repetitions_of(&self, arm: &Self::Arm) -> usize {
        let (all, _) = self.repetitions();
        arm.seeds().unwrap_or(all).min(all)
    }

    /// Of the networks that `asks` names one for which there are more repetitions than for all, in words.
    fn cut_short(&self, asks: impl Fn(&str) -> bool) -> Option<String> {
        let (all, _) = self.repetitions();
        let more = |arm: &&Self::Arm| asks(arm.name()) && arm.seeds().is_some_and(|seeds| seeds > all);
        let name = self.arms().iter().find(more)?.name();
        Some(format!("arm.{name}.seeds: no network has more than seeds, {all}; raise that as well"))
    }

    /// The seeds of a network's repetitions.
    fn seeds(&self, arm: &Self::Arm) -> Range<u64> {
        let (_, first) = self.repetitions();
        first..first + self.repetitions_of(arm) as u64
    }

    /// Checks what all files have: names, texts, and at most so many repetitions.
    fn check_usual(&self, most_seeds: usize) -> Result<()> {
        let (name, (seeds, first_seed)) = (&self.heading().name, self.repetitions());
        check_names(name, self.arms())?;
        self.heading().check()?;
        check_labels(name, "arm", self.arms().iter().map(|arm| (arm.name(), arm.label())))?;
        check_seeds(name, seeds, first_seed, most_seeds)
    }
}

/// The methods of [`File`] that read a field of the usual name.
macro_rules! usual_fields {
    ($arm:ty) => {
        type Arm = $arm;

        fn heading(&self) -> &Heading {
            &self.experiment
        }

        fn heading_mut(&mut self) -> &mut Heading {
            &mut self.experiment
        }

        fn arms(&self) -> &[$arm] {
            &self.arm
        }

        fn arms_mut(&mut self) -> &mut Vec<$arm> {
            &mut self.arm
        }

        fn repetitions(&self) -> (usize, u64) {
            (self.seeds, self.first_seed)
        }
    };
}
pub(crate) use usual_fields;

/// What made one file of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Profile(ProfileName),
    /// Flags and `--set`.
    Flags,
}

/// A network in an experiment file.
pub trait Arm: Named + Clone + PartialEq {
    /// Its name on charts; nothing where that is its key.
    fn label(&self) -> &str;

    /// Its repetitions, where they are fewer than those of others.
    fn seeds(&self) -> Option<usize>;

    /// Gives it another name, and adds to its label what tells it from its neighbours.
    fn rename(&mut self, name: String, addition: &str);

    /// The network with a width and a depth, for [`Flag::WIDTH`](super::Flag::WIDTH) and its like.
    fn model(&mut self) -> Option<&mut ModelConfig> {
        None
    }
}

/// [`Arm`] of a type with the usual fields; `rename` is for one that adds to its label in a way of its own.
macro_rules! usual_arm {
    ($arm:ty, |$self:ident, $addition:ident| $rename:block $($more:tt)*) => {
        $crate::engine::settings::named!($arm);

        impl $crate::engine::settings::Arm for $arm {
            fn label(&self) -> &str {
                &self.label
            }

            fn seeds(&self) -> Option<usize> {
                self.seeds
            }

            fn rename(&mut $self, name: String, $addition: &str) {
                $rename
                $self.name = name;
            }

            $($more)*
        }
    };
    ($arm:ty) => {
        $crate::engine::settings::usual_arm!($arm, |self, addition| {
            self.label = format!("{}, {addition}", $crate::engine::settings::labelled(&self.label, self));
        } fn model(&mut self) -> Option<&mut $crate::model::ModelConfig> {
            Some(&mut self.model)
        });
    };
}
pub(crate) use usual_arm;
