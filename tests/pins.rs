//! What a smoke run of each experiment leaves, to the byte: results are a promise, and no change of structure may move one.
//!
//! `tests/pins/<experiment>.txt` holds SHA-256 of every CSV file without times, of every `config.toml`, and the hash of every
//! run. The columns `run` and `profile` are left out of the CSV files. Numbers are the same on one kind of processor alone, so a file has a
//! part for each that it was written on; elsewhere headers are compared, and everything that no processor computes. With
//! `HAN_EXP_PINS=write` the parts of all processors and of this one are written; what changed here is taken out of the others.

#![cfg(feature = "program")]

#[path = "common/sandbox.rs"]
mod sandbox;

use han_exp::files::sha256;
use sandbox::Sandbox;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Files that hold times.
const TIMES: [&str; 4] = ["cost.csv", "-cost.csv", "-runs.csv", "claims.csv"];

/// Family, model and vector instructions of the processor; rounding depends on them.
fn processor() -> String {
    let text = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let value = |key: &str| {
        let line = text.lines().find(|line| line.split(':').next().is_some_and(|name| name.trim() == key));
        line.and_then(|line| line.split(':').nth(1)).unwrap_or_default().trim().to_string()
    };
    let wide = value("flags").split(' ').any(|flag| flag == "avx512f");
    format!("{} {} {}{}", value("vendor_id"), value("cpu family"), value("model"), if wide { " avx512" } else { "" })
}

fn all_files(root: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(root).expect("a readable directory").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { all_files(&path) } else { vec![path] }).collect()
}

/// A CSV file without its columns `run` and `profile` and without rows about times.
fn rows(path: &Path) -> Vec<Vec<String>> {
    let text = fs::read_to_string(path).expect("a readable file");
    let mut reader = csv::ReaderBuilder::new().has_headers(false).from_reader(text.as_bytes());
    let rows = reader.records().map(|row| row.expect("a row").iter().map(str::to_string).collect::<Vec<_>>());
    let mut rows: Vec<Vec<String>> = rows.filter(|row| row.get(1).is_none_or(|part| part != "cost")).collect();
    while let Some(place) = rows[0].iter().position(|name| name == "run" || name == "profile") {
        rows.iter_mut().for_each(|row| drop(row.remove(place)));
    }
    rows
}

/// Every pinned thing by its name: what any processor has to show, and what one kind shows.
fn pins(root: &Path) -> (BTreeMap<String, String>, BTreeMap<String, String>) {
    let (mut everywhere, mut here) = (BTreeMap::new(), BTreeMap::new());
    for path in all_files(root) {
        let name = path.strip_prefix(root).expect("a path below the root").display().to_string();
        // Which rate a network is trained with in the end is chosen by its accuracy, which has other last bits elsewhere.
        let is_chosen = name.starts_with("runs/gradients/") && name.contains("-full-");
        let of_settings = if is_chosen { &mut here } else { &mut everywhere };
        if name.ends_with("config.toml") {
            of_settings.insert(name, sha256(&fs::read(&path).expect("a readable file")));
        } else if name.ends_with("manifest.json") {
            let text = fs::read_to_string(&path).expect("a readable file");
            let manifest: serde_json::Value = serde_json::from_str(&text).expect("a manifest");
            of_settings.insert(name, manifest["config_hash"].as_str().expect("a hash").to_string());
        } else if name.ends_with(".csv") && !TIMES.iter().any(|end| name.ends_with(end)) {
            let rows = rows(&path);
            of_settings.insert(format!("{name} header"), rows[0].join(","));
            let text: Vec<String> = rows.iter().map(|row| row.join(",")).collect();
            here.insert(name, sha256(text.join("\n").as_bytes()));
        }
    }
    (everywhere, here)
}

fn check(experiment: &str, arguments: &[&str]) {
    let sandbox = Sandbox::new();
    let command =
        [&[experiment, "--profile", "smoke", "--out", "out", "--device", "cpu", "--quiet"], arguments].concat();
    sandbox.stdout(&command);
    let (everywhere, here) = pins(&sandbox.path("out"));
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("tests/pins/{experiment}.txt"));
    let pinned = fs::read_to_string(&place).expect("a file of pins");
    let mut parts = pinned.split("\n\n");
    let of_all = parse(parts.next().expect("what holds everywhere"));
    let parts = parts.map(|part| part.split_once('\n').expect("a processor"));
    let mut of_processor: BTreeMap<String, BTreeMap<String, String>> =
        parts.map(|(processor, pins)| (processor.to_string(), parse(pins))).collect();
    let own = of_processor.remove(&processor());
    if std::env::var_os("HAN_EXP_PINS").is_some_and(|value| value == "write") {
        let own = own.unwrap_or_default();
        // Which run is chosen, and there, may be another elsewhere.
        let is_same = |name: &String| own.get(name).is_none_or(|before| here.get(name) == Some(before));
        of_processor.values_mut().for_each(|pins| pins.retain(|name, _| is_same(name)));
        of_processor.insert(processor(), here);
        let parts = of_processor.iter().map(|(processor, pins)| format!("\n{processor}\n{}", told(pins)));
        fs::write(&place, told(&everywhere) + &parts.collect::<String>()).expect("a file of pins");
        return;
    }
    assert_eq!(told(&everywhere), told(&of_all), "{experiment}");
    match own {
        // What is new here has its header above.
        Some(own) => {
            let here = here.into_iter().filter(|(name, _)| own.contains_key(name)).collect();
            assert_eq!(told(&here), told(&own), "{experiment}");
        }
        None => println!("{experiment}: numbers are pinned for other processors than this, {}", processor()),
    }
}

fn parse(pins: &str) -> BTreeMap<String, String> {
    let lines = pins.lines().map(|line| line.split_once(" = ").expect("a pin"));
    lines.map(|(name, pin)| (name.to_string(), pin.to_string())).collect()
}

fn told(pins: &BTreeMap<String, String>) -> String {
    pins.iter().map(|(name, pin)| format!("{name} = {pin}\n")).collect()
}

#[test]
fn a_smoke_run_of_the_checkerboard_is_what_it_was() {
    check("checkerboard", &[]);
}

#[test]
fn a_smoke_run_of_mnist_attack_is_what_it_was() {
    check("mnist-attack", &["--offline", "--first-seed", "0"]);
}

#[test]
fn a_smoke_run_of_the_mixer_is_what_it_was() {
    check("mixer", &["--offline"]);
}

#[test]
fn a_smoke_run_of_gradients_is_what_it_was() {
    check("gradients", &["--first-seed", "100"]);
}

#[test]
fn a_smoke_run_of_regression_is_what_it_was() {
    check("regression", &["--offline", "--first-seed", "0"]);
}
