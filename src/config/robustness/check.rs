//! From what the file says to what can run.

use super::experiment::{Arm, CLASSES, Robustness};
use super::file::{ArmFile, RecipeFile, Requirement, RobustnessFile, ThreatFile};
use super::run::Effort;
use crate::config::arms::{check_names, check_other, check_seeds};
use crate::config::limits::{MOST, MOST_EPOCHS, MOST_STEPS, check_count, check_fraction, number, rate_cure};
use crate::config::text::check_labels;
use crate::evaluate::attack::{Norm, Threat};
use crate::model::ModelConfig;
use crate::train::LossConfig;
use anyhow::{Context, Result, bail, ensure};

/// More repetitions than anybody waits for.
const MOST_SEEDS: usize = 1000;
/// A ball of this size reaches everything, in either norm: 28 is the diagonal of the box of 784 pixels.
const LARGEST: f64 = 28.0;

impl RobustnessFile {
    /// Checks everything that can be checked before any work.
    ///
    /// # Errors
    /// With the key, its value and the cure.
    pub fn check(self) -> Result<Robustness> {
        let name = &self.experiment.name;
        check_names(name, &self.arm)?;
        check_names(name, &self.recipe)?;
        self.experiment.check()?;
        check_labels(name, "arm", self.arm.iter().map(|arm| (&*arm.name, &*arm.label)))?;
        self.check_figures(name)?;
        let Effort { steps, restarts, targets, queries } = self.attack.effort;
        for (key, value, most) in [
            ("train.report_every", self.train.report_every, MOST_STEPS),
            ("attack.images", self.attack.images, MOST),
            ("attack.checklist_images", self.attack.checklist_images.max(1), MOST),
            ("attack.effort.steps", steps, MOST_STEPS),
            ("attack.effort.restarts", restarts, MOST),
            ("attack.effort.targets", targets, MOST),
            ("attack.effort.queries", queries, MOST),
        ] {
            check_count(name, key, value, most)?;
        }
        check_seeds(name, self.seeds, self.first_seed, MOST_SEEDS)?;
        let dataset = self.data.dataset;
        let grey = dataset.shape().channels == 1;
        ensure!(grey, "{name}: data.dataset is {dataset}, in colour; use mnist or fashion-mnist");
        let fraction = self.data.validation_fraction;
        ensure!(fraction > 0.0 && fraction < 1.0, "{name}: data.validation_fraction is {fraction}; use a fraction");
        let matched = self.train.matched_accuracy.get(&self.data.dataset).copied();
        let needs_match = self.arm.iter().any(|arm| arm.matched);
        ensure!(
            !needs_match || matched.is_some(),
            "{name}: train.matched_accuracy has no fraction for {}",
            self.data.dataset
        );
        let threats = self.checked_threats()?;
        self.check_attacks(&threats)?;
        let arms = self.checked_arms(matched.unwrap_or(1.0))?;
        Ok(Robustness {
            name: self.experiment.name.clone(),
            title: self.experiment.title.clone(),
            claim: self.experiment.claim.clone(),
            dataset: self.data.dataset,
            arms,
            threats,
            expectations: self.expect.clone(),
            file: self,
        })
    }

    /// Checks what results are compared with. A profile may drop it, so a file is checked before as well.
    pub(super) fn check_figures(&self, origin: &str) -> Result<()> {
        for (dataset, accuracy) in &self.train.matched_accuracy {
            let fits = *accuracy > 0.0 && *accuracy <= 1.0;
            ensure!(fits, "{origin}: train.matched_accuracy of {dataset} is {accuracy}; use a fraction above 0");
        }
        for arm in &self.arm {
            check_other(origin, &arm.name, "compared_to", arm.compared_to.as_deref())?;
        }
        for Requirement { arm, norm, eps, at_least, above, .. } in &self.expect {
            check_fraction(origin, &format!("expect of {arm}: at_least"), *at_least)?;
            check_other(origin, arm, "above", above.as_deref())?;
            let threat = norm.zip(*eps).map(|(norm, eps)| Threat { norm, eps });
            if let Some(problem) = threat.and_then(Threat::problem) {
                bail!("{origin}: expect of {arm}: {problem}");
            }
        }
        Ok(())
    }

    fn checked_threats(&self) -> Result<Vec<ThreatFile>> {
        let name = &self.experiment.name;
        ensure!(!self.threat.is_empty(), "{name}: there is no [[threat]]; name at least one norm");
        let mut threats = self.threat.clone();
        for (place, threat) in threats.iter_mut().enumerate() {
            let norm = threat.norm;
            ensure!(self.threat[..place].iter().all(|t| t.norm != norm), "{name}: the norm {norm:?} is there twice");
            ensure!(!threat.eps.is_empty(), "{name}: eps of {norm:?} is empty; name at least one size of the ball");
            for eps in threat.eps.iter().chain(&threat.sweep) {
                if let Some(problem) = (Threat { norm, eps: *eps }).problem() {
                    bail!("{name}: {problem}");
                }
                ensure!(*eps <= LARGEST, "{name}: eps is {eps}; nothing in the box is further away than {LARGEST}");
            }
            for sizes in [&mut threat.eps, &mut threat.sweep] {
                sizes.sort_by(f64::total_cmp);
                sizes.dedup();
            }
        }
        Ok(threats)
    }

    fn check_attacks(&self, threats: &[ThreatFile]) -> Result<()> {
        let name = &self.experiment.name;
        ensure!(!self.attack.attacks.is_empty(), "{name}: there is no attack; name at least one");
        if let Some(nearest) = self.attack.sweep_attacks.iter().find(|attack| attack.is_minimum_norm()) {
            bail!("{name}: sweep_attacks has {}, which is made once for all sizes; name it in attacks", nearest.name());
        }
        let possible = |norm: Norm| self.attack.attacks.iter().any(|a| a.problem(norm, CLASSES).is_none());
        for threat in threats {
            if !possible(threat.norm) {
                let problem = self.attack.attacks.iter().find_map(|a| a.problem(threat.norm, CLASSES));
                bail!("{name}: --attacks: {}", problem.unwrap_or_default());
            }
        }
        Ok(())
    }

    fn checked_arms(&self, matched_accuracy: f64) -> Result<Vec<Arm>> {
        let name = &self.experiment.name;
        ensure!(!self.arm.is_empty(), "{name}: there is no [[arm]]; name at least one model");
        self.arm.iter().map(|arm| self.checked_arm(arm, matched_accuracy)).collect()
    }

    fn checked_arm(&self, arm: &ArmFile, matched_accuracy: f64) -> Result<Arm> {
        let key = format!("{}: model {}", self.experiment.name, arm.name);
        if let Some(problem) = arm.model.problem() {
            bail!("{key}: {problem}");
        }
        let recipe = self.recipe.iter().find(|recipe| recipe.name == arm.recipe);
        let recipe = recipe.with_context(|| format!("{key}: there is no recipe {:?}", arm.recipe))?.clone();
        let RecipeFile { epochs, batch_size, learning_rate, .. } = recipe;
        check_count(&key, "epochs", epochs, MOST_EPOCHS)?;
        ensure!(batch_size >= 2, "{key}: batch_size is {batch_size}; use at least 2");
        if let Some(cure) = rate_cure(learning_rate) {
            bail!("{key}: learning_rate is {}; {cure}", number(learning_rate));
        }
        if let Some(problem) =
            recipe.optimizer.problem().or_else(|| recipe.schedule.problem()).or_else(|| recipe.loss.problem())
        {
            bail!("{key}: {problem}");
        }
        let of_chains = matches!(recipe.loss, LossConfig::Margin(_)) || self.attack.certify;
        if of_chains && matches!(arm.model, ModelConfig::Resnet(_)) {
            bail!("{key}: nothing can be certified of a ResNet; use --certify=false and another loss than the margin");
        }
        check_count(&key, "images", arm.images.unwrap_or(1), MOST)?;
        let seeds = arm.seeds.unwrap_or(self.seeds).min(self.seeds);
        ensure!(seeds >= 1, "{key}: seeds is 0; use at least 1");
        Ok(Arm {
            name: arm.name.clone(),
            label: arm.label.clone(),
            seeds,
            matched: arm.matched,
            compared_to: arm.compared_to.clone(),
            images: arm.images.unwrap_or(self.attack.images).min(self.attack.images),
            model: arm.model.clone(),
            stopping: arm.stopping(matched_accuracy),
            recipe,
        })
    }
}
