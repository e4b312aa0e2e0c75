//! Results directories and documents that nobody can trust, through the real program: what is in them ends in a message that says what is
//! wrong, or is shown as text.

#![cfg(feature = "program")]

#[path = "common/refused.rs"]
mod refused;
#[path = "common/safetensors.rs"]
mod safetensors;
#[path = "common/sandbox.rs"]
mod sandbox;

use refused::{case, check, write};
use safetensors::zeros;
use sandbox::Sandbox;
use std::fs;
use std::process::Command;

#[test]
fn configurations_of_runs() {
    let of = |name, says, text: &str| {
        let rerun = "rerun x/config.toml --device cpu --offline --out o";
        case(name, rerun, says, &[("x/config.toml", text.as_bytes())])
    };
    let head = |arm: &str| format!("experiment = 'x'\narm = '{arm}'\nseed = 1\ndevice = 'cpu'\n");
    let own = head("a");
    let fit = "[fit]\niterations = 2\nbatch_size = 100\nreport_every = 1\nlearning_rate = 0.01\nloss = 'cross_entropy'\n\
               sampling = 'epochs'\noptimizer.adam = {}\nschedule.cosine = { warmup = 0.0 }\n";
    let mnist = |fraction: &str| {
        let data = format!("[data]\ndataset = 'mnist'\nsample = true\nvalidation_fraction = {fraction}\n");
        format!("stopping = 'last'\n{own}{fit}{data}[model.fcnet]\nwidth = 4\ndepth = 1\n")
    };
    let mixer = "[data]\ndataset = 'cifar10'\nsample = true\nvalidation_images = 9000000000000000000\n\
                 [model.mixer]\nchannels = 8\nmixer_blocks = 1\nhan_blocks = 0\n";
    let stretch = |pairs: &str, depth: usize| {
        let model = format!("[probe.stretch.model.hannet]\nwidth = 16384\ndepth = {depth}\n");
        format!("[probe.stretch]\ndepth = {depth}\npairs = {pairs}\nsteps = 1\n{model}")
    };
    let cost = |width: &str, batch: &str| {
        format!("[probe.cost]\nwidths = [{width}]\nbatch = {batch}\nrounds = 1\ndepths = [1]\ndepth_width = 1\n")
    };
    let layers = "[probe.layers]\nlayers = 1\nnarrowest = 1\nwidest = 1000000000000000\nkinks = 1\n";
    let table = |name: &str, rows: &str| {
        let table = format!("[table]\nname = '{name}'\nrows = {rows}\nfeatures = 3\nsha256 = ''\n");
        format!("{own}{table}origin = {{ published = 'diabetes' }}\n[method]\nbaseline = 'ridge'\n")
    };
    check(vec![
        of("empty", "it is not a run of any experiment of this version", ""),
        of("no TOML", "x/config.toml: TOML parse error", "a = "),
        of("pairs", "pairs is 1000000000000000; use 1 to 1000000", &format!("{own}{}", stretch("1000000000000000", 2))),
        of("states", "use fewer with 10000 layers", &format!("{own}{}", stretch("1000", 10_000))),
        of("a width", "widest is 1000000000000000; use 1 to 16384", &format!("{own}{layers}")),
        of("widths", "one of widths is 100000000", &format!("{own}{}", cost("100000000", "1"))),
        of("a batch", "batch is 1000000000", &format!("{own}{}", cost("4", "1000000000"))),
        of("a name", "are names of letters, digits", &format!("{}{}", head("../x"), stretch("1", 2))),
        of("no images to score", "data.validation_fraction is", &mnist("1e-9")),
        of("no images to train on", "data.validation_fraction is", &mnist("0.9999")),
        of(
            "all images",
            "data.validation_images is 9000000000000000000",
            &format!("augment = 'none'\n{own}{fit}{mixer}"),
        ),
        of("no rows", "there is no table of 0 rows with 3 features", &table("t", "0")),
        of("rows", "there is no table of", &table("t", "1000000000000000000")),
        of("the name of a table", "are names of letters, digits", &table("../t", "100")),
    ]);
}

/// What a command notes for `report`: the experiment file that it ran with, and facts about its data.
fn remembered(verb: &str, kind: &str, facts: &str) -> toml::Table {
    let experiment = Sandbox::new().stdout(&["plan", verb, "--profile", "smoke", "--resolved"]);
    let mut table: toml::Table = toml::from_str(&format!("kind = '{kind}'\ndevice = 'cpu'\n{facts}")).expect("TOML");
    table.insert("experiment".into(), toml::Value::Table(toml::from_str(&experiment).expect("TOML")));
    table
}

/// `page.json` of an experiment called evil.
fn page_of(name: &str, rows: &str, chart: &str, table: &str) -> String {
    format!(
        r#"{{"name": {name:?}, "title": "<script>t</script>", "claim": "<b>", "invocation": null, "missing": "<script>", "claims": [],
        "verdicts": [], "failed": [], "blocks": [{{"table": {{"caption": "<script>", "main": true, "columns": ["<script>", "b"],
        "rows": {rows}}}}}], "charts": [{{"title": "<script>", "file": {chart:?}, "size": [4, 4], "missing": null}}],
        "tables": [{table:?}], "provenance": {{"runs": 0, "diverged": 0, "minutes": 0.0, "seeds": "", "made_by": []}}}}"#
    )
}

#[test]
fn directories_of_results() {
    let of = |name, says, verb: &str, table: &toml::Table| {
        let file = format!("r/runs/{verb}/experiment.toml");
        case(name, "report --out r", says, &[(&file, toml::to_string(table).expect("TOML").as_bytes())])
    };
    let of_table = |rows: &str| {
        let table =
            format!("name = 'x'\nrows = {rows}\nfeatures = 3\nsha256 = ''\norigin = {{ published = 'diabetes' }}");
        remembered("regression", "Regression", &format!("[facts]\nstand_ins = false\n[[facts.tables]]\n{table}\n"))
    };
    let of_images = |images: &str, fraction: &str| {
        let counts = format!("[facts]\ntrain_images = {images}\ntest_images = 1000\n");
        let set = format!("[facts.images]\ndataset = 'mnist'\nsample = false\nvalidation_fraction = {fraction}\n");
        remembered("mnist-attack", "Robustness", &format!("{counts}{set}"))
    };
    let of_colour = |images: &str| {
        let facts = format!("[facts]\nsample = false\nsha256 = ''\ntrain_images = {images}\n");
        remembered("mixer", "Comparison", &facts)
    };
    let mut of_another_type = remembered("checkerboard", "Checkerboard", "[facts]\n");
    let train = of_another_type["experiment"]["train"].as_table_mut().expect("a table");
    train.insert("iterations".into(), "8".into());
    let evil = |name, says, page: &str| {
        let memory = ("r/runs/evil/experiment.toml", &b"kind = 'Nothing'\n"[..]);
        case(name, "report --out r", says, &[memory, ("r/runs/evil/page.json", page.as_bytes())])
    };
    let (whole, chart, table) = (r#"[["1", "2"]]"#, "evil-a.png", "tables/evil.csv");
    check(vec![
        of("no rows", "there is no table of 0 rows", "regression", &of_table("0")),
        of("rows", "there is no table of", "regression", &of_table("1152921504606846976")),
        of("a fraction of 1", "validation_fraction is 1", "mnist-attack", &of_images("4000", "1.0")),
        of("a fraction of 5", "validation_fraction is 5", "mnist-attack", &of_images("4000", "5.0")),
        of("images", "the number of training images is", "mnist-attack", &of_images("1152921504606846976", "0.1")),
        of("no images", "the number of training images is 0", "mixer", &of_colour("0")),
        of("images of colour", "the number of training images is", "mixer", &of_colour("1152921504606846976")),
        of("a type", "invalid type: string", "checkerboard", &of_another_type),
        evil("a kind", "there is no kind \"Nothing\"", "{}"),
        evil("a short row", "is left out: a row of a table lacks a cell", &page_of("evil", r#"[["1"]]"#, chart, table)),
        evil("a chart elsewhere", "is no chart in figures/", &page_of("evil", whole, "../../secret.png", table)),
        evil("a table elsewhere", "is no file in tables/", &page_of("evil", whole, chart, "../secret.csv")),
        evil("a script for a table", "is no file in tables/", &page_of("evil", whole, chart, "tables/\"><script>.csv")),
        evil(
            "a script for a name",
            "it is the page of another experiment",
            &page_of("\"><script>", whole, chart, table),
        ),
        evil("brackets", "is left out", &"[".repeat(100_000)),
    ]);
}

#[test]
fn no_page_of_a_file_puts_a_script_or_another_file_into_the_report() {
    let sandbox = Sandbox::new();
    write(&sandbox.path("r/runs/evil/experiment.toml"), b"kind = 'Nothing'\n");
    write(&sandbox.path("secret.png"), b"top secret");
    write(&sandbox.path("r/figures/evil-a.png"), b"a chart");
    let report = |chart: &str| {
        let page = page_of("evil", r#"[["<script>", "2"]]"#, chart, "tables/evil.csv");
        write(&sandbox.path("r/runs/evil/page.json"), page.as_bytes());
        sandbox.error(&["report", "--out", "r"]);
        sandbox::read(&sandbox.path("r/report.html"))
    };
    let html = report("evil-a.png");
    assert!(html.contains("YSBjaGFydA==") && html.contains("&lt;script&gt;") && !html.contains("<script"), "{html}");
    // The same file by its name in base64.
    assert!(!report("../../secret.png").contains("dG9wIHNlY3JldA=="));
}

#[test]
fn markers_of_documents() {
    let of = |name, says, document: &str, recipe: &str| {
        let files = [("README.md", document), ("splice.toml", recipe), ("r/tables/x.csv", "a,b\n1,2\n")];
        let files = files.map(|(name, text)| (name, text.as_bytes()));
        case(name, "report --out r --splice README.md", says, &files)
    };
    let doubling: String = (0..60).map(|name| format!("n{name} = 'n{next} n{next}'\n", next = name + 1)).collect();
    check(vec![
        of("a name of itself", "\"a\" leads to itself", "Text <!-- = a: {b} -->1<!-- / --> x", "[from]\na = 'a'"),
        of(
            "names that double",
            "too many others",
            "Text <!-- = n0: {b} -->1<!-- / --> x",
            &format!("[from]\n{doubling}"),
        ),
        of("digits", "is not a valid number of digits", "Text <!-- = x: {b:.70000} -->1<!-- / --> x", ""),
        of("a brace", "README.md:1: ", "Text <!-- = x: {b -->1<!-- / --> x", ""),
        of("no end", "does not end with", "Text <!-- = x: {b} -->1", ""),
        of("no table", "nothing.csv is not there", "Text <!-- = nothing: {b} -->1<!-- / --> x", ""),
        of("no column", "has no column \"c\"", "Text <!-- = x: {c} -->1<!-- / --> x", ""),
        of("a recipe", "splice.toml is not a recipe", "Text", "a = 1"),
    ]);
}

/// A hole takes no space on a disk, but would in memory.
#[test]
fn texts_that_are_mostly_holes_are_not_read() {
    let sandbox = Sandbox::new();
    let hole = fs::File::create(sandbox.path("hole")).expect("a file");
    hole.set_len(han_exp::files::LONGEST_TEXT + 1).expect("a file with a hole");
    write(&sandbox.path("one.safetensors"), &zeros(&[("0.weight".into(), vec![1])]));
    for arguments in [
        &["plan", "checkerboard", "--experiment", "hole"][..],
        &["rerun", "hole"],
        &["evaluate", "checkerboard", "--model", "hannet", "--weights", "one.safetensors", "--map", "hole"],
        &["report", "--out", "r", "--splice", "hole"],
    ] {
        let told = sandbox.error(arguments);
        assert!(told.contains("hole: it holds more than 16777216 bytes"), "{arguments:?}: {told}");
    }
}

#[cfg(unix)]
#[test]
fn pipes_and_devices_are_not_read() {
    let sandbox = Sandbox::new();
    let made = Command::new("mkfifo").arg(sandbox.path("pipe")).status().expect("mkfifo");
    assert!(made.success());
    write(&sandbox.path("one.safetensors"), &zeros(&[("0.weight".into(), vec![1])]));
    let evaluate = ["evaluate", "checkerboard", "--model", "hannet", "--device", "cpu", "--weights"];
    for place in ["pipe", "/dev/zero"].into_iter().take(if cfg!(target_os = "linux") { 2 } else { 1 }) {
        for arguments in [
            [&evaluate[..], &[place]].concat(),
            [&evaluate[..], &["one.safetensors", "--map", place]].concat(),
            [&evaluate[..], &["one.safetensors", "--split-file", place]].concat(),
            vec!["plan", "checkerboard", "--experiment", place],
            vec!["plan", "regression", "--offline", "--dataset", place],
            vec!["rerun", place],
        ] {
            let told = sandbox.error(&arguments);
            assert!(told.contains(place) && told.contains("it is not a regular file"), "{arguments:?}: {told}");
        }
    }
}

/// The images beside the runs are in no list of files with hashes.
#[cfg(unix)]
#[test]
fn a_chart_of_images_that_are_none_is_left_out() {
    use candle_core::{DType, Device, Tensor};
    let sandbox = Sandbox::new();
    let mixer =
        ["mixer", "--offline", "--profile", "smoke", "--channels", "8", "--train-limit", "60", "--batch-size", "20"];
    let mixer = [&mixer[..], &["--seeds", "1", "--epochs", "1", "--device", "cpu", "--out", "r"]].concat();
    sandbox.command(&mixer).assert().success();
    let images = sandbox.path("r/runs/mixer/augmented.safetensors");
    let told = |says: &str| {
        let answered = sandbox.stdout(&["report", "--out", "r"]);
        assert!(answered.contains("not drawn: mixer-images.png: ") && answered.contains(says), "{answered}");
    };
    let pixels = Tensor::zeros((1, 0, 2, 2, 3), DType::U8, &Device::Cpu).expect("nothing");
    let labels = Tensor::zeros(1, DType::U32, &Device::Cpu).expect("a label");
    let none = [("pixels", pixels), ("labels", labels)].into_iter().collect();
    candle_core::safetensors::save(&none, &images).expect("a file");
    told("has no images");
    write(&images, b"no tensors");
    told("cannot read");
    fs::remove_file(&images).expect("a file");
    assert!(Command::new("mkfifo").arg(&images).status().expect("mkfifo").success());
    told("it is not a regular file");
}
