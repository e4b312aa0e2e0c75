//! Profiles and flags over the experiment file that is compiled in.

use super::*;
use crate::config::ProfileName;
use crate::config::Spec;
use crate::data::augment::Augment;
use crate::data::source::Dataset;
use crate::model::image::{ImageModelConfig, MixerConfig};
use crate::train::ScheduleConfig;
use anyhow::Result;

const FILE: &str = include_str!("../../../experiments/mixer.toml");
const PROFILES: [ProfileName; 3] = [ProfileName::Smoke, ProfileName::Quick, ProfileName::Paper];

fn with(profile: ProfileName, arms: Option<&[String]>, flags: &Flags) -> Result<Comparison> {
    ImageFile::parse(FILE, "file")?.with_profile(profile, arms)?.with_flags(flags)?.check()
}

fn quick(flags: &Flags) -> Result<Comparison> {
    with(ProfileName::Quick, None, flags)
}

fn blocks(text: &str) -> Vec<Blocks> {
    text.split(',').map(|one| one.parse().expect("a number of blocks")).collect()
}

fn mixer(experiment: &Comparison, arm: &str) -> MixerConfig {
    match experiment.arm(arm).map(|arm| &arm.model) {
        Some(ImageModelConfig::Mixer(config)) => config.clone(),
        other => panic!("{arm} is {other:?}"),
    }
}

#[test]
fn every_profile_can_run() -> Result<()> {
    for profile in PROFILES {
        let experiment = with(profile, None, &Flags::default())?;
        for sample in [false, true] {
            let images = if sample { 800 } else { 50_000 };
            let runs = experiment.runs(&experiment.image_set(sample, String::new()), images, "cpu")?;
            assert!(!runs.is_empty() && runs.iter().all(|run| run.problem().is_none()), "{profile}");
        }
    }
    Ok(())
}

#[test]
fn runs_on_other_images_are_other_runs() -> Result<()> {
    let experiment = with(ProfileName::Quick, None, &Flags::default())?;
    let directories = |sha256: &str| -> Result<Vec<_>> {
        let runs = experiment.runs(&experiment.image_set(false, sha256.into()), 50_000, "cpu")?;
        runs.iter().map(|run| run.directory()).collect()
    };
    let (one, other) = (directories("one directory's")?, directories("another's")?);
    assert!(one.iter().all(|directory| !other.contains(directory)), "{one:?}");
    Ok(())
}

#[test]
fn the_paper_profile_is_the_papers_protocol() -> Result<()> {
    let experiment = with(ProfileName::Paper, None, &Flags::default())?;
    let runs = experiment.runs(&experiment.image_set(false, String::new()), 50_000, "cuda")?;
    assert_eq!(runs.len(), 12);
    for run in &runs {
        let fit = &run.fit;
        assert_eq!((fit.batch_size, fit.report_every, fit.iterations), (256, 195, 600 * 195));
        assert_eq!((fit.learning_rate, run.augment), (0.001, Augment::Autoaugment));
        assert_eq!(fit.schedule, ScheduleConfig::MultiStep { at: vec![0.7, 0.9], factor: 0.2 });
    }
    let labels: Vec<&str> = experiment.arms.iter().map(|arm| arm.label.as_str()).collect();
    assert_eq!(labels, ["4 mixer", "4 mixer + 12 Han", "8 mixer", "ResNet-32"]);
    assert_eq!(mixer(&experiment, "mixer-4-han-12"), MixerConfig { channels: 256, mixer_blocks: 4, han_blocks: 12 });
    Ok(())
}

#[test]
fn blocks_are_for_the_first_arm_unless_another_is_named() -> Result<()> {
    let flags = Flags { han_blocks: blocks("3,mixer-8=0"), mixer_blocks: blocks("mixer-8=2"), ..Flags::default() };
    let experiment = quick(&flags)?;
    assert_eq!(mixer(&experiment, "mixer-4"), MixerConfig { channels: 64, mixer_blocks: 4, han_blocks: 3 });
    assert_eq!(mixer(&experiment, "mixer-8"), MixerConfig { channels: 64, mixer_blocks: 2, han_blocks: 0 });
    assert_eq!(experiment.arm("mixer-4").map(|arm| arm.label.as_str()), Some("4 mixer + 3 Han"));
    let told = |flags: Flags| quick(&flags).map_or_else(|error| error.to_string(), |_| "no error".into());
    let twice = told(Flags { han_blocks: blocks("3,mixer-4=2"), ..Flags::default() });
    assert!(twice.contains("--han-blocks: mixer-4 is given twice"), "{twice}");
    let arms = ["mixer-4".to_string(), "resnet32".to_string()];
    let none = with(ProfileName::Paper, Some(&arms), &Flags { han_blocks: blocks("resnet32=2"), ..Flags::default() });
    let none = none.map_or_else(|error| error.to_string(), |_| "no error".into());
    assert!(none.contains("--han-blocks resnet32=2: resnet32 is no mixer"), "{none}");
    Ok(())
}

#[test]
fn expectations_are_for_their_profile_and_the_files_own_setting() -> Result<()> {
    let of = |profile, flags: &Flags| -> Result<Vec<String>> {
        Ok(with(profile, None, flags)?.expectations.into_iter().map(|expect| expect.arm).collect())
    };
    assert_eq!(of(ProfileName::Quick, &Flags::default())?, ["mixer-4"]);
    assert_eq!(of(ProfileName::Paper, &Flags::default())?, ["mixer-4-han-12"]);
    assert!(of(ProfileName::Smoke, &Flags::default())?.is_empty());
    for flags in [
        Flags { epochs: Some(2), ..Flags::default() },
        Flags { channels: Some(32), ..Flags::default() },
        Flags { augment: Some(Augment::None), ..Flags::default() },
        Flags { train_limit: Some(1000), ..Flags::default() },
        Flags { dataset: Some(Dataset::Cifar100), ..Flags::default() },
        Flags { han_blocks: blocks("2"), ..Flags::default() },
        Flags { learning_rate: Some(0.1), ..Flags::default() },
        Flags { batch_size: Some(64), ..Flags::default() },
    ] {
        assert!(of(ProfileName::Quick, &flags)?.is_empty(), "{flags:?}");
    }
    for flags in [
        Flags { seeds: Some(1), first_seed: Some(7), ..Flags::default() },
        Flags { epochs: Some(10), channels: Some(64), han_blocks: blocks("0"), ..Flags::default() },
    ] {
        assert_eq!(of(ProfileName::Quick, &flags)?, ["mixer-4"], "{flags:?}");
    }
    Ok(())
}

#[test]
fn the_papers_figures_are_for_the_files_own_setting() -> Result<()> {
    let text = FILE.replacen("name = \"mixer-4\"", "name = \"mixer-4\"\npaper = 0.9", 1);
    let text = text.replacen("name = \"resnet32\"", "name = \"resnet32\"\npaper = 0.92", 1);
    let left = |text: &str, flags: &Flags| -> Result<Vec<String>> {
        let file = ImageFile::parse(text, "file")?.with_profile(ProfileName::Paper, None)?.with_flags(flags)?;
        Ok(file.check()?.arms.into_iter().filter(|arm| arm.paper.is_some()).map(|arm| arm.name).collect())
    };
    assert_eq!(left(&text, &Flags::default())?, ["mixer-4", "resnet32"]);
    // The ResNet has no channels to choose.
    assert_eq!(left(&text, &Flags { channels: Some(64), ..Flags::default() })?, ["resnet32"]);
    assert_eq!(left(&text, &Flags { batch_size: Some(64), ..Flags::default() })?, [""; 0]);
    for changed in
        ["train_limit = 100", "test_limit = 100", "batch_size = 128", "augment = \"basic\"", "learning_rate = 0.1"]
    {
        let text = format!("{text}\n{changed}\n");
        assert_eq!(left(&text, &Flags::default())?, [""; 0], "{changed}");
    }
    assert_eq!(left(&format!("{text}\nchannels = 64\n"), &Flags::default())?, ["resnet32"]);
    Ok(())
}

#[test]
fn what_cannot_be_is_told_with_its_key() {
    for (right, wrong, words) in [
        ("at_least = 0.75", "at_least = 75", "expect of mixer-4: at_least is 75; use a fraction from 0 to 1"),
        ("compared_to = \"mixer-4\"", "compared_to = \"mixer-4\"\npaper = 91.2", "paper is 91.2"),
        ("compared_to = \"mixer-4\"", "compared_to = \"mixer-4-han-12\"", "compared_to names the arm itself"),
        ("weight_decay = 0.1", "weight_decay = inf", "train.optimizer.adam.weight_decay is inf"),
        ("learning_rate = 0.001", "learning_rate = 1e300", "train.learning_rate is 1e300; use a number from"),
        ("title = \"MLP", "title = \"\\u0000MLP", "experiment.title is"),
        ("first_seed = 0", "first_seed = 9223372036854775807", "use at most"),
        ("train_limit = 320", "train_limit = 9223372036854775807", "data.train_limit is 9223372036854775807"),
    ] {
        let text = FILE.replacen(right, wrong, 1);
        assert_ne!(text, FILE, "{right} is not in the file");
        let checked = |profile| ImageFile::parse(&text, "file")?.with_profile(profile, None)?.check();
        let told = |profile| checked(profile).map_or_else(|error| format!("{error:#}"), |_| String::new());
        assert!(PROFILES.into_iter().any(|profile| told(profile).contains(words)), "{wrong}: {}", told(PROFILES[0]));
    }
}

#[test]
fn limits_and_validation_images_leave_the_rest_for_training() -> Result<()> {
    let text = FILE.replace("validation_images = 0", "validation_images = 5000");
    let experiment = ImageFile::parse(&text, "file")?.with_profile(ProfileName::Quick, None)?.check()?;
    let set = experiment.image_set(false, String::new());
    assert_eq!(set.cut(50_000), (45_000, 5_000));
    assert_eq!(ImageSet { train_limit: Some(6_000), ..set.clone() }.cut(50_000), (1_000, 5_000));
    assert_eq!(experiment.runs(&set, 50_000, "cpu")?[0].fit.report_every, 351);
    // As many for validation as there are leaves none to train on.
    assert!(experiment.runs(&set, 5_000, "cpu").is_err());
    Ok(())
}

#[test]
fn what_makes_no_sense_is_refused() {
    for (right, wrong) in [
        ("compared_to = \"mixer-4\"", "compared_to = \"transformer\""),
        ("above = \"mixer-4\"", "above = \"transformer\""),
        ("at_least = 0.75", ""),
        ("weight_decay = 0.1", "weight_decay = -1.0"),
        ("factor = 0.2", "factor = 2.0"),
        ("epochs = 600", "epochs = 0"),
        ("channels = 256", "channels = 255"),
        ("name = \"mixer-8\"", "name = \"mixer-4\""),
        ("arm_seeds = { mixer-8 = 1 }", "arm_seeds = { mixer-9 = 1 }"),
    ] {
        let text = FILE.replacen(right, wrong, 1);
        assert_ne!(text, FILE, "{right} is not in the file");
        let checked = |profile| ImageFile::parse(&text, "file")?.with_profile(profile, None)?.check();
        assert!(PROFILES.into_iter().any(|profile| checked(profile).is_err()), "{wrong}");
    }
}
