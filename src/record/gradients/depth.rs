//! Accuracy against depth: which rate is chosen, and what it scores.

use super::summary::Finished;
use crate::config::RunSpec;
use crate::config::gradients::{Claims, layers_of};
use crate::record::selection::Candidate;
use crate::record::statistics::Sample;
use crate::record::{EvaluationRow, FinishedRun, RunOutcome};
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
    /// Accuracy on the test points; None if the training diverged, or every one that should have chosen its rate.
    pub accuracy: Option<f64>,
    /// The learning rate that the validation points chose; None where every selection diverged.
    pub learning_rate: Option<f64>,
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

/// The final trainings that follow from trainings which chose the rate. A repetition of which one of `planned` is
/// missing has none, and neither has one whose selections all diverged.
///
/// # Errors
/// When a file of a run is missing or damaged.
pub fn chosen(planned: &[RunSpec], selections: &[FinishedRun<RunSpec>]) -> Result<Vec<RunSpec>> {
    let mut finals = Vec::new();
    for runs in complete(planned, selections).into_values() {
        let candidates = runs.iter().map(|run| Candidate::of(run)).collect::<Result<Vec<_>>>()?;
        let rate = Candidate::best(candidates.into_iter().flatten());
        let chosen = runs.iter().find(|run| Some(run.spec.fit.learning_rate) == rate);
        finals.extend(chosen.map(|run| Claims::final_training(&run.spec)));
    }
    Ok(finals)
}

/// The selections of every repetition that has all of them.
fn complete<'s>(
    planned: &[RunSpec],
    selections: &'s [FinishedRun<RunSpec>],
) -> BTreeMap<Repetition, Vec<&'s FinishedRun<RunSpec>>> {
    let mut repetitions: BTreeMap<Repetition, Vec<&FinishedRun<RunSpec>>> = BTreeMap::new();
    for run in selections {
        repetitions.entry(repetition(&run.spec)).or_default().push(run);
    }
    let wanted = |key: &Repetition| planned.iter().filter(|spec| repetition(spec) == *key).count();
    repetitions.retain(|key, runs| runs.len() == wanted(key));
    repetitions
}

/// Repetitions that end with their selections, since every one of these diverged; each is given by one of them.
pub(super) fn ended<'s>(planned: &[RunSpec], selections: &'s [FinishedRun<RunSpec>]) -> Vec<&'s FinishedRun<RunSpec>> {
    let diverged = |run: &&FinishedRun<RunSpec>| run.manifest.outcome == RunOutcome::Diverged;
    let repetitions = complete(planned, selections).into_values();
    repetitions.filter(|runs| runs.iter().all(diverged)).filter_map(|runs| runs.first().copied()).collect()
}

/// Test accuracy of every network at every depth: the last iterate of the final trainings. A repetition without one,
/// because its selections diverged, counts as diverged.
///
/// # Errors
/// When a file of a run is missing or damaged.
pub fn accuracies(claims: &Claims, planned: &[RunSpec], finished: &Finished) -> Result<Vec<Accuracies>> {
    let mut all: BTreeMap<(usize, usize), Accuracies> = BTreeMap::new();
    let mut add = |run: &FinishedRun<RunSpec>, score: DepthScore| {
        let (name, depth, _) = repetition(&run.spec);
        let Some(arm) = claims.arms.iter().position(|arm| arm.name == name) else { return };
        let parameters = run.manifest.parameters;
        let entry =
            all.entry((arm, depth)).or_insert_with(|| Accuracies { arm: name, depth, parameters, seeds: Vec::new() });
        entry.seeds.push(score);
    };
    for run in &finished.finals {
        let learning_rate = Some(run.spec.fit.learning_rate);
        add(run, DepthScore { seed: run.spec.seed.0, accuracy: test_accuracy(run)?, learning_rate });
    }
    for run in ended(planned, &finished.selections) {
        add(run, DepthScore { seed: run.spec.seed.0, accuracy: None, learning_rate: None });
    }
    let mut all: Vec<Accuracies> = all.into_values().collect();
    all.iter_mut().for_each(|scores| scores.seeds.sort_by_key(|score| score.seed));
    Ok(all)
}

fn test_accuracy(run: &FinishedRun<RunSpec>) -> Result<Option<f64>> {
    if run.manifest.outcome == RunOutcome::Diverged {
        return Ok(None);
    }
    let rows: Vec<EvaluationRow> = run.rows("evaluations.csv")?;
    Ok(rows.iter().find(|row| row.split == "test" && row.metric == "accuracy").map(|row| row.value))
}
