//! The experiment file that is compiled in, and what profiles and flags make of it.

use super::*;
use crate::config::{Phase, ProfileName};
use crate::model::ModelConfig;
use anyhow::Result;

const FILE: &str = include_str!("../../../experiments/gradients.toml");

fn with(profile: ProfileName, flags: &Flags) -> Result<Claims> {
    ClaimsFile::parse(FILE, "file")?.with_profile(profile)?.with_flags(flags)?.check()
}

#[test]
fn every_profile_of_the_file_can_run() -> Result<()> {
    for profile in [ProfileName::Smoke, ProfileName::Quick, ProfileName::Paper] {
        let claims = with(profile, &Flags::default())?;
        let runs = claims.runs("cpu");
        assert!(!runs.timings.is_empty() && !runs.probes.is_empty() && !runs.selections.is_empty());
        assert_eq!(claims.expectations.is_empty(), profile == ProfileName::Smoke);
        assert!((claims.zeros() - 3969.0 / 6561.0).abs() < 1e-12);
    }
    Ok(())
}

#[test]
fn every_network_has_the_same_search_at_every_depth() -> Result<()> {
    let runs = with(ProfileName::Paper, &Flags::default())?.runs("cpu");
    let mut arms: Vec<&str> = runs.selections.iter().map(|run| run.arm.as_str()).collect();
    arms.dedup();
    assert_eq!(arms, ["hannet", "hannet-passing", "fcnet-30", "fcnet-30-orthogonal-abs", "resnet-30"]);
    for arm in arms {
        for depth in [10, 20, 50, 100, 200, 500, 1000] {
            let of = runs.selections.iter().filter(|run| run.arm == arm && layers_of(&run.model) == depth);
            assert_eq!(of.count(), 3 * 5, "{arm} with {depth} layers");
        }
    }
    let first = &runs.selections[0];
    assert!(
        runs.selections.iter().all(|run| run.fit.iterations == first.fit.iterations && run.phase == Phase::Selection)
    );
    assert_eq!(runs.final_trainings(), 5 * 7 * 5);
    assert_eq!(Claims::final_training(first).phase, Phase::Full);
    Ok(())
}

#[test]
fn a_resnet_of_n_layers_has_half_as_many_blocks() -> Result<()> {
    let runs = with(ProfileName::Quick, &Flags { parts: Some(vec![Part::Norms]), ..Flags::default() })?.runs("cpu");
    let of = |arm: &str| runs.probes.iter().find(|run| run.arm == arm).map(|run| run.probe.clone());
    match of("resnet") {
        Some(Probe::Course(course)) => {
            let ModelConfig::Resnet(config) = &course.model else { panic!("{:?}", course.model) };
            assert_eq!((config.blocks, layers_of(&course.model)), (10, 20));
        }
        other => panic!("{other:?}"),
    }
    let deepest = runs.probes.iter().filter(|run| run.arm == "resnet").filter_map(|run| match &run.probe {
        Probe::Start { model, depth, .. } => Some((*depth, model.size().depth)),
        _ => None,
    });
    assert_eq!(deepest.max(), Some((1000, 500)));
    Ok(())
}

#[test]
fn flags_change_all_networks_and_drop_what_no_longer_holds() -> Result<()> {
    let flags = Flags { width: Some(8), max_depth: Some(60), ..Flags::default() };
    let claims = with(ProfileName::Quick, &flags)?;
    assert!(claims.expectations.is_empty());
    assert_eq!(claims.file().norms.depths, [10, 20, 50, 60]);
    assert_eq!((claims.file().norms.shown_depth, claims.file().cost.depth_width), (60, 8));
    assert!(claims.runs("cpu").selections.iter().all(|run| run.model.size().width == 8));
    let depth = with(ProfileName::Quick, &Flags { parts: Some(vec![Part::Depth]), ..Flags::default() })?;
    assert_eq!(depth.expectations.len(), 1);
    assert!(
        depth.runs("cpu").probes.iter().all(|run| matches!(run.probe, Probe::Neighbours { .. }))
            && depth.runs("cpu").timings.is_empty()
    );
    Ok(())
}

#[test]
fn expectations_are_for_the_files_own_networks_and_trainings() -> Result<()> {
    let left = |flags: Flags| -> Result<usize> { Ok(with(ProfileName::Quick, &flags)?.expectations.len()) };
    assert_eq!(left(Flags::default())?, 8);
    assert_eq!(left(Flags { seeds: Some(2), first_seed: Some(7), iterations: Some(20_000), ..Flags::default() })?, 8);
    for flags in [
        Flags { iterations: Some(2_000), ..Flags::default() },
        Flags { width: Some(30), ..Flags::default() },
        Flags { max_depth: Some(500), ..Flags::default() },
    ] {
        assert_eq!(left(flags.clone())?, 0, "{flags:?}");
    }
    for changed in ["iterations = 100", "course_iterations = 100", "lipschitz_steps = 10"] {
        let text = FILE.replacen("[profile.quick]", &format!("[profile.quick]\n{changed}"), 1);
        let claims = ClaimsFile::parse(&text, "file")?.with_profile(ProfileName::Quick)?.check()?;
        assert!(claims.expectations.is_empty(), "{changed}");
    }
    Ok(())
}

#[test]
fn what_cannot_be_is_told_with_its_key() {
    for (right, wrong, words) in [
        ("at_most = 1e-12", "at_most = nan", "expect[0].at_most is NaN; use a finite number"),
        ("at_least = 0.9\nat_most = 1.15", "at_least = 2\nat_most = 1.15", "is from 2 to 1.15"),
        ("metric = \"deviation\"", "metric = \"derivation\"", "has the metric \"derivation\"; use one of deviation,"),
        ("state = \"start\"", "state = \"begun\"", "has the state \"begun\"; use one of start, trained"),
        ("precision = \"f64\"", "precision = \"f16\"", "has the precision \"f16\""),
        ("[0.012, 0.004, 0.001]", "[0.012, 1e-320]", "learning_rates has 1e-320; use a number from 1e-30 to 1e30"),
        ("[0.012, 0.004, 0.001]", "[0.012, 0.012]", "learning_rates has 0.012 twice"),
        ("input_noise = 0.003", "input_noise = -0.003", "depth.input_noise is -0.003"),
        ("batch_size = 100", "batch_size = 1313", "depth.batch_size is 1313; use 2 to 1312"),
        ("widest = 1024", "widest = 1000000", "jacobian.widest is 1000000; use at most 16384"),
        ("label = \"HanNet\"", "label = \"Han\\nNet\"", "label of arm hannet"),
        ("first_seed = 100 ", "first_seed = 9223372036854775807 ", "use at most"),
    ] {
        let text = FILE.replacen(right, wrong, 1);
        assert_ne!(text, FILE, "{right} is not in the file");
        let checked = ClaimsFile::parse(&text, "file")
            .and_then(|f| f.with_profile(ProfileName::Quick))
            .and_then(ClaimsFile::check);
        let told = checked.map_or_else(|error| format!("{error:#}"), |_| "no error".into());
        assert!(told.contains(words), "{wrong}: {told}");
    }
}
