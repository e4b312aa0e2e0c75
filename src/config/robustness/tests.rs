//! Profiles and flags over the experiment file that is compiled in.

use super::*;
use crate::config::{Norm, ProfileName};
use crate::data::source::Dataset;
use anyhow::Result;

const FILE: &str = include_str!("../../../experiments/mnist-attack.toml");

fn quick(flags: &Flags) -> Result<Robustness> {
    RobustnessFile::parse(FILE, "file")?.with_profile(ProfileName::Quick, None)?.with_flags(flags)?.check()
}

fn whole() -> ImageSet {
    ImageSet { dataset: Dataset::Mnist, sample: false, validation_fraction: 1.0 / 6.0, sha256: String::new() }
}

#[test]
fn every_profile_can_run() -> Result<()> {
    for profile in [ProfileName::Smoke, ProfileName::Quick, ProfileName::Paper] {
        let experiment = RobustnessFile::parse(FILE, "file")?.with_profile(profile, None)?.check()?;
        let trainings = experiment.trainings(&whole(), 60_000, "cpu")?;
        let attacks = experiment.attacks(&trainings, &[], &whole(), 10_000, "cpu")?;
        assert_eq!(attacks.len(), 2 * trainings.len(), "{profile}");
        assert!(trainings.iter().all(|run| run.problem().is_none()));
        assert!(attacks.iter().all(|run| run.problem().is_none() && run.images <= 10_000));
    }
    Ok(())
}

#[test]
fn a_size_without_a_norm_is_for_linf() -> Result<()> {
    let sizes = |experiment: &Robustness| -> Vec<(Norm, Vec<f64>)> {
        experiment.threats.iter().map(|threat| (threat.norm, threat.eps.clone())).collect()
    };
    let eps = Some(vec![0.2, 0.1]);
    let both = quick(&Flags { eps: eps.clone(), ..Flags::default() })?;
    assert_eq!(sizes(&both), [(Norm::Linf, vec![0.1, 0.2]), (Norm::L2, vec![1.0])]);
    let one = quick(&Flags { eps, norm: Some(Norm::L2), ..Flags::default() })?;
    assert_eq!(sizes(&one), [(Norm::L2, vec![0.1, 0.2])]);
    let none = quick(&Flags { sweep: Some("off".parse().map_err(anyhow::Error::msg)?), ..Flags::default() })?;
    assert!(none.threats.iter().all(|threat| threat.sweep.is_empty()));
    Ok(())
}

#[test]
fn colour_images_are_refused() {
    let flags = Flags { dataset: Some(Dataset::Cifar10), ..Flags::default() };
    let told = format!("{:#}", quick(&flags).expect_err("images in colour"));
    assert!(told.contains("data.dataset is cifar10, in colour; use mnist or fashion-mnist"), "{told}");
}

#[test]
fn expectations_are_for_the_files_own_setting() -> Result<()> {
    assert!(!quick(&Flags::default())?.expectations.is_empty());
    for flags in [
        Flags { epochs: Some(2), ..Flags::default() },
        Flags { images: Some(10), ..Flags::default() },
        Flags { dataset: Some(Dataset::FashionMnist), ..Flags::default() },
    ] {
        assert!(quick(&flags)?.expectations.is_empty(), "{flags:?}");
    }
    let linf = quick(&Flags { norm: Some(Norm::Linf), ..Flags::default() })?;
    assert!(linf.expectations.iter().all(|expect| expect.norm != Some(Norm::L2)));
    Ok(())
}

#[test]
fn a_network_from_a_file_needs_no_training() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("hannet.safetensors");
    std::fs::write(&path, "not read here")?;
    let experiment = quick(&Flags::default())?;
    let trainings = experiment.trainings(&whole(), 60_000, "cpu")?;
    let weights = [WeightsFile { arm: Some("hannet".into()), path }];
    let attacks = experiment.attacks(&trainings, &weights, &whole(), 10_000, "cpu")?;
    let used: Vec<&str> = trainings
        .iter()
        .filter(|training| attacks.iter().any(|attack| attack.uses(training)))
        .map(|training| training.arm.as_str())
        .collect();
    assert_eq!(used, ["fcnet"; 3]);
    Ok(())
}

#[test]
fn what_is_small_is_refused() -> Result<()> {
    let experiment = quick(&Flags::default())?;
    assert!(experiment.trainings(&ImageSet { validation_fraction: 0.99999, ..whole() }, 100, "cpu").is_err());
    assert!(experiment.trainings(&ImageSet { validation_fraction: 1e-6, ..whole() }, 100, "cpu").is_err());
    for (wrong, words) in [
        ("recipe = \"adamw\"", "recipe = \"sgd\""),
        ("compared_to = \"hannet\"", "compared_to = \"transformer\""),
        ("sweep_attacks = [\"fgsm\", \"pgd\"]", "sweep_attacks = [\"ddn\"]"),
    ] {
        let text = FILE.replace(wrong, words);
        let checked = RobustnessFile::parse(&text, "file").and_then(RobustnessFile::check);
        assert!(checked.is_err(), "{words}");
    }
    Ok(())
}
