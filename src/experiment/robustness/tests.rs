//! Profiles and flags over the experiment file that is compiled in.

use super::*;
use crate::data::source::Dataset;
use crate::engine::runs::Spec;
use crate::engine::settings::ProfileName;
use crate::engine::testing::{PROFILES, assert_told, checked, decided};
use crate::evaluate::attack::Norm;
use clap::FromArgMatches;
use std::ffi::OsStr;

/// Profile quick with flags, each with its values.
fn quick(flags: &[(&str, &str)]) -> Result<Robustness> {
    checked(TEXT, ProfileName::Quick, flags)
}

/// Facts about so many training images.
fn facts(train_images: usize, sha256: &str) -> Facts {
    let (dataset, sample, validation_fraction) = (Dataset::Mnist, false, 1.0 / 6.0);
    let images = ImageSet { dataset, sample, validation_fraction, sha256: sha256.into() };
    Facts { train_images, test_images: 10_000, stop: Stop::AtSuccess, images, given: Vec::new() }
}

fn runs(experiment: &Robustness, facts: &Facts) -> Result<(Vec<TrainingSpec>, Vec<AttackSpec>)> {
    let trainings = experiment.trainings(facts, "cpu")?;
    let attacks = experiment.attacks(facts, &trainings, "cpu");
    Ok((trainings, attacks))
}

#[test]
fn every_profile_can_run() -> Result<()> {
    for profile in PROFILES {
        let (trainings, attacks) = runs(&checked(TEXT, profile, &[])?, &facts(60_000, ""))?;
        assert_eq!(attacks.len(), 2 * trainings.len(), "{profile}");
        assert!(trainings.iter().all(|run| run.problem().is_none()));
        assert!(attacks.iter().all(|run| run.problem().is_none() && run.images <= 10_000));
    }
    Ok(())
}

#[test]
fn runs_on_other_images_are_other_runs() -> Result<()> {
    let directories = |sha256: &str| -> Result<Vec<_>> {
        let (trainings, attacks) = runs(&quick(&[])?, &facts(60_000, sha256))?;
        trainings.iter().map(Spec::directory).chain(attacks.iter().map(Spec::directory)).collect()
    };
    let (one, other) = (directories("one directory's")?, directories("another's")?);
    assert!(one.iter().all(|directory| !other.contains(directory)), "{one:?}");
    Ok(())
}

#[test]
fn a_size_without_a_norm_is_for_linf() -> Result<()> {
    let sizes = |flags: &[(&str, &str)]| -> Result<Vec<(Norm, Vec<f64>)>> {
        Ok(quick(flags)?.file.threat.into_iter().map(|threat| (threat.norm, threat.eps)).collect())
    };
    assert_eq!(sizes(&[("eps", "0.2,0.1")])?, [(Norm::Linf, vec![0.1, 0.2]), (Norm::L2, vec![1.0])]);
    assert_eq!(sizes(&[("norm", "l2"), ("eps", "0.2,0.1")])?, [(Norm::L2, vec![0.1, 0.2])]);
    assert!(quick(&[("sweep", "off")])?.file.threat.iter().all(|threat| threat.sweep.is_empty()));
    let linf = quick(&[("norm", "linf"), ("sweep", "2/255")])?.file.threat;
    assert_eq!(linf.into_iter().map(|threat| threat.sweep).collect::<Vec<_>>(), [[2.0 / 255.0]]);
    Ok(())
}

#[test]
fn a_size_may_be_a_quotient() {
    assert_eq!(flags::sizes("0.05,8/255, 8 / 255 "), Ok(vec![0.05, 8.0 / 255.0, 8.0 / 255.0]));
    // Of two zeros with other signs the runs would be others.
    assert_eq!(flags::sizes("-0").map(|sizes| sizes[0].is_sign_positive()), Ok(true));
    for wrong in ["", "x", "8/", "/255", "8/0", "1/2/3", "off"] {
        assert_eq!(flags::sizes(wrong), Err(format!("{wrong:?} is not a number; use one such as 0.05 or 8/255")));
    }
}

#[test]
fn expectations_are_for_the_files_own_setting() -> Result<()> {
    let left = |flags: &[(&str, &str)]| -> Result<usize> {
        Ok(decided(&quick(flags)?.file.experiment.expect, ProfileName::Quick))
    };
    assert_eq!(left(&[])?, 4);
    for flags in [
        ("epochs", "2"),
        ("n", "10"),
        ("dataset", "fashion-mnist"),
        ("restarts", "3"),
        ("steps", "10"),
        ("queries", "10"),
        ("attacks", "fgsm"),
        ("width", "fcnet=8"),
        ("width", "8,16"),
        ("eps", "0.1"),
        ("sweep", "off"),
        ("precision", "f64"),
        ("seeds", "1"),
        ("set", "recipe.adamw.learning_rate=0.1"),
        ("set", "attack.sweep_attacks=[\"fgsm\"]"),
        ("set", "train.report_every=50"),
    ] {
        assert_eq!(left(&[flags])?, 0, "{flags:?}");
    }
    // What the file says itself, and the checklist, which counts for nothing.
    let same = [("restarts", "1"), ("steps", "40"), ("n", "1000"), ("eps", "0.05,0.1"), ("checklist", "0")];
    assert_eq!(left(&same)?, 4);
    let smoke = checked::<Robustness>(TEXT, ProfileName::Smoke, &[])?;
    assert_eq!(decided(&smoke.file.experiment.expect, ProfileName::Smoke), 0, "of trainings of an epoch");
    Ok(())
}

#[test]
fn the_usual_precision_is_not_in_the_file() -> Result<()> {
    let text = |flags: &[(&str, &str)]| -> Result<String> { Ok(toml::to_string(&quick(flags)?.file)?) };
    assert_eq!(text(&[("precision", "f32")])?, text(&[])?);
    assert!(!text(&[])?.contains("precision") && text(&[("precision", "f64")])?.contains("precision = \"f64\""));
    Ok(())
}

#[test]
fn others_are_compared_to_the_first_of_several_sizes() -> Result<()> {
    let arms = quick(&[("width", "8,16")])?.file.arm;
    let compared: Vec<_> = arms.iter().map(|arm| (arm.name.as_str(), arm.compared_to.as_deref())).collect();
    assert_eq!(compared, [("hannet-width8", None), ("hannet-width16", None), ("fcnet", Some("hannet-width8"))]);
    Ok(())
}

/// What a value of `--weights` gives.
fn given(experiment: &Robustness, weights: &OsStr) -> Result<Vec<Given>> {
    let command = Extra::augment_args(clap::Command::new("test").no_binary_name(true));
    let matches = command.try_get_matches_from([OsStr::new("--weights"), weights])?;
    let nowhere = images::Options { cache: None, network: images::Network::Forbidden, ..images::Options::default() };
    let images = images::load(Dataset::Mnist, &nowhere)?;
    Given::all(experiment, &Extra::from_arg_matches(&matches)?, &images)
}

#[test]
fn a_network_from_a_file_needs_no_training() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("hannet.safetensors");
    let experiment = quick(&[])?;
    let model = &experiment.file.arm[0].model;
    let model = model.build(784, CLASSES, crate::rng::Seed(1), &candle_core::Device::Cpu)?;
    candle_core::safetensors::save(&model.parameters.to_stored()?.into_iter().collect(), &path)?;
    let given_weights = given(&experiment, format!("hannet={}", path.display()).as_ref())?;
    let facts = Facts { given: given_weights, ..facts(60_000, "") };
    let (trainings, attacks) = runs(&experiment, &facts)?;
    assert_eq!(trainings.iter().map(|training| training.arm.as_str()).collect::<Vec<_>>(), ["fcnet"; 3]);
    // One seed of the file in two norms, three of the other.
    assert_eq!(attacks.iter().filter(|attack| attack.arm == "hannet").count(), 2);
    assert!(attacks.iter().all(|attack| attack.surrogates.iter().all(|other| other.arm == "fcnet")));
    // What a report needs to know is noted as TOML.
    let noted: Facts = toml::from_str(&toml::to_string(&facts)?)?;
    assert_eq!(runs(&experiment, &noted)?, (trainings, attacks));
    #[cfg(unix)]
    {
        use std::os::unix::ffi::OsStrExt;
        let alone = quick(&[("models", "hannet")])?;
        let told = given(&alone, OsStr::from_bytes(b"\xff")).expect_err("no UTF-8");
        assert!(told.to_string().contains("use a UTF-8 path: every run records it"), "{told}");
    }
    Ok(())
}

#[test]
fn what_is_small_is_refused() -> Result<()> {
    for fraction in ["0.99999", "1e-6"] {
        let experiment = quick(&[("set", &format!("data.validation_fraction={fraction}"))])?;
        assert!(experiment.trainings(&facts(100, ""), "cpu").is_err(), "{fraction}");
    }
    Ok(())
}

#[test]
fn a_ball_beyond_all_images_is_warned_of_in_linf_alone() -> Result<()> {
    for flags in [&[][..], &[("norm", "l2"), ("eps", "8")], &[("eps", "1")]] {
        assert_eq!(quick(flags)?.warnings(), Vec::<String>::new(), "{flags:?}");
    }
    for (flag, sizes) in [("eps", "0.1,8"), ("sweep", "8")] {
        let told = quick(&[(flag, sizes)])?.warnings();
        let (fault, cure) = (format!("{flag} is 8 in linf"), format!("--{flag} 8/255"));
        assert!(told.len() == 1 && told[0].contains(&fault) && told[0].contains(&cure), "{told:?}");
    }
    Ok(())
}

#[test]
fn what_makes_no_sense_is_told_with_its_key() {
    let colour = quick(&[("set", "data.dataset=cifar10")]).expect_err("images in colour").to_string();
    assert!(colour.contains("data.dataset is cifar10, in colour; use mnist or fashion-mnist"), "{colour}");
    let mistakes = [
        ("above = 0.5446", "above = nan", "evidence[2].above is NaN"),
        ("data=mnist arm=fcnet split", "data=minst arm=fcnet split", "names the unknown data \"minst\""),
        ("against=fcnet norm=l2", "against=fcnet norm=l3", "names the unknown norm \"l3\""),
        ("arm=fcnet split", "arm=fcnet-smal split", "names the unknown arm \"fcnet-smal\""),
        ("against=fcnet norm=l2", "against=resnet norm=l2", "names the unknown arm \"resnet\""),
        ("fashion-mnist = 0.87", "fashion-mnist = 87", "matched_accuracy of fashion-mnist is 87"),
        ("norm_product = 12.8", "norm_product = inf", "arm[3].model.bounded_fcnet.norm_product is inf"),
        ("learning_rate = 0.003", "learning_rate = 1e-320", "learning_rate is 1e-320; use a number from 1e-30 to 1e30"),
        ("label = \"FCNet, 2 layers\"", "label = \"\"\"a\nb\"\"\"", "label of arm fcnet-small"),
        ("epochs = 15", "epochs = 4611686018427387904", "epochs is 4611686018427387904; use at most 1000000"),
        ("queries = 1000", "queries = 4611686018427387904", "attack.effort.queries is 4611686018427387904"),
        ("recipe = \"adamw\"", "recipe = \"sgd\"", "arm hannet names the unknown recipe \"sgd\""),
        ("compared_to = \"hannet\"", "compared_to = \"transformer\"", "compared to the unknown arm \"transformer\""),
        ("sweep_attacks = [\"fgsm\", \"pgd\"]", "sweep_attacks = [\"ddn\"]", "sweep_attacks has ddn"),
    ];
    assert_told::<Robustness>(TEXT, &[ProfileName::Paper], &mistakes);
}
