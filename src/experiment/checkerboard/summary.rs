//! From finished runs to figures over seeds, under each protocol.

use super::check::Checkerboard;
use super::rows::TestCurveRow;
use super::spec::{Phase, TrainingSpec};
use crate::engine::rows::{Candidate, EvaluationRow, Sample};
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
    /// Statistics over the seeds that did not diverge.
    pub fn sample(&self) -> Option<Sample> {
        Sample::of(&self.values.iter().filter_map(|value| value.accuracy).collect::<Vec<_>>())
    }

    /// The paper's figure for it; the paper reports under its own protocol alone.
    pub fn paper(&self, experiment: &Checkerboard) -> Option<f64> {
        experiment.file.arm(&self.arm)?.paper.filter(|_| self.protocol == Protocol::BestOnTest)
    }

    /// Seeds without a value.
    pub fn diverged(&self) -> usize {
        self.values.iter().filter(|value| value.accuracy.is_none()).count()
    }
}

/// `tables/<experiment>.csv`
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableRow {
    pub experiment: String,
    pub arm: String,
    pub recipe: String,
    /// How scored.
    pub protocol: Protocol,
    /// For `last_iterate`: the rate; the other protocols choose it.
    pub learning_rate: Option<f64>,
    /// Trained scalars.
    pub parameters: usize,
    /// What is measured.
    pub metric: String,
    /// none
    pub attack: String,
    /// Size of the attack.
    pub epsilon: Option<f64>,
    /// Repetitions, diverged ones included.
    pub seeds: usize,
    /// Repetitions without a value; the statistics are over the others.
    pub diverged: usize,
    /// Statistics over seeds.
    pub mean: Option<f64>,
    /// With n - 1 in the denominator.
    pub std: Option<f64>,
    /// Worst seed.
    pub min: Option<f64>,
    /// Middle seed.
    pub median: Option<f64>,
    /// Best seed.
    pub max: Option<f64>,
    /// 95 % interval of the mean, Student's t.
    pub ci95_low: Option<f64>,
    /// Its upper end; may pass 1.
    pub ci95_high: Option<f64>,
    pub paper: Option<f64>,
    /// Mean minus the paper's figure.
    pub delta: Option<f64>,
}

impl TableRow {
    /// The row of a summary.
    pub fn of(experiment: &Checkerboard, summary: &Summary) -> Self {
        let sample = summary.sample();
        let interval = sample.and_then(|s| s.confidence_interval());
        let paper = summary.paper(experiment);
        Self {
            experiment: experiment.file.experiment.name.clone(),
            arm: summary.arm.clone(),
            recipe: summary.recipe.clone(),
            protocol: summary.protocol,
            learning_rate: summary.learning_rate,
            parameters: summary.parameters,
            metric: "test_accuracy".into(),
            attack: "none".into(),
            epsilon: None,
            seeds: summary.values.len(),
            diverged: summary.diverged(),
            mean: sample.map(|s| s.mean),
            std: sample.and_then(|s| s.deviation),
            min: sample.map(|s| s.min),
            median: sample.map(|s| s.median),
            max: sample.map(|s| s.max),
            ci95_low: interval.map(|(low, _)| low),
            ci95_high: interval.map(|(_, high)| high),
            paper,
            delta: sample.zip(paper).map(|(s, paper)| s.mean - paper),
        }
    }
}

/// What the tables and charts need of one run.
struct Scored<'a> {
    run: &'a FinishedRun<TrainingSpec>,
    finished: bool,
    /// Last iterate on validation points.
    validation: Option<Candidate>,
    /// Last iterate on test points.
    test: Option<f64>,
    /// Best over the iterations.
    best_on_test: Option<f64>,
}

impl<'a> Scored<'a> {
    fn read(run: &'a FinishedRun<TrainingSpec>) -> Result<Self> {
        let finished = !run.diverged();
        let mut scored = Self { run, finished, validation: None, test: None, best_on_test: None };
        match run.spec.phase {
            Phase::Selection => scored.validation = Candidate::of(run)?,
            Phase::Full => {
                if finished {
                    let rows = run.rows::<EvaluationRow>("evaluations.csv")?;
                    scored.test = rows.iter().find(|r| r.split == "test" && r.metric == "accuracy").map(|r| r.value);
                }
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
    let accuracy = run.filter(|s| s.finished).and_then(|s| s.test);
    SeedValue { seed: seed_of(of_seed), accuracy, learning_rate: Some(rate) }
}
