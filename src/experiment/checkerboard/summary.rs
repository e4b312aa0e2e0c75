//! From finished runs to figures over seeds, under each protocol.

use super::check::Checkerboard;
use super::rows::TestCurveRow;
use super::spec::{Phase, TrainingSpec};
use crate::engine::rows::{Candidate, EvaluationRow, RatedSeed, Sample, Seeds, Statistics};
use crate::engine::runs::FinishedRun;
use crate::engine::settings::File;
use anyhow::Result;
use serde::{Deserialize, Serialize};

/// What is measured.
pub(super) const METRIC: &str = "test_accuracy";

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

/// What a summary is of: the columns that its row and those of its seeds begin with.
#[derive(Debug, Clone, Serialize)]
pub struct Setting {
    experiment: String,
    pub arm: String,
    pub recipe: String,
    /// How scored.
    pub protocol: Protocol,
}

/// What was trained, and what is measured of it: more columns of its row.
#[derive(Debug, Clone, Serialize)]
pub struct TrainedColumns {
    /// For `last_iterate`: the rate; the other protocols choose it.
    pub learning_rate: Option<f64>,
    /// Trained scalars.
    pub parameters: usize,
    /// What is measured.
    metric: &'static str,
    /// none
    attack: &'static str,
    /// Size of the attack.
    epsilon: Option<f64>,
}

/// All seeds of an arm under a recipe and a protocol.
#[derive(Debug, Clone)]
pub struct Summary {
    pub of: Setting,
    pub trained: TrainedColumns,
    /// The test accuracy of every seed.
    pub values: Vec<RatedSeed>,
    /// Wall-clock seconds of all runs behind it, mean a seed.
    pub seconds: f64,
}

impl Summary {
    /// The accuracy of every seed.
    pub fn accuracies(&self) -> Seeds {
        self.values.iter().map(|value| (value.seed, value.value)).collect()
    }

    /// Over the seeds that did not diverge.
    pub fn sample(&self) -> Option<Sample> {
        self.accuracies().sample()
    }

    /// The paper's figure for it; the paper reports under its own protocol alone.
    pub fn paper(&self, experiment: &Checkerboard) -> Option<f64> {
        experiment.file.arm(&self.of.arm)?.paper.filter(|_| self.of.protocol == Protocol::BestOnTest)
    }
}

/// `tables/<experiment>.csv`
pub type TableRow<'s> = (&'s Setting, &'s TrainedColumns, Statistics, Paper);

/// `tables/<experiment>-seeds.csv`: what one seed scored.
pub type SeedRow<'s> = (&'s Setting, &'s RatedSeed);

#[derive(Serialize)]
pub struct Paper {
    paper: Option<f64>,
    /// Mean minus the paper's figure.
    delta: Option<f64>,
}

impl Summary {
    /// Its row.
    pub fn row(&self, experiment: &Checkerboard) -> TableRow<'_> {
        let (accuracies, paper) = (self.accuracies(), self.paper(experiment));
        let delta = accuracies.sample().zip(paper).map(|(sample, paper)| sample.mean - paper);
        (&self.of, &self.trained, accuracies.statistics().of_fractions(), Paper { paper, delta })
    }

    /// A row for each of its seeds.
    pub fn seed_rows(&self) -> impl Iterator<Item = SeedRow<'_>> {
        self.values.iter().map(|value| (&self.of, value))
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
            let summary = |protocol, learning_rate, value: &dyn Fn(&[&Scored]) -> RatedSeed| Summary {
                of: Setting {
                    experiment: experiment.file.experiment.name.clone(),
                    arm: arm.name.clone(),
                    recipe: recipe.name.clone(),
                    protocol,
                },
                trained: TrainedColumns { learning_rate, parameters, metric: METRIC, attack: "none", epsilon: None },
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

fn rated(of_seed: &[&Scored], learning_rate: Option<f64>, value: Option<f64>) -> RatedSeed {
    let seed = of_seed.first().map_or(0, |scored| scored.run.spec.seed.0);
    RatedSeed { seed, learning_rate, metric: METRIC, value }
}

/// The last iterate at the learning rate that the validation points choose.
fn held_out(of_seed: &[&Scored]) -> RatedSeed {
    let learning_rate = Candidate::best(of_seed.iter().filter_map(|scored| scored.validation));
    let value = learning_rate.and_then(|chosen| last_iterate(of_seed, chosen).value);
    rated(of_seed, learning_rate, value)
}

fn best_on_test(of_seed: &[&Scored]) -> RatedSeed {
    let candidates = of_seed.iter().filter_map(|s| s.best_on_test.map(|best| (best, s.run.spec.fit.learning_rate)));
    let best = candidates.max_by(|a, b| a.0.total_cmp(&b.0));
    rated(of_seed, best.map(|b| b.1), best.map(|b| b.0))
}

fn last_iterate(of_seed: &[&Scored], rate: f64) -> RatedSeed {
    let run = of_seed.iter().find(|s| s.run.spec.phase == Phase::Full && s.run.spec.fit.learning_rate == rate);
    rated(of_seed, Some(rate), run.and_then(|s| s.test))
}
