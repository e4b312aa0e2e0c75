//! Flags that change what the experiment file says.

use super::file::ImageFile;
use crate::config::arms;
use crate::config::overrides::Sized;
use crate::data::{augment::Augment, source::Dataset};
use anyhow::{Context, Result};

/// Flags, applied over a file and its profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flags {
    /// Another data set.
    pub dataset: Option<Dataset>,
    /// Channels of every mixer.
    pub channels: Option<usize>,
    /// New numbers of mixer blocks, for a named arm or for the first.
    pub mixer_blocks: Vec<Blocks>,
    /// New numbers of Han blocks, likewise.
    pub han_blocks: Vec<Blocks>,
    /// Passes over the training images.
    pub epochs: Option<usize>,
    /// Images a step.
    pub batch_size: Option<usize>,
    /// Base learning rate.
    pub learning_rate: Option<f64>,
    /// What is done to every image.
    pub augment: Option<Augment>,
    /// Most training images.
    pub train_limit: Option<usize>,
    /// Repetitions of every arm.
    pub seeds: Option<usize>,
    /// Seed of the first repetition.
    pub first_seed: Option<u64>,
}

/// A number of blocks from a flag: `4`, or `mixer-8=6`; unlike other sizes it may be 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blocks(Sized);

impl std::str::FromStr for Blocks {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (arm, number) = match text.split_once('=') {
            Some((arm, number)) => (Some(arm.to_string()), number),
            None => (None, text),
        };
        let value = number.parse().map_err(|_| "use a number N of 0 or more, or ARM=N".to_string())?;
        Ok(Self(Sized { arm, value }))
    }
}

impl ImageFile {
    /// Applies flags.
    ///
    /// # Errors
    /// When a flag names what is not there, or says the same thing twice.
    pub fn with_flags(mut self, flags: &Flags) -> Result<Self> {
        let own = self.clone();
        self.data.dataset = flags.dataset.unwrap_or(self.data.dataset);
        self.data.train_limit = flags.train_limit.or(self.data.train_limit);
        if let Some(channels) = flags.channels {
            self.set_channels(channels);
        }
        for (flag, blocks) in [("--mixer-blocks", &flags.mixer_blocks), ("--han-blocks", &flags.han_blocks)] {
            arms::resize_each(&mut self.arm, flag, blocks.iter().map(|Blocks(sized)| sized), |arm, count| {
                let name = arm.name.clone();
                let cure = || format!("{flag} {name}={count}: {name} is no mixer; name one, ARM=N");
                let mixer = arm.mixer_mut().with_context(cure)?;
                match flag {
                    "--mixer-blocks" => mixer.mixer_blocks = count,
                    _ => mixer.han_blocks = count,
                }
                Ok(())
            })?;
        }
        let train = &mut self.train;
        train.epochs = flags.epochs.unwrap_or(train.epochs);
        train.batch_size = flags.batch_size.unwrap_or(train.batch_size);
        train.learning_rate = flags.learning_rate.unwrap_or(train.learning_rate);
        train.augment = flags.augment.unwrap_or(train.augment);
        if let Some(seeds) = flags.seeds {
            self.seeds = seeds;
            self.arm.iter_mut().for_each(|arm| arm.seeds = None);
        }
        self.first_seed = flags.first_seed.unwrap_or(self.first_seed);
        // Expectations hold for the file's own data, networks and training; with others they would judge something else.
        // Repetitions may be more, fewer, or of other seeds.
        self.drop_papers_figures(&own);
        let own_networks = self.arm.iter().zip(&own.arm).all(|(arm, own)| arm.model == own.model);
        if !(own_networks && self.trains_the_same_as(&own)) {
            self.expect.clear();
        }
        Ok(self)
    }
}
