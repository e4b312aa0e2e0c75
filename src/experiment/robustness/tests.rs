//! Profiles and flags over the experiment file that is compiled in.

use super::*;
use crate::config::{Norm, ProfileName, Spec};
use crate::data::source::Dataset;
use crate::evaluate::attack::Attack;
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
fn runs_on_other_images_are_other_runs() -> Result<()> {
    let experiment = quick(&Flags::default())?;
    let directories = |sha256: &str| -> Result<Vec<_>> {
        let set = ImageSet { sha256: sha256.into(), ..whole() };
        let trainings = experiment.trainings(&set, 60_000, "cpu")?;
        let attacks = experiment.attacks(&trainings, &[], &set, 10_000, "cpu")?;
        let trainings = trainings.iter().map(Spec::directory);
        trainings.chain(attacks.iter().map(Spec::directory)).collect()
    };
    let (one, other) = (directories("one directory's")?, directories("another's")?);
    assert!(one.iter().all(|directory| !other.contains(directory)), "{one:?}");
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
    for flags in [
        Flags { restarts: Some(3), ..Flags::default() },
        Flags { steps: Some(10), ..Flags::default() },
        Flags { queries: Some(10), ..Flags::default() },
        Flags { attacks: Some(vec![Attack::Fgsm]), ..Flags::default() },
        Flags { width: vec!["fcnet=8".parse().map_err(anyhow::Error::msg)?], ..Flags::default() },
    ] {
        assert!(quick(&flags)?.expectations.is_empty(), "{flags:?}");
    }
    // What the file says itself, repetitions, and the checklist, which counts for nothing.
    let own = quick(&Flags::default())?.expectations;
    for flags in [
        Flags {
            restarts: Some(1),
            steps: Some(40),
            images: Some(1000),
            eps: Some(vec![0.05, 0.1]),
            ..Flags::default()
        },
        Flags { seeds: Some(1), first_seed: Some(3), checklist_images: Some(0), ..Flags::default() },
    ] {
        assert_eq!(quick(&flags)?.expectations, own, "{flags:?}");
    }
    // The worst case is over all sizes of a ball and over the points that a network in these numbers leads to.
    let robust = |flags: &Flags| -> Result<Vec<Norm>> {
        let left = quick(flags)?.expectations.into_iter().filter(|expect| expect.metric == Metric::RobustAccuracy);
        Ok(left.filter_map(|expect| expect.norm).collect())
    };
    assert_eq!(robust(&Flags::default())?, [Norm::Linf, Norm::Linf, Norm::L2]);
    assert_eq!(robust(&Flags { eps: Some(vec![0.1]), ..Flags::default() })?, [Norm::L2]);
    assert_eq!(robust(&Flags { sweep: Some(Sizes(vec![0.1])), ..Flags::default() })?, [Norm::L2]);
    assert_eq!(robust(&Flags { sweep: Some(Sizes(Vec::new())), ..Flags::default() })?, []);
    assert_eq!(robust(&Flags { precision: Precision::F64, ..Flags::default() })?, []);
    assert!(!quick(&Flags { precision: Precision::F64, ..Flags::default() })?.expectations.is_empty());
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
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let path = directory.path().join(std::ffi::OsStr::from_bytes(b"\xff"));
        let weights = [WeightsFile { arm: Some("hannet".into()), path }];
        let told = experiment.attacks(&trainings, &weights, &whole(), 10_000, "cpu").expect_err("no UTF-8");
        assert!(told.to_string().contains("use a path in UTF-8: every run notes it down"), "{told}");
    }
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

#[test]
fn a_size_may_be_a_quotient() {
    assert_eq!([size("0.05"), size("8/255"), size(" 8 / 255 ")], [Ok(0.05), Ok(8.0 / 255.0), Ok(8.0 / 255.0)]);
    assert_eq!("2/255,0.1".parse(), Ok(Sizes(vec![2.0 / 255.0, 0.1])));
    for wrong in ["", "x", "8/", "/255", "8/0", "1/2/3"] {
        assert_eq!(size(wrong), Err(format!("{wrong:?} is no number; use one such as 0.05 or 8/255")));
    }
}

#[test]
fn a_ball_beyond_all_images_is_warned_of_in_linf_alone() -> Result<()> {
    let warnings = |flags: &Flags| -> Result<Vec<String>> { Ok(quick(flags)?.warnings()) };
    assert!(warnings(&Flags::default())?.is_empty());
    assert!(warnings(&Flags { eps: Some(vec![8.0]), norm: Some(Norm::L2), ..Flags::default() })?.is_empty());
    assert!(warnings(&Flags { eps: Some(vec![1.0]), ..Flags::default() })?.is_empty());
    for flags in [
        Flags { eps: Some(vec![0.1, 8.0]), ..Flags::default() },
        Flags { sweep: Some(Sizes(vec![8.0])), ..Flags::default() },
    ] {
        let told = warnings(&flags)?;
        assert!(told.len() == 1 && told[0].contains("eps is 8 in linf") && told[0].contains("--eps 8/255"), "{told:?}");
    }
    Ok(())
}

#[test]
fn what_makes_no_sense_is_told_with_its_key() {
    for (right, wrong, words) in [
        ("at_least = 0.975", "at_least = 97.5", "expect of hannet: at_least is 97.5; use a fraction"),
        ("at_least = 0.975", "at_least = nan", "expect[0].at_least is NaN"),
        ("eps = 0.05", "eps = -0.05", "expect of hannet: eps is -0.05"),
        ("eps = 0.05", "eps = 0.07", "an expectation of hannet is about a ball that is in no [[threat]]"),
        ("above = \"fcnet\"", "above = \"hannet\"", "above names the arm itself"),
        ("fashion-mnist = 0.87", "fashion-mnist = 87", "matched_accuracy of fashion-mnist is 87"),
        ("lipschitz = 5.9", "lipschitz = inf", "arm[3].model.bounded_fcnet.lipschitz is inf"),
        ("learning_rate = 0.003", "learning_rate = 1e-320", "learning_rate is 1e-320; use a number from 1e-30 to 1e30"),
        ("label = \"FCNet, 2 layers\"", "label = \"\"\"a\nb\"\"\"", "label of arm fcnet-small"),
        ("epochs = 15", "epochs = 4611686018427387904", "epochs is 4611686018427387904; use at most 1000000"),
        ("queries = 1000", "queries = 4611686018427387904", "attack.effort.queries is 4611686018427387904"),
    ] {
        let text = FILE.replacen(right, wrong, 1);
        assert_ne!(text, FILE, "{right} is not in the file");
        let checked = RobustnessFile::parse(&text, "file").and_then(RobustnessFile::check);
        let told = checked.map_or_else(|error| format!("{error:#}"), |_| "no error".into());
        assert!(told.contains(words), "{wrong}: {told}");
    }
}
