//! Where figures come from: seeds, program, machine, time; of all runs, which need not have been made by one program.

use super::words::listed;
use crate::engine::runs::{Details, Manifest, RunOutcome, Walk};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What made the finished runs of an experiment.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Provenance {
    runs: usize,
    diverged: usize,
    minutes: f64,
    seeds: String,
    /// Networks of which every finished run diverged, or every one of a phase.
    #[serde(default)]
    lost: Vec<String>,
    /// Everything that a manifest says of program and machine, and each of its values that occurs.
    made_by: Vec<(String, BTreeSet<String>)>,
}

impl Provenance {
    pub fn of(walk: &Walk<'_>) -> Self {
        let manifests: Vec<&Manifest> = walk.manifests().collect();
        let all = |value: fn(&Manifest) -> &str| {
            let known = |text: &str| if text.is_empty() { "unknown".to_string() } else { text.to_string() };
            manifests.iter().map(|manifest| known(value(manifest))).collect::<BTreeSet<_>>()
        };
        let made_by = [
            ("Version", all(|made| &made.environment.version)),
            ("Commit", all(|made| &made.environment.git_commit)),
            ("Processor", all(|made| &made.environment.processor)),
            ("Instruction set", all(|made| &made.environment.simd)),
            // In the manifests of version 0.11 and before it was candle's word.
            ("Device", all(|made| if made.environment.device == "Cpu" { "cpu" } else { &made.environment.device })),
            ("Platform", all(|made| &made.environment.platform)),
            ("Compiler", all(|made| &made.environment.rustc)),
            ("candle", all(|made| &made.environment.candle)),
        ];
        Self {
            runs: manifests.len(),
            diverged: manifests.iter().filter(|manifest| manifest.outcome == RunOutcome::Diverged).count(),
            minutes: manifests.iter().map(|manifest| manifest.seconds).sum::<f64>() / 60.0,
            seeds: seeds(walk),
            lost: lost(walk),
            made_by: made_by.into_iter().map(|(name, values)| (name.to_string(), values)).collect(),
        }
    }

    /// Everything, by its name.
    pub fn facts(&self) -> Vec<(String, String)> {
        let Self { diverged, minutes, .. } = self;
        if self.runs == 0 {
            return vec![("Runs".into(), "none is finished yet".into())];
        }
        let runs = super::counted(self.runs, "run");
        let runs = format!("{runs}, {diverged} of them diverged; their times add up to {minutes:.1} minutes");
        let own = [("Seeds".to_string(), self.seeds.clone()), ("Runs".to_string(), runs)];
        own.into_iter().chain(self.made_by.iter().map(|(name, values)| (name.clone(), listed(values)))).collect()
    }

    /// What a reader of the figures should know. Runs that were not made alike may differ in their last bits for that reason alone.
    pub fn warnings(&self) -> impl Iterator<Item = String> {
        let mixed = self.made_by.iter().filter(|(_, values)| values.len() > 1);
        let mixed: Vec<String> =
            mixed.map(|(name, values)| format!("{} {}", name.to_lowercase(), listed(values))).collect();
        let mixed = (!mixed.is_empty()).then(|| format!("these runs were not all made alike: {}", mixed.join("; ")));
        let lost = self
            .lost
            .iter()
            .map(|network| format!("every finished run of {network} diverged; charts of its trainings leave it out"));
        mixed.into_iter().chain(lost)
    }
}

/// Networks, each with its recipe, of which every finished run diverged, or every one of a phase: charts are of the runs of one
/// phase, whatever became of those that chose the learning rate.
fn lost(walk: &Walk<'_>) -> Vec<String> {
    lost_of(walk.entries.iter().filter_map(|entry| {
        let Details { recipe, phase, .. } = &entry.details;
        let sort = (entry.arm.as_str(), recipe.as_deref(), phase.as_deref());
        Some((sort, entry.manifest()?.outcome == RunOutcome::Finished))
    }))
}

/// Of runs by network, recipe and phase. The phase is named where runs of another one finished.
fn lost_of<'r>(runs: impl Iterator<Item = ((&'r str, Option<&'r str>, Option<&'r str>), bool)>) -> Vec<String> {
    let mut survives: BTreeMap<_, BTreeMap<_, bool>> = BTreeMap::new();
    for ((arm, recipe, phase), finished) in runs {
        let phases = survives.entry((arm, recipe)).or_default();
        *phases.entry(phase).or_default() |= finished;
    }
    let mut lost = Vec::new();
    for ((arm, recipe), phases) in survives {
        let mut name = |phase: Option<&str>| {
            let words = [recipe.map(|name| format!("recipe {name}")), phase.map(|name| format!("phase {name}"))];
            let words: Vec<String> = words.into_iter().flatten().collect();
            lost.push(if words.is_empty() { arm.to_string() } else { format!("{arm} ({})", words.join(", ")) });
        };
        if phases.values().any(|survives| *survives) {
            phases.into_iter().filter(|(_, survives)| !survives).for_each(|(phase, _)| name(phase));
        } else {
            name(None);
        }
    }
    lost
}

/// The seeds of finished runs, and whose they are where networks differ in them.
fn seeds(walk: &Walk<'_>) -> String {
    let mut of_arms: BTreeMap<&str, BTreeSet<u64>> = BTreeMap::new();
    let mut of_recipes: BTreeMap<(&str, &str), BTreeSet<u64>> = BTreeMap::new();
    for entry in walk.entries.iter().filter(|entry| entry.manifest().is_some()) {
        of_arms.entry(&entry.arm).or_default().insert(entry.seed);
        if let Some(recipe) = &entry.details.recipe {
            of_recipes.entry((recipe, &entry.arm)).or_default().insert(entry.seed);
        }
    }
    let mut fewer: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for ((recipe, arm), _) in of_recipes.iter().filter(|((_, arm), seeds)| seeds.len() < of_arms[arm].len()) {
        fewer.entry(recipe).or_default().push(arm);
    }
    let mut groups: Vec<(BTreeSet<u64>, Vec<&str>)> = Vec::new();
    for (arm, seeds) in of_arms {
        match groups.iter_mut().find(|(known, _)| *known == seeds) {
            Some((_, arms)) => arms.push(arm),
            None => groups.push((seeds, vec![arm])),
        }
    }
    let alone = groups.len() == 1;
    let words = groups.iter().map(|(seeds, arms)| {
        let of = if alone { String::new() } else { format!(" for {}", arms.join(", ")) };
        format!("{} (n = {}){of}", range(seeds), seeds.len())
    });
    let fewer = fewer.into_iter().map(|(recipe, arms)| format!("fewer in recipe {recipe} for {}", arms.join(", ")));
    words.chain(fewer).collect::<Vec<_>>().join("; ")
}

pub(super) fn range(seeds: &BTreeSet<u64>) -> String {
    let all = || seeds.iter().map(u64::to_string).collect::<Vec<_>>();
    match (seeds.first(), seeds.last()) {
        (Some(first), Some(last)) if seeds.len() > 1 && last - first == seeds.len() as u64 - 1 => {
            format!("{first} to {last}")
        }
        _ => all().join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seeds_in_a_row_are_a_range_and_others_a_list() {
        let words = |seeds: &[u64]| range(&seeds.iter().copied().collect());
        assert_eq!((&*words(&[100, 101, 102]), &*words(&[7]), &*words(&[0, 2])), ("100 to 102", "7", "0, 2"));
    }

    #[test]
    fn a_phase_of_which_every_run_diverged_is_named_where_others_did_not() {
        let (selection, full) = (("fcnet", Some("tuned"), Some("selection")), ("fcnet", Some("tuned"), Some("full")));
        let lost = |runs: &[_]| lost_of(runs.iter().copied());
        assert_eq!(lost(&[(selection, true), (full, false), (full, false)]), ["fcnet (recipe tuned, phase full)"]);
        assert_eq!(lost(&[(selection, false), (full, false)]), ["fcnet (recipe tuned)"]);
        assert_eq!(lost(&[(("fcnet", None, None), false)]), ["fcnet"]);
        assert!(lost(&[(selection, true), (full, false), (full, true)]).is_empty());
    }

    #[test]
    fn runs_of_two_programs_are_warned_of_and_all_are_named() {
        let one = |name: &str, values: &[&str]| (name.to_string(), values.iter().map(|v| v.to_string()).collect());
        let made_by = vec![one("Version", &["0.6.0", "0.7.0"]), one("Processor", &["a", "b"]), one("Device", &["Cpu"])];
        let mixed = Provenance { runs: 2, made_by, ..Provenance::default() };
        let warning = mixed.warnings().next().expect("a warning");
        assert!(warning.ends_with("version 0.6.0 and 0.7.0; processor a and b"), "{warning}");
        assert!(mixed.facts().contains(&("Version".into(), "0.6.0 and 0.7.0".into())));
        let alike = Provenance { made_by: vec![one("Version", &["0.7.0"])], ..Provenance::default() };
        assert_eq!(alike.warnings().count(), 0);
        let lost = Provenance { lost: vec!["fcnet (recipe paper)".into()], ..alike };
        assert!(lost.warnings().eq([
            "every finished run of fcnet (recipe paper) diverged; charts of its trainings leave it out".to_string()
        ]));
    }
}
