//! From finished runs to figures over seeds, under each protocol.

use super::check::Checkerboard;
use super::rows::TestCurveRow;
use super::spec::{Phase, TrainingSpec};
use crate::engine::rows::{Candidate, EvaluationRow, Sample, Seeds, Statistics};
use crate::engine::runs::FinishedRun;
use crate::engine::settings::File;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// How one number is made of the runs of one seed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// The learning rate is chosen on validation points cut from the training points; then the last iterate of one
    /// training on all training points. It reads the test set once.
    HeldOut,
    /// The paper's: best test accuracy over all iterations and learning rates. It selects on the test set.
    BestOnTest,
    /// The last iterate at one given learning rate.
    LastIterate,
}

impl Protocol {
    /// Key in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::HeldOut => "held_out",
            Self::BestOnTest => "best_on_test",
            Self::LastIterate => "last_iterate",
        }
    }
}

/// The number of one seed.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedValue {
    pub seed: u64,
    /// Test accuracy; None if the run that should have given it diverged.
    pub accuracy: Option<f64>,
    /// Learning rate of that run.
    pub learning_rate: Option<f64>,
}

/// All seeds of an arm under a recipe and a protocol.
#[derive(Debug, Clone)]
pub struct Summary {
    pub arm: String,
    pub recipe: String,
    /// How scored.
    pub protocol: Protocol,
    /// For [`Protocol::LastIterate`].
    pub learning_rate: Option<f64>,
    /// Trained scalars.
    pub parameters: usize,
    /// A value a seed.
    pub values: Vec<SeedValue>,
    /// Wall-clock seconds of all runs behind it, mean a seed.
    pub seconds: f64,
}

impl Summary {
    /// The accuracy of every seed.
    pub fn accuracies(&self) -> Seeds {
        self.values.iter().map(|value| (value.seed, value.accuracy)).collect()
    }

    /// Over the seeds that did not diverge.
    pub fn sample(&self) -> Option<Sample> {
        self.accuracies().sample()
    }

    /// The paper's figure for it; the paper reports under its own protocol alone.
    pub fn paper(&self, experiment: &Checkerboard) -> Option<f64> {
        experiment.file.arm(&self.arm)?.paper.filter(|_| self.protocol == Protocol::BestOnTest)
    }
}

/// `tables/<experiment>.csv`
pub type TableRow = (SummaryColumns, Statistics, Paper);

#[derive(Serialize)]
pub struct SummaryColumns {
    experiment: String,
    arm: String,
    recipe: String,
    /// How scored.
    protocol: Protocol,
    /// For `last_iterate`: the rate; the other protocols choose it.
    learning_rate: Option<f64>,
    /// Trained scalars.
    parameters: usize,
    /// What is measured.
    metric: &'static str,
    /// none
    attack: &'static str,
    /// Size of the attack.
    epsilon: Option<f64>,
}

/// `tables/<experiment>-seeds.csv`: what one seed scored.
#[derive(Serialize)]
pub struct SeedRow {
    experiment: String,
    arm: String,
    recipe: String,
    /// How scored.
    protocol: Protocol,
    seed: u64,
    /// Of the run that was scored; none where every run diverged.
    learning_rate: Option<f64>,
    /// What is measured.
    metric: &'static str,
    /// None if that run diverged.
    value: Option<f64>,
}

#[derive(Serialize)]
pub struct Paper {
    paper: Option<f64>,
    /// Mean minus the paper's figure.
    delta: Option<f64>,
}

impl Summary {
    /// Its row.
    pub fn row(&self, experiment: &Checkerboard) -> TableRow {
        let (accuracies, paper) = (self.accuracies(), self.paper(experiment));
        let columns = SummaryColumns {
            experiment: experiment.file.experiment.name.clone(),
            arm: self.arm.clone(),
            recipe: self.recipe.clone(),
            protocol: self.protocol,
            learning_rate: self.learning_rate,
            parameters: self.parameters,
            metric: "test_accuracy",
            attack: "none",
            epsilon: None,
        };
        let delta = accuracies.sample().zip(paper).map(|(sample, paper)| sample.mean - paper);
        (columns, accuracies.statistics().of_fractions(), Paper { paper, delta })
    }

    /// A row for each of its seeds.
    pub fn seed_rows(&self, experiment: &Checkerboard) -> impl Iterator<Item = SeedRow> {
        self.values.iter().map(|value| SeedRow {
            experiment: experiment.file.experiment.name.clone(),
            arm: self.arm.clone(),
            recipe: self.recipe.clone(),
            protocol: self.protocol,
            seed: value.seed,
            learning_rate: value.learning_rate,
            metric: "test_accuracy",
            value: value.accuracy,
        })
    }
}

/// What the tables and charts need of one run.
struct Scored<'a> {
    run: &'a FinishedRun<TrainingSpec>,
    /// Last iterate on validation points.
    validation: Option<Candidate>,
    /// Last iterate on test points; none if it diverged.
    test: Option<f64>,
    /// Best over the iterations.
    best_on_test: Option<f64>,
}

impl<'a> Scored<'a> {
    fn read(run: &'a FinishedRun<TrainingSpec>) -> Result<Self> {
        let mut scored = Self { run, validation: None, test: None, best_on_test: None };
        match run.spec.phase {
            Phase::Selection => scored.validation = Candidate::of(run)?,
            Phase::Full => {
                scored.test = EvaluationRow::read(run, "test", "accuracy")?;
                let curve = run.rows::<TestCurveRow>("test_curve.csv")?;
                scored.best_on_test = curve.iter().map(|row| row.test_accuracy).max_by(f64::total_cmp);
            }
        }
        Ok(scored)
    }
}

/// Every arm under every recipe and protocol, for the seeds of which all runs are there.
pub fn summarise(experiment: &Checkerboard, runs: &[FinishedRun<TrainingSpec>]) -> Result<Vec<Summary>> {
    let scored: Vec<Scored> = runs.iter().map(Scored::read).collect::<Result<_>>()?;
    let mut summaries = Vec::new();
    for recipe in &experiment.file.recipe {
        for arm in &experiment.file.arm {
            let of_arm: Vec<&Scored> =
                scored.iter().filter(|s| s.run.spec.arm == arm.name && s.run.spec.recipe == recipe.name).collect();
            let Some(parameters) = of_arm.first().map(|s| s.run.manifest.parameters) else { continue };
            let rates = experiment.rates(recipe, &arm.name);
            // Seeds with all their runs: an interrupted command must not show a selection among fewer rates.
            let complete: Vec<Vec<&Scored>> = experiment
                .file
                .seeds(arm)
                .map(|seed| of_arm.iter().filter(|s| s.run.spec.seed.0 == seed).copied().collect::<Vec<_>>())
                .filter(|of_seed| of_seed.len() == 2 * rates.len())
                .collect();
            if complete.is_empty() {
                continue;
            }
            let seconds: f64 = complete.iter().flatten().map(|s| s.run.manifest.seconds).sum();
            let summary = |protocol, learning_rate, value: &dyn Fn(&[&Scored]) -> SeedValue| Summary {
                arm: arm.name.clone(),
                recipe: recipe.name.clone(),
                protocol,
                learning_rate,
                parameters,
                values: complete.iter().map(|of_seed| value(of_seed)).collect(),
                seconds: seconds / complete.len() as f64,
            };
            summaries.push(summary(Protocol::HeldOut, None, &held_out));
            summaries.push(summary(Protocol::BestOnTest, None, &best_on_test));
            for &rate in rates {
                let last_iterate = |of_seed: &[&Scored]| last_iterate(of_seed, rate);
                summaries.push(summary(Protocol::LastIterate, Some(rate), &last_iterate));
            }
        }
    }
    Ok(summaries)
}

fn seed_of(of_seed: &[&Scored]) -> u64 {
    of_seed.first().map_or(0, |scored| scored.run.spec.seed.0)
}

/// The last iterate at the learning rate that the validation points choose.
fn held_out(of_seed: &[&Scored]) -> SeedValue {
    let learning_rate = Candidate::best(of_seed.iter().filter_map(|scored| scored.validation));
    let accuracy = learning_rate.and_then(|chosen| last_iterate(of_seed, chosen).accuracy);
    SeedValue { seed: seed_of(of_seed), accuracy, learning_rate }
}

fn best_on_test(of_seed: &[&Scored]) -> SeedValue {
    let candidates = of_seed.iter().filter_map(|s| s.best_on_test.map(|best| (best, s.run.spec.fit.learning_rate)));
    let best = candidates.max_by(|a, b| a.0.total_cmp(&b.0));
    SeedValue { seed: seed_of(of_seed), accuracy: best.map(|b| b.0), learning_rate: best.map(|b| b.1) }
}

fn last_iterate(of_seed: &[&Scored], rate: f64) -> SeedValue {
    let run = of_seed.iter().find(|s| s.run.spec.phase == Phase::Full && s.run.spec.fit.learning_rate == rate);
    SeedValue { seed: seed_of(of_seed), accuracy: run.and_then(|s| s.test), learning_rate: Some(rate) }
}
