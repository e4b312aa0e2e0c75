//! `han-exp gradients` as a user meets it: the real program in a home of its own.

#![cfg(feature = "program")]

#[path = "common/sandbox.rs"]
mod sandbox;

use sandbox::{Sandbox, files, header, over, read};
use std::fs;
use std::path::PathBuf;

/// Everything, as small as it goes.
const TINY: &[&str] = &["gradients", "--quiet", "--device", "cpu", "--profile", "smoke", "--iterations", "20"];

fn tiny<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    over(TINY, arguments)
}

const CHARTS: [&str; 8] =
    ["jacobian", "singular-values", "norms", "norms-others", "norms-training", "depth", "cost", "lipschitz"];

#[test]
fn every_part_leaves_its_files_charts_and_rows() {
    let sandbox = Sandbox::new();
    let told = sandbox.stdout(&tiny(&[]));
    for words in
        ["Han-layer: deviation, f64", "gradient ratio", "test accuracy", "exponent of training time", "ratio found"]
    {
        assert!(told.contains(words), "{words} is missing in\n{told}");
    }
    let out = sandbox.path("results/smoke");
    for chart in CHARTS {
        assert!(out.join(format!("figures/gradients-{chart}.png")).exists(), "{chart} is missing");
    }
    assert!(!read(&out.join("tables/gradients.md")).contains("is not drawn"));
    let run = |arm: &str, point: &str| sandbox.runs("results/smoke", &format!("gradients/{arm}"), point)[0].clone();
    let csv = |arm: &str, point: &str, file: &str| header(&run(arm, point).join(file));
    insta::assert_snapshot!(header(&out.join("tables/gradients.csv")), @"experiment,part,arm,metric,state,precision,depth,n,diverged,mean,std,min,median,max,profile");
    insta::assert_snapshot!(header(&out.join("tables/gradients-cost.csv")), @"layer,width,depth,batch,pass,parameters,seconds,seconds_median,rounds,profile");
    insta::assert_snapshot!(csv("layer-han", "layers", "jacobian.csv"), @"layer,width,precision,z,deviation,row_length,run");
    let course = read(&run("hannet", "course").join("manifest.json"));
    assert!(course.contains("\"data_hash\": \"") && !course.contains("\"data_hash\": \"\""), "{course}");
    insta::assert_snapshot!(csv("hannet", "course", "extents.csv"), @"arm,seed,state,to,row,column,most,least,run");
    insta::assert_snapshot!(csv("hannet", "start-depth10-", "flow.csv"), @"arm,point,seed,depth,moment,precision,layer,norm,least,most,run");
    insta::assert_snapshot!(csv("hannet-passing", "neighbours-depth10-", "neighbours.csv"), @"arm,seed,depth,pairs,cosine,run");
    insta::assert_snapshot!(csv("hannet", "stretch-depth10-", "stretch.csv"), @"arm,point,seed,depth,state,found,at_random,log10_of_norms,run");
    // 20 layers in two precisions; 27 distances from the kink, 0 among them, five layers each, fewer of them in f32.
    let jacobians = read(&run("layer-han", "layers").join("jacobian.csv"));
    assert_eq!(jacobians.lines().skip(1).filter(|line| line.contains(",f64,")).count(), 20 + 27 * 5);
    // Every layer of ten; of a HanNet in both precisions.
    assert_eq!(read(&run("fcnet", "start-depth10-").join("flow.csv")).lines().count(), 1 + 10);
    assert_eq!(read(&run("hannet", "start-depth10-").join("flow.csv")).lines().count(), 1 + 20);

    // Nothing is made again, and the report is redrawn to the byte.
    let before = files(&out);
    sandbox.command(&tiny(&[])).assert().success();
    fs::remove_dir_all(out.join("figures")).expect("figures to remove");
    sandbox.stdout(&["report", "--out", "results/smoke"]);
    assert_eq!(before, files(&out));
}

#[test]
fn jobs_and_threads_change_nothing_but_times() {
    let command = tiny(&["--part", "jacobian,norms,depth,lipschitz"]);
    Sandbox::new().assert_same_however_made(&command, 60);
}

#[test]
fn a_part_alone_makes_its_runs_and_charts_alone() {
    let sandbox = Sandbox::new();
    for (part, charts) in [
        ("jacobian", &["jacobian", "singular-values"][..]),
        ("norms", &["norms", "norms-others", "norms-training"]),
        ("depth", &["depth"]),
        ("cost", &["cost"]),
        ("lipschitz", &["lipschitz"]),
    ] {
        sandbox.stdout(&tiny(&["--part", part, "--out", part]));
        for chart in CHARTS {
            let there = sandbox.path(part).join(format!("figures/gradients-{chart}.png")).exists();
            assert_eq!(there, charts.contains(&chart), "{part}: {chart}");
        }
        let rows = read(&sandbox.path(part).join("tables/gradients.csv"));
        assert!(rows.lines().skip(1).all(|row| row.starts_with(&format!("gradients,{part},"))), "{rows}");
    }
    // A width and a depth of one's own, for all networks.
    let told = sandbox.stdout(&tiny(&["--part", "norms", "--width", "12", "--max-depth", "7", "--out", "small"]));
    assert!(told.contains("HanNet: largest gradient ratio, 7 layers, start, f64"), "{told}");
    assert!(!sandbox.runs("small", "gradients/hannet", "start-depth7-").is_empty());
    assert!(sandbox.runs("small", "gradients/hannet", "start-depth10-").is_empty());
}

#[test]
fn a_measurement_is_made_again_from_its_configuration() {
    let sandbox = Sandbox::new();
    sandbox.stdout(&tiny(&["--part", "lipschitz,norms", "--models", "hannet"]));
    let before = files(&sandbox.path("results/smoke"));
    for point in ["course", "start-depth10-", "stretch-depth10-"] {
        let run = sandbox.runs("results/smoke", "gradients/hannet", point)[0].clone();
        fs::remove_file(run.join("flow.csv")).ok();
        sandbox.stdout(&["rerun", run.to_str().expect("a plain path"), "--device", "cpu"]);
    }
    assert!(before == files(&sandbox.path("results/smoke")), "a run differs");
}

#[test]
fn the_plan_says_what_follows_from_what() {
    let sandbox = Sandbox::new();
    let plan = ["plan", "gradients", "--profile", "smoke", "--part", "depth", "--models", "hannet-passing"];
    let told = sandbox.stdout(&plan);
    assert!(told.contains("10 runs, 0 of them finished"), "{told}");
    assert!(told.contains("\n2 runs follow from the results of these"), "{told}");
    for format in ["commands", "json"] {
        let ended = sandbox.command(&[&plan[..], &["--format", format]].concat()).assert().success();
        let told = String::from_utf8_lossy(&ended.get_output().stderr);
        assert!(
            told.contains("2 runs follow from the results of these; run the same plan again then to list them"),
            "{told}"
        );
    }
    let told = sandbox.stdout(&["plan", "gradients", "--part", "cost"]);
    assert!(told.contains("1 run, 0 of them finished"), "{told}");
}

#[test]
fn mistakes_are_told_before_any_work() {
    let sandbox = Sandbox::new();
    for (arguments, words) in [
        (&["--part", "speed"][..], "jacobian, norms, depth, cost, lipschitz"),
        (&["--models", "transformer"], "--models transformer: use one or more of hannet, hannet-passing"),
        (&["--models", "fcnet-tanh", "--part", "depth"], "no network takes part in"),
        (&["--part", "norms,norms"], "parts has a value twice; name each once"),
        (&["--width", "0"], "use a positive number"),
        (&["--max-depth", "x"], "use a positive number"),
        (&["--max-depth", "20000"], "depth is 20000; use 1 to 10000"),
        (&["--seeds", "0"], "use a positive number"),
        (&["--experiment", "none.toml"], "none.toml"),
        (&["--profile", "fast"], "smoke"),
    ] {
        let told = sandbox.error(&tiny(arguments));
        assert!(told.contains(words), "{arguments:?}: {told}");
    }
    assert!(!sandbox.path("results").exists(), "a mistake has left something");
}

#[test]
fn rates_are_chosen_by_accuracy_then_loss_then_the_lower_rate() {
    let sandbox = Sandbox::new();
    sandbox.stdout(&tiny(&["--part", "depth", "--models", "fcnet-30"]));
    // Depth and rate of a run, and its validation accuracy and loss at the end.
    let scored = |run: PathBuf| -> (i64, f64, [f64; 2]) {
        let config: toml::Table = read(&run.join("config.toml")).parse().expect("a configuration");
        let depth = config["model"]["fcnet"]["depth"].as_integer().expect("a depth");
        let rate = config["fit"]["learning_rate"].as_float().expect("a rate");
        let epochs = read(&run.join("epochs.csv"));
        let last = epochs.lines().last().expect("a row").split(',').skip(8);
        let scores: Vec<f64> = last.map(|cell| cell.parse().unwrap_or(f64::NAN)).collect();
        (depth, rate, [scores[1], scores[0]])
    };
    let of = |phase: &str| -> Vec<(i64, f64, [f64; 2])> {
        let runs = sandbox.runs("results/smoke", "gradients/fcnet-30", "depth-").into_iter();
        runs.filter(|run| run.to_string_lossy().contains(phase)).map(scored).collect()
    };
    let (selections, finals) = (of("-selection-"), of("-full-"));
    assert_eq!((selections.len(), finals.len()), (6, 2));
    let mut tied = 0;
    for (depth, chosen, _) in finals {
        let of_depth = || selections.iter().filter(|run| run.0 == depth);
        let best = of_depth().map(|run| run.2[0]).fold(0.0, f64::max);
        let mut equals: Vec<_> = of_depth().filter(|run| run.2[0] == best).collect();
        tied += equals.len() - 1;
        equals.sort_by(|a, b| a.2[1].total_cmp(&b.2[1]).then(a.1.total_cmp(&b.1)));
        assert_eq!(chosen, equals[0].1, "{depth} layers: {equals:?}");
    }
    assert!(tied > 0, "no rates tie, so the loss decides nothing here");
}
