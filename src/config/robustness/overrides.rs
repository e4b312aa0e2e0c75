//! Flags that change what the experiment file says.

use super::file::{ArmFile, Metric, RobustnessFile};
use super::run::Precision;
use crate::config::arms;
use crate::config::overrides::Sized;
use crate::data::source::Dataset;
use crate::evaluate::attack::{Attack, Norm};
use crate::model::Size;
use anyhow::{Result, bail};
use std::ffi::OsStr;
use std::path::PathBuf;

/// Flags, applied over a file and its profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flags {
    /// New widths, for a named network or for the main one.
    pub width: Vec<Sized>,
    /// New depths, likewise.
    pub depth: Vec<Sized>,
    /// Another data set.
    pub dataset: Option<Dataset>,
    /// Passes over the training images, of every recipe.
    pub epochs: Option<usize>,
    /// Repetitions of every network.
    pub seeds: Option<usize>,
    /// Seed of the first repetition.
    pub first_seed: Option<u64>,
    /// The only norm.
    pub norm: Option<Norm>,
    /// Sizes of the ball, in that norm, without one in Linf.
    pub eps: Option<Vec<f64>>,
    /// Sizes of the ball for the charts, likewise.
    pub sweep: Option<Sizes>,
    /// The attacks at every size of the ball.
    pub attacks: Option<Vec<Attack>>,
    /// Test images that are attacked.
    pub images: Option<usize>,
    /// Images of the masking checklist.
    pub checklist_images: Option<usize>,
    /// Whether radii are certified.
    pub certify: Option<bool>,
    /// Steps of iterative attacks.
    pub steps: Option<usize>,
    /// Runs of restarted attacks.
    pub restarts: Option<usize>,
    /// Proposals of Square.
    pub queries: Option<usize>,
    /// In which numbers networks compute under attack.
    pub precision: Precision,
}

/// The size of a ball from a flag: `0.05`, or a quotient such as `8/255`.
///
/// # Errors
/// When it is neither.
pub fn size(text: &str) -> Result<f64, String> {
    let number = |text: &str| text.trim().parse::<f64>().ok();
    let size = match text.split_once('/') {
        Some((above, below)) => {
            let (above, below) = (number(above), number(below).filter(|below| *below != 0.0));
            above.zip(below).map(|(above, below)| above / below)
        }
        None => number(text),
    };
    size.ok_or_else(|| format!("{text:?} is no number; use one such as 0.05 or 8/255"))
}

/// Sizes of a ball from a flag: `0.05,8/255`, or `off` for none.
#[derive(Debug, Clone, PartialEq)]
pub struct Sizes(pub Vec<f64>);

impl std::str::FromStr for Sizes {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "off" {
            return Ok(Self(Vec::new()));
        }
        text.split(',').map(size).collect::<Result<_, _>>().map(Self)
    }
}

/// A file of weights from a flag: `weights.safetensors`, or `fcnet=weights.safetensors`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightsFile {
    /// The network that it names, if any.
    pub arm: Option<String>,
    /// Where it lies.
    pub path: PathBuf,
}

impl WeightsFile {
    /// The files of a flag's value, `[MODEL=]FILE,..`. A file that is there under the name as typed wins, with its commas and
    /// equals signs; a name that is not UTF-8 is always that of one file.
    pub fn list(value: &OsStr) -> Vec<Self> {
        let Some(mut text) = value.to_str() else { return vec![Self { arm: None, path: value.into() }] };
        let mut files = Vec::new();
        loop {
            // From the longest name that may be meant to the shortest.
            let ends = std::iter::once(text.len()).chain(text.rmatch_indices(',').map(|(comma, _)| comma));
            let there = ends.clone().find_map(|end| Some((end, Self::there(&text[..end])?)));
            let first = ends.last().unwrap_or(text.len());
            let (end, file) = there.unwrap_or_else(|| (first, Self::typed(&text[..first])));
            files.push(file);
            match text.get(end + 1..) {
                Some(rest) => text = rest,
                None => return files,
            }
        }
    }

    /// The file of that name, if it is there.
    fn there(text: &str) -> Option<Self> {
        let whole = Self { arm: None, path: text.into() };
        [whole, Self::typed(text)].into_iter().find(|file| file.path.exists())
    }

    fn typed(text: &str) -> Self {
        let plain =
            |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_');
        match text.split_once('=') {
            Some((arm, path)) if plain(arm) => Self { arm: Some(arm.into()), path: path.into() },
            _ => Self { arm: None, path: text.into() },
        }
    }
}

impl RobustnessFile {
    /// Applies flags.
    ///
    /// # Errors
    /// When a flag names what is not there, or says the same thing twice.
    pub fn with_flags(mut self, flags: &Flags) -> Result<Self> {
        let own = self.clone();
        let resize = |arm: &mut ArmFile, size| {
            arm.model.resize(size);
            Ok(())
        };
        arms::resize_each(&mut self.arm, "--width", &flags.width, |arm, width| {
            resize(arm, Size { width, ..arm.model.size() })
        })?;
        arms::resize_each(&mut self.arm, "--depth", &flags.depth, |arm, depth| {
            resize(arm, Size { depth, ..arm.model.size() })
        })?;
        self.data.dataset = flags.dataset.unwrap_or(self.data.dataset);
        if let Some(epochs) = flags.epochs {
            self.recipe.iter_mut().for_each(|recipe| recipe.epochs = epochs);
        }
        if let Some(seeds) = flags.seeds {
            self.seeds = seeds;
            self.arm.iter_mut().for_each(|arm| arm.seeds = None);
        }
        self.first_seed = flags.first_seed.unwrap_or(self.first_seed);
        self.change_threats(flags)?;
        let attack = &mut self.attack;
        if let Some(attacks) = &flags.attacks {
            attack.attacks.clone_from(attacks);
        }
        if let Some(images) = flags.images {
            attack.images = images;
            self.arm.iter_mut().for_each(|arm| arm.images = None);
        }
        attack.checklist_images = flags.checklist_images.unwrap_or(attack.checklist_images);
        attack.certify = flags.certify.unwrap_or(attack.certify);
        attack.effort.steps = flags.steps.unwrap_or(attack.effort.steps);
        attack.effort.restarts = flags.restarts.unwrap_or(attack.effort.restarts);
        attack.effort.queries = flags.queries.unwrap_or(attack.effort.queries);
        self.drop_expectations(&own, flags.precision);
        Ok(self)
    }

    /// Expectations hold for the file's own data, networks, trainings and attacks, which `own` has; with others they would
    /// judge something else. The checklist has no part in them. Repetitions may be more, fewer, or of other seeds.
    fn drop_expectations(&mut self, own: &Self, precision: Precision) {
        let networks = |file: &Self| {
            let of_arm = |arm: &ArmFile| (arm.model.clone(), arm.images.unwrap_or(usize::MAX).min(file.attack.images));
            file.arm.iter().map(of_arm).collect::<Vec<_>>()
        };
        let trainings = (&self.data, &self.train, &self.recipe) == (&own.data, &own.train, &own.recipe);
        let attacks = (&self.attack.attacks, &self.attack.sweep_attacks, self.attack.effort)
            == (&own.attack.attacks, &own.attack.sweep_attacks, own.attack.effort);
        if !(trainings && attacks && networks(self) == networks(own)) {
            self.expect.clear();
        }
        let (threats, certify) = (&self.threat, self.attack.certify);
        // The worst case is over the attacks at all sizes of the ball, those of the charts among them.
        let own_ball = |norm: Norm| threats.iter().any(|threat| threat.norm == norm && own.threat.contains(threat));
        self.expect.retain(|e| match (e.metric, e.norm) {
            (Metric::CleanAccuracy, _) => true,
            (Metric::RobustAccuracy, Some(norm)) => own_ball(norm) && precision == Precision::F32,
            (Metric::CertifiedAccuracy, Some(norm)) => certify && threats.iter().any(|threat| threat.norm == norm),
            (Metric::RobustAccuracy | Metric::CertifiedAccuracy, None) => false,
        });
    }

    fn change_threats(&mut self, flags: &Flags) -> Result<()> {
        if let Some(norm) = flags.norm {
            self.threat.retain(|threat| threat.norm == norm);
        }
        if flags.norm.is_none() && flags.eps.is_none() && flags.sweep.is_none() {
            return Ok(());
        }
        let norm = flags.norm.unwrap_or(Norm::Linf);
        let threat = self.threat.iter_mut().find(|threat| threat.norm == norm);
        match threat {
            Some(threat) => {
                if let Some(eps) = &flags.eps {
                    threat.eps.clone_from(eps);
                }
                if let Some(Sizes(sweep)) = &flags.sweep {
                    threat.sweep.clone_from(sweep);
                }
            }
            None => bail!("--norm {}: the experiment file has no threat in this norm", norm.name()),
        }
        // Without a norm there is one answer for all of them to "no sweep".
        if flags.norm.is_none() && flags.sweep == Some(Sizes(Vec::new())) {
            self.threat.iter_mut().for_each(|threat| threat.sweep.clear());
        }
        Ok(())
    }
}
