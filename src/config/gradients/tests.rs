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
