//! The experiment file of the checkerboard that is compiled in, and what flags and mistakes make of it.

use super::*;
use anyhow::Result;

const FILE: &str = include_str!("../../experiments/checkerboard.toml");

fn with(flags: &Overrides) -> Result<Experiment> {
    ExperimentFile::parse(FILE, "file")?.with_profile(ProfileName::Quick)?.with_overrides(flags)?.check()
}

fn sized(text: &str) -> Vec<Sized> {
    vec![text.parse().expect("a size")]
}

/// The error about a file in which one text stands for another.
fn told_of(right: &str, wrong: &str) -> String {
    let text = FILE.replacen(right, wrong, 1);
    assert_ne!(text, FILE, "{right} is not in the file");
    let checked = ExperimentFile::parse(&text, "file")
        .and_then(|file| file.with_profile(ProfileName::Smoke))
        .and_then(ExperimentFile::check);
    checked.map_or_else(|error| format!("{error:#}"), |_| "no error".into())
}

#[test]
fn expectations_and_the_papers_figures_are_for_the_files_own_setting() -> Result<()> {
    let left = |flags: &Overrides| -> Result<(usize, usize)> {
        let experiment = with(flags)?;
        Ok((experiment.expectations.len(), experiment.arms.iter().filter(|arm| arm.paper.is_some()).count()))
    };
    let own = Overrides::default();
    assert_eq!(left(&own)?, (3, 3));
    // Repetitions, and what the file says itself.
    for flags in [
        Overrides { seeds: Some(2), first_seed: Some(7), ..own.clone() },
        Overrides { batch_size: Some(100), cells: Some(12), width: sized("30"), ..own.clone() },
    ] {
        assert_eq!(left(&flags)?, (3, 3), "{flags:?}");
    }
    for flags in [
        Overrides { iterations: Some(2), ..own.clone() },
        Overrides { batch_size: Some(50), ..own.clone() },
        Overrides { learning_rates: Some(vec![0.01]), ..own.clone() },
        Overrides { cells: Some(6), ..own.clone() },
        Overrides { train_fraction: Some(0.5), ..own.clone() },
    ] {
        assert_eq!(left(&flags)?, (0, 0), "{flags:?}");
    }
    for flags in [Overrides { width: sized("64"), ..own.clone() }, Overrides { depth: sized("fcnet=3"), ..own.clone() }]
    {
        assert_eq!(left(&flags)?, (0, 2), "{flags:?}");
    }
    assert_eq!(left(&Overrides { models: Some(vec!["fcnet".into()]), ..own.clone() })?, (0, 1));
    assert_eq!(left(&Overrides { recipes: Some(vec!["tuned".into()]), ..own })?, (2, 3));
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
        let experiment = with(&Overrides { split_file: Some(path), ..Overrides::default() })?;
        Ok((experiment.expectations.len(), experiment.arms.iter().all(|arm| arm.paper.is_some())))
    };
    assert_eq!(left(4)?, (0, true), "1,640 training points, as in the paper");
    assert_eq!(left(2)?, (0, false), "twice as many");
    Ok(())
}

#[test]
fn figures_that_are_no_fractions_are_refused_whatever_the_profile_drops() {
    for (right, wrong, words) in [
        ("paper = 0.995", "paper = 99.5", "arm hannet: paper is 99.5; use a fraction from 0 to 1"),
        ("paper = 0.995", "paper = -0.1", "paper is -0.1"),
        ("value = 0.995", "value = 99.5", "expect of hannet: value is 99.5"),
        ("tolerance = 0.005", "tolerance = -0.005", "expect of hannet: tolerance is -0.005"),
        ("tolerance = 0.005", "tolerance = 5", "tolerance is 5; use a fraction"),
        ("tolerance = 0.005", "tolerance = nan", "expect[0].tolerance is NaN; use a finite number"),
        ("tolerance = 0.005", "tolerance = inf", "expect[0].tolerance is inf"),
        ("weight_decay = 0.01", "weight_decay = inf", "recipe[1].optimizer.adam.weight_decay is inf"),
        ("protocol = \"held_out\"", "protocol = \"honest\"", "expect.protocol is \"honest\""),
    ] {
        let told = told_of(right, wrong);
        assert!(told.contains(words), "{wrong}: {told}");
    }
}

#[test]
fn what_would_fail_after_the_training_is_refused_before() {
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
        let told = told_of(right, wrong);
        assert!(told.contains(words) && told.len() < 300, "{wrong}: {told}");
    }
    assert_eq!(told_of("label = \"HanNet\"", "label = \"Han|Net, größer\""), "no error");
}

#[test]
fn the_longest_names_that_are_accepted_make_paths_that_fit() -> Result<()> {
    let text = FILE
        .replacen("name = \"checkerboard\"", &format!("name = \"{}\"", "e".repeat(100)), 1)
        .replacen("name = \"tuned\"", &format!("name = \"{}\"", "r".repeat(100)), 1)
        .replacen("learning_rates.tuned]", &format!("learning_rates.{}]", "r".repeat(100)), 3)
        .replace("recipe = \"tuned\"", &format!("recipe = \"{}\"", "r".repeat(100)))
        .replacen("first_seed = 100 ", &format!("first_seed = {} ", i64::MAX as u64 - 10_000), 1)
        .replacen("hannet = [0.025, 0.05]", "hannet = [1e-30, 1.1234567890123457e-20, 1e30]", 1);
    let experiment = ExperimentFile::parse(&text, "file")?.with_profile(ProfileName::Smoke)?.check()?;
    for run in experiment.runs("cpu") {
        assert_eq!(run.problem(), None);
        let directory = run.directory()?;
        assert!(directory.iter().all(|part| part.len() < 200), "{}", directory.display());
        // What `han-exp rerun` reads is what was run.
        assert_eq!(toml::from_str::<RunSpec>(&run.to_toml()?)?, run);
    }
    Ok(())
}

#[cfg(unix)]
#[test]
fn a_path_that_no_run_could_note_down_is_refused() {
    use std::os::unix::ffi::OsStrExt;
    let path = std::path::PathBuf::from(std::ffi::OsStr::from_bytes(b"split-\xff.csv"));
    let told = with(&Overrides { split_file: Some(path), ..Overrides::default() }).expect_err("no UTF-8");
    assert!(told.to_string().contains("use a path in UTF-8"), "{told}");
}
