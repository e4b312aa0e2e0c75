//! From what the file says to what can run.

use super::experiment::{Arm, Claims, Family};
use super::file::{ClaimsFile, Part};
use crate::config::arms::{check_names, check_seeds};
use crate::config::file::DataFile;
use anyhow::{Result, bail, ensure};

/// More repetitions than anybody waits for.
const MOST_SEEDS: usize = 1000;

impl ClaimsFile {
    /// Checks everything that can be checked before any work.
    ///
    /// # Errors
    /// With the key, its value and the cure.
    pub fn check(self) -> Result<Claims> {
        let name = &self.experiment.name;
        check_names(name, &self.arm)?;
        check_seeds(name, self.seeds, self.first_seed, MOST_SEEDS)?;
        ensure!(!self.parts.is_empty(), "{name}: parts is empty; name at least one");
        let DataFile::Checkerboard(board) = &self.data;
        for (key, fraction) in
            [("train_fraction", board.train_fraction), ("validation_fraction", board.validation_fraction)]
        {
            let fits = fraction > 0.0 && fraction < 1.0;
            ensure!(fits, "{name}: data.checkerboard.{key} is {fraction}; use a fraction between 0 and 1");
        }
        ensure!(board.split_file.is_none(), "{name}: data.checkerboard.split_file is for the checkerboard alone");
        self.check_sizes()?;
        self.check_arms()?;
        let arms = self
            .arm
            .iter()
            .map(|arm| Arm { name: arm.name.clone(), label: arm.label.clone(), family: Family::of(&arm.model) })
            .collect();
        let claims = Claims {
            name: name.clone(),
            title: self.experiment.title.clone(),
            claim: self.experiment.claim.clone(),
            parts: self.parts.clone(),
            arms,
            expectations: self.expect.clone(),
            file: self,
        };
        let runs = claims.runs("cpu");
        let problem = runs.timings.iter().chain(&runs.probes).find_map(|run| Some((&run.arm, run.problem()?)));
        let problem = problem.or_else(|| runs.selections.iter().find_map(|run| Some((&run.arm, run.problem()?))));
        if let Some((arm, problem)) = problem {
            bail!("{}: {arm}: {problem}", claims.name);
        }
        ensure!(!runs.is_empty(), "{}: no network takes part in {:?}", claims.name, claims.parts);
        Ok(claims)
    }

    /// Lists of sizes, and what refers to them.
    fn check_sizes(&self) -> Result<()> {
        let name = &self.experiment.name;
        for (key, depths) in [
            ("norms.depths", &self.norms.depths),
            ("depth.depths", &self.depth.depths),
            ("cost.depths", &self.cost.depths),
            ("cost.widths", &self.cost.widths),
            ("lipschitz.depths", &self.lipschitz.depths),
        ] {
            let grows = depths.windows(2).all(|pair| pair[0] < pair[1]);
            ensure!(grows && !depths.is_empty(), "{name}: {key} is {depths:?}; use growing numbers");
        }
        let shown = self.norms.shown_depth;
        ensure!(
            self.norms.depths.contains(&shown),
            "{name}: norms.shown_depth is {shown}; use one of norms.depths, {:?}",
            self.norms.depths
        );
        let iterations = self.course.iterations;
        ensure!(
            iterations >= 100 && iterations.is_multiple_of(100),
            "{name}: course.iterations is {iterations}; use a multiple of 100, moments are hundredths of it"
        );
        let is_hundredth = |moment: &f64| ((100.0 * moment).round() - 100.0 * moment).abs() < 1e-9;
        if let Some(moment) = self.course.moments.iter().find(|moment| !is_hundredth(moment)) {
            bail!("{name}: course.moments has {moment}; use hundredths of the training");
        }
        Ok(())
    }

    /// Learning rates and repetitions of the networks.
    fn check_arms(&self) -> Result<()> {
        let name = &self.experiment.name;
        for arm in &self.arm {
            let (key, rates) = (format!("{name}: arm {}", arm.name), &arm.learning_rates);
            let trained = arm.course || arm.parts.contains(&Part::Depth);
            ensure!(!(trained && rates.is_empty()), "{key}: learning_rates is empty; it is trained");
            if let Some(rate) = rates.iter().find(|rate| !(**rate > 0.0 && rate.is_finite())) {
                bail!("{key}: learning_rates has {rate}; use positive numbers");
            }
            ensure!(arm.seeds != Some(0), "{key}: seeds is 0; use at least 1");
        }
        Ok(())
    }
}
