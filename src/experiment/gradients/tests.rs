//! The experiment file that is compiled in, and what profiles, flags and mistakes make of it.

use super::file::Part;
use super::plan::Runs;
use super::spec::{Probe, layers_of};
use super::*;
use crate::engine::runs::Spec;
use crate::engine::settings::ProfileName;
use crate::engine::testing::{PROFILES, assert_told, checked, decided};
use crate::model::ModelConfig;

fn with(profile: ProfileName, flags: &[(&str, &str)]) -> Result<Claims> {
    checked(TEXT, profile, flags)
}

fn runs(profile: ProfileName, flags: &[(&str, &str)]) -> Result<Runs> {
    Ok(with(profile, flags)?.runs("cpu"))
}

#[test]
fn every_profile_of_the_file_can_run() -> Result<()> {
    for profile in PROFILES {
        let claims = with(profile, &[])?;
        let runs = claims.runs("cpu");
        assert!(!runs.timings.is_empty() && !runs.probes.is_empty() && !runs.selections.is_empty());
        assert_eq!(decided(&claims.file.experiment.expect, profile) == 0, profile == ProfileName::Smoke);
        assert!((claims.file.data.checkerboard.zeros() - 3969.0 / 6561.0).abs() < 1e-12);
    }
    Ok(())
}

#[test]
fn every_network_has_the_same_search_at_every_depth() -> Result<()> {
    let runs = runs(ProfileName::Paper, &[])?;
    let mut arms: Vec<&str> = runs.selections.iter().map(|run| run.arm.as_str()).collect();
    arms.dedup();
    assert_eq!(arms, ["hannet", "hannet-passing", "fcnet-30", "fcnet-30-orthogonal-abs", "resnet-30"]);
    for arm in arms {
        for depth in [10, 20, 50, 100, 200, 500, 1000] {
            let of = runs.selections.iter().filter(|run| run.arm == arm && layers_of(&run.model) == depth);
            // The paper's start has more rates to choose from, and the passing start more seeds.
            let (rates, seeds) = (if arm == "hannet" { 6 } else { 3 }, if arm == "hannet-passing" { 10 } else { 5 });
            assert_eq!(of.count(), rates * seeds, "{arm} with {depth} layers");
        }
    }
    let first = &runs.selections[0];
    assert!(runs.selections.iter().all(|run| run.fit.iterations == first.fit.iterations));
    let choices = Choices::of(&runs.selections, &[])?;
    assert_eq!((choices.finals.len(), choices.ended.len(), choices.pending), (0, 0, (4 * 5 + 10) * 7));
    Ok(())
}

#[test]
fn a_resnet_of_n_layers_has_half_as_many_blocks() -> Result<()> {
    let runs = runs(ProfileName::Quick, &[("part", "norms")])?;
    let of_resnet = || runs.probes.iter().filter(|run| run.arm == "resnet");
    let Some(Probe::Course(course)) = of_resnet().map(|run| &run.probe).next() else { panic!("no course") };
    let ModelConfig::Resnet(config) = &course.model else { panic!("{:?}", course.model) };
    assert_eq!((config.blocks, layers_of(&course.model)), (10, 20));
    let deepest = of_resnet().filter_map(|run| match &run.probe {
        Probe::Start { model, depth, .. } => Some((*depth, model.size().depth)),
        _ => None,
    });
    assert_eq!(deepest.max(), Some((1000, 500)));
    Ok(())
}

#[test]
fn flags_change_all_networks_and_drop_what_no_longer_holds() -> Result<()> {
    let claims = with(ProfileName::Quick, &[("width", "8"), ("max-depth", "60")])?;
    assert_eq!(decided(&claims.file.experiment.expect, ProfileName::Quick), 0);
    assert_eq!(claims.file.norms.depths, [10, 20, 50, 60]);
    assert_eq!((claims.file.norms.shown_depth, claims.file.cost.depth_width), (60, 8));
    assert!(claims.runs("cpu").selections.iter().all(|run| run.model.size().width == 8));
    let depth = with(ProfileName::Quick, &[("part", "depth")])?;
    assert_eq!(depth.file.parts, [Part::Depth]);
    let runs = depth.runs("cpu");
    assert!(runs.timings.is_empty() && runs.probes.iter().all(|run| matches!(run.probe, Probe::Neighbours { .. })));
    Ok(())
}

#[test]
fn expectations_are_for_the_files_own_networks_and_trainings() -> Result<()> {
    let left = |flags: &[(&str, &str)]| -> Result<usize> {
        Ok(decided(&with(ProfileName::Quick, flags)?.file.experiment.expect, ProfileName::Quick))
    };
    assert_eq!(left(&[])?, 2);
    assert_eq!(left(&[("iterations", "20000"), ("first-seed", "300")])?, 2);
    for flag in [
        ("seeds", "2"),
        ("first-seed", "7"),
        ("iterations", "2000"),
        ("width", "30"),
        ("max-depth", "500"),
        ("set", "data.checkerboard.cells=6"),
        ("set", "arm.hannet-passing.learning_rates=[0.012]"),
        ("set", "arm.hannet.model.hannet.depth=21"),
    ] {
        assert_eq!(left(&[flag])?, 0, "{flag:?}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_is_told_with_its_key() {
    let mistakes = [
        ("below = 1.15,", "below = nan,", "experiment.expect[1].evidence[0].below is NaN; use a finite number"),
        ("above = 0.9, below = 1.15", "above = 2, below = 1.15", "no number meets both bounds"),
        ("arm=layer-dense", "arm=layer-danse", "names the unknown arm \"layer-danse\""),
        ("part=norms arm", "part=norm arm", "names the unknown part \"norm\""),
        (
            "parts = [\"depth\"]",
            "parts = [\"cost\"]",
            "parts has jacobian or cost, which measure no network of the file",
        ),
        (
            "[0.012, 0.004, 0.002, 0.001, 0.0005, 0.00025]",
            "[0.012, 1e-320]",
            "learning_rates has 1e-320; use a number from 1e-30 to 1e30",
        ),
        ("[0.012, 0.004, 0.002, 0.001, 0.0005, 0.00025]", "[0.012, 0.012]", "learning_rates has a value twice"),
        ("input_noise = 0.003", "input_noise = -0.003", "depth.input_noise is -0.003"),
        ("batch_size = 100", "batch_size = 1313", "depth.batch_size is 1313; use 2 to 1312"),
        ("widest = 1024", "widest = 1000000", "jacobian.widest is 1000000; use at most 16384"),
        ("label = \"HanNet\"", "label = \"Han\\nNet\"", "label of arm hannet"),
        ("first_seed = 200 ", "first_seed = 9223372036854775807 ", "use at most"),
        ("cells = 12", "cells = 12\nsplit_file = \"a.csv\"", "split_file works only with the verb checkerboard"),
        ("train_fraction = 0.25", "train_fraction = 1.5", "train_fraction is 1.5; use a fraction between 0 and 1"),
        ("arm.resnet-30.deepest = 50", "arm.resnet-3.deepest = 50", "names the unknown \"resnet-3\""),
        ("shown_depth = 100", "shown_depth = 99", "norms.shown_depth is 99"),
        ("narrowest = 2", "narowest = 2", "unknown field `narowest`"),
        ("moments = [0.0, 0.1, 1.0]", "moments = [0.5, 0.1]", "moments is [0.5, 0.1]"),
        ("moments = [0.0, 0.1, 1.0]", "moments = [0.0, 0.105]", "use hundredths"),
        ("rest = 0.3", "rest = 4.0", "use 0 <= rest <= offset"),
        ("below = 1e-12, ", "", "lacks above and below"),
    ];
    assert_told::<Claims>(TEXT, &[ProfileName::Quick], &mistakes);
}

#[test]
fn a_run_is_the_same_when_it_is_read_again() -> Result<()> {
    let runs = runs(ProfileName::Smoke, &[])?;
    for run in runs.timings.iter().chain(&runs.probes) {
        assert_eq!((run.problem(), &toml::from_str::<ProbeSpec>(&run.to_toml()?)?), (None, run));
    }
    Ok(())
}
