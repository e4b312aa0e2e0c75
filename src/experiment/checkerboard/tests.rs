//! The experiment file of the checkerboard that is compiled in, and what flags and mistakes make of it.

use super::*;
use crate::engine::settings::{Given, ProfileName};
use crate::engine::testing::{assert_told, changed, checked, decided, told};
use anyhow::Result;

fn base(name: &str) -> Option<&'static str> {
    (name == "checkerboard").then_some(TEXT)
}

/// Profile quick with flags, each with its values.
fn with(flags: &[(&str, &str)]) -> Result<Checkerboard> {
    checked(TEXT, ProfileName::Quick, flags)
}

#[test]
fn expectations_and_the_papers_figures_are_for_the_files_own_setting() -> Result<()> {
    let left = |flags: &[(&str, &str)]| -> Result<(usize, usize)> {
        let file = with(flags)?.file;
        let decided = decided(&file.experiment.expect, ProfileName::Quick);
        Ok((decided, file.arm.iter().filter(|arm| arm.paper.is_some()).count()))
    };
    assert_eq!(left(&[])?, (2, 3));
    // What the file says itself, and more repetitions.
    for flags in [
        &[("batch-size", "100"), ("cells", "12"), ("width", "30")][..],
        &[("set", "train.batch_size=100"), ("seeds", "7"), ("first-seed", "105")],
    ] {
        assert_eq!(left(flags)?, (2, 3), "{flags:?}");
    }
    // Fewer seeds, or earlier ones.
    for flags in [("seeds", "2"), ("set", "seeds=2"), ("first-seed", "7")] {
        assert_eq!(left(&[flags])?, (0, 3), "{flags:?}");
    }
    for flags in [
        ("iterations", "2"),
        ("batch-size", "50"),
        ("learning-rates", "0.01"),
        ("cells", "6"),
        ("train-fraction", "0.5"),
        ("set", "train.batch_size=50"),
        ("set", "recipe.tuned.optimizer.adam.weight_decay=0"),
        ("set", "recipe.paper.schedule.cosine.warmup=0.1"),
    ] {
        assert_eq!(left(&[flags])?, (0, 0), "{flags:?}");
    }
    for flags in [("width", "64"), ("depth", "fcnet=3"), ("set", "arm.resnet.model.resnet.width=8")] {
        assert_eq!(left(&[flags])?, (0, 2), "{flags:?}");
    }
    assert_eq!(left(&[("models", "fcnet")])?, (2, 1));
    assert_eq!(left(&[("recipe", "tuned")])?, (2, 3));
    Ok(())
}

#[test]
fn several_sizes_are_as_many_arms() -> Result<()> {
    let experiment = with(&[("width", "8,16,fcnet=20"), ("depth", "4,5")])?;
    let arms: Vec<(&str, usize, usize)> = experiment
        .file
        .arm
        .iter()
        .map(|arm| (arm.name.as_str(), arm.model.size().width, arm.model.size().depth))
        .collect();
    assert_eq!(
        arms,
        [
            ("hannet-width8-depth4", 8, 4),
            ("hannet-width8-depth5", 8, 5),
            ("hannet-width16-depth4", 16, 4),
            ("hannet-width16-depth5", 16, 5),
            ("fcnet", 20, 6),
            ("resnet", 100, 10)
        ]
    );
    assert_eq!(experiment.file.arm[1].label, "HanNet, width 8, depth 5");
    let tuned = &experiment.file.recipe[1];
    assert_eq!(experiment.rates(tuned, "hannet-width16-depth4"), [0.011, 0.012, 0.013, 0.014]);
    assert!(experiment.rates(tuned, "hannet").is_empty());
    let twice = with(&[("width", "8,8")]).expect_err("a size twice").to_string();
    assert!(twice.contains("--width: hannet gets 8 twice"), "{twice}");
    Ok(())
}

#[test]
fn mistakes_in_a_setting_name_the_nearest_keys() {
    for (assignment, words) in [
        ("recipe.tuned.optimizer.adam.weight_decay", "use KEY=VALUE"),
        (
            "recipe.tuned.optimizer.adam.weigth_decay=0",
            "unexpected keys in table: weigth_decay, available keys: beta1, beta2, epsilon, weight_decay",
        ),
        ("recipe.tuned.optimizer.adam.weigth_decay=0", "nearest keys are recipe.tuned.optimizer.adam.weight_decay"),
        (
            "recipe.turned.input_noise=0",
            "there is no recipe.turned.input_noise; the nearest keys are recipe.tuned.input_noise",
        ),
        ("train.iterations=many", "invalid type: string \"many\", expected usize"),
        ("train.iterations=-3", "invalid value: integer `-3`, expected usize"),
        ("recipe.tuned.input_noise=nan", "it is NaN; use a finite number"),
        ("recipe.tuned.optimizer.adamw.beta1=0.9", "unknown variant `adamw`"),
        ("arm.hannet.model.hannet.width=0", "width is 0; use 1 to 16384"),
        ("train.batch_size=0", "train.batch_size is 0; use at least 1"),
    ] {
        let told = told(with(&[("set", assignment)]));
        assert!(told.contains(words), "{assignment}: {told}");
    }
}

#[test]
fn what_a_flag_sets_is_not_set_again() -> Result<()> {
    let set = ("set", "arm.hannet.model.hannet.width=50");
    // 30 is the file's own.
    for flag in [("width", "64"), ("width", "fcnet=8,hannet=64"), ("width", "30")] {
        let told = told(with(&[flag, set]));
        assert!(told.contains("--set arm.hannet.model.hannet.width and --width set the same key"), "{told}");
    }
    let told = told(with(&[("split-file", "a.csv"), ("set", "data.checkerboard.split_file=b.csv")]));
    assert!(told.contains("--set data.checkerboard.split_file and --split-file set the same key"), "{told}");
    // Another size, another network, an exception, and one network of several.
    for flags in [
        [("depth", "5"), set],
        [("width", "fcnet=64"), set],
        [("seeds", "5"), ("set", "arm.resnet.seeds=2")],
        [("depth", "5"), ("set", "arm.resnet.model.resnet.width=8")],
        [("width", "30,64"), ("set", "recipe.tuned.learning_rates.hannet-width64=[0.05]")],
    ] {
        with(&flags)?;
    }
    Ok(())
}

#[test]
fn claims_are_decided_for_the_files_own_networks_and_training() -> Result<()> {
    let decided = |flags: &[(&str, &str)]| -> Result<bool> {
        let claims = with(flags)?.file.experiment.claims;
        assert_eq!(claims.len(), 2);
        Ok(claims.iter().all(|claim| claim.decided_in.contains(&ProfileName::Quick)))
    };
    for flags in [&[][..], &[("seeds", "10"), ("first-seed", "300")], &[("recipe", "tuned")]] {
        assert!(decided(flags)?, "{flags:?}");
    }
    // With fewer seeds luck is more likely, and those before the file's first chose the recipe.
    for flag in [("seeds", "2"), ("first-seed", "7"), ("set", "arm.hannet.seeds=2")] {
        assert!(!decided(&[flag])?, "{flag:?}");
    }
    assert!(decided(&[("set", "arm.hannet.seeds=5")])?);
    for flag in
        [("width", "64"), ("iterations", "100"), ("learning-rates", "0.01"), ("set", "data.checkerboard.cells=6")]
    {
        assert!(!decided(&[flag])?, "{flag:?}");
    }
    Ok(())
}

#[test]
fn a_file_may_extend_the_one_that_is_compiled_in() -> Result<()> {
    let resolved = |text: &str| {
        let mut given = Given::<CheckerboardFile>::of(ProfileName::Quick);
        given.models = Some(vec!["hannet".into()]);
        given.resolve_text(text, "mine.toml", &base).and_then(Checkerboard::of)
    };
    let mine = resolved("extends = \"checkerboard\"\n[experiment]\nname = \"mine\"\n[data.checkerboard]\ncells = 6\n")?;
    assert_eq!((mine.file.experiment.name.as_str(), mine.board().cells, mine.board().side), ("mine", 6, 81));
    assert_eq!((mine.file.arm.len(), mine.file.train.selection_iterations), (1, 40000));
    assert_eq!(mine.file.experiment.title(), "mine", "the other title is the other experiment's");
    for (text, words) in [
        ("extends = \"mixer\"", "extends \"mixer\": there is no such experiment of this kind"),
        ("extends = \"checkerboard\"\nseeds = 2", "give it a name of its own"),
        ("extends = \"checkerboard\"\n[experiment]\nname = \"Checkerboard\"", "give it a name of its own"),
        ("extends = \"checkerboard\"\n[experiment]\ntitle = \"Mine\"", "give it a name of its own"),
        ("extends = \"checkerboard\"\n[train]\nbatchsize = 3\nNAME", "line 3"),
        ("extends = \"checkerboard\"\nseeds = \"many\"\nNAME", "line 2"),
        (
            "extends = \"checkerboard\"\n[arm.hanet]\nseeds = 3\nNAME",
            "names the unknown \"hanet\"; use hannet, fcnet, resnet",
        ),
        ("models = 3\nextends = \"checkerboard\"\nNAME", "models is not a list of names"),
        ("extends = \"checkerboard\"\n[profile.fast]\nNAME", "profile.fast: use smoke, quick or paper"),
    ] {
        let told = told(resolved(&text.replace("NAME", "[experiment]\nname = \"mine\"")));
        assert!(told.contains(words) && told.contains("mine.toml"), "{text}: {told}");
    }
    Ok(())
}

#[test]
fn a_fixed_split_drops_expectations_and_another_training_set_the_papers_figures() -> Result<()> {
    let directory = tempfile::tempdir()?;
    let board = crate::data::checkerboard::Board { side: 81, cells: 12 };
    let left = |every: usize| -> Result<(usize, bool)> {
        let path = directory.path().join("split.csv");
        let rows = (0..board.points()).map(|point| {
            let (row, column) = board.place(point);
            let part = if point % every == 0 && point < 6560 { "train" } else { "test" };
            format!("{part},{row},{column},{}\n", board.label(point))
        });
        std::fs::write(&path, format!("split,row,column,label\n{}", rows.collect::<String>()))?;
        let file = with(&[("split-file", &path.to_string_lossy())])?.file;
        let decided = decided(&file.experiment.expect, ProfileName::Quick);
        Ok((decided, file.arm.iter().all(|arm| arm.paper.is_some())))
    };
    assert_eq!(left(4)?, (0, true), "1,640 training points, as in the paper");
    assert_eq!(left(2)?, (0, false), "twice as many");
    Ok(())
}

#[test]
fn figures_that_are_no_fractions_are_refused_whatever_the_profile_drops() {
    let mistakes = [
        ("paper = 0.995", "paper = 99.5", "arm hannet: paper is 99.5; use a fraction from 0 to 1"),
        ("paper = 0.995", "paper = -0.1", "paper is -0.1"),
        ("above = 0.98,", "above = nan,", "experiment.expect[1].evidence[1].above is NaN; use a finite number"),
        ("arm=fcnet\", value", "arm=fcnot\", value", "names the unknown arm \"fcnot\""),
        ("recipe=tuned arm", "recipe=tunned arm", "names the unknown recipe \"tunned\""),
        ("weight_decay = 0.01", "weight_decay = inf", "recipe[1].optimizer.adam.weight_decay is inf"),
    ];
    assert_told::<Checkerboard>(TEXT, &[ProfileName::Smoke], &mistakes);
}

#[test]
fn what_would_fail_after_the_training_is_refused_before() {
    let smoke = |right, wrong| checked::<Checkerboard>(&changed(TEXT, &[(right, wrong)]), ProfileName::Smoke, &[]);
    let (name, label) = (format!("name = \"{}\"", "x".repeat(101)), format!("label = \"{}\"", "y".repeat(101)));
    for (right, wrong, words) in [
        ("name = \"checkerboard\"", &*name, "has 101 characters; use at most 100"),
        ("name = \"checkerboard\"", "name = \"\"", "the name \"\" becomes part of a path"),
        ("name = \"checkerboard\"", "name = \"a/b\"", "use letters, digits, - and _"),
        ("label = \"HanNet\"", &label, "label of arm hannet has 101 characters"),
        ("label = \"HanNet\"", "label = \"Han\\nNet\"", "use one line without control characters"),
        ("label = \"tuned Adam\"", "label = \"\\u001b[31m\"", "label of recipe tuned is"),
        ("title = \"Checkerboard", "title = \"\\tCheckerboard", "experiment.title is"),
        ("first_seed = 100 ", "first_seed = 9223372036854775807 ", "first_seed is 9223372036854775807; use at most"),
        (
            "hannet = [0.025, 0.05]",
            "hannet = [1e300]",
            "learning rate 1e300 for hannet; use a number from 1e-30 to 1e30",
        ),
        ("hannet = [0.025, 0.05]", "hannet = [1e-320]", "learning rate 1e-320 for hannet"),
        (
            "\niterations = 300\n",
            "\niterations = 2000000000\n",
            "train.iterations is 2000000000; use at most 1000000000",
        ),
    ] {
        let told = told(smoke(right, wrong));
        assert!(told.contains(words) && told.len() < 300, "{wrong}: {told}");
    }
    assert_eq!(told(smoke("label = \"HanNet\"", "label = \"Han|Net, größer\"")), "no error");
}
