//! Where figures come from: program, machine, time.

use crate::engine::runs::{Manifest, RunOutcome};
use std::collections::BTreeSet;

/// A sentence about all runs.
pub(super) fn render(manifests: &[&Manifest]) -> String {
    let Some(first) = manifests.first() else { return "No run is finished yet.\n".into() };
    let environment = &first.environment;
    let minutes = manifests.iter().map(|manifest| manifest.seconds).sum::<f64>() / 60.0;
    let runs = manifests.len();
    let diverged = manifests.iter().filter(|manifest| manifest.outcome == RunOutcome::Diverged).count();
    format!(
        "{}, {diverged} of them diverged; their times add up to {minutes:.1} minutes. han-exp {}, commit {}, {}, \
         candle {}, {}, {} ({}).\n",
        super::counted(runs, "run"),
        environment.version,
        commits(manifests),
        environment.rustc,
        environment.candle,
        environment.device,
        environment.platform,
        environment.simd,
    )
}

/// Every commit that made one of the runs: finished runs are kept from build to build.
fn commits(manifests: &[&Manifest]) -> String {
    let commits: BTreeSet<&str> = manifests.iter().map(|manifest| manifest.environment.git_commit.as_str()).collect();
    let named = commits.into_iter().map(|commit| if commit.is_empty() { "unknown" } else { commit });
    named.collect::<Vec<_>>().join(" and ")
}
