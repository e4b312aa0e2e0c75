//! The runs of an arm over its seeds, and their figures: `tables/<experiment>.csv` of experiments that compare arms on data
//! sets.

use super::rows::EvaluationRow;
use super::scores::{Figure, Scored, Statistics};
use super::selection::Candidate;
use super::statistics::Sample;
use crate::engine::runs::{FinishedRun, Spec};
use anyhow::Result;
use serde::Serialize;

/// What the seeds of an arm came to, each at the learning rate that its validation points chose.
pub struct Group<'r, S> {
    /// One of the runs, whatever became of it.
    pub spec: &'r S,
    /// Of every seed the run that was chosen.
    pub chosen: Vec<&'r FinishedRun<S>>,
    /// Of those runs; a seed whose runs all diverged has diverged.
    pub scored: Scored,
}

/// A figure over the seeds.
pub type SummaryRow = (GroupColumns, Statistics);

/// `tables/<experiment>-seeds.csv`: what one seed scored.
#[derive(Serialize)]
pub struct SeedRow {
    experiment: String,
    /// The data set.
    data: String,
    /// Which network or method.
    arm: String,
    /// How trained, where there are several ways.
    recipe: Option<String>,
    seed: u64,
    /// train, validation or test.
    split: &'static str,
    /// What is measured.
    metric: String,
    /// None if training diverged.
    value: Option<f64>,
}

/// What a figure is of.
#[derive(Serialize)]
pub struct GroupColumns {
    experiment: String,
    /// The data set.
    data: String,
    /// Where it is from, in words.
    origin: String,
    /// Which network or method.
    arm: String,
    /// How trained, where there are several ways.
    recipe: Option<String>,
    /// Trained scalars, where they can be counted.
    parameters: Option<usize>,
    /// train, validation or test.
    split: &'static str,
    /// What is measured.
    metric: String,
}

impl<'r, S: Spec> Group<'r, S> {
    /// Groups the runs of a stage, in its order. Runs belong together if they are the `same` but for learning rate
    /// and seed; `wanted` says how
    /// many of a seed there have to be: seeds without are left out, so that an interrupted command shows no choice among
    /// fewer. Chosen is the learning rate with the least `metric` on the validation points.
    ///
    /// # Errors
    /// When a file of a run is missing or damaged.
    pub fn all(
        runs: &'r [FinishedRun<S>],
        same: impl Fn(&S, &S) -> bool,
        wanted: impl Fn(&S) -> usize,
        metric: &str,
    ) -> Result<Vec<Self>> {
        let mut groups = Vec::new();
        for runs in runs.chunk_by(|a, b| same(&a.spec, &b.spec)) {
            let group = Self::of(runs, wanted(&runs[0].spec), metric)?;
            groups.extend((!group.chosen.is_empty() || !group.scored.diverged.is_empty()).then_some(group));
        }
        Ok(groups)
    }

    fn of(runs: &'r [FinishedRun<S>], wanted: usize, metric: &str) -> Result<Self> {
        let mut group = Self { spec: &runs[0].spec, chosen: Vec::new(), scored: Scored::default() };
        let mut seeds: Vec<u64> = runs.iter().map(|run| run.spec.seed().0).collect();
        seeds.sort_unstable();
        seeds.dedup();
        for seed in seeds {
            let of_seed: Vec<_> = runs.iter().filter(|run| run.spec.seed().0 == seed).collect();
            if of_seed.len() < wanted {
                continue;
            }
            // Where all diverged, any of them says so.
            let chosen = choose(&of_seed, metric)?;
            group.scored.add(chosen.unwrap_or(of_seed[0]))?;
            group.chosen.extend(chosen);
        }
        Ok(group)
    }

    /// Trained scalars; none of what has none to count.
    pub fn parameters(&self) -> Option<usize> {
        Some(self.scored.parameters).filter(|count| *count > 0)
    }

    /// A figure over the seeds.
    pub fn sample(&self, split: &'static str, metric: &str) -> Option<Sample> {
        self.scored.sample(&Figure::of(split, metric))
    }

    /// The learning rates that were chosen, each with the number of its seeds; a dash without any.
    pub fn rates(&self) -> String {
        let mut rates: Vec<f64> = self.chosen.iter().filter_map(|run| run.spec.details().learning_rate).collect();
        rates.sort_by(f64::total_cmp);
        let words: Vec<String> =
            rates.chunk_by(|a, b| a == b).map(|same| format!("{} ({})", same[0], same.len())).collect();
        if words.is_empty() { "-".into() } else { words.join(", ") }
    }

    /// Every figure. Where every seed diverged there is one without a value, of `metric` on the test points.
    pub fn rows(&self, data: &str, origin: &str, metric: &str) -> Vec<SummaryRow> {
        let row = |figure: &Figure| {
            let columns = GroupColumns {
                experiment: self.spec.experiment().into(),
                data: data.into(),
                origin: origin.into(),
                arm: self.spec.arm().into(),
                recipe: self.spec.details().recipe,
                parameters: self.parameters(),
                split: figure.split,
                metric: figure.metric.clone(),
            };
            (columns, self.scored.statistics(figure))
        };
        self.scored.figures([Figure::of("test", metric)]).iter().map(row).collect()
    }

    /// Every figure of every seed. Where every seed diverged there is one without values, of `metric` on the test points.
    pub fn seed_rows(&self, data: &str, metric: &str) -> Vec<SeedRow> {
        let of_figure = |figure: &Figure| -> Vec<SeedRow> {
            let lost = self.scored.diverged.iter().map(|seed| (*seed, None));
            let values = self.scored.values(figure).map(|(seed, value)| (seed, Some(value)));
            let row = |(seed, value)| SeedRow {
                experiment: self.spec.experiment().into(),
                data: data.into(),
                arm: self.spec.arm().into(),
                recipe: self.spec.details().recipe,
                seed,
                split: figure.split,
                metric: figure.metric.clone(),
                value,
            };
            values.chain(lost).map(row).collect()
        };
        self.scored.figures([Figure::of("test", metric)]).iter().flat_map(of_figure).collect()
    }
}

/// The run at the best learning rate; the first of what has none.
fn choose<'r, S: Spec>(runs: &[&'r FinishedRun<S>], metric: &str) -> Result<Option<&'r FinishedRun<S>>> {
    let mut candidates = Vec::new();
    for run in runs.iter().filter(|run| !run.diverged()) {
        let Some(rate) = run.spec.details().learning_rate else { return Ok(Some(*run)) };
        let rows: Vec<EvaluationRow> = run.rows("evaluations.csv")?;
        let found = rows.iter().find(|row| row.split == "validation" && row.metric == metric);
        candidates.extend(found.map(|row| Candidate::of_loss(rate, row.value)));
    }
    let rate = Candidate::best(candidates);
    Ok(runs.iter().find(|run| rate.is_some() && run.spec.details().learning_rate == rate).copied())
}
