//! From what the file says to what can run.

use super::file::{ArmFile, ClaimsFile, Part};
use super::plan::Claims;
use super::spec::WIDEST;
use crate::data::checkerboard::Split;
use crate::engine::runs::Spec;
use crate::engine::settings::{
    File, MOST, MOST_SEEDS, MOST_STEPS, check_count, check_once, check_runs, rate_problem, refuse,
};
use crate::rng::Seed;
use anyhow::{Result, bail, ensure};

impl Claims {
    /// Checks everything that can be checked before any work.
    pub(super) fn of(file: ClaimsFile) -> Result<Self> {
        let name = &file.experiment.name;
        file.check_usual(MOST_SEEDS)?;
        file.check_references(name)?;
        ensure!(!file.parts.is_empty(), "{name}: parts is empty; name at least one");
        check_once(name, "parts", &file.parts)?;
        let board = &file.data.checkerboard;
        board.check(name)?;
        ensure!(
            board.split_file.is_none(),
            "{name}: data.checkerboard.split_file works only with the verb checkerboard; leave it out"
        );
        check_sizes(&file)?;
        check_counts(&file)?;
        check_runs(name, runs(&file))?;
        check_arms(&file)?;
        let claims = Self { file };
        let (name, runs) = (&claims.file.experiment.name, claims.runs("cpu"));
        let of_probes = runs.timings.iter().chain(&runs.probes).find_map(|run| Some((&run.arm, run.problem()?)));
        let problem = of_probes.or_else(|| runs.selections.iter().find_map(|run| Some((&run.arm, run.problem()?))));
        if let Some((arm, problem)) = problem {
            bail!("{name}: {arm}: {problem}");
        }
        let any = !(runs.timings.is_empty() && runs.probes.is_empty() && runs.selections.is_empty());
        ensure!(any, "{name}: no network takes part in {:?}; see --part and --models", claims.file.parts);
        Ok(claims)
    }
}

/// No fewer runs than there are: those of all parts, for every seed.
fn runs(file: &ClaimsFile) -> usize {
    let depths = file.depth.depths.len();
    let probes = 1 + file.norms.depths.len() + file.lipschitz.depths.len() + depths;
    let of_arm = |arm: &ArmFile| probes.saturating_add(depths.saturating_mul(arm.learning_rates.len()));
    let of_arms = file.arm.iter().map(of_arm).fold(2, usize::saturating_add);
    of_arms.saturating_mul(file.seeds)
}

/// Lists of sizes, and what refers to them.
fn check_sizes(file: &ClaimsFile) -> Result<()> {
    let name = &file.experiment.name;
    for (key, sizes) in [
        ("norms.depths", &file.norms.depths),
        ("depth.depths", &file.depth.depths),
        ("cost.widths", &file.cost.widths),
        ("lipschitz.depths", &file.lipschitz.depths),
    ] {
        let grows = sizes.is_sorted_by(|a, b| a < b);
        ensure!(grows && !sizes.is_empty(), "{name}: {key} is {sizes:?}; use increasing numbers");
    }
    let (shown, depths) = (file.norms.shown_depth, &file.norms.depths);
    let told = "use one of norms.depths";
    ensure!(depths.contains(&shown), "{name}: norms.shown_depth is {shown}; {told}, {depths:?}");
    let iterations = file.course.iterations;
    ensure!(
        iterations >= 100 && iterations.is_multiple_of(100),
        "{name}: course.iterations is {iterations}; use a multiple of 100, moments are hundredths of it"
    );
    let is_hundredth = |moment: &f64| ((100.0 * moment).round() - 100.0 * moment).abs() < 1e-9;
    if let Some(moment) = file.course.moments.iter().find(|moment| !is_hundredth(moment)) {
        bail!("{name}: course.moments has {moment}; use hundredths of the training");
    }
    Ok(())
}

/// How much is made of everything, and what there is of points.
fn check_counts(file: &ClaimsFile) -> Result<()> {
    let name = &file.experiment.name;
    for (key, value, most) in [
        ("depth.iterations", file.depth.iterations, MOST_STEPS),
        ("course.iterations", file.course.iterations, MOST_STEPS),
        ("lipschitz.pairs", file.lipschitz.pairs, MOST),
        ("lipschitz.steps", file.lipschitz.steps, MOST_STEPS),
        ("jacobian.layers", file.jacobian.layers, MOST),
        ("jacobian.widest", file.jacobian.widest, WIDEST),
        ("jacobian.kinks", file.jacobian.kinks, MOST),
        ("cost.rounds", file.cost.rounds, MOST),
        ("cost.batch", file.cost.batch, MOST),
        ("cost.fitted_from", file.cost.fitted_from, MOST),
        ("cost.depth_width", file.cost.depth_width, WIDEST),
        ("cost.widths", file.cost.widths.iter().copied().max().unwrap_or(1), WIDEST),
    ] {
        check_count(name, key, value, most)?;
    }
    let noise = file.depth.input_noise;
    ensure!(noise >= 0.0 && noise.is_finite(), "{name}: depth.input_noise is {noise}; use 0 or a small number");
    let data = &file.data.checkerboard;
    let points = Split::of(&data.seeded(), &data.board(), Seed(0))?;
    let fewest = points.cut_validation(data.validation_fraction, Seed(0)).0.len();
    let batch_size = file.depth.batch_size;
    ensure!(
        (2..=fewest).contains(&batch_size),
        "{name}: depth.batch_size is {batch_size}; use 2 to {fewest}, the training points without validation"
    );
    Ok(())
}

/// Learning rates and repetitions of the networks.
fn check_arms(file: &ClaimsFile) -> Result<()> {
    for arm in &file.arm {
        let (key, rates) = (format!("{}: arm {}", file.experiment.name, arm.name), &arm.learning_rates);
        let own = arm.parts.iter().all(|part| ![Part::Jacobian, Part::Cost].contains(part));
        ensure!(own, "{key}: parts has jacobian or cost, which measure no network of the file; leave them out");
        let trained = arm.course || arm.parts.contains(&Part::Depth);
        ensure!(
            !(trained && rates.is_empty()),
            "{key}: learning_rates is empty, but this network is trained; name at least one"
        );
        for rate in rates {
            refuse(&format!("{key}: learning_rates has "), rate_problem(*rate))?;
        }
        check_once(&key, "learning_rates", rates)?;
        ensure!(arm.seeds != Some(0), "{key}: seeds is 0; use at least 1");
    }
    Ok(())
}
