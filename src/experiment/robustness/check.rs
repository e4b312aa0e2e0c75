//! A checked experiment: every number makes sense, and the list of runs follows from it.

use super::CLASSES;
use super::file::{ArmFile, RecipeFile, RobustnessFile};
use super::spec::Effort;
use crate::engine::settings::{
    File, MOST, MOST_EPOCHS, MOST_SEEDS, MOST_STEPS, check_count, check_names, check_once, check_other, rate_problem,
    refuse,
};
use crate::evaluate::attack::{MOST_RUNS, Norm, Threat};
use crate::model::ModelConfig;
use crate::train::LossConfig;
use anyhow::{Context, Result, bail, ensure};

/// A ball of this size reaches everything, in either norm: 28 is the diagonal of the box of 784 pixels.
const LARGEST: f64 = 28.0;

/// Can run.
#[derive(Debug, Clone)]
pub struct Robustness {
    pub(super) file: RobustnessFile,
}

impl Robustness {
    /// Validation accuracy at which matched networks stop, 0 to 1.
    pub fn matched_accuracy(&self) -> Option<f64> {
        self.file.train.matched_accuracy.get(&self.file.data.dataset).copied()
    }

    /// A ball in Linf beyond all images: levels of grey were meant.
    pub(super) fn too_large(&self) -> Option<String> {
        let of_linf = self.file.threat.iter().filter(|threat| threat.norm == Norm::Linf);
        let sizes = of_linf.flat_map(|threat| [("eps", &threat.eps), ("sweep", &threat.sweep)]);
        let mut sizes = sizes.flat_map(|(key, sizes)| sizes.iter().map(move |eps| (key, eps)));
        let (key, eps) = sizes.find(|(_, eps)| **eps > 1.0)?;
        Some(format!(
            "{key} is {eps} in linf: pixels are from 0 to 1, so every image lies in a ball of that size; for {eps} of 256 \
             levels of grey use --{key} {eps}/255"
        ))
    }

    /// Checks everything that can be checked before any work, and brings the sizes of balls into order.
    pub(super) fn of(mut file: RobustnessFile) -> Result<Self> {
        let name = &file.experiment.name;
        file.check_usual(MOST_SEEDS)?;
        check_names(name, &file.recipe)?;
        let Effort { steps, restarts, targets, queries } = file.attack.effort;
        for (key, value, most) in [
            ("train.report_every", file.train.report_every, MOST_STEPS),
            ("attack.images", file.attack.images, MOST),
            ("attack.checklist_images", file.attack.checklist_images.max(1), MOST),
            ("attack.effort.steps", steps, MOST_STEPS),
            ("attack.effort.restarts", restarts, MOST_RUNS),
            ("attack.effort.targets", targets, MOST_RUNS),
            ("attack.effort.queries", queries, MOST),
        ] {
            check_count(name, key, value, most)?;
        }
        let dataset = file.data.dataset;
        let grey = dataset.shape().channels == 1;
        ensure!(grey, "{name}: data.dataset is {dataset}, in colour; use mnist or fashion-mnist");
        let fraction = file.data.validation_fraction;
        ensure!(
            fraction > 0.0 && fraction < 1.0,
            "{name}: data.validation_fraction is {fraction}; use a fraction between 0 and 1"
        );
        for (dataset, accuracy) in &file.train.matched_accuracy {
            let fits = *accuracy > 0.0 && *accuracy <= 1.0;
            ensure!(fits, "{name}: train.matched_accuracy of {dataset} is {accuracy}; use a fraction above 0");
        }
        let known = file.train.matched_accuracy.contains_key(&dataset) || file.arm.iter().all(|arm| !arm.matched);
        ensure!(
            known,
            "{name}: train.matched_accuracy has no value for {dataset}; add one, or leave out matched networks"
        );
        check_threats(&file)?;
        ensure!(!file.arm.is_empty(), "{name}: there is no [[arm]]; name at least one model");
        file.arm.iter().try_for_each(|arm| check_arm(&file, arm))?;
        for sizes in file.threat.iter_mut().flat_map(|threat| [&mut threat.eps, &mut threat.sweep]) {
            sizes.sort_by(f64::total_cmp);
            sizes.dedup();
        }
        Ok(Self { file })
    }
}

fn check_threats(file: &RobustnessFile) -> Result<()> {
    let (name, attack) = (&file.experiment.name, &file.attack);
    ensure!(!file.threat.is_empty(), "{name}: there is no [[threat]]; name at least one norm");
    ensure!(!attack.attacks.is_empty(), "{name}: there is no attack; name at least one");
    check_once(name, "attack.attacks", &attack.attacks)?;
    check_once(name, "attack.sweep_attacks", &attack.sweep_attacks)?;
    if let Some(nearest) = attack.sweep_attacks.iter().find(|attack| attack.is_minimum_norm()) {
        bail!("{name}: sweep_attacks has {}, which runs once for all sizes; move it to attack.attacks", nearest.name());
    }
    for (place, threat) in file.threat.iter().enumerate() {
        let norm = threat.norm;
        ensure!(file.threat[..place].iter().all(|t| t.norm != norm), "{name}: the norm {norm:?} is there twice");
        ensure!(!threat.eps.is_empty(), "{name}: eps of {norm:?} is empty; name at least one size of the ball");
        for eps in threat.eps.iter().chain(&threat.sweep) {
            refuse(&format!("{name}: "), (Threat { norm, eps: *eps }).problem())?;
            ensure!(*eps <= LARGEST, "{name}: eps is {eps}; nothing in the box is further away than {LARGEST}");
        }
        let problems: Vec<_> = attack.attacks.iter().map(|attack| attack.problem(norm, CLASSES)).collect();
        if let (Some(Some(problem)), true) = (problems.first(), problems.iter().all(Option::is_some)) {
            bail!("{name}: --attacks: {problem}");
        }
    }
    Ok(())
}

fn check_arm(file: &RobustnessFile, arm: &ArmFile) -> Result<()> {
    let key = format!("{}: model {}", file.experiment.name, arm.name);
    refuse(&format!("{key}: "), arm.model.problem())?;
    check_other(&file.experiment.name, &arm.name, "compared_to", arm.compared_to.as_deref())?;
    let recipe = file.recipe(arm).with_context(|| format!("{key}: there is no recipe {:?}", arm.recipe))?;
    let RecipeFile { epochs, batch_size, learning_rate, optimizer, schedule, loss, .. } = recipe;
    let of_recipe = format!("{}: recipe {}", file.experiment.name, arm.recipe);
    check_count(&of_recipe, "epochs", *epochs, MOST_EPOCHS)?;
    ensure!(*batch_size >= 2, "{of_recipe}: batch_size is {batch_size}; use at least 2");
    refuse(&format!("{of_recipe}: learning_rate is "), rate_problem(*learning_rate))?;
    refuse(&format!("{of_recipe}: "), optimizer.problem().or_else(|| schedule.problem()).or_else(|| loss.problem()))?;
    let of_chains = matches!(loss, LossConfig::Margin(_)) || file.attack.certify;
    if of_chains && matches!(arm.model, ModelConfig::Resnet(_)) {
        bail!("{key}: nothing can be certified of a ResNet; use --certify=false and another loss than the margin");
    }
    check_count(&key, "images", arm.images.unwrap_or(1), MOST)?;
    ensure!(arm.seeds != Some(0), "{key}: seeds is 0; use at least 1");
    Ok(())
}
