//! Accuracy against depth: which rate is chosen, and what it scores.

use super::Findings;
use super::plan::Claims;
use super::spec::layers_of;
use crate::engine::rows::{Candidate, EvaluationRow, RatedSeed, Seeds};
use crate::engine::runs::FinishedRun;
use crate::experiment::checkerboard::{Phase, TrainingSpec};
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeMap;

/// A network at one depth.
pub(super) struct Accuracies {
    pub arm: String,
    /// Number of layers.
    pub depth: usize,
    pub parameters: usize,
    /// Accuracy on the test points for every seed that has all its runs; none if the training diverged, or every one that
    /// should have chosen its rate.
    pub values: Seeds,
    /// The learning rates that the validation points chose, by seed.
    pub rates: BTreeMap<u64, f64>,
}

/// `tables/<experiment>-seeds.csv`: what one seed scored.
pub(super) type SeedRow = (NetworkColumns, RatedSeed);

#[derive(Serialize)]
pub(super) struct NetworkColumns {
    experiment: String,
    arm: String,
    /// Number of layers.
    depth: usize,
}

impl Accuracies {
    /// A row for each seed.
    pub fn seed_rows(&self, experiment: &str) -> impl Iterator<Item = SeedRow> {
        self.values.clone().into_iter().map(move |(seed, value)| {
            let network = NetworkColumns { experiment: experiment.into(), arm: self.arm.clone(), depth: self.depth };
            let learning_rate = self.rates.get(&seed).copied();
            (network, RatedSeed { seed, learning_rate, metric: "test_accuracy", value })
        })
    }
}

/// What follows from the selections that are there.
#[derive(Default)]
pub(super) struct Choices {
    /// The trainings on all training points, each at the rate that was the best.
    pub finals: Vec<TrainingSpec>,
    /// Repetitions that end with their selections, since every one of these diverged; each is given by one of them.
    pub ended: Vec<FinishedRun<TrainingSpec>>,
    /// Repetitions that lack a selection.
    pub pending: usize,
}

impl Choices {
    pub fn of(planned: &[TrainingSpec], selections: &[FinishedRun<TrainingSpec>]) -> Result<Self> {
        // What tells repetitions apart, how many selections each ought to have, and those that it has.
        let key = |spec: &TrainingSpec| (spec.arm.clone(), layers_of(&spec.model), spec.seed.0);
        let mut repetitions = BTreeMap::new();
        for spec in planned {
            repetitions.entry(key(spec)).or_insert((0, Vec::new())).0 += 1;
        }
        for run in selections {
            repetitions.entry(key(&run.spec)).or_default().1.push(run);
        }
        let mut choices = Self::default();
        for (wanted, runs) in repetitions.into_values() {
            if runs.len() < wanted {
                choices.pending += 1;
                continue;
            }
            let candidates = runs.iter().map(|run| Candidate::of(*run)).collect::<Result<Vec<_>>>()?;
            let rate = Candidate::best(candidates.into_iter().flatten());
            match runs.iter().find(|run| Some(run.spec.fit.learning_rate) == rate) {
                Some(run) => choices.finals.push(TrainingSpec { phase: Phase::Full, ..run.spec.clone() }),
                None => choices.ended.extend(runs.first().copied().cloned()),
            }
        }
        Ok(choices)
    }
}

/// Test accuracy of every network at every depth: the last iterate of the final trainings. A repetition without one,
/// because its selections diverged, counts as diverged.
pub(super) fn accuracies(claims: &Claims, findings: &Findings) -> Result<Vec<Accuracies>> {
    let mut all: BTreeMap<(usize, usize), Accuracies> = BTreeMap::new();
    let finals = findings.finals.iter().map(|run| (run, Some(run.spec.fit.learning_rate)));
    for (run, rate) in finals.chain(findings.ended.iter().map(|run| (run, None))) {
        let (arm, depth, parameters) = (&run.spec.arm, layers_of(&run.spec.model), run.manifest.parameters);
        let Some(place) = claims.file.arm.iter().position(|other| other.name == *arm) else { continue };
        let empty =
            || Accuracies { arm: arm.clone(), depth, parameters, values: Seeds::default(), rates: BTreeMap::new() };
        let scores = all.entry((place, depth)).or_insert_with(empty);
        scores.values.add(run.spec.seed.0, test_accuracy(run)?);
        scores.rates.extend(rate.map(|rate| (run.spec.seed.0, rate)));
    }
    Ok(all.into_values().collect())
}

/// None of a training that diverged, or ended with its selections.
pub(super) fn test_accuracy(run: &FinishedRun<TrainingSpec>) -> Result<Option<f64>> {
    EvaluationRow::read(run, "test", "accuracy")
}
