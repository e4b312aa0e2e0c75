//! Who may use whom: the table of ARCHITECTURE.md, held against the `use crate::` lines of the source.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// A module and the modules that it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("rng", &[]),
    ("device", &[]),
    ("files", &[]),
    ("console", &[]),
    ("zipped", &[]),
    ("figure", &[]),
    ("nn", &["rng"]),
    ("data", &["rng"]),
    ("baseline", &["data", "rng"]),
    ("model", &["nn", "rng"]),
    ("train", &["model", "data", "nn", "rng"]),
    ("evaluate", &["model", "data", "nn", "rng"]),
    ("config", &["data", "evaluate", "model", "train", "rng"]),
    ("record", &["config", "evaluate", "nn"]),
    ("report", &["config", "record", "figure", "model"]),
    ("experiment", &["config", "data", "device", "evaluate", "model", "nn", "record", "rng", "train"]),
    (
        "cli",
        &[
            "config",
            "data",
            "device",
            "evaluate",
            "experiment",
            "figure",
            "model",
            "nn",
            "record",
            "report",
            "rng",
            "train",
        ],
    ),
];

/// Modules that everybody may use.
const EVERYBODY: &[&str] = &["files", "console", "zipped"];

fn source_files(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).expect("a source directory").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { source_files(&path) } else { vec![path] }).collect()
}

/// Modules that a file names after `crate::`, outside comments.
fn used(text: &str) -> Vec<String> {
    let code = text.lines().filter(|line| !line.trim_start().starts_with("//"));
    code.flat_map(|line| line.split("crate::").skip(1).map(module_name).collect::<Vec<_>>()).collect()
}

fn module_name(after: &str) -> String {
    after.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect()
}

#[test]
fn modules_use_only_what_stands_before_them() {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    for file in source_files(&source).into_iter().filter(|file| file.extension().is_some_and(|e| e == "rs")) {
        let relative = file.strip_prefix(&source).expect("a path below src");
        let first = relative.iter().next().expect("a file name").to_string_lossy().replace(".rs", "");
        if first == "lib" || first == "main" {
            continue;
        }
        let may_use = allowed.get(first.as_str()).unwrap_or_else(|| panic!("{first} is not in the table"));
        for module in used(&fs::read_to_string(&file).expect("a source file")) {
            let fits = module == first || EVERYBODY.contains(&module.as_str()) || may_use.contains(&module.as_str());
            assert!(fits, "{} uses crate::{module}; {first} may use {may_use:?}", relative.display());
        }
    }
}
