//! Figures over the seeds of every network, and networks compared seed by seed.

use super::check::{Comparison, Entrant, Training};
use super::file::ArmFile;
use super::spec::{ImageFacts, ImageSet, ImageSpec};
use crate::engine::rows::{Differences, Figure, Sample, Scored, SeedScore, Statistics, TableKey};
use crate::engine::runs::FinishedRun;
use anyhow::Result;
use serde::Serialize;
use std::collections::BTreeSet;

/// What the runs that are there have measured.
pub struct Results<'r> {
    pub experiment: &'r Comparison,
    pub set: ImageSet,
    /// Those with a run, in the order of the experiment.
    pub arms: Vec<ArmResults<'r>>,
}

/// What was measured of a network.
pub struct ArmResults<'r> {
    pub entrant: &'r Entrant,
    /// The entrant's.
    pub arm: &'r ArmFile,
    /// The runs that did not diverge.
    pub runs: Vec<&'r FinishedRun<ImageSpec>>,
    pub scored: Scored,
}

/// `tables/<experiment>.csv`: a figure over the seeds, and its difference to that of another network.
pub type TableRow = (TableKey, FigureColumns, Statistics, Compared, Differences, Paper);

#[derive(Serialize)]
pub struct FigureColumns {
    /// Trained scalars.
    parameters: usize,
    /// train (some of its images as they are), validation or test.
    split: String,
    /// accuracy, top5 or cross_entropy; of test images also likeness and likeness_before.
    metric: String,
}

#[derive(Serialize)]
pub struct Compared {
    /// The network that it is compared to.
    against: Option<String>,
}

#[derive(Serialize)]
pub struct Paper {
    paper: Option<f64>,
}

/// `tables/<experiment>-differences.csv`, where there are several trainings: a figure of a network less that of the one that it is
/// compared to, under the same training.
pub type DifferenceRow = (TableKey, DifferenceColumns, Differences);

#[derive(Serialize)]
pub struct DifferenceColumns {
    /// The network that it is compared to, under the same training.
    against: Option<String>,
    /// The arm without its training.
    network: String,
    augment: String,
    epochs: usize,
    /// train (some of its images as they are), validation or test.
    split: String,
    /// accuracy, top5 or cross_entropy; of test images also likeness and likeness_before.
    metric: String,
}

/// `tables/<experiment>-seeds.csv`: what one seed scored.
pub type SeedRow = (TableKey, SeedScore);

impl ArmResults<'_> {
    /// What it has scores of, or would have had.
    pub fn figures(&self, set: &ImageSet) -> BTreeSet<Figure> {
        let validation = (set.validation_images > 0).then_some("validation");
        let splits = ["train", "test"].into_iter().chain(validation);
        let of_split = |split| ["accuracy", "top5", "cross_entropy"].map(|metric| Figure::of(split, metric));
        self.scored.figures(splits.flat_map(of_split))
    }

    /// A figure over the seeds.
    pub fn sample(&self, split: &'static str, metric: &str) -> Option<Sample> {
        self.scored.sample(&Figure::of(split, metric))
    }

    /// Test accuracy over the seeds.
    pub fn accuracy(&self) -> Option<Sample> {
        self.sample("test", "accuracy")
    }

    /// Wall-clock seconds for an epoch in the fastest run: others may have had less of the machine.
    pub fn epoch_seconds(&self) -> Option<f64> {
        let seconds: Vec<f64> = self.runs.iter().filter_map(|run| run.manifest.epoch_seconds).collect();
        Sample::of(&seconds).map(|sample| sample.min)
    }
}

impl<'r> Results<'r> {
    /// Reads what finished runs have left.
    pub fn of(experiment: &'r Comparison, facts: &ImageFacts, runs: &'r [FinishedRun<ImageSpec>]) -> Result<Self> {
        let mut arms = Vec::new();
        for entrant in &experiment.entrants {
            let arm = &entrant.arm;
            let mut scored = Scored::default();
            let runs: Vec<&FinishedRun<ImageSpec>> = runs.iter().filter(|run| run.spec.arm == arm.name).collect();
            runs.iter().try_for_each(|run| scored.add(run))?;
            if !runs.is_empty() {
                let runs = runs.into_iter().filter(|run| !run.diverged()).collect();
                arms.push(ArmResults { entrant, arm, runs, scored });
            }
        }
        Ok(Self { experiment, set: experiment.image_set(facts), arms })
    }

    pub fn arm(&self, name: &str) -> Option<&ArmResults<'r>> {
        self.arms.iter().find(|result| result.arm.name == name)
    }

    /// The network that a network is compared to.
    pub fn other(&self, result: &ArmResults<'_>) -> Option<&ArmResults<'r>> {
        self.arm(result.arm.compared_to.as_deref()?)
    }

    /// The paper's test accuracy of a network; it has none for the sample.
    pub fn paper(&self, result: &ArmResults<'_>) -> Option<f64> {
        result.arm.paper.filter(|_| !self.set.sample)
    }

    /// What the rows of a network begin with.
    fn key(&self, result: &ArmResults<'_>) -> TableKey {
        let experiment = self.experiment.file.experiment.name.clone();
        TableKey { experiment, data: self.set.name().into(), arm: result.arm.name.clone() }
    }

    /// Every figure of every network.
    pub fn table_rows(&self) -> Vec<TableRow> {
        let of_arm = |result: &'_ ArmResults<'_>| -> Vec<TableRow> {
            result.figures(&self.set).iter().map(|figure| self.row(result, figure)).collect()
        };
        self.arms.iter().flat_map(of_arm).collect()
    }

    fn row(&self, result: &ArmResults<'_>, figure: &Figure) -> TableRow {
        let other = self.other(result);
        let differences = other.and_then(|other| result.scored.less(&other.scored, figure)).into();
        let columns = FigureColumns {
            parameters: result.scored.parameters,
            split: figure.split.into(),
            metric: figure.metric.clone(),
        };
        let compared = Compared { against: other.map(|other| other.arm.name.clone()) };
        let paper = self.paper(result).filter(|_| *figure == Figure::of("test", "accuracy"));
        (self.key(result), columns, result.scored.statistics(figure), compared, differences, Paper { paper })
    }

    /// Every difference of every figure, by the training.
    pub fn difference_rows(&self) -> Vec<DifferenceRow> {
        let mut rows = Vec::new();
        for result in self.arms.iter().filter(|result| result.arm.compared_to.is_some()) {
            let (other, Training { epochs, augment }) = (self.other(result), result.entrant.training);
            rows.extend(result.figures(&self.set).iter().map(|figure| {
                let columns = DifferenceColumns {
                    against: result.arm.compared_to.clone(),
                    network: result.entrant.network[0].clone(),
                    augment: augment.name().into(),
                    epochs,
                    split: figure.split.into(),
                    metric: figure.metric.clone(),
                };
                let differences = other.and_then(|other| result.scored.less(&other.scored, figure)).into();
                (self.key(result), columns, differences)
            }));
        }
        rows
    }

    /// Every score of every seed, without a value where its training diverged.
    pub fn seed_rows(&self) -> Vec<SeedRow> {
        let of_arm = |result: &'_ ArmResults<'_>| -> Vec<SeedRow> {
            let scores = result.scored.seed_scores(result.figures(&self.set));
            scores.into_iter().map(|score| (self.key(result), score)).collect()
        };
        self.arms.iter().flat_map(of_arm).collect()
    }
}
