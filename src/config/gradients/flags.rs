//! Flags that change what the experiment file says.

use super::claim::Part;
use super::experiment::{layers_of, resized};
use super::file::ClaimsFile;
use crate::config::arms;
use anyhow::Result;

/// Flags, applied over a file and its profile.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Flags {
    /// Parts to keep.
    pub parts: Option<Vec<Part>>,
    /// Networks to keep.
    pub models: Option<Vec<String>>,
    /// Width of all networks and stacks.
    pub width: Option<usize>,
    /// Largest depth of any network or stack.
    pub max_depth: Option<usize>,
    /// Optimizer steps of every training of the depth part.
    pub iterations: Option<usize>,
    /// Repetitions.
    pub seeds: Option<usize>,
    /// Seed of the first repetition.
    pub first_seed: Option<u64>,
}

impl ClaimsFile {
    /// Applies flags.
    ///
    /// # Errors
    /// When a flag names what is not there.
    pub fn with_flags(mut self, flags: &Flags) -> Result<Self> {
        if let Some(parts) = &flags.parts {
            self.parts = parts.clone();
            self.parts.sort_unstable();
            self.parts.dedup();
        }
        if let Some(models) = &flags.models {
            arms::keep(&mut self.arm, models, "--models")?;
        }
        let own = self.clone();
        if let Some(width) = flags.width {
            for arm in &mut self.arm {
                let size = arm.model.size();
                arm.model.resize(crate::model::Size { width, ..size });
            }
            (self.norms.width, self.lipschitz.width, self.cost.depth_width) = (width, width, width);
        }
        if let Some(most) = flags.max_depth {
            for depths in
                [&mut self.norms.depths, &mut self.depth.depths, &mut self.cost.depths, &mut self.lipschitz.depths]
            {
                // Of what is left, the deepest is what was asked for.
                depths.retain(|depth| *depth < most);
                depths.push(most);
            }
            self.norms.shown_depth = self.norms.shown_depth.min(most);
            for arm in &mut self.arm {
                arm.model = resized(&arm.model, arm.model.size().width, layers_of(&arm.model).min(most));
                arm.deepest = arm.deepest.map(|deepest| deepest.min(most));
            }
        }
        if let Some(iterations) = flags.iterations {
            self.depth.iterations = iterations;
        }
        if let Some(seeds) = flags.seeds {
            self.seeds = seeds;
            self.arm.iter_mut().for_each(|arm| arm.seeds = None);
        }
        self.first_seed = flags.first_seed.unwrap_or(self.first_seed);
        // Expectations hold for the file's own networks and trainings, and for what is measured at all.
        let changed = !self.measures_the_same_as(&own);
        let (parts, arms) = (&self.parts, &self.arm);
        let measured = |part: Part, name: &str| {
            parts.contains(&part) && (ClaimsFile::LAYERS.contains(&name) || arms.iter().any(|arm| arm.name == name))
        };
        self.expect.retain(|expect| !changed && measured(expect.part, &expect.arm));
        Ok(self)
    }

    /// Whether nothing but parts, networks, repetitions and seeds was chosen anew.
    fn measures_the_same_as(&self, own: &Self) -> bool {
        let networks = |file: &Self| file.arm.iter().map(|arm| (arm.model.clone(), arm.deepest)).collect::<Vec<_>>();
        (&self.jacobian, &self.norms, &self.course, &self.depth) == (&own.jacobian, &own.norms, &own.course, &own.depth)
            && (&self.cost, &self.lipschitz) == (&own.cost, &own.lipschitz)
            && networks(self) == networks(own)
    }
}
