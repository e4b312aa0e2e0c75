//! Settings as a user writes them: mistakes are reported before any work, and what is accepted runs to its end.

#![cfg(feature = "program")]

#[path = "common/sandbox.rs"]
mod sandbox;

use sandbox::Sandbox;
use std::fs;
use std::path::Path;

const CHECKERBOARD: &str = include_str!("../experiments/checkerboard.toml");

/// One network of a few layers that is trained for a few steps.
const TINY: &[&str] = &[
    "checkerboard", "--quiet", "--experiment", "mine.toml", "--profile", "smoke", "--models", "hannet", "--iterations",
    "4", "--width", "8", "--depth", "4", "--seeds", "1", "--device", "cpu",
];

#[test]
fn what_would_fail_after_the_training_is_told_by_the_plan_and_by_the_command() {
    let sandbox = Sandbox::new();
    let long = "x".repeat(230);
    fs::write(sandbox.path("name.toml"), CHECKERBOARD.replace("name = \"hannet\"", &format!("name = \"{long}\"")))
        .expect("a file");
    let largest = i64::MAX.to_string();
    for (arguments, words) in [
        (
            &["checkerboard", "--learning-rates", "1e300"][..],
            "learning rate 1e300 for hannet; use a number from 1e-30 to",
        ),
        (&["checkerboard", "--learning-rates", "1e-320"], "learning rate 1e-320 for hannet"),
        (&["checkerboard", "--first-seed", "9223372036854775808"], "first_seed is 9223372036854775808; use at most"),
        (&["checkerboard", "--first-seed", &largest], "use at most"),
        (&["checkerboard", "--experiment", "name.toml"], "hannet"),
        (&["gradients", "--first-seed", &largest], "use at most"),
        (&["gradients", "--iterations", &largest], "depth.iterations is 9223372036854775807; use at most"),
        (&["mixer", "--offline", "--first-seed", &largest], "use at most"),
        (&["mixer", "--offline", "--learning-rate", "1e300"], "train.learning_rate is 1e300; use a number"),
        (&["mixer", "--offline", "--train-limit", "9223372036854775808"], "data.train_limit is 9223372036854775808"),
        (&["mnist-attack", "--offline", "--first-seed", &largest], "use at most"),
        (&["mnist-attack", "--offline", "--epochs", &largest], "epochs is 9223372036854775807; use at most"),
        (&["mnist-attack", "--offline", "--checklist", "9223372036854775808"], "attack.checklist_images is"),
    ] {
        for told in [sandbox.error(&[&["plan"], arguments].concat()), sandbox.error(arguments)] {
            assert!(told.contains(words) && told.len() < 400, "{arguments:?}: {told}");
        }
    }
    assert!(!sandbox.path("results").exists(), "something was written");
}

/// Those that are compiled in are read anyway; the others are for `--experiment`, and so is the example of the README.
#[test]
fn every_experiment_file_can_be_planned() {
    let sandbox = Sandbox::new();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(root.join("README.md")).expect("a README");
    let example = readme.split("```toml\n").nth(1).and_then(|rest| rest.split("```").next()).expect("an example");
    fs::write(sandbox.path("example.toml"), example).expect("a file");
    let files = fs::read_dir(root.join("experiments")).expect("experiments").flatten().map(|entry| entry.path());
    let mut files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    files.push(sandbox.path("example.toml"));
    assert!(files.len() > 11, "{files:?}");
    for file in files {
        let text = fs::read_to_string(&file).expect("an experiment file");
        let verb = ["mnist-attack", "mixer", "gradients", "regression"].into_iter().find(|verb| {
            text.contains(&format!("\nextends = \"{verb}")) || file.file_stem().is_some_and(|name| name == *verb)
        });
        let verb = verb.or_else(|| text.contains("name = \"mixer").then_some("mixer")).unwrap_or("checkerboard");
        let file = file.to_str().expect("a plain path");
        sandbox.stdout(&["plan", verb, "--experiment", file, "--resolved"]);
    }
}

#[test]
fn the_longest_names_can_be_run_reported_and_run_again() {
    let sandbox = Sandbox::new();
    let [experiment, arm, recipe] = ["e", "a", "r"].map(|letter| letter.repeat(100));
    let text = CHECKERBOARD
        .replace("name = \"checkerboard\"", &format!("name = \"{experiment}\""))
        .replace("name = \"tuned\"", &format!("name = \"{recipe}\""))
        .replace("recipe=tuned", &format!("recipe={recipe}"))
        .replace("recipe.tuned.", &format!("recipe.{recipe}."))
        .replace("name = \"hannet\"", &format!("name = \"{arm}\""))
        .replace("arm=hannet", &format!("arm={arm}"))
        .replace("\nhannet = [0.012, 0.014]", &format!("\n{arm} = [1e-30, 1.1234567890123457e-20]"))
        .replace("\nhannet = ", &format!("\n{arm} = "));
    fs::write(sandbox.path("mine.toml"), text).expect("a file");
    let first = (i64::MAX as u64 - 10_000).to_string();
    let own = ["--recipe", &recipe, "--first-seed", &first];
    sandbox.stdout(&[&sandbox::over(TINY, &["--models", &arm])[..], &own].concat());
    let runs = sandbox.runs("results/smoke", &format!("{experiment}/{arm}"), &recipe);
    assert_eq!(runs.len(), 4);
    for run in runs {
        sandbox.stdout(&["rerun", run.to_str().expect("a plain path"), "--device", "cpu"]);
    }
    sandbox.stdout(&["report", "--out", "results/smoke"]);
    for file in [format!("tables/{experiment}.csv"), format!("figures/{experiment}-decision-maps.png")] {
        assert!(sandbox.path("results/smoke").join(&file).exists(), "{file} is missing");
    }
}

#[test]
fn a_bar_in_a_label_ends_no_cell() {
    let sandbox = Sandbox::new();
    let text = CHECKERBOARD.replace("label = \"HanNet\"", "label = \"Han | Net\"");
    fs::write(sandbox.path("mine.toml"), text).expect("a file");
    sandbox.stdout(&[TINY, &["--recipe", "tuned"]].concat());
    let readme = fs::read_to_string(sandbox.path("results/smoke/tables/checkerboard.md")).expect("a report");
    let lines: Vec<&str> = readme.lines().filter(|line| line.contains("Han \\| Net")).collect();
    assert!(lines.len() >= 2 && !readme.contains("Han | Net"), "{readme}");
    let cells = |line: &str| line.replace("\\|", "").matches('|').count();
    let header = readme.lines().find(|line| line.starts_with("| recipe")).expect("a header");
    assert_eq!(cells(lines[0]), cells(header));
}

#[test]
fn a_size_of_the_ball_may_be_a_quotient_and_one_above_1_in_linf_is_warned_of() {
    let sandbox = Sandbox::new();
    let plan = |arguments: &[&str]| {
        let common = ["plan", "mnist-attack", "--offline", "--profile", "smoke", "--models", "hannet"];
        let assert = sandbox.command(&[&common, arguments].concat()).assert().success();
        let output = assert.get_output();
        (sandbox::text(&output.stdout), sandbox::text(&output.stderr))
    };
    let quotient = plan(&["--eps", "8/255,0.1", "--sweep", "2/255,16/255"]);
    let decimal = plan(&["--eps", "0.03137254901960784,0.1", "--sweep", "0.00784313725490196,0.06274509803921569"]);
    assert_eq!(quotient.0, decimal.0, "the same runs by the same hashes");
    assert!(!quotient.1.contains("warning"), "{}", quotient.1);
    assert!(!plan(&["--eps", "8", "--norm", "l2"]).1.contains("warning"));
    let (_, told) = plan(&["--eps", "8"]);
    assert!(told.contains("warning: eps is 8 in linf") && told.contains("--eps 8/255"), "{told}");
    let told = sandbox.error(&["plan", "mnist-attack", "--offline", "--eps", "8/x"]);
    assert!(told.contains("\"8/x\" is not a number; use one such as 0.05 or 8/255"), "{told}");
}
