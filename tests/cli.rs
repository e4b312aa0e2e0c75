//! The real program, in a private directory, as a user meets it.

#![cfg(feature = "program")]

#[path = "common/sandbox.rs"]
mod sandbox;

use sandbox::Sandbox;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A checkerboard that ends in a second: two networks, one recipe, a few steps.
const TINY: &[&str] = &[
    "checkerboard", "--profile", "smoke", "--models", "hannet,fcnet", "--recipe", "tuned", "--iterations", "40",
    "--width", "12,fcnet=16", "--depth", "6,fcnet=2", "--device", "cpu",
];

/// Files that hold times or command lines.
const TIMED: [&str; 7] = [
    "manifest.json",
    "README.md",
    "checkerboard.md",
    "checkerboard-runs.csv",
    "page.json",
    "report.html",
    "provenance.json",
];

fn golden(name: &str) -> String {
    format!("{}/tests/golden/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Every file below a directory with its bytes, but for those that hold times or command lines.
fn timeless_files(root: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut directories = vec![root.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).expect("a readable directory").flatten() {
            let path = entry.path();
            if path.is_dir() {
                directories.push(path);
            } else if !TIMED.iter().any(|name| path.ends_with(name)) && !path.to_string_lossy().contains("/.lock") {
                let relative = path.strip_prefix(root).expect("a path below the root").to_path_buf();
                files.insert(relative, fs::read(&path).expect("a readable file"));
            }
        }
    }
    files
}

#[test]
fn a_run_leaves_every_file_and_a_table() {
    let sandbox = Sandbox::new();
    let table = sandbox.stdout(TINY);
    for part in ["held_out", "best_on_test", "HanNet", "FCNet", "parameters", "diverged"] {
        assert!(table.contains(part), "{part} is missing in\n{table}");
    }
    let results = sandbox.path("results/smoke");
    for file in [
        "README.md",
        "report.html",
        "tables/checkerboard.csv",
        "figures/checkerboard-decision-maps.png",
        "figures/checkerboard-test-accuracy.png",
        "figures/checkerboard-parameters.png",
    ] {
        assert!(results.join(file).exists(), "{file} is missing");
    }
    let names: Vec<String> =
        timeless_files(&results).into_keys().map(|path| path.to_string_lossy().into_owned()).collect();
    let full = names.iter().find(|n| n.contains("hannet/") && n.contains("-full-seed101")).expect("a full run");
    let directory = results.join(Path::new(full).parent().expect("a run directory"));
    for file in [
        "config.toml",
        "manifest.json",
        "epochs.csv",
        "evaluations.csv",
        "test_curve.csv",
        "predictions.csv",
        "weights.safetensors",
    ] {
        assert!(directory.join(file).exists(), "{file} is missing in {}", directory.display());
    }
}

#[test]
fn csv_headers_are_pinned() {
    let sandbox = Sandbox::new();
    sandbox.run(TINY).success();
    let files = timeless_files(&sandbox.path("results/smoke"));
    let header = |ending: &str| {
        let (_, bytes) = files.iter().find(|(path, _)| path.to_string_lossy().ends_with(ending)).expect("a CSV file");
        String::from_utf8_lossy(bytes).lines().next().unwrap_or_default().to_string()
    };
    insta::assert_snapshot!(header("epochs.csv"), @"experiment,arm,point,seed,epoch,step,learning_rate,train_loss,validation_loss,validation_metric,run");
    insta::assert_snapshot!(header("evaluations.csv"), @"experiment,arm,point,seed,split,metric,attack,norm,epsilon,value,n,run");
    insta::assert_snapshot!(header("test_curve.csv"), @"experiment,arm,point,seed,step,test_accuracy,run");
    insta::assert_snapshot!(header("predictions.csv"), @"row,column,split,label,output,prediction,run");
    insta::assert_snapshot!(header("tables/checkerboard.csv"), @"experiment,arm,recipe,protocol,learning_rate,parameters,metric,attack,epsilon,seeds,diverged,mean,std,min,median,max,ci95_low,ci95_high,paper,delta,profile");
}

#[test]
fn a_smoke_run_stays_apart_and_says_so_and_how_it_was_made() {
    let sandbox = Sandbox::new();
    sandbox.run(&[TINY, &["--jobs", "1", "--quiet"]].concat()).success();
    let read = |name: &str| fs::read_to_string(sandbox.path("results/smoke").join(name)).expect("a file");
    let command = "han-exp checkerboard --profile smoke --models hannet,fcnet --recipe tuned";
    for report in [false, true] {
        if report {
            sandbox.run(&["report", "--out", "results/smoke"]).success();
        }
        let (short, long, page) = (read("README.md"), read("tables/checkerboard.md"), read("report.html"));
        assert!(short.starts_with("# SMOKE: Results\n") && long.starts_with("## SMOKE: Checkerboard"), "{short}{long}");
        assert!(short.contains(command) && long.contains(command), "{short}{long}");
        assert!(!long.contains("--jobs") && long.contains("seeds: 100 to 101 (n = 2)"), "{long}");
        assert!(page.contains("<h1>SMOKE: ") && page.matches("data:image/png;base64,").count() == 3);
        for table in ["tables/checkerboard.csv", "tables/checkerboard-runs.csv"] {
            let rows = read(table);
            let last: Vec<_> = rows.lines().filter_map(|row| row.rsplit(',').next()).collect();
            assert!(last[0] == "profile" && last[1..].iter().all(|profile| *profile == "smoke"), "{rows}");
        }
    }
    let here: Vec<_> = fs::read_dir(sandbox.path("results")).expect("results").flatten().collect();
    assert_eq!(here.len(), 1, "{here:?}");
    assert!(sandbox.error(&["report"]).contains("smoke runs are in results/smoke"));
}

#[test]
fn results_of_a_version_without_pages_are_written_anew_by_a_report() {
    let sandbox = Sandbox::new();
    sandbox.run(TINY).success();
    let runs = sandbox.path("results/smoke/runs/checkerboard");
    let note = fs::read_to_string(runs.join("experiment.toml")).expect("a note");
    let mut note: toml::Table = toml::from_str(&note).expect("TOML");
    note.remove("invocation").expect("the command");
    fs::write(runs.join("experiment.toml"), toml::to_string(&note).expect("TOML")).expect("a file");
    fs::remove_file(runs.join("page.json")).expect("a page");
    sandbox.run(&["report", "--out", "results/smoke"]).success();
    let short = fs::read_to_string(sandbox.path("results/smoke/README.md")).expect("a report");
    assert!(short.starts_with("# Results\n") && short.contains("seeds: 100 to 101"), "{short}");
}

#[test]
fn the_same_command_gives_the_same_bytes_for_any_number_of_jobs_and_threads() {
    let (one, two, threads) = (Sandbox::new(), Sandbox::new(), Sandbox::new());
    one.run(&[TINY, &["--jobs", "1"]].concat()).success();
    two.run(&[TINY, &["--jobs", "2"]].concat()).success();
    threads.command(TINY).env("RAYON_NUM_THREADS", "3").assert().success();
    let files = timeless_files(&one.path("results/smoke"));
    assert!(files.len() > 20, "only {} files", files.len());
    for other in [two, threads] {
        let others = timeless_files(&other.path("results/smoke"));
        assert_eq!(files.keys().collect::<Vec<_>>(), others.keys().collect::<Vec<_>>());
        for (path, bytes) in &files {
            assert!(others.get(path) == Some(bytes), "{} differs", path.display());
        }
    }
}

#[test]
fn finished_runs_are_skipped_unless_forced_and_a_report_redraws_the_same() {
    let sandbox = Sandbox::new();
    sandbox.run(TINY).success();
    let before = timeless_files(&sandbox.path("results/smoke"));
    let told = |assert: assert_cmd::assert::Assert| String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(told(sandbox.run(TINY).success()).contains("16 of 16 runs are finished already"));
    assert!(!told(sandbox.run(&[TINY, &["--force"]].concat()).success()).contains("finished already"));
    let figures = sandbox.path("results/smoke/figures");
    fs::remove_dir_all(&figures).expect("figures to remove");
    let report = ["report", "--out", "results/smoke"];
    sandbox.run(&report).success();
    assert!(before == timeless_files(&sandbox.path("results/smoke")), "the report changed a file");
    let charts = |end: &str| {
        let files = fs::read_dir(&figures).expect("charts").flatten();
        files.filter(|file| file.path().extension().is_some_and(|e| e == end)).count()
    };
    sandbox.run(&[&report[..], &["--svg"]].concat()).success();
    assert!(charts("png") > 0 && charts("svg") == charts("png"));
    sandbox.run(&report).success();
    assert_eq!(charts("svg"), 0, "an SVG of an earlier report is left");
}

#[test]
fn another_setting_does_not_overwrite_the_runs_of_the_first() {
    let sandbox = Sandbox::new();
    sandbox.run(TINY).success();
    let runs = |sandbox: &Sandbox| timeless_files(&sandbox.path("results/smoke/runs")).len();
    let first = runs(&sandbox);
    sandbox.run(&[TINY, &["--cells", "6"]].concat()).success();
    assert!(runs(&sandbox) > first + 10);
}

#[test]
fn a_chart_of_an_earlier_command_does_not_stand_beside_those_of_the_last() {
    let sandbox = Sandbox::new();
    let chart = sandbox.path("results/smoke/figures/checkerboard-parameters.png");
    sandbox.run(&[TINY, &["--svg"]].concat()).success();
    assert!(chart.exists() && chart.with_extension("svg").exists());
    // Of one network there is no such chart.
    let one = [&TINY[..3], &["--models", "hannet"], &TINY[5..9], &["--width", "12", "--depth", "6", "--device", "cpu"]]
        .concat();
    sandbox.run(&one).success();
    assert!(!chart.exists() && !chart.with_extension("svg").exists());
    assert!(sandbox.path("results/smoke/tables/checkerboard.csv").exists());
}

#[test]
fn a_run_can_be_made_again_from_its_config() {
    let sandbox = Sandbox::new();
    sandbox.run(TINY).success();
    let files = timeless_files(&sandbox.path("results/smoke"));
    let config = files.keys().find(|path| path.ends_with("config.toml")).expect("a config.toml");
    let config = format!("results/smoke/{}", config.display());
    sandbox.run(&["rerun", &config, "--out", "again", "--device", "cpu"]).success();
    let told = sandbox.error(&["status", "--out", "again"]);
    assert!(
        told.contains("again holds runs of checkerboard, but no record of the command that makes them all"),
        "{told}"
    );
    let again = timeless_files(&sandbox.path("again"));
    assert!(again.len() >= 4);
    for (path, bytes) in again {
        assert!(files.get(&path) == Some(&bytes), "{} differs", path.display());
    }
    // From inside its own directory it goes back to where it lies.
    let run = sandbox.path(&config).parent().expect("a directory").to_path_buf();
    fs::remove_file(run.join("epochs.csv")).expect("a file");
    sandbox.command(&["rerun", ".", "--device", "cpu"]).current_dir(&run).assert().success();
    assert!(timeless_files(&sandbox.path("results/smoke")) == files);
}

#[test]
fn a_killed_command_goes_on_where_it_stopped() {
    let sandbox = Sandbox::new();
    let long =
        [&["checkerboard", "--profile", "smoke", "--models", "hannet", "--recipe", "tuned"], &TINY[13..]].concat();
    let mut child = sandbox
        .process(&long)
        .args(["--iterations", "20000", "--seeds", "1", "--jobs", "1", "--quiet"])
        .spawn()
        .expect("the program starts");
    // Until something is on disk; then the second run is under way.
    while timeless_files_or_none(&sandbox.path("results/smoke/runs/checkerboard/hannet")) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it could be killed");
    }
    child.kill().expect("a child to kill");
    child.wait().expect("a dead child");
    let assert = sandbox.run(&[&long[..], &["--iterations", "20000", "--seeds", "1"]].concat()).success();
    let told = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(told.contains("of 4 runs are finished already"), "{told}");
    let left: Vec<_> =
        fs::read_dir(sandbox.path("results/smoke/runs/checkerboard/hannet")).expect("runs").flatten().collect();
    assert_eq!(left.len(), 4, "half-written runs are still there");
}

fn timeless_files_or_none(root: &Path) -> usize {
    let whole = |entry: &fs::DirEntry| !entry.file_name().to_string_lossy().starts_with('.');
    fs::read_dir(root).map_or(0, |entries| entries.flatten().filter(whole).count())
}

#[test]
fn a_claim_has_no_figure_of_other_networks_than_its_own() {
    let sandbox = Sandbox::new();
    let quick = [&["checkerboard", "--profile", "quick"], &TINY[3..], &["--seeds", "1"]].concat();
    sandbox.run(&quick).success();
    let claims = fs::read_to_string(sandbox.path("results/tables/claims.csv")).expect("a table");
    assert!(claims.contains("changed by flags") && !claims.contains("HanNet less FCNet"), "{claims}");
}

#[cfg(unix)]
#[test]
fn ctrl_c_stops_with_code_130_and_keeps_finished_runs() {
    let sandbox = Sandbox::new();
    let mut child = sandbox
        .process(&["checkerboard", "--profile", "smoke", "--models", "hannet", "--recipe", "tuned", "--seeds", "1"])
        .args(["--iterations", "20000", "--jobs", "1", "--quiet", "--device", "cpu"])
        .stdout(std::process::Stdio::null())
        .spawn()
        .expect("the program starts");
    while timeless_files_or_none(&sandbox.path("results/smoke/runs/checkerboard/hannet")) == 0 {
        std::thread::sleep(std::time::Duration::from_millis(20));
        assert!(child.try_wait().expect("a child").is_none(), "it ended before it could be stopped");
    }
    sandbox::signal(&child, "-INT");
    assert_eq!(child.wait().expect("a child").code(), Some(130));
    assert!(timeless_files_or_none(&sandbox.path("results/smoke/runs/checkerboard/hannet")) >= 1);
}

#[test]
fn mistakes_are_told_with_flag_value_and_cure() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("file"), "").expect("a file");
    for (arguments, parts) in [
        (vec!["checkerboard", "--models", "hanet"], vec!["--models hanet", "hannet, fcnet, resnet"]),
        (vec!["checkerboard", "--recipe", "best"], vec!["--recipe best", "paper, tuned"]),
        (vec!["checkerboard", "--width", "0"], vec!["--width", "'0'", "positive"]),
        (vec!["checkerboard", "--width", "vgg=3"], vec!["vgg", "hannet, fcnet, resnet"]),
        (vec!["checkerboard", "--batch-size", "0"], vec!["batch_size is 0", "at least 1"]),
        (vec!["checkerboard", "--batch-size", "100000"], vec!["batch_size is 100000", "at most 1312"]),
        (vec!["checkerboard", "--learning-rates", "-1"], vec!["learning rate -1", "positive"]),
        (vec!["checkerboard", "--learning-rates", "nan"], vec!["learning rate NaN", "positive"]),
        (vec!["checkerboard", "--seeds", "0"], vec!["seeds is 0", "at least 1"]),
        (vec!["checkerboard", "--seeds", "1000000000"], vec!["seeds is 1000000000", "at most 10000"]),
        (vec!["checkerboard", "--first-seed", "18446744073709551615"], vec!["first_seed"]),
        (vec!["checkerboard", "--width", "16,16"], vec!["--width", "hannet gets 16 twice"]),
        (vec!["checkerboard", "--cells", "100"], vec!["cells is 100", "1 to 81"]),
        (vec!["checkerboard", "--train-fraction", "1.5"], vec!["train_fraction is 1.5", "between 0 and 1"]),
        (vec!["checkerboard", "--split-file", "nowhere.csv"], vec!["nowhere.csv"]),
        (vec!["checkerboard", "--profile", "fast"], vec!["--profile", "smoke", "quick", "paper"]),
        (vec!["checkerboard", "--device", "tpu"], vec!["--device", "auto, cpu or cuda:N"]),
        (vec!["checkerboard", "--jobs", "0"], vec!["--jobs"]),
        (vec!["checkerboard", "--experiment", "none.toml"], vec!["none.toml"]),
        (vec!["checkerboard", "--seeds", "-1"], vec!["--seeds", "'-1'"]),
        (
            vec!["checkerboard", "--batch-size", "60", "--set", "train.batch_size=50"],
            vec!["--set train.batch_size and --batch-size"],
        ),
        (vec!["checkerboard", "--strict", "--shard", "1/2"], vec!["--strict judges the results of all runs"]),
        (
            vec!["reproduce", "--profile", "smoke", "--strict", "--shard", "1/2"],
            vec!["--strict judges the results of all runs"],
        ),
        (vec!["plan", "checkerboard", "--out", "file"], vec!["file: it is a file, not a results directory; see --out"]),
        (vec!["checkerboard", "--out", "file"], vec!["file: it is a file"]),
        (vec!["report", "--out", "file"], vec!["file: it is a file"]),
        (vec!["status", "--out", "file"], vec!["file: it is a file"]),
        (vec!["compare", "checkerboard", "hannet", "fcnet", "--out", "file"], vec!["file: it is a file"]),
        (vec!["evaluate", "checkerboard", "--weights", "nowhere"], vec!["--weights nowhere: there is no such file"]),
        (vec!["evaluate", "mixer", "--weights", "file"], vec!["--arm is missing", "mixer-4, mixer-4-han-12"]),
        (vec!["submit", "checkerboard", "--dry-run", "--cores", "0"], vec!["--cores is 0", "at least 1"]),
        (vec!["report"], vec!["results holds no runs", "han-exp reproduce"]),
        (vec!["rerun", "nothing"], vec!["nothing"]),
    ] {
        let told = sandbox.error(&arguments);
        for part in parts {
            assert!(told.contains(part), "{arguments:?}: {part:?} is missing in: {told}");
        }
        assert!(!sandbox.path("results").exists(), "{arguments:?} wrote something");
    }
    if !cfg!(feature = "cuda") {
        assert!(sandbox.error(&["checkerboard", "--device", "cuda:0"]).contains("--features cuda"));
    }
}

#[test]
fn a_typo_in_an_experiment_file_is_told_with_its_line() {
    let sandbox = Sandbox::new();
    let text = include_str!("../experiments/checkerboard.toml").replace("batch_size", "batchsize");
    fs::write(sandbox.path("mine.toml"), text).expect("a file");
    let told = sandbox.error(&["checkerboard", "--experiment", "mine.toml"]);
    assert!(told.contains("mine.toml") && told.contains("batchsize") && told.contains("line"), "{told}");
}

/// Every fourth point for training; labels of the paper's board.
fn split_of_every_fourth_point() -> String {
    let label = |row: usize, column: usize| match (4..76).contains(&row) && (4..76).contains(&column) {
        true => (((row - 4) / 6 + (column - 4) / 6) % 2).to_string(),
        false => "0".to_string(),
    };
    let rows = (0..6561).map(|point| {
        let (row, column) = (point / 81, point % 81);
        let split = if point % 4 == 0 { "train" } else { "test" };
        format!("{split},{row},{column},{}\n", label(row, column))
    });
    format!("split,row,column,label\n{}", rows.collect::<String>())
}

#[test]
fn a_split_file_is_read_checked_and_used() {
    let sandbox = Sandbox::new();
    let text = split_of_every_fourth_point();
    fs::write(sandbox.path("split.csv"), &text).expect("a file");
    sandbox.run(&[TINY, &["--split-file", "split.csv"]].concat()).success();

    fs::write(sandbox.path("bad.csv"), text.replacen("train,0,0,0", "train,0,0,1", 1)).expect("a file");
    let told = sandbox.error(&[TINY, &["--split-file", "bad.csv"]].concat());
    assert!(told.contains("bad.csv, line 2") && told.contains("label 1"), "{told}");
    fs::write(sandbox.path("bad.csv"), text.replacen("test,0,1,0", "holdout,0,1,0", 1)).expect("a file");
    let told = sandbox.error(&[TINY, &["--split-file", "bad.csv"]].concat());
    assert!(told.contains("line 3") && told.contains("holdout"), "{told}");
}

#[test]
fn a_run_is_scored_on_the_points_that_it_held_out_whatever_their_part() {
    let sandbox = Sandbox::new();
    sandbox.run(&[TINY, &["--train-fraction", "0.5", "--quiet"]].concat()).success();
    let runs = sandbox.runs("results/smoke", "checkerboard/hannet", "tuned");
    let run = runs.iter().find(|run| run.to_string_lossy().contains("-full")).expect("a full run");
    let config: toml::Table =
        toml::from_str(&fs::read_to_string(run.join("config.toml")).expect("settings")).expect("TOML");
    let scores = |more: &[&str]| {
        let weights = run.to_string_lossy();
        let told =
            sandbox.stdout(&[&["evaluate", "checkerboard", "--device", "cpu", "--weights", &weights], more].concat());
        told.lines().skip(1).map(String::from).collect::<Vec<_>>()
    };
    let of_run = scores(&[]);
    assert!(of_run[0].ends_with("3281 points"), "{of_run:?}");
    assert_eq!(of_run, scores(&["--seed", &config["seed"].to_string()]));
}

#[test]
fn what_a_setting_or_a_format_cannot_do_is_told() {
    let sandbox = Sandbox::new();
    let noted = |arguments: &[&str]| sandbox::text(&sandbox.run(arguments).success().get_output().stderr);
    let told = noted(&["plan", "checkerboard", "--set", "arm.hannet.seeds=20"]);
    assert!(
        told.contains("warning: arm.hannet.seeds: no network has more than seeds, 5; raise that as well"),
        "{told}"
    );
    for other in [&["--seeds", "1"][..], &["--seeds", "2", "--set", "arm.hannet.label=\"x\""]] {
        assert!(!noted(&[&["plan", "checkerboard"], other].concat()).contains("warning"), "{other:?}");
    }
    assert!(sandbox.error(&["plan", "mixer", "--resolved", "--format", "json"]).contains("cannot be used with"));
}

#[test]
fn foreign_weights_score_the_same_in_all_three_formats() {
    let sandbox = Sandbox::new();
    fs::write(sandbox.path("split.csv"), split_of_every_fourth_point()).expect("a file");
    let score = |file: &str| {
        let weights = golden(file);
        let arguments =
            ["evaluate", "checkerboard", "--model", "hannet", "--weights", &weights, "--split-file", "split.csv"];
        let text = sandbox.stdout(&arguments);
        text.lines().skip(1).map(String::from).collect::<Vec<_>>()
    };
    let expected = score("hannet_checkerboard.safetensors");
    // "train accuracy  61.95 %   mean squared error 0.243159   1640 points"
    let correct = |line: &String| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [accuracy, points] = [words[2], words[words.len() - 2]].map(|word| word.parse::<f64>().expect("a number"));
        (accuracy / 100.0 * points).round() as usize
    };
    // The untrained network of the golden file is right at 3,969 points of the board; so PyTorch says.
    assert_eq!(expected.iter().map(correct).sum::<usize>(), 3969, "{expected:?}");
    assert_eq!(expected, score("hannet_checkerboard.pt"));
    assert_eq!(expected, score("hannet_checkerboard_legacy.pkl"));
}

#[test]
fn wrong_weights_are_told_apart() {
    let sandbox = Sandbox::new();
    let pkl = golden("hannet_checkerboard_legacy.pkl");
    let evaluate = ["evaluate", "checkerboard", "--weights"];
    let told = sandbox.error(&[&evaluate[..], &[&pkl, "--model", "hannet", "--width", "31"]].concat());
    assert!(told.contains("0.weight: expected shape [31, 2], found [30, 2]"), "{told}");
    let told = sandbox.error(&[&evaluate[..], &[&pkl, "--model", "hannet", "--depth", "10"]].concat());
    assert!(told.contains("layer") || told.contains("expected shape"), "{told}");
    let told = sandbox.error(&[&evaluate[..], &[&pkl, "--model", "fcnet"]].concat());
    assert!(told.contains("expected shape"), "{told}");

    fs::write(sandbox.path("notes.pt"), "hello").expect("a file");
    assert!(sandbox.error(&[&evaluate[..], &["notes.pt", "--model", "hannet"]].concat()).contains("neither"));
    let bytes = fs::read(&pkl).expect("a golden file");
    for cut in [20, 600, bytes.len() / 2, bytes.len() - 3] {
        fs::write(sandbox.path("cut.pkl"), &bytes[..cut]).expect("a file");
        let told = sandbox.error(&[&evaluate[..], &["cut.pkl", "--model", "hannet"]].concat());
        assert!(told.contains("cut.pkl"), "{told}");
    }
}

#[test]
fn the_plan_of_the_quick_profile() {
    let text = Sandbox::new().stdout(&["plan", "checkerboard"]);
    let runs = |arm: &str, recipe: &str| {
        let of = |line: &&str| line.starts_with(arm) && line.contains(&format!(" {recipe}-lr"));
        let lines: Vec<&str> = text.lines().filter(of).collect();
        let full = lines.iter().filter(|line| line.contains("-full ") && line.contains(" 40000 iterations")).count();
        (full, lines.len() - full)
    };
    // Full runs at the paper's length, and as many that choose a learning rate.
    for recipe in ["paper", "tuned"] {
        assert_eq!((runs("hannet", recipe), runs("fcnet", recipe)), ((20, 20), (20, 20)), "{text}");
        assert_eq!(runs("resnet", recipe), (6, 6), "{text}");
    }
}

#[test]
fn the_plan_of_a_small_setting() {
    let setting = [
        "--models", "hannet", "--recipe", "tuned", "--learning-rates", "0.01", "--seeds", "1", "--width", "64",
        "--jobs", "2",
    ];
    let text = Sandbox::new().stdout(&[&["plan", "checkerboard"][..], &setting].concat());
    // The hash at the end of a directory changes with the version of the program.
    let lines = text.lines().map(|line| line.rsplit_once("-seed100-").map_or(line, |(start, _)| start));
    insta::assert_snapshot!(lines.collect::<Vec<_>>().join("\n"), @r"
    Checkerboard generalization
    2 runs, 0 of them finished, profile quick; about 9 s left on 2 at a time
    hannet   20 x 64 tuned-lr0.01-selection seed 100 40000 iterations                  runs/checkerboard/hannet/tuned-lr0.01-selection
    hannet   20 x 64 tuned-lr0.01-full      seed 100 40000 iterations                  runs/checkerboard/hannet/tuned-lr0.01-full
    ");
}

#[test]
fn a_missed_expectation_is_shown_and_strict_makes_it_an_exit_code() {
    let sandbox = Sandbox::new();
    let text = include_str!("../experiments/checkerboard.toml").replace("iterations = 40000", "iterations = 20");
    fs::write(sandbox.path("mine.toml"), text).expect("a file");
    let setting = ["checkerboard", "--experiment", "mine.toml", "--models", "hannet", "--recipe", "tuned", "--quiet"];
    let assert = sandbox.run(&setting).code(0);
    assert!(String::from_utf8_lossy(&assert.get_output().stdout).contains("MISSED"));
    sandbox.run(&[&setting[..], &["--strict"]].concat()).code(3);
    let assert = sandbox.run(&[&setting[..], &["--strict", "--profile", "smoke"]].concat()).code(0);
    let told = String::from_utf8_lossy(&assert.get_output().stderr).into_owned();
    assert!(told.contains("--strict has nothing to judge"), "{told}");
}

#[test]
fn figures_of_tables_without_runs_are_written_and_their_pages_stay() {
    let sandbox = Sandbox::new();
    fs::create_dir_all(sandbox.path("shown/tables")).expect("a directory");
    fs::write(sandbox.path("shown/tables/claims.csv"), "claim,n\na,5\n").expect("a table");
    fs::write(sandbox.path("shown/README.md"), "as published\n").expect("a page");
    fs::write(sandbox.path("text.md"), "n is <!-- = claims claim=a: {n} -->?<!-- / -->.\n").expect("a text");
    sandbox.run(&["report", "--out", "shown", "--splice", "text.md"]).success();
    let read = |name: &str| fs::read_to_string(sandbox.path(name)).expect("a file");
    assert!(read("text.md").contains("-->5<!--") && sandbox.path("shown/tables/claims.csv").exists());
    assert_eq!(read("shown/README.md"), "as published\n");
}

#[test]
fn completions_and_manual_pages_know_every_verb() {
    let sandbox = Sandbox::new();
    let told = |arguments: &[&str]| {
        let output = sandbox.run(arguments).success().get_output().stdout.clone();
        String::from_utf8(output).expect("UTF-8")
    };
    for shell in ["bash", "elvish", "fish", "powershell", "zsh"] {
        let script = told(&["completions", shell]);
        assert!(script.contains("checkpoint-every") && script.contains("mnist-attack"), "{shell}: {script}");
    }
    assert!(told(&["completions", "bash"]).contains("--checkpoint-every"));

    // roff writes a hyphen that may be copied as \-.
    let page = told(&["man"]).replace("\\-", "-");
    assert!(page.starts_with(".ie") || page.starts_with(".TH"), "{page}");
    assert!(page.contains("han-exp-mnist-attack(1)"), "{page}");
    told(&["man", "share/man1"]);
    let page = |name: &str| fs::read_to_string(sandbox.path("share/man1").join(name)).expect("a page");
    assert_eq!(page("han-exp.1"), told(&["man"]));
    let plan = page("han-exp-plan-mixer.1").replace("\\-", "-");
    assert!(plan.contains("--resolved") && plan.contains("\nhan-exp-plan-mixer - "), "{plan}");
    let names = fs::read_dir(sandbox.path("share/man1")).expect("pages").flatten().map(|entry| entry.file_name());
    let names: Vec<String> = names.map(|name| name.to_string_lossy().into_owned()).collect();
    assert!(names.len() > 20 && !names.iter().any(|name| name.contains("help")), "{names:?}");
    for words in [&["mixer"][..], &["plan", "mixer"]] {
        assert_eq!(page(&format!("han-exp-{}.1", words.join("-"))), told(&[&["man"], words].concat()));
    }
    assert!(!sandbox.path("mixer").exists(), "a command was taken for a directory");
    told(&["man", "./mixer"]);
    assert!(sandbox.path("mixer/han-exp.1").exists());
    assert!(sandbox.error(&["man", "plan", "nothing"]).contains("man plan nothing: there is no such command"));
    let misspelt = sandbox.error(&["man", "chekerboard"]);
    assert!(misspelt.contains("man chekerboard: there is no such command or directory"), "{misspelt}");
    assert!(!sandbox.path("chekerboard").exists());
    fs::write(sandbox.path("file"), "").expect("a file");
    assert!(sandbox.error(&["man", "file/man1"]).contains("cannot write manual pages into file/man1"));
}
