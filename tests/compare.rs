//! `han-exp compare` as a user meets it: the real program in a home of its own, without a network, on the sample.

#![cfg(feature = "program")]

#[path = "common/sandbox.rs"]
mod sandbox;

use sandbox::{CHECKERBOARD, Sandbox, header, over, rows};
use std::collections::BTreeMap;

/// The small checkerboard with these flags over its own.
fn board<'a>(flags: &[&'a str]) -> Vec<&'a str> {
    over(&[&["checkerboard", "--quiet", "--out", "results"], &CHECKERBOARD[1..]].concat(), flags)
}

#[test]
fn two_widths_of_the_checkerboard_are_compared_seed_by_seed() {
    let sandbox = Sandbox::new();
    sandbox.stdout(&board(&["--width", "8,12", "--seeds", "3", "--learning-rates", "0.01,0.02"]));
    let told = sandbox.stdout(&["compare", "checkerboard", "hannet-width8", "hannet-width12"]);
    assert!(told.starts_with("SMOKE: "), "{told}");
    for words in ["A = hannet-width8/tuned", "3 seeds in common", "held out", "model.hannet.width: 8 in A, 12 in B"] {
        assert!(told.contains(words), "{words} is missing in\n{told}");
    }
    assert!(!told.contains("board.") && !told.contains("seed:"), "what is the same is not told:\n{told}");
    let table = sandbox.path("results/tables/compare-checkerboard-hannet-width8-hannet-width12.csv");
    insta::assert_snapshot!(header(&table), @"experiment,data,a,b,metric,norm,epsilon,mean_a,mean_b,only_a,only_b,diverged_a,diverged_b,pairs,difference,difference_std,difference_low,difference_high,profile");
    let figures = rows(&table);
    let held_out = figures.iter().find(|row| row["metric"] == "held_out").expect("a row");
    let means: BTreeMap<String, f64> = rows(&sandbox.path("results/tables/checkerboard.csv"))
        .into_iter()
        .filter(|row| row["protocol"] == "held_out")
        .map(|row| (row["arm"].clone(), row["mean"].parse().expect("a number")))
        .collect();
    let number = |key: &str| -> f64 { held_out[key].parse().expect("a number") };
    for (key, arm) in [("mean_a", "hannet-width8"), ("mean_b", "hannet-width12")] {
        assert!((number(key) - means[arm]).abs() < 1e-12, "{key}: {held_out:?}");
    }
    assert!((number("difference") - (number("mean_a") - number("mean_b"))).abs() < 1e-12, "{held_out:?}");
    assert!(number("difference_low") < number("difference") && number("difference") < number("difference_high"));
    assert!(sandbox.path("results/figures/compare-checkerboard-hannet-width8-hannet-width12.png").exists());

    // One of the rates, by name.
    let told = sandbox.stdout(&["compare", "checkerboard/hannet-width8/tuned", "lr0.01", "lr0.02"]);
    assert!(told.contains("last iterate") && told.contains("fit.learning_rate: 0.01 in A, 0.02 in B"), "{told}");
}

#[test]
fn hannet_and_fcnet_differ_as_in_the_tables_of_the_attack() {
    let sandbox = Sandbox::new();
    let command = [
        "mnist-attack --out results --offline --profile smoke --width 24,fcnet=24 --depth 6,fcnet=2 --n 30 --steps 5 --queries 20",
        "--sweep off --eps 0.05,0.1 --attacks fgsm,pgd,ddn --checklist 0 --device cpu",
    ]
    .join(" ");
    sandbox.stdout(&command.split(' ').collect::<Vec<_>>());
    let told = sandbox.stdout(&["compare", "mnist-attack/hannet", "mnist-attack/fcnet"]);
    for words in ["data sample", "robust accuracy linf 0.05", "McNemar", "model.fcnet.width: - in A, 24 in B"] {
        assert!(told.contains(words), "{words} is missing in\n{told}");
    }
    let tables = sandbox.path("results/tables");
    let seeds = rows(&tables.join("compare-mnist-attack-hannet-fcnet-seeds.csv"));
    let paired = rows(&tables.join("mnist-attack-paired.csv"));
    assert!(paired.len() >= 3 && paired.iter().all(|row| (&*row["arm"], &*row["against"]) == ("hannet", "fcnet")));
    for row in &paired {
        let metric = if row["norm"].is_empty() { "clean_accuracy_of_attacked" } else { "robust_accuracy" };
        let epsilon = if row["norm"].is_empty() { "" } else { &row["epsilon"] };
        let same = |other: &&BTreeMap<String, String>| {
            other["metric"] == metric
                && other["norm"] == row["norm"]
                && other["epsilon"] == *epsilon
                && other["seed"] == row["seed"]
        };
        let found = seeds.iter().find(same).unwrap_or_else(|| panic!("no row is like {row:?}"));
        let columns = [
            ("arm_accuracy", "value_a"),
            ("against_accuracy", "value_b"),
            ("arm_only", "a_only"),
            ("against_only", "b_only"),
            ("n", "n"),
            ("difference_low", "difference_low"),
            ("difference_high", "difference_high"),
            ("p_value", "p_value"),
        ];
        for (of_table, of_comparison) in columns {
            assert_eq!(row[of_table], found[of_comparison], "{of_table} of {row:?}");
        }
    }
}

#[test]
fn directories_are_compared_arm_by_arm_over_the_seeds_of_both() {
    let sandbox = Sandbox::new();
    let run = |out: &str, flags: &[&str]| sandbox.stdout(&board(&[&["--out", out], flags].concat()));
    run("a", &["--seeds", "2", "--first-seed", "5"]);
    run("b", &["--seeds", "2", "--first-seed", "6", "--iterations", "16"]);
    let told = sandbox.stdout(&["compare", "a", "b"]);
    for words in [
        "A = a:hannet/tuned, B = b:hannet/tuned",
        "1 seed in common",
        "left out: seeds 5 of A alone",
        "left out: seeds 7 of B alone",
        "fit.iterations: 8 in A, 16 in B",
    ] {
        assert!(told.contains(words), "{words} is missing in\n{told}");
    }
    assert!(sandbox.path("results/tables/compare-checkerboard-a-b.csv").exists());
    sandbox.stdout(&["compare", "checkerboard/hannet/tuned", "a", "b"]);
    assert!(sandbox.path("results/tables/compare-checkerboard-hannet-tuned-a-b.csv").exists());

    run("e", &["--first-seed", "5", "--models", "hannet,fcnet"]);
    run("f", &["--first-seed", "5", "--models", "fcnet"]);
    let told = sandbox.stdout(&["compare", "a", "e"]);
    assert!(told.contains("left out: only e has fcnet/tuned") && !told.contains("only a has"), "{told}");
    let told = sandbox.error(&["compare", "a", "f"]);
    assert!(
        told.contains("no name is on both sides; to compare two different names, name both within one directory"),
        "{told}"
    );

    let jacobian =
        ["gradients", "--profile", "smoke", "--part", "jacobian", "--device", "cpu", "--quiet", "--out", "a"];
    sandbox.stdout(&jacobian);
    let noted = sandbox.run(&["compare", "a", "b"]).success();
    let noted = sandbox::text(&noted.get_output().stderr);
    assert!(noted.contains("left out: only a has gradients") && !noted.contains("only b"), "{noted}");

    run("c", &["--first-seed", "5", "--cells", "6"]);
    let told = sandbox.error(&["compare", "a", "c"]);
    assert!(told.contains("were not measured on the same data: board.cells is 12 and 6"), "{told}");
    run("d", &["--first-seed", "50"]);
    let told = sandbox.error(&["compare", "a", "d"]);
    assert!(told.contains("has the seeds 5, 6, ") && told.contains("none is common"), "{told}");
    // What cannot be compared leaves nothing.
    assert!(!sandbox.path("results/tables/compare-checkerboard-a-c.csv").exists());
}

#[test]
fn wrong_names_are_refused_with_the_nearest_ones() {
    let sandbox = Sandbox::new();
    sandbox.stdout(&board(&[]));
    let told = sandbox.error(&["compare", "checkerboard/hanet", "checkerboard/fcnet"]);
    assert!(told.contains("there is no checkerboard/hanet; the nearest names are checkerboard/hannet/tuned"), "{told}");
    let told = sandbox.error(&["compare", "hannet", "fcnet"]);
    assert!(told.contains("has no runs of \"hannet\", it has those of checkerboard"), "{told}");
    let told = sandbox.error(&["compare", "checkerboard", "hannet", "hannet"]);
    assert!(told.contains("both sides are checkerboard/hannet"), "{told}");
    let told = sandbox.error(&["compare", "results", "checkerboard/hannet"]);
    assert!(told.contains("only results is a directory"), "{told}");
    let told = sandbox.error(&["compare", "--out", "nowhere", "a/b", "a/c"]);
    assert!(told.contains("nowhere holds no runs"), "{told}");
}
