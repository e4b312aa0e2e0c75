//! Accuracy against depth: which rate is chosen, and what it scores.

use crate::config::RunSpec;
use crate::config::gradients::{Claims, layers_of};
use crate::record::statistics::Sample;
use crate::record::{EvaluationRow, FinishedRun};
use anyhow::Result;
use std::collections::BTreeMap;

/// A network at one depth.
#[derive(Debug, Clone, PartialEq)]
pub struct Accuracies {
    /// Which network.
    pub arm: String,
    /// Number of layers.
    pub depth: usize,
    /// Trained scalars.
    pub parameters: usize,
    /// Every seed that has all its runs.
    pub seeds: Vec<DepthScore>,
}

/// What one seed came to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DepthScore {
    /// The seed.
    pub seed: u64,
    /// Accuracy on the test points; None if the training diverged.
    pub accuracy: Option<f64>,
    /// The learning rate that the validation points chose.
    pub learning_rate: f64,
}

impl Accuracies {
    /// Over the seeds that did not diverge.
    pub fn sample(&self) -> Option<Sample> {
        Sample::of(&self.seeds.iter().filter_map(|score| score.accuracy).collect::<Vec<_>>())
    }

    /// Seeds without a value.
    pub fn diverged(&self) -> usize {
        self.seeds.iter().filter(|score| score.accuracy.is_none()).count()
    }
}

/// What tells repetitions apart: arm, number of layers, seed.
type Repetition = (String, usize, u64);

fn repetition(spec: &RunSpec) -> Repetition {
    (spec.arm.clone(), layers_of(&spec.model), spec.seed.0)
}

/// The final trainings that follow from trainings which chose the rate: the rate with the highest accuracy on validation
/// points that those did not train on, the lowest of equals. A repetition of which one of `planned` is missing has none.
///
/// # Errors
/// When a file of a run is missing or damaged.
pub fn chosen(planned: &[RunSpec], selections: &[FinishedRun<RunSpec>]) -> Result<Vec<RunSpec>> {
    let mut candidates: BTreeMap<Repetition, Vec<(f64, &RunSpec)>> = BTreeMap::new();
    for run in selections {
        // A diverged run has no evaluations: it is behind all others.
        let accuracy = accuracy(run, "validation")?.unwrap_or(-1.0);
        candidates.entry(repetition(&run.spec)).or_default().push((accuracy, &run.spec));
    }
    let mut finals = Vec::new();
    for (key, candidates) in candidates {
        let wanted = planned.iter().filter(|spec| repetition(spec) == key).count();
        let rate = |spec: &RunSpec| spec.fit.learning_rate;
        let best = candidates.iter().max_by(|a, b| a.0.total_cmp(&b.0).then(rate(b.1).total_cmp(&rate(a.1))));
        if let Some((_, spec)) = best.filter(|_| candidates.len() == wanted) {
            finals.push(Claims::final_training(spec));
        }
    }
    Ok(finals)
}

/// Test accuracy of every network at every depth: the last iterate of the final trainings.
///
/// # Errors
/// When a file of a run is missing or damaged.
pub fn accuracies(claims: &Claims, finals: &[FinishedRun<RunSpec>]) -> Result<Vec<Accuracies>> {
    let mut all: BTreeMap<(usize, usize), Accuracies> = BTreeMap::new();
    for run in finals {
        let (name, depth, seed) = repetition(&run.spec);
        let Some(arm) = claims.arms.iter().position(|arm| arm.name == name) else { continue };
        let parameters = run.manifest.parameters;
        let entry =
            all.entry((arm, depth)).or_insert_with(|| Accuracies { arm: name, depth, parameters, seeds: Vec::new() });
        let learning_rate = run.spec.fit.learning_rate;
        entry.seeds.push(DepthScore { seed, accuracy: accuracy(run, "test")?, learning_rate });
    }
    Ok(all.into_values().collect())
}

fn accuracy(run: &FinishedRun<RunSpec>, split: &str) -> Result<Option<f64>> {
    if run.manifest.diverged_at_step.is_some() {
        return Ok(None);
    }
    let rows: Vec<EvaluationRow> = run.rows("evaluations.csv")?;
    Ok(rows.iter().find(|row| row.split == split && row.metric == "accuracy").map(|row| row.value))
}
