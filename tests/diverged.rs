//! A training that diverged is a row of every table, never a gap: the real program with learning rates that blow up.

#![cfg(feature = "program")]

#[path = "common/sandbox.rs"]
mod sandbox;

use sandbox::Sandbox;
use std::collections::BTreeMap;
use std::fs;

/// Rows of a CSV file by the names of their columns.
fn rows(sandbox: &Sandbox, file: &str) -> Vec<BTreeMap<String, String>> {
    let text = fs::read_to_string(sandbox.path("results/smoke/tables").join(file)).expect("a table");
    let mut lines = text.lines().map(|line| line.split(',').map(str::to_string).collect::<Vec<_>>());
    let header = lines.next().expect("a header");
    lines.map(|cells| header.iter().cloned().zip(cells).collect()).collect()
}

/// The rows with these cells.
fn with<'r>(rows: &'r [BTreeMap<String, String>], cells: &[(&str, &str)]) -> Vec<&'r BTreeMap<String, String>> {
    rows.iter().filter(|row| cells.iter().all(|(column, cell)| row.get(*column).is_some_and(|c| c == cell))).collect()
}

/// The counts in a column of the closing table, where they end below the end of its name.
fn column(told: &str, name: &str) -> Vec<usize> {
    let mut lines = told.lines().skip_while(|line| !line.split(' ').any(|cell| cell == name));
    let header = lines.next().unwrap_or_else(|| panic!("no column {name} in\n{told}"));
    let end = header.find(name).expect("a column") + name.len();
    let cell = |line: &str| line.get(..end)?.rsplit(' ').next()?.parse().ok();
    // Below the header is a rule.
    lines.skip(1).map_while(cell).collect()
}

/// Runs an experiment file in which some texts stand for others; it has to end as if nothing were wrong.
fn run(sandbox: &Sandbox, file: &str, changes: &[(&str, &str)], arguments: &[&str]) -> String {
    let mut text = file.to_string();
    for (right, wrong) in changes {
        assert!(text.contains(right), "{right} is not in the file");
        text = text.replace(right, wrong);
    }
    fs::write(sandbox.path("mine.toml"), text).expect("a file");
    let common = ["--experiment", "mine.toml", "--profile", "smoke", "--device", "cpu", "--quiet"];
    let told = sandbox.stdout(&[arguments, &common].concat());
    // Everything is finished, so nothing is left to be made, and the report says the same.
    assert!(!told.contains("runs are finished"), "{told}");
    sandbox.stdout(&["report", "--out", "results/smoke"]);
    told
}

#[test]
fn a_network_that_diverges_has_its_rows_in_checkerboard_and_a_claim_that_nobody_can_read_is_open() {
    let sandbox = Sandbox::new();
    let file = include_str!("../experiments/checkerboard.toml");
    // The first piece of evidence fits the rows of all protocols.
    let evidence = "recipe=tuned protocol=held_out arm=hannet\", value = \"mean\"";
    let changes =
        [(evidence, "recipe=tuned arm=hannet\", value = \"mean\""), ("hannet = [0.012, 0.014]", "hannet = [1e25]")];
    let told = run(&sandbox, file, &changes, &["checkerboard", "--models", "hannet,fcnet", "--recipe", "tuned,paper"]);
    let claims = fs::read_to_string(sandbox.path("results/smoke/tables/claims.csv")).expect("claims");
    assert!(claims.contains("cannot be read,,"), "{claims}");
    assert!(column(&told, "diverged").contains(&2), "{told}");
    let rows = rows(&sandbox, "checkerboard.csv");
    for protocol in ["held_out", "last_iterate"] {
        let row = with(&rows, &[("arm", "hannet"), ("protocol", protocol), ("seeds", "0"), ("diverged", "2")]);
        assert_eq!((row.len(), row[0]["mean"].as_str(), row[0]["median"].as_str()), (1, "", ""), "{protocol}");
    }
}

#[test]
fn a_network_whose_full_runs_alone_diverge_is_named_on_the_charts_of_checkerboard() {
    let sandbox = Sandbox::new();
    let file = include_str!("../experiments/checkerboard.toml");
    // After one step of that size the loss of the start is all that is known; the next one is no number.
    let changes =
        [("hannet = [0.012, 0.014]", "hannet = [1e25]"), ("selection_iterations = 300", "selection_iterations = 1")];
    let told = run(&sandbox, file, &changes, &["checkerboard", "--models", "hannet,fcnet", "--recipe", "tuned"]);
    let runs = rows(&sandbox, "checkerboard-runs.csv");
    let of = |phase, outcome| with(&runs, &[("arm", "hannet"), ("phase", phase), ("outcome", outcome)]).len();
    assert_eq!((of("selection", "finished"), of("full", "diverged")), (2, 2), "{runs:?}");
    assert!(told.contains("every finished run of hannet (recipe tuned, phase full) diverged; charts"), "{told}");
    sandbox.stdout(&["report", "--out", "results/smoke", "--svg"]);
    for (chart, name) in [("test-accuracy", ""), ("parameters", "held-out, "), ("decision-maps", "not shown: ")] {
        let svg = fs::read_to_string(sandbox.path(&format!("results/smoke/figures/checkerboard-{chart}.svg")));
        let words = format!("{name}HanNet, tuned Adam: 2 of 2 diverged");
        assert!(svg.expect("a chart").contains(&words), "{chart}");
    }
}

#[test]
fn a_network_that_diverges_at_every_rate_has_its_rows_in_gradients() {
    let sandbox = Sandbox::new();
    let file = include_str!("../experiments/gradients.toml");
    let changes = [("[0.012, 0.004, 0.001]", "[1e25, 1e26, 1e27]")];
    let parts = ["gradients", "--part", "jacobian,norms,depth,lipschitz", "--models", "hannet", "--iterations", "20"];
    let told = run(&sandbox, file, &changes, &parts);
    assert!(column(&told, "diverged").contains(&1), "{told}");
    let finals = sandbox.runs("results/smoke", "gradients/hannet", "depth-").into_iter();
    assert_eq!(finals.filter(|run| run.to_string_lossy().contains("-full-")).count(), 0, "no rate is to be chosen");
    let rows = rows(&sandbox, "gradients.csv");
    for depth in ["10", "20"] {
        let accuracy = with(&rows, &[("metric", "test_accuracy"), ("depth", depth), ("n", "0"), ("diverged", "1")]);
        assert_eq!(accuracy.len(), 1, "{depth} layers");
        assert_eq!((accuracy[0]["mean"].as_str(), accuracy[0]["max"].as_str()), ("", ""));
    }
    for metric in [
        "largest_singular_value_to_hidden",
        "smallest_singular_value_to_outputs",
        "smallest_gradient_ratio",
        "largest_gradient_ratio",
        "ratio_found",
        "log10_of_product_of_norms",
    ] {
        let trained = with(&rows, &[("metric", metric), ("state", "trained"), ("n", "0"), ("diverged", "1")]);
        assert_eq!(trained.len(), 1, "{metric}");
        assert!(!with(&rows, &[("metric", metric), ("state", "start"), ("diverged", "0")]).is_empty(), "{metric}");
    }
    let readme = fs::read_to_string(sandbox.path("results/smoke/tables/gradients.md")).expect("a report");
    assert!(readme.contains("| HanNet | 10 | "), "{readme}");
    assert!(readme.contains("| 0 | 1 | - | - | - | - | none |"), "{readme}");
    for name in ["hannet (phase course)", "hannet (recipe depth)"] {
        assert!(told.replace('\n', " ").contains(&format!("every finished run of {name} diverged; charts")), "{told}");
    }
}

#[test]
fn a_network_that_diverges_has_its_rows_in_mixer() {
    let sandbox = Sandbox::new();
    let file = include_str!("../experiments/mixer.toml");
    let small = ["--channels", "8", "--train-limit", "100", "--batch-size", "20", "--learning-rate", "1e25"];
    let told = run(&sandbox, file, &[], &[&["mixer", "--offline"], &small[..]].concat());
    assert_eq!(column(&told, "diverged"), [2, 2], "{told}");
    let (rows, seeds) = (rows(&sandbox, "mixer.csv"), rows(&sandbox, "mixer-seeds.csv"));
    for arm in ["mixer-4", "mixer-4-han-12"] {
        for (split, metric) in
            [("test", "accuracy"), ("test", "top5"), ("train", "accuracy"), ("train", "cross_entropy")]
        {
            let row = with(&rows, &[("arm", arm), ("split", split), ("metric", metric)]);
            assert_eq!(row.len(), 1, "{arm}: {split} {metric}");
            assert_eq!((&*row[0]["seeds"], &*row[0]["diverged"], &*row[0]["mean"]), ("0", "2", ""));
            for seed in ["0", "1"] {
                let row = with(&seeds, &[("arm", arm), ("split", split), ("metric", metric), ("seed", seed)]);
                assert_eq!((row.len(), &*row[0]["value"]), (1, ""), "{arm}: {split} {metric}");
            }
        }
    }
    let readme = fs::read_to_string(sandbox.path("results/smoke/tables/mixer.md")).expect("a report");
    assert_eq!(readme.lines().filter(|line| line.contains("| 0 | 2 | - |")).count(), 2, "{readme}");
    for arm in ["mixer-4", "mixer-4-han-12"] {
        let warning = format!("**Warning**: every finished run of {arm} diverged; charts");
        assert!(readme.contains(&warning), "{readme}");
    }
}

#[test]
fn a_network_that_diverges_has_the_rows_of_its_rivals_in_mnist_attack() {
    let sandbox = Sandbox::new();
    // FCNet alone: it is the one with the recipe of the pair without weight decay.
    let file = include_str!("../experiments/mnist-attack.toml");
    let changes = [
        ("learning_rate = 0.002", "learning_rate = 1e25"),
        ("label = \"FCNet\"\nrecipe = \"adamw\"", "label = \"FCNet\"\nrecipe = \"adam\""),
    ];
    let small = ["--width", "8,fcnet=8", "--depth", "3,fcnet=2", "--n", "10", "--steps", "2", "--attacks", "fgsm"];
    let told = run(&sandbox, file, &changes, &[&["mnist-attack", "--offline"], &small[..]].concat());
    assert_eq!(column(&told, "diverged"), [0, 1], "{told}");
    assert!(told.contains("every finished run of fcnet diverged; charts"), "{told}");
    let table = rows(&sandbox, "mnist-attack.csv");
    let figure = |row: &BTreeMap<String, String>| {
        ["split", "metric", "attack", "norm", "epsilon"].map(|column| row[column].clone())
    };
    let own: Vec<_> = with(&table, &[("arm", "fcnet"), ("seeds", "0"), ("diverged", "1"), ("mean", "")])
        .into_iter()
        .map(figure)
        .collect();
    for row in with(&table, &[("arm", "hannet")]) {
        let of_some = ["lipschitz", "head_norm", "ties", "not_finite"].contains(&&*row["metric"]);
        assert_eq!(own.contains(&figure(row)), !of_some, "{row:?}");
    }
    // Of the images as they are, and of every ball of the table.
    let pairs = rows(&sandbox, "mnist-attack-differences.csv");
    let norms = with(&pairs, &[("arm", "hannet"), ("against", "fcnet"), ("pairs", "0"), ("difference", "")]);
    let norms: Vec<&str> = norms.into_iter().map(|row| row["norm"].as_str()).collect();
    assert!(norms.contains(&"") && norms.contains(&"linf") && norms.contains(&"l2"), "{pairs:?}");
    let claims = rows(&sandbox, "claims.csv");
    assert!(claims[0]["verdict"] != "not run", "{claims:?}");
    let seeds = rows(&sandbox, "mnist-attack-seeds.csv");
    let of = |arm: &str| with(&seeds, &[("arm", arm)]).len();
    assert_eq!(of("fcnet"), of("hannet"));
    assert_eq!(with(&seeds, &[("arm", "fcnet"), ("count", ""), ("value", ""), ("low", "")]).len(), of("fcnet"));
}
