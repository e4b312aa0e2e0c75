//! `han-exp regression` as a user meets it: the real program in a home of its own, on tables of its own making and on those
//! inside the program.

#![cfg(feature = "program")]

#[path = "common/sandbox.rs"]
mod sandbox;

use han_exp::rng::Seed;
use sandbox::{Sandbox, files, header, over, read, rows};
use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Small networks on one small table, in a moment.
const TINY: &[&str] = &[
    "regression", "--offline", "--profile", "smoke", "--dataset", "hills.csv", "--width", "8", "--depth", "3",
    "--epochs", "3", "--batch-size", "20", "--device", "cpu",
];

fn tiny<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    over(TINY, arguments)
}

/// A home with `hills.csv`: a curved function of two columns, a column of noise, a constant one, and a header.
fn sandbox() -> Sandbox {
    let sandbox = Sandbox::new();
    let mut stream = Seed(1).stream("hills");
    let row = |_: usize| {
        let [a, b, c] = [stream.uniform(), stream.uniform(), stream.normal()];
        format!("{a:.4},{b:.4},{c:.4},7,{:.4}\n", 100.0 + 20.0 * (4.0 * a).sin() * b)
    };
    let rows: String = (0..200).map(row).collect();
    fs::write(sandbox.path("hills.csv"), format!("east,north,noise,unit,height\n{rows}")).expect("a file");
    sandbox
}

#[test]
fn everything_is_there_and_nothing_is_made_again() {
    let sandbox = sandbox();
    let run = sandbox.command(&tiny(&[])).assert().success();
    let (told, notes) = (sandbox::text(&run.get_output().stdout), sandbox::text(&run.get_output().stderr));
    for words in ["Regression on tables: RMSE", "hills: RMSE of hannet minus that of fcnet: ", "95 % interval", "n = 2"]
    {
        assert!(told.contains(words), "{words} is missing in\n{told}");
    }
    assert!(notes.contains("hills: constant columns are left out: unit"), "{notes}");
    let out = sandbox.path("results/smoke");
    for chart in ["predictions", "parameters"] {
        assert!(out.join(format!("figures/regression-{chart}.png")).exists(), "{chart} is missing");
    }
    let readme = read(&out.join("tables/regression.md"));
    assert!(readme.contains("| hills | 200 | 3 | file |") && !readme.contains("is not drawn"), "{readme}");
    assert!(!readme.contains("inside the program"), "{readme}");

    insta::assert_snapshot!(header(&out.join("tables/regression.csv")), @"experiment,data,origin,arm,recipe,parameters,split,metric,seeds,diverged,mean,std,min,median,max,ci95_low,ci95_high,profile");
    let run = &sandbox.runs("results/smoke", "regression/hannet", "hills-held_out-lr0.001-seed100")[0];
    insta::assert_snapshot!(header(&run.join("predictions.csv")), @"row,target,prediction,run");
    insta::assert_snapshot!(header(&run.join("epochs.csv")), @"experiment,arm,point,seed,epoch,step,learning_rate,train_loss,validation_loss,validation_metric,run");
    // 200 rows are 160 for training, 24 for testing and 16 for validation; 3 epochs of 8 steps.
    assert_eq!(read(&run.join("predictions.csv")).lines().count(), 1 + 24);
    assert_eq!(read(&run.join("epochs.csv")).lines().count(), 1 + 3);
    assert!(run.join("weights.safetensors").exists());
    let table = rows(&out.join("tables/regression.csv"));
    let of = |arm: &str, key: &str| -> Vec<String> {
        let is_of =
            |row: &&BTreeMap<String, String>| row["arm"] == arm && row["metric"] == "rmse" && row["split"] == "test";
        table.iter().filter(is_of).map(|row| row[key].clone()).collect()
    };
    assert_eq!(
        (of("hannet", "recipe"), of("hannet", "seeds")),
        (vec!["held_out".into(), "released".into()], vec!["2".into(); 2])
    );
    assert_eq!((of("ridge", "parameters"), of("ridge", "recipe")), (vec!["4".to_string()], vec![String::new()]));
    assert_eq!(
        (of("extra-trees", "parameters"), of("extra-trees", "seeds")),
        (vec![String::new()], vec!["2".to_string()])
    );
    assert!(!of("ridge", "std")[0].is_empty(), "baselines have a spread");
    // Two networks, two recipes, two rates and two methods, of two seeds each.
    assert_eq!(rows(&out.join("tables/regression-runs.csv")).len(), 2 * (2 * 2 * 2 + 2));

    let before = files(&out);
    let again = sandbox.command(&tiny(&[])).assert().success();
    assert!(sandbox::text(&again.get_output().stderr).contains("20 of 20 runs are finished already"));
    fs::remove_dir_all(out.join("figures")).expect("figures to remove");
    // A report needs no table.
    fs::remove_file(sandbox.path("hills.csv")).expect("a file");
    sandbox.stdout(&["report", "--out", "results/smoke"]);
    assert_eq!(before, files(&out));
}

/// The fields of the evaluations of a run: split, metric, value.
fn scores(run: &Path) -> BTreeMap<(String, String), f64> {
    let score = |row: BTreeMap<String, String>| {
        ((row["split"].clone(), row["metric"].clone()), row["value"].parse().expect("a number"))
    };
    rows(&run.join("evaluations.csv")).into_iter().map(score).collect()
}

#[test]
fn scores_are_those_of_the_predictions_and_validation_chooses() {
    let sandbox = sandbox();
    sandbox.stdout(&tiny(&["--epochs", "30", "--learning-rates", "0.003,0.1"]));
    let value = |scores: &BTreeMap<(String, String), f64>, split: &str, metric: &str| {
        scores[&(split.to_string(), metric.to_string())]
    };
    let mut best = Vec::new();
    for run in sandbox.runs("results/smoke", "regression/fcnet", "hills-held_out-").into_iter().chain(sandbox.runs(
        "results/smoke",
        "regression/extra-trees",
        "hills-",
    )) {
        let (scores, predictions) = (scores(&run), rows(&run.join("predictions.csv")));
        let number = |row: &BTreeMap<String, String>, key: &str| row[key].parse::<f64>().expect("a number");
        let errors: f64 =
            predictions.iter().map(|row| (number(row, "target") - number(row, "prediction")).powi(2)).sum();
        let mean = predictions.iter().map(|row| number(row, "target")).sum::<f64>() / predictions.len() as f64;
        let total: f64 = predictions.iter().map(|row| (number(row, "target") - mean).powi(2)).sum();
        let rmse = (errors / predictions.len() as f64).sqrt();
        assert!((value(&scores, "test", "rmse_in_units") / rmse - 1.0).abs() < 1e-5, "{}", run.display());
        assert!((value(&scores, "test", "r_squared") - (1.0 - errors / total)).abs() < 1e-5, "{}", run.display());
        if run.join("epochs.csv").exists() {
            // What is kept is the epoch with the least validation error.
            let errors = rows(&run.join("epochs.csv"));
            let least = errors.iter().map(|row| number(row, "validation_metric")).fold(f64::INFINITY, f64::min);
            assert!((value(&scores, "validation", "rmse") - least).abs() < 1e-9, "{}", run.display());
            if run.to_string_lossy().contains("-seed100-") {
                best.push((least, value(&scores, "test", "rmse")));
            }
        }
    }
    best.sort_by(|a, b| a.0.total_cmp(&b.0));
    let table = rows(&sandbox.path("results/smoke/tables/regression.csv"));
    let of_fcnet = table.iter().find(|row| {
        (&*row["arm"], &*row["recipe"], &*row["split"], &*row["metric"]) == ("fcnet", "held_out", "test", "rmse")
    });
    let bounds = ["min", "max"].map(|key| of_fcnet.expect("a row")[key].parse::<f64>().expect("a number"));
    assert!(bounds.contains(&best[0].1), "{bounds:?} are not of the rate chosen in {best:?}");
}

#[test]
fn jobs_and_threads_change_nothing() {
    sandbox().assert_same_however_made(&tiny(&[]), 60);
}

#[test]
fn a_run_is_made_again_from_its_configuration() {
    let sandbox = sandbox();
    sandbox.stdout(&tiny(&["--seeds", "1"]));
    let before = files(&sandbox.path("results/smoke"));
    for (arm, point) in [("hannet", "hills-released-lr0.003"), ("ridge", "hills"), ("extra-trees", "hills")] {
        let run = sandbox.runs("results/smoke", &format!("regression/{arm}"), point)[0].clone();
        fs::remove_file(run.join("predictions.csv")).expect("a file");
        sandbox.stdout(&["rerun", run.to_str().expect("a plain path"), "--device", "cpu"]);
    }
    assert!(before == files(&sandbox.path("results/smoke")), "a run differs");
    let run = sandbox.runs("results/smoke", "regression/hannet", "hills-")[0].clone();
    let run = run.to_str().expect("a plain path");
    fs::write(sandbox.path("hills.csv"), read(&sandbox.path("hills.csv")).replacen("7,", "8,", 1)).expect("a file");
    let told = sandbox.error(&["rerun", run, "--device", "cpu"]);
    assert!(told.contains("it is another table hills: its SHA-256 was "), "{told}");
}

#[test]
fn mistakes_in_a_file_are_reported_with_their_place() {
    let sandbox = Sandbox::new();
    let table = |cell: &str| format!("a,b,c\n{}1,{cell},3\n", "1,2,3\n2,5,4\n3,3,9\n".repeat(9));
    for (contents, words) in [
        (table(""), "mine.csv: line 29: column 2 (b): the value is missing; fill it in or remove the row"),
        (table("x"), "mine.csv: line 29: column 2 (b): \"x\" is not a number"),
        (table("inf"), "mine.csv: line 29: column 2 (b): \"inf\" is not a finite number"),
        (table("2,2"), "mine.csv: line 29: it has 4 cells, the first row has 3"),
        (
            table("2").replace(",9\n", ",3\n").replace(",4\n", ",3\n"),
            "mine.csv: column 3 (c): the target is the same in every row",
        ),
        ("1,2,3,4\n2,3,5,9\n4,4,4,1\n".into(), "3 feature columns and 3 rows, 1 of them for training"),
    ] {
        fs::write(sandbox.path("mine.csv"), &contents).expect("a file");
        let told = sandbox.error(&tiny(&["--dataset", "mine.csv"]));
        assert!(told.contains(words) && told.contains("regression: data.tables: "), "{words:?} is not in: {told}");
        assert_eq!(told.matches("mine.csv").count(), 1, "{told}");
    }
    fs::write(sandbox.path("mine.csv"), table("2")).expect("a file");
    for (arguments, words) in [
        (&["--target", "d"][..], "target is \"d\", which is no column; use one of a, b, c"),
        (&["--target", "4"], "target is 4; use a column from 1 to 3"),
        (&["--dataset", "nowhere.csv"], "nowhere.csv"),
        (&["--dataset", "mine.csv,./mine.csv"], "two tables have the name mine; rename a file"),
        (&["--dataset", "skillcraft"], "put skillcraft.csv into a directory and give --data-dir"),
        (&["--recipe", "paper"], "[possible values: held_out, released]"),
    ] {
        let mine = if arguments.contains(&"--dataset") { &[][..] } else { &["--dataset", "mine.csv"] };
        let told = sandbox.error(&tiny(&[mine, arguments].concat()));
        assert!(told.contains(words), "{arguments:?}: {words:?} is not in: {told}");
    }
    assert!(!sandbox.path("results").exists(), "something was written");
}

#[test]
fn a_directory_has_all_tables_as_published() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("data")).expect("a directory");
    let command = ["plan", "regression", "--profile", "paper", "--data-dir", "data"];
    // One for all experiments may have images alone.
    let of_all = sandbox.command(&command[..4]).env("HAN_EXP_DATA", "data").assert().success();
    assert!(sandbox::text(&of_all.get_output().stdout).contains("winequality"));
    let told = sandbox.error(&command);
    assert!(told.contains("data/bikesharing.csv"), "{told}");
    let told = sandbox.error(&["plan", "regression", "--data-dir", "nowhere"]);
    assert!(told.contains("nowhere/bikesharing.csv"), "{told}");
    fs::write(sandbox.path("data/skillcraft.csv"), "1,2\n3,4\n5,6\n7,9\n").expect("a file");
    let told = sandbox.error(&command);
    assert!(told.contains("data/bikesharing.csv"), "{told}");
    fs::write(sandbox.path("data/bikesharing.csv"), "1,2\n3,4\n5,6\n7,9\n").expect("a file");
    let told = sandbox.error(&command);
    assert!(told.contains("data/bikesharing.csv: it has SHA-256 ") && told.contains("282e3dbd3dd7d57d"), "{told}");
    assert!(!sandbox.path("results").exists());
}

#[test]
fn a_directory_for_several_experiments_may_lack_the_tables() {
    let sandbox = Sandbox::new();
    fs::create_dir(sandbox.path("images")).expect("a directory");
    let of = |only: &'static str| {
        ["reproduce", "--only", only, "--profile", "smoke", "--device", "cpu", "--quiet", "--data-dir", "images"]
    };
    sandbox.stdout(&of("regression,gradients"));
    // By itself, with that directory, the experiment asks for its tables.
    let page = read(&sandbox.path("results/smoke/tables/regression.md"));
    assert!(page.contains("`han-exp regression --profile smoke --device cpu`"), "{page}");
    let told = sandbox.error(&of("regression"));
    assert!(told.contains("images/skillcraft.csv"), "{told}");
}

#[test]
fn tables_inside_the_program_take_the_place_of_missing_ones_and_say_so() {
    let sandbox = Sandbox::new();
    let command =
        ["regression", "--profile", "smoke", "--models", "hannet,fcnet,ridge", "--epochs", "1", "--device", "cpu"];
    let run = sandbox.command(&command).assert().success();
    let (told, notes) = (sandbox::text(&run.get_output().stdout), sandbox::text(&run.get_output().stderr));
    let words = "small tables inside the program, not those of the paper";
    assert!(notes.contains(words) && notes.contains("--data-dir reads skillcraft"), "{notes}");
    assert!(told.contains(words) && told.contains("winequality") && told.contains("diabetes"), "{told}");
    let readme = read(&sandbox.path("results/smoke/tables/regression.md"));
    assert_eq!(readme.matches(words).count(), 2, "{readme}");
    let table = rows(&sandbox.path("results/smoke/tables/regression.csv"));
    assert!(table.iter().all(|row| row["origin"] == "inside the program"), "{table:?}");
    let plan = sandbox.stdout(&[&["plan"], &command[..]].concat());
    // Two tables, two seeds: two networks with two recipes and two rates, and ridge regression.
    assert!(plan.contains("36 runs, 36 of them finished"), "{plan}");
}

#[test]
fn seeds_that_diverge_are_rows_without_a_value() {
    let sandbox = sandbox();
    let arguments = ["--models", "hannet,fcnet", "--recipe", "held_out", "--learning-rates", "1e29", "--epochs", "20"];
    let told = sandbox.stdout(&tiny(&arguments));
    let table = rows(&sandbox.path("results/smoke/tables/regression.csv"));
    // Three errors on validation and on test rows, of two networks.
    assert_eq!(table.len(), 12, "{table:?}");
    for row in &table {
        assert_eq!((&*row["seeds"], &*row["diverged"], &*row["mean"]), ("0", "2", ""), "{row:?}");
    }
    let pairs = rows(&sandbox.path("results/smoke/tables/regression-differences.csv"));
    assert_eq!(pairs.len(), 3, "{pairs:?}");
    for row in &pairs {
        assert_eq!((&*row["arm"], &*row["pairs"], &*row["difference"]), ("hannet", "0", ""), "{row:?}");
    }
    assert!(told.contains("undecided on 0, diverged on 1 of the tables"), "{told}");
    assert!(read(&sandbox.path("results/smoke/tables/regression.md")).contains("is not drawn"));
}

#[test]
fn sizes_are_arms_and_a_target_may_be_any_column() {
    let sandbox = sandbox();
    let arguments = ["--width", "4,8", "--models", "hannet,extra-trees", "--recipe", "held_out", "--target", "north"];
    let told = sandbox.stdout(&tiny(&arguments));
    for words in ["hannet-width4", "hannet-width8", "extra-trees"] {
        assert!(told.contains(words), "{words} is missing in\n{told}");
    }
    let arms: Vec<String> =
        rows(&sandbox.path("results/smoke/tables/regression.csv")).into_iter().map(|row| row["arm"].clone()).collect();
    assert!(arms.contains(&"hannet-width4".to_string()) && arms.contains(&"hannet-width8".to_string()), "{arms:?}");
}
