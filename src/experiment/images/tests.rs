//! Profiles and flags over the experiment file that is compiled in.

use super::*;
use crate::data::augment::Augment;
use crate::data::source::{Dataset, Part};
use crate::engine::runs::Spec;
use crate::engine::settings::{Given, ProfileName};
use crate::engine::testing::{PROFILES, assert_told, changed, checked, decided, told};
use crate::model::image::{ImageModelConfig, MixerConfig};
use crate::train::ScheduleConfig;
use check::{Entrant, Training};
use spec::ImageSet;

fn with(profile: ProfileName, flags: &[(&str, &str)]) -> Result<Comparison> {
    checked(TEXT, profile, flags)
}

/// The experiment of a file that extends one of these.
fn extending(text: &str, given: &Given<ImagesFile>) -> Result<Comparison> {
    let variants = VARIANTS.iter().map(|variant| (variant.name, variant.text));
    let files: Vec<_> = [("mixer", TEXT)].into_iter().chain(variants).collect();
    let compiled_in = |name: &str| files.iter().find(|(of, _)| *of == name).map(|(_, text)| *text);
    Comparison::check(given.resolve_text(text, "file", &compiled_in)?)
}

fn facts(train_images: usize) -> ImageFacts {
    ImageFacts { sample: false, sha256: String::new(), train_images }
}

fn mixer(experiment: &Comparison, arm: &str) -> MixerConfig {
    match experiment.file.arm.iter().find(|of| of.name == arm).map(|arm| &arm.model) {
        Some(ImageModelConfig::Mixer(config)) => config.clone(),
        other => panic!("{arm} is {other:?}"),
    }
}

/// Name, label, and the network that it is compared to.
fn arms(experiment: &Comparison) -> Vec<[&str; 3]> {
    let arms = experiment.file.arm.iter();
    arms.map(|arm| [&*arm.name, &*arm.label, arm.compared_to.as_deref().unwrap_or_default()]).collect()
}

#[test]
fn every_profile_can_run() -> Result<()> {
    for profile in PROFILES {
        let experiment = with(profile, &[])?;
        for images in [800, 50_000] {
            let runs = experiment.runs(&facts(images), "cpu")?;
            assert!(!runs.is_empty() && runs.iter().all(|run| run.problem().is_none()), "{profile}");
        }
    }
    Ok(())
}

#[test]
fn every_other_data_set_has_a_file_that_changes_what_it_says_and_nothing_else() -> Result<()> {
    for dataset in [Dataset::Cifar100, Dataset::Stl10, Dataset::Imagenet32] {
        let name = dataset.name();
        let variant =
            VARIANTS.iter().find(|of| of.chosen_by == ("data.dataset", name)).expect("a file of the data set");
        assert_eq!(variant.name, format!("mixer-{name}"));
        let published = dataset.pin(Part::TrainImages).count;
        for profile in PROFILES {
            let (own, of_cifar10) = (extending(variant.text, &Given::of(profile))?.file, with(profile, &[])?.file);
            let heading = &own.experiment;
            assert_eq!((&*heading.name, own.data.dataset), (variant.name, dataset), "{profile}");
            assert!(heading.claims.iter().all(|claim| claim.decided_in == [ProfileName::Paper]), "{profile}");
            assert!(heading.title() != of_cifar10.experiment.title() && heading.claims.len() == 1, "{profile}");
            // Networks and seeds are those of CIFAR-10; what was expected there is not expected here.
            assert_eq!((&own.arm, own.seeds), (&of_cifar10.arm, of_cifar10.seeds), "{profile}");
            assert!(own.experiment.expect.is_empty(), "{profile}");
            let paper = profile == ProfileName::Paper;
            let quick = profile == ProfileName::Quick && dataset != Dataset::Cifar100;
            assert_eq!(own.train == of_cifar10.train, !quick, "{name} {profile}");
            assert!(!paper || (own.data.train_limit, own.data.test_limit) == (None, None), "{name}");
            let runs = Comparison::check(own)?.runs(&facts(published), "cpu")?;
            assert!(runs.iter().all(|run| run.problem().is_none() && run.experiment == variant.name), "{profile}");
        }
        // The flag that chooses the file sets what the file says already: nothing is voided.
        let mut given = Given::of(ProfileName::Paper);
        given.add(Comparison::FLAGS, "dataset", name);
        assert_eq!(given.text_of("data.dataset").as_deref(), Some(name));
        let flagged = extending(variant.text, &given)?.file;
        assert_eq!(flagged, extending(variant.text, &Given::of(ProfileName::Paper))?.file);
        // --set is applied after it.
        given.add(Comparison::FLAGS, "set", "data.dataset = 'cifar10'");
        assert_eq!(given.text_of("data.dataset").as_deref(), Some("cifar10"));
    }
    let stl10 =
        extending("extends = 'mixer-stl10'\nexperiment.name = 'mine'\nseeds = 7", &Given::of(ProfileName::Quick))?;
    assert_eq!(
        (stl10.file.seeds, stl10.file.data.dataset, &stl10.file.train.epochs[..]),
        (7, Dataset::Stl10, &[20][..])
    );
    assert!(stl10.file.experiment.claims.is_empty());
    Ok(())
}

#[test]
fn runs_on_other_images_are_other_runs() -> Result<()> {
    let experiment = with(ProfileName::Quick, &[])?;
    let directories = |sha256: &str| -> Result<Vec<_>> {
        let runs = experiment.runs(&ImageFacts { sha256: sha256.into(), ..facts(50_000) }, "cpu")?;
        runs.iter().map(Spec::directory).collect()
    };
    let (one, other) = (directories("one directory's")?, directories("another's")?);
    assert!(one.iter().all(|directory| !other.contains(directory)), "{one:?}");
    Ok(())
}

#[test]
fn the_paper_profile_is_the_papers_protocol() -> Result<()> {
    let experiment = with(ProfileName::Paper, &[])?;
    let runs = experiment.runs(&facts(50_000), "cuda")?;
    assert_eq!(runs.len(), 12);
    for run in &runs {
        let fit = &run.fit;
        assert_eq!((fit.batch_size, fit.report_every, fit.iterations), (256, 195, 600 * 195));
        assert_eq!((fit.learning_rate, run.augment), (0.001, Augment::Autoaugment));
        assert_eq!(fit.schedule, ScheduleConfig::MultiStep { at: vec![0.7, 0.9], factor: 0.2 });
    }
    // Curves have at most a hundred points, and one for every epoch where there are no more.
    for (epochs, points, first) in [(600, 100, 6), (100, 100, 1), (101, 51, 2), (2, 2, 1)] {
        let run = &with(ProfileName::Paper, &[("epochs", &epochs.to_string())])?.runs(&facts(50_000), "cpu")?[0];
        let scored: Vec<usize> = (1..=epochs).filter(|epoch| run.has_point(epoch * 195)).collect();
        assert_eq!((scored.len(), scored[0], scored.last()), (points, first, Some(&epochs)));
    }
    let labels: Vec<&str> = arms(&experiment).into_iter().map(|arm| arm[1]).collect();
    assert_eq!(labels, ["4 mixer", "4 mixer + 12 Han", "8 mixer", "ResNet-32"]);
    assert_eq!(mixer(&experiment, "mixer-4-han-12"), MixerConfig::new(256, 4, 12));
    Ok(())
}

#[test]
fn blocks_are_for_the_first_arm_unless_another_is_named() -> Result<()> {
    let experiment = with(ProfileName::Quick, &[("han-blocks", "3,mixer-8=0"), ("mixer-blocks", "mixer-8=2")])?;
    assert_eq!(mixer(&experiment, "mixer-4"), MixerConfig::new(64, 4, 3));
    assert_eq!(mixer(&experiment, "mixer-8"), MixerConfig::new(64, 2, 0));
    assert_eq!(experiment.file.arm[0].label, "4 mixer + 3 Han");
    let none = told(with(ProfileName::Paper, &[("models", "mixer-4,resnet32"), ("han-blocks", "resnet32=2")]));
    assert!(none.contains("--han-blocks resnet32=2: resnet32 is not a mixer"), "{none}");
    Ok(())
}

#[test]
fn a_label_says_where_han_blocks_stand() -> Result<()> {
    for (place, label) in [("between", "4 mixer, 12 Han between"), ("in_front", "12 Han + 4 mixer")] {
        let place = format!("arm.mixer-4-han-12.model.mixer.han_place={place}");
        assert_eq!(with(ProfileName::Quick, &[("set", &place)])?.file.arm[1].label, label);
    }
    let alone = (
        "set",
        "arm.*.model.mixer={ channels = 8, mixer_blocks = 0, han_blocks = 2, identity_start = { lift = 4.0, pace = 1.0 } }",
    );
    let same = with(ProfileName::Quick, &[("models", "mixer-4,mixer-4-han-12"), alone])?;
    let labels = ["mixer-4", "mixer-4-han-12"].map(|name| format!("2 Han from the identity ({name})"));
    assert_eq!(same.file.arm.iter().map(|arm| &arm.label).collect::<Vec<_>>(), labels.iter().collect::<Vec<_>>());
    let told = told(with(ProfileName::Quick, &[("set", "arm.mixer-4-han-12.model.mixer.han_place=above")]));
    assert!(told.contains("unknown variant `above`, expected one of `behind`, `between`, `in_front`"), "{told}");
    Ok(())
}

#[test]
fn arms_of_a_sweep_have_labels_of_their_own_and_are_compared_with_those_of_their_size() -> Result<()> {
    let models = ("models", "mixer-4,mixer-4-han-12,resnet32");
    let swept = with(ProfileName::Paper, &[models, ("channels", "16,32")])?;
    assert_eq!(
        arms(&swept),
        [
            ["mixer-4-channels16", "4 mixer, 16 channels", ""],
            ["mixer-4-channels32", "4 mixer, 32 channels", ""],
            ["mixer-4-han-12-channels16", "4 mixer + 12 Han, 16 channels", "mixer-4-channels16"],
            ["mixer-4-han-12-channels32", "4 mixer + 12 Han, 32 channels", "mixer-4-channels32"],
            // The ResNet has no channels to choose.
            ["resnet32", "ResNet-32", ""],
        ]
    );
    let swept = with(ProfileName::Paper, &[models, ("han-blocks", "mixer-4-han-12=6,mixer-4-han-12=8")])?;
    assert_eq!(
        arms(&swept)[1..3],
        [
            ["mixer-4-han-12-han-blocks6", "4 mixer + 6 Han", "mixer-4"],
            ["mixer-4-han-12-han-blocks8", "4 mixer + 8 Han", "mixer-4"],
        ]
    );
    let text = changed(TEXT, &[("name = \"mixer-4\"", "name = \"mixer-4\"\nlabel = \"plain\"")]);
    let own: Comparison = checked(&text, ProfileName::Paper, &[("channels", "16,32")])?;
    assert_eq!((arms(&own)[0][1], arms(&own)[1][1]), ("plain, channels 16", "plain, channels 32"));
    assert!(own.file.experiment.expect.iter().all(|expect| expect.void));
    Ok(())
}

#[test]
fn every_network_gets_every_training_and_is_compared_under_it() -> Result<()> {
    let flags = [("models", "mixer-4,mixer-4-han-12"), ("epochs", "2,5"), ("augment", "none,basic"), ("seeds", "4")];
    let fewer = ("set", "fewer_seeds={from_epochs=5,seeds=3}");
    let budget = with(ProfileName::Quick, &[&flags[..], &[fewer]].concat())?;
    let seen = |of: &Entrant| {
        let Training { epochs, augment } = of.training;
        (of.arm.name.clone(), of.arm.label.clone(), of.arm.compared_to.clone(), epochs, augment)
    };
    let entrants: Vec<_> = budget.entrants.iter().map(seen).collect();
    let [plain, han] = ["mixer-4", "mixer-4-han-12"].map(|name| format!("{name}-epochs2-basic"));
    assert_eq!(entrants.len(), 8);
    assert_eq!(entrants[4], (plain.clone(), "4 mixer, 2 epochs, basic".into(), None, 2, Augment::Basic));
    assert_eq!(entrants[5], (han, "4 mixer + 12 Han, 2 epochs, basic".into(), Some(plain), 2, Augment::Basic));
    let runs = budget.runs(&facts(50_000), "cpu")?;
    let of = |name: &str| -> Vec<(usize, Augment)> {
        let of_arm = runs.iter().filter(|run| run.arm == name);
        of_arm.map(|run| (run.epochs(), run.augment)).collect()
    };
    assert_eq!(of("mixer-4-epochs2-none"), [(2, Augment::None); 4]);
    assert_eq!(of("mixer-4-han-12-epochs5-basic"), [(5, Augment::Basic); 3]);
    // One training is what the file says of its networks.
    let one = with(ProfileName::Quick, &[("epochs", "7")])?;
    assert!(one.entrants.iter().all(|of| of.arm.name == of.network[0] && of.training.epochs == 7));
    for (flag, cure) in [
        (("epochs", "5,5"), "train.epochs has a value twice"),
        (("set", "train.epochs=[]"), "train.epochs is an empty list"),
        (("set", "train.augment=[]"), "train.augment is an empty list"),
        (("set", "fewer_seeds={from_epochs=1,seeds=0}"), "fewer_seeds.seeds is 0"),
    ] {
        let told = told(with(ProfileName::Quick, &[flag]));
        assert!(told.contains(cure), "{told}");
    }
    Ok(())
}

#[test]
fn the_budget_has_one_network_with_three_starts_and_seeds_that_chose_nothing() -> Result<()> {
    for profile in PROFILES {
        let budget: Comparison = checked(BUDGET, profile, &[])?;
        let runs = budget.runs(&facts(50_000), "cpu")?;
        assert!(runs.iter().all(|run| run.problem().is_none() && run.seed.0 >= 100), "{profile}");
    }
    let runs = checked::<Comparison>(BUDGET, ProfileName::Paper, &[])?.runs(&facts(50_000), "cpu")?;
    // 3 networks, 2 augmentations; 5 seeds for two lengths and 3 for the third.
    assert_eq!(runs.len(), 3 * 2 * (5 + 5 + 3));
    let names: Vec<&str> = runs.iter().map(|run| &*run.arm).collect();
    let budget: Comparison = checked(BUDGET, ProfileName::Paper, &[])?;
    for claim in &budget.file.experiment.claims {
        for evidence in &claim.evidence {
            assert!(names.iter().any(|name| evidence.row.contains(&format!(" arm={name} "))), "{}", evidence.row);
        }
    }
    // A part of the curve, or more seeds of it, decides what it has rows for; another curve decides nothing.
    for (flag, runs, decides) in [
        (("epochs", "10,30"), 3 * 2 * (5 + 5), true),
        (("augment", "basic"), 3 * (5 + 5 + 3), true),
        (("seeds", "7"), 3 * 2 * 3 * 7, true),
        (("epochs", "10,31"), 3 * 2 * (5 + 5), false),
        (("augment", "none,basic"), 3 * 2 * (5 + 5 + 3), false),
        (("learning-rate", "0.1"), 3 * 2 * (5 + 5 + 3), false),
        (("set", "fewer_seeds.seeds=2"), 3 * 2 * (5 + 5 + 2), false),
        (("set", "fewer_seeds.from_epochs=30"), 3 * 2 * (5 + 3 + 3), false),
        (("set", "fewer_seeds.from_epochs=101"), 3 * 2 * (5 + 5 + 5), true),
    ] {
        let part: Comparison = checked(BUDGET, ProfileName::Paper, &[flag])?;
        assert_eq!(part.runs(&facts(50_000), "cpu")?.len(), runs, "{flag:?}");
        let decided = part.file.experiment.claims.iter().all(|claim| !claim.decided_in.is_empty());
        assert_eq!(decided, decides, "{flag:?}");
    }
    // One point of the curve has the runs of the whole.
    let point: Comparison = checked(BUDGET, ProfileName::Paper, &[("epochs", "100"), ("augment", "basic")])?;
    let point = point.runs(&facts(50_000), "cpu")?;
    assert!(point.len() == 3 * 3 && point.iter().all(|run| runs.contains(run)), "{point:?}");
    Ok(())
}

#[test]
fn expectations_are_for_their_profile_and_the_files_own_setting() -> Result<()> {
    let of = |profile, flags: &[(&str, &str)]| -> Result<usize> {
        Ok(decided(&with(profile, flags)?.file.experiment.expect, profile))
    };
    assert_eq!(PROFILES.map(|profile| of(profile, &[]).unwrap_or(9)), [0, 1, 0]);
    for flag in [
        ("epochs", "2"),
        ("channels", "32"),
        ("augment", "none"),
        ("train-limit", "1000"),
        ("dataset", "cifar100"),
        ("han-blocks", "2"),
        ("learning-rate", "0.1"),
        ("batch-size", "64"),
        ("seeds", "1"),
        ("set", "train.optimizer.adam.weight_decay=0"),
    ] {
        assert_eq!(of(ProfileName::Quick, &[flag])?, 0, "{flag:?}");
    }
    for flags in [
        &[("seeds", "4"), ("first-seed", "7")][..],
        &[("epochs", "10"), ("channels", "64"), ("han-blocks", "0")],
        &[("models", "mixer-4")],
    ] {
        assert_eq!(of(ProfileName::Quick, flags)?, 1, "{flags:?}");
    }
    Ok(())
}

#[test]
fn the_papers_figures_are_for_the_files_own_setting() -> Result<()> {
    let left = |of_profile: &str, flags: &[(&str, &str)]| -> Result<Vec<String>> {
        let profile = format!("[profile.paper]\n{of_profile}\n");
        let changes = [
            ("name = \"mixer-4\"", "name = \"mixer-4\"\npaper = 0.9"),
            ("name = \"resnet32\"", "name = \"resnet32\"\npaper = 0.92"),
            ("[profile.paper]\n", &profile),
        ];
        let arms = checked::<Comparison>(&changed(TEXT, &changes), ProfileName::Paper, flags)?.file.arm;
        Ok(arms.into_iter().filter(|arm| arm.paper.is_some()).map(|arm| arm.name).collect())
    };
    assert_eq!(left("", &[])?, ["mixer-4", "resnet32"]);
    // The ResNet has no channels to choose.
    assert_eq!(left("", &[("channels", "64")])?, ["resnet32"]);
    assert_eq!(left("", &[("batch-size", "64")])?, [""; 0]);
    for changed in [
        "data.train_limit = 100",
        "data.test_limit = 100",
        "train.batch_size = 128",
        "train.augment = \"basic\"",
        "train.learning_rate = 0.1",
    ] {
        assert_eq!(left(changed, &[])?, [""; 0], "{changed}");
    }
    assert_eq!(left("arm.mixer-4.model.mixer.channels = 64", &[])?, ["resnet32"]);
    Ok(())
}

#[test]
fn limits_and_validation_images_leave_the_rest_for_training() -> Result<()> {
    let experiment = with(ProfileName::Quick, &[("set", "data.validation_images=5000")])?;
    let set = experiment.image_set(&facts(50_000));
    assert_eq!(set.cut(50_000), (45_000, 5_000));
    assert_eq!(ImageSet { train_limit: Some(6_000), ..set }.cut(50_000), (1_000, 5_000));
    assert_eq!(experiment.runs(&facts(50_000), "cpu")?[0].fit.report_every, 351);
    // As many for validation as there are leaves none to train on.
    assert!(experiment.runs(&facts(5_000), "cpu").is_err());
    Ok(())
}

/// An expectation of a profile, about a network that there is not.
const OF_PROFILE: &str = "[profile.paper]
experiment.expect = [{ says = \"It learns.\", decided_in = [\"paper\"], evidence = [
    { row = \"arm=mixer-5\", value = \"min\", above = 0, figure = \"{min}\" },
] }]
";

#[test]
fn what_makes_no_sense_is_told_with_its_key() {
    let mistakes = [
        ("above = 0.75", "above = nan", "experiment.expect[0].evidence[0].above is NaN"),
        ("compared_to = \"mixer-4\"", "compared_to = \"mixer-4\"\npaper = 91.2", "paper is 91.2"),
        ("compared_to = \"mixer-4\"", "compared_to = \"mixer-4-han-12\"", "compared_to names the arm itself"),
        ("weight_decay = 0.1", "weight_decay = inf", "train.optimizer.adam.weight_decay is inf"),
        ("learning_rate = 0.001", "learning_rate = 1e300", "train.learning_rate is 1e300; use a number from"),
        ("title = \"MLP", "title = \"\\u0000MLP", "experiment.title is"),
        ("first_seed = 0", "first_seed = 9223372036854775807", "use at most"),
        ("train_limit = 320", "train_limit = 9223372036854775807", "data.train_limit is 9223372036854775807"),
        ("compared_to = \"mixer-4\"", "compared_to = \"transformer\"", "compared to the unknown arm \"transformer\""),
        ("arm=mixer-4 split", "arm=mixer4 split", "names the unknown arm \"mixer4\""),
        (
            "[profile.paper]\n",
            OF_PROFILE,
            "profile.paper: the evidence \"arm=mixer-5\" names the unknown arm \"mixer-5\"",
        ),
        ("above = 0.75, ", "", "lacks above and below"),
        ("weight_decay = 0.1", "weight_decay = -1.0", "weight_decay is -1"),
        ("factor = 0.2", "factor = 2.0", "factor is 2"),
        ("epochs = 600", "epochs = 0", "train.epochs is 0; use at least 1"),
        ("channels = 256", "channels = 255", "channels is 255; use a multiple of 8"),
        ("name = \"resnet32\"", "name = \"mixer-8\"", "the name \"mixer-8\" is given twice"),
        ("arm.mixer-8.seeds = 1", "arm.mixer-9.seeds = 1", "names the unknown \"mixer-9\""),
        ("dataset = \"cifar10\"", "dataset = \"mnist\"", "data.dataset is mnist; use cifar10, cifar100"),
    ];
    assert_told::<Comparison>(TEXT, &PROFILES, &mistakes);
    let told = told(with(ProfileName::Quick, &[("set", "arm.mixer-8.compared_to=transformer")]));
    assert!(told.contains("compared to the unknown arm \"transformer\""), "{told}");
}
