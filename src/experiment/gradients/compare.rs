//! What `han-exp compare` compares of the layer's claims: test accuracy of every network at every depth.

use super::Findings;
use super::depth::test_accuracy;
use super::spec::layers_of;
use crate::engine::compare::{Contender, Series};
use crate::engine::runs::FinishedRun;
use crate::experiment::checkerboard::TrainingSpec;
use anyhow::Result;
use std::collections::BTreeMap;

/// Keys of a run that say what it was trained and scored on.
const DATA: [&str; 2] = ["board", "split"];

pub(super) fn contenders(findings: &Findings) -> Result<Vec<Contender>> {
    let mut groups: BTreeMap<(&str, usize), Vec<&FinishedRun<TrainingSpec>>> = BTreeMap::new();
    for run in findings.finals.iter().chain(&findings.ended) {
        groups.entry((&run.spec.arm, layers_of(&run.spec.model))).or_default().push(run);
    }
    let contender = |((arm, depth), runs): ((&str, usize), Vec<&FinishedRun<TrainingSpec>>)| {
        let mut contender = Contender::new(arm, &format!("depth{depth}"), "board");
        let mut values = Vec::new();
        for run in runs {
            contender.add(run, &DATA, &[])?;
            values.push((run.spec.seed.0, test_accuracy(run)?));
        }
        contender.series.push(Series::new("test_accuracy", values));
        Ok(contender)
    };
    groups.into_iter().map(contender).collect()
}
