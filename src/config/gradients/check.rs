//! From what the file says to what can run.

use super::claim::Part;
use super::experiment::{Arm, Claims, Family};
use super::file::ClaimsFile;
use crate::config::arms::{check_names, check_seeds};
use crate::config::file::DataFile;
use crate::config::limits::{MOST, MOST_STEPS, check_count, number, rate_cure};
use crate::config::text::check_labels;
use crate::data::checkerboard::Split;
use crate::rng::Seed;
use anyhow::{Result, bail, ensure};

/// More repetitions than anybody waits for.
const MOST_SEEDS: usize = 1000;
/// Widest layer, as of networks.
const WIDEST: usize = 16_384;

impl ClaimsFile {
    /// Checks everything that can be checked before any work.
    ///
    /// # Errors
    /// With the key, its value and the cure.
    pub fn check(self) -> Result<Claims> {
        let name = &self.experiment.name;
        check_names(name, &self.arm)?;
        self.experiment.check()?;
        check_labels(name, "arm", self.arm.iter().map(|arm| (&*arm.name, &*arm.label)))?;
        if let Some((expect, problem)) = self.expect.iter().find_map(|expect| Some((expect, expect.problem()?))) {
            bail!("{name}: an expectation of {} {problem}", expect.arm);
        }
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
        self.check_counts()?;
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

    /// How much is made of everything, and what there is of points.
    fn check_counts(&self) -> Result<()> {
        let name = &self.experiment.name;
        for (key, value, most) in [
            ("depth.iterations", self.depth.iterations, MOST_STEPS),
            ("course.iterations", self.course.iterations, MOST_STEPS),
            ("lipschitz.pairs", self.lipschitz.pairs, MOST),
            ("lipschitz.steps", self.lipschitz.steps, MOST_STEPS),
            ("jacobian.layers", self.jacobian.layers, MOST),
            ("jacobian.widest", self.jacobian.widest, WIDEST),
            ("jacobian.kinks", self.jacobian.kinks, MOST),
            ("cost.rounds", self.cost.rounds, MOST),
            ("cost.batch", self.cost.batch, MOST),
            ("cost.fitted_from", self.cost.fitted_from, MOST),
            ("cost.depth_width", self.cost.depth_width, WIDEST),
            ("cost.widths", self.cost.widths.iter().copied().max().unwrap_or(1), WIDEST),
        ] {
            check_count(name, key, value, most)?;
        }
        let noise = self.depth.input_noise;
        ensure!(noise >= 0.0 && noise.is_finite(), "{name}: depth.input_noise is {noise}; use 0 or a small number");
        let DataFile::Checkerboard(data) = &self.data;
        let board = data.board();
        if let Some(problem) = board.problem() {
            bail!("{name}: data.checkerboard.{problem}");
        }
        let points = Split::of(&self.split(), &board, Seed(0))?;
        let fewest = points.cut_validation(data.validation_fraction, Seed(0)).0.len();
        let batch_size = self.depth.batch_size;
        ensure!(
            (2..=fewest).contains(&batch_size),
            "{name}: depth.batch_size is {batch_size}; use 2 to {fewest}, the training points without validation"
        );
        Ok(())
    }

    /// Learning rates and repetitions of the networks.
    fn check_arms(&self) -> Result<()> {
        let name = &self.experiment.name;
        for arm in &self.arm {
            let (key, rates) = (format!("{name}: arm {}", arm.name), &arm.learning_rates);
            let trained = arm.course || arm.parts.contains(&Part::Depth);
            ensure!(!(trained && rates.is_empty()), "{key}: learning_rates is empty; it is trained");
            for (place, &rate) in rates.iter().enumerate() {
                if let Some(cure) = rate_cure(rate) {
                    bail!("{key}: learning_rates has {}; {cure}", number(rate));
                }
                ensure!(!rates[..place].contains(&rate), "{key}: learning_rates has {rate} twice; name it once");
            }
            ensure!(arm.seeds != Some(0), "{key}: seeds is 0; use at least 1");
        }
        Ok(())
    }
}
