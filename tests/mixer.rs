//! `han-exp mixer` as a user meets it: the real program in a home of its own, without a network, on the sample.

#![cfg(feature = "program")]

#[path = "common/colour.rs"]
mod colour;
#[path = "common/hub.rs"]
mod hub;
#[path = "common/npz.rs"]
mod npz;
#[path = "common/sandbox.rs"]
mod sandbox;

use colour::{planes, write};
use sandbox::{Sandbox, files, header, over, read};
use std::fs;
use std::path::PathBuf;

/// Two networks, trained for two short epochs, in seconds.
const TINY: &[&str] = &[
    "mixer", "--offline", "--profile", "smoke", "--channels", "8", "--train-limit", "100", "--batch-size", "20",
    "--device", "cpu",
];

fn tiny<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    over(TINY, arguments)
}

#[test]
fn everything_is_there_and_says_that_it_is_the_sample() {
    let sandbox = Sandbox::new();
    let told = sandbox.stdout(&tiny(&[]));
    for words in ["data sample", "top-1", "4 mixer + 12 Han minus 4 mixer", "over 2 seeds", "parameters"] {
        assert!(told.contains(words), "{words} is missing in\n{told}");
    }
    let out = sandbox.path("results/smoke");
    for chart in ["curves", "parameters", "confusion", "images"] {
        assert!(out.join(format!("figures/mixer-{chart}.png")).exists(), "{chart} is missing");
    }
    let readme = read(&out.join("tables/mixer.md"));
    assert!(readme.contains("data = sample") && !readme.contains("is not drawn"), "{readme}");
    for table in ["mixer", "mixer-seeds"] {
        let rows = read(&out.join(format!("tables/{table}.csv")));
        assert!(rows.lines().skip(1).all(|line| line.starts_with("mixer,sample,")), "{rows}");
    }
    insta::assert_snapshot!(header(&out.join("tables/mixer.csv")), @"experiment,data,arm,parameters,split,metric,seeds,diverged,mean,std,min,median,max,ci95_low,ci95_high,against,pairs,difference,difference_std,difference_low,difference_high,paper,profile");
    insta::assert_snapshot!(header(&out.join("tables/mixer-seeds.csv")), @"experiment,data,arm,seed,split,metric,value,n,profile");
    let run = &sandbox.runs("results/smoke", "mixer/mixer-4-han-12", "training-seed0")[0];
    insta::assert_snapshot!(header(&run.join("epochs.csv")), @"experiment,arm,point,seed,epoch,step,learning_rate,train_loss,validation_loss,validation_metric,run");
    insta::assert_snapshot!(header(&run.join("curves.csv")), @"experiment,arm,point,seed,epoch,step,split,loss,accuracy,top5,run");
    insta::assert_snapshot!(header(&run.join("confusion.csv")), @"label,prediction,count,run");
    assert_eq!(read(&run.join("epochs.csv")).lines().count(), 1 + 2);
    assert_eq!(read(&run.join("curves.csv")).lines().count(), 1 + 2 * 2);
    let counted: usize = read(&run.join("confusion.csv"))
        .lines()
        .skip(1)
        .filter_map(|line| line.split(',').nth(2)?.parse::<usize>().ok())
        .sum();
    assert_eq!(counted, 200);
    let manifest: String = read(&run.join("manifest.json")).split_whitespace().collect();
    // The program by its name alone: where it lies is nothing to publish.
    let named = manifest.contains("\"command_line\":[\"han-exp\",\"mixer\"");
    assert!(named && manifest.contains("epoch_seconds"), "{manifest}");

    // Nothing is made again, and the report is redrawn to the byte.
    let before = files(&out);
    let assert = sandbox.command(&tiny(&[])).assert().success();
    assert!(String::from_utf8_lossy(&assert.get_output().stderr).contains("4 of 4 runs are finished already"));
    fs::remove_dir_all(out.join("figures")).expect("figures to remove");
    sandbox.stdout(&["report", "--out", "results/smoke"]);
    assert_eq!(before, files(&out));
}

/// Networks and trainings of the curve, in two short lengths.
const CURVE: &[&str] = &[
    "mixer-budget", "--offline", "--profile", "smoke", "--channels", "8", "--train-limit", "60", "--batch-size", "20",
    "--device", "cpu", "--jobs", "1",
];

#[test]
fn a_curve_can_be_made_in_parts_and_seed_by_seed() {
    let sandbox = Sandbox::new();
    let told = |arguments: &[&str]| {
        let two = [&["--models", "mixer-4,mixer-4-han-12"], arguments].concat();
        let assert = sandbox.command(&over(CURVE, &two)).assert().success();
        String::from_utf8_lossy(&assert.get_output().stderr).into_owned()
    };
    let part = told(&["--epochs", "2", "--augment", "basic"]);
    let begun: Vec<&str> = part.lines().filter(|line| line.ends_with(": 2 epochs")).collect();
    let of_seed = |seed: usize| {
        // Han blocks cost more than none.
        ["mixer-4-han-12", "mixer-4"].map(|name| format!("{name}-epochs2-basic training seed {seed}: 2 epochs"))
    };
    assert_eq!(begun, [of_seed(100), of_seed(101)].concat(), "{part}");
    let whole = told(&[]);
    assert!(whole.contains("4 of 16 runs are finished already"), "{whole}");

    let out = sandbox.path("results/smoke");
    for chart in ["curves", "differences", "confusion", "images"] {
        assert!(out.join(format!("figures/mixer-budget-{chart}.png")).exists(), "{chart} is missing");
    }
    let differences = out.join("tables/mixer-budget-differences.csv");
    insta::assert_snapshot!(header(&differences), @"experiment,data,arm,against,network,augment,epochs,split,metric,pairs,difference,difference_std,difference_low,difference_high,profile");
    for of in ["mixer-4-han-12,basic,1", "mixer-4-han-12,autoaugment,2"] {
        assert!(read(&differences).contains(&format!(",{of},test,accuracy,2,")), "{of}");
    }
    let run = &sandbox.runs("results/smoke", "mixer-budget/mixer-4-epochs1-basic", "training-seed100")[0];
    assert!(run.join("evaluations.csv").exists() && !run.join("weights.safetensors").exists());
}

#[test]
fn jobs_and_threads_change_nothing() {
    Sandbox::new().assert_same_however_made(&tiny(&["--augment", "autoaugment", "--quiet"]), 20);
}

#[test]
fn a_run_is_made_again_from_its_configuration_and_its_weights_score_the_same() {
    let sandbox = Sandbox::new();
    sandbox.stdout(&tiny(&["--arms", "mixer-4-han-12", "--seeds", "1"]));
    let run = sandbox.runs("results/smoke", "mixer/mixer-4-han-12", "training")[0].clone();
    let before = files(&sandbox.path("results/smoke"));
    let rerun = ["rerun", run.to_str().expect("a plain path"), "--device", "cpu"];
    // It was made on the sample, and other images are no hindrance where nobody asks for them.
    sandbox.command(&rerun).env("HAN_EXP_DATA", "elsewhere").assert().success();
    assert!(sandbox.error(&[&rerun[..], &["--data-dir", "elsewhere"]].concat()).contains("elsewhere"));
    assert!(before == files(&sandbox.path("results/smoke")), "the run differs");

    let weights = run.join("weights.safetensors");
    let weights = weights.to_str().expect("a plain path");
    let evaluate = ["evaluate", "mixer", "--offline", "--device", "cpu", "--weights", weights];
    let told = sandbox.stdout(&[&evaluate[..], &["--arm", "mixer-4-han-12", "--channels", "8"]].concat());
    assert_eq!(sandbox.stdout(&evaluate), told, "what the run's config.toml says need not be said again");
    let row = read(&run.join("evaluations.csv"));
    let row = row.lines().find(|line| line.contains(",test,accuracy,")).expect("a row");
    let accuracy: f64 = row.split(',').nth(9).and_then(|value| value.parse().ok()).expect("an accuracy");
    assert!(told.contains(&format!("top-1 {:6.2} %", 100.0 * accuracy)), "{told} is not {row}");
    assert!(told.contains("data sample") && told.contains("200 images"), "{told}");
    let told = sandbox.error(&[&evaluate[..], &["--arm", "mixer-4-han-12", "--channels", "16"]].concat());
    assert!(told.contains("--weights") && told.contains("expected shape"), "{told}");
    let told = sandbox.error(&[&evaluate[..], &["--arm", "mixer-9"]].concat());
    assert!(told.contains("mixer-9: use one or more of mixer-4"), "{told}");
}

#[test]
fn mistakes_are_told_before_any_work() {
    let sandbox = Sandbox::new();
    for (arguments, words) in [
        (&["--arms", "mixer-5"][..], "--models mixer-5: use one or more of mixer-4, mixer-4-han-12, mixer-8, resnet32"),
        (&["--channels", "9"], "channels is 9"),
        (&["--channels", "0"], "use a positive number"),
        (&["--mixer-blocks", "x"], "use a number N of 0 or more"),
        (&["--han-blocks", "mixer-9=2"], "--han-blocks mixer-9=2: use MODEL=N with one of mixer-4"),
        (&["--arms", "resnet32"], "--channels: none of resnet32 has it"),
        (&["--han-blocks", "resnet32=2", "--arms", "mixer-4,resnet32"], "resnet32 is not a mixer"),
        (&["--epochs", "0"], "train.epochs is 0; use at least 1"),
        (&["--batch-size", "1"], "train.batch_size is 1; use at least 2"),
        (&["--batch-size", "101"], "train.batch_size is 101; use at most 100"),
        (&["--learning-rate", "-1"], "train.learning_rate is -1; use a positive number"),
        (&["--train-limit", "0"], "data.train_limit is 0"),
        (&["--augment", "all"], "none, basic, autoaugment"),
        (&["--dataset", "mnist"], "use cifar10, cifar100, stl10, imagenet32"),
        (&["--dataset", "stl10"], "stl10"),
        (&["--seeds", "0"], "seeds is 0"),
        (&["--data-dir", "nowhere"], "nowhere"),
        (&["--experiment", "none.toml"], "none.toml"),
        (&["--profile", "fast"], "smoke"),
    ] {
        let told = sandbox.error(&tiny(arguments));
        assert!(told.contains(words), "{arguments:?}: {words:?} is missing in: {told}");
    }
    assert!(!sandbox.path("results").exists(), "something was written");
}

#[test]
fn the_plan_says_what_would_be_run() {
    let sandbox = Sandbox::new();
    let told = sandbox.stdout(&["plan", "mixer", "--offline", "--profile", "paper"]);
    let lines = |arm: &str| told.lines().filter(|line| line.starts_with(arm) && line.contains("600 epochs")).count();
    assert_eq!(["mixer-4 ", "mixer-4-han-12 ", "mixer-8 ", "resnet32 "].map(lines), [3; 4], "{told}");
    assert!(!sandbox.path("results").exists());
}

#[test]
fn results_of_other_data_sets_lie_beside_each_other_and_say_which_they_are_of() {
    let sandbox = Sandbox::new();
    let of = |dataset: &str, images: usize| -> Vec<(String, Vec<u8>)> {
        let pixels: Vec<u8> = (0..images).flat_map(planes).collect();
        // Labels of every data set here are among its first ten classes, which STL-10 and ImageNet count from 1.
        let labels: Vec<u8> = (0..images).map(|image| 1 + (image % 9) as u8).collect();
        match dataset {
            "cifar100" => {
                let row = |image: usize| [vec![0, labels[image]], planes(image)].concat();
                let rows: Vec<u8> = (0..images).flat_map(row).collect();
                ["train.bin", "test.bin"].map(|name| (name.to_string(), rows.clone())).into()
            }
            "stl10" => {
                let pixels: Vec<u8> = pixels.iter().flat_map(|pixel| [*pixel; 9]).collect();
                let files = ["train", "test"].map(|split| {
                    [(format!("{split}_X.bin"), pixels.clone()), (format!("{split}_y.bin"), labels.clone())]
                });
                files.concat()
            }
            _ => {
                let data = npz::array("|u1", &format!("({images}, 3072)"), &pixels);
                let labels = npz::array("|u1", &format!("({images},)"), &labels);
                let archive = npz::deflated(&[("data.npy", &data), ("labels.npy", &labels)]);
                ["train_data_batch_1.npz", "val_data.npz"].map(|name| (name.to_string(), archive.clone())).into()
            }
        }
    };
    let short = ["--seeds", "1", "--out", "out"];
    sandbox.stdout(&tiny(&short));
    for dataset in ["cifar100", "stl10", "imagenet32"] {
        for (name, bytes) in of(dataset, 24) {
            write(&sandbox.path("data").join(dataset).join(name), bytes);
        }
        let before = files(&sandbox.path("out"));
        let told = sandbox.stdout(&tiny(&[&short[..], &["--dataset", dataset, "--data-dir", "data"]].concat()));
        let told = told.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&format!("data {dataset} (100 training images, 200 test images), 2 epochs")), "{told}");
        let after = files(&sandbox.path("out"));
        let same = |(path, bytes): (&PathBuf, &Vec<u8>)| path.ends_with("claims.csv") || after.get(path) == Some(bytes);
        assert!(before.iter().all(same), "{dataset} has overwritten something");
        let name = format!("mixer-{dataset}");
        for table in [name.clone(), format!("{name}-seeds")] {
            let rows = read(&sandbox.path(&format!("out/tables/{table}.csv")));
            let begins = format!("{name},{dataset},");
            assert!(rows.lines().count() > 1 && rows.lines().skip(1).all(|line| line.starts_with(&begins)), "{rows}");
        }
        let page = read(&sandbox.path(&format!("out/tables/{name}.md")));
        assert!(page.contains(&format!("data = {dataset}")) && !page.contains("is not drawn"), "{page}");
        assert!(page.contains(&format!("--dataset {dataset}")), "{page}");
        let charts = ["curves", "parameters", "images"].map(|chart| format!("out/figures/{name}-{chart}.png"));
        assert!(charts.iter().all(|chart| sandbox.path(chart).exists()), "{charts:?}");
        // Of ten classes at most there is room for a matrix.
        let matrix = sandbox.path(&format!("out/figures/{name}-confusion.png"));
        assert_eq!(matrix.exists(), dataset == "stl10", "{dataset}");
        let remembered = read(&sandbox.path(&format!("out/runs/{name}/experiment.toml")));
        assert!(remembered.contains(&format!("dataset = \"{dataset}\"")), "{remembered}");
    }
    let before = files(&sandbox.path("out"));
    sandbox.stdout(&["report", "--out", "out"]);
    assert_eq!(before, files(&sandbox.path("out")));
}

#[test]
fn the_plan_prints_the_settings_of_a_data_set() {
    let sandbox = Sandbox::new();
    let resolved = |profile: &str, flags: &[&str]| -> toml::Table {
        let told = sandbox.stdout(&[&["plan", "mixer", "--resolved", "--profile", profile], flags].concat());
        toml::from_str(&told).expect("an experiment file")
    };
    for (flags, name) in [
        (&["--dataset", "cifar100"][..], "mixer-cifar100"),
        (&["--dataset", "imagenet32"], "mixer-imagenet32"),
        (&["--dataset", "stl10"], "mixer-stl10"),
        (&["--set", "data.dataset=stl10"], "mixer-stl10"),
        (&["--dataset", "cifar10"], "mixer"),
    ] {
        assert_eq!(resolved("paper", flags)["experiment"]["name"].as_str(), Some(name), "{flags:?}");
    }
    let told = sandbox.error(&["plan", "mixer", "--dataset", "stl10", "--set", "data.dataset=cifar10"]);
    assert!(told.contains("--set data.dataset and --dataset set the same key"), "{told}");
    let (stl10, cifar10) = (resolved("quick", &["--dataset", "stl10"]), resolved("quick", &[]));
    let number = |file: &toml::Table, key: &str| file["train"][key].as_integer();
    assert_eq!([number(&stl10, "epochs"), number(&stl10, "batch_size")], [Some(20), Some(64)]);
    assert_eq!([number(&cifar10, "epochs"), number(&cifar10, "batch_size")], [Some(10), Some(128)]);
    // A file may build on that of a data set.
    fs::write(sandbox.path("mine.toml"), "extends = \"mixer-stl10\"\nexperiment.name = \"mine\"\nseeds = 1\n")
        .expect("a file");
    let mine = resolved("quick", &["--experiment", "mine.toml"]);
    // A mistake is reported with its line if it is in this file, and without one if it is in the file that this one extends.
    let of_profile = "extends = \"mixer\"\n[experiment]\nname = \"mine\"\n[arm.mixer-4]\nmodel = \"resnet32\"\n";
    for (text, words, placed) in [
        ("extends = \"mixer\"\nseeds = true\nexperiment.name = \"mine\"\n", "line 2, column 9", true),
        (of_profile, "mixer_blocks", false),
    ] {
        fs::write(sandbox.path("wrong.toml"), text).expect("a file");
        let told = sandbox.error(&["plan", "mixer", "--experiment", "wrong.toml"]);
        assert!(told.contains(words) && told.contains("at line") == placed, "{told}");
    }
    assert_eq!((number(&mine, "epochs"), mine["data"]["dataset"].as_str()), (Some(20), Some("stl10")));
}

#[test]
fn reproduce_includes_it() {
    let sandbox = Sandbox::new();
    let told = sandbox.stdout(&["reproduce", "--only", "mixer", "--profile", "smoke", "--offline", "--device", "cpu"]);
    let page = read(&sandbox.path("results/smoke/tables/mixer.md"));
    assert!(page.contains("`han-exp mixer --profile smoke --device cpu --offline`"), "{page}");
    assert!(told.contains("MLP-Mixer with Han blocks, data sample"), "{told}");
}
